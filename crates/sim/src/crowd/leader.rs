//! Leaders: they open a team, pay, show its link around, and may leave it to the next member.

use std::time::Duration;

use api::order::Order;
use serde_json::{Value, json};

use super::buyer::NO_PATIENCE;
use super::{PATIENCE, Visit, insist};
use crate::client::{Ask, Client};

/// A seat that somebody has: the order, and the link of its team.
pub(super) struct Seat {
    order: String,
    link: String,
}

/// What somebody does with a seat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Pays,
    PaysTwice,
    PaysLate,
    Leaves,
    PaysAndLeaves,
    IsNeverSeenAgain,
}

impl Visit {
    pub(super) async fn lead(mut self, client: &mut Client) {
        if let Some(seat) = self.open_team(client, "lead").await {
            self.go_on_with(client, &seat).await;
        }
    }

    /// Opens a team, and shows its link around.
    pub(super) async fn open_team(&mut self, client: &mut Client, key: &str) -> Option<Seat> {
        let rules = self.plan().team_rules().len();
        let place = self.chance.index(rules.max(1));
        let rule = self.plan().team_rules().get(place);
        let sku = rule.map_or_else(|| "SKU-0".into(), |rule| rule.sku.clone());
        let draws = rule.is_some_and(|rule| rule.prizes.is_some());
        let body = self.for_a_seat(&sku, draws, &json!({"open": true}));
        let seat = self.take_seat(client, key, &body).await?;
        self.market.show_link(self.guest.sale, &seat.link);
        Some(seat)
    }

    /// The body of an order for a seat; one of a lottery is for one unit.
    pub(super) fn for_a_seat(&mut self, sku: &str, draws: bool, team: &Value) -> Value {
        let units = if draws || self.chance.hits(700) { 1 } else { 2 };
        json!({"sale_id": self.sale, "lines": [{"sku": sku, "quantity": units}], "team": team})
    }

    /// Asks for a seat, now and then twice at once, or again after giving up, always with the same key.
    pub(super) async fn take_seat(
        &mut self,
        client: &mut Client,
        key: &str,
        body: &Value,
    ) -> Option<Seat> {
        let place = Ask::post("/v1/orders", self.key(key), body);
        match self.chance.below(10) {
            0 => self.click_twice(client, &place).await,
            1 => {
                let _ = client.ask(&place, NO_PATIENCE).await;
                self.pause(client, 3_000).await;
            }
            _ => {}
        }
        let said = insist(client, &place).await?;
        if self.chance.hits(150) {
            self.pause(client, 9_000).await;
            let _ = client.ask(&place, PATIENCE).await;
        }
        let order: Order = serde_json::from_str(&said.body).ok()?;
        let name = order.id.to_string();
        self.market.note_order(&name);
        Some(Seat {
            order: name,
            link: format!("/v1/teams/{}", order.team?.id),
        })
    }

    /// What becomes of a seat.
    pub(super) async fn go_on_with(&mut self, client: &mut Client, seat: &Seat) {
        let manner = match self.chance.below(20) {
            0..=10 => Manner::Pays,
            11 => Manner::PaysTwice,
            12 | 13 => Manner::PaysLate,
            14 => Manner::Leaves,
            15..=17 => Manner::PaysAndLeaves,
            _ => Manner::IsNeverSeenAgain,
        };
        match manner {
            Manner::IsNeverSeenAgain => return,
            Manner::PaysLate => {
                let early = Duration::from_millis(self.chance.below(60));
                let hold = self.hold() + Duration::from_millis(20);
                client.wait(hold.saturating_sub(early)).await;
            }
            _ => self.pause(client, 2_000).await,
        }
        if manner == Manner::Leaves {
            return self.act(client, &seat.order, "cancel", "leave").await;
        }
        self.act(client, &seat.order, "pay", "pay").await;
        if manner == Manner::PaysTwice {
            self.pause(client, 3_000).await;
            self.act(client, &seat.order, "pay", "pay-again").await;
        }
        self.look_at_team(client, &seat.link).await;
        if manner == Manner::PaysAndLeaves {
            self.pause(client, 8_000).await;
            self.act(client, &seat.order, "cancel", "leave").await;
        }
        // Everybody wants to know how it ends.
        for _ in 0..self.chance.between(1, 3) {
            self.pause(client, 20_000).await;
            self.look_at_team(client, &seat.link).await;
        }
        let look = Ask::get(format!("/v1/orders/{}", seat.order));
        let _ = client.ask(&look, PATIENCE).await;
    }

    async fn look_at_team(&mut self, client: &mut Client, link: &str) {
        let _ = client.ask(&Ask::get(link), PATIENCE).await;
    }
}
