//! What becomes of an order once it is placed: its money, its goods, its end.

use api::refund::RefundState;
use commerce::Entry;
use commerce::entry::{Fate, RefundBegun};

use super::fold::{Spot, order_of, place};
use super::rows::{Attempt, OrderRow, Phase, RefundRow, Rows};

impl Rows {
    pub(super) fn of_order(&mut self, entry: &Entry) {
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
            return self.captured(number, *attempt, amount.0, *fate);
        }
        if let Entry::RefundBegun { refund, .. } = entry {
            return self.refund_begun(number, refund);
        }
        if let Entry::Cancelled { refund, .. } = entry {
            return self.cancelled(number, refund.as_ref());
        }
        let Some(row) = self.orders.get_mut(number) else {
            return;
        };
        match entry {
            Entry::PayBegun { .. } => row.attempts.push(Attempt::Charging),
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
            Entry::Shipped { .. } => row.phase = Phase::Shipped,
            Entry::Delivered { .. } => row.phase = Phase::Delivered,
            _ => {}
        }
    }

    fn captured(&mut self, order: usize, attempt: u16, amount: i64, fate: Fate) {
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
            Fate::Deposit | Fate::DepositAgain => row.phase = Phase::Held,
        }
    }

    fn return_line(&mut self, order: usize, line: usize, units: i64, restocked: bool) {
        let row = self
            .orders
            .get_mut(order)
            .and_then(|row| row.lines.get_mut(line));
        let Some(row) = row else { return };
        row.returned += units;
        if restocked {
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
        for line in 0..self.orders[order].lines.len() {
            let row = &self.orders[order].lines[line];
            self.return_line(order, line, row.units - row.returned, true);
        }
        self.orders[order].phase = Phase::Cancelled;
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
    if refund.state == RefundState::Pending {
        row.pending -= refund.amount;
    }
    if state == RefundState::Refunded {
        row.refunded += refund.amount;
    }
    refund.state = state;
}
