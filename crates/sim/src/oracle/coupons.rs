//! INV-5 for coupons: whoever uses one may, no buyer uses it more often than it says, and it gives no more than its
//! budget, at any moment. What an order used counts while the order is held or sold.

use std::collections::BTreeMap;

use commerce::deal::Deal;
use commerce::entry::Placed;
use commerce::offer::Cut;
use commerce::price::{Coupon, CouponKind, PriceWhat};

use super::rows::{OrderRow, Rows};
use super::{price, tiers};
use crate::record::Finding;

/// The coupons of an order by their places in the offer, and what each gave.
pub(super) fn of(deal: &Deal) -> impl Iterator<Item = (u16, i64)> {
    deal.price.iter().filter_map(|line| match line.what {
        PriceWhat::Coupon { coupon } => Some((coupon, -line.amount.0)),
        _ => None,
    })
}

/// What a coupon takes off a price: never more than there is.
pub(super) fn gives(coupon: &Coupon, price: i64) -> i64 {
    match coupon.kind {
        CouponKind::Off(amount) => tiers::off(Cut::Off(amount), price),
        CouponKind::Share(share, most) => {
            let off = tiers::off(Cut::Share(share), price);
            most.map_or(off, |most| off.min(most.0))
        }
    }
}

/// What each coupon has given in all, and how often.
pub(super) fn given(rows: &Rows) -> BTreeMap<u16, (i64, u32)> {
    let mut given = BTreeMap::<u16, (i64, u32)>::new();
    let orders = rows.orders.iter().filter(|order| order.counts());
    for (number, off) in orders.flat_map(|order| &order.coupons) {
        let (sum, times) = given.entry(*number).or_default();
        *sum += off;
        *times += 1;
    }
    given
}

/// How often a buyer uses a coupon; whoever has no name has no limit.
fn uses(rows: &Rows, buyer: Option<&str>, number: u16) -> u32 {
    let own = buyer.and_then(|buyer| rows.of_buyer.get(buyer));
    let orders = own.into_iter().flatten();
    let orders = orders.filter_map(|at| rows.orders.get(*at));
    let coupons = orders
        .filter(|order| order.counts())
        .flat_map(|order| &order.coupons);
    let times = coupons.filter(|(own, _)| *own == number).count();
    u32::try_from(times).unwrap_or(u32::MAX)
}

/// Why a coupon has not so much left to give to this buyer.
fn spent(rows: &Rows, buyer: Option<&str>, (number, off): (u16, i64)) -> Option<String> {
    let offer = rows.gathered.offer.as_ref();
    let coupon = offer.and_then(|offer| offer.discounts.coupons.get(usize::from(number)));
    let Some(coupon) = coupon else {
        return Some(format!("coupon {number} is not in the offer"));
    };
    let used = uses(rows, buyer, number);
    if coupon.per_buyer.is_some_and(|most| used >= most) {
        return Some(format!("{buyer:?} has used coupon {number} {used} times"));
    }
    let before = given(rows).get(&number).map_or(0, |(sum, _)| *sum);
    let over = coupon.budget.is_some_and(|most| before + off > most.0);
    over.then(|| {
        format!("coupon {number} has given {before} and gives {off} more: more than its budget")
    })
}

/// Whether an expired order may have its coupons again.
pub(super) fn left(rows: &Rows, order: &OrderRow) -> bool {
    let mut coupons = order.coupons.iter();
    coupons.all(|one| spent(rows, order.buyer.as_deref(), *one).is_none())
}

/// Before an order is written down: every coupon that it uses is there, counts now, is for this buyer and for an order
/// of this sum, stands beside the others, and has so much left.
pub(super) fn before(
    rows: &Rows,
    time: u64,
    (placed, deal): (&Placed, &Deal),
    findings: &mut Vec<Finding>,
) {
    let buyer = placed.buyer().map(AsRef::as_ref);
    let used: Vec<(u16, i64)> = of(deal).collect();
    for (at, one) in used.iter().enumerate() {
        let twice = used[..at].iter().any(|other| other.0 == one.0);
        let wrong = match twice {
            true => Some(format!("coupon {} is used twice in one order", one.0)),
            false => spent(rows, buyer, *one)
                .or_else(|| not_for(rows, time, (placed, deal), (one.0, used.len()))),
        };
        if let Some(what) = wrong {
            let of = rows.name(placed.order);
            findings.push(Finding::new("INV-5", format!("{of}: {what}")));
        }
    }
}

/// Why a coupon is not for this order, one of so many that it uses.
fn not_for(
    rows: &Rows,
    time: u64,
    (placed, deal): (&Placed, &Deal),
    (number, all): (u16, usize),
) -> Option<String> {
    let offer = rows.gathered.offer.as_ref()?;
    let coupon = offer.discounts.coupons.get(usize::from(number))?;
    let facts = deal.facts.as_ref();
    let tagged = |tag| facts.is_some_and(|facts| facts.tags.contains(tag));
    let level = facts.map_or(0, |facts| facts.level);
    let sum = price::before_coupons(placed, deal);
    let begun = coupon.from.is_none_or(|from| from.0 <= time);
    let ended = coupon.until.is_some_and(|until| until.0 <= time);
    if !begun || ended {
        Some(format!("coupon {number} does not count now"))
    } else if level < coupon.level || !(coupon.tags.is_empty() || coupon.tags.iter().any(tagged)) {
        Some(format!("coupon {number} is not for this buyer"))
    } else if sum < coupon.threshold.0 {
        Some(format!("coupon {number} is not for an order of {sum}"))
    } else if all > 1 && !coupon.combines {
        Some(format!("coupon {number} stands beside another one"))
    } else {
        None
    }
}
