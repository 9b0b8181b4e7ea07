//! INV-2 and INV-10 while the journal is read: every movement of money is right by itself.

use commerce::Entry;
use commerce::deal::Deal;
use commerce::entry::{Again, Asked, By, Fate, RefundBegun};

use super::rows::{Happening, LineRow, OrderRow, Rows};
use super::{fold, price};
use crate::record::Finding;

/// Before each entry.
pub(super) fn before(rows: &Rows, at: &Happening, findings: &mut Vec<Finding>) {
    match &at.entry {
        Entry::Placed(placed) => {
            return price::before(rows, at.time, (placed, &Deal::default()), findings);
        }
        Entry::Dealt(dealt) => {
            return price::before(rows, at.time, (&dealt.placed, &dealt.deal), findings);
        }
        _ => {}
    }
    let Some(number) = fold::order_of(&at.entry) else {
        return;
    };
    let Some(order) = rows.order(number) else {
        return;
    };
    let wrong = match &at.entry {
        Entry::PayBegun { amount, .. } if amount.0 != order.amount_of(order.next_due()) => {
            let due = order.amount_of(order.next_due());
            Some(("INV-10", format!("{} is charged, {due} is due", amount.0)))
        }
        Entry::Captured {
            amount,
            fate:
                Fate::GoesBack {
                    refund,
                    amount: back,
                },
            ..
        } => {
            let left = (order.left_raw() + amount.0).max(0);
            goes_back(order, *refund, back.0, amount.0.min(left))
        }
        Entry::RefundBegun { refund, asked, .. } => begun(rows, order, refund, *asked),
        // What did not leave is worth its price, unless less is left of the order's money.
        Entry::ShippedInPart { rest, .. } if rest.amount.0 == order.left() => {
            begun(rows, order, rest, Asked::Amount)
        }
        Entry::ShippedInPart { rest, .. } => begun(rows, order, rest, Asked::Lines),
        Entry::Cancelled { refund, key, .. } if order.is_sold() => {
            cancelled(order, refund.as_ref(), &key.by)
        }
        Entry::Refunded { number, .. } => ended(order, *number, End::Paid),
        Entry::RefundFailed { number, again, .. } => ended(order, *number, End::Failed(*again)),
        Entry::ChargedBack { amount, .. } if amount.0 < 0 => {
            Some(("INV-10", format!("a chargeback of {}", amount.0)))
        }
        _ => None,
    };
    if let Some((promise, what)) = wrong {
        let of = rows.name(number);
        findings.push(Finding::new(
            promise,
            format!("{of} batch {}: {what}", at.sequence),
        ));
    }
}

/// How a refund ended.
enum End {
    Paid,
    Failed(Option<Again>),
}

