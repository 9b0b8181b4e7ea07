//! What becomes of an order once it is placed: its money, its goods, its end.

use api::refund::RefundState;
use commerce::Entry;
use commerce::deal::LapsedBalance;
use commerce::entry::{Fate, RefundBegun};

use super::fold::{Spot, order_of, place};
use super::rows::{Attempt, OrderRow, Phase, RefundRow, Rows};

impl Rows {
    pub(super) fn of_order(&mut self, time: u64, entry: &Entry) {
        let Some(number) = order_of(entry).map(place) else {
            return;
        };
        self.touched.0.push(number);
        if let Entry::Captured {
            attempt,
            amount,
            fate,
            ..
        } = entry
        {
            return self.captured(time, number, (*attempt, amount.0), *fate);
        }
        if let Entry::RefundBegun { refund, .. } = entry {
            self.refund_begun(number, refund);
            return self.seat_given_back(number);
        }
        if let Entry::RefundsBegun { refunds, .. } = entry {
            for refund in refunds {
                self.refund_begun(number, refund);
            }
            return;
        }
        if let Entry::GivenUp { refunds, .. } = entry {
            return self.given_up(number, refunds);
        }
        if let Entry::Cancelled { refund, .. } = entry {
            return self.cancelled(number, refund.as_ref());
        }
        if let Entry::ShippedInPart { rest, .. } = entry {
            self.own_refund(number, rest);
        }
        let Some(row) = self.orders.get_mut(number) else {
            return;
        };
        match entry {
            Entry::PayBegun { .. } => {
                row.begun_for.push(row.next_due());
                row.attempts.push(Attempt::Charging);
            }
            Entry::ChargeAuthorised { attempt, .. } => set(row, *attempt, Attempt::Authorised),
            Entry::ChargeFailed { attempt, .. } => set(row, *attempt, Attempt::Failed),
            Entry::ChargeUnknown { attempt, .. } => set(row, *attempt, Attempt::Unknown),
            Entry::Refunded { number, .. } => end_refund(row, *number, RefundState::Refunded),
            Entry::RefundFailed { number, again, .. } => {
                end_refund(row, *number, RefundState::Failed);
                if let Some(again) = again {
                    push_refund(row, again.amount.0, again.charge);
                }
            }
            Entry::ChargedBack { amount, .. } => row.charged_back += amount.0,
            Entry::Shipped { .. } | Entry::ShippedInPart { .. } => row.phase = Phase::Shipped,
            Entry::Delivered { .. } => row.phase = Phase::Delivered,
            _ => {}
        }
    }

    fn captured(&mut self, time: u64, order: usize, (attempt, amount): (u16, i64), fate: Fate) {
        match fate {
            Fate::Kept => self.shift_order(order, Spot::Held, Spot::Sold),
            Fate::KeptAgain => self.shift_order(order, Spot::Free, Spot::Sold),
            Fate::DepositAgain => self.shift_order(order, Spot::Free, Spot::Held),
            Fate::Deposit | Fate::GoesBack { .. } => {}
        }
        let Some(row) = self.orders.get_mut(order) else {
            return;
        };
        row.captured += amount;
        let kept = !matches!(fate, Fate::GoesBack { .. });
        set(row, attempt, Attempt::Captured { amount, kept });
        match fate {
            Fate::GoesBack { amount, .. } => push_refund(row, amount.0, attempt),
            Fate::Kept | Fate::KeptAgain => row.phase = Phase::Paid,
            Fate::Deposit | Fate::DepositAgain => {
                row.phase = Phase::Held;
                row.extended_ms = 0;
                set(row, attempt, Attempt::Deposit { amount });
                if let Some(dues) = &mut row.dues {
                    dues.paid = attempt;
                }
            }
        }
        if matches!(fate, Fate::KeptAgain | Fate::DepositAgain) {
            self.lapse(order, -1);
        }
        if matches!(fate, Fate::Kept | Fate::KeptAgain) {
            self.seat_paid(time, order);
        }
    }

    /// An order with dues is given up.
    fn given_up(&mut self, order: usize, refunds: &[RefundBegun]) {
        let Some(row) = self.orders.get_mut(order) else {
            return;
        };
        if row.phase == Phase::Held {
            let deposit = row.has_deposit();
            let stays = deposit && refunds.is_empty() && row.left() > 0;
            if let Some(dues) = &mut row.dues {
                dues.forfeited = stays;
            }
            self.end_hold(order, Phase::Cancelled);
            for refund in refunds {
                self.refund_begun(order, refund);
            }
            return;
        }
        for refund in refunds {
            self.refund_begun(order, refund);
        }
        self.give_all_back(order);
    }

