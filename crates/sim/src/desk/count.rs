//! A count of our own: units, orders, intents and captures, from the entries alone and without the book's code.

mod offers;

use std::collections::{BTreeMap, BTreeSet};

use commerce::entry::{Fate, Placed, RefundBegun};
use commerce::record::Records;
use commerce::{EffectKind, Entry};
use world::journal::Batch;

use crate::record::Finding;

/// Where an order's units are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Held,
    Sold,
    Expired,
    Cancelled,
}

#[derive(Clone, Debug)]
struct Line {
    sku: u32,
    units: i64,
    returned: i64,
}

/// An order as its entries tell it.
#[derive(Clone, Debug)]
pub(super) struct Order {
    phase: Phase,
    /// Its goods are a prize that is not drawn: it moves no units.
    bare: bool,
    lines: Vec<Line>,
    /// In which batch it was placed.
    pub(super) sequence: u64,
    /// For whom.
    pub(super) buyer: Option<String>,
    /// Its coupons, by their places in the offer.
    pub(super) coupons: Vec<usize>,
    /// Next to nothing is left of its price.
    pub(super) cheap: bool,
}

impl Order {
    /// What was ordered: SKU and units, line by line.
    pub(super) fn wish(&self) -> Vec<(u32, i64)> {
        self.lines
            .iter()
            .map(|line| (line.sku, line.units))
            .collect()
    }
}

/// Units of one SKU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Units {
    pub(super) stocked: i64,
    pub(super) available: i64,
    pub(super) held: i64,
    pub(super) sold: i64,
    pub(super) written_off: i64,
}

/// What the entries add up to.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    pub(super) units: Vec<Units>,
    pub(super) orders: Vec<Order>,
    /// Which effects were intended.
    pub(super) intents: BTreeSet<(u32, EffectKind)>,
    /// Which charges were captured, and how often.
    pub(super) captures: BTreeMap<(u32, u16), u32>,
    /// How many orders there were after each batch, the first batch first.
    pub(super) placed: Vec<u32>,
    gathered: offers::Gathered,
    pub(super) findings: Vec<Finding>,
}

impl Count {
    /// Counts a whole journal.
    pub(super) fn of(batches: &[Batch]) -> Self {
        let mut count = Self::default();
        for batch in batches {
            count.batch(batch);
        }
        count
    }

    fn batch(&mut self, batch: &Batch) {
        let mut records = Records::new(&batch.payload);
        loop {
            match records.read::<Entry>() {
                Ok(Some(entry)) => self.entry(batch.sequence, &entry),
                Ok(None) => break,
                Err(error) => {
                    let what = format!("batch {} does not read: {error}", batch.sequence);
                    return self.findings.push(Finding::new("INV-8", what));
                }
            }
        }
        let placed = u32::try_from(self.orders.len()).unwrap_or(u32::MAX);
        self.placed.push(placed);
        for (sku, units) in self.units.iter().enumerate() {
            let sum = units.available + units.held + units.sold + units.written_off;
            let negative = [units.available, units.held, units.sold]
                .iter()
                .any(|&n| n < 0);
            if negative || sum != units.stocked {
                let what = format!("after batch {}: SKU {sku} has {units:?}", batch.sequence);
                self.findings.push(Finding::new("INV-1", what));
            }
        }
    }

    fn entry(&mut self, sequence: u64, entry: &Entry) {
        match entry {
            Entry::Created { plan, .. } | Entry::CreatedWith { plan, .. } => {
                self.offer(entry);
                let stocks = plan.skus.iter().map(|sku| i64::from(sku.stock.0));
                self.units = stocks
                    .map(|stock| Units {
                        stocked: stock,
                        available: stock,
                        ..Units::default()
                    })
                    .collect();
            }
            Entry::StockAdded { sku, units, .. } => {
                let units = i64::from(units.0);
                self.move_units(*sku, |of| {
                    of.stocked += units;
                    of.available += units;
                });
            }
            Entry::WrittenOff { sku, units, .. } => {
                let units = i64::from(units.0);
                self.move_units(*sku, |of| {
                    of.available -= units;
                    of.written_off += units;
                });
            }
            Entry::Placed(placed) => self.placed(sequence, placed, false),
            Entry::Expired { orders } => {
                for &order in orders {
                    self.turn(order, Phase::Held, Phase::Expired);
                }
            }
            _ => {
                self.money(entry);
                self.of_offer(sequence, entry);
            }
        }
    }

    fn money(&mut self, entry: &Entry) {
        match entry {
            Entry::PayBegun { order, attempt, .. } => {
                self.intend(*order, EffectKind::Charge { attempt: *attempt });
            }
            Entry::Captured {
                order,
                attempt,
                fate,
                ..
            } => self.captured(*order, *attempt, *fate),
            Entry::Cancelled { order, refund, .. } => {
                if let Some(refund) = refund {
                    self.refund(refund);
                }
                let from = match self.orders.get(*order as usize).map(|order| order.phase) {
                    Some(Phase::Sold) => Phase::Sold,
                    _ => Phase::Held,
                };
                self.turn(*order, from, Phase::Cancelled);
            }
            Entry::RefundBegun { refund, .. } | Entry::ShippedInPart { rest: refund, .. } => {
                self.refund(refund)
            }
            Entry::RefundFailed {
                order,
                again: Some(again),
                ..
            } => self.intend(
                *order,
                EffectKind::Refund {
                    number: again.number,
                    charge: again.charge,
                },
            ),
            _ => {}
        }
    }

