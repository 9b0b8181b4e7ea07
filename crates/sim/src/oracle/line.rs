//! The waiting line: first in, first out; no newcomer gets a unit while somebody waits for it; each gets a hold of his
//! own, and nothing lies free before those who wait.

use commerce::deal::{LineOffer, Waits};
use commerce::entry::{Bound, By, PlacedLines};
use commerce::{Entry, SaleState};

use super::fold::place;
use super::gather::{PlaceIs, PlaceRow};
use super::rows::{Happening, Rows, name_of};
use super::{holds, limits, price, teams};
use crate::record::Finding;

const PROMISE: &str = "first in, first out";

/// A key that nobody has: an order from the line binds none.
pub(super) const fn nobody() -> Bound {
    Bound {
        by: By::House,
        digest: [0; 16],
        body: 0,
    }
}

/// Before each entry.
pub(super) fn before(rows: &Rows, at: &Happening, findings: &mut Vec<Finding>) {
    let wrong = match &at.entry {
        Entry::Placed(placed) => passes(rows, &placed.lines),
        Entry::Dealt(dealt) => passes(rows, &dealt.placed.lines),
        Entry::Waits(waits) | Entry::WaitsKnown { waits, .. } => not_waiting(rows, waits),
        Entry::LeftLine { ticket, key } => not_left(rows, place(*ticket), key.as_ref()),
        Entry::LineOffered(offer) => not_offered(rows, offer),
        _ => None,
    };
    if let Some(what) = wrong {
        let what = format!(
            "sale {} batch {}: {what}: {:?}",
            rows.sale, at.sequence, at.entry
        );
        findings.push(Finding::new(PROMISE, what));
    }
}

/// At the end: nothing lies free that somebody waits for.
pub(super) fn end(rows: &Rows, findings: &mut Vec<Finding>) {
    if rows.state() != SaleState::Open {
        return;
    }
    for (at, sku) in rows.skus.iter().enumerate() {
        let free = sku.now.available();
        if free > 0 && rows.gathered.line(at).next().is_some() {
            let what = format!(
                "sale {}: {free} of {} lie free, and somebody waits for ever",
                rows.sale, sku.code
            );
            findings.push(Finding::new(PROMISE, what));
        }
    }
}

type Wrong = Option<String>;

fn passes(rows: &Rows, lines: &PlacedLines) -> Wrong {
    let mut skus = lines.as_slice().iter().map(|line| place(line.sku));
    let passed = skus.find(|sku| rows.gathered.line(*sku).next().is_some())?;
    Some(format!("somebody passes the line of SKU {passed}"))
}

fn not_waiting(rows: &Rows, waits: &Waits) -> Wrong {
    let Some(policy) = rows
        .gathered
        .offer
        .as_ref()
        .and_then(|offer| offer.line.as_ref())
    else {
        return Some("somebody waits where there is no line".into());
    };
    let sku = place(waits.sku);
    let named = waits.buyer.as_deref();
    let buyer = named.unwrap_or_else(|| name_of(&waits.key.by));
    let units = i64::from(waits.units);
    let mut line = rows.gathered.line(sku);
    if place(waits.ticket) != rows.gathered.places.len() {
        Some("its number is not the next".into())
    } else if let Some(what) = teams::teams_only(rows, sku) {
        Some(format!("somebody waits for a seat's goods: {what}"))
    } else if rows.gathered.line(sku).count() >= place(policy.places_most) {
        Some("the line is longer than it may be".into())
    } else if waits.units == 0 || waits.units > policy.units_most {
        Some("it waits for more than it may".into())
    } else if line.any(|(_, row)| row.buyer == buyer) {
        Some(format!("{buyer} waits twice"))
    } else {
        limits::broken_by(rows, Some(buyer), &[(sku, units)])
    }
}

fn waiting(rows: &Rows, ticket: usize) -> Option<&PlaceRow> {
    let row = rows.gathered.places.get(ticket)?;
    (row.is == PlaceIs::Waiting).then_some(row)
}

fn not_left(rows: &Rows, ticket: usize, key: Option<&Bound>) -> Wrong {
    let Some(row) = waiting(rows, ticket) else {
        return Some("nobody waits there".into());
    };
    match key.map(|key| &key.by) {
        Some(By::Buyer(buyer)) if **buyer != *row.buyer => {
            Some("somebody else gives the place up".into())
        }
        Some(_) => None,
        None => {
            let first = rows.gathered.line(row.sku).next();
            let next = first.is_some_and(|(at, _)| at == ticket);
            (!next || room(rows, row) > 0).then(|| "a place is taken away".into())
        }
    }
}

/// Units that the limits leave whoever waits.
fn room(rows: &Rows, row: &PlaceRow) -> i64 {
    let fits = |units: &i64| {
        let asked = [(row.sku, *units)];
        let one = limits::order_limit(rows, row.sku);
        one.is_none_or(|most| *units <= most)
            && limits::broken_by(rows, Some(&row.buyer), &asked).is_none()
    };
    (1..=row.units).rev().find(fits).unwrap_or(0)
}

fn not_offered(rows: &Rows, offer: &LineOffer) -> Wrong {
    let Some(row) = waiting(rows, place(offer.ticket)) else {
        return Some("nobody waits there".into());
    };
    let (Some(sku), Some(terms)) = (rows.skus.get(row.sku), &rows.terms) else {
        return Some("no such SKU".into());
    };
    let first = rows.gathered.line(row.sku).next().map(|(at, _)| at);
    let policy = rows
        .gathered
        .offer
        .as_ref()
        .and_then(|offer| offer.line.as_ref());
    // Who waited while there was a line is served also when there is none any more, with a hold like everybody's.
    let hold_ms = policy.map_or(terms.hold_ms, |policy| policy.hold_ms);
    let own = holds::reached(rows, &row.buyer).0;
    let hold_ms = own.map_or(hold_ms, |own| own.min(hold_ms));
    let units = row.units.min(sku.now.available()).min(room(rows, row));
    let total = price::of_line(sku.now.price, i64::from(offer.units), &terms.currency);
    if first != Some(place(offer.ticket)) {
        Some(format!("{first:?} is the first in line"))
    } else if terms.state != SaleState::Open {
        Some("offered while the sale did not sell".into())
    } else if place(offer.order) != rows.orders.len() {
        Some("its order is not the next".into())
    } else if i64::from(offer.units) != units {
        Some(format!("{units} units should be offered"))
    } else if offer.price.0 != sku.now.price || offer.total.0 != total {
        Some("it does not cost what the plan says".into())
    } else if offer.hold_ms != hold_ms {
        Some(format!(
            "it is held for {} ms, not for {hold_ms}",
            offer.hold_ms
        ))
    } else {
        None
    }
}
