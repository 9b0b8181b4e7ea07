//! A life told step by step, in words: what broke, who asked what and was told what, what the journal got, and what the
//! provider has on its books, around the orders that a finding names.

mod words;

use std::collections::BTreeSet;
use std::time::Duration;

use api::{OrderId, PaymentId, RefundId, SaleId};
use commerce::Entry;
use commerce::deal::Settled;
use commerce::record::Records;
use commerce::saga::SagaEntry;

use crate::clock::DAWN_MS;
use crate::life::Lived;
use crate::record::{Call, Finding, Outcome};
use words::{call_words, entry_words, outcome_words, start_words};

/// Lines of a story, at most; a life that was shrunk is well below.
const LINES_MAX: usize = 600;

/// Tells a life up to a broken promise.
#[must_use]
pub fn tell(lived: &Lived, finding: &Finding) -> Vec<String> {
    let about = orders_in(&finding.what);
    let mut lines: Vec<(Duration, String)> = lived.story.clone();
    lines.extend(starts(lived));
    lines.extend(calls(lived, &about));
    lines.extend(batches(lived, &about));
    lines.sort_by_key(|(at, _)| *at);
    let mut told: Vec<String> = lines
        .into_iter()
        .map(|(at, what)| format!("{:>12.6} s  {what}", at.as_secs_f64()))
        .collect();
    if told.len() > LINES_MAX {
        let left_out = told.len() - LINES_MAX;
        told.drain(LINES_MAX / 2..LINES_MAX / 2 + left_out);
        told.insert(
            LINES_MAX / 2,
            format!("              … {left_out} lines more"),
        );
    }
    told.extend(books(lived, &about));
    told.push(format!("broken promise: {finding}"));
    told
}

/// The orders that a text names, also by their payments and refunds.
fn orders_in(text: &str) -> BTreeSet<OrderId> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.split(|letter| !is_part(letter))
        .filter_map(|word| {
            let order = word.parse::<OrderId>().ok();
            let payment = || Some(word.parse::<PaymentId>().ok()?.order);
            let refund = || Some(word.parse::<RefundId>().ok()?.order);
            order.or_else(payment).or_else(refund)
        })
        .collect()
}

fn starts(lived: &Lived) -> impl Iterator<Item = (Duration, String)> {
    let starts = lived.seen.starts.iter();
    starts.filter_map(|start| Some((start.at, start_words(start)?)))
}

fn calls(lived: &Lived, about: &BTreeSet<OrderId>) -> Vec<(Duration, String)> {
    let names: Vec<String> = about.iter().map(ToString::to_string).collect();
    let mut lines = Vec::new();
    for call in &lived.evidence.calls {
        if !names.is_empty() && !names.iter().any(|name| mentions(call, name)) {
            continue;
        }
        lines.push((call.asked_at, call_words(call)));
        if call.outcome != Outcome::Open {
            lines.push((call.ended_at, outcome_words(call)));
        }
    }
    lines
}

fn mentions(call: &Call, order: &str) -> bool {
    let said = match &call.outcome {
        Outcome::Said(said) => said.body.contains(order),
        Outcome::Open | Outcome::Unheard(_) => false,
    };
    call.path.contains(order) || call.body.contains(order) || (said && call.method != "GET")
}

fn batches(lived: &Lived, about: &BTreeSet<OrderId>) -> Vec<(Duration, String)> {
    let mut lines = Vec::new();
    for (sale, journal) in &lived.evidence.journals {
        let mut seen_at = Duration::ZERO;
        for batch in journal {
            let at = shown_by(lived, *sale, batch.sequence);
            // Its own time is that of a clock that may be wrong; whoever saw it saw it later than it was made.
            let by_clock = Duration::from_millis(batch.time_ms.saturating_sub(DAWN_MS));
            seen_at = at.map_or(by_clock, |at| at.min(by_clock)).max(seen_at);
            let told = entries(&batch.payload)
                .into_iter()
                .filter(|entry| about.is_empty() || concerns(*sale, entry, about));
            for entry in told {
                let words = entry_words(&entry);
                let line = format!("journal of sale {sale}, batch {}: {words}", batch.sequence);
                lines.push((seen_at, line));
            }
        }
    }
    lines
}

/// When somebody first saw an answer that stands on this batch or a later one.
fn shown_by(lived: &Lived, sale: u32, sequence: u64) -> Option<Duration> {
    let receipts = lived.evidence.calls.iter().filter_map(|call| {
        let Outcome::Said(said) = &call.outcome else {
            return None;
        };
        let (of, position) = said.position?;
        (of.get() == sale && position.sequence >= sequence).then_some(call.ended_at)
    });
    receipts.min()
}

fn concerns(sale: u32, entry: &Entry, about: &BTreeSet<OrderId>) -> bool {
    let Some(sale) = SaleId::new(sale) else {
        return false;
    };
    orders_of(entry).into_iter().any(|number| {
        let order = OrderId::new(sale, u64::from(number));
        order.is_some_and(|order| about.contains(&order))
    })
}

