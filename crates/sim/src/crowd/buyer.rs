//! Buyers.

use std::time::Duration;

use api::provider::{Callback, CallbackOutcome};
use http_body_util::BodyExt;
use serde_json::json;
use shop::provider::CallbackSink;

use super::{PATIENCE, Visit, field, insist};
use crate::client::{Ask, Client};
use crate::plan::Habit;
use crate::record::Who;

/// What somebody does who gives up at once.
pub(super) const NO_PATIENCE: Duration = Duration::from_millis(3);

impl Visit {
    /// Buyers share names now and then, so that limits are met.
    fn name(&mut self) -> String {
        match self.chance.hits(300) {
            true => format!("twin-{}", self.guest.number % 3),
            false => format!("buyer-{}", self.guest.number),
        }
    }

    pub(super) async fn be_a_buyer(mut self) {
        let who = Who::Buyer(self.name());
        let mut client = self.market.client(self.guest.number, who.clone());
        match self.guest.habit {
            Habit::Look => self.look(&mut client).await,
            Habit::Nonsense => self.talk_nonsense(&mut client).await,
            Habit::Watch => self.watch(&mut client).await,
            Habit::Forge => self.forge(&client).await,
            Habit::Lead => self.lead(&mut client).await,
            Habit::Join => self.join(&mut client).await,
            Habit::Wait => self.stand_in_line(&mut client, &who).await,
            Habit::Deposit => self.deposit(&mut client).await,
            Habit::Hoard => {
                for nth in 0..self.chance.between(2, 6) {
                    self.buy(&mut client, &format!("hoard-{nth}"), 10).await;
                }
            }
            _ => {
                if let Some(order) = self.buy(&mut client, "order", 3).await {
                    self.go_on(&mut client, &who, &order).await;
                }
            }
        }
    }

    /// Places an order; its name, once it is known.
    pub(super) async fn buy(
        &mut self,
        client: &mut Client,
        key: &str,
        most: u64,
    ) -> Option<String> {
        let body = self.wish(most);
        let place = Ask::post("/v1/orders", self.key(key), &body);
        match self.guest.habit {
            Habit::DoubleClick => self.click_twice(client, &place).await,
            Habit::Impatient => {
                for _ in 0..self.chance.between(1, 3) {
                    let _ = client.ask(&place, NO_PATIENCE).await;
                    self.pause(client, 3_000).await;
                }
            }
            _ => {}
        }
        let said = insist(client, &place).await?;
        let order = field(&said, "id")?;
        self.market.note_order(&order);
        Some(order)
    }

    /// The same request on another connection at the same time.
    pub(super) async fn click_twice(&mut self, client: &mut Client, ask: &Ask) {
        let mut other = self
            .market
            .client(self.guest.number + 10_000, Who::Buyer(client.buyer()));
        let (twin, again) = (ask.clone(), self.chance.hits(500));
        let tasks = self.market.stage.street.tasks();
        let clicking = tasks.spawn(async move {
            let _ = other.ask(&twin, PATIENCE).await;
            if again {
                let _ = other.ask(&twin, PATIENCE).await;
            }
        });
        let _ = client.ask(ask, PATIENCE).await;
        if self.chance.hits(200) {
            // A page that was changed meanwhile sends its old key.
            let body = self.wish(9).to_string();
            let changed = Ask {
                body,
                ..ask.clone()
            };
            let _ = client.ask(&changed, PATIENCE).await;
        }
        if self.chance.hits(500) {
            // The second click ends somewhere in between.
            let _ = clicking.await;
        }
    }

    /// What becomes of an order that was placed.
    pub(super) async fn go_on(&mut self, client: &mut Client, who: &Who, order: &str) {
        match self.guest.habit {
            Habit::Abandon => return,
            Habit::PayLate => {
                let hold = self.hold();
                let early = Duration::from_millis(self.chance.below(40));
                client
                    .wait((hold + Duration::from_millis(20)).saturating_sub(early))
                    .await;
            }
            _ => self.pause(client, 2_000).await,
        }
        if self.guest.habit == Habit::Cancel && self.chance.hits(500) {
            return self.act(client, order, "cancel", "cancel").await;
        }
        self.act(client, order, "pay", "pay").await;
        match self.guest.habit {
            Habit::PayTwice => self.pay_again(client, who, order).await,
            // A bank that said no may say yes to another card.
            Habit::Plain if self.chance.hits(300) => self.pay_again(client, who, order).await,
            Habit::Cancel => {
                self.pause(client, 5_000).await;
                self.act(client, order, "cancel", "cancel").await;
            }
            _ => {}
        }
        self.pause(client, 10_000).await;
        let _ = client
            .ask(&Ask::get(format!("/v1/orders/{order}")), PATIENCE)
            .await;
    }

