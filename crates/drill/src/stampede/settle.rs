//! After the crowd has gone: waits until nothing is held, charged or on its way back.

use super::door::{Door, body};
use super::memory::Memory;
use crate::chance::Chance;
use crate::client::Request;
use crate::watch::Watcher;
use api::order::{Order, OrderState};
use api::sale::Sale;
use api::{OrderId, SaleId};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use world::Clock;

/// How long loose ends may take.
const SETTLE_MAX: Duration = Duration::from_secs(90);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// Orders that are looked at together.
const AT_ONCE: usize = 64;

/// Waits for the loose ends. Says what is still loose when the time is over.
pub(super) async fn settle(
    door: &Arc<Door>,
    sale: SaleId,
    bearer: &Arc<str>,
    memories: &[Memory],
    watcher: &dyn Watcher,
) -> Option<String> {
    let until = door.clock.monotonic() + SETTLE_MAX;
    let orders = memories.iter().flat_map(|memory| &memory.orders);
    let mut loose: Vec<OrderId> = orders.map(|told| told.id).collect();
    let all = loose.len() as u64;
    loop {
        loose = still_loose(door, bearer, loose).await;
        watcher.progress(all - loose.len() as u64, all);
        if loose.is_empty() && nothing_held(door, sale, bearer).await {
            return None;
        }
        if door.clock.monotonic() >= until {
            let some: Vec<String> = loose.iter().take(3).map(ToString::to_string).collect();
            return Some(format!(
                "{} orders did not settle, like {some:?}",
                loose.len()
            ));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn still_loose(door: &Arc<Door>, bearer: &Arc<str>, ids: Vec<OrderId>) -> Vec<OrderId> {
    let mut loose = Vec::new();
    for some in ids.chunks(AT_ONCE) {
        let mut looks = JoinSet::new();
        for id in some {
            looks.spawn(is_loose(Arc::clone(door), Arc::clone(bearer), *id));
        }
        loose.extend(looks.join_all().await.into_iter().flatten());
    }
    loose
}

async fn is_loose(door: Arc<Door>, bearer: Arc<str>, id: OrderId) -> Option<OrderId> {
    let path = format!("/v1/orders/{id}");
    let Ok(answer) = door.pool.ask(&Request::get(&path, &bearer)).await else {
        return Some(id);
    };
    let Some(order) = body::<Order>(&answer) else {
        // An order that cannot be seen is no loose end; whether it is lost is for the oracles.
        return (answer.status >= 500 || answer.status == 429).then_some(id);
    };
    let open = matches!(order.state, OrderState::Held | OrderState::Paying);
    (open || order.refund_pending_minor > 0).then_some(id)
}

/// Orders that nobody was told of may hold units too.
pub(super) async fn nothing_held(door: &Arc<Door>, sale: SaleId, bearer: &str) -> bool {
    let path = format!("/v1/sales/{sale}");
    let request = Request::get(&path, bearer);
    let chance = Chance::new(0, 0);
    let Ok(answer) = door.insist(&request, &chance).await else {
        return false;
    };
    body::<Sale>(&answer).is_some_and(|sale| sale.skus.iter().all(|sku| sku.held_count == 0))
}
