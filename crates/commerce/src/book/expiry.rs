//! Holds that run out: in due order, a bounded number at a time, never visible late.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use ledger::Violation;

use super::Book;
use super::order::{Order, Phase, SeatIn};
use crate::Time;
use crate::deal::LapsedBalance;
use crate::entry::{Entry, RefundBegun};
use crate::offer::Lapse;
use crate::plan::{SaleState, Turn};
use stdx::chunks::Chunks;

/// Deadlines of held orders. Orders that were paid or given up leave a stale place; a stale place is never in front, and
/// is swept out when half of the places are stale.
#[derive(Debug, Default)]
pub(crate) struct Due {
    heap: BinaryHeap<Reverse<(Time, u32)>>,
}

impl Due {
    pub(crate) fn push(&mut self, deadline: Time, order: u32) {
        self.heap.push(Reverse((deadline, order)));
    }

    /// The earliest deadline of a hold.
    pub(crate) fn first(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// All deadlines, stale ones too.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Time, u32)> {
        self.heap.iter().map(|Reverse(place)| *place)
    }

    /// Takes the next order whose hold is due, skipping stale places.
    fn pop(&mut self, now: Time, orders: &Chunks<Order>) -> Option<u32> {
        let now = match stdx::mutants::is("expiry-a-second-early") {
            true => now.after_ms(1_000),
            false => now,
        };
        while self.first().is_some_and(|deadline| deadline <= now) {
            let place = self.heap.pop()?;
            // The deadline of a paid deposit may be the very moment at which the hold would have ended anyway.
            while self.heap.peek() == Some(&place) {
                self.heap.pop();
            }
            let Reverse((deadline, number)) = place;
            // A hold that lives longer has a later place, and must not be taken from both.
            let its_place = |order: &Order| order.deadline() == deadline && order.is_due(now);
            if orders.get(number).is_some_and(its_place) {
                return Some(number);
            }
        }
        None
    }

    /// Drops stale places: those in front, so that [`Due::first`] is the deadline of a hold, and all once they are the
    /// greater half.
    fn tidy(&mut self, held: u32, orders: &Chunks<Order>) {
        let is_held = |&Reverse((deadline, number)): &Reverse<(Time, u32)>| {
            let order = orders
                .get(number)
                .filter(|order| order.phase == Phase::Held);
            // A hold that was extended has a later place.
            order.is_some_and(|order| order.deadline() == deadline)
        };
        while self.heap.peek().is_some_and(|place| !is_held(place)) {
            self.heap.pop();
        }
        if self.heap.len() > 2 * held as usize + 1024 {
            self.heap.retain(is_held);
            self.heap.shrink_to(held as usize + held as usize / 4);
        }
    }
}

/// What becomes of a hold whose time is up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// A payment is in flight: it lives so many milliseconds longer, once.
    Extended(u32),
    /// Its balance was not paid.
    Lapsed(LapsedBalance),
    /// It was not paid.
    Expired,
}

impl Book {
    /// Moves the book to `now`: opens or closes the sale by its window, lets at most `most` due holds expire, and moves
    /// what is due of its sagas.
    /// Runs before the decisions of a batch.
    ///
    /// # Errors
    /// [`Violation`] when an invariant would break.
    pub fn tick(&mut self, now: Time, most: usize, out: &mut Vec<Entry>) -> Result<(), Violation> {
        self.tick_window(now, out)?;
        self.sweep(now, most, out)?;
        self.tick_teams(now, most, out)?;
        self.tick_line(now, most, out)?;
        self.tick_sagas(now, most, out)
    }

    /// Opens or closes the sale by its window.
    ///
    /// # Errors
    /// [`Violation`] when an invariant would break.
    pub fn tick_window(&mut self, now: Time, out: &mut Vec<Entry>) -> Result<(), Violation> {
        while let Some(to) = self.window_step(now) {
            let entry = Entry::Turned { to, key: None };
            self.apply(now, &entry)?;
            out.push(entry);
        }
        Ok(())
    }

