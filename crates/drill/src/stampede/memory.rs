//! What clients were told: the account that the books are held against.

use api::order::{Order, OrderState};
use api::{OrderId, Position, RefundId, SaleId};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Contradictions of one buyer that are kept; one is enough to fail.
const CONTRADICTIONS_MAX: usize = 20;

/// How far the shop's clock may be from the buyer's, ms; both read the same wall, and the shop's runs at most a
/// twentieth faster to catch up with it.
const CLOCKS_APART_MS: u64 = 250;

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
    /// Until when the shop promised to hold the units, Unix ms; 0 when it promised nothing.
    pub(super) held_until_ms: u64,
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

    /// Notes where an order stands; what was paid once must not be unpaid later, and what is held must not expire
    /// before its time, whatever the server slept through.
    pub(super) fn saw(&mut self, nth: usize, order: &Order, now_ms: u64) {
        let (told, state) = (&mut self.orders[nth], order.state);
        let promised_ms = told.held_until_ms;
        if state == OrderState::Expired && now_ms + CLOCKS_APART_MS < promised_ms {
            let what = format!(
                "{} expired {} ms before its time",
                told.id,
                promised_ms - now_ms
            );
            self.contradict(Contradiction::OtherFacts(what));
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn expired(id: OrderId) -> Option<Order> {
        let order = json!({
            "id": id, "sale_id": id.sale(), "state": "expired", "currency": "GBP", "total_minor": 500, "lines": [],
            "captured_minor": 0, "refunded_minor": 0, "refund_pending_minor": 0, "charged_back_minor": 0,
            "placed_at": "2026-11-11T00:00:00.000Z", "refunds": [],
        });
        serde_json::from_value(order).ok()
    }

    #[test]
    fn what_is_held_must_not_expire_before_its_time() {
        let sale = SaleId::new(1);
        let id = sale.and_then(|sale| OrderId::new(sale, 1));
        let order = id.and_then(expired).expect("an order");
        let seen_at = |now_ms| {
            let mut memory = Memory::of("buyer");
            memory.orders.push(Told {
                id: order.id,
                sku: "CUP".into(),
                units: 1,
                total_minor: 500,
                held_until_ms: 10_000,
                paid: false,
                cancelled: false,
                refunds: Vec::new(),
            });
            memory.saw(0, &order, now_ms);
            memory.contradictions.len()
        };
        assert_eq!([seen_at(10_000), seen_at(9_000)], [0, 1]);
    }
}
