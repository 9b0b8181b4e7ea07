//! What an auditor reads from a stopped server's journal, in the words of the public contract.
//!
//! The drill cannot read journals and must not: whoever holds the server's own proof against the drill's account hands
//! this report in.

use api::order::OrderState;
use api::{OrderId, Position, SaleId};
use std::fmt;

/// Says what the journal of a sale holds after a batch: the first 16 bytes of its chain, or `None` when there is no such
/// batch.
pub type ChainLookup = Box<dyn Fn(SaleId, u64) -> Option<[u8; 16]> + Send + Sync>;

/// Everything that the journals say.
pub struct AuditReport {
    /// Every order of every sale.
    pub orders: Vec<AuditedOrder>,
    /// Every SKU of every sale.
    pub stock: Vec<AuditedStock>,
    /// What the auditor itself found wrong; empty when all is well.
    pub problems: Vec<String>,
    /// Batches of all journals.
    pub batches: u64,
    /// The chain, batch by batch.
    pub chain: ChainLookup,
}

impl AuditReport {
    /// Whether a receipt that was given to a client is still in the journal.
    #[must_use]
    pub fn holds(&self, sale: SaleId, receipt: &Position) -> bool {
        // Before the first batch there is nothing to prove.
        receipt.sequence == 0 || (self.chain)(sale, receipt.sequence) == Some(receipt.chain)
    }
}

impl fmt::Debug for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditReport")
            .field("orders", &self.orders.len())
            .field("problems", &self.problems)
            .field("batches", &self.batches)
            .finish_non_exhaustive()
    }
}

/// An order as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedOrder {
    /// Its identifier.
    pub id: OrderId,
    /// The buyer's pseudonym.
    pub buyer: Option<Box<str>>,
    /// Where it stands.
    pub state: OrderState,
    /// Its lines.
    pub lines: Vec<AuditedLine>,
    /// Its price, minor units.
    pub total_minor: i64,
    /// Money captured, minor units.
    pub captured_minor: i64,
    /// Money given back, minor units.
    pub refunded_minor: i64,
    /// Money on its way back, minor units.
    pub refund_pending_minor: i64,
}

impl AuditedOrder {
    /// Whether its units were sold.
    #[must_use]
    pub const fn is_sold(&self) -> bool {
        matches!(
            self.state,
            OrderState::Paid | OrderState::Shipped | OrderState::Delivered | OrderState::Refunded
        )
    }

    /// Whether its units are held.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        matches!(self.state, OrderState::Held | OrderState::Paying)
    }
}

/// A line of an order as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedLine {
    /// The SKU.
    pub sku: Box<str>,
    /// Units bought.
    pub units: u32,
    /// Units that came back with refunds, back into stock or not.
    pub returned: u32,
    /// Units of those that went back into stock.
    pub restocked: u32,
}

/// Units of a SKU as the journal has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedStock {
    /// The sale.
    pub sale: SaleId,
    /// The SKU.
    pub sku: Box<str>,
    /// Units that ever came in.
    pub stocked: u64,
    /// Units that can be bought.
    pub available: u64,
    /// Units in unpaid orders.
    pub held: u64,
    /// Units sold.
    pub sold: u64,
    /// Units lost unsold.
    pub written_off: u64,
}
