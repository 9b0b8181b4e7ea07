//! Paying: the intent to charge, and what the provider reports, in every order of events.

use std::collections::BTreeMap;

use ledger::{Minor, Units, Violation};

use super::buyers::NOBODY;
use super::keys::Question;
use super::order::{Charge, Lines, Order, Phase, RefundRecord, RefundState};
use super::sale::accept;
use super::{Book, Done, Pending, Terms, Verdict};
use crate::command::ChargeOutcome;
use crate::entry::{EffectKind, Entry, Fate};
use crate::plan::SaleState;
use crate::{Refusal, Time};

/// Attempts to pay one order, at most.
pub(crate) const ATTEMPTS_MOST: u16 = 1_000;

/// Why captured money has no fate yet.
enum Unsettled {
    /// Holds that are due stand in the way.
    SweepFirst,
    /// The books cannot hold it; this is written down instead.
    Note(String),
}

impl Book {
    /// The order, if whoever asks may see it: somebody else's order does not exist for a buyer.
    pub(crate) fn seen(&self, question: &Question<'_>, number: u32) -> Result<&Order, Refusal> {
        let order = self.orders.get(number).ok_or(Refusal::NoOrder)?;
        match question.buyer() {
            Some(_) if stdx::mutants::is("orders-of-others-are-open") => Ok(order),
            Some(buyer) if self.buyers.name(order.buyer) != Some(buyer) => Err(Refusal::NoOrder),
            _ => Ok(order),
        }
    }

    pub(crate) fn decide_pay(
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
        match (order.phase, order.charge) {
            (Phase::Expired, _) => return Refusal::HoldExpired.into(),
            (Phase::Held, _) if order.is_due(now) => return Verdict::SweepFirst,
            // Unknown is not failed: the provider is asked before there is a new attempt, with a new key.
            (Phase::Held, Charge::Unknown) if stdx::mutants::is("unknown-charge-paid-anew") => {}
            (Phase::Held, Charge::InFlight | Charge::Unknown) => {
                return Refusal::PaymentInFlight.into();
            }
            (Phase::Held, _) if order.attempt >= ATTEMPTS_MOST => {
                return Refusal::Full("attempts to pay").into();
            }
            (Phase::Held, _) => {}
            _ => {
                return Refusal::OrderState {
                    state: order.status(now),
                }
                .into();
            }
        }
        match question.bound(&terms.secret) {
            Ok(key) => accept(Entry::PayBegun {
                order: number,
                attempt: order.attempt + 1,
                amount: order.total,
                key,
            }),
            Err(refusal) => refusal.into(),
        }
    }

    /// A report on a charge has an answer in every state and is never refused for its content.
    pub(crate) fn decide_charge(
        &self,
        now: Time,
        terms: &Terms,
        number: u32,
        attempt: u16,
        outcome: ChargeOutcome,
    ) -> Verdict {
        let Some(order) = self.orders.get(number) else {
            return Refusal::NoOrder.into();
        };
        // The intent is journalled before the provider is asked, so there is no charge that the book does not know.
        if attempt == 0 || attempt > order.attempt {
            return noted(
                number,
                format!("attempt {attempt}, never begun: {outcome:?}"),
            );
        }
        let effect = (number, EffectKind::Charge { attempt });
        match outcome {
            ChargeOutcome::Captured(_) if order.was_captured(attempt) => {
                Verdict::Repeat(Done::Order(number))
            }
            ChargeOutcome::Captured(_) if order.is_due(now) => Verdict::SweepFirst,
            ChargeOutcome::Captured(amount) => match self.fate(now, terms, order, amount) {
                Ok(fate) => accept(Entry::Captured {
                    order: number,
                    attempt,
                    amount,
                    fate,
                }),
                Err(Unsettled::SweepFirst) => Verdict::SweepFirst,
                Err(Unsettled::Note(what)) => noted(number, what),
            },
            ChargeOutcome::Failed if self.effects.contains_key(&effect) => {
                accept(Entry::ChargeFailed {
                    order: number,
                    attempt,
                })
            }
            ChargeOutcome::Failed if order.was_captured(attempt) => noted(
                number,
                format!("attempt {attempt}: failed after its capture"),
            ),
            ChargeOutcome::Unknown
                if order.attempt == attempt && order.charge == Charge::InFlight =>
            {
                accept(Entry::ChargeUnknown {
                    order: number,
                    attempt,
                })
            }
            ChargeOutcome::Failed | ChargeOutcome::Unknown => Verdict::Repeat(Done::Order(number)),
        }
    }

