//! The judge: what was told outside, held against the record that a crash left.

use std::collections::BTreeMap;

use commerce::{Action, Book, Done, EffectKind, Place};
use world::journal::Batch;

use super::count::{Count, Order, Units};
use super::market::code;
use super::memory::{Memory, Told};
use super::wish::sku_number;
use crate::record::Finding;

/// What of all that was told is not on the record; nothing when every promise was kept.
pub(super) fn missing(memory: &Memory, batches: &[Batch], count: &Count) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut lost = |what: String| findings.push(Finding::new("INV-7", what));
    for (&sequence, chain) in &memory.positions {
        match nth(batches, sequence) {
            Some(batch) if batch.chain == *chain => {}
            Some(_) => lost(format!("batch {sequence} is another than was shown")),
            None => lost(format!("batch {sequence} was shown and is not there")),
        }
    }
    if nth(batches, memory.published.max(1)).is_none() && memory.published > 0 {
        lost(format!(
            "batch {} was published and is not there",
            memory.published
        ));
    }
    for told in &memory.told {
        if let Some(what) = lacks(told, count) {
            lost(what);
        }
    }
    for &(sequence, placed) in &memory.shown {
        // A question is answered in its turn, in the middle of the batch whose position it is given.
        let (before, after) = (
            placed_at(count, sequence.saturating_sub(1)),
            placed_at(count, sequence),
        );
        if after.is_some_and(|after| placed > after) || before.is_some_and(|before| placed < before)
        {
            lost(format!(
                "the book showed {placed} orders at batch {sequence}, where {before:?} became {after:?}"
            ));
        }
    }
    for (order, kind) in memory.offered.keys() {
        if !count.intents.contains(&(*order, *kind)) {
            let what = format!("order {order}: {kind:?} was handed out and is not intended");
            findings.push(Finding::new("INV-7", what));
        }
    }
    findings
}

/// How many orders there were after a batch; none before the first.
fn placed_at(count: &Count, sequence: u64) -> Option<u32> {
    match sequence {
        0 => Some(0),
        _ => count
            .placed
            .get(usize::try_from(sequence - 1).ok()?)
            .copied(),
    }
}

fn nth(batches: &[Batch], sequence: u64) -> Option<&Batch> {
    batches.get(usize::try_from(sequence.checked_sub(1)?).ok()?)
}

/// An accepted order is on the record under its number, as it was asked for, not later than its receipt says.
fn lacks(told: &Told, count: &Count) -> Option<String> {
    let Action::Place(place) = &told.command.action else {
        return None;
    };
    let Done::Order(number) = told.done else {
        return Some(format!("an order was answered with {:?}", told.done));
    };
    let Some(order) = count.orders.get(number as usize) else {
        return Some(format!("order {number} was accepted and is not there"));
    };
    let wish: Vec<(u32, i64)> = place
        .lines
        .iter()
        .map(|line| (sku_number(&line.sku), i64::from(line.units)))
        .collect();
    if order.wish() != wish || order.buyer.as_deref() != place.buyer.as_deref() {
        return Some(format!(
            "order {number} is not what {:?} asked for",
            place.buyer
        ));
    }
    if let Some(what) = not_given(place, order) {
        return Some(format!("order {number}: {what}"));
    }
    (order.sequence > told.sequence).then(|| {
        format!(
            "order {number} is in batch {}, and its receipt says {}",
            order.sequence, told.sequence
        )
    })
}

/// Every coupon that was asked for is on the record, in that order; but what had next to nothing left to take a share of
/// is not said.
fn not_given(place: &Place, order: &Order) -> Option<String> {
    let asked = place.deal.as_deref();
    let asked = asked.map_or(&[][..], |deal| &deal.coupons);
    let used: Vec<Box<str>> = order.coupons.iter().map(|at| code(*at)).collect();
    let mut rest = asked.iter();
    let in_order = used.iter().all(|code| rest.any(|other| other == code));
    let same = used == asked || (order.cheap && in_order);
    (!same).then(|| format!("it was placed with {asked:?}, and has {used:?}"))
}

