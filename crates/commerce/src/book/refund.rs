//! Giving money back: budget first, then the provider; and giving an order up.

use ledger::{Minor, Units, Violation};

use super::order::{Charge, Order, Phase, RefundRecord, RefundState};
use super::sale::accept;
use super::{Book, Done, Pending, Terms, Verdict};
use crate::command::{Command, RefundAsk, RefundOutcome, UnitsBack};
use crate::entry::{Asked, EffectKind, Entry, RefundBegun};
use crate::{OrderStatus, Refusal, Time};

/// Refunds of one order, at most.
pub(crate) const REFUNDS_MOST: u16 = 4_000;
/// The first wait before a refused automatic refund is tried again; it doubles each time.
const AGAIN_MS: u64 = 60_000;
/// The longest such wait: six hours.
const AGAIN_MS_MOST: u64 = 6 * 3_600_000;

impl Book {
    pub(crate) fn decide_cancel(
        &self,
        now: Time,
        terms: &Terms,
        command: &Command,
        number: u32,
    ) -> Verdict {
        let order = match self.seen(command, number) {
            Ok(order) => order,
            Err(refusal) => return refusal.into(),
        };
        let refund = match order.phase {
            Phase::Held if order.is_due(now) => return Verdict::SweepFirst,
            Phase::Held => None,
            Phase::Expired => return Refusal::HoldExpired.into(),
            // Only a merchant gives up a paid order, and only before the goods leave.
            Phase::Paid if command.buyer().is_none() && order.status(now) == OrderStatus::Paid => {
                match refund_of(
                    terms,
                    order,
                    number,
                    &RefundAsk {
                        units: UnitsBack::Restock,
                        ..RefundAsk::default()
                    },
                ) {
                    Ok(refund) => Some(refund),
                    Err(Refusal::OverRefund { .. }) => None,
                    Err(refusal) => return refusal.into(),
                }
            }
            _ => {
                return Refusal::OrderState {
                    state: order.status(now),
                }
                .into();
            }
        };
        match Self::bound(&terms.secret, command) {
            Ok(key) => accept(Entry::Cancelled {
                order: number,
                refund,
                key,
            }),
            Err(refusal) => refusal.into(),
        }
    }

    pub(crate) fn decide_refund(
        &self,
        now: Time,
        terms: &Terms,
        command: &Command,
        number: u32,
        ask: &RefundAsk,
    ) -> Verdict {
        let order = match self.seen(command, number) {
            Ok(order) if order.is_sold() => order,
            Ok(order) => {
                return Refusal::OrderState {
                    state: order.status(now),
                }
                .into();
            }
            Err(refusal) => return refusal.into(),
        };
        let refund = match refund_of(terms, order, number, ask) {
            Ok(refund) => refund,
            Err(refusal) => return refusal.into(),
        };
        match Self::bound(&terms.secret, command) {
            Ok(key) => accept(Entry::RefundBegun {
                refund,
                reason: ask.reason.clone(),
                asked: match (ask.amount, ask.lines.is_empty()) {
                    (Some(_), _) => Asked::Amount,
                    (None, true) => Asked::All,
                    (None, false) => Asked::Lines,
                },
                key,
            }),
            Err(refusal) => refusal.into(),
        }
    }

    pub(crate) fn decide_refund_report(
        &self,
        now: Time,
        order: u32,
        number: u16,
        outcome: RefundOutcome,
    ) -> Verdict {
        let Some(found) = self.orders.get(order) else {
            return Refusal::NoOrder.into();
        };
        let Some(refund) = found.refund(number) else {
            let what = format!("a report on refund {number}, which was never begun").into();
            return accept(Entry::Noted { order, what });
        };
        match (refund.state, outcome) {
            (RefundState::Pending | RefundState::Failed, RefundOutcome::Refunded) => {
                accept(Entry::Refunded { order, number })
            }
            (RefundState::Pending, RefundOutcome::Failed) => {
                // What must go back is tried again, each time later, under a new number and so a new key: the provider
                // has refused the old one for good.
                let wait = AGAIN_MS
                    .saturating_mul(1 << found.refunds().len().min(16))
                    .min(AGAIN_MS_MOST);
                let again = found
                    .next_refund()
                    .filter(|_| refund.automatic)
                    .map(|next| (next, now.after_ms(wait)));
                accept(Entry::RefundFailed {
                    order,
                    number,
                    again,
                })
            }
            (RefundState::Refunded, RefundOutcome::Refunded)
            | (RefundState::Failed, RefundOutcome::Failed) => {
                Verdict::Repeat(Done::Refund { order, number })
            }
            (RefundState::Refunded, RefundOutcome::Failed) => accept(Entry::Noted {
                order,
                what: "a refund reported failed after it was paid".into(),
            }),
        }
    }

