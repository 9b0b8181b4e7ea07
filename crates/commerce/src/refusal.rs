//! Why the book says no, with the data that help the caller.

use std::sync::Arc;

use ledger::{Minor, Units};

use crate::{OrderStatus, SaleState, Time};

/// Whose limit was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitOf {
    /// Units in one order of the sale.
    Order,
    /// Units of one buyer in the sale.
    Buyer,
    /// Units of one SKU in one order.
    SkuInOrder(Arc<str>),
    /// Units of one SKU for one buyer.
    SkuOfBuyer(Arc<str>),
}

/// A refusal is a decision, not an error: it changes nothing, is not journalled and binds no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such sale yet.
    #[error("no such sale")]
    NoSale,
    /// The sale exists already.
    #[error("the sale exists already")]
    SaleExists,
    /// The sale does not sell now.
    #[error("the sale is not open")]
    NotOpen {
        /// Its state.
        state: SaleState,
        /// When it opens, if that is known.
        opens: Option<Time>,
    },
    /// The sale's state forbids the step.
    #[error("the sale is {state:?} and cannot do that")]
    SaleState {
        /// Its state.
        state: SaleState,
        /// What stands in the way.
        why: &'static str,
    },
    /// Not enough units are left.
    #[error("only {left} units of {sku} are left")]
    SoldOut {
        /// Of which SKU.
        sku: Arc<str>,
        /// What is available.
        left: Units,
    },
    /// A purchase limit is reached.
    #[error("the limit of {limit} units is reached")]
    Limit {
        /// Whose limit.
        of: LimitOf,
        /// The limit.
        limit: Units,
        /// What was used of it before this order.
        used: Units,
    },
    /// A rule of the sale does not admit the buyer.
    #[error("rule {rule} of the sale does not admit this buyer")]
    NotEligible {
        /// The rule's position.
        rule: usize,
    },
    /// The sale has no such SKU.
    #[error("the sale has no SKU {sku}")]
    NoSku {
        /// The code asked for.
        sku: Arc<str>,
    },
    /// There is no such order, or it is somebody else's.
    #[error("no such order")]
    NoOrder,
    /// The idempotency key was used for something else.
    #[error("the idempotency key was used with another body")]
    KeyReused,
    /// The order's state forbids the step.
    #[error("the order is {state:?}")]
    OrderState {
        /// Its state.
        state: OrderStatus,
    },
    /// The hold ran out.
    #[error("the hold has expired")]
    HoldExpired,
    /// A charge is under way; its outcome must be known first.
    #[error("a payment is in flight")]
    PaymentInFlight,
    /// More money is asked back than is left.
    #[error("only {left} is left to refund")]
    OverRefund {
        /// What is left.
        left: Minor,
    },
    /// More units are asked back than the line still has.
    #[error("line {line} has only {left} units left to refund")]
    OverReturn {
        /// Which line.
        line: u16,
        /// What is left.
        left: Units,
    },
    /// More units are written off than are available.
    #[error("only {left} units are available")]
    OverWriteOff {
        /// What is available.
        left: Units,
    },
    /// The command is out of bounds; the sentence names field and bound.
    #[error("{0}")]
    Invalid(String),
    /// There is no such saga.
    #[error("no such saga")]
    NoSaga,
    /// The saga's place forbids the step.
    #[error("{why}")]
    SagaState {
        /// What stands in the way.
        why: &'static str,
    },
    /// The book is full.
    #[error("the book holds as much as it may: {0}")]
    Full(&'static str),
}
