//! The sale of a scenario, as anybody could create it.

use super::super::door::{Door, body};
use super::super::{Settings, StampedeError, Tools};
use super::Scenario;
use crate::chance::Chance;
use crate::client::Request;
use api::sale::Sale;
use api::{SaleId, Time};
use serde_json::{Value as Json, json};
use world::Clock;

/// The one SKU that is sold.
pub(super) const SKU: &str = "CUP";
/// How long a team lives, and how much longer while payments are in flight, ms.
const TEAM_MS: (u64, u64) = (8_000, 4_000);
/// How long an unpaid order keeps its units, ms.
const HOLD_MS: u64 = 6_000;
/// From the start until the balance may be paid, and how long it may, ms.
const BALANCE_MS: (u64, u64) = (8_000, 10_000);

/// Creates and opens the sale.
pub(super) async fn open(
    door: &Door,
    tools: &Tools,
    settings: &Settings,
) -> Result<SaleId, StampedeError> {
    let asked = sale(settings, door.clock.wall_ms());
    let asked = serde_json::to_vec(&asked).unwrap_or_default();
    let begun: Sale = demand(door, tools, "/v1/sales", "scenario-sale", &asked).await?;
    let path = format!("/v1/sales/{}/open", begun.id);
    let _: Sale = demand(door, tools, &path, "scenario-open", b"{}").await?;
    Ok(begun.id)
}

async fn demand(
    door: &Door,
    tools: &Tools,
    path: &str,
    key: &str,
    asked: &[u8],
) -> Result<Sale, StampedeError> {
    let request = Request::post(path, &tools.merchant_key, key, asked);
    let heard = door.insist(&request, &Chance::new(0, 0)).await.ok();
    heard
        .as_ref()
        .and_then(body)
        .ok_or_else(|| StampedeError::Refused {
            what: "open the sale",
            answer: heard.map_or_else(
                || "no answer".to_owned(),
                |heard| String::from_utf8_lossy(&heard.body).into_owned(),
            ),
        })
}

/// The body of a sale that offers what the scenario is about.
pub(super) fn sale(settings: &Settings, now_ms: u64) -> Json {
    json!({
        "name": format!("Drill: {}", settings.scenario),
        "currency": "EUR",
        "hold_ms": HOLD_MS,
        "skus": [{"sku": SKU, "name": "Cup", "price": "10.00", "stock": settings.stock}],
        "offer": offer(settings.scenario, now_ms),
    })
}

fn offer(scenario: Scenario, now_ms: u64) -> Json {
    let (lifetime_ms, stretch_ms) = TEAM_MS;
    let (from, until) = (now_ms + BALANCE_MS.0, now_ms + BALANCE_MS.0 + BALANCE_MS.1);
    match scenario {
        Scenario::Group => json!({"groups": [{
            "sku": SKU, "size": 5, "lifetime_ms": lifetime_ms, "stretch_ms": stretch_ms,
            "tiers": [
                {"seats": 1, "price": "10.00"},
                {"seats": 3, "price": "9.00"},
                {"seats": 5, "price": "8.00"},
            ],
            "leader": {"off_minor": 100},
        }]}),
        Scenario::Lottery => json!({"groups": [{
            "sku": SKU, "size": 5, "lifetime_ms": lifetime_ms, "stretch_ms": stretch_ms, "prizes": 2,
        }]}),
        Scenario::Presale => json!({"presale": {
            "deposit": {"share_bp": 3_000},
            "from": Time::from_ms(from), "until": Time::from_ms(until), "grace_ms": 5_000,
        }}),
        Scenario::Flash | Scenario::PaymentsFromHell => json!({"holds": {"grace_ms": 5_000}}),
    }
}
