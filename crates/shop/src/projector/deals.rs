//! What entries do to orders that are more than their lines: seats, dues, draws.

use api::order::OrderEventKind;
use commerce::book::ChargeView;
use commerce::deal::{Deal, Settled};
use commerce::entry::{Fate, RefundBegun};
use commerce::price::PriceLine;
use storage::models::{DealRow, DuesRow};

use super::orders::{Folding, has_deposit};
use super::shelf::{Shelf, Spot};
use super::teams::Seats;
use super::words::{DRAWS, Draw, OFFS, Phase, SEATS, SeatWord, number, value};
use crate::wire;

/// What an order has beyond its lines, as it begins; `None` where it is nothing that is shown.
pub(super) fn deal_row(deal: &Deal, draws: bool) -> Option<Box<DealRow>> {
    let draw = match draws {
        true => Draw::Bare,
        false => Draw::None,
    };
    let off: Vec<_> = deal.price.iter().filter_map(off_row).collect();
    if deal.seat.is_none() && deal.dues.is_none() && off.is_empty() {
        return None;
    }
    Some(Box::new(DealRow {
        team: deal.seat.as_ref().map(|seat| seat.team),
        seat: number(SEATS, &SeatWord::None),
        draw: number(DRAWS, &draw),
        off,
        difference: 0,
        dues: deal.dues.map(|dues| DuesRow {
            deposit: dues.deposit.0,
            from_ms: dues.from.0,
            until_ms: dues.until.0,
            paid: false,
            whole: false,
            forfeited: false,
        }),
    }))
}

/// Something off a price, as a row has it.
pub(crate) fn off_row(line: &PriceLine) -> Option<(u8, Option<u32>, i64)> {
    let off = wire::off(line)?;
    Some((number(OFFS, &off.why), off.number, off.amount_minor))
}

