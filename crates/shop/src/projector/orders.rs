//! What an entry does to the rows of an order, and to the units and counts of its sale.

use api::RefundId;
use api::order::{OrderEventKind, OrderState};
use api::refund::RefundState;
use commerce::book::ChargeView;
use commerce::deal::LineOffer;
use commerce::entry::{Again, Fate, Placed, RefundBegun};
use storage::models::{
    DealRow, EventRow, LineRow, OrderKey, OrderRow, RefundRow, SaleRow, TeamRow,
};

use super::shelf::{Shelf, Spot};
use super::words::{
    CHARGES, DRAWS, Draw, EVENTS, ORDER_STATES, PHASES, Phase, REFUND_STATES, number, value,
};
use crate::wire;

/// The batch that an entry is in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) sequence: u64,
    pub(super) time_ms: u64,
}

/// The row of an order that was just placed, with what it has beyond its lines.
pub(super) fn placed(
    shelf: &mut Shelf,
    at: Moment,
    placed: &Placed,
    deal: Option<Box<DealRow>>,
) -> Result<OrderRow, String> {
    let charge = match (&placed.paid, placed.total.0) {
        (Some(_), _) => ChargeView::Elsewhere,
        (None, 0) => ChargeView::Free,
        (None, _) => ChargeView::None,
    };
    let lines = placed.lines.as_slice().iter().map(|line| LineRow {
        sku: line.sku,
        units: line.units,
        price: line.price.0,
        returned: 0,
    });
    let new = New {
        order: placed.order,
        buyer: placed.buyer().map(|buyer| (&**buyer).into()),
        charge,
        total: placed.total.0,
        hold_ms: placed.hold_ms,
        lines: lines.collect(),
        deal,
    };
    let mut row = added(shelf, at, new)?;
    if charge == ChargeView::Elsewhere {
        row.captured = row.total;
    }
    row.paid.clone_from(&placed.paid);
    row.state = number(ORDER_STATES, &state(&row));
    Ok(row)
}

/// The row of an order that was made for the next in line.
pub(super) fn offered(
    shelf: &mut Shelf,
    at: Moment,
    offer: &LineOffer,
    (sku, buyer): (u32, &str),
) -> Result<OrderRow, String> {
    let line = LineRow {
        sku,
        units: offer.units,
        price: offer.price.0,
        returned: 0,
    };
    let charge = match offer.total.0 {
        0 => ChargeView::Free,
        _ => ChargeView::None,
    };
    let new = New {
        order: offer.order,
        buyer: Some(buyer.into()),
        charge,
        total: offer.total.0,
        hold_ms: offer.hold_ms,
        lines: vec![line],
        deal: None,
    };
    added(shelf, at, new)
}

/// What is known of an order that begins.
struct New {
    order: u32,
    buyer: Option<Box<str>>,
    charge: ChargeView,
    total: i64,
    hold_ms: u32,
    lines: Vec<LineRow>,
    deal: Option<Box<DealRow>>,
}

/// Counts an order, moves its units, and makes its row.
fn added(shelf: &mut Shelf, at: Moment, new: New) -> Result<OrderRow, String> {
    let (phase, spot) = match new.charge {
        ChargeView::None => (Phase::Held, Spot::Held),
        _ => (Phase::Paid, Spot::Sold),
    };
    let mut units = 0;
    for line in &new.lines {
        if has_goods(new.deal.as_deref()) {
            shelf.shift(line.sku, line.units.into(), Spot::Available, spot)?;
        }
        units += u64::from(line.units);
    }
    shelf.sale.orders_placed += 1;
    *orders_in(&mut shelf.sale, phase) += 1;
    let mut row = OrderRow {
        key: OrderKey {
            sale: shelf.sale.sale,
            number: new.order,
        },
        buyer: new.buyer,
        state: 0,
        phase: number(PHASES, &phase),
        charge: number(CHARGES, &new.charge),
        attempt: 0,
        total: new.total,
        captured: 0,
        refunded: 0,
        refund_pending: 0,
        charged_back: 0,
        placed_ms: at.time_ms,
        deadline_ms: at.time_ms.saturating_add(new.hold_ms.into()),
        units,
        sequence: at.sequence,
        events: 1,
        paid: None,
        lines: new.lines,
        refunds: Vec::new(),
        deal: new.deal,
    };
    row.state = number(ORDER_STATES, &state(&row));
    Ok(row)
}

