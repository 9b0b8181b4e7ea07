//! A buyer of a scenario: opens or joins a team, pays, tries again when the bank says no, and sometimes walks away.

use super::super::door::{Door, body, code};
use super::super::tally::count;
use super::super::{Settings, Tools};
use super::{Scenario, sale};
use crate::chance::Chance;
use crate::client::Request;
use api::deal::AskedTeam;
use api::order::{Order, OrderState};
use api::team::TeamPage;
use api::{OrderId, SaleId};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use world::Clock;

/// Buyers come within this time, ms.
const ARRIVE_MS: u64 = 5_000;
/// Tries to get a seat, and to pay.
const TRIES: u32 = 3;
/// How long a buyer looks at a payment that is not decided, ms.
const WATCH_MS: u64 = 20_000;
/// Pause between two looks, ms.
const LOOK_MS: u64 = 200;

pub(super) struct Visitor {
    number: u32,
    scenario: Scenario,
    door: Arc<Door>,
    sale: SaleId,
    token: String,
    merchant_key: Arc<str>,
    chance: Chance,
}

impl Visitor {
    pub(super) fn new(
        number: u32,
        settings: &Settings,
        door: &Arc<Door>,
        tools: &Tools,
        sale: SaleId,
    ) -> Self {
        Self {
            number,
            scenario: settings.scenario,
            door: Arc::clone(door),
            sale,
            token: (tools.buyer_token)(&format!("visitor-{number}")),
            merchant_key: Arc::clone(&tools.merchant_key),
            chance: Chance::new(settings.seed, number.into()),
        }
    }

    /// The whole visit; gives the orders that the buyer was told of.
    pub(super) async fn visit(self) -> Vec<OrderId> {
        tokio::time::sleep(Duration::from_millis(self.chance.below(ARRIVE_MS))).await;
        let Some(order) = self.place().await else {
            return Vec::new();
        };
        count(&self.door.tally.accepted);
        // Some put it into the basket and never come back.
        if self.chance.percent(92) {
            self.pay(&order).await;
        }
        vec![order.id]
    }

    async fn pay(&self, order: &Order) {
        let paid = self.pay_due(order.id, "pay").await;
        match (self.scenario, paid) {
            (Scenario::Presale, Some(paid)) => {
                let from = paid.dues.map_or(0, |dues| dues.from.ms());
                let wait = from.saturating_sub(self.door.clock.wall_ms()) + 50;
                tokio::time::sleep(Duration::from_millis(wait)).await;
                if self.chance.percent(80) {
                    self.pay_due(order.id, "balance").await;
                }
            }
            (Scenario::PaymentsFromHell, _) if self.chance.percent(25) => {
                self.step(order.id, "cancel", "cancel").await;
            }
            (Scenario::PaymentsFromHell, Some(_)) if self.chance.percent(30) => {
                self.refund(order.id).await;
            }
            (Scenario::Group | Scenario::Lottery, _) if self.chance.percent(5) => {
                self.step(order.id, "cancel", "cancel").await;
            }
            _ => {}
        }
    }

    /// Pays what is due, some times over when the bank says no; gives the order once it is decided.
    async fn pay_due(&self, id: OrderId, what: &str) -> Option<Order> {
        for attempt in 0..TRIES {
            self.step(id, "pay", &format!("{what}-{attempt}")).await;
            let order = self.decided(id).await?;
            let declined = match what {
                "balance" => order.state == OrderState::Deposited,
                _ => order.state == OrderState::Held,
            };
            if !declined {
                return Some(order);
            }
        }
        None
    }

    /// The order once no payment is in flight.
    async fn decided(&self, id: OrderId) -> Option<Order> {
        for _ in 0..WATCH_MS / LOOK_MS {
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            let path = format!("/v1/orders/{id}");
            let request = Request::get(&path, &self.token);
            let heard = self.door.insist(&request, &self.chance).await;
            let order: Order = heard.ok().as_ref().and_then(body)?;
            if order.state != OrderState::Paying {
                return Some(order);
            }
        }
        None
    }

    async fn step(&self, id: OrderId, step: &str, key: &str) {
        let (path, key) = (format!("/v1/orders/{id}/{step}"), format!("{id}-{key}"));
        let request = Request::post(&path, &self.token, &key, b"{}");
        let _ = self.door.insist(&request, &self.chance).await;
    }

    /// A clerk gives part of the money back.
    async fn refund(&self, id: OrderId) {
        let (path, key) = (format!("/v1/orders/{id}/refunds"), format!("{id}-refund"));
        let asked = json!({"amount_minor": 250}).to_string();
        let request = Request::post(&path, &self.merchant_key, &key, asked.as_bytes());
        let _ = self.door.insist(&request, &self.chance).await;
    }

    async fn place(&self) -> Option<Order> {
        for nth in 0..TRIES {
            let mut asked = json!({
                "sale_id": self.sale,
                "lines": [{"sku": sale::SKU, "quantity": 1}],
            });
            if let Some(team) = self.team().await {
                asked["team"] = json!(team);
            }
            let (asked, key) = (asked.to_string(), format!("{}-{nth}", self.number));
            let request = Request::post("/v1/orders", &self.token, &key, asked.as_bytes());
            let heard = self.door.insist(&request, &self.chance).await.ok()?;
            // A team that was full a moment later is no reason to go home.
            if let Some(order) = body(&heard) {
                return Some(order);
            }
            self.door.tally.refused(&code(&heard));
        }
        None
    }

    /// Every fifth buyer opens a team; the others join one that is listed, or open one where there is none.
    async fn team(&self) -> Option<AskedTeam> {
        if !matches!(self.scenario, Scenario::Group | Scenario::Lottery) {
            return None;
        }
        if self.number.is_multiple_of(5) {
            return Some(AskedTeam::Open(true));
        }
        let path = format!("/v1/sales/{}/teams?joinable=true&limit=20", self.sale);
        let request = Request::get(&path, &self.token);
        let heard = self.door.insist(&request, &self.chance).await;
        let page: Option<TeamPage> = heard.ok().as_ref().and_then(body);
        let teams = page.map(|page| page.teams).unwrap_or_default();
        Some(match teams.is_empty() {
            true => AskedTeam::Open(true),
            false => AskedTeam::Join(self.chance.pick(&teams).id),
        })
    }
}
