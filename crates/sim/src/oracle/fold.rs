//! Reads a journal to the clerk: every entry moves the rows, and nothing is asked about whether it may.
//!
//! The judges look before and after each entry; this file only writes down.

use commerce::Entry;
use commerce::deal::Deal;
use commerce::entry::Placed;
use commerce::offer::Lapse;
use commerce::plan::{Patch, Plan, SkuPlan};

use super::rows::{
    DuesRow, Happening, LineRow, OrderRow, Phase, Rows, SkuLook, SkuRow, Terms, bound, name_of,
};
use super::{coupons, price};

/// Where a unit is.
#[derive(Clone, Copy)]
pub(super) enum Spot {
    Free,
    Held,
    Sold,
}

pub(super) fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Rows {
    /// Writes one entry down.
    pub(super) fn write(&mut self, at: Happening) {
        match &at.entry {
            Entry::Created { secret, plan, key } => {
                self.begin(*secret, plan, name_of(&key.by));
            }
            Entry::CreatedWith {
                secret,
                plan,
                offer,
                key,
            } => {
                self.begin(*secret, plan, name_of(&key.by));
                self.gathered.set(offer);
            }
            Entry::OfferAltered { offer, .. } => self.gathered.set(offer),
            Entry::Altered { patch, .. } => self.alter(patch),
            Entry::Turned { to, .. } => {
                if let Some(terms) = &mut self.terms {
                    terms.state = *to;
                }
            }
            Entry::StockAdded { sku, units, .. } => self.stock(*sku, units.0, 0),
            Entry::WrittenOff { sku, units, .. } => self.stock(*sku, 0, units.0),
            Entry::Placed(placed) => self.placed(at.time, placed, &Deal::default()),
            Entry::Dealt(dealt) => self.dealt(at.time, dealt),
            Entry::Waits(waits) | Entry::WaitsKnown { waits, .. } => {
                self.waits((at.sequence, at.time), waits)
            }
            Entry::LeftLine { ticket, .. } => self.left_line(at.sequence, place(*ticket)),
            Entry::LineOffered(offer) => self.line_offered((at.sequence, at.time), offer),
            Entry::TeamEnded { team, how } => self.team_ended(at.time, place(*team), *how),
            Entry::TeamSettled { team, orders } => self.team_settled(place(*team), orders),
            Entry::Drawn { team, winners, .. } => self.drawn(place(*team), winners),
            Entry::HoldsExtended { orders, by_ms } => {
                for order in orders {
                    self.extend(place(*order), u64::from(*by_ms));
                }
            }
            Entry::BalanceLapsed { orders } => {
                for lapsed in orders {
                    self.balance_lapsed(lapsed);
                }
            }
            Entry::Expired { orders } => {
                for order in orders {
                    self.end_hold(place(*order), Phase::Expired);
                    self.lapse(place(*order), 1);
                }
            }
            entry => self.of_order(at.time, entry),
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

    pub(super) fn shift(&mut self, sku: usize, units: i64, from: Spot, to: Spot) {
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

    pub(super) fn shift_order(&mut self, order: usize, from: Spot, to: Spot) {
        let goods = self.orders.get(order).filter(|row| !row.bare);
        let lines = goods.map(|row| &row.lines[..]).unwrap_or_default();
        let lines: Vec<_> = lines.iter().map(|line| (line.sku, line.units)).collect();
        for (sku, units) in lines {
            self.shift(sku, units, from, to);
        }
    }

    pub(super) fn placed(&mut self, time: u64, placed: &Placed, deal: &Deal) {
        let (elsewhere, total) = (placed.paid.is_some(), placed.total.0);
        let paid = elsewhere || total == 0;
        let lines = placed.lines.as_slice().iter().map(|line| LineRow {
            sku: place(line.sku),
            units: i64::from(line.units),
            price: line.price.0,
            first_price: line.price.0,
            returned: 0,
            restocked: 0,
        });
        let buyer = placed.buyer().map(ToString::to_string);
        let at = self.orders.len();
        if let Some(buyer) = &buyer {
            self.of_buyer.entry(buyer.clone()).or_default().push(at);
        }
        let dues = deal.dues.map(|dues| DuesRow {
            deposit: dues.deposit.0,
            from: dues.from.0,
            until: dues.until.0,
            forfeits: dues.lapse == Lapse::Forfeit,
            grace_ms: u64::from(dues.grace_ms),
            paid: 0,
            forfeited: false,
        });
        self.orders.push(OrderRow {
            buyer,
            begun_for: Vec::new(),
            dues,
            off: price::taken_off(deal),
            cuts: price::cuts(deal).collect(),
            coupons: coupons::of(deal).collect(),
            extended_ms: 0,
            seat: deal.seat.as_ref().map(|seat| place(seat.team)),
            bare: self.gathered.draws(deal.seat.as_ref()),
            difference: 0,
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

    pub(super) fn end_hold(&mut self, order: usize, phase: Phase) {
        self.shift_order(order, Spot::Held, Spot::Free);
        if let Some(row) = self.orders.get_mut(order) {
            row.phase = phase;
            self.touched.0.push(order);
        }
        self.seat_gone(order);
    }

    /// Keeps how everything looks that the entry has touched.
    fn remember(&mut self, sequence: u64) {
        let (orders, skus) = std::mem::take(&mut self.touched);
        self.look_at_teams(sequence, &orders);
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
        let same = self
            .looks
            .last()
            .is_some_and(|(_, (state, title, hold_ms))| {
                *state == terms.state && *title == terms.title && *hold_ms == terms.hold_ms
            });
        if !same {
            let look = (terms.state, terms.title.clone(), terms.hold_ms);
            self.looks.push((sequence, look));
        }
    }
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
        | Entry::ShippedInPart { order, .. }
        | Entry::ChargeAuthorised { order, .. }
        | Entry::GivenUp { order, .. }
        | Entry::Delivered { order, .. } => Some(*order),
        Entry::RefundBegun { refund, .. } => Some(refund.order),
        Entry::RefundsBegun { refunds, .. } => refunds.first().map(|refund| refund.order),
        Entry::Placed(placed) => Some(placed.order),
        Entry::Dealt(dealt) => Some(dealt.placed.order),
        _ => None,
    }
}