impl Folding<'_> {
    /// The capture pays the order, or its deposit.
    pub(super) fn kept(&mut self, attempt: u16, amount: i64, fate: Fate) -> Result<(), String> {
        let again = matches!(fate, Fate::KeptAgain | Fate::DepositAgain)
            && !stdx::mutants::is("projector-takes-late-payment-from-held");
        let from = if again { Spot::Available } else { Spot::Held };
        if matches!(fate, Fate::KeptAgain | Fate::DepositAgain) {
            self.move_seat(|seats, was| Ok(seats.take(was)))?;
        }
        if matches!(fate, Fate::Deposit | Fate::DepositAgain) {
            return self.deposited(attempt, amount, from);
        }
        self.shift_lines(from, Spot::Sold)?;
        self.set_phase(Phase::Paid)?;
        self.set_charge(ChargeView::Captured);
        if let Some(dues) = self.dues_mut() {
            dues.whole = true;
        }
        self.payment_event(OrderEventKind::PaymentCaptured, attempt, Some(amount));
        self.move_seat(|seats, _| seats.post())
    }

    /// The deposit is paid: the units stay held until the balance is due.
    pub(super) fn deposited(
        &mut self,
        attempt: u16,
        amount: i64,
        from: Spot,
    ) -> Result<(), String> {
        if from == Spot::Available {
            self.shift_lines(from, Spot::Held)?;
            self.set_phase(Phase::Held)?;
        }
        if self.row.attempt == attempt {
            self.set_charge(ChargeView::None);
        }
        let dues = self
            .dues_mut()
            .ok_or("a deposit of an order without dues")?;
        dues.paid = true;
        self.row.deadline_ms = dues.until_ms;
        self.payment_event(OrderEventKind::DepositPaid, attempt, Some(amount));
        Ok(())
    }

    pub(super) fn authorised(&mut self, attempt: u16, amount: i64) {
        if self.row.attempt == attempt && self.is_charging() {
            self.set_charge(ChargeView::Authorised);
        }
        self.payment_event(OrderEventKind::PaymentAuthorised, attempt, Some(amount));
    }

    pub(super) fn extended(&mut self, by_ms: u32) {
        self.row.deadline_ms = self.row.deadline_ms.saturating_add(by_ms.into());
        self.event(OrderEventKind::HoldExtended, None, None, None);
    }

    /// The balance was not paid in time; without a refund the deposit is the merchant's.
    pub(super) fn lapsed(&mut self, refund: Option<&RefundBegun>) -> Result<(), String> {
        self.end_held(Phase::Expired)?;
        self.units_event(OrderEventKind::BalanceLapsed);
        match refund {
            Some(refund) => self.own_refund(refund),
            None => self.forfeit(),
        }
    }

    /// The deposit is the merchant's, unless the buyer's bank took all of it before: then there is nothing to be kept.
    pub(super) fn forfeit(&mut self) -> Result<(), String> {
        let row = &*self.row;
        let left = row.captured - row.refunded - row.refund_pending - row.charged_back;
        let dues = self
            .dues_mut()
            .ok_or("a deposit is kept that was never asked for")?;
        dues.forfeited = left > 0;
        Ok(())
    }

    /// An order with dues was given up.
    pub(super) fn given_up(&mut self, refunds: &[RefundBegun]) -> Result<(), String> {
        self.units_event(OrderEventKind::Cancelled);
        let held = self.phase()? == Phase::Held;
        let keeps = held && has_deposit(self.row) && refunds.is_empty();
        if held {
            self.end_held(Phase::Cancelled)?;
        }
        refunds
            .iter()
            .try_for_each(|refund| self.refund_begun(refund))?;
        if keeps {
            return self.forfeit();
        }
        match held {
            true => Ok(()),
            false => self.give_up_sold(),
        }
    }

    /// What the end of its team means for it.
    pub(super) fn team_settled(&mut self, settled: &Settled) -> Result<(), String> {
        match settled {
            Settled::Nothing { .. } | Settled::Stands { .. } => Ok(()),
            Settled::Voided { .. } => {
                self.units_event(OrderEventKind::Cancelled);
                self.end_held(Phase::Cancelled)
            }
            Settled::GivenUp { refund, .. } => {
                self.units_event(OrderEventKind::Cancelled);
                refund
                    .as_ref()
                    .map_or(Ok(()), |refund| self.own_refund(refund))?;
                self.give_up_sold()
            }
            Settled::Difference(refund) => self.repriced(refund),
            Settled::Won { .. } => {
                self.with_seats(|seats, shelf| seats.win(shelf))?;
                let deal = self.row.deal.as_mut().ok_or("a prize for a plain order")?;
                deal.draw = number(DRAWS, &Draw::Won);
                self.units_event(OrderEventKind::Won);
                Ok(())
            }
        }
    }

    /// The price is that of the tier at the end, and the difference goes back.
    pub(super) fn repriced(&mut self, refund: &RefundBegun) -> Result<(), String> {
        let amount = refund.amount.0;
        self.event(OrderEventKind::TeamSettled, Some(amount), None, None);
        self.own_refund(refund)?;
        let last = self.with_seats(|seats, shelf| seats.last_price(shelf))?;
        if let ([line], Some(Some(last))) = (&mut self.row.lines[..], last) {
            line.price = last.0;
        }
        let deal = self
            .row
            .deal
            .as_mut()
            .ok_or("a difference of a plain order")?;
        deal.difference += amount;
        Ok(())
    }

    /// A refund that nobody asked for, over what a charge took.
    pub(super) fn own_refund(&mut self, refund: &RefundBegun) -> Result<(), String> {
        self.refund_begun(refund)?;
        if let Some(last) = self.row.refunds.last_mut() {
            last.automatic = true;
        }
        Ok(())
    }

    pub(super) fn dues_mut(&mut self) -> Option<&mut DuesRow> {
        self.row.deal.as_mut()?.dues.as_mut()
    }

    /// Does something to the team; nothing for an order without one.
    pub(super) fn with_seats<T>(
        &mut self,
        act: impl FnOnce(&mut Seats<'_>, &mut Shelf) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let at = self.at;
        let Some(team) = &mut self.team else {
            return Ok(None);
        };
        act(&mut Seats { team, at }, self.shelf).map(Some)
    }

    /// An order takes its seat as it is placed; one that is paid already pays it.
    pub(super) fn seated(&mut self) -> Result<(), String> {
        self.move_seat(|seats, was| Ok(seats.take(was)))?;
        match self.phase()? {
            Phase::Paid => self.move_seat(|seats, _| seats.post()),
            _ => Ok(()),
        }
    }

    /// Moves the order's seat, if it has one.
    pub(super) fn move_seat(
        &mut self,
        act: impl FnOnce(&mut Seats<'_>, SeatWord) -> Result<SeatWord, String>,
    ) -> Result<(), String> {
        let was = self.row.deal.as_ref().map_or(0, |deal| deal.seat);
        let was = value(SEATS, was).ok_or("a seat that is none")?;
        let is = self.with_seats(|seats, _| act(seats, was))?;
        if let (Some(is), Some(deal)) = (is, self.row.deal.as_mut()) {
            deal.seat = number(SEATS, &is);
        }
        Ok(())
    }
}
