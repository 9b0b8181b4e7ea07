//! What may be asked of a book.

use std::sync::Arc;

use ledger::{Minor, UnitPrice, Units};
use serde::Serialize;

use crate::Facts;
use crate::deal::{DealAsk, Seed, TeamAsk};
use crate::offer::Offer;
use crate::plan::{Patch, Plan, Turn};
use crate::sip::{Fingerprint, Secret};

/// Bytes of an idempotency key, at most.
pub const KEY_BYTES_MOST: usize = 128;
/// Bytes of a reason or of a bank's reference, at most.
pub const REASON_BYTES_MOST: usize = 200;

/// Who asks. An idempotency key is unique for one actor of one sale, whichever API key or token carried it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A merchant's account.
    Merchant(Arc<str>),
    /// A buyer, by pseudonym.
    Buyer(Arc<str>),
    /// Tidegate itself, and reports of payment providers.
    House,
}

impl Actor {
    /// The scope of the actor's idempotency keys.
    pub(crate) fn scope(&self) -> (u8, &str) {
        match self {
            Self::Merchant(account) => (1, account),
            Self::Buyer(buyer) => (2, buyer),
            Self::House => (3, ""),
        }
    }
}

/// A command: who asks, under which idempotency key, for what.
#[derive(Debug, Clone)]
pub struct Command {
    /// Who asks.
    pub actor: Actor,
    /// The idempotency key, 1 to 128 bytes. Reports have none: they are recognised by what they report on.
    pub key: Option<Box<str>>,
    /// What is asked.
    pub action: Action,
}

/// What is asked of a book.
#[derive(Debug, Clone)]
pub enum Action {
    /// Begin the book of a sale.
    Create {
        /// The sale's secret, drawn by the caller.
        secret: Secret,
        /// What it sells.
        plan: Box<Plan>,
    },
    /// Change the plan.
    Alter(Box<Patch>),
    /// Move the sale through its life.
    Turn(Turn),
    /// Bring units in.
    AddStock {
        /// Of which SKU.
        sku: Arc<str>,
        /// How many.
        units: Units,
    },
    /// Take units out unsold.
    WriteOff {
        /// Of which SKU.
        sku: Arc<str>,
        /// How many.
        units: Units,
        /// Why, for people: at most 200 bytes.
        reason: Option<Box<str>>,
    },
    /// Place an order.
    Place(Place),
    /// Begin to pay an order.
    Pay {
        /// Which order.
        order: u32,
    },
    /// Give an order up.
    Cancel {
        /// Which order.
        order: u32,
    },
    /// Give money back.
    Refund {
        /// Of which order.
        order: u32,
        /// How much.
        ask: RefundAsk,
    },
    /// The goods left.
    Ship {
        /// Of which order.
        order: u32,
    },
    /// The goods arrived.
    Deliver {
        /// Of which order.
        order: u32,
    },
    /// Something happened outside. Never refused for its content.
    Report(Report),
    /// Begin the book of a sale that offers more than plain orders.
    CreateWith {
        /// The sale's secret, drawn by the caller.
        secret: Secret,
        /// What it sells.
        plan: Box<Plan>,
        /// What it offers.
        offer: Box<Offer>,
    },
    /// Change the whole offer.
    AlterOffer(Box<Offer>),
    /// Wait in line for units of a sold-out SKU.
    Wait {
        /// For whom; a buyer waits for himself.
        buyer: Option<Arc<str>>,
        /// For which SKU.
        sku: Arc<str>,
        /// How many units.
        units: u32,
        /// The buyer's tags, for eligibility rules.
        tags: Arc<[Box<str>]>,
        /// What else is known of the buyer, for rules of the offer; made by the shop, no part of the request's body.
        facts: Option<Box<Facts>>,
    },
    /// Give a place in the line up.
    LeaveLine {
        /// Which.
        ticket: u32,
    },
    /// The goods left, and not all of them: what is not named goes back, and so does its money.
    ShipPart {
        /// Of which order.
        order: u32,
        /// Units that left, by the line's position in the order.
        lines: Vec<(u16, u32)>,
    },
    /// Something about the sagas of the sale.
    Saga(crate::saga::SagaAsk),
}

/// An order to place: all or nothing.
#[derive(Debug, Clone)]
pub struct Place {
    /// For whom; an order of a merchant may name nobody.
    pub buyer: Option<Arc<str>>,
    /// The buyer's tags, for eligibility rules.
    pub tags: Arc<[Box<str>]>,
    /// 1 to 2,000 lines.
    pub lines: Vec<Ask>,
    /// The money was collected elsewhere, under this reference: sold at once.
    pub paid: Option<Box<str>>,
    /// What is asked for beyond the lines.
    pub deal: Option<Box<DealAsk>>,
}

/// One line of an order to place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Which SKU.
    pub sku: Box<str>,
    /// How many units, at least 1.
    pub units: u32,
    /// A price of the merchant's own instead of the plan's.
    pub price: Option<UnitPrice>,
}

/// What a refund gives back.
#[derive(Debug, Clone, Default)]
pub struct RefundAsk {
    /// An amount; with no amount and no lines it is all that is left.
    pub amount: Option<Minor>,
    /// Units of lines, by the line's position in the order.
    pub lines: Vec<(u16, u32)>,
    /// What happens to the units of those lines.
    pub units: UnitsBack,
    /// Why, for people: at most 200 bytes.
    pub reason: Option<Box<str>>,
}

