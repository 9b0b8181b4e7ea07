//! What never changes about an order once it was said: whose it is, what is in it, what it costs; and that it is what
//! was asked for.

use api::order::Order;
use api::refund::{Refund, RefundState};
use commerce::Entry;
use serde_json::Value;

use super::deeds::{Act, Deed, Heard, Shown};
use super::provider::Books;
use super::rows::{OrderRow, Rows};
use super::{company, price};

/// How an order that was shown differs from the journal's.
pub(super) fn of_order(rows: &Rows, row: &OrderRow, order: &Order) -> Option<String> {
    let currency = rows.terms.as_ref().map_or("", |terms| &terms.currency);
    let differs = |what: &str| Some(format!("{} has {what}: {row:?}", order.id));
    if order.buyer.as_deref() != row.buyer.as_deref() {
        return differs("another buyer");
    }
    if order.total_minor != row.total || order.currency.code() != currency {
        return differs("another price");
    }
    if order.placed_at.ms() != row.placed {
        return differs("another date");
    }
    let same = order.lines.len() == row.lines.len()
        && order
            .lines
            .iter()
            .zip(&row.lines)
            .zip(0_u16..)
            .all(|((shown, line), at)| {
                let sku = rows.skus.get(line.sku);
                shown.line == at
                    && sku.is_some_and(|sku| *sku.code == *shown.sku)
                    && i64::from(shown.quantity) == line.units
                    && [line.price, line.first_price].contains(&shown.price.ten_thousandths())
                    && shown.total_minor
                        == price::of_line(shown.price.ten_thousandths(), line.units, currency)
                    && i64::from(shown.returned_quantity) <= line.returned
            });
    if !same {
        return differs("other lines");
    }
    if let Some(what) = company::of_order(rows, row, order) {
        return Some(what);
    }
    order
        .refunds
        .iter()
        .find_map(|refund| of_refund(Some((rows, row)), refund))
}

/// How a refund that was shown differs from the journal's.
pub(super) fn of_refund(found: Option<(&Rows, &OrderRow)>, refund: &Refund) -> Option<String> {
    let at = usize::from(refund.id.number).wrapping_sub(1);
    let Some(row) = found.and_then(|(_, order)| order.refunds.get(at)) else {
        return Some(format!("{} is gone", refund.id));
    };
    let same = refund.amount_minor == row.amount
        && refund.automatic == row.automatic
        && i64::from(refund.units_returned) == row.units_restocked;
    // What was paid stays paid; what failed may still turn out to be paid.
    let paid = refund.state != RefundState::Refunded || row.state == RefundState::Refunded;
    (!same || !paid).then(|| format!("{} is another: {row:?}", refund.id))
}

/// How what was done under a yes differs from what was asked.
pub(super) fn of_request(books: &Books, deed: &Deed<'_>) -> Option<String> {
    let Heard::Yes {
        at,
        shown,
        repeated,
    } = &deed.heard
    else {
        return None;
    };
    match (deed.act, shown) {
        (Act::Place, Shown::Order(order)) => {
            let lines = order
                .lines
                .iter()
                .map(|line| (&*line.sku, u64::from(line.quantity), line.price.to_string()));
            not_the_lines(&deed.asked, lines.collect())
        }
        (Act::Place, Shown::Slim { order, .. }) => {
            let rows = books.get(&order.sale().get())?;
            let row = rows.order(u32::try_from(order.number()).ok()?)?;
            let lines = row.lines.iter().filter_map(|line| {
                let price = api::PriceText::new(line.price).ok()?.to_string();
                let sku = rows.skus.get(line.sku)?;
                Some((&*sku.code, u64::try_from(line.units).ok()?, price))
            });
            not_the_lines(&deed.asked, lines.collect())
        }
        (Act::AddStock | Act::WriteOff, _) if !repeated => {
            let (sale, position) = at.as_ref()?;
            not_the_stock(books.get(&sale.get())?, position.sequence, deed)
        }
        (Act::Alter, _) if !repeated => {
            let (sale, position) = at.as_ref()?;
            not_the_change(books.get(&sale.get())?, position.sequence, &deed.asked)
        }
        _ => None,
    }
}

fn not_the_lines(asked: &Value, lines: Vec<(&str, u64, String)>) -> Option<String> {
    let wanted = asked.get("lines")?.as_array()?;
    let same = wanted.len() == lines.len()
        && wanted
            .iter()
            .zip(&lines)
            .all(|(wanted, (sku, units, price))| {
                let own = wanted.get("price").and_then(Value::as_str);
                let own = own.and_then(|own| own.parse::<api::PriceText>().ok());
                wanted.get("sku").and_then(Value::as_str) == Some(sku)
                    && wanted.get("quantity").and_then(Value::as_u64) == Some(*units)
                    && own.is_none_or(|own| own.to_string() == *price)
            });
    (!same).then(|| format!("asked for {asked}, got {lines:?}"))
}

/// What the batch of a yes moved in or out.
fn not_the_stock(rows: &Rows, sequence: u64, deed: &Deed<'_>) -> Option<String> {
    let sku = deed.asked.get("sku")?.as_str()?;
    let units = deed.asked.get("units")?.as_u64()?;
    let from = rows.story.partition_point(|at| at.sequence < sequence);
    let mut batch = rows.story[from..]
        .iter()
        .take_while(|at| at.sequence == sequence);
    let moved = batch.any(|at| {
        let (place, moved) = match (&at.entry, deed.act) {
            (Entry::StockAdded { sku, units, .. }, Act::AddStock) => (*sku, units.0),
            (Entry::WrittenOff { sku, units, .. }, Act::WriteOff) => (*sku, units.0),
            _ => return false,
        };
        let code = usize::try_from(place)
            .ok()
            .and_then(|place| rows.skus.get(place));
        u64::from(moved) == units && code.is_some_and(|row| *row.code == *sku)
    });
    (!moved).then(|| format!("{units} units of {sku} did not move in batch {sequence}"))
}

/// What the batch of a yes changed in the plan.
fn not_the_change(rows: &Rows, sequence: u64, asked: &Value) -> Option<String> {
    let from = rows.story.partition_point(|at| at.sequence < sequence);
    let mut batch = rows.story[from..]
        .iter()
        .take_while(|at| at.sequence == sequence);
    let changed = batch.any(|at| {
        let Entry::Altered { patch, .. } = &at.entry else {
            return false;
        };
        let title = asked.get("name").and_then(Value::as_str);
        let hold_ms = asked.get("hold_ms").and_then(Value::as_u64);
        let skus = asked
            .get("skus")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let same_sku = |(asked, done): (&Value, &commerce::plan::SkuPatch)| {
            let price = asked.get("price").and_then(Value::as_str);
            let price = price.and_then(|price| price.parse::<api::PriceText>().ok());
            asked.get("sku").and_then(Value::as_str) == Some(&*done.sku)
                && price.map(api::PriceText::ten_thousandths) == done.price.map(|price| price.0)
        };
        title == patch.title.as_deref()
            && hold_ms == patch.hold_ms.map(u64::from)
            && skus.len() == patch.skus.len()
            && skus.iter().zip(&patch.skus).all(same_sku)
    });
    (!changed).then(|| format!("the plan was not changed to {asked} in batch {sequence}"))
}