    /// Clicks on pay with new keys, while the first may still be under way.
    async fn pay_again(&mut self, client: &mut Client, who: &Who, order: &str) {
        let mut other = self.market.client(self.guest.number + 20_000, who.clone());
        for nth in 0..self.chance.between(1, 3) {
            let pay = Ask::post(
                format!("/v1/orders/{order}/pay"),
                self.key(&format!("pay-{nth}")),
                &json!({}),
            );
            let _ = other.ask(&pay, PATIENCE).await;
            self.pause(client, 6_000).await;
        }
    }

    pub(super) async fn act(&mut self, client: &mut Client, order: &str, what: &str, key: &str) {
        let ask = Ask::post(
            format!("/v1/orders/{order}/{what}"),
            self.key(key),
            &json!({}),
        );
        if insist(client, &ask).await.is_some() && self.chance.hits(200) {
            let _ = client.ask(&ask, PATIENCE).await;
        }
    }

    async fn look(&mut self, client: &mut Client) {
        for _ in 0..self.chance.between(3, 15) {
            let sku = super::sku_name(self.chance.index(self.skus()));
            let path = match self.chance.below(5) {
                0 => "/v1/orders?limit=20".to_owned(),
                1 => format!("/v1/sales/{}", self.sale),
                2 => match self.market.some_order(&mut self.chance) {
                    Some(order) => format!("/v1/orders/{order}"),
                    None => "/v1/sales".to_owned(),
                },
                _ => format!("/v1/inventory/{sku}?sale={}", self.sale),
            };
            let _ = client.ask(&Ask::get(path), PATIENCE).await;
            self.pause(client, 3_000).await;
        }
    }

    async fn talk_nonsense(&mut self, client: &mut Client) {
        let bodies = [
            "{",
            "[]",
            "{\"sale_id\":\"sale_zzzzz\",\"lines\":[]}",
            "\u{0}",
            "{\"lines\":1e999}",
        ];
        for nth in 0..self.chance.between(2, 8) {
            let methods: [&'static str; 4] = ["POST", "GET", "DELETE", "PATCH"];
            let ask = Ask {
                method: self.chance.pick::<&'static str>(&methods),
                path: (*self.chance.pick(&[
                    "/v1/orders",
                    "/v1/sales",
                    "/nowhere",
                    "/v1/orders/ord_0/pay",
                ]))
                .to_owned(),
                key: self
                    .chance
                    .hits(700)
                    .then(|| self.key(&format!("nonsense-{nth}"))),
                body: (*self.chance.pick(&bodies)).to_owned(),
            };
            let _ = client.ask(&ask, PATIENCE).await;
        }
        self.call_back_about_nothing().await;
    }

    /// The provider has mixed up its shops.
    async fn call_back_about_nothing(&mut self) {
        let Ok(sale) = self.sale.parse() else {
            return;
        };
        let Some(order) = api::OrderId::new(sale, 1_000_000 + self.chance.below(1_000)) else {
            return;
        };
        let callback = Callback {
            payment: Some(api::PaymentId { order, attempt: 1 }),
            refund: None,
            outcome: CallbackOutcome::Captured,
            amount_minor: self.chance.between(1, 9_999),
            currency: "EUR".parse().ok(),
        };
        // The shop may say no; that is the provider's affair.
        let _ = self.market.stage.messenger.deliver(callback).await;
    }

    /// Opens the live stream and reads a few pieces of it, slowly.
    async fn watch(&mut self, client: &mut Client) {
        let token = self.market.stage.token(&client.buyer());
        let path = format!("/v1/sales/{}/live?access_token={token}", self.sale);
        let tasks = self.market.stage.street.tasks();
        let Some(Ok(response)) = tasks.timeout(PATIENCE, client.open(&path)).await else {
            return;
        };
        let mut body = response.into_body();
        let mut pieces = 0;
        for _ in 0..self.chance.between(1, 6) {
            let tasks = self.market.stage.street.tasks();
            let frame = tasks.timeout(PATIENCE, body.frame()).await;
            if !matches!(frame, Some(Some(Ok(_)))) {
                break;
            }
            pieces += 1;
            self.pause(client, 4_000).await;
        }
        self.market.stage.witness.watched(pieces);
    }
}

impl Client {
    fn buyer(&self) -> String {
        match self.who() {
            Who::Buyer(name) => name.clone(),
            Who::Merchant | Who::Anybody => "nobody".to_owned(),
        }
    }
}