/// Whether units move with the order: those of a lottery team are prizes, which the team holds.
fn has_goods(deal: Option<&DealRow>) -> bool {
    deal.is_none_or(|deal| value(DRAWS, deal.draw) != Some(Draw::Bare))
}

pub(super) fn has_deposit(row: &OrderRow) -> bool {
    let dues = row.deal.as_ref().and_then(|deal| deal.dues);
    dues.is_some_and(|dues| dues.paid && !dues.whole)
}

/// The first event of an order, which follows from its row.
pub(super) fn first_event(row: &OrderRow) -> EventRow {
    let kind = match row.paid {
        Some(_) => OrderEventKind::PlacedPaid,
        None => OrderEventKind::Placed,
    };
    EventRow {
        order: row.key,
        number: 0,
        sequence: row.sequence,
        at_ms: row.placed_ms,
        kind: number(EVENTS, &kind),
        amount: Some(row.total),
        units: Some(saturated(row.units)),
        reference: row.paid.clone(),
    }
}

/// Where an order stands, from its row.
fn state(row: &OrderRow) -> OrderState {
    let has_units = row.lines.iter().any(|line| line.returned < line.units);
    let given_back = row.refunded == row.captured && (row.refunded > 0 || !has_units);
    match value(PHASES, row.phase) {
        Some(Phase::Held) => match value(CHARGES, row.charge) {
            Some(ChargeView::Charging | ChargeView::Unknown | ChargeView::Authorised) => {
                OrderState::Paying
            }
            _ if has_deposit(row) => OrderState::Deposited,
            _ => OrderState::Held,
        },
        Some(Phase::Paid | Phase::Shipped | Phase::Delivered) if given_back => OrderState::Refunded,
        Some(Phase::Paid) => OrderState::Paid,
        Some(Phase::Shipped) => OrderState::Shipped,
        Some(Phase::Delivered) => OrderState::Delivered,
        Some(Phase::Cancelled) => OrderState::Cancelled,
        Some(Phase::Expired) | None => OrderState::Expired,
    }
}

/// An order that something happens to.
pub(super) struct Folding<'a> {
    pub(super) row: &'a mut OrderRow,
    pub(super) events: &'a mut Vec<EventRow>,
    pub(super) shelf: &'a mut Shelf,
    /// Its team, if it has one.
    pub(super) team: Option<TeamRow>,
    pub(super) at: Moment,
}

