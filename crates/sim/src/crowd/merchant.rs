//! The merchant's people.

use serde_json::{Value, json};

use super::{PATIENCE, Visit, field, insist, sku_name};
use crate::client::{Ask, Client};
use crate::plan::Habit;
use crate::record::{Outcome, Who};

impl Visit {
    pub(super) async fn be_a_merchant(mut self) {
        let mut client = self.market.client(self.guest.number, Who::Merchant);
        for nth in 0..self.chance.between(2, 8) {
            match self.guest.habit {
                Habit::Refund => self.refund(&mut client, nth).await,
                Habit::Ship => self.ship(&mut client, nth).await,
                Habit::Alter => self.alter(&mut client, nth).await,
                Habit::Batch => self.batch(&mut client, nth).await,
                Habit::ChargeBack => self.charge_back(&mut client, nth).await,
                Habit::Rearrange => self.rearrange(&mut client, nth).await,
                _ => self.keys(&mut client, nth).await,
            }
            self.pause(&client, 8_000).await;
        }
    }

    async fn refund(&mut self, client: &mut Client, nth: u64) {
        let Some(order) = self.market.some_order(&mut self.chance) else {
            return;
        };
        if self.chance.hits(250) {
            let path = format!("/v1/orders/{order}/cancel");
            let cancel = Ask::post(path, self.key(&format!("cancel-{nth}")), &json!({}));
            let _ = insist(client, &cancel).await;
            return;
        }
        let body = match self.chance.below(4) {
            0 => json!({"amount_minor": self.chance.between(1, 2_000)}),
            1 => json!({"lines": [{"line": 0, "quantity": 1}], "restock": true}),
            2 => json!({"lines": [{"line": 0, "quantity": 1}]}),
            _ => json!({"restock": self.chance.hits(500)}),
        };
        let ask = Ask::post(
            format!("/v1/orders/{order}/refunds"),
            self.key(&format!("refund-{nth}")),
            &body,
        );
        let _ = insist(client, &ask).await;
        if self.chance.hits(400) {
            // A double click, and another colleague with the same idea.
            let _ = client.ask(&ask, PATIENCE).await;
            let other = Ask::post(ask.path, self.key(&format!("refund-{nth}-again")), &body);
            let _ = client.ask(&other, PATIENCE).await;
        }
    }

    async fn ship(&mut self, client: &mut Client, nth: u64) {
        if let Some(order) = self.market.some_order(&mut self.chance) {
            for what in ["ship", "deliver"] {
                let key = self.key(&format!("{what}-{nth}"));
                let _ = insist(
                    client,
                    &Ask::post(format!("/v1/orders/{order}/{what}"), key, &json!({})),
                )
                .await;
                self.pause(client, 500).await;
            }
        }
    }

    async fn alter(&mut self, client: &mut Client, nth: u64) {
        let sku = sku_name(self.chance.index(self.skus()));
        let sale = &self.sale;
        let (method, path, body): (_, _, Value) = match self.chance.below(6) {
            0 => ("POST", format!("/v1/sales/{sale}/pause"), json!({})),
            1 => (
                "POST",
                format!("/v1/sales/{sale}/stock"),
                json!({"sku": sku, "units": self.chance.between(1, 9)}),
            ),
            2 => (
                "POST",
                format!("/v1/sales/{sale}/write-offs"),
                json!({"sku": sku, "units": self.chance.between(1, 5), "reason": "broken"}),
            ),
            3 => (
                "PATCH",
                format!("/v1/sales/{sale}"),
                json!({"skus": [{"sku": sku, "price": *self.chance.pick(&["1.005", "20", "0.3333"])}]}),
            ),
            4 => (
                "PATCH",
                format!("/v1/sales/{sale}"),
                json!({"limits": {"units_per_buyer": self.chance.between(1, 10)}}),
            ),
            _ => ("POST", format!("/v1/sales/{sale}/open"), json!({})),
        };
        let ask = Ask {
            method,
            ..Ask::post(path, self.key(&format!("alter-{nth}")), &body)
        };
        let paused = ask.path.ends_with("/pause");
        let _ = insist(client, &ask).await;
        if paused {
            self.pause(client, 4_000).await;
            let open = Ask::post(
                format!("/v1/sales/{}/open", self.sale),
                self.key(&format!("reopen-{nth}")),
                &json!({}),
            );
            let _ = insist(client, &open).await;
        }
    }