    /// What becomes of captured money, or what to answer instead.
    fn fate(
        &self,
        now: Time,
        terms: &Terms,
        order: &Order,
        amount: Minor,
    ) -> Result<Fate, Unsettled> {
        let mut funds = order.funds();
        if funds.capture(amount).is_err() {
            return Err(Unsettled::Note(format!("a capture out of range: {amount}")));
        }
        let pays = amount == order.total && order.kept() == 0;
        match order.phase {
            Phase::Held if pays => return Ok(Fate::Kept),
            // Paid after expiry: the units are taken again if they are free (big-neon/bn-api#1189, vendure#3065),
            // else the money goes back by itself.
            Phase::Expired
                if pays && matches!(terms.state, SaleState::Open | SaleState::Paused) =>
            {
                let free = self.can_take_again(terms, order);
                if free || stdx::mutants::is("late-capture-posts-without-stock") {
                    return Ok(Fate::KeptAgain);
                }
                if self.has_due(now) {
                    return Err(Unsettled::SweepFirst);
                }
            }
            _ => {}
        }
        let Some(refund) = order.next_refund() else {
            return Err(Unsettled::Note(format!(
                "captured {amount}, and no refund number is left"
            )));
        };
        // Where the buyer's bank took money back before, the capture makes good for that first (INV-2).
        let kept = match order.phase {
            Phase::Expired => stdx::mutants::is("late-capture-keeps-the-money"),
            Phase::Cancelled => stdx::mutants::is("capture-after-cancel-keeps-the-money"),
            _ => false,
        };
        let amount = if kept {
            Minor::ZERO
        } else {
            amount.min(funds.left())
        };
        Ok(Fate::GoesBack { refund, amount })
    }

    /// Whether all units of an expired order are free and within its buyer's limits.
    fn can_take_again(&self, terms: &Terms, order: &Order) -> bool {
        let buyer = Some(order.buyer).filter(|&at| at != NOBODY);
        let mut sums = BTreeMap::<u32, u64>::new();
        for line in order.lines.as_slice() {
            *sums.entry(line.sku).or_default() += u64::from(line.units.get());
        }
        let fits = |limit: Option<Units>, used: u64, more: u64| {
            buyer.is_none() || limit.is_none_or(|limit| used + more <= u64::from(limit.0))
        };
        let whole = sums.values().sum();
        fits(terms.limits.per_buyer, self.buyers.units(buyer), whole)
            && sums.iter().all(|(&at, &units)| {
                self.skus.get(at as usize).is_some_and(|sku| {
                    units <= u64::from(sku.units.available().0)
                        && fits(sku.limits.per_buyer, self.buyers.units_of(buyer, at), units)
                })
            })
    }

