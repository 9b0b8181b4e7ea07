//! What an order has to cost, worked out anew: units times price, each line rounded once, halves to the even number.

use commerce::entry::Placed;

use super::rows::Rows;
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

/// Before an order is written down: its prices are the plan's, and its total is their sum.
pub(super) fn before(rows: &Rows, placed: &Placed, findings: &mut Vec<Finding>) {
    let Some(terms) = &rows.terms else { return };
    let mut sum = 0_i64;
    for line in placed.lines.as_slice() {
        let sku = usize::try_from(line.sku)
            .ok()
            .and_then(|sku| rows.skus.get(sku));
        let plan = sku.map(|sku| sku.now.price);
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
    if sum != placed.total.0 {
        let of = rows.name(placed.order);
        let what = format!(
            "{of}: its total is {}, its lines come to {sum}",
            placed.total.0
        );
        findings.push(Finding::new("INV-10", what));
    }
}
