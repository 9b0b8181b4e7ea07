//! Marks that the journals show: what was decided.

use commerce::Entry;
use commerce::entry::{Asked, Fate, PlacedLines};

use super::signs::Signs;
use super::{Mark, mark};

pub(super) const MARKS: &[Mark] = &[
    mark!(
        "late-payment-with-stock",
        "money came after the hold was over, and the units were free still",
        |signs| signs.entry(|entry| matches!(
            entry,
            Entry::Captured {
                fate: Fate::KeptAgain,
                ..
            }
        ))
    ),
    mark!(
        "late-payment-without-stock",
        "money came after the hold was over, the units were gone, and it went back",
        |signs| signs.then(is_expired, |entry| goes_back(entry) && !is_cancelled(entry))
    ),
    mark!(
        "payment-after-cancel",
        "money came for an order that was given up, and went back",
        |signs| signs.then(is_cancelled, goes_back)
    ),
    mark!(
        "provider-changed-its-mind",
        "a charge was declined, and captured later all the same",
        |signs| signs.order(changed_its_mind)
    ),
    mark!(
        "expiry-while-paying",
        "a hold ran out while the charge was under way",
        |signs| signs.order(expired_while_paying)
    ),
    mark!(
        "cancel-of-paid",
        "a paid order was given up, and its money went back",
        |signs| signs.entry(|entry| matches!(
            entry,
            Entry::Cancelled {
                refund: Some(_),
                ..
            }
        ))
    ),
    mark!(
        "cancel-of-unpaid",
        "an order was given up before it was paid",
        |signs| signs.entry(|entry| matches!(entry, Entry::Cancelled { refund: None, .. }))
    ),
    mark!("partial-refund", "a part of the money went back", |signs| {
        signs.entry(|entry| {
            matches!(
                entry,
                Entry::RefundBegun {
                    asked: Asked::Amount | Asked::Lines,
                    ..
                }
            )
        })
    }),
    mark!(
        "restocking-refund",
        "units went back into stock with their refund",
        |signs| signs
            .entry(|entry| matches!(entry, Entry::RefundBegun { refund, .. } if refund.restocked))
    ),
    mark!(
        "refused-refund-tried-again",
        "the provider refused what must go back, and was asked anew",
        |signs| signs.entry(|entry| matches!(entry, Entry::RefundFailed { again: Some(_), .. }))
    ),
    mark!(
        "refused-refund-given-up",
        "the provider refused a refund that may fail",
        |signs| signs.entry(|entry| matches!(entry, Entry::RefundFailed { again: None, .. }))
    ),
    mark!(
        "unknown-charge-captured",
        "nobody knew what became of a charge; asked later, it had been captured",
        |signs| signs.then(is_unknown, is_captured)
    ),
    mark!(
        "unknown-charge-failed",
        "nobody knew what became of a charge; asked later, it had failed",
        |signs| signs.then(is_unknown, |entry| matches!(
            entry,
            Entry::ChargeFailed { .. }
        ))
    ),
    mark!(
        "declined-then-paid",
        "a charge was declined, and a later attempt was captured",
        |signs| signs.then(
            |entry| matches!(entry, Entry::ChargeFailed { .. }),
            is_captured
        )
    ),
    mark!(
        "charge-back-after-refund",
        "the bank took money back that had been given back already",
        |signs| signs.then(
            |entry| matches!(entry, Entry::Refunded { .. }),
            is_charged_back
        )
    ),
    mark!(
        "charge-back-beyond-the-rest",
        "the bank took back more than was left of what was captured",
        |signs| signs.order(charged_back_beyond)
    ),
    mark!(
        "paid-elsewhere",
        "a batch brought an order whose money was collected elsewhere",
        |signs| signs
            .entry(|entry| matches!(entry, Entry::Placed(placed) if placed.paid.is_some()))
    ),
    mark!(
        "order-of-several-lines",
        "an order took units of several lines at once",
        |signs| {
            signs.entry(|entry| matches!(entry, Entry::Placed(placed) if matches!(placed.lines, PlacedLines::Many(_))))
        }
    ),
    mark!(
        "price-altered-in-mid-sale",
        "a price changed after somebody had ordered",
        price_altered
    ),
    mark!(
        "stock-added-in-mid-sale",
        "units came in while the sale went on",
        |signs| signs.entry(|entry| matches!(entry, Entry::StockAdded { .. }))
    ),
    mark!("written-off", "units went out unsold", |signs| signs
        .entry(|entry| matches!(entry, Entry::WrittenOff { .. }))),
    mark!(
        "shipped-and-delivered",
        "goods went their whole way",
        |signs| signs.entry(|entry| matches!(entry, Entry::Delivered { .. }))
    ),
    mark!(
        "several-holds-expire-at-once",
        "one entry ended the holds of several orders",
        |signs| signs.entry(|entry| matches!(entry, Entry::Expired { orders } if orders.len() > 1))
    ),
    mark!(
        "several-entries-in-a-batch",
        "a sync made the decisions of several callers durable",
        |signs| signs.batches.iter().any(|entries| entries.len() > 1)
    ),
];

fn is_expired(entry: &Entry) -> bool {
    matches!(entry, Entry::Expired { .. })
}

fn is_cancelled(entry: &Entry) -> bool {
    matches!(entry, Entry::Cancelled { .. })
}

fn is_captured(entry: &Entry) -> bool {
    matches!(entry, Entry::Captured { .. })
}

fn is_unknown(entry: &Entry) -> bool {
    matches!(entry, Entry::ChargeUnknown { .. })
}

fn is_charged_back(entry: &Entry) -> bool {
    matches!(entry, Entry::ChargedBack { .. })
}

fn goes_back(entry: &Entry) -> bool {
    let back = |fate: &Fate| matches!(fate, Fate::GoesBack { .. });
    matches!(entry, Entry::Captured { fate, .. } if back(fate))
}

fn expired_while_paying(entries: &[Entry]) -> bool {
    let mut paying = false;
    for entry in entries {
        match entry {
            Entry::PayBegun { .. } => paying = true,
            Entry::Captured { .. } | Entry::ChargeFailed { .. } => paying = false,
            Entry::Expired { .. } if paying => return true,
            _ => {}
        }
    }
    false
}

fn charged_back_beyond(entries: &[Entry]) -> bool {
    let (mut rest, mut back) = (0, 0);
    let mut refunds = std::collections::BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Captured { amount, .. } => rest += amount.0,
            Entry::RefundBegun { refund, .. } => {
                refunds.insert(refund.number, refund.amount.0);
            }
            Entry::Refunded { number, .. } => rest -= refunds.get(number).copied().unwrap_or(0),
            Entry::ChargedBack { amount, .. } => back += amount.0,
            _ => {}
        }
    }
    back > rest
}

fn price_altered(signs: &Signs<'_>) -> bool {
    let mut ordered = false;
    signs.batches.iter().flatten().any(|entry| match entry {
        Entry::Created { .. } => {
            ordered = false;
            false
        }
        Entry::Placed(_) => {
            ordered = true;
            false
        }
        Entry::Altered { patch, .. } => ordered && patch.skus.iter().any(|sku| sku.price.is_some()),
        _ => false,
    })
}

/// A capture of an attempt that had failed.
fn changed_its_mind(entries: &[Entry]) -> bool {
    let mut failed = Vec::new();
    entries.iter().any(|entry| match entry {
        Entry::ChargeFailed { attempt, .. } => {
            failed.push(*attempt);
            false
        }
        Entry::Captured { attempt, .. } => failed.contains(attempt),
        _ => false,
    })
}
