//! Everything that the journals say, kept: for those who have an account of their own and hold the two together.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use api::order::Order;
use api::sale::Sku;
use api::{Position, SaleId};
use world::Disk;

use super::report::Report;
use super::sale::Seen;
use super::{VerifyError, look};
use crate::wire;

/// What the journals of a data directory say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// What a verification finds.
    pub report: Report,
    /// Every sale.
    pub sales: Vec<AuditedSale>,
}

impl Audit {
    /// The first 16 bytes of a sale's chain after a batch; `None` when there is no such batch.
    #[must_use]
    pub fn chain(&self, sale: SaleId, sequence: u64) -> Option<[u8; 16]> {
        let sale = self.sales.iter().find(|found| found.sale == sale)?;
        let at = usize::try_from(sequence.checked_sub(1)?).ok()?;
        sale.chain.get(at).copied()
    }

    /// Whether a place that somebody was given is in the journal. Before the first batch there is nothing to prove.
    #[must_use]
    pub fn holds(&self, sale: SaleId, receipt: Position) -> bool {
        receipt.sequence == 0 || self.chain(sale, receipt.sequence) == Some(receipt.chain)
    }
}

/// What the journal of a sale says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedSale {
    /// Which.
    pub sale: SaleId,
    /// Every order as it stands at the end.
    pub orders: Vec<Order>,
    /// Units that went back into stock, by order number and line.
    pub restocked: BTreeMap<(u32, u16), u32>,
    /// Every SKU as it stands at the end.
    pub skus: Vec<Sku>,
    /// The first 16 bytes of the chain after each batch, from the first.
    pub chain: Vec<[u8; 16]>,
}

/// Verifies a data directory and keeps what its journals say. Takes memory for every order.
///
/// # Errors
/// As [`super::verify`].
pub fn audit(disk: &Arc<dyn Disk>, root: &Path) -> Result<Audit, VerifyError> {
    let mut sales = Vec::new();
    let report = look(disk, root, &[], &mut |_| {}, &mut |seen| {
        sales.push(audited(seen))
    })?;
    Ok(Audit { report, sales })
}

fn audited(seen: Seen) -> AuditedSale {
    let sale = seen.report.sale;
    let mut restocked = BTreeMap::new();
    for back in &seen.restocked {
        *restocked.entry((back.order, back.line)).or_default() += back.units;
    }
    let orders = (0..seen.book.tally().placed)
        .filter_map(|number| wire::order(sale.get(), &seen.book, number));
    AuditedSale {
        sale,
        orders: orders.collect(),
        restocked,
        skus: wire::sale(sale.get(), &seen.book)
            .map(|sale| sale.skus)
            .unwrap_or_default(),
        chain: seen.chain,
    }
}
