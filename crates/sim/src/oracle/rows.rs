//! A sale as plain rows: what a patient clerk with a pencil would write down while the journal is read to him.

use std::collections::BTreeMap;

use api::order::{OrderState, PaymentState};
use commerce::entry::{Bound, By};
use commerce::plan::{Limits, Rule, SaleState, Window};
use commerce::{Entry, sip::Secret};

/// One entry with the batch it stands in.
#[derive(Debug)]
pub(super) struct Happening {
    /// The batch.
    pub(super) sequence: u64,
    /// Book time, Unix milliseconds.
    pub(super) time: u64,
    /// What was decided.
    pub(super) entry: Entry,
}

/// What the plan says at a moment.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) secret: Secret,
    pub(super) account: String,
    pub(super) title: String,
    pub(super) currency: String,
    pub(super) state: SaleState,
    pub(super) hold_ms: u32,
    pub(super) window: Window,
    pub(super) limits: Limits,
    pub(super) rules: Vec<Rule>,
}

/// How a SKU looked after a batch had touched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SkuLook {
    pub(super) price: i64,
    pub(super) stocked: i64,
    pub(super) held: i64,
    pub(super) sold: i64,
    pub(super) written_off: i64,
}

impl SkuLook {
    /// What nobody has taken.
    pub(super) const fn available(&self) -> i64 {
        self.stocked - self.held - self.sold - self.written_off
    }
}

/// A SKU.
#[derive(Debug)]
pub(super) struct SkuRow {
    pub(super) code: String,
    pub(super) limits: Limits,
    pub(super) now: SkuLook,
    pub(super) looks: Vec<(u64, SkuLook)>,
}

/// A line of an order.
#[derive(Debug)]
pub(super) struct LineRow {
    pub(super) sku: usize,
    pub(super) units: i64,
    pub(super) price: i64,
    pub(super) returned: i64,
    pub(super) restocked: i64,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Held,
    Paid,
    Shipped,
    Delivered,
    Cancelled,
    Expired,
}

/// What is known of one attempt to charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    Charging,
    Unknown,
    Failed,
    Captured { amount: i64, kept: bool },
}

/// A refund.
#[derive(Debug)]
pub(super) struct RefundRow {
    pub(super) amount: i64,
    pub(super) charge: u16,
    pub(super) state: api::refund::RefundState,
    pub(super) automatic: bool,
    pub(super) elsewhere: bool,
    pub(super) units_restocked: i64,
}

/// How an order looked after a batch had touched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OrderLook {
    pub(super) state: OrderState,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    pub(super) pending: i64,
    pub(super) charged_back: i64,
}

/// An order.
#[derive(Debug)]
pub(super) struct OrderRow {
    pub(super) buyer: Option<String>,
    pub(super) lines: Vec<LineRow>,
    pub(super) total: i64,
    pub(super) placed: u64,
    pub(super) hold_ms: u32,
    pub(super) elsewhere: bool,
    pub(super) phase: Phase,
    pub(super) attempts: Vec<Attempt>,
    pub(super) refunds: Vec<RefundRow>,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    pub(super) pending: i64,
    pub(super) charged_back: i64,
    pub(super) looks: Vec<(u64, OrderLook)>,
}

impl OrderRow {
    /// The first moment at which it can no longer be paid.
    pub(super) fn deadline(&self) -> u64 {
        self.placed.saturating_add(u64::from(self.hold_ms))
    }

    /// Its units are sold.
    pub(super) const fn is_sold(&self) -> bool {
        matches!(self.phase, Phase::Paid | Phase::Shipped | Phase::Delivered)
    }

    /// It counts against its buyer's limits.
    pub(super) fn counts(&self) -> bool {
        self.phase == Phase::Held || self.is_sold()
    }

    /// What came in without what went out or is on its way; below zero where a bank took more than there was.
    pub(super) const fn left_raw(&self) -> i64 {
        self.captured - self.refunded - self.pending - self.charged_back
    }

    /// Money that may still be given back.
    pub(super) fn left(&self) -> i64 {
        self.left_raw().max(0)
    }

    /// The latest charge is under way, or nobody knows what became of it.
    pub(super) fn is_charging(&self) -> bool {
        let latest = self.attempts.last();
        latest.is_some_and(|latest| matches!(latest, Attempt::Charging | Attempt::Unknown))
    }

    /// The attempt that pays it; 0 for none.
    pub(super) fn kept(&self) -> u16 {
        let pays = |attempt: &Attempt| matches!(attempt, Attempt::Captured { kept: true, .. });
        let at = self.attempts.iter().position(pays);
        at.map_or(0, |at| u16::try_from(at + 1).unwrap_or(u16::MAX))
    }