    pub(crate) fn apply_pay(&mut self, now: Time, entry: &Entry) -> Result<(), Violation> {
        match entry {
            Entry::PayBegun {
                order,
                attempt,
                key,
                ..
            } => {
                self.begin_charge(now, *order, *attempt)?;
                self.keys.bind(key, Done::Order(*order))?;
            }
            Entry::Captured {
                order,
                attempt,
                amount,
                fate,
            } => {
                self.effects
                    .remove(&(*order, EffectKind::Charge { attempt: *attempt }));
                match *fate {
                    Fate::Kept => self.keep(*order, *attempt, *amount)?,
                    Fate::KeptAgain => {
                        self.take_again(*order)?;
                        self.keep(*order, *attempt, *amount)?;
                    }
                    Fate::GoesBack {
                        refund,
                        amount: back,
                    } => {
                        self.capture_unkept(*order, *attempt, *amount)?;
                        self.send_back(now, *order, *attempt, refund, back)?;
                    }
                }
            }
            Entry::ChargeFailed { order, attempt } => {
                self.effects
                    .remove(&(*order, EffectKind::Charge { attempt: *attempt }));
                self.end_charge(*order, *attempt, Charge::Failed)?;
            }
            Entry::ChargeUnknown { order, attempt } => {
                self.end_charge(*order, *attempt, Charge::Unknown)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin_charge(&mut self, now: Time, number: u32, attempt: u16) -> Result<(), Violation> {
        let order = self.order_mut(number)?;
        let next = order.attempt.checked_add(1) == Some(attempt);
        if order.phase != Phase::Held || order.is_charging() || !next {
            let early = format!("attempt {attempt} to pay order {number} is not the next");
            return Err(Violation::new("INV-4", early));
        }
        order.attempt = attempt;
        order.charge = Charge::InFlight;
        let pending = Pending {
            since: now,
            not_before: now,
        };
        self.effects
            .insert((number, EffectKind::Charge { attempt }), pending);
        Ok(())
    }

    /// Notes what is known of the latest charge; an older one changes nothing.
    fn end_charge(&mut self, number: u32, attempt: u16, known: Charge) -> Result<(), Violation> {
        let order = self.order_mut(number)?;
        if order.attempt == attempt && order.is_charging() {
            order.charge = known;
        }
        Ok(())
    }

    /// The capture pays the order: its holds are posted.
    fn keep(&mut self, number: u32, attempt: u16, amount: Minor) -> Result<(), Violation> {
        let order = self.order_mut(number)?;
        if order.phase != Phase::Held || order.kept() != 0 {
            return Err(Violation::new(
                "INV-3",
                format!("order {number} cannot be paid twice"),
            ));
        }
        let plain = order.extra.is_none() && order.attempt == attempt;
        if !plain {
            let extra = order.extra_mut();
            extra.funds.capture(amount)?;
            extra.captured.push(attempt);
            extra.kept = attempt;
        }
        order.phase = Phase::Paid;
        order.charge = Charge::Captured;
        let empty = Lines::Many(Box::default());
        let mut lines = std::mem::replace(&mut order.lines, empty);
        let posted = self.post_lines(&mut lines);
        self.order_mut(number)?.lines = lines;
        self.tally.held -= 1;
        self.tally.paid += 1;
        self.tidy_due();
        posted
    }

    /// Takes an expired order's units again.
    fn take_again(&mut self, number: u32) -> Result<(), Violation> {
        let Self {
            orders,
            skus,
            buyers,
            ..
        } = self;
        let gone = || Violation::new("INV-3", format!("order {number} has not expired"));
        let order = orders
            .get_mut(number)
            .filter(|order| order.phase == Phase::Expired)
            .ok_or_else(gone)?;
        for line in order.lines.as_mut_slice() {
            let sku = skus.get_mut(line.sku as usize).ok_or_else(gone)?;
            let hold = sku
                .units
                .hold(line.units)
                .map_err(|short| Violation::new("INV-1", short.to_string()))?;
            line.hold = Some(hold);
            buyers.take(order.buyer, line.sku, line.units.get(), sku.limited())?;
        }
        order.phase = Phase::Held;
        self.tally.held += 1;
        self.tally.expired -= 1;
        Ok(())
    }

    /// Books captured money that pays nothing.
    fn capture_unkept(
        &mut self,
        number: u32,
        attempt: u16,
        amount: Minor,
    ) -> Result<(), Violation> {
        // The attempt is over; a held order may be paid again.
        self.end_charge(number, attempt, Charge::Failed)?;
        let extra = self.order_mut(number)?.extra_mut();
        extra.funds.capture(amount)?;
        extra.captured.push(attempt);
        Ok(())
    }

    /// Begins a refund that nobody asked for, tried until the money is back.
    pub(crate) fn send_back(
        &mut self,
        not_before: Time,
        order: u32,
        charge: u16,
        number: u16,
        amount: Minor,
    ) -> Result<(), Violation> {
        let record = RefundRecord {
            amount,
            charge,
            state: RefundState::Pending,
            automatic: true,
            restocked: false,
            units: 0,
        };
        self.push_refund(order, number, record, not_before)
    }
}

/// A report that contradicts what is known, or that the books cannot hold: recorded, without effect on them.
pub(crate) fn noted(order: u32, what: String) -> Verdict {
    accept(Entry::Noted {
        order,
        what: what.into(),
    })
}
