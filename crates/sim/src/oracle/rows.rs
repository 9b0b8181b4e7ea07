//! A sale as plain rows: what a patient clerk with a pencil would write down while the journal is read to him.

use std::collections::BTreeMap;

use commerce::entry::{Bound, By};
use commerce::plan::{Limits, Rule, SaleState, Window};
use commerce::{Entry, sip::Secret};

use super::gather::Gathered;
pub(super) use super::order::{Attempt, Due, DuesRow, LineRow, OrderRow, Phase, RefundRow};

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

/// A sale.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) sale: u32,
    pub(super) terms: Option<Terms>,
    pub(super) skus: Vec<SkuRow>,
    pub(super) orders: Vec<OrderRow>,
    /// Teams, the line, and lapsed holds.
    pub(super) gathered: Gathered,
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
            gathered: Gathered::new(),
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
        Entry::Dealt(dealt) => Some(&dealt.placed.key),
        Entry::Waits(waits) | Entry::WaitsKnown { waits, .. } => Some(&waits.key),
        Entry::Turned { key, .. } | Entry::LeftLine { key, .. } => key.as_ref(),
        Entry::CreatedWith { key, .. }
        | Entry::OfferAltered { key, .. }
        | Entry::RefundsBegun { key, .. }
        | Entry::GivenUp { key, .. }
        | Entry::Created { key, .. }
        | Entry::Altered { key, .. }
        | Entry::StockAdded { key, .. }
        | Entry::WrittenOff { key, .. }
        | Entry::PayBegun { key, .. }
        | Entry::Cancelled { key, .. }
        | Entry::RefundBegun { key, .. }
        | Entry::ChargedBack { key, .. }
        | Entry::Shipped { key, .. }
        | Entry::ShippedInPart { key, .. }
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
