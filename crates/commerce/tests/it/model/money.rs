//! Paying, giving back, and what the outside reports.

use std::collections::BTreeMap;

use ledger::{Minor, Units};
use tidegate_commerce::book::RefundState;
use tidegate_commerce::command::{ChargeOutcome, RefundOutcome, UnitsBack};
use tidegate_commerce::{Actor, Done, OrderStatus, RefundAsk, Refusal, Report, SaleState};

use super::{Amounts, Answer, Attempt, Model, Order, Refund, Stage, price};

impl Order {
    pub(super) fn captured(&self) -> i64 {
        let captured = |attempt: &Attempt| match attempt {
            Attempt::Captured(amount) => *amount,
            _ => 0,
        };
        let online: i64 = self.attempts.iter().map(captured).sum();
        online + if self.elsewhere { self.total } else { 0 }
    }

    fn sum(&self, state: RefundState) -> i64 {
        let of_state = self.refunds.iter().filter(|refund| refund.state == state);
        of_state.map(|refund| refund.amount).sum()
    }

    pub(super) fn refunded(&self) -> i64 {
        self.sum(RefundState::Refunded)
    }

    fn left(&self) -> i64 {
        let gone = self.refunded() + self.sum(RefundState::Pending) + self.charged_back;
        (self.captured() - gone).max(0)
    }

    pub(crate) fn amounts(&self) -> Amounts {
        Amounts {
            captured: Minor(self.captured()),
            refunded: Minor(self.refunded()),
            held: Minor(self.sum(RefundState::Pending)),
            charged_back: Minor(self.charged_back),
        }
    }

    /// Calls to the outside whose outcome is not known.
    pub(crate) fn open_calls(&self) -> usize {
        let open = |attempt: &&Attempt| matches!(attempt, Attempt::Open | Attempt::Unknown);
        let pending = |refund: &&Refund| refund.state == RefundState::Pending;
        self.attempts.iter().filter(open).count() + self.refunds.iter().filter(pending).count()
    }

    pub(super) fn is_busy(&self) -> bool {
        self.stage == Stage::Held || self.open_calls() > 0
    }

    /// Begins a refused refund once more, to be sent later.
    fn try_again(&mut self, amount: i64, charge: u16, due: u64) {
        self.send_back(amount, charge);
        if let Some(last) = self.refunds.last_mut() {
            last.due = due;
        }
    }

    /// The first refund that waits for its time, and of which the test is true.
    fn waiting(&self, now: u64, behind: usize, test: impl Fn(&Refund) -> bool) -> Option<usize> {
        let waits = |refund: &Refund| {
            refund.state == RefundState::Pending && refund.until_paid && refund.due >= now + 5_000
        };
        let mut refunds = self.refunds.iter().enumerate().skip(behind);
        let found = refunds.find(|(_, refund)| waits(refund) && test(refund));
        found.map(|(at, _)| at)
    }

    /// The buyer's bank took money back: what waits is cut to what is left.
    fn cut(&mut self, now: u64) {
        while let Some(at) = self.waiting(now, 0, |refund| {
            let gone = self.refunded() + self.sum(RefundState::Pending) + self.charged_back;
            refund.amount > (self.captured() - gone + refund.amount).max(0)
        }) {
            self.refunds[at].state = RefundState::Failed;
            let (charge, due, left) = (self.refunds[at].charge, self.refunds[at].due, self.left());
            if left > 0 {
                self.try_again(left, charge, due);
            }
        }
    }

    fn send_back(&mut self, amount: i64, charge: u16) {
        let amount = amount.min(self.left());
        self.begin(amount, charge, true);
    }

    /// Begins a refund; one of nothing, or of money that was collected elsewhere, is over at once.
    fn begin(&mut self, amount: i64, charge: u16, until_paid: bool) {
        let over = amount == 0 || self.elsewhere;
        self.refunds.push(Refund {
            amount,
            charge,
            state: match over {
                true => RefundState::Refunded,
                false => RefundState::Pending,
            },
            until_paid,
            due: 0,
        });
    }