    fn placed(&mut self, sequence: u64, placed: &Placed, bare: bool) {
        if placed.order as usize != self.orders.len() {
            let what = format!("order {} is not the next number", placed.order);
            self.findings.push(Finding::new("INV-3", what));
        }
        let lines = placed.lines.as_slice().iter();
        let lines: Vec<Line> = lines
            .map(|line| Line {
                sku: line.sku,
                units: i64::from(line.units),
                returned: 0,
            })
            .collect();
        for line in lines.iter().filter(|_| !bare) {
            self.move_units(line.sku, |of| {
                of.available -= line.units;
                of.held += line.units;
            });
        }
        self.orders.push(Order {
            phase: Phase::Held,
            bare,
            lines,
            sequence,
            buyer: placed.buyer().map(|name| name.to_string()),
            coupons: Vec::new(),
            cheap: placed.total.0 < 10,
        });
        if placed.paid.is_some() || placed.total.0 == 0 {
            self.turn(placed.order, Phase::Held, Phase::Sold);
        }
    }

    fn captured(&mut self, order: u32, attempt: u16, fate: Fate) {
        let times = self.captures.entry((order, attempt)).or_default();
        *times += 1;
        if *times > 1 {
            let what = format!("order {order}: attempt {attempt} was captured {times} times");
            self.findings.push(Finding::new("INV-4", what));
        }
        match fate {
            Fate::Kept => self.turn(order, Phase::Held, Phase::Sold),
            Fate::KeptAgain => self.turn(order, Phase::Expired, Phase::Sold),
            Fate::Deposit => {}
            Fate::DepositAgain => self.turn(order, Phase::Expired, Phase::Held),
            Fate::GoesBack { refund, .. } => self.intend(
                order,
                EffectKind::Refund {
                    number: refund,
                    charge: attempt,
                },
            ),
        }
    }

    fn refund(&mut self, refund: &RefundBegun) {
        self.intend(
            refund.order,
            EffectKind::Refund {
                number: refund.number,
                charge: refund.charge,
            },
        );
        for &(line, units) in &refund.lines {
            self.give_back(refund.order, line.into(), units.into(), refund.restocked);
        }
    }

    fn give_back(&mut self, order: u32, line: usize, units: i64, restocked: bool) {
        let found = self.orders.get_mut(order as usize);
        let bare = found.as_ref().is_some_and(|order| order.bare);
        let Some(line) = found.and_then(|order| order.lines.get_mut(line)) else {
            let what = format!("order {order} gives back what it has not");
            return self.findings.push(Finding::new("INV-1", what));
        };
        line.returned += units;
        let (sku, over) = (line.sku, line.returned > line.units);
        if over {
            let what = format!("order {order} gives back more than it has");
            self.findings.push(Finding::new("INV-1", what));
        }
        if restocked && !bare {
            self.move_units(sku, |of| {
                of.sold -= units;
                of.available += units;
            });
        }
    }

    fn intend(&mut self, order: u32, kind: EffectKind) {
        if !self.intents.insert((order, kind)) {
            let what = format!("order {order}: {kind:?} was intended twice");
            self.findings.push(Finding::new("INV-4", what));
        }
    }

    /// An order goes from one phase to the next, and its units with it.
    fn turn(&mut self, order: u32, from: Phase, to: Phase) {
        let Some(found) = self.orders.get_mut(order as usize) else {
            let what = format!("order {order} is {to:?} and was never placed");
            return self.findings.push(Finding::new("INV-3", what));
        };
        if found.phase != from {
            let what = format!("order {order} goes from {:?} to {to:?}", found.phase);
            return self.findings.push(Finding::new("INV-3", what));
        }
        found.phase = to;
        let goods = !found.bare;
        let lines = found.lines.iter().filter(|_| goods);
        let moved: Vec<(u32, i64)> = lines
            .map(|line| (line.sku, line.units - line.returned))
            .collect();
        for (sku, units) in moved {
            self.move_units(sku, |of| {
                *of.place(from) -= units;
                *of.place(to) += units;
            });
        }
    }

    fn move_units(&mut self, sku: u32, change: impl FnOnce(&mut Units)) {
        match self.units.get_mut(sku as usize) {
            Some(units) => change(units),
            None => {
                let what = format!("there is no SKU {sku}");
                self.findings.push(Finding::new("INV-1", what));
            }
        }
    }
}

impl Units {
    fn place(&mut self, phase: Phase) -> &mut i64 {
        match phase {
            Phase::Held => &mut self.held,
            Phase::Sold => &mut self.sold,
            Phase::Expired | Phase::Cancelled => &mut self.available,
        }
    }
}
