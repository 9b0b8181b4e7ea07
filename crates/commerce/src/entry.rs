//! What was decided: the journal's unit. An entry holds the accepted command and its outcome.
//!
//! Entries are the journal's record format, version 1 ([`crate::record`]): a variant may be added at the end, a field
//! never changes its meaning. Recovery applies them as they stand.

use std::sync::Arc;

use ledger::{Currency, Minor, UnitPrice, Units};
use serde::{Deserialize, Serialize};

use crate::deal::{Dealt, LapsedBalance, LineOffer, Seed, Settled, TeamEnd, Waits};
use crate::offer::Offer;
use crate::plan::{Patch, Plan, SaleState};
use crate::sip::Secret;
use crate::{Facts, Time};

/// A bound idempotency key: who used it, its digest, and the fingerprint of the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Whose key it is.
    pub by: By,
    /// Keyed 128-bit digest of scope and key.
    pub digest: [u8; 16],
    /// Fingerprint of the body.
    pub body: u64,
}

/// Who gave a command, for the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    /// A merchant's account.
    Merchant(Arc<str>),
    /// A buyer.
    Buyer(Arc<str>),
    /// Tidegate itself.
    House,
}

/// One line of a placed order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedLine {
    /// The SKU's position in the sale.
    pub sku: u32,
    /// How many units.
    pub units: u32,
    /// The price of one unit.
    pub price: UnitPrice,
    /// Whether the merchant set the price instead of the plan.
    pub own_price: bool,
}

/// The lines of a placed order. One line, by far the most common, needs no list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlacedLines {
    /// A single line.
    One(PlacedLine),
    /// Several.
    Many(Vec<PlacedLine>),
}

impl PlacedLines {
    /// The lines in order.
    pub fn as_slice(&self) -> &[PlacedLine] {
        match self {
            Self::One(line) => std::slice::from_ref(line),
            Self::Many(lines) => lines,
        }
    }
}

/// A placed order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The order's number in its sale.
    pub order: u32,
    /// The key that placed it.
    pub key: Bound,
    /// For whom; `None` also where the key's owner is the buyer.
    pub buyer: Option<Arc<str>>,
    /// The buyer's tags, kept only where the sale has rules.
    pub tags: Vec<Box<str>>,
    /// What was ordered, at which price.
    pub lines: PlacedLines,
    /// The whole price.
    pub total: Minor,
    /// How long its units are held, in milliseconds.
    pub hold_ms: u32,
    /// Collected elsewhere under this reference.
    pub paid: Option<Box<str>>,
}

impl Placed {
    /// The buyer, if anybody is named.
    pub fn buyer(&self) -> Option<&Arc<str>> {
        match (&self.buyer, &self.key.by) {
            (Some(buyer), _) | (None, By::Buyer(buyer)) => Some(buyer),
            _ => None,
        }
    }
}

/// What becomes of captured money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It pays the order, whose units are still held.
    Kept,
    /// It pays an expired order: its units were free and were taken again.
    KeptAgain,
    /// It goes back by itself, as this refund of the order.
    GoesBack {
        /// The refund's number.
        refund: u16,
        /// How much: less than was captured where the buyer's bank took money back before.
        amount: Minor,
    },
    /// It pays the deposit of an order whose units are still held.
    Deposit,
    /// It pays the deposit of an expired order: its units were free and were taken again.
    DepositAgain,
}

/// The next try of a refund that must reach its buyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// Its number in the order, and so its own key at the provider, which has refused the old one for good.
    pub number: u16,
    /// The charge it gives back.
    pub charge: u16,
    /// How much: less than before where the buyer's bank took money back meanwhile.
    pub amount: Minor,
    /// Not to be tried before.
    pub not_before: Time,
}