    fn remaining(&self) -> Vec<(u16, u32)> {
        let left = self.lines.iter().zip(0_u16..);
        let left = left.map(|(line, at)| (at, line.units - line.returned));
        left.filter(|(_, units)| *units > 0).collect()
    }

    fn take_back(&mut self, lines: &[(u16, u32)], units_back: UnitsBack) {
        for &(at, units) in lines {
            let line = &mut self.lines[usize::from(at)];
            line.returned += units;
            if units_back == UnitsBack::Restock {
                line.restocked += units;
            }
        }
    }

    /// Amount and lines of a refund that is asked for.
    fn asked(&self, ask: &RefundAsk) -> Result<(i64, Vec<(u16, u32)>), Refusal> {
        let mut sums = BTreeMap::new();
        for &(at, units) in &ask.lines {
            let line = self.lines.get(usize::from(at));
            let line = line.ok_or(Refusal::Invalid(String::new()))?;
            let sum = sums.entry(at).or_insert(0);
            *sum += units;
            if *sum > line.units - line.returned {
                let left = Units(line.units - line.returned);
                return Err(Refusal::OverReturn { line: at, left });
            }
        }
        let lines = Vec::from_iter(sums);
        let all = ask.amount.is_none() && lines.is_empty();
        let lines = if all { self.remaining() } else { lines };
        let worth = |&(at, units): &(u16, u32)| {
            let line = &self.lines[usize::from(at)];
            price(line.price, line.returned + units) - price(line.price, line.returned)
        };
        let amount = match ask.amount {
            Some(amount) => amount.0,
            None if all => self.left(),
            None => lines.iter().map(worth).sum(),
        };
        let left = Minor(self.left());
        if amount > left.0 || (amount == 0 && lines.is_empty()) {
            return Err(Refusal::OverRefund { left });
        }
        Ok((amount, lines))
    }
}

impl Model {
    pub(super) fn pay(&mut self, actor: &Actor, order: u32) -> Answer {
        let found = self.seen(actor, order)?;
        let state = found.status();
        match state {
            OrderStatus::Held => found.attempts.push(Attempt::Open),
            OrderStatus::Paying => return Err(Refusal::PaymentInFlight),
            OrderStatus::Expired => return Err(Refusal::HoldExpired),
            _ => return Err(Refusal::OrderState { state }),
        }
        Ok(Done::Order(order))
    }

    pub(super) fn cancel(&mut self, actor: &Actor, order: u32) -> Answer {
        let found = self.seen(actor, order)?;
        let state = found.status();
        match state {
            OrderStatus::Held | OrderStatus::Paying => {}
            OrderStatus::Expired => return Err(Refusal::HoldExpired),
            OrderStatus::Paid if !matches!(actor, Actor::Buyer(_)) => {
                let (amount, lines) = (found.left(), found.remaining());
                if amount > 0 || !lines.is_empty() {
                    found.begin(amount, found.kept, false);
                    found.take_back(&lines, UnitsBack::Restock);
                }
            }
            _ => return Err(Refusal::OrderState { state }),
        }
        found.stage = Stage::Cancelled;
        Ok(Done::Order(order))
    }

    pub(super) fn refund(&mut self, actor: &Actor, order: u32, ask: &RefundAsk) -> Answer {
        let found = self.seen(actor, order)?;
        if !found.is_sold() {
            let state = found.status();
            return Err(Refusal::OrderState { state });
        }
        let (amount, lines) = found.asked(ask)?;
        found.begin(amount, found.kept, false);
        found.take_back(&lines, ask.units);
        let number = u16::try_from(found.refunds.len()).unwrap();
        Ok(Done::Refund { order, number })
    }

    pub(super) fn ship(&mut self, actor: &Actor, order: u32) -> Answer {
        let found = self.seen(actor, order)?;
        let paid_for = found.total == 0 || found.left() > 0;
        if found.stage != Stage::Paid || !paid_for || found.remaining().is_empty() {
            let state = found.status();
            return Err(Refusal::OrderState { state });
        }
        found.stage = Stage::Shipped;
        Ok(Done::Order(order))
    }

