//! What an order has to cost, worked out anew and line by line: units times price, the tier of the team, the level of the
//! buyer, the leader's cut, the coupons. Each amount is rounded once, halves to the even number.

use commerce::deal::Deal;
use commerce::entry::{Placed, PlacedLine};
use commerce::offer::{Cut, GroupRule, Offer};
use commerce::price::{PriceLine, PriceWhat};
use ledger::Minor;

use super::gather::TeamRow;
use super::rows::{Rows, Terms};
use super::{coupons, fold, tiers};
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

/// The rule of an order's seat.
fn rule_of<'a>(rows: &'a Rows, deal: &Deal) -> Option<&'a GroupRule> {
    rows.gathered.rule_of(deal.seat.as_ref()?)
}

/// Before an order is written down: its prices are the plan's or its team's, what comes off is what the offer says to
/// the last minor unit, and its total is the sum.
pub(super) fn before(
    rows: &Rows,
    time: u64,
    (placed, deal): (&Placed, &Deal),
    findings: &mut Vec<Finding>,
) {
    let Some(terms) = &rows.terms else { return };
    let of = rows.name(placed.order);
    let mut found = |what: String| findings.push(Finding::new("INV-10", format!("{of}: {what}")));
    let mut sum = 0_i64;
    for line in placed.lines.as_slice() {
        let plan = plain(rows, line).map(|plain| of_team(rows, deal, plain));
        if !line.own_price && plan != Some(line.price.0) {
            found(format!(
                "a unit of SKU {} was sold for {} where the plan says {plan:?}",
                line.sku, line.price.0
            ));
        }
        sum = sum.saturating_add(amount(terms, line.price.0, line));
    }
    let off = taken_off(deal);
    if sum - off != placed.total.0 {
        let total = placed.total.0;
        found(format!(
            "its total is {total}, its lines come to {sum} less {off}"
        ));
    }
    let bill = bill(rows, terms, placed, deal);
    let shown = match bill.iter().any(|line| line.amount.0 < 0) {
        true => &bill[..],
        false => &[],
    };
    if let Some(what) = differs(&deal.price, shown) {
        found(what);
    }
    coupons::before(rows, time, (placed, deal), findings);
}

/// The first line of a price that should be another.
fn differs(price: &[PriceLine], expected: &[PriceLine]) -> Option<String> {
    let same = price.iter().zip(expected).take_while(|(a, b)| a == b);
    let at = same.count();
    let (found, wanted) = (price.get(at), expected.get(at));
    let said = |line: Option<&PriceLine>| {
        line.map_or_else(
            || "nothing".to_owned(),
            |line| format!("{:?} {}", line.what, line.amount.0),
        )
    };
    (found != wanted).then(|| {
        let (found, wanted) = (said(found), said(wanted));
        format!("line {at} of its price is {found}, it should be {wanted}")
    })
}

/// The price of a unit by the plan.
fn plain(rows: &Rows, line: &PlacedLine) -> Option<i64> {
    let sku = rows.skus.get(fold::place(line.sku))?;
    Some(sku.now.price)
}

fn amount(terms: &Terms, price: i64, line: &PlacedLine) -> i64 {
    of_line(price, i64::from(line.units), &terms.currency)
}

/// The whole price: what an order comes to, and each thing that comes off what was left until then. Which coupons were
/// asked for is the order's to say; what they give is the offer's.
fn bill(rows: &Rows, terms: &Terms, placed: &Placed, deal: &Deal) -> Vec<PriceLine> {
    let mut bill = Bill::default();
    let rule = rule_of(rows, deal);
    let tiers = rule.is_some_and(|rule| !rule.tiers.is_empty());
    let mut better = 0;
    for (line, number) in placed.lines.as_slice().iter().zip(0_u16..) {
        let here = amount(terms, line.price.0, line);
        let own = match plain(rows, line).filter(|_| tiers) {
            Some(plain) => amount(terms, plain, line).max(here),
            None => here,
        };
        bill.put(PriceWhat::Line { line: number }, own);
        better += own - here;
    }
    let team = deal.seat.as_ref();
    let team = team.and_then(|seat| rows.gathered.teams.get(fold::place(seat.team)));
    let seats = team.map_or(0, TeamRow::filled);
    let seats = u32::try_from(seats).unwrap_or(u32::MAX);
    bill.take(PriceWhat::Tier { seats }, better);
    let nothing = Offer::default();
    let discounts = &rows.gathered.offer.as_ref().unwrap_or(&nothing).discounts;
    let level = deal.facts.as_ref().map_or(0, |facts| facts.level);
    let reached = discounts.levels.iter().filter(|own| own.least <= level);
    if let Some(reached) = reached.max_by_key(|own| own.least) {
        let off = tiers::off(Cut::Share(reached.share_bp), bill.total);
        let level = reached.least;
        bill.take(PriceWhat::Level { level }, off);
    }
    let opens = team_opens(deal);
    if let Some(cut) = rule.and_then(|rule| rule.leader).filter(|_| opens) {
        let off = tiers::off(cut, bill.total);
        bill.take(PriceWhat::Leader, off);
    }
    for number in coupons::of(deal).map(|(number, _)| number) {
        let coupon = discounts.coupons.get(usize::from(number));
        let off = coupon.map_or(0, |coupon| coupons::gives(coupon, bill.total));
        bill.take(PriceWhat::Coupon { coupon: number }, off);
    }
    bill.lines
}

fn team_opens(deal: &Deal) -> bool {
    deal.seat.as_ref().is_some_and(|seat| seat.opens.is_some())
}

/// What an order came to before its coupons.
pub(super) fn before_coupons(placed: &Placed, deal: &Deal) -> i64 {
    let given: i64 = coupons::of(deal).map(|(_, off)| off).sum();
    placed.total.0.saturating_add(given)
}

/// A running sum and how it came about.
#[derive(Default)]
struct Bill {
    total: i64,
    lines: Vec<PriceLine>,
}

impl Bill {
    fn put(&mut self, what: PriceWhat, amount: i64) {
        self.total = self.total.saturating_add(amount);
        let amount = Minor(amount);
        self.lines.push(PriceLine { what, amount });
    }

    /// Never more than there is; what takes nothing off is not said.
    fn take(&mut self, what: PriceWhat, off: i64) {
        let off = off.clamp(0, self.total.max(0));
        if off > 0 {
            self.put(what, -off);
        }
    }
}
