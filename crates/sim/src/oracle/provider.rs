//! INV-2, INV-4 and INV-10 against the provider's own ledger: what it moved is what the journal says, to the last
//! minor unit, and nothing was asked of it that was not journalled before.

use std::collections::BTreeMap;

use api::provider::{ChargeOutcome, ProviderCharge, ProviderRefund, RefundOutcome};
use api::refund::RefundState;
use api::{OrderId, SaleId};

use super::rows::{Attempt, OrderRow, Phase, RefundRow, Rows};
use super::totals;
use crate::record::{Evidence, Finding};

/// The sales of a life, by number.
pub(super) type Books = BTreeMap<u32, Rows>;

fn order(books: &Books, id: OrderId) -> Option<(&Rows, &OrderRow)> {
    let rows = books.get(&id.sale().get())?;
    Some((rows, rows.order(u32::try_from(id.number()).ok()?)?))
}

/// Everything that provider and journals do not agree on.
pub(super) fn judge(evidence: &Evidence, books: &Books, findings: &mut Vec<Finding>) {
    let mut captured = BTreeMap::new();
    for charge in &evidence.charges {
        let key = charge.request.key;
        if captured
            .insert(key, charge.outcome == ChargeOutcome::Captured)
            .is_some()
        {
            findings.push(Finding::new(
                "INV-4",
                format!("the provider has charge {key} twice"),
            ));
        }
        if let Some((promise, what)) = of_charge(books, charge) {
            findings.push(Finding::new(promise, format!("charge {key}: {what}")));
        }
    }
    let mut refunded = BTreeMap::new();
    for refund in &evidence.refunds {
        let key = refund.request.key;
        if refunded
            .insert(key, refund.outcome == RefundOutcome::Refunded)
            .is_some()
        {
            findings.push(Finding::new(
                "INV-4",
                format!("the provider has refund {key} twice"),
            ));
        }
        if let Some((promise, what)) = of_refund(books, refund) {
            findings.push(Finding::new(promise, format!("refund {key}: {what}")));
        }
    }
    for rows in books.values() {
        for (number, order) in (0_u64..).zip(&rows.orders) {
            let Some(id) = SaleId::new(rows.sale).and_then(|sale| OrderId::new(sale, number))
            else {
                continue;
            };
            let was_captured =
                |attempt| captured.get(&api::PaymentId { order: id, attempt }) == Some(&true);
            let was_refunded =
                |number| refunded.get(&api::RefundId { order: id, number }) == Some(&true);
            for what in invented(order, was_captured, was_refunded) {
                findings.push(Finding::new("INV-10", format!("{id}: {what}")));
            }
            one_order(id, order, findings);
        }
    }
    totals::judge(evidence, books, findings);
}