    /// A report is never refused.
    pub(super) fn hear(&mut self, report: &Report) -> Answer {
        match report {
            Report::Charge {
                order,
                attempt,
                outcome,
            } => self.hear_charge(*order, *attempt, *outcome),
            Report::Refund {
                order,
                number,
                outcome,
            } => self.hear_refund(*order, *number, *outcome),
            Report::Seed { .. } => unreachable!("draws have a model of their own"),
            Report::Chargeback { order, amount, .. } => {
                let found = self
                    .orders
                    .get_mut(*order as usize)
                    .ok_or(Refusal::NoOrder)?;
                found.charged_back += amount.0;
                found.cut(self.now);
                Ok(Done::Order(*order))
            }
        }
    }

    fn hear_charge(&mut self, number: u32, attempt: u16, outcome: ChargeOutcome) -> Answer {
        let order = self.orders.get(number as usize).ok_or(Refusal::NoOrder)?;
        let selling = matches!(self.state, SaleState::Open | SaleState::Paused);
        let again = order.stage == Stage::Expired && selling && self.fits_again(order);
        let order = &mut self.orders[number as usize];
        let Some(at) = usize::from(attempt).checked_sub(1) else {
            return Ok(Done::Order(number));
        };
        let latest = at + 1 == order.attempts.len();
        let Some(known) = order.attempts.get_mut(at) else {
            return Ok(Done::Order(number));
        };
        match (*known, outcome) {
            (Attempt::Captured(_), _) => {}
            (Attempt::Open, ChargeOutcome::Unknown) if latest => *known = Attempt::Unknown,
            (Attempt::Open | Attempt::Unknown, ChargeOutcome::Failed) => *known = Attempt::Failed,
            (_, ChargeOutcome::Captured(amount)) => {
                *known = Attempt::Captured(amount.0);
                let pays = amount.0 == order.total && order.kept == 0;
                if pays && (order.stage == Stage::Held || again) {
                    order.kept = attempt;
                    order.stage = Stage::Paid;
                    order.sold = true;
                } else {
                    order.send_back(amount.0, attempt);
                }
            }
            _ => {}
        }
        Ok(Done::Order(number))
    }

    fn hear_refund(&mut self, number: u32, refund: u16, outcome: RefundOutcome) -> Answer {
        let order = self
            .orders
            .get_mut(number as usize)
            .ok_or(Refusal::NoOrder)?;
        let now = self.now;
        let sold = order.is_sold();
        let at = usize::from(refund).checked_sub(1);
        let Some(known) = at.and_then(|at| order.refunds.get_mut(at)) else {
            return Ok(Done::Order(number));
        };
        let done = Done::Refund {
            order: number,
            number: refund,
        };
        match (known.state, outcome) {
            (RefundState::Pending, RefundOutcome::Refunded) => {
                known.state = RefundState::Refunded;
            }
            // Paid after all: its next try is not sent any more.
            (RefundState::Failed, RefundOutcome::Refunded) => {
                known.state = RefundState::Refunded;
                let (amount, charge) = (known.amount, known.charge);
                let fits = |refund: &Refund| refund.charge == charge && refund.amount <= amount;
                if let Some(at) = order.waiting(now, usize::from(refund), fits) {
                    order.refunds[at].state = RefundState::Failed;
                }
            }
            (RefundState::Refunded, RefundOutcome::Failed)
                if order.elsewhere || known.amount == 0 =>
            {
                return Ok(Done::Order(number));
            }
            (RefundState::Pending | RefundState::Refunded, RefundOutcome::Failed) => {
                let least = if known.state == RefundState::Refunded {
                    3_600_000
                } else {
                    0
                };
                known.state = RefundState::Failed;
                let (amount, charge, until_paid) = (known.amount, known.charge, known.until_paid);
                let failed = |refund: &&Refund| {
                    refund.charge == charge && refund.state == RefundState::Failed
                };
                let failures = order.refunds.iter().filter(failed).count() - 1;
                let wait = (60_000_u64 << failures.min(16)).min(6 * 3_600_000);
                if (until_paid || !sold) && order.left() > 0 {
                    order.try_again(amount, charge, now + wait.max(least));
                }
            }
            _ => {}
        }
        Ok(done)
    }
}
