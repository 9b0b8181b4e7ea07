//! What an order of an offer is, as asked and as journalled: seats, dues, draws, places in the line.

use std::sync::Arc;

use ledger::{Minor, UnitPrice};
use serde::{Deserialize, Serialize};

use crate::entry::{Bound, Placed, RefundBegun};
use crate::offer::Lapse;
use crate::price::PriceLine;
use crate::{Facts, Time};

/// The seed of a draw: 32 bytes that nobody sees before the draw.
pub type Seed = [u8; 32];

/// What an order asks for beyond its lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DealAsk {
    /// A seat in a team.
    pub team: Option<TeamAsk>,
    /// Coupons, by their codes.
    pub coupons: Vec<Box<str>>,
    /// What is known of the buyer, made by the shop from his token or by the merchant; no part of the request's body.
    pub facts: Option<Box<Facts>>,
}

/// Which seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamAsk {
    /// The first one of a new team.
    Open {
        /// The promise of a draw, for lottery teams. Made by the shop, no part of the request.
        commit: Option<Commit>,
    },
    /// One of a team that is open.
    Join {
        /// Which team.
        team: u32,
    },
}

/// The promise of a draw: the hash of its seed, known before anybody has a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// From which the keeper of the secrets makes the seed again.
    pub nonce: [u8; 16],
    /// SHA-256 hash of the seed.
    pub hash: [u8; 32],
}

impl Commit {
    /// The promise of a seed.
    #[must_use]
    pub fn of(nonce: [u8; 16], seed: &Seed) -> Self {
        Self {
            nonce,
            hash: hmac_sha256::Hash::hash(seed),
        }
    }
}

/// An order with more than its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dealt {
    /// The order.
    pub placed: Placed,
    /// What comes on top.
    pub deal: Box<Deal>,
}

/// What an order has beyond its lines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Deal {
    /// Its seat.
    pub seat: Option<Seat>,
    /// Its two dues.
    pub dues: Option<Dues>,
    /// Its price line by line, where something comes off.
    pub price: Vec<PriceLine>,
    /// What was known of the buyer, where the offer asks for it; never device or address.
    pub facts: Option<Box<Facts>>,
}

impl Deal {
    /// Whether the order is a plain one: nothing lies beyond its lines.
    pub(crate) fn is_plain(&self) -> bool {
        self.seat.is_none() && self.dues.is_none() && self.price.is_empty() && self.facts.is_none()
    }
}

/// A seat in a team, taken with the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// The team's number in its sale.
    pub team: u32,
    /// The order opens the team.
    pub opens: Option<Opening>,
}

/// A team that begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Its rule, by its place among all group rules that the sale ever had.
    pub rule: u32,
    /// When its time is over.
    pub ends: Time,
    /// The promise of its draw.
    pub commit: Option<Box<Commit>>,
}

/// Deposit and balance of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dues {
    /// The first due, while the order is held.
    pub deposit: Minor,
    /// First moment at which the balance may be paid.
    pub from: Time,
    /// First moment at which it no longer may.
    pub until: Time,
    /// What becomes of the deposit when it is not.
    pub lapse: Lapse,
    /// How long the end waits at most for a balance in flight, in milliseconds.
    pub grace_ms: u32,
}

/// How a team ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TeamEnd {
    /// With enough paid seats, though not all.
    Reached,
    /// The house took the seats that were left; they are on its own account and no orders.
    Filled {
        /// How many.
        seats: u16,
    },
    /// Without enough: everybody gets his money back.
    Failed,
}

/// What a team's end means for one of its orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settled {
    /// Nothing is left to do.
    Nothing {
        /// Which order.
        order: u32,
    },
    /// Never paid: its hold ends.
    Voided {
        /// Which order.
        order: u32,
    },
    /// Paid, and given up whole; the money goes back by itself, if any is left.
    GivenUp {
        /// Which order.
        order: u32,
        /// The refund.
        refund: Option<RefundBegun>,
    },
    /// Paid more than the price of the tier at the end: the difference goes back by itself.
    Difference(RefundBegun),
    /// Drawn: a prize unit is sold to it.
    Won {
        /// Which order.
        order: u32,
    },
    /// Paid, and its team came about at the price that it paid.
    Stands {
        /// Which order.
        order: u32,
    },
}

impl Settled {
    /// Which order.
    #[must_use]
    pub fn order(&self) -> u32 {
        match self {
            Self::Nothing { order }
            | Self::Voided { order }
            | Self::GivenUp { order, .. }
            | Self::Won { order }
            | Self::Stands { order } => *order,
            Self::Difference(refund) => refund.order,
        }
    }

    /// The refund that it begins.
    #[must_use]
    pub fn refund(&self) -> Option<&RefundBegun> {
        match self {
            Self::GivenUp { refund, .. } => refund.as_ref(),
            Self::Difference(refund) => Some(refund),
            Self::Nothing { .. } | Self::Voided { .. } | Self::Won { .. } | Self::Stands { .. } => {
                None
            }
        }
    }
}

/// A place in the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// Its number in the sale.
    pub ticket: u32,
    /// For which SKU.
    pub sku: u32,
    /// How many units.
    pub units: u32,
    /// For whom; `None` where the key's owner is the buyer.
    pub buyer: Option<Arc<str>>,
    /// The buyer's tags, kept only where the sale has rules.
    pub tags: Vec<Box<str>>,
    /// The key that asked.
    pub key: Bound,
}

/// An order made for the next in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineOffer {
    /// For which place.
    pub ticket: u32,
    /// The order's number.
    pub order: u32,
    /// How many units: fewer than asked for where there are no more.
    pub units: u32,
    /// The price of one.
    pub price: UnitPrice,
    /// The whole price.
    pub total: Minor,
    /// How long it is held, in milliseconds.
    pub hold_ms: u32,
}

/// A balance that was not paid in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LapsedBalance {
    /// Whose.
    pub order: u32,
    /// The deposit's way back, unless it is forfeited.
    pub refund: Option<RefundBegun>,
}
