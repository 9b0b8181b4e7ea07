//! INV-5 for holds: who lets them lapse gets shorter and fewer ones; a hold lives longer only while a payment is in
//! flight, once, and by as much as was said.

use commerce::Entry;
use commerce::entry::Placed;

use super::rows::{Happening, OrderRow, Phase, Rows};
use crate::record::Finding;

/// Before each entry.
pub(super) fn before(rows: &Rows, at: &Happening, findings: &mut Vec<Finding>) {
    let mut found = |order: u32, what: String| {
        let of = rows.name(order);
        let what = format!("{of} batch {}: {what}", at.sequence);
        findings.push(Finding::new("INV-5", what));
    };
    match &at.entry {
        Entry::Placed(placed) => {
            if let Some(what) = too_many(rows, placed) {
                found(placed.order, what);
            }
        }
        Entry::Dealt(dealt) => {
            if let Some(what) = too_many(rows, &dealt.placed) {
                found(dealt.placed.order, what);
            }
        }
        Entry::HoldsExtended { orders, by_ms } => {
            for number in orders {
                let order = rows.order(*number);
                if let Some(what) =
                    order.and_then(|order| not_extended(rows, order, at.time, *by_ms))
                {
                    found(*number, what.into());
                }
            }
        }
        Entry::Expired { orders } => {
            for number in orders {
                let order = rows.order(*number);
                if order.is_some_and(|order| {
                    order.is_charging() && grace(rows, order) > 0 && order.extended_ms == 0
                }) {
                    found(
                        *number,
                        "its payment was in flight, and its hold was not extended".into(),
                    );
                }
            }
        }
        _ => {}
    }
}

/// How much longer a hold may live, in milliseconds.
fn grace(rows: &Rows, order: &OrderRow) -> u64 {
    if let Some(dues) = order.dues.as_ref().filter(|_| order.has_deposit()) {
        return dues.grace_ms;
    }
    let offer = rows.gathered.offer.as_ref();
    offer.map_or(0, |offer| u64::from(offer.holds.grace_ms))
}

fn not_extended(rows: &Rows, order: &OrderRow, now: u64, by_ms: u32) -> Option<&'static str> {
    if order.phase != Phase::Held || now < order.deadline() {
        Some("a hold is extended before its time")
    } else if !order.is_charging() {
        Some("a hold is extended and no payment is in flight")
    } else if order.extended_ms != 0 {
        Some("a hold is extended twice")
    } else if u64::from(by_ms) != grace(rows, order) {
        Some("a hold is extended by another time than was said")
    } else {
        None
    }
}

/// The step of the hold policy that a buyer has reached: how long his holds live, how many he may have.
pub(super) fn reached(rows: &Rows, buyer: &str) -> (Option<u32>, Option<usize>) {
    let Some(offer) = &rows.gathered.offer else {
        return (None, None);
    };
    let lapses = rows.gathered.lapses.get(buyer).copied().unwrap_or(0);
    let steps = offer.holds.steps.iter();
    let mut steps = steps.rev();
    let step = steps.find(|step| i64::from(step.lapses) <= lapses);
    match step {
        Some(step) => (Some(step.hold_ms), Some(usize::from(step.open_most))),
        None => (None, offer.holds.open_most.map(usize::from)),
    }
}

/// How long a new hold of a buyer lives.
pub(super) fn length(rows: &Rows, placed: &Placed) -> u32 {
    let plan = rows.terms.as_ref().map_or(0, |terms| terms.hold_ms);
    let buyer = placed.buyer();
    let own = buyer.and_then(|buyer| reached(rows, buyer).0);
    own.map_or(plan, |own| own.min(plan))
}

fn too_many(rows: &Rows, placed: &Placed) -> Option<String> {
    let buyer = placed.buyer()?;
    let most = reached(rows, buyer).1?;
    let own = rows
        .of_buyer
        .get(&**buyer)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let open = own.iter().filter_map(|at| rows.orders.get(*at));
    let open = open.filter(|order| order.phase == Phase::Held && !order.has_deposit());
    let open = open.count();
    (open >= most).then(|| format!("{buyer} holds {open} orders and gets one more"))
}