    /// When the book next has something to do by itself: a window's edge, a due hold, a saga's next attempt.
    pub fn next_due(&self) -> Option<Time> {
        let window = self.terms.as_ref().and_then(|terms| match terms.state {
            SaleState::Scheduled => terms.window.opens,
            SaleState::Open | SaleState::Paused if stdx::mutants::is("window-never-closes") => None,
            SaleState::Open | SaleState::Paused => terms.window.closes,
            SaleState::Draft | SaleState::Closed | SaleState::Retired => None,
        });
        let teams = self.teams.next_due(self.time);
        let line = self.line_is_ready().then_some(self.time);
        let next = [window, self.due.first(), teams, line, self.saga_due()];
        next.into_iter().flatten().min()
    }

    /// Whether a hold is due that was not swept yet.
    pub fn has_due(&self, now: Time) -> bool {
        self.due.first().is_some_and(|deadline| deadline <= now)
    }

    /// Lets at most `most` due holds expire, in due order.
    pub(crate) fn sweep(
        &mut self,
        now: Time,
        most: usize,
        out: &mut Vec<Entry>,
    ) -> Result<(), Violation> {
        let (mut expired, mut lapsed) = (Vec::new(), Vec::new());
        let mut extended = BTreeMap::<u32, Vec<u32>>::new();
        for _ in 0..most {
            let Some(number) = self.due.pop(now, &self.orders) else {
                break;
            };
            match self.over(number) {
                Over::Extended(by_ms) => extended.entry(by_ms).or_default().push(number),
                Over::Lapsed(balance) => lapsed.push(balance),
                Over::Expired => expired.push(number),
            }
        }
        let extended = extended
            .into_iter()
            .map(|(by_ms, orders)| Entry::HoldsExtended { orders, by_ms });
        let lapsed = (!lapsed.is_empty()).then_some(Entry::BalanceLapsed { orders: lapsed });
        let expired = (!expired.is_empty()).then_some(Entry::Expired { orders: expired });
        for entry in extended.chain(lapsed).chain(expired) {
            self.apply(now, &entry)?;
            out.push(entry);
        }
        Ok(())
    }

    /// What becomes of a hold whose time is up.
    pub(crate) fn over(&self, number: u32) -> Over {
        let Some(order) = self.orders.get(number) else {
            return Over::Expired;
        };
        let deposit = order.dues().filter(|dues| dues.paid != 0);
        let grace = match deposit {
            Some(kept) => kept.dues.grace_ms,
            None => self.offer().map_or(0, |offer| offer.holds.grace_ms),
        };
        let fresh = order
            .extra
            .as_ref()
            .is_none_or(|extra| extra.extended_ms == 0)
            || stdx::mutants::is("hold-extended-for-ever");
        let hurries = match deposit {
            Some(_) => stdx::mutants::is("balance-lapses-in-flight"),
            None => stdx::mutants::is("hold-never-waits"),
        };
        if grace > 0 && fresh && order.is_charging() && !hurries {
            return Over::Extended(grace);
        }
        let Some(kept) = deposit else {
            return Over::Expired;
        };
        let refund = match kept.dues.lapse {
            Lapse::Forfeit => None,
            Lapse::Refund if stdx::mutants::is("deposit-kept-against-the-rule") => None,
            Lapse::Refund => order.charges_left().pop().and_then(|(charge, amount)| {
                let refund = order.own_refund(number, amount)?;
                amount
                    .is_positive()
                    .then_some(RefundBegun { charge, ..refund })
            }),
        };
        Over::Lapsed(LapsedBalance {
            order: number,
            refund,
        })
    }

    pub(crate) fn apply_extended(&mut self, orders: &[u32], by_ms: u32) -> Result<(), Violation> {
        for &number in orders {
            let order = self.order_mut(number)?;
            if order.phase != Phase::Held {
                let ended = format!("order {number} holds nothing to extend");
                return Err(Violation::new("INV-3", ended));
            }
            // Its deadline would not move any more, and whoever looks for what is due would look for ever.
            if order.extra_mut().extended_ms != 0 {
                let again = format!("the hold of order {number} is extended twice");
                return Err(Violation::new("INV-5", again));
            }
            order.extra_mut().extended_ms = by_ms;
            let deadline = order.deadline();
            self.due.push(deadline, number);
        }
        self.tidy_due();
        Ok(())
    }

