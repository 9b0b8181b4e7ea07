//! Receipts: places in journals that somebody was given and that must still be there (INV-7, INV-8).

use std::collections::BTreeMap;

use api::{Position, SaleId};
use world::journal::Batch;

use super::Receipt;
use super::report::{Finding, Findings};

/// Receipts that were not met yet, by sale and batch.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    open: BTreeMap<(SaleId, u64), Vec<Position>>,
    checked: u64,
}

impl Receipts {
    pub(super) fn new(receipts: &[Receipt]) -> Self {
        let mut open = BTreeMap::<_, Vec<Position>>::new();
        // Before the first batch there is nothing to prove.
        for receipt in receipts
            .iter()
            .filter(|receipt| receipt.position.sequence > 0)
        {
            let place = open
                .entry((receipt.sale, receipt.position.sequence))
                .or_default();
            if !place.contains(&receipt.position) {
                place.push(receipt.position);
            }
        }
        Self {
            open,
            checked: receipts.len() as u64,
        }
    }

    pub(super) fn checked(&self) -> u64 {
        self.checked
    }

    /// Holds the receipts for a batch against it.
    pub(super) fn meet(&mut self, sale: SaleId, batch: &Batch, findings: &mut Findings) {
        let Some(receipts) = self.open.remove(&(sale, batch.sequence)) else {
            return;
        };
        for receipt in receipts
            .iter()
            .filter(|receipt| !receipt.matches(&batch.chain))
        {
            let found = Position::new(batch.sequence, &batch.chain);
            let detail = format!("receipt {receipt} was given, the journal has {found}");
            findings.add(Finding::loss(Some(sale), detail).at(batch.sequence));
        }
    }

    /// What was given and never met is lost.
    pub(super) fn report_lost(&mut self, findings: &mut Findings) {
        for ((sale, sequence), receipts) in std::mem::take(&mut self.open) {
            for receipt in receipts {
                let detail =
                    format!("receipt {receipt} was given, the journal does not have that batch");
                findings.add(Finding::loss(Some(sale), detail).at(sequence));
            }
        }
    }
}
