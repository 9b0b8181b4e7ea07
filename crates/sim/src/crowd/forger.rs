//! Forgers: whoever lets one of them in has broken a promise without a number.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::{PATIENCE, Visit};
use crate::client::{Body, Client};

impl Visit {
    /// Tries every door that should be closed; what opens is remembered for the judges.
    pub(super) async fn forge(mut self, client: &Client) {
        for _ in 0..self.chance.between(2, 6) {
            let order = self.market.some_order(&mut self.chance);
            let kind = self.chance.below(7);
            let Some((what, request)) = self.forgery(kind, order.as_deref()) else {
                continue;
            };
            let answer = client.try_out(request, PATIENCE).await;
            if let Some(status) = answer.filter(StatusCode::is_success) {
                self.market
                    .note_break_in(format!("{what} was answered with {status}"));
            }
            client
                .wait(Duration::from_millis(self.chance.below(9_000)))
                .await;
            self.take_a_place(client).await;
        }
    }

    /// Somebody else's place in the line is not for a stranger to see, and not his to give up.
    async fn take_a_place(&mut self, client: &Client) {
        let Some(ticket) = self.market.some_ticket(&mut self.chance) else {
            return;
        };
        let honest = format!("Bearer {}", self.market.stage.token("forger"));
        for method in ["GET", "DELETE"] {
            let request = Request::builder()
                .method(method)
                .uri(format!("/v1/tickets/{ticket}"))
                .header("host", "shop")
                .header("authorization", &honest)
                .header("idempotency-key", self.key("place"))
                .body(Full::default());
            let Ok(request) = request else { return };
            let answer = client.try_out(request, PATIENCE).await;
            if let Some(status) = answer.filter(StatusCode::is_success) {
                self.market.note_break_in(format!(
                    "{method} {ticket} of another was answered with {status}"
                ));
            }
        }
    }

    /// A request that must never be granted.
    fn forgery(&self, kind: u64, order: Option<&str>) -> Option<(&'static str, Request<Body>)> {
        let key = self.key(&format!("forged-{kind}"));
        let honest = format!("Bearer {}", self.market.stage.token("forger"));
        let place = json!({"sale_id": self.sale, "lines": [{"sku": "SKU-0", "quantity": 1}]});
        let post = |path: &str| Request::post(path).header("host", "shop");
        let keyed = |path: &str| post(path).header("idempotency-key", key.as_str());
        let text = |body: &serde_json::Value| Full::from(body.to_string().into_bytes());
        let (what, request) = match kind {
            0 => {
                // The last character of a signature is changed.
                let mut token = self.market.stage.token("somebody-else");
                let last = token.pop()?;
                token.push(if last == 'A' { 'Q' } else { 'A' });
                let request =
                    keyed("/v1/orders").header("authorization", format!("Bearer {token}"));
                ("an order under a forged token", request.body(text(&place)))
            }
            1 => {
                let body = json!({"payment": format!("{}001", order?).replace("ord_", "pay_"),
                    "outcome": "captured", "amount_minor": 1, "currency": "EUR"});
                let request = post("/v1/providers/sandbox/callbacks")
                    .header("tidegate-signature", "t=1800000000,v1=00");
                (
                    "a callback with a forged signature",
                    request.body(text(&body)),
                )
            }
            2 => {
                let path = format!("/v1/sales/{}/close", self.sale);
                let request = keyed(&path).header("authorization", honest);
                ("a sale closed by a buyer", request.body(text(&json!({}))))
            }
            3 => {
                let path = format!("/v1/orders/{}/ship", order?);
                let request = keyed(&path).header("authorization", honest);
                (
                    "an order shipped by a buyer",
                    request.body(text(&json!({}))),
                )
            }
            4 => {
                let request = Request::get(format!("/v1/orders/{}", order?))
                    .header("host", "shop")
                    .header("authorization", honest);
                (
                    "somebody else's order, asked for by a buyer",
                    request.body(Full::default()),
                )
            }
            5 => {
                let path = format!("/v1/orders/{}/cancel", order?);
                let request = keyed(&path).header("authorization", honest);
                (
                    "somebody else's order, cancelled by a buyer",
                    request.body(text(&json!({}))),
                )
            }
            _ => {
                let request = keyed("/v1/orders")
                    .header("x-idempotency-key", "another")
                    .header("authorization", honest);
                ("an order under two keys", request.body(text(&place)))
            }
        };
        Some((what, request.ok()?))
    }
}
