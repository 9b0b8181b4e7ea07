//! Paying: the intent to charge, and what the provider reports, in every order of events.

use ledger::Violation;

use super::order::{Charge, Lines, Order, Phase, RefundRecord, RefundState};
use super::sale::accept;
use super::{Book, Done, Pending, Terms, Verdict};
use crate::command::{ChargeOutcome, Command};
use crate::entry::{EffectKind, Entry, Fate};
use crate::plan::SaleState;
use crate::{Refusal, Time};

/// Attempts to pay one order, at most.
pub(crate) const ATTEMPTS_MOST: u16 = 1_000;

impl Book {
    /// The order, if the command's actor may see it: somebody else's order does not exist for a buyer.
    pub(crate) fn seen(&self, command: &Command, number: u32) -> Result<&Order, Refusal> {
        let order = self.orders.get(number).ok_or(Refusal::NoOrder)?;
        match command.buyer() {
            Some(buyer) if self.buyers.name(order.buyer) != Some(buyer) => Err(Refusal::NoOrder),
            _ => Ok(order),
        }
    }

    pub(crate) fn decide_pay(
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
        match (order.phase, order.charge) {
            (Phase::Expired, _) => return Refusal::HoldExpired.into(),
            (Phase::Held, _) if order.is_due(now) => return Verdict::SweepFirst,
            // Unknown is not failed: the provider is asked before there is a new attempt, with a new key.
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
        match Self::bound(&terms.secret, command) {
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
        let current =
            order.attempt == attempt && matches!(order.charge, Charge::InFlight | Charge::Unknown);
        let open = self
            .effects
            .contains_key(&(number, EffectKind::Charge { attempt }));
        match outcome {
            ChargeOutcome::Captured(_) if order.was_captured(attempt) => {
                Verdict::Repeat(Done::Order(number))
            }
            ChargeOutcome::Captured(amount) if amount.0 < 0 => accept(Entry::Noted {
                order: number,
                what: "a capture of less than nothing".into(),
            }),
            ChargeOutcome::Captured(_) if order.is_due(now) => Verdict::SweepFirst,
            ChargeOutcome::Captured(amount) => match self.fate(now, terms, order, amount) {
                Some(fate) => accept(Entry::Captured {
                    order: number,
                    attempt,
                    amount,
                    fate,
                }),
                None if self.has_due(now) => Verdict::SweepFirst,
                None => accept(Entry::Noted {
                    order: number,
                    what: "captured, and no refund number is free".into(),
                }),
            },
            ChargeOutcome::Failed if open => accept(Entry::ChargeFailed {
                order: number,
                attempt,
            }),
            ChargeOutcome::Failed if order.was_captured(attempt) => accept(Entry::Noted {
                order: number,
                what: "reported failed after it was captured".into(),
            }),
            ChargeOutcome::Unknown if current && order.charge == Charge::InFlight => {
                accept(Entry::ChargeUnknown {
                    order: number,
                    attempt,
                })
            }
            ChargeOutcome::Failed | ChargeOutcome::Unknown => Verdict::Repeat(Done::Order(number)),
        }
    }

    /// What becomes of captured money. `None` when holds that are due stand in the way of an answer.
    fn fate(&self, now: Time, terms: &Terms, order: &Order, amount: ledger::Minor) -> Option<Fate> {
        let back = || order.next_refund().map(|refund| Fate::GoesBack { refund });
        if amount != order.total || order.kept() != 0 {
            return back();
        }
        match order.phase {
            Phase::Held => Some(Fate::Kept),
            // Paid after expiry: the units are taken again if they are free (big-neon/bn-api#1189, vendure#3065),
            // else the money goes back by itself.
            Phase::Expired if matches!(terms.state, SaleState::Open | SaleState::Paused) => {
                match self.can_take_again(terms, order) {
                    true => Some(Fate::KeptAgain),
                    false if self.has_due(now) => None,
                    false => back(),
                }
            }
            _ => back(),
        }
    }

    /// Whether all units of an expired order are free and within its buyer's limits.
    fn can_take_again(&self, terms: &Terms, order: &Order) -> bool {
        let buyer = Some(order.buyer).filter(|&at| at != super::buyers::NOBODY);
        let mut sums = std::collections::BTreeMap::<u32, u64>::new();
        for line in order.lines.as_slice() {
            *sums.entry(line.sku).or_default() += u64::from(line.units.get());
        }
        let fits = |limit: Option<ledger::Units>, used: u32, more: u64| {
            buyer.is_none()
                || limit.is_none_or(|limit| u64::from(used) + more <= u64::from(limit.0))
        };
        fits(
            terms.limits.per_buyer,
            self.buyers.units(buyer),
            sums.values().sum(),
        ) && sums.iter().all(|(&at, &units)| {
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
                let held = self.order_mut(*order)?;
                held.attempt = *attempt;
                held.charge = Charge::InFlight;
                let pending = Pending {
                    since: now,
                    not_before: now,
                };
                self.effects
                    .insert((*order, EffectKind::Charge { attempt: *attempt }), pending);
                self.keys.bind(key, Done::Order(*order));
            }
            Entry::Captured {
                order,
                attempt,
                amount,
                fate,
            } => {
                self.effects
                    .remove(&(*order, EffectKind::Charge { attempt: *attempt }));
                match fate {
                    Fate::Kept => self.keep(*order, *attempt, *amount)?,
                    Fate::KeptAgain => {
                        self.take_again(*order)?;
                        self.keep(*order, *attempt, *amount)?;
                    }
                    Fate::GoesBack { refund } => {
                        self.send_back(now, *order, *attempt, *amount, *refund)?
                    }
                }
            }
            Entry::ChargeFailed { order, attempt } => {
                self.effects
                    .remove(&(*order, EffectKind::Charge { attempt: *attempt }));
                let held = self.order_mut(*order)?;
                if held.attempt == *attempt
                    && matches!(held.charge, Charge::InFlight | Charge::Unknown)
                {
                    held.charge = Charge::Failed;
                }
            }
            Entry::ChargeUnknown { order, .. } => self.order_mut(*order)?.charge = Charge::Unknown,
            _ => {}
        }
        Ok(())
    }

    /// The capture pays the order: its holds are posted.
    fn keep(&mut self, number: u32, attempt: u16, amount: ledger::Minor) -> Result<(), Violation> {
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

    /// Captured money that pays nothing goes back by itself.
    fn send_back(
        &mut self,
        now: Time,
        number: u32,
        attempt: u16,
        amount: ledger::Minor,
        refund: u16,
    ) -> Result<(), Violation> {
        let order = self.order_mut(number)?;
        if order.attempt == attempt && matches!(order.charge, Charge::InFlight | Charge::Unknown) {
            // The attempt is over; a held order may be paid again.
            order.charge = Charge::Failed;
        }
        let extra = order.extra_mut();
        extra.funds.capture(amount)?;
        extra.captured.push(attempt);
        let record = RefundRecord {
            amount,
            charge: attempt,
            state: RefundState::Pending,
            automatic: true,
            restocked: false,
            units: 0,
        };
        self.push_refund(number, refund, record, now)
    }
}