type Wrong = Option<(&'static str, String)>;

fn next(order: &OrderRow) -> usize {
    order.refunds.len() + 1
}

fn goes_back(order: &OrderRow, refund: u16, back: i64, expected: i64) -> Wrong {
    if usize::from(refund) != next(order) {
        return Some(("INV-4", format!("refund {refund} is not the next")));
    }
    let what = format!("{back} goes back by itself, {expected} has to");
    (back != expected).then_some((if back > expected { "INV-2" } else { "INV-10" }, what))
}

fn begun(rows: &Rows, order: &OrderRow, refund: &RefundBegun, asked: Asked) -> Wrong {
    if usize::from(refund.number) != next(order) {
        return Some(("INV-4", format!("refund {} is not the next", refund.number)));
    }
    if refund.amount.0 < 0 || refund.amount.0 > order.left() {
        let what = format!(
            "a refund of {}, but {} is left",
            refund.amount.0,
            order.left()
        );
        return Some(("INV-2", what));
    }
    let deposit = order.dues.as_ref().map_or(0, |dues| dues.paid);
    let paid = refund.charge == order.kept() || (deposit != 0 && refund.charge == deposit);
    if !paid || refund.elsewhere != order.elsewhere {
        return Some((
            "INV-10",
            "a refund of another charge than the one that paid".into(),
        ));
    }
    let currency = rows.terms.as_ref().map_or("", |terms| &terms.currency);
    let mut worth = 0;
    for &(line, units) in &refund.lines {
        let (Some(line), units) = (order.lines.get(usize::from(line)), i64::from(units)) else {
            return Some((
                "INV-9",
                "units of a line that is not there come back".into(),
            ));
        };
        let back = line.returned + units;
        if back > line.units {
            let what = format!("{back} units come back of a line of {}", line.units);
            return Some(("INV-9", what));
        }
        let upto = |units| price::of_line(line.price, units, currency);
        worth += upto(back) - upto(line.returned);
    }
    let expected = match asked {
        Asked::All => order.left(),
        Asked::Lines => without_off(order, currency, worth),
        Asked::Amount => refund.amount.0,
    };
    let what = format!("a refund of {}, but it is {expected}", refund.amount.0);
    (refund.amount.0 != expected).then_some(("INV-10", what))
}

/// The share of what came off that belongs to returned units comes off their worth: parts sum up to what was paid.
fn without_off(order: &OrderRow, currency: &str, worth: i64) -> i64 {
    if order.off == 0 {
        return worth;
    }
    let sum = |units: fn(&LineRow) -> i64| -> i64 {
        let lines = order.lines.iter();
        lines
            .map(|line| price::of_line(line.price, units(line), currency))
            .sum()
    };
    let (gross, before) = (sum(|line| line.units), sum(|line| line.returned));
    let net = i128::from(gross - order.off);
    let share = |part: i64| i128::from(part) * net / i128::from(gross.max(1));
    i64::try_from(share(before + worth) - share(before)).unwrap_or(i64::MAX)
}

/// Who gives up a paid order gets all that is left, and all units go back.
fn cancelled(order: &OrderRow, refund: Option<&RefundBegun>, by: &By) -> Wrong {
    let Some(refund) = refund else {
        let what = format!("given up by {by:?} without a refund of {}", order.left());
        return (order.left() > 0 || order.units_left() > 0).then_some(("INV-10", what));
    };
    if usize::from(refund.number) != next(order) {
        return Some(("INV-4", format!("refund {} is not the next", refund.number)));
    }
    if refund.amount.0 != order.left() {
        let over = if refund.amount.0 > order.left() {
            "INV-2"
        } else {
            "INV-10"
        };
        let what = format!(
            "given up with a refund of {}, left was {}",
            refund.amount.0,
            order.left()
        );
        return Some((over, what));
    }
    let wrong = refund.charge != order.kept() || refund.elsewhere != order.elsewhere;
    wrong.then(|| ("INV-10", "given up with a refund of another charge".into()))
}

fn ended(order: &OrderRow, number: u16, end: End) -> Wrong {
    use api::refund::RefundState::{Failed, Pending, Refunded};
    let known = usize::from(number)
        .checked_sub(1)
        .and_then(|at| order.refunds.get(at));
    let Some(refund) = known else {
        return Some(("INV-4", format!("refund {number} ended and never began")));
    };
    let again = match (end, refund.state) {
        (End::Paid, Pending | Failed) => return None,
        // One that was paid may come back: the buyer's bank did not take it.
        (End::Failed(again), Pending | Refunded) => again,
        (_, state) => {
            return Some((
                "INV-4",
                format!("refund {number} ended twice, it was {state:?}"),
            ));
        }
    };
    let left = (order.left_raw() + refund.amount).max(0);
    // Money that must go back is tried again until it is back: nobody else would ask for it.
    let must = (refund.automatic || !order.is_sold()) && left.min(refund.amount) > 0;
    // A try that waits is withdrawn when the one before it was paid after all.
    let earlier = order.refunds.iter().take(usize::from(number) - 1);
    let mut earlier = earlier.filter(|other| {
        (other.state, other.charge) == (Refunded, refund.charge) && refund.amount <= other.amount
    });
    if again.is_none() && refund.automatic && earlier.next().is_some() {
        return None;
    }
    let expected = must.then(|| (next(order), refund.charge, refund.amount.min(left)));
    let found = again.map(|again| (usize::from(again.number), again.charge, again.amount.0));
    let what = format!("refund {number} failed and goes on as {found:?}, not {expected:?}");
    let over = found.is_some_and(|(_, _, amount)| amount > left);
    (found != expected).then_some((if over { "INV-2" } else { "INV-10" }, what))
}
