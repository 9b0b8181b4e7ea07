//! Depositors: they pay a deposit, and the balance in its window, before it, after it, or never.

use std::time::Duration;

use serde_json::json;

use super::{PATIENCE, Visit};
use crate::client::{Ask, Client};
use crate::record::Outcome;

/// How often somebody asks whether the balance is due by now.
const ASKS: u32 = 8;

impl Visit {
    pub(super) async fn deposit(mut self, client: &mut Client) {
        let Some(order) = self.buy(client, "order", 2).await else {
            return;
        };
        let look = Ask::get(format!("/v1/orders/{order}"));
        let late = self.chance.hits(150);
        match late {
            true => client.wait(self.hold()).await,
            false => self.pause(client, 2_000).await,
        }
        self.act(client, &order, "pay", "deposit").await;
        self.pause(client, 3_000).await;
        let _ = client.ask(&look, PATIENCE).await;
        let (from, until) = self.plan().balance_window().unwrap_or_default();
        match self.chance.below(10) {
            // The deposit was all that he will ever pay.
            0 => return,
            1 => {
                self.pause(client, 9_000).await;
                self.act(client, &order, "cancel", "cancel").await;
            }
            // As the window closes, or just after.
            2 => {
                let early = Duration::from_millis(self.chance.below(1_000));
                self.wait_until(client, until.saturating_sub(early)).await;
                self.pay_balance(client, &order).await;
            }
            // Before it opens.
            3 => self.pay_balance(client, &order).await,
            _ => {
                let within = u64::try_from(until.saturating_sub(from).as_millis()).unwrap_or(0);
                let into = Duration::from_millis(self.chance.below(within / 2 + 1));
                self.wait_until(client, from + into).await;
                self.pay_balance(client, &order).await;
            }
        }
        self.pause(client, 10_000).await;
        let _ = client.ask(&look, PATIENCE).await;
    }

    async fn wait_until(&self, client: &Client, then: Duration) {
        client.wait(then.saturating_sub(client.now())).await;
    }

    /// Asks with one key until the balance is taken, or refused for good.
    async fn pay_balance(&mut self, client: &mut Client, order: &str) {
        let path = format!("/v1/orders/{order}/pay");
        let pay = Ask::post(path, self.key("balance"), &json!({}));
        for _ in 0..ASKS {
            match client.ask(&pay, PATIENCE).await {
                Outcome::Said(said) if said.is_yes() => break,
                Outcome::Said(said) if super::is_final(said.status) => {
                    let code = said.code().unwrap_or_default();
                    // Not yet due, or the deposit is still under way: that changes.
                    if !matches!(&*code, "TG-2137" | "TG-2111") {
                        break;
                    }
                }
                Outcome::Said(_) | Outcome::Unheard(_) | Outcome::Open => {}
            }
            self.pause(client, 10_000).await;
        }
    }
}