impl Folding<'_> {
    pub(super) fn pay_begun(&mut self, attempt: u16, amount: i64) {
        self.row.attempt = attempt;
        self.set_charge(ChargeView::Charging);
        self.payment_event(OrderEventKind::PaymentStarted, attempt, Some(amount));
    }

    pub(super) fn captured(&mut self, attempt: u16, amount: i64, fate: Fate) -> Result<(), String> {
        self.row.captured += amount;
        let Fate::GoesBack {
            refund,
            amount: back,
        } = fate
        else {
            return self.kept(attempt, amount, fate);
        };
        if self.row.attempt == attempt && self.is_charging() {
            self.set_charge(ChargeView::Failed);
        }
        self.payment_event(OrderEventKind::PaymentReturned, attempt, Some(amount));
        self.send_back(refund, back.0)
    }

    pub(super) fn charge_failed(&mut self, attempt: u16) {
        if self.row.attempt == attempt && self.is_charging() {
            self.set_charge(ChargeView::Failed);
        }
        self.payment_event(OrderEventKind::PaymentFailed, attempt, None);
    }

    pub(super) fn charge_unknown(&mut self, attempt: u16) {
        if self.row.attempt == attempt && self.is_charging() {
            self.set_charge(ChargeView::Unknown);
        }
        self.payment_event(OrderEventKind::PaymentUnknown, attempt, None);
    }

    pub(super) fn expired(&mut self) -> Result<(), String> {
        self.units_event(OrderEventKind::Expired);
        self.end_held(Phase::Expired)
    }

    /// A hold ends without a sale.
    pub(super) fn end_held(&mut self, phase: Phase) -> Result<(), String> {
        self.shift_lines(Spot::Held, Spot::Available)?;
        self.set_phase(phase)?;
        self.move_seat(|seats, was| seats.leave(was))
    }

    pub(super) fn cancelled(&mut self, refund: Option<&RefundBegun>) -> Result<(), String> {
        self.units_event(OrderEventKind::Cancelled);
        if self.phase()? == Phase::Held {
            return self.end_held(Phase::Cancelled);
        }
        if let Some(refund) = refund {
            self.refund_begun(refund)?;
        }
        self.give_up_sold()
    }

    /// Ends a paid order: what is left of its units goes back on sale.
    pub(super) fn give_up_sold(&mut self) -> Result<(), String> {
        let left: Vec<(u16, u32)> = (0..)
            .zip(&self.row.lines)
            .map(|(at, line)| (at, line.units - line.returned))
            .collect();
        left.into_iter()
            .try_for_each(|(line, units)| self.take_back(line, units, true))?;
        self.set_phase(Phase::Cancelled)?;
        self.move_seat(|seats, was| seats.leave(was))
    }

    pub(super) fn refund_begun(&mut self, refund: &RefundBegun) -> Result<(), String> {
        let mut units = 0;
        for &(line, returned) in &refund.lines {
            self.take_back(line, returned, refund.restocked)?;
            units += returned;
        }
        let row = RefundRow {
            amount: refund.amount.0,
            state: 0,
            automatic: false,
            restocked: if refund.restocked { units } else { 0 },
        };
        self.push_refund(refund.number, row)?;
        if refund.elsewhere && refund.amount.0 > 0 {
            self.refunded(refund.number)?;
        }
        Ok(())
    }

    pub(super) fn refunded(&mut self, number: u16) -> Result<(), String> {
        let (was, amount) = self.end_refund(number, RefundState::Refunded)?;
        if was == RefundState::Pending {
            self.row.refund_pending -= amount;
        }
        self.row.refunded += amount;
        self.refund_event(OrderEventKind::Refunded, number, amount);
        Ok(())
    }

    /// A refused refund; what must go back is begun once more as `again`.
    pub(super) fn refund_failed(
        &mut self,
        number: u16,
        again: Option<Again>,
    ) -> Result<(), String> {
        let (was, amount) = self.end_refund(number, RefundState::Failed)?;
        if was == RefundState::Refunded {
            self.row.refunded -= amount;
        } else if !stdx::mutants::is("projector-keeps-declined-refunds") {
            self.row.refund_pending -= amount;
        }
        self.refund_event(OrderEventKind::RefundFailed, number, amount);
        again.map_or(Ok(()), |next| self.send_back(next.number, next.amount.0))
    }

    pub(super) fn charged_back(&mut self, amount: i64, reference: &str) {
        self.row.charged_back += amount;
        self.event(
            OrderEventKind::ChargedBack,
            Some(amount),
            None,
            Some(reference.into()),
        );
    }

    pub(super) fn moved_on(&mut self, phase: Phase, kind: OrderEventKind) -> Result<(), String> {
        self.event(kind, None, None, None);
        self.set_phase(phase)
    }

    /// The order's row says where it stands; called after each entry.
    pub(super) fn settle(&mut self) {
        self.row.state = number(ORDER_STATES, &state(self.row));
    }

    fn take_back(&mut self, line: u16, units: u32, restocked: bool) -> Result<(), String> {
        let found = self
            .row
            .lines
            .get_mut(usize::from(line))
            .ok_or("no such line")?;
        let returned = found
            .returned
            .checked_add(units)
            .filter(|&sum| sum <= found.units);
        found.returned = returned.ok_or("more units come back than were sold")?;
        let goods = has_goods(self.row.deal.as_deref());
        match restocked && goods {
            true if stdx::mutants::is("projector-forgets-restocked-units") => Ok(()),
            true => self
                .shelf
                .shift(found.sku, units.into(), Spot::Sold, Spot::Available),
            false => Ok(()),
        }
    }

    fn push_refund(&mut self, number: u16, row: RefundRow) -> Result<(), String> {
        if self.row.refunds.len() + 1 != usize::from(number) {
            return Err(format!("refund {number} is not the next"));
        }
        let pending = super::words::number(REFUND_STATES, &RefundState::Pending);
        self.row.refunds.push(RefundRow {
            state: pending,
            ..row
        });
        self.row.refund_pending += row.amount;
        self.refund_event(OrderEventKind::RefundStarted, number, row.amount);
        if row.amount == 0 {
            // There is nothing to wait for.
            return self.refunded(number);
        }
        Ok(())
    }

    /// A refund that nobody asked for.
    fn send_back(&mut self, number: u16, amount: i64) -> Result<(), String> {
        let row = RefundRow {
            amount,
            state: 0,
            automatic: true,
            restocked: 0,
        };
        self.push_refund(number, row)
    }

    /// Ends a refund; says how it stood and how much it is.
    fn end_refund(&mut self, number: u16, to: RefundState) -> Result<(RefundState, i64), String> {
        let found = usize::from(number)
            .checked_sub(1)
            .and_then(|at| self.row.refunds.get_mut(at));
        let found = found.ok_or_else(|| format!("there is no refund {number}"))?;
        let was = value(REFUND_STATES, found.state).ok_or("a refund without a state")?;
        found.state = super::words::number(REFUND_STATES, &to);
        Ok((was, found.amount))
    }

    pub(super) fn shift_lines(&mut self, from: Spot, to: Spot) -> Result<(), String> {
        if !has_goods(self.row.deal.as_deref()) {
            return Ok(());
        }
        let lines = &self.row.lines;
        lines
            .iter()
            .try_for_each(|line| self.shelf.shift(line.sku, line.units.into(), from, to))
    }

    pub(super) fn phase(&self) -> Result<Phase, String> {
        value(PHASES, self.row.phase).ok_or_else(|| "an order without a phase".to_owned())
    }

    pub(super) fn set_phase(&mut self, to: Phase) -> Result<(), String> {
        let from = self.phase()?;
        let count = orders_in(&mut self.shelf.sale, from);
        *count = count
            .checked_sub(1)
            .ok_or_else(|| format!("no order is counted as {from:?}"))?;
        *orders_in(&mut self.shelf.sale, to) += 1;
        self.row.phase = number(PHASES, &to);
        Ok(())
    }

    pub(super) fn set_charge(&mut self, charge: ChargeView) {
        self.row.charge = number(CHARGES, &charge);
    }

    pub(super) fn is_charging(&self) -> bool {
        matches!(
            value(CHARGES, self.row.charge),
            Some(ChargeView::Charging | ChargeView::Unknown | ChargeView::Authorised)
        )
    }

    pub(super) fn payment_event(
        &mut self,
        kind: OrderEventKind,
        attempt: u16,
        amount: Option<i64>,
    ) {
        let OrderKey { sale, number } = self.row.key;
        let reference = wire::payment_id(sale, number, attempt).to_string();
        self.event(kind, amount, None, Some(reference.into()));
    }

    fn refund_event(&mut self, kind: OrderEventKind, refund: u16, amount: i64) {
        let order = wire::order_id(self.row.key.sale, self.row.key.number);
        let reference = RefundId {
            order,
            number: refund,
        }
        .to_string();
        self.event(kind, Some(amount), None, Some(reference.into()));
    }

    pub(super) fn units_event(&mut self, kind: OrderEventKind) {
        let units = saturated(self.row.units);
        self.event(kind, None, Some(units), None);
    }

    pub(super) fn event(
        &mut self,
        kind: OrderEventKind,
        amount: Option<i64>,
        units: Option<u32>,
        reference: Option<Box<str>>,
    ) {
        self.events.push(EventRow {
            order: self.row.key,
            number: self.row.events,
            sequence: self.at.sequence,
            at_ms: self.at.time_ms,
            kind: number(EVENTS, &kind),
            amount,
            units,
            reference,
        });
        self.row.events += 1;
    }
}

/// Where the orders of a phase are counted.
fn orders_in(sale: &mut SaleRow, phase: Phase) -> &mut u64 {
    match phase {
        Phase::Held => &mut sale.orders_held,
        Phase::Paid | Phase::Shipped | Phase::Delivered => &mut sale.orders_paid,
        Phase::Cancelled => &mut sale.orders_cancelled,
        Phase::Expired => &mut sale.orders_expired,
    }
}

fn saturated(units: u64) -> u32 {
    u32::try_from(units).unwrap_or(u32::MAX)
}