    pub(crate) fn decide_chargeback(
        &self,
        terms: &Terms,
        command: &Command,
        number: u32,
        amount: Minor,
        reference: &str,
    ) -> Verdict {
        if self.orders.get(number).is_none() {
            return Refusal::NoOrder.into();
        }
        if amount.0 < 0 || amount.0 > i64::MAX / 16 {
            return Refusal::Invalid("amount_minor is out of range".into()).into();
        }
        match Self::bound(&terms.secret, command) {
            Ok(key) => accept(Entry::ChargedBack {
                order: number,
                amount,
                reference: reference.into(),
                key,
            }),
            Err(refusal) => refusal.into(),
        }
    }

    pub(crate) fn apply_refund(&mut self, now: Time, entry: &Entry) -> Result<(), Violation> {
        match entry {
            Entry::Cancelled { order, refund, key } => {
                match (self.order_mut(*order)?.phase, refund) {
                    (Phase::Held, _) => {
                        self.release(*order, Phase::Cancelled)?;
                        self.tidy_due();
                    }
                    (_, Some(refund)) => {
                        self.begin_refund(now, refund)?;
                        self.give_up_sold(*order)?;
                    }
                    (_, None) => self.give_up_sold(*order)?,
                }
                self.tally.cancelled += 1;
                self.keys.bind(key, Done::Order(*order));
            }
            Entry::RefundBegun { refund, key, .. } => {
                self.begin_refund(now, refund)?;
                self.keys.bind(
                    key,
                    Done::Refund {
                        order: refund.order,
                        number: refund.number,
                    },
                );
            }
            Entry::Refunded { order, number } => {
                self.end_refund(*order, *number, RefundState::Refunded)?
            }
            Entry::RefundFailed {
                order,
                number,
                again,
            } => {
                self.end_refund(*order, *number, RefundState::Failed)?;
                if let Some((next, not_before)) = *again {
                    let refused = self.order_mut(*order)?.refund(*number).cloned();
                    let refused =
                        refused.ok_or_else(|| Violation::new("INV-2", "no such refund"))?;
                    let record = RefundRecord {
                        state: RefundState::Pending,
                        ..refused
                    };
                    self.push_refund(*order, next, record, not_before)?;
                }
            }
            Entry::ChargedBack {
                order, amount, key, ..
            } => {
                self.order_mut(*order)?
                    .extra_mut()
                    .funds
                    .charge_back(*amount)?;
                self.keys.bind(key, Done::Order(*order));
            }
            _ => {}
        }
        Ok(())
    }

    fn begin_refund(&mut self, now: Time, refund: &RefundBegun) -> Result<(), Violation> {
        let mut units = 0;
        for &(line, returned) in &refund.lines {
            self.return_line(refund.order, line, returned, refund.restocked)?;
            units += returned;
        }
        let record = RefundRecord {
            amount: refund.amount,
            charge: refund.charge,
            state: RefundState::Pending,
            automatic: false,
            restocked: refund.restocked,
            units,
        };
        self.push_refund(refund.order, refund.number, record, now)?;
        if refund.elsewhere || refund.amount == Minor::ZERO {
            self.end_refund(refund.order, refund.number, RefundState::Refunded)?;
        }
        Ok(())
    }

    fn return_line(
        &mut self,
        order: u32,
        at: u16,
        units: u32,
        restocked: bool,
    ) -> Result<(), Violation> {
        let Self {
            orders,
            skus,
            buyers,
            ..
        } = self;
        let gone = || {
            Violation::new(
                "INV-9",
                format!("order {order} has no such units at line {at}"),
            )
        };
        let order = orders.get_mut(order).ok_or_else(gone)?;
        let line = order
            .lines
            .as_mut_slice()
            .get_mut(usize::from(at))
            .ok_or_else(gone)?;
        line.returned = line
            .returned
            .checked_add(units)
            .filter(|&sum| sum <= line.units.get())
            .ok_or_else(gone)?;
        let sku = skus.get_mut(line.sku as usize).ok_or_else(gone)?;
        if restocked {
            line.restocked += units;
            sku.units.give_back(Units(units))?;
        }
        // Refunded units no longer count against the buyer's limits, wherever the goods are.
        buyers.give_back(order.buyer, line.sku, units, sku.limited())
    }

    /// Ends a paid order that was given up whole.
    fn give_up_sold(&mut self, number: u32) -> Result<(), Violation> {
        let order = self.order_mut(number)?;
        let left: Vec<(u16, u32)> = remaining(order).collect();
        for (line, units) in left {
            self.return_line(number, line, units, true)?;
        }
        self.order_mut(number)?.phase = Phase::Cancelled;
        self.tally.paid -= 1;
        Ok(())
    }

