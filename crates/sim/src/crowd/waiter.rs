//! Waiters: they stand in line for what is sold out, and buy what they are offered, or let it go.

use std::time::Duration;

use api::line::{Ticket, TicketState};
use serde_json::json;

use super::{PATIENCE, Visit, insist, seen};
use crate::client::{Ask, Client};
use crate::record::Who;

impl Visit {
    pub(super) async fn stand_in_line(mut self, client: &mut Client, who: &Who) {
        for nth in 0..self.chance.between(2, 5) {
            // What is not sold out can be bought, and what is sold out can be waited for.
            if self.chance.hits(600)
                && let Some(order) = self.buy(client, &format!("order-{nth}"), 3).await
            {
                return self.go_on(client, who, &order).await;
            }
            if let Some(ticket) = self.take_ticket(client, nth).await {
                return self.wait_for_turn(client, &ticket).await;
            }
            self.pause(client, 5_000).await;
        }
    }

    async fn take_ticket(&mut self, client: &mut Client, nth: u64) -> Option<String> {
        let line = self
            .plan()
            .offer
            .as_ref()
            .and_then(|offer| offer.line.as_ref());
        let most = line.map_or(1, |line| u64::from(line.units_most));
        let skus = self.skus();
        let sku = super::sku_name(if self.chance.hits(700) {
            0
        } else {
            self.chance.index(skus)
        });
        let body = json!({"sku": sku, "quantity": self.chance.between(1, most)});
        let path = format!("/v1/sales/{}/line", self.sale);
        let wait = Ask::post(path, self.key(&format!("wait-{nth}")), &body);
        if self.chance.hits(150) {
            let _ = client.ask(&wait, super::buyer::NO_PATIENCE).await;
        }
        let said = insist(client, &wait).await?;
        if self.chance.hits(150) {
            let _ = client.ask(&wait, PATIENCE).await;
        }
        let ticket: Ticket = serde_json::from_str(&said.body).ok()?;
        let name = ticket.id.to_string();
        self.market.note_ticket(&name);
        Some(name)
    }

    async fn wait_for_turn(&mut self, client: &mut Client, ticket: &str) {
        let path = format!("/v1/tickets/{ticket}");
        for nth in 0..self.chance.between(3, 15) {
            let outcome = client.ask(&Ask::get(&path), PATIENCE).await;
            let body = seen(&outcome);
            let shown: Option<Ticket> = body.and_then(|body| serde_json::from_str(body).ok());
            let offered = shown.as_ref().and_then(|ticket| ticket.order_id);
            if let Some(order) = offered {
                return self.take_offer(client, &order.to_string()).await;
            }
            if shown.is_some_and(|ticket| ticket.state == TicketState::Left) {
                return;
            }
            if self.chance.hits(80) {
                return self.give_place_up(client, &path, nth).await;
            }
            self.pause(client, 6_000).await;
        }
    }

    async fn give_place_up(&mut self, client: &mut Client, path: &str, nth: u64) {
        let leave = Ask {
            method: "DELETE",
            body: String::new(),
            ..Ask::post(path, self.key(&format!("leave-{nth}")), &json!({}))
        };
        let _ = insist(client, &leave).await;
        if self.chance.hits(300) {
            let _ = client.ask(&leave, PATIENCE).await;
        }
        let _ = client.ask(&Ask::get(path), PATIENCE).await;
    }

    /// What somebody does whose turn has come.
    async fn take_offer(&mut self, client: &mut Client, order: &str) {
        self.market.note_order(order);
        let look = Ask::get(format!("/v1/orders/{order}"));
        let _ = client.ask(&look, PATIENCE).await;
        let line = self
            .plan()
            .offer
            .as_ref()
            .and_then(|offer| offer.line.as_ref());
        let hold_ms = line.map_or(5_000, |line| line.hold_ms);
        match self.chance.below(10) {
            // He has gone home.
            0 | 1 => return,
            2 => client.wait(Duration::from_millis(hold_ms)).await,
            _ => self.pause(client, 500).await,
        }
        self.act(client, order, "pay", "pay").await;
        self.pause(client, 10_000).await;
        let _ = client.ask(&look, PATIENCE).await;
    }
}
