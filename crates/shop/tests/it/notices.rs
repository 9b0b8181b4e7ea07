//! What notices say of money, and which acts around them and their orders are on record.

use api::audit::{AuditEntry, AuditQuery};
use api::export::Format;
use api::order::PlaceOrder;
use api::sale::Turn;
use api::sending::{SagaVerb, ShipOrder};
use api::service::{Audits, Orders, Sales, Sending};
use api::{Code, OrderId, SaleId};
use serde_json::Value as Json;
use tidegate_shop::notices::{ChannelName, Locale};
use tidegate_shop::saga::Hidden;
use tidegate_shop::{Handle, Settings};

use crate::outsider::{Answer, Outsider};
use crate::sending::{admin, first_dead, fulfilling, open, paid, telling, told_of};
use crate::whole::{buyer, call, directory, merchant, selling};

/// An open sale of cups at 12.50 with this offer.
async fn offering(handle: &Handle, key: &str, offer: &str) -> SaleId {
    let body = format!(
        r#"{{"name":"Cups","currency":"EUR","offer":{offer},"skus":[{{"sku":"CUP","price":"12.50","stock":9}}]}}"#
    );
    let body = serde_json::from_str(&body).expect("a sale");
    let made = Sales::create(handle, call(admin(), key), body).await;
    let sale = made.expect("a sale").body.id;
    let opened = handle.turn(call(admin(), "on sale"), sale, Turn::Open);
    opened.await.expect("it opens");
    sale
}

