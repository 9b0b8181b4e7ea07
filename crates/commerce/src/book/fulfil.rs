//! The goods: shipped and delivered.

use ledger::Violation;

use super::keys::Question;
use super::order::Phase;
use super::sale::accept;
use super::{Book, Done, Terms, Verdict};
use crate::entry::Entry;
use crate::{Refusal, Time};

impl Book {
    /// Goods leave once they are paid for, and nothing leaves whose money went back or is on its way.
    pub(crate) fn decide_ship(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        number: u32,
    ) -> Verdict {
        let bound = self.seen(question, number).and_then(|order| {
            if order.phase == Phase::Paid && order.may_leave() && self.team_lets_go(order) {
                return question.bound(&terms.secret);
            }
            let state = order.status(now);
            Err(Refusal::OrderState { state })
        });
        bound.map_or_else(Verdict::from, |key| {
            accept(Entry::Shipped { order: number, key })
        })
    }

    /// What left arrives, whatever became of its money meanwhile.
    pub(crate) fn decide_deliver(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        number: u32,
    ) -> Verdict {
        let bound = self.seen(question, number).and_then(|order| {
            if order.phase == Phase::Shipped {
                return question.bound(&terms.secret);
            }
            let state = order.status(now);
            Err(Refusal::OrderState { state })
        });
        bound.map_or_else(Verdict::from, |key| {
            accept(Entry::Delivered { order: number, key })
        })
    }

    pub(crate) fn apply_fulfil(&mut self, entry: &Entry) -> Result<(), Violation> {
        let (number, key, from, to) = match entry {
            Entry::Shipped { order, key } => (*order, key, Phase::Paid, Phase::Shipped),
            Entry::Delivered { order, key } => (*order, key, Phase::Shipped, Phase::Delivered),
            _ => return Ok(()),
        };
        let order = self.order_mut(number)?;
        if order.phase != from {
            let skipped = format!("order {number} skips a step to {to:?}");
            return Err(Violation::new("INV-3", skipped));
        }
        order.phase = to;
        self.keys.bind(key, Done::Order(number))
    }
}
