//! What an order has to cost, worked out anew: units times price, each line rounded once, halves to the even number.

use commerce::deal::Deal;
use commerce::entry::Placed;
use commerce::offer::Cut;
use commerce::price::PriceWhat;

use super::rows::Rows;
use super::{fold, tiers};
use crate::record::Finding;

/// Ten-thousandths of the major unit in one minor unit.
fn step(currency: &str) -> i128 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 10_000,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 10,
        "CLF" | "UYW" => 1,
        _ => 100,
    }
}

/// The price of so many units in minor units.
pub(super) fn of_line(price: i64, units: i64, currency: &str) -> i64 {
    let (fine, step) = (i128::from(price) * i128::from(units), step(currency));
    let (whole, twice) = (fine / step, fine % step * 2);
    let up = twice > step || (twice == step && whole % 2 == 1);
    i64::try_from(whole + i128::from(up)).unwrap_or(i64::MAX)
}

/// The price of a unit for a member of a team; the plan's for everybody else.
fn of_team(rows: &Rows, deal: &Deal, plain: i64) -> i64 {
    let seat = deal.seat.as_ref();
    let Some((seat, rule)) = seat.and_then(|seat| Some((seat, rows.gathered.rule_of(seat)?)))
    else {
        return plain;
    };
    let team = rows.gathered.teams.get(fold::place(seat.team));
    tiers::price_now(rule, team, plain)
}

/// What comes off the lines of an order; a team's tier is in their own price.
pub(super) fn cuts(deal: &Deal) -> impl Iterator<Item = (PriceWhat, i64)> {
    let of_lines = |what| matches!(what, PriceWhat::Line { .. } | PriceWhat::Tier { .. });
    let cuts = deal.price.iter().filter(move |line| !of_lines(line.what));
    cuts.map(|line| (line.what, -line.amount.0))
}

/// What comes off in all.
pub(super) fn taken_off(deal: &Deal) -> i64 {
    cuts(deal).map(|(_, off)| off).sum()
}

/// Whether a level or a coupon is in the price, whose amounts the offer's discounts say.
fn discounted(deal: &Deal) -> bool {
    let mut lines = deal.price.iter();
    lines.any(|line| {
        matches!(
            line.what,
            PriceWhat::Level { .. } | PriceWhat::Coupon { .. }
        )
    })
}

/// What a leader pays less.
fn leaders(rows: &Rows, deal: &Deal) -> Option<Cut> {
    let seat = deal.seat.as_ref().filter(|seat| seat.opens.is_some())?;
    rows.gathered.rule_of(seat)?.leader
}

/// Before an order is written down: its prices are the plan's or its team's, and its total is their sum without what
/// comes off.
pub(super) fn before(rows: &Rows, placed: &Placed, deal: &Deal, findings: &mut Vec<Finding>) {
    let Some(terms) = &rows.terms else { return };
    let mut sum = 0_i64;
    for line in placed.lines.as_slice() {
        let sku = usize::try_from(line.sku)
            .ok()
            .and_then(|sku| rows.skus.get(sku));
        let plan = sku.map(|sku| of_team(rows, deal, sku.now.price));
        if !line.own_price && plan != Some(line.price.0) {
            let what = format!(
                "{}: a unit of SKU {} was sold for {} where the plan says {plan:?}",
                rows.name(placed.order),
                line.sku,
                line.price.0
            );
            findings.push(Finding::new("INV-10", what));
        }
        sum = sum.saturating_add(of_line(
            line.price.0,
            i64::from(line.units),
            &terms.currency,
        ));
    }
    let cut = leaders(rows, deal).map_or(0, |cut| tiers::off(cut, sum));
    let off = taken_off(deal);
    if off != cut && !discounted(deal) {
        let of = rows.name(placed.order);
        let what = format!("{of}: {off} comes off its price, it should be {cut}");
        findings.push(Finding::new("INV-10", what));
    }
    if sum - off != placed.total.0 {
        let of = rows.name(placed.order);
        let what = format!(
            "{of}: its total is {}, its lines come to {sum} less {off}",
            placed.total.0
        );
        findings.push(Finding::new("INV-10", what));
    }
}
