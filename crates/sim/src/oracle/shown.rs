//! INV-7: whatever anybody was shown is in the journal, as it was shown, at the position that the receipt names.

use std::collections::{BTreeMap, BTreeSet};

use api::deal::OrderTeam;
use api::order::{Order, OrderState};
use api::sale::Sale;
use api::stock::SaleStock;
use api::{OrderId, Position, SaleId};
use commerce::house::HouseEntry;
use commerce::plan::SaleState;
use world::journal::Batch;

use super::answer::receipts;
use super::deeds::{Deed, Heard, Shown};
use super::provider::Books;
use super::rows::{OrderRow, Rows, seen_at};
use super::{company, facts};
use crate::record::{Evidence, Finding};

/// Receipts that are not on the final chains.
pub(super) fn lost_receipts(
    deeds: &[Deed<'_>],
    journals: &BTreeMap<u32, Vec<Batch>>,
) -> Vec<String> {
    let mut lost = Vec::new();
    let mut seen = BTreeSet::new();
    for deed in deeds {
        for (sale, position) in receipts(deed) {
            let new = seen.insert((sale, position.sequence, position.chain));
            if new && !is_on_chain(sale, position, journals) {
                lost.push(format!(
                    "the receipt {sale} {position} is not on the chain: {}",
                    deed.name()
                ));
            }
        }
    }
    lost
}

fn is_on_chain(sale: SaleId, position: Position, journals: &BTreeMap<u32, Vec<Batch>>) -> bool {
    // Before the first batch there is nothing to be lost.
    let Some(place) = position.sequence.checked_sub(1) else {
        return true;
    };
    let batches = journals.get(&sale.get());
    let batch = batches.and_then(|batches| batches.get(usize::try_from(place).ok()?));
    batch.is_some_and(|batch| {
        batch.sequence == position.sequence && batch.chain[..16] == position.chain
    })
}

/// Everything that was shown and is not so.
pub(super) fn judge(
    evidence: &Evidence,
    deeds: &[Deed<'_>],
    books: &Books,
    findings: &mut Vec<Finding>,
) {
    for what in lost_receipts(deeds, &evidence.journals) {
        findings.push(Finding::new("INV-7", what));
    }
    let keys = keys_made(&evidence.house);
    for deed in deeds {
        let Heard::Yes { at, shown, .. } = &deed.heard else {
            continue;
        };
        let at = at.map(|(_, position)| position.sequence);
        let wrong = match shown {
            Shown::Order(order) => of_order(books, order, at),
            Shown::Slim { order, total } => slim(books, *order, *total),
            Shown::Refund(refund) => facts::of_refund(find(books, refund.id.order), refund),
            Shown::Sale(sale) => of_sale(books, sale),
            Shown::Inventory(stock) => stock
                .sales
                .iter()
                .find_map(|sale| of_stock(books, &stock.sku, sale)),
            Shown::Page(page) => page
                .orders
                .iter()
                .find_map(|order| of_order(books, order, None)),
            Shown::Team(team) => company::of_team(books, &deed.call.who, team, at, false),
            Shown::Teams(page) => page
                .teams
                .iter()
                .find_map(|team| company::of_team(books, &deed.call.who, team, at, true)),
            Shown::Ticket(ticket) => company::of_ticket(books, &deed.call.who, ticket, at),
            Shown::Key(id) if !keys.contains(id) => Some(format!("the API key {id} is gone")),
            Shown::Garbled(why) => Some(format!("a yes that cannot be read: {why}")),
            Shown::Key(_) | Shown::Nothing => None,
        };
        if let Some(what) = wrong {
            findings.push(Finding::new("INV-7", format!("{}: {what}", deed.name())));
        }
        if let Some(what) = facts::of_request(books, deed) {
            findings.push(Finding::new("INV-7", format!("{}: {what}", deed.name())));
        }
    }
}

fn find(books: &Books, id: OrderId) -> Option<(&Rows, &OrderRow)> {
    let rows = books.get(&id.sale().get())?;
    Some((rows, rows.order(u32::try_from(id.number()).ok()?)?))
}

fn slim(books: &Books, id: OrderId, total: Option<i64>) -> Option<String> {
    let Some((_, row)) = find(books, id) else {
        return Some(format!("{id} is gone"));
    };
    let other = total.is_some_and(|total| total != row.total);
    other.then(|| format!("{id} has another price: {}", row.total))
}

/// An order as it was shown; with a position it must have looked just like that there.
fn of_order(books: &Books, order: &Order, at: Option<u64>) -> Option<String> {
    let Some((rows, row)) = find(books, order.id) else {
        return Some(format!("{} is gone", order.id));
    };
    if let Some(what) = facts::of_order(rows, row, order) {
        return Some(what);
    }
    let looks: Vec<_> = match at {
        Some(at) => seen_at(&row.looks, at).collect(),
        None => row.looks.iter().map(|(_, look)| look).collect(),
    };
    let so = looks.iter().any(|look| {
        let waits = matches!(
            look.state,
            OrderState::Held | OrderState::Paying | OrderState::Deposited
        );
        // A hold whose time is over shows as expired, whether or not anybody has swept it yet.
        let state = look.state == order.state || (waits && order.state == OrderState::Expired);
        let money = (
            look.captured,
            look.refunded,
            look.pending,
            look.charged_back,
        );
        let shown = (
            order.captured_minor,
            order.refunded_minor,
            order.refund_pending_minor,
            order.charged_back_minor,
        );
        state && money == shown && company::looked(look, order)
    });
    let number = order.id.number();
    let seated = |team: &OrderTeam| company::seated(rows, number, team, at);
    if !order.team.as_ref().is_none_or(seated) {
        return Some(format!(
            "{} had not this seat there: {:?}",
            order.id, order.team
        ));
    }
    (!so).then(|| {
        format!(
            "{} was {} there with other money or another state: {order:?}, but {looks:?}",
            order.id,
            order.state.name()
        )
    })
}

fn state_name(state: SaleState) -> &'static str {
    match state {
        SaleState::Draft => "draft",
        SaleState::Scheduled => "scheduled",
        SaleState::Open => "open",
        SaleState::Paused => "paused",
        SaleState::Closed => "closed",
        SaleState::Retired => "retired",
    }
}

fn of_sale(books: &Books, sale: &Sale) -> Option<String> {
    let Some(rows) = books.get(&sale.id.get()) else {
        return Some(format!("{} is gone", sale.id));
    };
    let at = sale.position.sequence;
    let so = seen_at(&rows.looks, at).any(|(state, title, hold_ms)| {
        state_name(*state) == sale.state.name()
            && **title == *sale.name
            && u64::from(*hold_ms) == sale.hold_ms
    });
    if !so {
        return Some(format!(
            "{} was not {} at batch {at}",
            sale.id,
            sale.state.name()
        ));
    }
    sale.skus.iter().find_map(|sku| {
        let whole = sku.available_count + sku.held_count + sku.sold_count + sku.written_off_count;
        if whole != sku.stocked_count {
            return Some(format!("{}: units do not add up: {sku:?}", sku.sku));
        }
        let row = rows.skus.iter().find(|row| *row.code == *sku.sku);
        let so = row.is_some_and(|row| {
            seen_at(&row.looks, at).any(|look| {
                let counts = [look.stocked, look.held, look.sold, look.written_off];
                let shown = [
                    sku.stocked_count,
                    sku.held_count,
                    sku.sold_count,
                    sku.written_off_count,
                ];
                look.price == sku.price.ten_thousandths()
                    && counts
                        .into_iter()
                        .zip(shown)
                        .all(|(is, said)| u64::try_from(is) == Ok(said))
            })
        });
        (!so).then(|| format!("{} was not like this at batch {at}: {sku:?}", sku.sku))
    })
}

fn of_stock(books: &Books, sku: &str, stock: &SaleStock) -> Option<String> {
    let rows = books.get(&stock.sale_id.get());
    let row = rows.and_then(|rows| rows.skus.iter().find(|row| *row.code == *sku));
    let at = stock.position.sequence;
    let so = row.is_some_and(|row| {
        seen_at(&row.looks, at)
            .any(|look| u64::try_from(look.available()) == Ok(stock.available_count))
    });
    (!so).then(|| {
        format!(
            "{sku} had not {} units at batch {at}",
            stock.available_count
        )
    })
}

/// The names of the API keys that the house journal has.
fn keys_made(house: &[Batch]) -> BTreeSet<String> {
    let mut made = BTreeSet::new();
    for batch in house {
        let mut records = commerce::record::Records::new(&batch.payload);
        while let Ok(Some(entry)) = records.read::<HouseEntry>() {
            if let HouseEntry::KeyMade(key) = entry {
                made.insert(api::KeyId(key.id).to_string());
            }
        }
    }
    made
}
