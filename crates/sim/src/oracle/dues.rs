//! INV-10 for orders of two dues: a deposit is what the offer says, at most one capture pays each due, a deposit is kept
//! only where the rule says so, and never before a balance in flight was settled or its wait is over.

use commerce::Entry;
use commerce::deal::{Dealt, LapsedBalance};
use commerce::entry::{By, RefundBegun};

use super::fold::order_of;
use super::rows::{Attempt, Due, Happening, OrderRow, Phase, Rows};
use super::tiers;
use crate::record::Finding;

/// Before each entry.
pub(super) fn before(rows: &Rows, at: &Happening, findings: &mut Vec<Finding>) {
    let mut found = |order: u32, what: &str| {
        let of = rows.name(order);
        let what = format!("{of} batch {}: {what}: {:?}", at.sequence, at.entry);
        findings.push(Finding::new("INV-10", what));
    };
    match &at.entry {
        Entry::Placed(placed) if placed.paid.is_none() => {
            if split(rows, placed.total.0).is_some() {
                found(placed.order, "an order of a pre-sale has no deposit");
            }
        }
        Entry::Dealt(dealt) => {
            if let Some(what) = not_split(rows, at.time, dealt) {
                found(dealt.placed.order, what);
            }
        }
        Entry::BalanceLapsed { orders } => {
            for lapsed in orders {
                if let Some(what) = not_lapsed(rows.order(lapsed.order), at.time, lapsed) {
                    found(lapsed.order, what);
                }
            }
        }
        Entry::Expired { orders } => {
            for number in orders {
                if rows.order(*number).is_some_and(OrderRow::has_deposit) {
                    found(*number, "a deposit vanishes with its hold");
                }
            }
        }
        entry => {
            let order = order_of(entry).and_then(|number| Some((number, rows.order(number)?)));
            let wrong = order.and_then(|(number, order)| Some((number, not_done(order, at)?)));
            if let Some((number, what)) = wrong {
                found(number, what);
            }
        }
    }
}

/// The deposit of a price in the pre-sale of now; `None` where one due would be nothing.
fn split(rows: &Rows, total: i64) -> Option<i64> {
    let presale = rows.gathered.offer.as_ref()?.presale.as_ref()?;
    let deposit = tiers::off(presale.deposit, total);
    (deposit > 0 && deposit < total).then_some(deposit)
}

fn not_split(rows: &Rows, now: u64, dealt: &Dealt) -> Option<&'static str> {
    let (placed, dues) = (&dealt.placed, &dealt.deal.dues);
    let offer = rows.gathered.offer.as_ref();
    let presale = offer.and_then(|offer| offer.presale.as_ref());
    let seated = dealt.deal.seat.is_some();
    let expected = split(rows, placed.total.0).filter(|_| placed.paid.is_none() && !seated);
    let found = dues.map(|dues| dues.deposit.0);
    if found != expected {
        return Some("the deposit is not what the offer says");
    }
    let (dues, presale) = ((*dues)?, presale?);
    let same = dues.from == presale.from
        && dues.until == presale.until
        && dues.lapse == presale.lapse
        && dues.grace_ms == presale.grace_ms;
    (!same || now >= presale.until.0).then_some("its dues are not those of the offer")
}

fn not_lapsed(order: Option<&OrderRow>, now: u64, lapsed: &LapsedBalance) -> Option<&'static str> {
    let Some((order, dues)) = order.and_then(|order| Some((order, order.dues.as_ref()?))) else {
        return Some("a balance lapsed that is not there");
    };
    if order.phase != Phase::Held || !order.has_deposit() || now < order.deadline() {
        return Some("a balance lapsed that could still be paid");
    }
    if order.is_charging() && dues.grace_ms > 0 && order.extended_ms == 0 {
        return Some("a balance lapsed while it was in flight");
    }
    let left = order.left_of(dues.paid).clamp(0, order.left());
    let expected = (!dues.forfeits && left > 0).then_some((dues.paid, left));
    let found = lapsed.refund.as_ref();
    let found = found.map(|refund| (refund.charge, refund.amount.0));
    (found != expected).then_some("a deposit does not go where the rule says")
}

fn not_done(order: &OrderRow, at: &Happening) -> Option<&'static str> {
    match (&at.entry, &order.dues) {
        (Entry::PayBegun { .. }, Some(dues)) => {
            let early = order.next_due() == Due::Balance && at.time < dues.from;
            early.then_some("a balance was begun before its time")
        }
        (Entry::RefundsBegun { refunds, .. }, dues) => {
            let over = over_charges(order, refunds);
            (dues.is_none() || over).then_some("a refund of more than its charges have left")
        }
        (Entry::GivenUp { refunds, key, .. }, Some(dues)) => {
            let buyer = matches!(key.by, By::Buyer(_));
            let keeps = order.phase == Phase::Held && buyer && dues.forfeits;
            let kept = order.has_deposit() && keeps;
            let sum: i64 = refunds.iter().map(|refund| refund.amount.0).sum();
            let expected = if kept { 0 } else { order.left() };
            if over_charges(order, refunds) {
                return Some("given up with more than its charges have left");
            }
            (sum != expected).then_some("given up with another sum than is left")
        }
        (Entry::GivenUp { .. }, None) => Some("given up as if it had dues"),
        (Entry::Cancelled { .. }, Some(_)) => Some("given up as if it had no dues"),
        _ => None,
    }
}

/// Whether some part is more than its charge has left, or the numbers are not the next ones.
fn over_charges(order: &OrderRow, refunds: &[RefundBegun]) -> bool {
    let next = order.refunds.len() + 1;
    refunds.iter().zip(next..).any(|(refund, number)| {
        let money = order.elsewhere || order.total == 0 || refund.amount.0 == 0;
        usize::from(refund.number) != number
            || (!money && refund.amount.0 > order.left_of(refund.charge))
    })
}

/// At the end: each due was paid once at most, and only a forfeited deposit stays.
pub(super) fn end(rows: &Rows, findings: &mut Vec<Finding>) {
    for (number, order) in (0_u32..).zip(&rows.orders) {
        let Some(dues) = &order.dues else { continue };
        let mut found = |what: String| {
            findings.push(Finding::new(
                "INV-10",
                format!("{}: {what}", rows.name(number)),
            ));
        };
        let deposits = order.attempts.iter();
        let deposits = deposits.filter(|attempt| matches!(attempt, Attempt::Deposit { .. }));
        if deposits.count() > 1 {
            found("two captures paid its deposit".into());
        }
        let over = matches!(order.phase, Phase::Cancelled | Phase::Expired);
        if over && dues.forfeited && (!dues.forfeits || order.left() > dues.deposit) {
            found(format!(
                "{} of {} stay with the merchant",
                order.left(),
                dues.deposit
            ));
        }
    }
}
