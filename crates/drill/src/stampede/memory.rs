//! What clients were told: the account that the books are held against.

use api::order::OrderState;
use api::{OrderId, Position, RefundId, SaleId};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Contradictions of one buyer that are kept; one is enough to fail.
const CONTRADICTIONS_MAX: usize = 20;

/// What one buyer remembers.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) buyer: Box<str>,
    /// Orders that the shop said yes to.
    pub(super) orders: Vec<Told>,
    /// Keys whose outcome the buyer never heard.
    pub(super) unresolved: u32,
    /// Keys that were refused in the end while an earlier request under them was never answered. That one may have
    /// arrived after the refusal, which binds nothing, and have been accepted: then it holds units until it expires.
    pub(super) strays: u32,
    /// Answers that cannot both be true, or that are not what was asked.
    pub(super) contradictions: Vec<Contradiction>,
}

/// Answers that cannot both be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Contradiction {
    /// One key, two orders.
    TwoOrders(String),
    /// An answer that is not what was asked, or takes back what was said.
    OtherFacts(String),
}

/// What a buyer was told of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) id: OrderId,
    pub(super) sku: Box<str>,
    pub(super) units: u32,
    pub(super) total_minor: i64,
    /// The shop said that it is paid.
    pub(super) paid: bool,
    /// The shop said that it is cancelled.
    pub(super) cancelled: bool,
    /// Refunds that the shop promised.
    pub(super) refunds: Vec<(RefundId, i64)>,
}

impl Memory {
    pub(super) fn of(buyer: &str) -> Self {
        Self {
            buyer: buyer.into(),
            ..Self::default()
        }
    }

    pub(super) fn contradict(&mut self, contradiction: Contradiction) {
        if self.contradictions.len() < CONTRADICTIONS_MAX {
            self.contradictions.push(contradiction);
        }
    }

    /// Notes where an order stands; what was paid once must not be unpaid later.
    pub(super) fn saw(&mut self, nth: usize, state: OrderState) {
        let told = &mut self.orders[nth];
        let sold = matches!(
            state,
            OrderState::Paid | OrderState::Shipped | OrderState::Delivered | OrderState::Refunded
        );
        let undone = (told.paid && !sold) || (told.cancelled && state != OrderState::Cancelled);
        told.paid |= sold;
        told.cancelled |= state == OrderState::Cancelled;
        if undone {
            let what = format!("{} is {} after it was final", told.id, state.name());
            self.contradict(Contradiction::OtherFacts(what));
        }
    }
}

/// Receipts that the shop gave out: after this batch, the chain was this.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    receipts: BTreeMap<(SaleId, u64), Position>,
    forks: Vec<String>,
}

impl Receipts {
    /// Keeps the receipt of an answer, `<sale> <position>`.
    pub(super) fn keep(&self, text: &str) {
        let parsed = text
            .split_once(' ')
            .and_then(|(sale, position)| Some((sale.parse().ok()?, position.parse().ok()?)));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((sale, position)): Option<(SaleId, Position)> = parsed else {
            kept.fork(format!("a receipt that cannot be read: {text:?}"));
            return;
        };
        let known = *kept
            .receipts
            .entry((sale, position.sequence))
            .or_insert(position);
        if known != position {
            kept.fork(format!(
                "two chains after one batch: {known} and {position}"
            ));
        }
    }

    /// All receipts, and what was wrong with some of them.
    pub(super) fn all(&self) -> (Vec<(SaleId, Position)>, Vec<String>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let receipts = kept.receipts.iter();
        (
            receipts
                .map(|((sale, _), position)| (*sale, *position))
                .collect(),
            kept.forks.clone(),
        )
    }
}

impl Kept {
    fn fork(&mut self, what: String) {
        if self.forks.len() < CONTRADICTIONS_MAX {
            self.forks.push(what);
        }
    }
}
