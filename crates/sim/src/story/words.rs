//! The words of a story.

use commerce::Entry;
use commerce::entry::Fate;

use crate::record::{Call, Outcome, Who};
use crate::witness::Start;

/// Letters of a body that are told.
const BODY_LETTERS: usize = 240;

pub(super) fn call_words(call: &Call) -> String {
    let who = match &call.who {
        Who::Merchant => "the merchant",
        Who::Buyer(name) => name,
        Who::Anybody => "somebody",
    };
    let key = call.key.as_ref().map(|key| format!(" with key {key}"));
    format!(
        "{who} (client {}) asks {} {}{}{}",
        call.client,
        call.method,
        call.path,
        key.unwrap_or_default(),
        body_words(&call.body)
    )
}

pub(super) fn outcome_words(call: &Call) -> String {
    let client = call.client;
    match &call.outcome {
        Outcome::Open => format!("client {client} waits still"),
        Outcome::Unheard(why) => format!("client {client} hears nothing: {why}"),
        Outcome::Said(said) => {
            let repeat = if said.repeated { " as a repeat" } else { "" };
            let receipt = said.position.map(|(sale, at)| format!(" at {sale} {at}"));
            format!(
                "client {client} is told {}{repeat}{}{}",
                said.status,
                receipt.unwrap_or_default(),
                body_words(&said.body)
            )
        }
    }
}

fn body_words(body: &str) -> String {
    let start: String = body.chars().take(BODY_LETTERS).collect();
    match body {
        "" => String::new(),
        _ if start.len() < body.len() => format!(": {start}…"),
        _ => format!(": {start}"),
    }
}

/// What a start found, unless it was nothing of note.
pub(super) fn start_words(start: &Start) -> Option<String> {
    let mut found = Vec::new();
    if start.batches > 0 {
        found.push(match start.from_snapshot {
            true => format!("a snapshot and {} batches behind it", start.batches),
            false => format!("{} batches and no snapshot", start.batches),
        });
    }
    found.extend(
        start
            .skipped
            .iter()
            .map(|why| format!("a snapshot that is not to be trusted: {why}")),
    );
    found.extend(
        start
            .torn
            .iter()
            .map(|why| format!("bytes behind the last batch: {why}")),
    );
    (!found.is_empty()).then(|| format!("a journal was opened; it had {}", found.join(", ")))
}

pub(super) fn entry_words(entry: &Entry) -> String {
    match entry {
        Entry::Placed(placed) => {
            let lines = placed.lines.as_slice().iter();
            let lines: Vec<String> = lines
                .map(|line| format!("{} of SKU {}", line.units, line.sku))
                .collect();
            format!(
                "order {} is placed: {}, {} in all, held for {} ms",
                placed.order,
                lines.join(" and "),
                placed.total.0,
                placed.hold_ms
            )
        }
        Entry::PayBegun {
            order,
            attempt,
            amount,
            ..
        } => {
            format!("charge {attempt} of order {order} is begun: {}", amount.0)
        }
        Entry::Captured {
            order,
            attempt,
            amount,
            fate,
        } => format!(
            "charge {attempt} of order {order} is captured: {}; {}",
            amount.0,
            fate_words(fate)
        ),
        Entry::ChargeFailed { order, attempt } => {
            format!("charge {attempt} of order {order} has failed")
        }
        Entry::ChargeUnknown { order, attempt } => {
            format!("what became of charge {attempt} of order {order} is not known")
        }
        Entry::Expired { orders } => format!("the holds of orders {orders:?} are over"),
        Entry::Cancelled { order, refund, .. } => match refund {
            Some(refund) => format!(
                "order {order} is given up; refund {} of {} is begun",
                refund.number, refund.amount.0
            ),
            None => format!("order {order} is given up"),
        },
        Entry::RefundBegun { refund, .. } => format!(
            "refund {} of order {} is begun: {}",
            refund.number, refund.order, refund.amount.0
        ),
        Entry::Refunded { order, number } => format!("refund {number} of order {order} is done"),
        Entry::RefundFailed {
            order,
            number,
            again,
        } => match again {
            Some(again) => format!(
                "refund {number} of order {order} was refused; {} is next",
                again.number
            ),
            None => format!("refund {number} of order {order} was refused"),
        },
        Entry::ChargedBack { order, amount, .. } => {
            format!("the bank takes back {} of order {order}", amount.0)
        }
        other => other_words(other),
    }
}

fn other_words(entry: &Entry) -> String {
    match entry {
        Entry::Created { .. } => "the sale is created".to_owned(),
        Entry::Turned { to, .. } => format!("the sale is now {to:?}"),
        Entry::StockAdded { sku, units, .. } => format!("{units:?} of SKU {sku} come in"),
        Entry::WrittenOff { sku, units, .. } => format!("{units:?} of SKU {sku} are written off"),
        Entry::Noted { order, what } => format!("noted about order {order}: {what}"),
        Entry::Shipped { order, .. } => format!("order {order} is shipped"),
        Entry::ShippedInPart { order, rest, .. } => format!(
            "order {order} is shipped in part; refund {} of {} is begun",
            rest.number, rest.amount.0
        ),
        Entry::Delivered { order, .. } => format!("order {order} is delivered"),
        other => format!("{other:?}"),
    }
}

fn fate_words(fate: &Fate) -> String {
    match fate {
        Fate::Kept => "it pays the order".to_owned(),
        Fate::KeptAgain => "the order had expired, and takes its units again".to_owned(),
        Fate::Deposit => "it pays the deposit".to_owned(),
        Fate::DepositAgain => "it pays the deposit of an order that had expired".to_owned(),
        Fate::GoesBack { refund, amount } => format!("{} goes back as refund {refund}", amount.0),
    }
}
