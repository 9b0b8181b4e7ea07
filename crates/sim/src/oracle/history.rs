//! The history of the stock of a short sale, as its clients lived it, for the checker of linearizability.

use std::time::Duration;

use commerce::Entry;
use commerce::entry::Fate;
use serde_json::Value;

use super::deeds::{Act, Deed, Heard, Shown};
use super::keys::ByKey;
use super::linear::{Answer, Op, Step, check};
use super::rows::{OrderRow, Phase, Rows};
use crate::record::Finding;

/// Operations of a history, at most; a longer one is left undecided.
const OPS_MOST: usize = 400;
/// Operations under way at the same time, at most.
const OVERLAP_MOST: usize = 40;

/// Judges one sale. `false`: it was too long, or too much happened at once.
pub(super) fn judge(
    rows: &Rows,
    deeds: &[Deed<'_>],
    keys: &ByKey<'_>,
    findings: &mut Vec<Finding>,
) -> bool {
    let Some(start) = start(rows) else {
        return true;
    };
    let mut ops = Vec::new();
    for ((_, _), group) in keys.range((rows.sale, [0; 16])..=(rows.sale, [0xFF; 16])) {
        of_key(rows, group, &mut ops);
    }
    for deed in deeds {
        of_answer(rows, deed, &mut ops);
    }
    if ops.len() > OPS_MOST || overlap(&ops) > OVERLAP_MOST {
        return false;
    }
    match check(start, &ops) {
        Answer::Linear => true,
        Answer::Undecided => false,
        Answer::NotLinear => {
            let what = format!(
                "sale {}: no order of these answers is one: {ops:?}",
                rows.sale
            );
            findings.push(Finding::new("linearizable stock", what));
            true
        }
    }
}

/// What the one SKU began with; `None` for a sale with several, or where units moved that no client asked to move.
fn start(rows: &Rows) -> Option<i64> {
    let [_] = &rows.skus[..] else { return None };
    let Entry::Created { plan, .. } = &rows.story.first()?.entry else {
        return None;
    };
    let [sku] = &plan.skus[..] else { return None };
    let asked_for = |entry: &Entry| match entry {
        Entry::Expired { .. }
        | Entry::Captured {
            fate: Fate::KeptAgain,
            ..
        } => false,
        Entry::RefundBegun { refund, .. } => !refund.restocked || refund.lines.is_empty(),
        Entry::Cancelled { refund, .. } => refund.is_none(),
        _ => true,
    };
    let simple = rows.story.iter().all(|at| asked_for(&at.entry));
    // A free order that is given up has no refund of money either, but was sold.
    let plain = |order: &OrderRow| {
        order.phase != Phase::Cancelled || (order.kept() == 0 && !order.elsewhere)
    };
    (simple && rows.orders.iter().all(plain)).then(|| i64::from(sku.stock.0))
}

/// The one operation that all calls with the same key stand for.
fn of_key(rows: &Rows, group: &[&Deed<'_>], ops: &mut Vec<Op>) {
    let wanted = |deed: &&&Deed<'_>| step(rows, deed).is_some();
    let Some(first) = group.iter().find(wanted) else {
        return;
    };
    let Some(step) = step(rows, first) else {
        return;
    };
    let said_yes = |deed: &&&Deed<'_>| matches!(deed.heard, Heard::Yes { .. });
    let fresh = |deed: &&&Deed<'_>| {
        matches!(
            deed.heard,
            Heard::Yes {
                repeated: false,
                ..
            }
        )
    };
    let open = |deed: &&&Deed<'_>| !matches!(deed.heard, Heard::No { .. });
    // A fresh yes says in which call it happened; a repeated one only that it had happened before.
    let to = match group.iter().find(fresh) {
        Some(fresh) => {
            return ops.push(Op {
                from: fresh.call.asked_at,
                to: Some(fresh.call.ended_at),
                step,
            });
        }
        None => group
            .iter()
            .filter(said_yes)
            .map(|deed| deed.call.ended_at)
            .min(),
    };
    let from = group
        .iter()
        .filter(open)
        .map(|deed| deed.call.asked_at)
        .min();
    if let Some(from) = from {
        ops.push(Op { from, to, step });
    }
}

/// What a call does to the stock, if it succeeds.
fn step(rows: &Rows, deed: &Deed<'_>) -> Option<Step> {
    match deed.act {
        Act::Place => Some(Step::Take(units_asked(&deed.asked)?)),
        Act::Cancel => {
            let order = rows.order(u32::try_from(deed.order?.number()).ok()?)?;
            Some(Step::Give(order.lines.iter().map(|line| line.units).sum()))
        }
        Act::AddStock => Some(Step::Give(deed.asked.get("units")?.as_i64()?)),
        Act::WriteOff => Some(Step::Take(deed.asked.get("units")?.as_i64()?)),
        _ => None,
    }
}

fn units_asked(asked: &Value) -> Option<i64> {
    let lines = asked.get("lines")?.as_array()?;
    lines
        .iter()
        .map(|line| line.get("quantity")?.as_i64())
        .sum()
}

/// What an answer says about the stock.
fn of_answer(rows: &Rows, deed: &Deed<'_>, ops: &mut Vec<Op>) {
    let (from, to) = (deed.call.asked_at, Some(deed.call.ended_at));
    let step = match &deed.heard {
        Heard::No { code, left } if deed.sale == Some(rows.sale) => {
            let wanted = match deed.act {
                Act::Place if code == "TG-2102" => units_asked(&deed.asked),
                Act::WriteOff if code == "TG-2109" => {
                    deed.asked.get("units").and_then(Value::as_i64)
                }
                _ => None,
            };
            wanted.map(|wanted| Step::Short {
                wanted,
                left: *left,
            })
        }
        Heard::Yes {
            shown: Shown::Inventory(stock),
            ..
        } => stock
            .sales
            .iter()
            .find(|sale| {
                sale.sale_id.get() == rows.sale
                    && rows.skus.iter().any(|sku| *sku.code == *stock.sku)
            })
            .and_then(|sale| i64::try_from(sale.available_count).ok())
            .map(Step::See),
        Heard::Yes {
            shown: Shown::Sale(sale),
            ..
        } if deed.act == Act::Read && sale.id.get() == rows.sale => {
            let sku = sale.skus.first();
            sku.and_then(|sku| i64::try_from(sku.available_count).ok())
                .map(Step::See)
        }
        _ => None,
    };
    ops.extend(step.map(|step| Op { from, to, step }));
}

/// How many operations are under way at once, at most.
fn overlap(ops: &[Op]) -> usize {
    let mut edges: Vec<(Duration, bool)> = Vec::with_capacity(ops.len() * 2);
    for op in ops {
        edges.push((op.from, true));
        edges.extend(op.to.map(|to| (to, false)));
    }
    edges.sort_unstable();
    let (mut now, mut most) = (0_usize, 0);
    for (_, begins) in edges {
        now = if begins {
            now + 1
        } else {
            now.saturating_sub(1)
        };
        most = most.max(now);
    }
    most
}
