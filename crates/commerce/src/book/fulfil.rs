//! The goods: shipped and delivered.

use std::collections::BTreeMap;

use ledger::{Units, Violation};

use super::given_back::{over_charges, refund_of_rest};
use super::keys::Question;
use super::order::{Order, Phase};
use super::sale::accept;
use super::{Book, Done, Terms, Verdict};
use crate::entry::{Bound, Entry, RefundBegun};
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

    /// Some of the goods leave. What is not named goes back into stock, and its price to the buyer, in the same
    /// transition: nothing is promised that nobody will send.
    pub(crate) fn decide_ship_part(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        number: u32,
        lines: &[(u16, u32)],
    ) -> Verdict {
        let shipped = self.seen(question, number).and_then(|order| {
            if order.phase != Phase::Paid || !order.may_leave() || !self.team_lets_go(order) {
                let state = order.status(now);
                return Err(Refusal::OrderState { state });
            }
            let key = question.bound(&terms.secret)?;
            let rest = rest_of(order, lines)?;
            if rest.is_empty() {
                return Ok(Entry::Shipped { order: number, key });
            }
            let rest = refund_of_rest(terms, order, number, rest)?;
            let mut parts = over_charges(order, rest);
            let Some(rest) = parts.pop().filter(|_| parts.is_empty()) else {
                return Err(Refusal::Invalid(
                    "the rest was paid by two charges: refund it first, then ship what is left"
                        .into(),
                ));
            };
            Ok(Entry::ShippedInPart {
                order: number,
                rest,
                key,
            })
        });
        shipped.map_or_else(Verdict::from, accept)
    }

    pub(crate) fn apply_ship_part(
        &mut self,
        now: Time,
        number: u32,
        rest: &RefundBegun,
        key: &Bound,
    ) -> Result<(), Violation> {
        if self.order_mut(number)?.phase != Phase::Paid || rest.order != number {
            let skipped = format!("order {number} skips a step and is shipped in part");
            return Err(Violation::new("INV-3", skipped));
        }
        // Nobody asked for this refund, so nobody would ask again for one that the provider declines.
        self.begin_own_refund(now, rest)?;
        self.order_mut(number)?.phase = Phase::Shipped;
        self.keys.bind(key, Done::Order(number))
    }

    /// The units that left with a part, by what did not: how its command named them.
    pub(crate) fn left_of(&self, number: u32, rest: &RefundBegun) -> Vec<(u16, u32)> {
        let Some(order) = self.orders.get(number) else {
            return Vec::new();
        };
        let back: BTreeMap<u16, u32> = rest.lines.iter().copied().collect();
        let left = order
            .lines
            .as_slice()
            .iter()
            .zip(0_u16..)
            .map(|(line, at)| {
                let kept = line.units.get() - line.returned;
                (at, kept.saturating_sub(back.get(&at).copied().unwrap_or(0)))
            });
        left.filter(|(_, units)| *units > 0).collect()
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

/// What a part leaves behind, by line. At least one unit leaves, and no more of a line than it still has.
fn rest_of(order: &Order, lines: &[(u16, u32)]) -> Result<Vec<(u16, u32)>, Refusal> {
    let held = order.lines.as_slice();
    let mut left = BTreeMap::<u16, u32>::new();
    for &(at, units) in lines {
        let line = held
            .get(usize::from(at))
            .ok_or_else(|| Refusal::Invalid(format!("the order has no line {at}")))?;
        let kept = line.units.get() - line.returned;
        let sum = left.entry(at).or_default();
        *sum = sum
            .checked_add(units)
            .filter(|&sum| units > 0 && sum <= kept)
            .ok_or(match units {
                0 => Refusal::Invalid("a line to ship has at least 1 unit".into()),
                _ => Refusal::OverReturn {
                    line: at,
                    left: Units(kept),
                },
            })?;
    }
    if left.is_empty() {
        return Err(Refusal::Invalid("lines must name what leaves".into()));
    }
    let rest = held.iter().zip(0_u16..).map(|(line, at)| {
        let kept = line.units.get() - line.returned;
        (at, kept - left.get(&at).copied().unwrap_or(0))
    });
    Ok(rest.filter(|(_, units)| *units > 0).collect())
}
