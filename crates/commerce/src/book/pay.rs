//! Paying: the intent to charge, and what the provider reports, in every order of events.

use std::collections::BTreeMap;

use ledger::{Minor, Units, Violation};

use super::buyers::NOBODY;
use super::deal::PRESALE_OVER;
use super::keys::Question;
use super::order::{Charge, Lines, Order, Phase, RefundRecord, RefundState, SeatIn};
use super::sale::accept;
use super::team::{Team, TeamState};
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
            (Phase::Held, Charge::InFlight | Charge::Unknown | Charge::Authorised) => {
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
        let key = self
            .may_pay(now, order)
            .and_then(|()| question.bound(&terms.secret));
        key.map_or_else(Verdict::from, |key| {
            accept(Entry::PayBegun {
                order: number,
                attempt: order.attempt + 1,
                amount: match stdx::mutants::is("balance-asks-for-the-whole") {
                    true => order.total,
                    false => order.due_of(order.attempt + 1),
                },
                key,
            })
        })
    }

    /// Whether a held order may be paid now, as far as its team or its dues are concerned.
    fn may_pay(&self, now: Time, order: &Order) -> Result<(), Refusal> {
        if let Some(team) = order.seat.team().and_then(|team| self.teams.get(team))
            && (team.state != TeamState::Open || now >= team.ends)
            && !stdx::mutants::is("seat-paid-after-its-team")
        {
            return Err(Refusal::TeamOver { state: team.state });
        }
        match order.dues() {
            Some(kept) if kept.paid == 0 && now >= kept.dues.until => {
                Err(Refusal::Invalid(PRESALE_OVER.into()))
            }
            Some(kept)
                if kept.paid != 0
                    && now < kept.dues.from
                    && !stdx::mutants::is("balance-before-its-time") =>
            {
                Err(Refusal::BalanceNotDue {
                    from: kept.dues.from,
                })
            }
            _ => Ok(()),
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
            ChargeOutcome::Captured(amount) if order.was_captured(attempt) => {
                match order.pays(attempt) && amount != order.due_of(attempt) {
                    true => noted(number, format!("attempt {attempt}: now {amount} captured")),
                    false => Verdict::Repeat(Done::Order(number)),
                }
            }
            ChargeOutcome::Captured(_) if order.is_due(now) => Verdict::SweepFirst,
            ChargeOutcome::Captured(amount) => {
                match self.fate(now, terms, order, (attempt, amount)) {
                    Ok(fate) => accept(Entry::Captured {
                        order: number,
                        attempt,
                        amount,
                        fate,
                    }),
                    Err(Unsettled::SweepFirst) => Verdict::SweepFirst,
                    Err(Unsettled::Note(what)) => noted(number, what),
                }
            }
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
            ChargeOutcome::Authorised(amount)
                if order.attempt == attempt
                    && matches!(order.charge, Charge::InFlight | Charge::Unknown) =>
            {
                accept(Entry::ChargeAuthorised {
                    order: number,
                    attempt,
                    amount,
                })
            }
            ChargeOutcome::Unknown
                if order.attempt == attempt
                    && matches!(order.charge, Charge::InFlight | Charge::Authorised) =>
            {
                accept(Entry::ChargeUnknown {
                    order: number,
                    attempt,
                })
            }
            ChargeOutcome::Failed | ChargeOutcome::Unknown | ChargeOutcome::Authorised(_) => {
                Verdict::Repeat(Done::Order(number))
            }
        }
    }

    /// What becomes of captured money, or what to answer instead.
    fn fate(
        &self,
        now: Time,
        terms: &Terms,
        order: &Order,
        (attempt, amount): (u16, Minor),
    ) -> Result<Fate, Unsettled> {
        let mut funds = order.funds();
        if funds.capture(amount).is_err() {
            return Err(Unsettled::Note(format!("a capture out of range: {amount}")));
        }
        let pays = amount == order.due_of(attempt) && order.awaits(attempt);
        let deposit = order.dues().filter(|kept| kept.paid == 0);
        // A deposit is worth nothing once its balance can no longer be paid.
        let in_time = deposit.is_none_or(|kept| now < kept.dues.until);
        let deposit = deposit.is_some();
        let seat = order.seat.team();
        let pays = pays && in_time && seat.is_none_or(|team| self.team_takes_money(now, team));
        match order.phase {
            Phase::Held if pays && deposit => return Ok(Fate::Deposit),
            Phase::Held if pays => return Ok(Fate::Kept),
            // Paid after expiry: the units are taken again if they are free (big-neon/bn-api#1189, vendure#3065),
            // else the money goes back by itself.
            Phase::Expired
                if pays
                    && !order.has_deposit()
                    && matches!(terms.state, SaleState::Open | SaleState::Paused) =>
            {
                let free = self.can_take_again(now, terms, order);
                if free || stdx::mutants::is("late-capture-posts-without-stock") {
                    return Ok(match deposit {
                        true => Fate::DepositAgain,
                        false => Fate::KeptAgain,
                    });
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

    /// Whether all units of an expired order are free, nobody waits in line for them, they are within its buyer's
    /// limits, and its team has a seat.
    fn can_take_again(&self, now: Time, terms: &Terms, order: &Order) -> bool {
        let seated = order.seat.team().is_none_or(|team| {
            let seat_left = |team: &Team| now < team.ends && team.seats.available().0 > 0;
            self.teams.get(team).is_some_and(seat_left) && self.has_room_in(team, order.buyer)
        });
        let seated = seated || stdx::mutants::is("late-capture-takes-a-lost-seat");
        let coupons = self.coupons_left(order) || stdx::mutants::is("late-capture-overspends");
        if !seated || !coupons {
            return false;
        }
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
                    let there = units <= u64::from(sku.units.available().0);
                    let passes = stdx::mutants::is("late-capture-passes-the-line");
                    let free = there && (!self.has_line(at) || passes);
                    (free || !order.seat.has_goods())
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
                    Fate::Kept => self.keep(now, *order, *attempt, *amount)?,
                    Fate::KeptAgain => {
                        self.take_again(*order)?;
                        self.keep(now, *order, *attempt, *amount)?;
                    }
                    Fate::Deposit => self.keep_deposit(*order, *attempt, *amount)?,
                    Fate::DepositAgain => {
                        self.take_again(*order)?;
                        self.keep_deposit(*order, *attempt, *amount)?;
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
            Entry::ChargeAuthorised { order, attempt, .. } => {
                self.end_charge(*order, *attempt, Charge::Authorised)?;
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
        let seat = order.seat;
        self.count_charging(seat, false, true)?;
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
        if order.attempt != attempt || !order.is_charging() {
            return Ok(());
        }
        order.charge = known;
        let (seat, held) = (order.seat, order.phase == Phase::Held);
        let still = order.is_charging();
        self.count_charging(seat, held, held && still)
    }

    /// The capture pays the order: its holds are posted.
    fn keep(
        &mut self,
        now: Time,
        number: u32,
        attempt: u16,
        amount: Minor,
    ) -> Result<(), Violation> {
        let order = self.order_mut(number)?;
        let (seat, charging) = (order.seat, order.is_charging());
        if order.phase != Phase::Held || order.kept() != 0 {
            return Err(Violation::new(
                "INV-3",
                format!("order {number} cannot be paid twice"),
            ));
        }
        let unpaid = !order.has_deposit();
        let plain = order.extra.is_none() && order.attempt == attempt;
        if !plain {
            let extra = order.extra_mut();
            extra.funds.capture(amount)?;
            extra.captured.push(attempt);
            extra.kept = attempt;
        }
        order.phase = Phase::Paid;
        order.charge = Charge::Captured;
        let buyer = order.buyer;
        if unpaid {
            self.buyers.close(buyer);
        }
        if seat.has_goods() {
            let order = self.order_mut(number)?;
            let empty = Lines::Many(Box::default());
            let mut lines = std::mem::replace(&mut order.lines, empty);
            let posted = self.post_lines(&mut lines);
            self.order_mut(number)?.lines = lines;
            posted?;
        }
        self.tally.held -= 1;
        self.tally.paid += 1;
        self.tidy_due();
        if seat == SeatIn::NONE {
            return Ok(());
        }
        self.count_charging(seat, charging, false)?;
        self.post_seat(now, number)
    }

    /// The capture pays the deposit: the units stay held until the balance is due.
    fn keep_deposit(&mut self, number: u32, attempt: u16, amount: Minor) -> Result<(), Violation> {
        let twice = || Violation::new("INV-3", format!("order {number} has no deposit to pay"));
        let order = self.order_mut(number)?;
        if order.phase != Phase::Held || order.has_deposit() {
            return Err(twice());
        }
        let latest = order.attempt;
        // A later attempt that is still under way was for the deposit too, and goes back when it is captured.
        if latest == attempt {
            order.charge = Charge::None;
        }
        let extra = order.extra_mut();
        extra.funds.capture(amount)?;
        extra.captured.push(attempt);
        extra.extended_ms = 0;
        let kept = extra.dues.as_mut().ok_or_else(twice)?;
        kept.paid = attempt;
        kept.split = latest;
        let (deadline, buyer) = (order.deadline(), order.buyer);
        // Who paid a deposit leaves nothing unpaid that others wait for.
        self.buyers.close(buyer);
        self.due.push(deadline, number);
        self.tidy_due();
        Ok(())
    }

    /// Takes an expired order's units again.
    fn take_again(&mut self, number: u32) -> Result<(), Violation> {
        let Self {
            orders,
            skus,
            buyers,
            coupons,
            ..
        } = self;
        let gone = || Violation::new("INV-3", format!("order {number} has not expired"));
        let order = orders
            .get_mut(number)
            .filter(|order| order.phase == Phase::Expired)
            .ok_or_else(gone)?;
        let goods = order.seat.has_goods();
        for line in order.lines.as_mut_slice() {
            let sku = skus.get_mut(line.sku as usize).ok_or_else(gone)?;
            if goods {
                let hold = sku.units.hold(line.units);
                let hold = hold.map_err(|short| Violation::new("INV-1", short.to_string()))?;
                line.hold = Some(hold);
            }
            buyers.take(order.buyer, line.sku, line.units.get(), sku.limited())?;
        }
        order.phase = Phase::Held;
        if !stdx::mutants::is("coupon-not-taken-again") {
            coupons.take(order.buyer, order.coupons());
        }
        buyers.open(order.buyer);
        buyers.unlapse(order.buyer);
        let (seat, charging) = (order.seat, order.is_charging());
        self.tally.held += 1;
        self.tally.expired -= 1;
        if seat == SeatIn::NONE {
            return Ok(());
        }
        self.count_charging(seat, false, charging)?;
        self.take_seat(number)
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
