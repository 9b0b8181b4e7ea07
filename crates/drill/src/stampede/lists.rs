//! After a storm: the lists, which are made from the journal by and by, have to catch up by themselves.

use super::door::{Door, body};
use super::memory::Memory;
use crate::chance::Chance;
use crate::client::Request;
use api::order::{OrderPage, OrderState};
use api::{OrderId, SaleId};
use std::collections::BTreeSet;
use std::time::Duration;
use world::Clock;

/// How long the lists may take.
const CATCH_UP_MAX: Duration = Duration::from_secs(30);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// Waits until every order that anybody was told of is listed and final. Says what is missing when the time is over.
pub(super) async fn catch_up(
    door: &Door,
    sale: SaleId,
    bearer: &str,
    memories: &[Memory],
) -> Option<String> {
    let until = door.clock.monotonic() + CATCH_UP_MAX;
    let told = memories.iter().flat_map(|memory| &memory.orders);
    let told: BTreeSet<OrderId> = told.map(|told| told.id).collect();
    loop {
        let listed = final_orders(door, sale, bearer).await;
        let missing = listed
            .as_ref()
            .map(|listed| told.difference(listed).count());
        if missing == Some(0) {
            return None;
        }
        if door.clock.monotonic() >= until {
            return Some(match missing {
                Some(count) => format!("{count} orders are not final in the lists"),
                None => "the lists cannot be read".into(),
            });
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Every order that is listed and neither held nor being paid; `None` if a page is missing.
async fn final_orders(door: &Door, sale: SaleId, bearer: &str) -> Option<BTreeSet<OrderId>> {
    let mut found = BTreeSet::new();
    let mut cursor: Option<Box<str>> = None;
    loop {
        let mut path = format!("/v1/orders?sale_id={sale}&limit=200");
        if let Some(cursor) = &cursor {
            path.push_str("&cursor=");
            path.push_str(cursor);
        }
        let request = Request::get(&path, bearer);
        let heard = door.insist(&request, &Chance::new(0, 0)).await.ok()?;
        let page: OrderPage = body(&heard)?;
        let orders = page.orders.iter();
        let settled =
            orders.filter(|order| !matches!(order.state, OrderState::Held | OrderState::Paying));
        found.extend(settled.map(|order| order.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Some(found);
        }
    }
}
