//! Reads a journal to the clerk: every entry moves the rows, and nothing is asked about whether it may.
//!
//! The judges look before and after each entry; this file only writes down.

use api::refund::RefundState;
use commerce::Entry;
use commerce::entry::{Fate, Placed, RefundBegun};
use commerce::plan::{Patch, Plan, SkuPlan};

use super::rows::{
    Attempt, Happening, LineRow, OrderRow, Phase, RefundRow, Rows, SkuLook, SkuRow, Terms, bound,
    name_of,
};

/// Where a unit is.
#[derive(Clone, Copy)]
enum Spot {
    Free,
    Held,
    Sold,
}

fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Rows {
    /// Writes one entry down.
    pub(super) fn write(&mut self, at: Happening) {
        match &at.entry {
            Entry::Created { secret, plan, key } => {
                self.begin(*secret, plan, name_of(&key.by));
            }
            Entry::Altered { patch, .. } => self.alter(patch),
            Entry::Turned { to, .. } => {
                if let Some(terms) = &mut self.terms {
                    terms.state = *to;
                }
            }
            Entry::StockAdded { sku, units, .. } => self.stock(*sku, units.0, 0),
            Entry::WrittenOff { sku, units, .. } => self.stock(*sku, 0, units.0),
            Entry::Placed(placed) => self.placed(at.time, placed),
            Entry::Expired { orders } => {
                for order in orders {
                    self.end_hold(place(*order), Phase::Expired);
                }
            }
            entry => self.of_order(entry),
        }
        self.remember(at.sequence);
        if let Some(key) = bound(&at.entry) {
            self.bound.entry(key.digest).or_insert(self.story.len());
        }
        self.story.push(at);
    }

    fn begin(&mut self, secret: [u8; 16], plan: &Plan, account: &str) {
        self.terms = Some(Terms {
            secret,
            account: account.to_owned(),
            title: plan.title.to_string(),
            currency: plan.currency.code().to_owned(),
            state: commerce::SaleState::Draft,
            hold_ms: plan.hold_ms,
            window: plan.window,
            limits: plan.limits,
            rules: plan.rules.clone(),
        });
        for sku in &plan.skus {
            self.add_sku(sku);
        }
    }

    fn add_sku(&mut self, sku: &SkuPlan) {
        self.touched.1.push(self.skus.len());
        self.skus.push(SkuRow {
            code: sku.sku.to_string(),
            limits: sku.limits,
            now: SkuLook {
                price: sku.price.0,
                stocked: i64::from(sku.stock.0),
                held: 0,
                sold: 0,
                written_off: 0,
            },
            looks: Vec::new(),
        });
    }

    fn alter(&mut self, patch: &Patch) {
        let Some(terms) = &mut self.terms else { return };
        if let Some(title) = &patch.title {
            terms.title = title.to_string();
        }
        terms.hold_ms = patch.hold_ms.unwrap_or(terms.hold_ms);
        terms.window = patch.window.unwrap_or(terms.window);
        terms.limits = patch.limits.unwrap_or(terms.limits);
        if let Some(rules) = &patch.rules {
            terms.rules.clone_from(rules);
        }
        for change in &patch.skus {
            let known = self.skus.iter().position(|sku| *sku.code == *change.sku);
            let Some(at) = known else {
                self.add_sku(&SkuPlan {
                    sku: change.sku.clone(),
                    title: change.title.clone().unwrap_or_default(),
                    price: change.price.unwrap_or_default(),
                    limits: change.limits.unwrap_or_default(),
                    stock: change.stock.unwrap_or_default(),
                });
                continue;
            };
            let sku = &mut self.skus[at];
            sku.now.price = change.price.map_or(sku.now.price, |price| price.0);
            sku.limits = change.limits.unwrap_or(sku.limits);
            self.touched.1.push(at);
        }
    }

    fn stock(&mut self, sku: u32, more: u32, lost: u32) {
        let at = place(sku);
        if let Some(row) = self.skus.get_mut(at) {
            row.now.stocked += i64::from(more);
            row.now.written_off += i64::from(lost);
            self.touched.1.push(at);
        }
    }

    fn shift(&mut self, sku: usize, units: i64, from: Spot, to: Spot) {
        let Some(row) = self.skus.get_mut(sku) else {
            return;
        };
        for (spot, units) in [(from, -units), (to, units)] {
            match spot {
                Spot::Free => {}
                Spot::Held => row.now.held += units,
                Spot::Sold => row.now.sold += units,
            }
        }
        self.touched.1.push(sku);
    }

    fn shift_order(&mut self, order: usize, from: Spot, to: Spot) {
        let lines = self
            .orders
            .get(order)
            .map(|row| &row.lines[..])
            .unwrap_or_default();
        let lines: Vec<_> = lines.iter().map(|line| (line.sku, line.units)).collect();
        for (sku, units) in lines {
            self.shift(sku, units, from, to);
        }
    }

    fn placed(&mut self, time: u64, placed: &Placed) {
        let (elsewhere, total) = (placed.paid.is_some(), placed.total.0);
        let paid = elsewhere || total == 0;
        let lines = placed.lines.as_slice().iter().map(|line| LineRow {
            sku: place(line.sku),
            units: i64::from(line.units),
            price: line.price.0,
            returned: 0,
            restocked: 0,
        });
        let buyer = placed.buyer().map(ToString::to_string);
        let at = self.orders.len();
        if let Some(buyer) = &buyer {
            self.of_buyer.entry(buyer.clone()).or_default().push(at);
        }
        self.orders.push(OrderRow {
            buyer,
            lines: lines.collect(),
            total,
            placed: time,
            hold_ms: placed.hold_ms,
            elsewhere,
            phase: if paid { Phase::Paid } else { Phase::Held },
            attempts: Vec::new(),
            refunds: Vec::new(),
            captured: if paid { total } else { 0 },
            refunded: 0,
            pending: 0,
            charged_back: 0,
            looks: Vec::new(),
        });
        self.touched.0.push(at);
        self.shift_order(at, Spot::Free, if paid { Spot::Sold } else { Spot::Held });
    }

    fn end_hold(&mut self, order: usize, phase: Phase) {
        self.shift_order(order, Spot::Held, Spot::Free);
        if let Some(row) = self.orders.get_mut(order) {
            row.phase = phase;
            self.touched.0.push(order);
        }
    }

    fn of_order(&mut self, entry: &Entry) {
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
            Fate::GoesBack { .. } => {}
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

    /// Keeps how everything looks that the entry has touched.
    fn remember(&mut self, sequence: u64) {
        let (orders, skus) = std::mem::take(&mut self.touched);
        for at in orders {
            if let Some(row) = self.orders.get_mut(at) {
                let look = row.look();
                row.looks.push((sequence, look));
            }
        }
        for at in skus {
            let row = &mut self.skus[at];
            row.looks.push((sequence, row.now));
        }
        let Some(terms) = &self.terms else { return };
        let look = (terms.state, terms.title.clone(), terms.hold_ms);
        if self.looks.last().is_none_or(|(_, last)| *last != look) {
            self.looks.push((sequence, look));
        }
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

/// The order that an entry is about.
pub(super) fn order_of(entry: &Entry) -> Option<u32> {
    match entry {
        Entry::PayBegun { order, .. }
        | Entry::Captured { order, .. }
        | Entry::ChargeFailed { order, .. }
        | Entry::ChargeUnknown { order, .. }
        | Entry::Noted { order, .. }
        | Entry::Cancelled { order, .. }
        | Entry::Refunded { order, .. }
        | Entry::RefundFailed { order, .. }
        | Entry::ChargedBack { order, .. }
        | Entry::Shipped { order, .. }
        | Entry::Delivered { order, .. } => Some(*order),
        Entry::RefundBegun { refund, .. } => Some(refund.order),
        Entry::Placed(placed) => Some(placed.order),
        _ => None,
    }
}
