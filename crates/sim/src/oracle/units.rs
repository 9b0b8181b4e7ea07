//! INV-1 and INV-9: nothing is sold that is not there, and no unit comes from nowhere or vanishes.

use super::rows::{Phase, Rows};
use crate::record::Finding;

/// After each entry.
pub(super) fn after(rows: &Rows, findings: &mut Vec<Finding>) {
    let Some(sequence) = rows.story.last().map(|at| at.sequence) else {
        return;
    };
    for sku in &rows.skus {
        // Only what this batch touched can have changed.
        if sku.looks.last().is_none_or(|(at, _)| *at != sequence) {
            continue;
        }
        let look = sku.now;
        let name = format!("sale {} batch {sequence}: {}", rows.sale, sku.code);
        if look.available() < 0 {
            let what = format!("{name} has {} units available: {look:?}", look.available());
            findings.push(Finding::new("INV-1", what));
        }
        if [look.held, look.sold, look.written_off, look.stocked]
            .into_iter()
            .any(i64::is_negative)
        {
            findings.push(Finding::new(
                "INV-9",
                format!("{name} has a negative part: {look:?}"),
            ));
        }
    }
}

/// At the end: what the orders say, added up anew, is what the SKUs say.
pub(super) fn end(rows: &Rows, findings: &mut Vec<Finding>) {
    let mut counted = vec![(0_i64, 0_i64); rows.skus.len()];
    for order in rows.orders.iter().filter(|order| !order.bare) {
        for line in &order.lines {
            let Some((held, sold)) = counted.get_mut(line.sku) else {
                let what = format!(
                    "sale {}: a line of a SKU that is not in the sale",
                    rows.sale
                );
                findings.push(Finding::new("INV-9", what));
                continue;
            };
            // What was refunded and not restocked stays sold, also when the rest is given up.
            match order.phase {
                Phase::Held => *held += line.units,
                Phase::Paid | Phase::Shipped | Phase::Delivered => {
                    *sold += line.units - line.restocked;
                }
                Phase::Cancelled if order.elsewhere || order.kept() != 0 || order.total == 0 => {
                    *sold += line.units - line.restocked;
                }
                Phase::Cancelled | Phase::Expired => {}
            }
        }
    }
    for team in rows.gathered.teams.iter().filter(|team| team.prizes > 0) {
        let code = rows.gathered.rule(team).map(|rule| &*rule.sku);
        let sku = rows.skus.iter().position(|sku| Some(&*sku.code) == code);
        if let Some((held, _)) = sku.and_then(|sku| counted.get_mut(sku)) {
            *held += team.prizes;
        }
    }
    for (sku, (held, sold)) in rows.skus.iter().zip(counted) {
        if (sku.now.held, sku.now.sold) != (held, sold) {
            let what = format!(
                "sale {}: {} has {} held and {} sold, but its orders say {held} and {sold}",
                rows.sale, sku.code, sku.now.held, sku.now.sold
            );
            findings.push(Finding::new("INV-9", what));
        }
    }
}
