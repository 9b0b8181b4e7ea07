//! After the replay: the shop's own book, order by order and item by item, against the file and the forecast.

use super::ReplayError;
use super::driver::{Done, Fate};
use super::history::{History, Invoice};
use super::target::ReplayTarget;
use crate::watch::Watcher;
use api::OrderId;
use api::order::{Order, OrderState};
use api::sale::Sale;
use std::collections::BTreeMap;

/// Orders that are asked for at once.
const ORDERS_AT_ONCE: usize = 512;
/// Differences that are told; more of them say nothing new.
const PROBLEMS_MAX: usize = 100;

/// Every difference between the book and what the replay was told; none if all is well.
pub(super) async fn compare<T: ReplayTarget>(
    history: &History,
    done: &Done,
    target: &mut T,
    watcher: &dyn Watcher,
) -> Result<Vec<String>, ReplayError> {
    let mut problems = done.disagreements.clone();
    for (nth, fate) in done.fates.iter().enumerate() {
        if *fate == Fate::Open {
            problems.push(format!("row {} was never looked at", nth + 1));
        }
    }
    let sold = orders(history, done, target, watcher, &mut problems).await?;
    let sale = target.sale(done.sale).await?;
    stock(history, done, &sale, &sold, &mut problems);
    problems.truncate(PROBLEMS_MAX);
    Ok(problems)
}

/// Every order of the book against its invoice. Gives the units of each item that the orders keep.
async fn orders<T: ReplayTarget>(
    history: &History,
    done: &Done,
    target: &mut T,
    watcher: &dyn Watcher,
    problems: &mut Vec<String>,
) -> Result<BTreeMap<Box<str>, u64>, ReplayError> {
    let accepted: Vec<(u32, OrderId)> = (0_u32..)
        .zip(&done.orders)
        .filter_map(|(place, id)| id.map(|id| (place, id)))
        .collect();
    let mut sold = BTreeMap::new();
    for (part, some) in accepted.chunks(ORDERS_AT_ONCE).enumerate() {
        let ids: Vec<OrderId> = some.iter().map(|(_, id)| *id).collect();
        let found = target.orders(&ids).await?;
        for ((place, id), order) in some.iter().zip(&found) {
            let invoice = &history.invoices[*place as usize];
            if order.id != *id || !is_same(history, done, *place, invoice, order) {
                problems.push(format!(
                    "invoice {}: the book says otherwise of {id}",
                    invoice.number
                ));
            }
            for line in &order.lines {
                *sold.entry(line.sku.clone()).or_default() +=
                    u64::from(line.quantity - line.returned_quantity.min(line.quantity));
            }
        }
        let seen = part * ORDERS_AT_ONCE + some.len();
        watcher.progress(seen as u64, accepted.len() as u64);
    }
    Ok(sold)
}

fn is_same(history: &History, done: &Done, place: u32, invoice: &Invoice, order: &Order) -> bool {
    let kept = done.forecast.kept(place);
    let lines = invoice.sold.iter().zip(kept).zip(&order.lines);
    let same_lines = invoice.sold.len() == order.lines.len()
        && lines.fold(true, |same, ((line, kept), booked)| {
            same && *booked.sku == *history.items[line.item as usize].code
                && booked.quantity == line.units
                && booked.price == line.price
                && booked.returned_quantity == line.units - kept
        });
    let customer = invoice
        .customer
        .map(|customer| format!("customer-{}", history.customers[customer as usize]));
    let back = done.refunded_minor.get(&place).copied().unwrap_or_default();
    let paid = matches!(order.state, OrderState::Paid | OrderState::Refunded);
    same_lines
        && paid
        && order.buyer.as_deref() == customer.as_deref()
        && order.captured_minor == order.total_minor
        && order.refunded_minor == back
        && order.refund_pending_minor == 0
}

fn stock(
    history: &History,
    done: &Done,
    sale: &Sale,
    sold: &BTreeMap<Box<str>, u64>,
    problems: &mut Vec<String>,
) {
    let accepted = done.orders.iter().flatten().count() as u64;
    if sale.orders.placed != accepted {
        problems.push(format!(
            "the book has {} orders, {accepted} were accepted",
            sale.orders.placed
        ));
    }
    let booked: BTreeMap<&str, _> = sale.skus.iter().map(|sku| (&*sku.sku, sku)).collect();
    if booked.len() != history.items.len() {
        problems.push(format!(
            "the book has {} items, the file {}",
            booked.len(),
            history.items.len()
        ));
    }
    for (nth, item) in history.items.iter().enumerate() {
        let Some(sku) = booked.get(&*item.code) else {
            problems.push(format!("item {} is not in the book", item.code));
            continue;
        };
        let says = [
            sku.stocked_count,
            sku.available_count,
            sku.held_count,
            sku.sold_count,
            sku.written_off_count,
        ];
        let expected = [
            u64::from(done.stock[nth]),
            done.forecast.available()[nth],
            0,
            sold.get(&item.code).copied().unwrap_or_default(),
            done.forecast.written_off()[nth],
        ];
        if says != expected {
            problems.push(format!(
                "item {}: stocked, available, held, sold, written off are {says:?}, expected {expected:?}",
                item.code
            ));
        }
    }
}