/// A refund that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundBegun {
    /// Of which order.
    pub order: u32,
    /// The refund's number in its order.
    pub number: u16,
    /// How much.
    pub amount: Minor,
    /// Units refunded, by line.
    pub lines: Vec<(u16, u32)>,
    /// Whether those units went back into stock.
    pub restocked: bool,
    /// The charge it gives back.
    pub charge: u16,
    /// The money was collected elsewhere and goes back elsewhere: final at once.
    pub elsewhere: bool,
}

/// How a refund's amount was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// All that was left.
    All,
    /// The price of some lines' units.
    Lines,
    /// An amount, with or without lines.
    Amount,
}

/// An entry of a sale's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// The book began.
    Created {
        /// The sale's secret.
        secret: Secret,
        /// Its plan.
        plan: Box<Plan>,
        /// The key that created it.
        key: Bound,
    },
    /// The plan changed.
    Altered {
        /// The change.
        patch: Box<Patch>,
        /// The key that changed it.
        key: Bound,
    },
    /// The sale's state changed.
    Turned {
        /// The new state.
        to: SaleState,
        /// The key that asked; `None` when the clock did.
        key: Option<Bound>,
    },
    /// Units came in.
    StockAdded {
        /// Of which SKU.
        sku: u32,
        /// How many.
        units: Units,
        /// The key that asked.
        key: Bound,
    },
    /// Units went out unsold.
    WrittenOff {
        /// Of which SKU.
        sku: u32,
        /// How many.
        units: Units,
        /// Why.
        reason: Option<Box<str>>,
        /// The key that asked.
        key: Bound,
    },
    /// An order was placed.
    Placed(Placed),
    /// A charge was begun: the intent, before the provider is asked.
    PayBegun {
        /// Of which order.
        order: u32,
        /// Which attempt, from 1.
        attempt: u16,
        /// How much.
        amount: Minor,
        /// The key that asked.
        key: Bound,
    },
    /// A charge was captured.
    Captured {
        /// Of which order.
        order: u32,
        /// Which attempt.
        attempt: u16,
        /// How much.
        amount: Minor,
        /// What becomes of it.
        fate: Fate,
    },
    /// A charge failed; the order keeps its hold and may be paid again.
    ChargeFailed {
        /// Of which order.
        order: u32,
        /// Which attempt.
        attempt: u16,
    },
    /// A charge's outcome is not known.
    ChargeUnknown {
        /// Of which order.
        order: u32,
        /// Which attempt.
        attempt: u16,
    },
    /// A report that contradicts what is known; recorded, without effect on the books.
    Noted {
        /// About which order.
        order: u32,
        /// What was reported.
        what: Box<str>,
    },
    /// Holds ran out, in due order.
    Expired {
        /// Whose.
        orders: Vec<u32>,
    },
    /// An order was given up.
    Cancelled {
        /// Which.
        order: u32,
        /// The refund of a paid one.
        refund: Option<RefundBegun>,
        /// The key that asked.
        key: Bound,
    },
    /// A refund was begun: the intent, before the provider is asked.
    RefundBegun {
        /// The refund.
        refund: RefundBegun,
        /// What was asked.
        reason: Option<Box<str>>,
        /// How the amount was asked for.
        asked: Asked,
        /// The key that asked.
        key: Bound,
    },
    /// The provider gave the money back.
    Refunded {
        /// Of which order.
        order: u32,
        /// Which refund.
        number: u16,
    },
    /// The provider refused a refund.
    RefundFailed {
        /// Of which order.
        order: u32,
        /// Which refund.
        number: u16,
        /// What must go back is tried again.
        again: Option<Again>,
    },
    /// The buyer's bank took money back.
    ChargedBack {
        /// Of which order.
        order: u32,
        /// How much.
        amount: Minor,
        /// The bank's reference.
        reference: Box<str>,
        /// The key that reported it.
        key: Bound,
    },
    /// The goods left.
    Shipped {
        /// Of which order.
        order: u32,
        /// The key that said so.
        key: Bound,
    },
    /// The goods arrived.
    Delivered {
        /// Of which order.
        order: u32,
        /// The key that said so.
        key: Bound,
    },
    /// The book began, with an offer.
    CreatedWith {
        /// The sale's secret.
        secret: Secret,
        /// Its plan.
        plan: Box<Plan>,
        /// What it offers beyond plain orders.
        offer: Box<Offer>,
        /// The key that created it.
        key: Bound,
    },
    /// The offer changed; teams keep the rule under which they were opened.
    OfferAltered {
        /// The whole new offer.
        offer: Box<Offer>,
        /// The key that changed it.
        key: Bound,
    },
    /// An order with more than its lines was placed.
    Dealt(Dealt),
    /// Payments were in flight when these holds ran out: they live longer, once.
    HoldsExtended {
        /// Whose.
        orders: Vec<u32>,
        /// How much longer, in milliseconds.
        by_ms: u32,
    },
    /// A team's time was over.
    TeamEnded {
        /// Which.
        team: u32,
        /// How.
        how: TeamEnd,
    },
    /// Orders of an ended team were settled, in the order of their seats.
    TeamSettled {
        /// Which team.
        team: u32,
        /// Whose, and how.
        orders: Vec<Settled>,
    },
    /// The draw of a lottery team.
    Drawn {
        /// Which team.
        team: u32,
        /// The seed whose hash was promised.
        seed: Seed,
        /// SHA-256 hash of the list of entries.
        entries: [u8; 32],
        /// The orders that won.
        winners: Vec<u32>,
    },
    /// A charge was authorised; its capture follows, or not.
    ChargeAuthorised {
        /// Of which order.
        order: u32,
        /// Which attempt.
        attempt: u16,
        /// How much.
        amount: Minor,
    },
    /// Balances were not paid in time.
    BalanceLapsed {
        /// Whose.
        orders: Vec<LapsedBalance>,
    },
    /// A refund over several charges of one order was begun.
    RefundsBegun {
        /// One for each charge.
        refunds: Vec<RefundBegun>,
        /// What was asked.
        reason: Option<Box<str>>,
        /// How the amount was asked for.
        asked: Asked,
        /// The key that asked.
        key: Bound,
    },
    /// An order with dues was given up.
    GivenUp {
        /// Which.
        order: u32,
        /// A refund for each charge; none where the deposit is forfeited.
        refunds: Vec<RefundBegun>,
        /// The key that asked.
        key: Bound,
    },
    /// A buyer waits in line.
    Waits(Waits),
    /// A place in the line was given up.
    LeftLine {
        /// Which.
        ticket: u32,
        /// The key that asked; `None` where the buyer's limit leaves nothing to offer.
        key: Option<Bound>,
    },
    /// The next in line got an order of his own.
    LineOffered(LineOffer),
    /// Some of the goods left; the rest went back into stock, and its money is on its way back.
    ShippedInPart {
        /// Of which order.
        order: u32,
        /// What did not leave.
        rest: RefundBegun,
        /// The key that said so.
        key: Bound,
    },
    /// Something of a saga.
    Saga(crate::saga::SagaEntry),
    /// A buyer waits in line, and the decision looked at more than his tags.
    WaitsKnown {
        /// The place in the line.
        waits: Waits,
        /// What was known of the buyer; never device or address.
        facts: Box<Facts>,
    },
}

/// An intended call to the outside, recorded before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// For which order.
    pub order: u32,
    /// What to do.
    pub kind: EffectKind,
    /// How much.
    pub amount: Minor,
    /// In which currency.
    pub currency: Currency,
    /// When the intent was recorded.
    pub since: Time,
    /// Not to be done before.
    pub not_before: Time,
}

/// What an effect does. Its idempotency key at the provider is made of order and number, so a retry never mints a new
/// one (INV-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EffectKind {
    /// Charge the buyer.
    Charge {
        /// Which attempt.
        attempt: u16,
    },
    /// Give money back.
    Refund {
        /// Which refund.
        number: u16,
        /// Of which charge.
        charge: u16,
    },
}