    /// Orders for money collected elsewhere, many at once.
    async fn batch(&mut self, client: &mut Client, nth: u64) {
        let count = self.chance.between(1, 20);
        let orders: Vec<Value> = (0..count)
            .map(|at| {
                let mut order = self.wish(2);
                order["idempotency_key"] = json!(self.key(&format!("batch-{nth}-{at}")));
                order["buyer"] = json!(format!("shop-buyer-{}", self.chance.below(5)));
                if self.chance.hits(500) {
                    order["paid"] = json!({"reference": format!("cash-{nth}-{at}")});
                }
                order
            })
            .collect();
        let ask = Ask {
            key: None,
            ..Ask::post("/v1/orders:batch", "", &json!({ "orders": orders }))
        };
        for _ in 0..3 {
            if let Outcome::Said(said) = client.ask(&ask, PATIENCE).await
                && said.is_yes()
            {
                return;
            }
            self.pause(client, 2_000).await;
        }
    }

    async fn charge_back(&mut self, client: &mut Client, nth: u64) {
        if let Some(order) = self.market.some_order(&mut self.chance) {
            let body = json!({"amount_minor": self.chance.between(1, 3_000), "reference": format!("bank-{nth}")});
            let ask = Ask::post(
                format!("/v1/orders/{order}/chargebacks"),
                self.key(&format!("back-{nth}")),
                &body,
            );
            let _ = insist(client, &ask).await;
        }
    }

    /// Another offer, in the middle of the sale; teams keep the rule under which they were opened.
    async fn rearrange(&mut self, client: &mut Client, nth: u64) {
        let skus = self.skus();
        let offer = crate::plan::offer::offer(&mut self.chance, skus);
        let ask = Ask {
            method: "PUT",
            ..Ask::post(
                format!("/v1/sales/{}/offer", self.sale),
                self.key(&format!("offer-{nth}")),
                &json!({ "offer": offer }),
            )
        };
        let _ = insist(client, &ask).await;
        self.pause(client, 20_000).await;
    }

    /// Somebody has not heard that the key is revoked.
    async fn use_revoked(&mut self, secret: String) {
        let number = self.guest.number + 30_000;
        let mut client = self
            .market
            .client(number, Who::Anybody)
            .with_credential(secret);
        let look = Ask::get("/v1/orders?limit=1");
        for _ in 0..self.chance.between(1, 3) {
            if let Outcome::Said(said) = client.ask(&look, PATIENCE).await
                && said.is_yes()
            {
                self.market
                    .note_break_in("a revoked key lists orders".to_owned());
            }
            self.pause(&client, 30_000).await;
        }
    }

    async fn keys(&mut self, client: &mut Client, nth: u64) {
        let body = json!({"name": "till", "account": "sim", "scopes": ["orders:read"]});
        let make = Ask::post("/v1/keys", self.key(&format!("key-{nth}")), &body);
        // Some hang up in the middle: what was begun must be whole, or not there.
        if self.chance.hits(500) {
            let patience = std::time::Duration::from_micros(self.chance.between(200, 3_000));
            let _ = client.ask(&make, patience).await;
        }
        let Some(made) = insist(client, &make).await else {
            return;
        };
        let Some(id) = field(&made, "id") else {
            return;
        };
        let revoke = Ask {
            method: "DELETE",
            body: String::new(),
            ..Ask::post(
                format!("/v1/keys/{id}"),
                self.key(&format!("revoke-{nth}")),
                &json!({}),
            )
        };
        if insist(client, &revoke).await.is_some()
            && let Some(secret) = field(&made, "secret")
        {
            self.use_revoked(secret).await;
        }
        let sale = json!({"name": "another", "currency": "EUR", "skus": []});
        let create = Ask::post("/v1/sales", self.key(&format!("sale-{nth}")), &sale);
        if self.chance.hits(500) {
            let patience = std::time::Duration::from_micros(self.chance.between(200, 3_000));
            let _ = client.ask(&create, patience).await;
        }
        let _ = insist(client, &create).await;
    }
}