    /// A balance was not paid in time.
    pub(super) fn balance_lapsed(&mut self, lapsed: &LapsedBalance) {
        let order = place(lapsed.order);
        self.end_hold(order, Phase::Expired);
        match &lapsed.refund {
            Some(refund) => self.own_refund(order, refund),
            None => {
                let Some(row) = self.orders.get_mut(order) else {
                    return;
                };
                let stays = row.left() > 0;
                if let Some(dues) = &mut row.dues {
                    dues.forfeited = stays;
                }
            }
        }
    }

    /// A refund that the house begins by itself.
    pub(super) fn own_refund(&mut self, order: usize, refund: &RefundBegun) {
        self.refund_begun(order, refund);
        let row = self.orders.get_mut(order);
        if let Some(begun) = row.and_then(|row| row.refunds.last_mut()) {
            begun.automatic = true;
        }
        self.touched.0.push(order);
    }

    /// A paid order is given up whole: all units go back.
    pub(super) fn give_all_back(&mut self, order: usize) {
        let lines = self.orders.get(order).map_or(0, |row| row.lines.len());
        for line in 0..lines {
            let row = &self.orders[order].lines[line];
            self.return_line(order, line, row.units - row.returned, true);
        }
        if let Some(row) = self.orders.get_mut(order) {
            row.phase = Phase::Cancelled;
            self.touched.0.push(order);
        }
        self.seat_gone(order);
    }

    fn return_line(&mut self, order: usize, line: usize, units: i64, restocked: bool) {
        let bare = self.orders.get(order).is_some_and(|row| row.bare);
        let row = self
            .orders
            .get_mut(order)
            .and_then(|row| row.lines.get_mut(line));
        let Some(row) = row else { return };
        row.returned += units;
        if restocked && !bare {
            row.restocked += units;
            let sku = row.sku;
            self.shift(sku, units, Spot::Sold, Spot::Free);
        }
    }

    fn refund_begun(&mut self, order: usize, refund: &RefundBegun) {
        for &(line, units) in &refund.lines {
            self.return_line(order, line.into(), units.into(), refund.restocked);
        }
        let Some(row) = self.orders.get_mut(order) else {
            return;
        };
        push_refund(row, refund.amount.0, refund.charge);
        let units: i64 = refund
            .lines
            .iter()
            .map(|(_, units)| i64::from(*units))
            .sum();
        if let Some(begun) = row.refunds.last_mut() {
            begun.automatic = false;
            begun.elsewhere = refund.elsewhere;
            begun.units_restocked = if refund.restocked { units } else { 0 };
        }
        if refund.elsewhere && refund.amount.0 > 0 {
            end_refund(row, refund.number, RefundState::Refunded);
        }
    }

    fn cancelled(&mut self, order: usize, refund: Option<&RefundBegun>) {
        let Some(row) = self.orders.get(order) else {
            return;
        };
        if row.phase == Phase::Held {
            return self.end_hold(order, Phase::Cancelled);
        }
        if let Some(refund) = refund {
            self.refund_begun(order, refund);
        }
        self.give_all_back(order);
    }
}

fn set(row: &mut OrderRow, attempt: u16, to: Attempt) {
    if let Some(known) = row.attempts.get_mut(usize::from(attempt).wrapping_sub(1)) {
        *known = to;
    }
}

/// A refund that nobody asked for, until more is known of it.
fn push_refund(row: &mut OrderRow, amount: i64, charge: u16) {
    row.pending += amount;
    row.refunds.push(RefundRow {
        amount,
        charge,
        state: RefundState::Pending,
        automatic: true,
        elsewhere: false,
        units_restocked: 0,
    });
    if amount == 0 {
        let number = u16::try_from(row.refunds.len()).unwrap_or(u16::MAX);
        end_refund(row, number, RefundState::Refunded);
    }
}

fn end_refund(row: &mut OrderRow, number: u16, state: RefundState) {
    let Some(refund) = row.refunds.get_mut(usize::from(number).wrapping_sub(1)) else {
        return;
    };
    match refund.state {
        RefundState::Pending => row.pending -= refund.amount,
        RefundState::Refunded => row.refunded -= refund.amount,
        RefundState::Failed => {}
    }
    if state == RefundState::Refunded {
        row.refunded += refund.amount;
    }
    refund.state = state;
}