/// What happens to refunded units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnitsBack {
    /// The buyer keeps them, or they are lost: they stay sold.
    #[default]
    StaySold,
    /// They go back into stock.
    Restock,
}

/// Something that happened outside.
#[derive(Debug, Clone, Serialize)]
pub enum Report {
    /// What became of a charge.
    Charge {
        /// Of which order.
        order: u32,
        /// Which attempt.
        attempt: u16,
        /// What became of it.
        outcome: ChargeOutcome,
    },
    /// What became of a refund.
    Refund {
        /// Of which order.
        order: u32,
        /// Which refund.
        number: u16,
        /// What became of it.
        outcome: RefundOutcome,
    },
    /// The buyer's bank took money back.
    Chargeback {
        /// Of which order.
        order: u32,
        /// How much.
        amount: Minor,
        /// The bank's reference, at most 200 bytes.
        reference: Box<str>,
    },
    /// The keeper of the secrets opens the seed of a full lottery team.
    Seed {
        /// Of which team.
        team: u32,
        /// The seed whose hash was promised.
        seed: Seed,
    },
}

/// What became of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ChargeOutcome {
    /// So much was captured.
    Captured(Minor),
    /// Nothing was captured.
    Failed,
    /// Nobody knows yet; unknown is not failed.
    Unknown,
    /// So much was authorised; its capture follows, or not.
    Authorised(Minor),
}

/// What became of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum RefundOutcome {
    /// The money went back.
    Refunded,
    /// The provider refused.
    Failed,
}

impl Action {
    /// A fingerprint of the body: the same key with another body is refused. What a client did not send, such as the
    /// secret of a new sale or a buyer's tags, is no part of the body.
    pub(crate) fn fingerprint(&self, secret: &Secret) -> u64 {
        let mut print = Fingerprint::new(secret);
        match self {
            Self::Create { plan, .. } => print.record(1, plan),
            Self::Alter(patch) => print.record(2, patch),
            Self::Turn(turn) => print.record(3, turn),
            Self::AddStock { sku, units } => {
                print.number(4);
                print.text(sku);
                print.number(u64::from(units.0));
            }
            Self::WriteOff { sku, units, reason } => {
                print.number(5);
                print.text(sku);
                print.number(u64::from(units.0));
                print.maybe_text(reason.as_deref());
            }
            Self::Place(place) => place.feed(&mut print),
            Self::Pay { order } => feed_order(&mut print, 7, *order),
            Self::Cancel { order } => feed_order(&mut print, 8, *order),
            Self::Refund { order, ask } => {
                feed_order(&mut print, 9, *order);
                ask.feed(&mut print);
            }
            Self::Ship { order } => feed_order(&mut print, 10, *order),
            Self::Deliver { order } => feed_order(&mut print, 11, *order),
            Self::Report(report) => print.record(12, report),
            Self::CreateWith { plan, offer, .. } => print.record(13, &(plan, offer)),
            Self::AlterOffer(offer) => print.record(14, offer),
            Self::Wait {
                buyer, sku, units, ..
            } => {
                print.number(15);
                print.maybe_text(buyer.as_deref());
                print.text(sku);
                print.number(u64::from(*units));
            }
            Self::LeaveLine { ticket } => feed_order(&mut print, 16, *ticket),
            Self::ShipPart { order, lines } => {
                feed_order(&mut print, 17, *order);
                print.record(17, lines);
            }
            Self::Saga(ask) => print.record(18, ask),
        }
        print.finish()
    }
}

fn feed_order(print: &mut Fingerprint, kind: u64, order: u32) {
    print.number(kind);
    print.number(u64::from(order));
}

impl Place {
    fn feed(&self, print: &mut Fingerprint) {
        print.number(6);
        print.maybe_text(self.buyer.as_deref());
        print.maybe_text(self.paid.as_deref());
        print.number(self.lines.len() as u64);
        for line in &self.lines {
            print.text(&line.sku);
            print.number(u64::from(line.units));
            print.maybe_amount(line.price.map(|price| price.0));
        }
        // A deal that asks for nothing is there for what is known of the buyer, and that may be told otherwise by the
        // token of the next try.
        let asks = |deal: &&DealAsk| deal.team.is_some() || !deal.coupons.is_empty();
        if let Some(deal) = self.deal.as_deref().filter(asks) {
            deal.feed(print);
        }
    }
}

impl DealAsk {
    /// Commit and facts are made by the shop anew for each request, so they are no part of the body.
    fn feed(&self, print: &mut Fingerprint) {
        match self.team {
            None => print.number(0),
            Some(TeamAsk::Open { .. }) => print.number(1),
            Some(TeamAsk::Join { team }) => {
                print.number(2);
                print.number(u64::from(team));
            }
        }
        print.number(self.coupons.len() as u64);
        self.coupons.iter().for_each(|code| print.text(code));
    }
}

impl RefundAsk {
    fn feed(&self, print: &mut Fingerprint) {
        print.maybe_amount(self.amount.map(|amount| amount.0));
        print.number(self.lines.len() as u64);
        for (line, units) in &self.lines {
            print.number(u64::from(*line));
            print.number(u64::from(*units));
        }
        print.number(u64::from(self.units == UnitsBack::Restock));
        print.maybe_text(self.reason.as_deref());
    }
}