type Wrong = Option<(&'static str, String)>;

fn of_charge(books: &Books, charge: &ProviderCharge) -> Wrong {
    let asked = &charge.request;
    let at = usize::from(asked.key.attempt).wrapping_sub(1);
    let known = order(books, asked.key.order);
    let Some((rows, order, attempt)) =
        known.and_then(|(rows, order)| Some((rows, order, *order.attempts.get(at)?)))
    else {
        return Some((
            "INV-4",
            "the provider was asked before the journal knew".into(),
        ));
    };
    let currency = rows.terms.as_ref().map_or("", |terms| &terms.currency);
    if asked.order != asked.key.order
        || asked.amount_minor != order.asked_of(asked.key.attempt)
        || asked.currency.code() != currency
    {
        let what = format!(
            "{} {} was asked for, {} {currency} is due",
            asked.amount_minor,
            asked.currency.code(),
            order.asked_of(asked.key.attempt)
        );
        return Some(("INV-4", what));
    }
    match (charge.outcome, attempt) {
        (
            ChargeOutcome::Captured,
            Attempt::Captured { amount, .. } | Attempt::Deposit { amount },
        ) if amount == asked.amount_minor => None,
        (ChargeOutcome::Declined, Attempt::Failed) | (ChargeOutcome::Pending, _) => None,
        // What nobody knows the end of yet is the healing's to judge.
        (ChargeOutcome::Declined, open) if open.is_open() => None,
        (outcome, attempt) => Some((
            "INV-10",
            format!("the provider says {outcome:?}, the book says {attempt:?}"),
        )),
    }
}

fn of_refund(books: &Books, refund: &ProviderRefund) -> Wrong {
    let asked = &refund.request;
    let at = usize::from(asked.key.number).wrapping_sub(1);
    let known = order(books, asked.key.order);
    let Some((rows, known)) = known.and_then(|(rows, order)| Some((rows, order.refunds.get(at)?)))
    else {
        return Some((
            "INV-4",
            "the provider was asked before the journal knew".into(),
        ));
    };
    let currency = rows.terms.as_ref().map_or("", |terms| &terms.currency);
    let same_charge = asked.charge.order == asked.key.order && asked.charge.attempt == known.charge;
    if !same_charge
        || asked.amount_minor != known.amount
        || asked.currency.code() != currency
        || known.elsewhere
    {
        return Some((
            "INV-4",
            format!("the provider was asked for {asked:?}, the book says {known:?}"),
        ));
    }
    match (refund.outcome, known.state) {
        (RefundOutcome::Refunded, RefundState::Refunded)
        | (RefundOutcome::Declined, RefundState::Failed | RefundState::Pending)
        | (RefundOutcome::Pending, _) => None,
        (outcome, state) => Some((
            "INV-10",
            format!("the provider says {outcome:?}, the book says {state:?}"),
        )),
    }
}

/// Money that only the book knows of.
fn invented(
    order: &OrderRow,
    was_captured: impl Fn(u16) -> bool,
    was_refunded: impl Fn(u16) -> bool,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (attempt, number) in order.attempts.iter().zip(1_u16..) {
        let captured = matches!(attempt, Attempt::Captured { .. } | Attempt::Deposit { .. });
        if captured && !was_captured(number) {
            wrong.push(format!(
                "the book has attempt {number} captured, the provider has not"
            ));
        }
    }
    let by_provider = |refund: &RefundRow| !refund.elsewhere && refund.amount > 0;
    for (refund, number) in order.refunds.iter().zip(1_u16..) {
        if refund.state == RefundState::Refunded && by_provider(refund) && !was_refunded(number) {
            wrong.push(format!(
                "the book has refund {number} paid, the provider has not"
            ));
        }
    }
    wrong
}

/// At most one charge pays an order, and every other one goes back.
fn one_order(id: OrderId, order: &OrderRow, findings: &mut Vec<Finding>) {
    let pays = |attempt: &&Attempt| matches!(attempt, Attempt::Captured { kept: true, .. });
    if order.attempts.iter().filter(pays).count() > 1 {
        findings.push(Finding::new(
            "INV-4",
            format!("{id} was paid more than once"),
        ));
    }
    for (attempt, number) in order.attempts.iter().zip(1_u16..) {
        let Attempt::Captured { kept: false, .. } = attempt else {
            continue;
        };
        let last = order.refunds.iter().rfind(|refund| refund.charge == number);
        let stuck = match last.map(|refund| refund.state) {
            None => true,
            Some(RefundState::Failed) => order.left() > 0,
            Some(RefundState::Pending | RefundState::Refunded) => false,
        };
        if stuck {
            let what = format!("{id}: attempt {number} pays nothing and does not go back");
            findings.push(Finding::new("INV-10", what));
        }
    }
    let negative = [
        order.captured,
        order.refunded,
        order.pending,
        order.charged_back,
    ];
    if negative.into_iter().any(i64::is_negative) {
        findings.push(Finding::new(
            "INV-10",
            format!("{id} has a negative part: {:?}", order.look()),
        ));
    }
    // A deposit may be forfeited; whether it was rightly is judged with the dues.
    let forfeited = order.dues.as_ref().is_some_and(|dues| dues.forfeited);
    let due = matches!(order.phase, Phase::Cancelled | Phase::Expired) && !forfeited;
    if due && order.left() > 0 {
        let what = format!(
            "{id} is {:?} and {} of its money stays",
            order.phase,
            order.left()
        );
        findings.push(Finding::new("INV-10", what));
    }
}