async fn ann_orders(handle: &Handle, sale: SaleId, more: &str) -> OrderId {
    let body = format!(r#"{{"sale_id":"{sale}","lines":[{{"sku":"CUP","quantity":1}}]{more}}}"#);
    let body: PlaceOrder = serde_json::from_str(&body).expect("an order");
    let placed = handle.place(call(buyer("ann"), "place"), body).await;
    placed.expect("it is placed").body.id
}

fn says(line: &Json, event: &str) -> String {
    assert_eq!(line["event"], event, "{line}");
    line["text"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_buyer_is_told_what_is_due_and_what_does_not_come_back() {
    let dir = directory();
    let mut settings = telling(dir.path());
    settings.notices.locale = Locale::En;
    let shop = open(dir.path(), settings).await;
    let handle = shop.handle();
    let presale = r#"{"presale":{"deposit":{"share_bp":2000},"from":"2020-01-01T00:00:00Z",
        "until":"9000-01-01T00:00:00Z","lapse":"forfeit"}}"#;
    let sale = offering(&handle, "presale", presale).await;
    let order = ann_orders(&handle, sale, "").await;
    let text = says(&told_of(dir.path(), 1).await[0], "placed");
    assert!(text.contains("Please pay 2.50 EUR"), "{text}");
    let pays = handle.pay(call(buyer("ann"), "pay"), order);
    pays.await.expect("a charge begins");
    let text = says(&told_of(dir.path(), 2).await[1], "deposited");
    assert!(
        text.contains("10.00 EUR from 2020-01-01T00:00:00"),
        "{text}"
    );
    let back = handle.cancel(call(buyer("ann"), "cancel"), order);
    back.await.expect("it is given up");
    let text = says(&told_of(dir.path(), 3).await[2], "cancelled");
    assert!(
        text.contains("2.50 EUR of what you paid does not come back"),
        "{text}"
    );
    assert!(!text.contains("comes back to you"), "{text}");
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn an_order_that_costs_nothing_asks_for_no_payment() {
    let dir = directory();
    let mut settings = telling(dir.path());
    settings.notices.locale = Locale::En;
    let shop = open(dir.path(), settings).await;
    let handle = shop.handle();
    let gift = r#"{"discounts":{"coupons":[{"code":"GIFT","share_bp":10000}]}}"#;
    let sale = offering(&handle, "gift", gift).await;
    ann_orders(&handle, sale, r#","coupons":["GIFT"]"#).await;
    let text = says(&told_of(dir.path(), 1).await[0], "paid");
    assert!(text.contains("nothing to pay"), "{text}");
    drop(handle);
    shop.stop().await;
}

async fn acts(handle: &Handle, what: &str) -> Vec<AuditEntry> {
    let query = AuditQuery {
        what: Some(what.into()),
        ..AuditQuery::default()
    };
    let page = handle.acts(call(admin(), "-"), query).await;
    page.expect("a page").body.acts
}

/// Name, subject, and the member `state` or `stage` before and after.
fn changes(acts: &[AuditEntry], member: &str) -> Vec<(String, String, String, String)> {
    let at = |change: &Option<Json>| {
        let change = change.as_ref().map(|change| change[member].clone());
        let text = change.as_ref().and_then(Json::as_str);
        text.unwrap_or("-").to_owned()
    };
    let told = |act: &AuditEntry| {
        assert_eq!(act.account.as_ref(), "shop");
        assert!(act.who.starts_with("key_"), "{}", act.who);
        let (before, after) = (at(&act.before), at(&act.after));
        (act.what.to_string(), act.subject.to_string(), before, after)
    };
    acts.iter().map(told).collect()
}

#[tokio::test]
async fn what_a_merchant_does_to_orders_by_hand_is_on_record_and_what_buyers_do_is_not() {
    let dir = directory();
    let shop = open(dir.path(), Settings::default()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let sent = paid(&handle, sale, 1, "a").await;
    let left = handle.ship(call(admin(), "ship"), sent, ShipOrder::default());
    left.await.expect("it leaves");
    let there = handle.deliver(call(admin(), "there"), sent);
    there.await.expect("it is there");
    let own = ann_orders(&handle, sale, "").await;
    let given_up = handle.cancel(call(buyer("ann"), "own"), own);
    given_up.await.expect("hers");
    let other = paid(&handle, sale, 1, "b").await;
    let back = handle.cancel(call(admin(), "back"), other);
    back.await.expect("it is given up");
    let row = |what: &str, order: OrderId, before: &str, after: &str| {
        (
            what.to_owned(),
            order.to_string(),
            before.to_owned(),
            after.to_owned(),
        )
    };
    let expected = [
        row("order.ship", sent, "paid", "shipped"),
        row("order.deliver", sent, "shipped", "delivered"),
        row("order.cancel", other, "paid", "cancelled"),
    ];
    assert_eq!(changes(&acts(&handle, "order").await, "state"), expected);
    let refused = handle.deliver(call(admin(), "no"), other).await;
    assert!(refused.is_err());
    assert_eq!(acts(&handle, "order").await.len(), 3, "nothing was done");
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn a_payment_that_a_merchant_begins_and_an_export_are_on_record() {
    let dir = directory();
    let shop = open(dir.path(), Settings::default()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = ann_orders(&handle, sale, "").await;
    let pays = handle.pay(call(admin(), "pay"), order);
    pays.await.expect("a charge begins");
    let found = acts(&handle, "order.pay").await;
    assert_eq!(found.len(), 1);
    let before = found[0].before.as_ref().expect("as it was");
    assert_eq!(before["state"], "held");
    let after = found[0].after.as_ref().expect("as it is");
    assert!(
        after["payment"]
            .as_str()
            .is_some_and(|id| id.starts_with("pay_")),
        "{after}"
    );
    Orders::export(&*handle, call(admin(), "-"), sale, Format::Jsonl)
        .await
        .expect("hers");
    let found = acts(&handle, "orders.export").await;
    assert_eq!(*found[0].subject, *sale.to_string());
    assert_eq!(found[0].after.as_ref().expect("how")["format"], "jsonl");
    let other = Orders::export(&*handle, call(merchant("other"), "-"), sale, Format::Csv).await;
    assert_eq!(other.expect_err("not theirs").code(), Code::SaleNotFound);
    assert_eq!(acts(&handle, "orders").await.len(), 1);
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn what_an_operator_does_about_sagas_and_dead_notices_is_on_record() {
    let carrier = Outsider::new(|_, _| Answer::Down);
    let receiver = Outsider::new(|_, before| match before {
        0 => Answer::Refused,
        _ => Answer::Done,
    });
    let dir = directory();
    let mut settings = fulfilling(&carrier);
    settings.notices.channel = Some(ChannelName::Webhook);
    settings.notices.webhook_url = Some(receiver.url.clone());
    settings.notices.webhook_secret = Some(Hidden::new("0123456789abcdef0123456789abcdef"));
    let shop = open(dir.path(), settings).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = paid(&handle, sale, 1, "a").await;
    first_dead(&handle).await;
    let retried = handle.retry_notices(call(admin(), "again")).await;
    assert_eq!(retried.expect("it is tried").body.notices, 1);
    let found = acts(&handle, "notices").await;
    assert_eq!(found[0].before.as_ref().expect("before")["dead"], 1);
    assert_eq!(found[0].after.as_ref().expect("after")["tried_again"], 1);
    while carrier.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let back = handle.order_saga(call(admin(), "back"), order, SagaVerb::Compensate);
    back.await.expect("the pivot is not done");
    let found = changes(&acts(&handle, "saga").await, "stage");
    assert_eq!(found.len(), 1);
    let (what, subject, before, after) = &found[0];
    assert_eq!(
        (what.as_str(), subject),
        ("saga.compensate", &order.to_string())
    );
    let names = ["ready", "calling", "undo_ready", "undoing", "compensated"];
    assert!(names[..2].contains(&before.as_str()), "{before}");
    assert!(names.contains(&after.as_str()), "{after}");
    // A carrier that is down cannot take back what it may have done.
    drop(handle);
    shop.stop().await;
}
