//! INV-5: nobody gets more than the limits of that moment allow, and nobody buys whom the rules keep out.

use std::collections::BTreeMap;

use commerce::Entry;
use commerce::entry::Placed;
use commerce::plan::{Rule, Test};
use ledger::Units;

use super::rows::{Happening, Rows, Terms};
use crate::record::Finding;

/// Units that a buyer holds or owns, of one SKU or of all.
pub(super) fn used(rows: &Rows, buyer: &str, sku: Option<usize>) -> i64 {
    let orders = rows
        .of_buyer
        .get(buyer)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let orders = orders.iter().filter_map(|at| rows.orders.get(*at));
    let lines = orders
        .filter(|order| order.counts())
        .flat_map(|order| &order.lines);
    lines
        .filter(|line| sku.is_none_or(|sku| sku == line.sku))
        .map(|line| line.units - line.returned)
        .sum()
}

fn above(limit: Option<Units>, units: i64) -> bool {
    limit.is_some_and(|limit| units > i64::from(limit.0))
}

/// The limit that so many units more would break, in words.
pub(super) fn broken_by(
    rows: &Rows,
    buyer: Option<&str>,
    lines: &[(usize, i64)],
) -> Option<String> {
    let (Some(terms), Some(buyer)) = (&rows.terms, buyer) else {
        return None;
    };
    let whole: i64 = lines.iter().map(|(_, units)| units).sum();
    let has = used(rows, buyer, None);
    if above(terms.limits.per_buyer, has + whole) {
        return Some(format!("{buyer} has {has} units and gets {whole} more"));
    }
    for (sku, units) in sums(lines) {
        let limit = rows.skus.get(sku)?.limits.per_buyer;
        if limit.is_some() && above(limit, used(rows, buyer, Some(sku)) + units) {
            let code = &rows.skus[sku].code;
            return Some(format!(
                "{buyer} gets {units} more of {code} than it may have"
            ));
        }
    }
    None
}

/// Units of a SKU that one order may have.
pub(super) fn order_limit(rows: &Rows, sku: usize) -> Option<i64> {
    let limits = [
        rows.terms.as_ref().and_then(|terms| terms.limits.per_order),
        rows.skus.get(sku).and_then(|sku| sku.limits.per_order),
    ];
    let limits = limits.into_iter().flatten();
    limits.map(|limit| i64::from(limit.0)).min()
}

fn sums(lines: &[(usize, i64)]) -> BTreeMap<usize, i64> {
    let mut sums = BTreeMap::new();
    for (sku, units) in lines {
        *sums.entry(*sku).or_default() += units;
    }
    sums
}

/// Before each entry.
pub(super) fn before(rows: &Rows, at: &Happening, findings: &mut Vec<Finding>) {
    let placed = match &at.entry {
        Entry::Placed(placed) => placed,
        Entry::Dealt(dealt) => &dealt.placed,
        _ => return,
    };
    let Some(terms) = &rows.terms else { return };
    let lines: Vec<(usize, i64)> = placed
        .lines
        .as_slice()
        .iter()
        .map(|line| {
            (
                usize::try_from(line.sku).unwrap_or(usize::MAX),
                i64::from(line.units),
            )
        })
        .collect();
    let mut found = |what: String| {
        findings.push(Finding::new(
            "INV-5",
            format!("{}: {what}", rows.name(placed.order)),
        ));
    };
    let whole: i64 = lines.iter().map(|(_, units)| units).sum();
    if above(terms.limits.per_order, whole) {
        found(format!("{whole} units in one order"));
    }
    for (sku, units) in sums(&lines) {
        let limit = rows.skus.get(sku).and_then(|sku| sku.limits.per_order);
        if above(limit, units) {
            found(format!("{units} units of one SKU in one order"));
        }
    }
    if let Some(what) = broken_by(rows, placed.buyer().map(AsRef::as_ref), &lines) {
        found(what);
    }
    if let Some(rule) = kept_out(terms, at.time, placed) {
        found(format!("rule {rule} keeps this buyer out"));
    }
}

/// The place of a rule that the buyer does not pass.
fn kept_out(terms: &Terms, now: u64, placed: &Placed) -> Option<usize> {
    let has = |tag: &str| placed.tags.iter().any(|own| **own == *tag);
    let passes = |rule: &Rule| {
        let over = rule.until.is_some_and(|until| until.0 <= now);
        over || match &rule.test {
            Test::Named => placed.buyer().is_some(),
            Test::AnyTag(tags) => tags.iter().any(|tag| has(tag)),
            Test::AllTags(tags) => tags.iter().all(|tag| has(tag)),
            Test::NoTag(tags) => !tags.iter().any(|tag| has(tag)),
        }
    };
    terms.rules.iter().position(|rule| !passes(rule))
}
