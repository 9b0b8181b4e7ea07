//! Why the book says no, with the data that help the caller.

use std::sync::Arc;

use ledger::{Minor, Units};

use crate::book::TeamState;
use crate::price::PriceError;
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
    /// The sale has no such team.
    #[error("no such team")]
    NoTeam,
    /// The SKU is not sold to teams, or only to teams.
    #[error("{sku} is sold {how}")]
    Teams {
        /// Which SKU.
        sku: Arc<str>,
        /// How it is sold.
        how: &'static str,
    },
    /// The team takes nobody any more.
    #[error("the team is {state:?}")]
    TeamOver {
        /// How it stands.
        state: TeamState,
    },
    /// All seats of the team are held or paid.
    #[error("all {size} seats of the team are taken")]
    TeamFull {
        /// Its seats.
        size: u16,
    },
    /// The buyer has as many seats, or teams, as one may have.
    #[error("a buyer may have {most} {what}")]
    SeatLimit {
        /// Of what.
        what: &'static str,
        /// How many.
        most: u16,
    },
    /// The order belongs to a team, whose rule forbids the step.
    #[error("{0}")]
    TeamRule(&'static str),
    /// The buyer holds as many unpaid orders as he may.
    #[error("{open} orders wait for payment, and {most} may; {lapses} holds ran out before")]
    OpenHolds {
        /// Orders that he holds.
        open: u16,
        /// How many he may.
        most: u16,
        /// Holds that he let run out.
        lapses: u16,
    },
    /// Others wait in line for the SKU.
    #[error("{ahead} wait in line for {sku}")]
    LineFirst {
        /// For which SKU.
        sku: Arc<str>,
        /// How many.
        ahead: u32,
    },
    /// There is nothing to wait for: units are left.
    #[error("{left} units of {sku} are left")]
    NothingToWaitFor {
        /// Of which SKU.
        sku: Arc<str>,
        /// How many.
        left: Units,
    },
    /// The buyer waits for this SKU already.
    #[error("ticket {ticket} waits for it already")]
    WaitsAlready {
        /// In which place.
        ticket: u32,
    },
    /// There is no such place in the line, or it is somebody else's, or it is over.
    #[error("no such place in the line")]
    NoTicket,
    /// A coupon cannot be given; the sentence names it.
    #[error(transparent)]
    Price(#[from] PriceError),
    /// A rule of the offer refuses the order.
    #[error("rule {rule} of the sale refuses this order: {reason}")]
    Rule {
        /// Its name.
        rule: Box<str>,
        /// Its reason, or what went wrong when it was asked.
        reason: Box<str>,
    },
    /// The balance may not be paid yet.
    #[error("the balance is due from {} on", from.0)]
    BalanceNotDue {
        /// From when on it may.
        from: Time,
    },
}