    pub(crate) fn apply_lapsed(
        &mut self,
        now: Time,
        orders: &[LapsedBalance],
    ) -> Result<(), Violation> {
        for lapsed in orders {
            self.release(lapsed.order, Phase::Expired)?;
            self.tally.expired += 1;
            match &lapsed.refund {
                Some(refund) => self.begin_own_refund(now, refund)?,
                None => self.forfeit(lapsed.order)?,
            }
        }
        self.tidy_due();
        Ok(())
    }

    /// The deposit stays with the merchant, where the rule says so and the buyer's bank did not take all of it before.
    pub(crate) fn forfeit(&mut self, number: u32) -> Result<(), Violation> {
        let extra = self.order_mut(number)?.extra_mut();
        let left = extra.funds.left().is_positive();
        if let Some(kept) = &mut extra.dues {
            kept.forfeited = left && kept.dues.lapse == Lapse::Forfeit;
        }
        Ok(())
    }

    /// What the window alone makes of the sale now. A sale whose opening was moved into the future waits for it again.
    pub(crate) fn window_step(&self, now: Time) -> Option<SaleState> {
        let terms = self.terms.as_ref()?;
        let closes = terms.window.closes.is_some_and(|closes| now >= closes)
            && !stdx::mutants::is("window-never-closes");
        let early = terms.window.opens.is_some_and(|opens| now < opens);
        match terms.state {
            SaleState::Scheduled | SaleState::Open | SaleState::Paused if closes => {
                Some(SaleState::Closed)
            }
            SaleState::Scheduled if !early => Some(SaleState::Open),
            SaleState::Open if early => Some(SaleState::Scheduled),
            _ => None,
        }
    }

    pub(crate) fn apply_expired(&mut self, orders: &[u32]) -> Result<(), Violation> {
        for &number in orders {
            self.release(number, Phase::Expired)?;
            self.tally.expired += 1;
            let buyer = self.order_mut(number)?.buyer;
            self.buyers.lapse(buyer);
        }
        self.due.tidy(self.tally.held, &self.orders);
        Ok(())
    }

    /// Ends a held order without a sale: its units are free, its buyer's limits are given back.
    pub(crate) fn release(&mut self, number: u32, phase: Phase) -> Result<(), Violation> {
        let Self {
            orders,
            skus,
            buyers,
            coupons,
            ..
        } = self;
        let twice = || Violation::new("INV-3", format!("order {number} is not held"));
        let order = orders
            .get_mut(number)
            .filter(|order| order.phase == Phase::Held)
            .ok_or_else(twice)?;
        let goods = order.seat.has_goods();
        for line in order.lines.as_mut_slice() {
            let sku = skus.get_mut(line.sku as usize).ok_or_else(twice)?;
            if goods {
                let hold = line.hold.take().ok_or_else(twice)?;
                sku.units.release(hold)?;
            }
            if phase == Phase::Expired && stdx::mutants::is("limit-kept-after-expiry") {
                continue;
            }
            buyers.give_back(order.buyer, line.sku, line.units.get(), sku.limited())?;
        }
        if !order.has_deposit() {
            buyers.close(order.buyer);
        }
        order.phase = phase;
        if !stdx::mutants::is("coupon-not-given-back") {
            coupons.give_back(order.buyer, order.coupons());
        }
        let (seat, charging) = (order.seat, order.is_charging());
        self.tally.held -= 1;
        if seat == SeatIn::NONE {
            return Ok(());
        }
        self.count_charging(seat, charging, false)?;
        self.leave_seat(number)
    }

    pub(crate) fn tidy_due(&mut self) {
        self.due.tidy(self.tally.held, &self.orders);
    }
}

impl Turn {
    /// The step in words, for refusals.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Open => "it cannot open",
            Self::Pause => "it cannot pause",
            Self::Close => "it cannot close",
            Self::Retire => "it must be closed, with no hold, no payment and no saga under way",
        }
    }
}
