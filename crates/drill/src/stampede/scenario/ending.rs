//! After the crowd has gone: looks at orders and teams until each of them is at its end, and remembers what it saw last.

use super::super::Tools;
use super::super::door::{Door, body};
use super::super::settle::nothing_held;
use super::accounts::{Till, till};
use crate::chance::Chance;
use crate::client::Request;
use api::order::{Order, OrderState};
use api::team::{Team, TeamPage, TeamState};
use api::{OrderId, SaleId, TeamId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use world::Clock;

/// How long loose ends may take.
const SETTLE_MAX: Duration = Duration::from_secs(120);
/// Pause between two looks at them.
const LOOK: Duration = Duration::from_millis(250);

/// What was seen last of orders and teams.
#[derive(Debug, Default)]
pub(in super::super) struct Seen {
    pub(super) orders: BTreeMap<OrderId, Order>,
    pub(super) teams: BTreeMap<TeamId, Team>,
}

impl Seen {
    /// Teams that are not at their end.
    pub(super) fn loose_teams(&self) -> impl Iterator<Item = &Team> {
        self.teams.values().filter(|team| !is_settled(team))
    }

    /// Whether the order has to be looked at: it is open, its money is on its way, or the provider has moved money that
    /// the order does not show yet.
    fn is_loose(&self, id: OrderId, till: &Till) -> bool {
        self.orders.get(&id).is_none_or(|order| {
            let moved = till.get(&id).copied().unwrap_or_default();
            is_loose(order) || moved != (order.captured_minor, order.refunded_minor)
        })
    }
}

/// Whether the order is open, or money of it is on its way back.
pub(super) fn is_loose(order: &Order) -> bool {
    let open = matches!(
        order.state,
        OrderState::Held | OrderState::Paying | OrderState::Deposited
    );
    open || order.refund_pending_minor > 0
}

/// Whether the team has ended and each of its orders has what it is due. A team whose settlement nobody has seen is not.
pub(super) fn is_settled(team: &Team) -> bool {
    let settled = team.settlement.is_some_and(|of| {
        of.settled == of.orders && of.refunds_pending == 0 && of.pending_minor == 0
    });
    team.state != TeamState::Open && settled
}

/// Looks until nothing is loose, or the time is over.
pub(super) async fn settle(
    door: &Arc<Door>,
    tools: &Tools,
    sale: SaleId,
    told: &[OrderId],
) -> Seen {
    let until = door.clock.monotonic() + SETTLE_MAX;
    let mut seen = Seen::default();
    loop {
        let mut loose = false;
        let till = till(&*tools.provider);
        for id in told {
            if seen.is_loose(*id, &till)
                && let Some(order) = look(door, tools, &format!("/v1/orders/{id}")).await
            {
                seen.orders.insert(*id, order);
            }
            loose |= seen.is_loose(*id, &till);
        }
        loose |= !teams(door, tools, sale, &mut seen).await;
        loose |= !nothing_held(door, sale, &tools.merchant_key).await;
        if !loose || door.clock.monotonic() >= until {
            return seen;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn look<T: serde::de::DeserializeOwned>(door: &Door, tools: &Tools, path: &str) -> Option<T> {
    let request = Request::get(path, &tools.merchant_key);
    let heard = door.insist(&request, &Chance::new(0, 0)).await;
    heard.ok().as_ref().and_then(body)
}

/// Looks at all teams of the sale; says whether all were seen and are settled.
async fn teams(door: &Door, tools: &Tools, sale: SaleId, seen: &mut Seen) -> bool {
    let mut path = format!("/v1/sales/{sale}/teams?limit=200");
    loop {
        let Some(page) = look::<TeamPage>(door, tools, &path).await else {
            return false;
        };
        for listed in page.teams {
            if seen.teams.get(&listed.id).is_some_and(is_settled) {
                continue;
            }
            // Lists leave the settlement out.
            let team = match listed.state {
                TeamState::Open => None,
                _ => look(door, tools, &format!("/v1/teams/{}", listed.id)).await,
            };
            seen.teams.insert(listed.id, team.unwrap_or(listed));
        }
        let Some(cursor) = page.next_cursor else {
            return seen.loose_teams().next().is_none();
        };
        path = format!("/v1/sales/{sale}/teams?limit=200&cursor={cursor}");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn team(state: &str, settled: Option<u32>) -> Team {
        let sale = SaleId::new(1).unwrap();
        let mut team = json!({
            "id": TeamId::new(sale, 1).unwrap(), "sale_id": sale, "sku": "CUP", "state": state, "joinable": false,
            "seats": {"total": 5, "free": 3, "held": 0, "paid": 2, "filled_by_house": 0}, "price": "10.00",
            "opened_at": "2026-11-11T00:00:00.000Z", "ends_at": "2026-11-11T00:00:08.000Z", "link": "/t/1",
        });
        if let Some(settled) = settled {
            team["settlement"] = json!({
                "orders": 2, "settled": settled, "refunds_pending": 0, "refunds_done": settled, "pending_minor": 0,
                "refunded_minor": 1_000 * settled,
            });
        }
        serde_json::from_value(team).unwrap()
    }

    #[test]
    fn a_team_is_at_its_end_only_when_each_of_its_orders_is_settled() {
        let cases = [
            ("open", None, false),
            // As lists show it: nobody has seen the settlement.
            ("failed", None, false),
            ("failed", Some(1), false),
            ("failed", Some(2), true),
            ("complete", Some(1), false),
            ("complete", Some(2), true),
        ];
        for (state, settled, end) in cases {
            assert_eq!(
                is_settled(&team(state, settled)),
                end,
                "{state} {settled:?}"
            );
        }
    }

    #[test]
    fn an_ended_team_that_is_partly_settled_counts_as_loose() {
        let of = |settled| {
            let team = team("failed", Some(settled));
            let mut seen = Seen::default();
            seen.teams.insert(team.id, team);
            seen.loose_teams().count()
        };
        assert_eq!((of(1), of(2)), (1, 0));
    }
}
