//! Giving money back: budget first, then the provider; and giving an order up.

use ledger::{Minor, Units, Violation};

use super::given_back::{over_charges, refund_of, remaining};
use super::keys::Question;
use super::order::{Charge, Phase, RefundRecord, RefundState};
use super::pay::noted;
use super::retry::again;
use super::sale::accept;
use super::{Book, Done, Pending, Terms, Verdict};
use crate::command::{RefundAsk, RefundOutcome};
use crate::entry::{Asked, EffectKind, Entry, RefundBegun};
use crate::plan::check_reason;
use crate::{Refusal, Time};

/// Refunds of one order that may be asked for, at most. Those that Tidegate begins itself have numbers beyond.
pub(crate) const REFUNDS_MOST: usize = 4_000;

impl Book {
    pub(crate) fn decide_cancel(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        number: u32,
    ) -> Verdict {
        let order = match self.seen(question, number) {
            Ok(order) => order,
            Err(refusal) => return refusal.into(),
        };
        if order.is_due(now) {
            return Verdict::SweepFirst;
        }
        let cancelled = if order.dues().is_some() {
            self.giving_up(now, terms, question, (number, order))
        } else {
            self.cancellation(now, terms, question, (number, order))
                .and_then(|refund| {
                    Ok(Entry::Cancelled {
                        order: number,
                        refund,
                        key: question.bound(&terms.secret)?,
                    })
                })
        };
        cancelled.map_or_else(Verdict::from, accept)
    }

    pub(crate) fn decide_refund(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        number: u32,
        ask: &RefundAsk,
    ) -> Verdict {
        let begun = self.seen(question, number).and_then(|order| {
            if !order.is_sold() {
                let state = order.status(now);
                return Err(Refusal::OrderState { state });
            }
            let reason = ask.reason.as_deref();
            reason
                .map_or(Ok(()), |reason| check_reason("reason", reason))
                .map_err(Refusal::Invalid)?;
            self.may_refund(order)?;
            let refund = refund_of(terms, order, number, ask)?;
            let reason = ask.reason.clone();
            let asked = match (ask.amount, ask.lines.is_empty()) {
                (Some(_), _) => Asked::Amount,
                (None, true) => Asked::All,
                (None, false) => Asked::Lines,
            };
            let key = question.bound(&terms.secret)?;
            let mut refunds = over_charges(order, refund);
            Ok(match (refunds.pop(), refunds.is_empty()) {
                (Some(refund), true) => Entry::RefundBegun {
                    refund,
                    reason,
                    asked,
                    key,
                },
                (last, _) => Entry::RefundsBegun {
                    refunds: refunds.into_iter().chain(last).collect(),
                    reason,
                    asked,
                    key,
                },
            })
        });
        begun.map_or_else(Verdict::from, accept)
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
            return noted(order, format!("refund {number}, never begun: {outcome:?}"));
        };
        match (refund.state, outcome) {
            (RefundState::Failed, RefundOutcome::Refunded)
                if found.funds().refund_after_all(refund.amount).is_err() =>
            {
                noted(
                    order,
                    format!("refund {number}: paid after all, out of range"),
                )
            }
            (RefundState::Pending | RefundState::Failed, RefundOutcome::Refunded) => {
                accept(Entry::Refunded { order, number })
            }
            // No provider ever had it in hand.
            (RefundState::Refunded, RefundOutcome::Failed)
                if found.charge == Charge::Elsewhere || refund.amount == Minor::ZERO =>
            {
                noted(
                    order,
                    format!("refund {number}: failed, and was made elsewhere"),
                )
            }
            (RefundState::Pending | RefundState::Refunded, RefundOutcome::Failed) => {
                let again = again(now, found, refund);
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
        }
    }

    pub(crate) fn decide_chargeback(
        &self,
        terms: &Terms,
        question: &Question<'_>,
        number: u32,
        amount: Minor,
        reference: &str,
    ) -> Verdict {
        let Some(order) = self.orders.get(number) else {
            return Refusal::NoOrder.into();
        };
        if amount.0 < 0 {
            return Refusal::Invalid("amount_minor must be at least 0".into()).into();
        }
        if let Err(problem) = check_reason("reference", reference) {
            return Refusal::Invalid(problem).into();
        }
        if order.funds().charge_back(amount).is_err() {
            return noted(number, format!("a chargeback out of range: {amount}"));
        }
        let key = question.bound(&terms.secret);
        key.map_or_else(Verdict::from, |key| {
            accept(Entry::ChargedBack {
                order: number,
                amount,
                reference: reference.into(),
                key,
            })
        })
    }

