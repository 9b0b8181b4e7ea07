//! What a member's order costs at the price of its team's last tier, worked out anew: what came off by share takes the same
//! part of it, an amount stays an amount.

use commerce::offer::Cut;
use commerce::price::{CouponKind, PriceWhat};

use super::order::OrderRow;
use super::price;
use super::rows::Rows;

/// What was paid for the units that did not come back, and what is due for them.
pub(super) fn at_end(rows: &Rows, team: usize, order: &OrderRow, last: i64) -> Option<(i64, i64)> {
    let line = order.lines.first()?;
    let currency = rows.terms.as_ref().map_or("", |terms| &terms.currency);
    let worth = |unit, units| price::of_line(unit, units, currency);
    let (then, now) = (worth(line.price, line.units), worth(last, line.units));
    let (mut paid, mut due) = (then, now);
    for (what, off) in &order.cuts {
        let off_now = match is_share(rows, team, *what) {
            true => of_it(*off, due, paid),
            false => (*off).min(due),
        };
        paid -= off;
        due -= off_now;
    }
    let without = |net: i64, gross: i64, back: i64| {
        let part = i128::from(net) * i128::from(back) / i128::from(gross.max(1));
        net - i64::try_from(part).unwrap_or(i64::MAX)
    };
    Some((
        without(paid, then, worth(line.price, line.returned)),
        without(due, now, worth(last, line.returned)),
    ))
}

/// What is off the price of the lines once `back` of it went back and a unit costs `last`.
pub(super) fn off_after(order: &OrderRow, currency: &str, last: i64, back: i64) -> i64 {
    let Some(line) = order.lines.first().filter(|_| order.off != 0) else {
        return order.off;
    };
    let gross = |unit| price::of_line(unit, line.units, currency);
    let kept = (line.units - line.returned).max(1);
    let whole = i128::from(back) * i128::from(line.units) / i128::from(kept);
    let net = gross(line.price) - order.off - i64::try_from(whole).unwrap_or(0);
    (gross(last) - net.max(0)).max(0)
}

fn is_share(rows: &Rows, team: usize, what: PriceWhat) -> bool {
    match what {
        PriceWhat::Level { .. } => true,
        PriceWhat::Leader => {
            let team = rows.gathered.teams.get(team);
            let rule = team.and_then(|team| rows.gathered.rule(team));
            matches!(rule.and_then(|rule| rule.leader), Some(Cut::Share(_)))
        }
        PriceWhat::Coupon { coupon } => {
            let offer = rows.gathered.offer.as_ref();
            let coupon = offer.and_then(|offer| offer.discounts.coupons.get(usize::from(coupon)));
            matches!(
                coupon.map(|coupon| coupon.kind),
                Some(CouponKind::Share(..))
            )
        }
        PriceWhat::Line { .. } | PriceWhat::Tier { .. } => false,
    }
}

/// The same part of `now` that `off` is of `then`; halves to the even number.
fn of_it(off: i64, now: i64, then: i64) -> i64 {
    let then = i128::from(then.max(1));
    let twice = 2 * i128::from(off) * i128::from(now);
    let below = twice / (2 * then);
    let rest = twice - 2 * then * below;
    let up = rest > then || (rest == then && below % 2 != 0);
    i64::try_from(below + i128::from(up)).map_or(now, |off| off.min(now))
}
