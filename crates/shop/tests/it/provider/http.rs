//! A provider behind our own words that sends the buyer to a page of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::order::ActionKind;
use api::provider::ChargeOutcome;
use serde_json::json;
use tidegate_shop::provider::{HttpProvider, Provider};

use super::bank::{Gave, open};
use super::{PATIENCE, charge, line, payment};

#[tokio::test]
async fn the_page_is_told_where_to_send_the_buyer_until_the_money_is_there() {
    let paid = Arc::new(AtomicBool::new(false));
    let (now_paid, key) = (paid.clone(), payment(1, 1));
    let url = open(Arc::default(), move |_| {
        let paid = now_paid.load(Ordering::SeqCst);
        let outcome = if paid { "captured" } else { "pending" };
        let mut reply = json!({
            "key": key.to_string(), "outcome": outcome, "amount_minor": 700, "currency": "EUR",
        });
        if !paid {
            reply["action"] = json!({ "type": "redirect", "value": "https://pay.example/7" });
        }
        Gave::new(200, reply)
    });
    let provider = HttpProvider::new(&url.await, &line(), PATIENCE).expect("a URL");
    let reply = provider
        .charge(charge(key, 700, "EUR"))
        .await
        .expect("it answers");
    assert_eq!(reply.outcome, ChargeOutcome::Pending);
    let action = provider.action(key).expect("the page needs it");
    assert_eq!(
        (action.kind, &*action.value),
        (ActionKind::Redirect, "https://pay.example/7")
    );
    // An answer about another charge is not kept for anybody.
    let other = payment(2, 1);
    provider
        .charge(charge(other, 700, "EUR"))
        .await
        .expect("it answers");
    assert_eq!(provider.action(other), None);
    paid.store(true, Ordering::SeqCst);
    provider.charge_status(key).await.expect("it answers");
    assert_eq!(provider.action(key), None);
}