    pub(crate) fn apply_refund(&mut self, now: Time, entry: &Entry) -> Result<(), Violation> {
        match entry {
            Entry::Cancelled { order, refund, key } => {
                self.cancel(now, *order, refund.as_ref())?;
                self.keys.bind(key, Done::Order(*order))?;
            }
            Entry::RefundBegun { refund, key, .. } => {
                let (order, number) = (refund.order, refund.number);
                self.begin_refund(now, refund)?;
                self.keys.bind(key, Done::Refund { order, number })?;
            }
            Entry::RefundsBegun { refunds, key, .. } => {
                let none = || Violation::new("INV-4", "a refund over no charge");
                let first = refunds.first().ok_or_else(none)?;
                let (order, number) = (first.order, first.number);
                refunds
                    .iter()
                    .try_for_each(|refund| self.begin_refund(now, refund))?;
                self.keys.bind(key, Done::Refund { order, number })?;
            }
            Entry::GivenUp {
                order,
                refunds,
                key,
            } => {
                self.give_up(now, *order, refunds)?;
                self.keys.bind(key, Done::Order(*order))?;
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
                if let Some(next) = again {
                    let (charge, amount) = (next.charge, next.amount);
                    self.send_back(next.not_before, *order, charge, next.number, amount)?;
                }
            }
            Entry::ChargedBack {
                order, amount, key, ..
            } => {
                let extra = self.order_mut(*order)?.extra_mut();
                extra.funds.charge_back(*amount)?;
                self.keys.bind(key, Done::Order(*order))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn cancel(
        &mut self,
        now: Time,
        number: u32,
        refund: Option<&RefundBegun>,
    ) -> Result<(), Violation> {
        match self.order_mut(number)?.phase {
            Phase::Held => {
                self.release(number, Phase::Cancelled)?;
                self.tidy_due();
            }
            Phase::Paid => {
                if let Some(refund) = refund {
                    self.begin_refund(now, refund)?;
                }
                self.give_up_sold(number)?;
            }
            phase => {
                let late = format!("order {number} is {phase:?} and cannot be given up");
                return Err(Violation::new("INV-3", late));
            }
        }
        self.tally.cancelled += 1;
        Ok(())
    }

    /// Gives up an order with dues, held or paid.
    fn give_up(
        &mut self,
        now: Time,
        number: u32,
        refunds: &[RefundBegun],
    ) -> Result<(), Violation> {
        if self.order_mut(number)?.phase == Phase::Held {
            self.release(number, Phase::Cancelled)?;
            self.tidy_due();
        }
        refunds
            .iter()
            .try_for_each(|refund| self.begin_refund(now, refund))?;
        let order = self.order_mut(number)?;
        if order.phase == Phase::Paid {
            self.give_up_sold(number)?;
        } else if order.has_deposit() && refunds.is_empty() {
            self.forfeit(number)?;
        }
        self.tally.cancelled += 1;
        Ok(())
    }

    /// A refund that nobody asked for, tried until the money is back.
    pub(crate) fn begin_own_refund(
        &mut self,
        now: Time,
        refund: &RefundBegun,
    ) -> Result<(), Violation> {
        self.begin_refund(now, refund)?;
        let extra = self.order_mut(refund.order)?.extra_mut();
        if let Some(record) = extra.refunds.last_mut() {
            record.automatic = true;
        }
        Ok(())
    }

    pub(crate) fn begin_refund(
        &mut self,
        now: Time,
        refund: &RefundBegun,
    ) -> Result<(), Violation> {
        let mut units = 0_u32;
        for &(line, returned) in &refund.lines {
            self.return_line(refund.order, line, returned, refund.restocked)?;
            units = units.saturating_add(returned);
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
        if refund.elsewhere && refund.amount.is_positive() {
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
        let order = orders
            .get_mut(order)
            .filter(|order| order.is_sold())
            .ok_or_else(gone)?;
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
        if restocked && order.seat.has_goods() {
            line.restocked += units;
            sku.units.give_back(Units(units))?;
        }
        // Refunded units no longer count against the buyer's limits, wherever the goods are.
        buyers.give_back(order.buyer, line.sku, units, sku.limited())
    }

    /// Ends a paid order that was given up whole.
    pub(crate) fn give_up_sold(&mut self, number: u32) -> Result<(), Violation> {
        let order = self.order_mut(number)?;
        let left: Vec<(u16, u32)> = remaining(order).collect();
        for (line, units) in left {
            self.return_line(number, line, units, true)?;
        }
        let Self {
            orders, coupons, ..
        } = self;
        if let Some(order) = orders.get_mut(number) {
            order.phase = Phase::Cancelled;
            coupons.give_back(order.buyer, order.coupons());
        }
        self.tally.paid -= 1;
        self.leave_seat(number)
    }

    /// Takes the refund's budget and records the intent (INV-2, law 4). A refund of nothing is over at once.
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
        let nothing = record.amount == Minor::ZERO;
        extra.refunds.push(record);
        self.effects
            .insert((order, kind), Pending { since, not_before });
        if nothing {
            return self.end_refund(order, number, RefundState::Refunded);
        }
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
            (_, RefundState::Failed) if stdx::mutants::is("declined-refund-keeps-its-budget") => {}
            (RefundState::Pending, RefundState::Failed) => extra.funds.release(amount)?,
            (RefundState::Failed, RefundState::Refunded) => extra.funds.refund_after_all(amount)?,
            // The buyer's bank did not take it: it is with the merchant again (Stripe tells so weeks later).
            (RefundState::Refunded, RefundState::Failed) => extra.funds.come_back(amount)?,
            _ => return Err(gone()),
        }
        extra.funds.check()?;
        self.effects
            .remove(&(order, EffectKind::Refund { number, charge }));
        Ok(())
    }
}