    /// Units of its lines that were not given back.
    pub(super) fn units_left(&self) -> i64 {
        self.lines
            .iter()
            .map(|line| line.units - line.returned)
            .sum()
    }

    /// Where it stands, as people see it; a hold that is due counts as held here.
    pub(super) fn state(&self) -> OrderState {
        let given_back = self.refunded == self.captured;
        match self.phase {
            Phase::Held if self.is_charging() => OrderState::Paying,
            Phase::Held => OrderState::Held,
            Phase::Cancelled => OrderState::Cancelled,
            Phase::Expired => OrderState::Expired,
            _ if given_back && (self.refunded > 0 || self.units_left() == 0) => {
                OrderState::Refunded
            }
            Phase::Paid => OrderState::Paid,
            Phase::Shipped => OrderState::Shipped,
            Phase::Delivered => OrderState::Delivered,
        }
    }

    /// What is shown of the latest payment: its attempt and state.
    pub(super) fn payment(&self) -> Option<(u16, PaymentState)> {
        if self.elsewhere {
            return Some((0, PaymentState::External));
        }
        let number = u16::try_from(self.attempts.len()).unwrap_or(u16::MAX);
        let latest = self.attempts.last()?;
        let state = match latest {
            // An order that is paid shows it, whatever becomes of its other attempts.
            _ if self.kept() != 0 => PaymentState::Captured,
            Attempt::Charging => PaymentState::Charging,
            Attempt::Unknown => PaymentState::Unknown,
            Attempt::Captured { .. } | Attempt::Failed => PaymentState::Failed,
        };
        Some((number, state))
    }

    pub(super) fn look(&self) -> OrderLook {
        OrderLook {
            state: self.state(),
            captured: self.captured,
            refunded: self.refunded,
            pending: self.pending,
            charged_back: self.charged_back,
        }
    }
}

/// A sale.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) sale: u32,
    pub(super) terms: Option<Terms>,
    pub(super) skus: Vec<SkuRow>,
    pub(super) orders: Vec<OrderRow>,
    /// Places of each buyer's orders.
    pub(super) of_buyer: BTreeMap<String, Vec<usize>>,
    /// State, title and hold time after each batch that changed them.
    pub(super) looks: Vec<(u64, (SaleState, String, u32))>,
    pub(super) story: Vec<Happening>,
    /// Places in the story, by the digest of the key that asked.
    pub(super) bound: BTreeMap<[u8; 16], usize>,
    /// What the entry under way has touched.
    pub(super) touched: (Vec<usize>, Vec<usize>),
}

impl Rows {
    pub(super) const fn new(sale: u32) -> Self {
        Self {
            sale,
            terms: None,
            skus: Vec::new(),
            orders: Vec::new(),
            of_buyer: BTreeMap::new(),
            looks: Vec::new(),
            story: Vec::new(),
            bound: BTreeMap::new(),
            touched: (Vec::new(), Vec::new()),
        }
    }

    /// The order that an entry names.
    pub(super) fn order(&self, number: u32) -> Option<&OrderRow> {
        self.orders.get(usize::try_from(number).ok()?)
    }

    /// The state that the sale is in.
    pub(super) fn state(&self) -> SaleState {
        self.terms
            .as_ref()
            .map_or(SaleState::Draft, |terms| terms.state)
    }

    /// A name for a finding.
    pub(super) fn name(&self, order: u32) -> String {
        format!("sale {} order {order}", self.sale)
    }
}

/// The looks that a reader at a position may have seen: the one before that batch, and every one within it.
pub(super) fn seen_at<T>(looks: &[(u64, T)], sequence: u64) -> impl Iterator<Item = &T> {
    let first = looks
        .partition_point(|(at, _)| *at < sequence)
        .saturating_sub(1);
    let looks = looks.get(first..).unwrap_or_default().iter();
    looks
        .take_while(move |(at, _)| *at <= sequence)
        .map(|(_, look)| look)
}

/// The key that an entry binds.
pub(super) fn bound(entry: &Entry) -> Option<&Bound> {
    match entry {
        Entry::Placed(placed) => Some(&placed.key),
        Entry::Turned { key, .. } => key.as_ref(),
        Entry::Created { key, .. }
        | Entry::Altered { key, .. }
        | Entry::StockAdded { key, .. }
        | Entry::WrittenOff { key, .. }
        | Entry::PayBegun { key, .. }
        | Entry::Cancelled { key, .. }
        | Entry::RefundBegun { key, .. }
        | Entry::ChargedBack { key, .. }
        | Entry::Shipped { key, .. }
        | Entry::Delivered { key, .. } => Some(key),
        _ => None,
    }
}

/// The account or buyer behind a key.
pub(super) fn name_of(by: &By) -> &str {
    match by {
        By::Merchant(name) | By::Buyer(name) => name,
        By::House => "",
    }
}