/// Where the recovered book counts otherwise than its entries do what coupons gave, and how often.
pub(super) fn misspent(book: &Book, ours: &BTreeMap<u16, (i64, u32)>) -> Vec<Finding> {
    let coupons = book
        .offered()
        .map_or(0, |offer| offer.discounts.coupons.len());
    let places = (0..=u16::MAX).take(coupons);
    let theirs = places.map(|place| (place, book.coupon_given(place)));
    let differs = theirs.filter_map(|(place, (given, times))| {
        let theirs = (given.0, times);
        let ours = ours.get(&place).copied().unwrap_or_default();
        let what = format!("coupon {place}: the book has {theirs:?}, its entries give {ours:?}");
        (theirs != ours).then(|| Finding::new("INV-5", what))
    });
    differs.collect()
}

/// Where the recovered book says something else than our own count.
pub(super) fn differs(book: &Book, count: &Count) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (nth, ours) in count.units.iter().enumerate() {
        let theirs = u32::try_from(nth).ok().and_then(|nth| book.sku_at(nth));
        let theirs = theirs.map(|sku| {
            let units = sku.units();
            Units {
                stocked: units.stocked().0.into(),
                available: units.available().0.into(),
                held: units.held().0.into(),
                sold: units.sold().0.into(),
                written_off: units.written_off().0.into(),
            }
        });
        if theirs != Some(*ours) {
            let what = format!("SKU {nth}: the book has {theirs:?}, its entries give {ours:?}");
            findings.push(Finding::new("INV-1", what));
        }
    }
    let (theirs, ours) = (book.tally().placed as usize, count.orders.len());
    if theirs != ours {
        let what = format!("the book has {theirs} orders, its entries give {ours}");
        findings.push(Finding::new("INV-7", what));
    }
    findings
}

/// Where the recovered book counts the seats of a team otherwise than its entries do.
pub(super) fn miscounted(book: &Book, ours: &[(i64, i64, i64)]) -> Vec<Finding> {
    let theirs: Vec<(i64, i64, i64)> = book
        .teams()
        .map(|team| {
            let (_, held, paid, house) = team.seats();
            (held.into(), paid.into(), house.into())
        })
        .collect();
    let same = theirs.len() == ours.len();
    let teams = theirs.iter().zip(ours).enumerate();
    let other = teams.filter(|(_, (theirs, ours))| theirs != ours);
    let mut findings: Vec<Finding> = other
        .map(|(team, (theirs, ours))| {
            let what = format!("team {team}: the book has seats {theirs:?}, its entries {ours:?}");
            Finding::new("INV-6", what)
        })
        .collect();
    if !same {
        let what = format!(
            "the book has {} teams, its entries {}",
            theirs.len(),
            ours.len()
        );
        findings.push(Finding::new("INV-6", what));
    }
    findings
}

/// Each charge that the bank captured is on the record once, and nothing else is.
pub(super) fn charges(captured: impl Iterator<Item = (u32, u16)>, count: &Count) -> Vec<Finding> {
    let captured: std::collections::BTreeSet<_> = captured.collect();
    let recorded = count.captures.keys();
    let unknown = recorded.filter(|charge| !captured.contains(charge));
    let mut findings: Vec<Finding> = unknown
        .map(|(order, attempt)| {
            let what = format!("order {order}: attempt {attempt} was never captured by the bank");
            Finding::new("INV-4", what)
        })
        .collect();
    let absent = captured.iter().filter(|charge| {
        let intended = EffectKind::Charge { attempt: charge.1 };
        !count.captures.contains_key(charge) && count.intents.contains(&(charge.0, intended))
    });
    findings.extend(absent.map(|(order, attempt)| {
        let what = format!("order {order}: the capture of attempt {attempt} is not recorded");
        Finding::new("INV-4", what)
    }));
    findings
}