    /// Takes the refund's budget and records the intent (INV-2, law 4).
    pub(crate) fn push_refund(
        &mut self,
        order: u32,
        number: u16,
        record: RefundRecord,
        not_before: Time,
    ) -> Result<(), Violation> {
        let since = self.time;
        let found = self.order_mut(order)?;
        if found.next_refund() != Some(number) {
            return Err(Violation::new(
                "INV-4",
                format!("refund {number} of order {order} is not the next"),
            ));
        }
        let kind = EffectKind::Refund {
            number,
            charge: record.charge,
        };
        let extra = found.extra_mut();
        extra
            .funds
            .hold(record.amount)
            .map_err(|over| Violation::new("INV-2", over.to_string()))?;
        extra.refunds.push(record);
        self.effects
            .insert((order, kind), Pending { since, not_before });
        Ok(())
    }

    fn end_refund(&mut self, order: u32, number: u16, state: RefundState) -> Result<(), Violation> {
        let gone = || Violation::new("INV-4", format!("order {order} has no refund {number}"));
        let extra = self.order_mut(order)?.extra_mut();
        let record = extra
            .refunds
            .get_mut(usize::from(number).wrapping_sub(1))
            .ok_or_else(gone)?;
        let was = std::mem::replace(&mut record.state, state);
        let (amount, charge) = (record.amount, record.charge);
        match (was, state) {
            (RefundState::Pending, RefundState::Refunded) => extra.funds.refund(amount)?,
            (RefundState::Pending, RefundState::Failed) => extra.funds.release(amount)?,
            (RefundState::Failed, RefundState::Refunded) => extra.funds.refund_after_all(amount)?,
            _ => return Err(gone()),
        }
        extra.funds.check()?;
        self.effects
            .remove(&(order, EffectKind::Refund { number, charge }));
        Ok(())
    }
}

/// What is left of each line.
fn remaining(order: &Order) -> impl Iterator<Item = (u16, u32)> {
    let lines = order.lines.as_slice().iter().zip(0_u16..);
    lines
        .map(|(line, at)| (at, line.units.get() - line.returned))
        .filter(|(_, units)| *units > 0)
}

fn refund_of(
    terms: &Terms,
    order: &Order,
    number: u32,
    ask: &RefundAsk,
) -> Result<RefundBegun, Refusal> {
    let left = order.funds().left();
    let lines = match (&ask.amount, ask.lines.is_empty()) {
        (None, true) => remaining(order).collect(),
        _ => lines_of(order, ask)?,
    };
    let amount = match (ask.amount, ask.lines.is_empty()) {
        (Some(amount), _) => amount,
        (None, true) => left,
        (None, false) => line_amount(terms, order, &lines),
    };
    let nothing = amount == Minor::ZERO && lines.is_empty();
    if amount.0 < 0 || amount > left || nothing {
        return Err(Refusal::OverRefund { left });
    }
    Ok(RefundBegun {
        order: number,
        number: order
            .next_refund()
            .ok_or(Refusal::Full("refunds of one order"))?,
        amount,
        lines,
        restocked: ask.units == UnitsBack::Restock,
        charge: order.kept(),
        elsewhere: order.charge == Charge::Elsewhere,
    })
}

/// The lines asked for, the same line counted together, none above what is left of it.
fn lines_of(order: &Order, ask: &RefundAsk) -> Result<Vec<(u16, u32)>, Refusal> {
    let mut sums = std::collections::BTreeMap::<u16, u32>::new();
    for &(line, units) in &ask.lines {
        let found = order.lines.as_slice().get(usize::from(line));
        let found =
            found.ok_or_else(|| Refusal::Invalid(format!("the order has no line {line}")))?;
        let left = found.units.get() - found.returned;
        let sum = sums.entry(line).or_default();
        *sum = sum
            .checked_add(units)
            .filter(|&sum| units > 0 && sum <= left)
            .ok_or(if units == 0 {
                Refusal::Invalid("a line to refund has at least 1 unit".into())
            } else {
                Refusal::OverReturn {
                    line,
                    left: Units(left),
                }
            })?;
    }
    Ok(sums.into_iter().collect())
}

/// The price of returned units: the difference of two rounded line totals, so that all parts sum up to the whole line.
fn line_amount(terms: &Terms, order: &Order, lines: &[(u16, u32)]) -> Minor {
    let price = |line: &super::order::Line, units| {
        line.price
            .times(units, terms.currency)
            .unwrap_or_default()
            .0
    };
    let parts = lines.iter().filter_map(|&(at, units)| {
        let line = order.lines.as_slice().get(usize::from(at))?;
        Some(price(line, line.returned + units) - price(line, line.returned))
    });
    Minor(parts.sum())
}