fn books(lived: &Lived, about: &BTreeSet<OrderId>) -> Vec<String> {
    let told = |order: &OrderId| about.is_empty() || about.contains(order);
    let charges = lived.evidence.charges.iter();
    let charges = charges.filter(|charge| told(&charge.request.order));
    let refunds = lived.evidence.refunds.iter();
    let refunds = refunds.filter(|refund| told(&refund.request.key.order));
    let mut lines: Vec<String> = charges
        .map(|charge| {
            let (request, outcome) = (&charge.request, charge.outcome);
            format!(
                "the provider has charge {} of {}: {outcome:?}",
                request.key, request.amount_minor
            )
        })
        .collect();
    lines.extend(refunds.map(|refund| {
        let (request, outcome) = (&refund.request, refund.outcome);
        format!(
            "the provider has refund {} of {}: {outcome:?}",
            request.key, request.amount_minor
        )
    }));
    lines
}

/// The entries of a batch, as far as they can be read.
pub(crate) fn entries(payload: &[u8]) -> Vec<Entry> {
    let mut records = Records::new(payload);
    std::iter::from_fn(|| records.read::<Entry>().ok().flatten()).collect()
}

/// Which orders an entry is about.
pub(crate) fn orders_of(entry: &Entry) -> Vec<u32> {
    match entry {
        Entry::Placed(placed) => vec![placed.order],
        Entry::Expired { orders } => orders.clone(),
        Entry::RefundBegun { refund, .. } => vec![refund.order],
        Entry::PayBegun { order, .. }
        | Entry::Captured { order, .. }
        | Entry::ChargeFailed { order, .. }
        | Entry::ChargeUnknown { order, .. }
        | Entry::ChargeAuthorised { order, .. }
        | Entry::GivenUp { order, .. }
        | Entry::Noted { order, .. }
        | Entry::Cancelled { order, .. }
        | Entry::Refunded { order, .. }
        | Entry::RefundFailed { order, .. }
        | Entry::ChargedBack { order, .. }
        | Entry::Shipped { order, .. }
        | Entry::ShippedInPart { order, .. }
        | Entry::Delivered { order, .. } => vec![*order],
        Entry::Dealt(dealt) => vec![dealt.placed.order],
        Entry::HoldsExtended { orders, .. } => orders.clone(),
        Entry::BalanceLapsed { orders } => orders.iter().map(|lapsed| lapsed.order).collect(),
        Entry::TeamSettled { orders, .. } => orders.iter().map(Settled::order).collect(),
        Entry::RefundsBegun { refunds, .. } => {
            refunds.iter().take(1).map(|refund| refund.order).collect()
        }
        Entry::LineOffered(offer) => vec![offer.order],
        Entry::Drawn { winners, .. } => winners.clone(),
        Entry::Saga(entry) => match entry {
            SagaEntry::Chosen { .. } => Vec::new(),
            SagaEntry::Begun { order, .. }
            | SagaEntry::Moved { order, .. }
            | SagaEntry::Ordered { order, .. } => vec![*order],
        },
        Entry::TeamEnded { .. }
        | Entry::CreatedWith { .. }
        | Entry::OfferAltered { .. }
        | Entry::Waits(_)
        | Entry::WaitsKnown { .. }
        | Entry::LeftLine { .. }
        | Entry::Created { .. }
        | Entry::Altered { .. }
        | Entry::Turned { .. }
        | Entry::StockAdded { .. }
        | Entry::WrittenOff { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{LifePlan, Size};

    #[test]
    fn orders_are_found_in_a_text_under_all_their_names() {
        let sale = SaleId::new(1).expect("a sale");
        let [one, two, three] = [1, 2, 3].map(|nth| OrderId::new(sale, nth).expect("an order"));
        let payment = PaymentId {
            order: two,
            attempt: 1,
        };
        let refund = RefundId {
            order: three,
            number: 1,
        };
        let text = format!("{one}: charge {payment}, not ({refund}); ord_nonsense");
        assert_eq!(orders_in(&text), BTreeSet::from([one, two, three]));
    }

    #[test]
    fn a_story_goes_forward_in_time_and_ends_with_the_broken_promise() {
        let plan = LifePlan::draw(3, Size::default());
        let lived = crate::life::live(&plan).expect("a stage");
        let story = tell(&lived, &Finding::new("INV-1", "one cup too many"));
        let time = |line: &String| line.split_whitespace().next()?.parse::<f64>().ok();
        let times: Vec<f64> = story.iter().filter_map(time).collect();
        assert!(times.len() > 3 && times.is_sorted());
        assert_eq!(
            story.last().map(String::as_str),
            Some("broken promise: INV-1: one cup too many")
        );
    }
}
