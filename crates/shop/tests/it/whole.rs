//! A whole shop behind the traits of `api`, on a real disk, with a payment provider in the same process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::order::{OrderQuery, OrderState, PlaceOrder};
use api::plan::CreateSale;
use api::refund::Chargeback;
use api::sale::{SaleState, Turn};
use api::service::{Call, Caller, Health, Keys, Orders, Sales};
use api::{Code, KeyId, OrderId, RequestId, SaleId, Scopes};
use storage::DataDir;
use telemetry::Telemetry;
use tempfile::TempDir;
use tidegate_shop::provider::sandbox::{self, Sandbox};
use tidegate_shop::{Handle, Parts, Settings, Shop};
use world::{Clock, Disk, OsDisk, SystemClock, SystemEntropy, Tasks};

pub(crate) async fn open(dir: &Path) -> Shop {
    let (disk, clock): (Arc<dyn Disk>, Arc<dyn Clock>) =
        (Arc::new(OsDisk), Arc::new(SystemClock::new()));
    let parts = Parts {
        data: Arc::new(DataDir::open(&disk, dir, std::process::id()).expect("a directory")),
        provider: Arc::new(Sandbox::new(
            sandbox::Settings::default(),
            Arc::clone(&clock),
            Tasks::of_the_machine(),
        )),
        disk,
        clock,
        entropy: Arc::new(SystemEntropy),
        tasks: Tasks::of_the_machine(),
        telemetry: Telemetry::new(),
        network: Arc::new(world::network::OsNetwork),
    };
    Shop::open(Settings::default(), parts)
        .await
        .expect("it opens")
}

pub(crate) fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

pub(crate) fn call(caller: Caller, key: &str) -> Call {
    Call {
        caller,
        key: Some(key.into()),
        request_id: RequestId::from_u64(1),
        address: None,
    }
}

pub(crate) fn merchant(account: &str) -> Caller {
    Caller::Merchant {
        account: account.into(),
        key: KeyId(1),
        scopes: Scopes::ALL,
    }
}

pub(crate) fn buyer(id: &str) -> Caller {
    Caller::Buyer {
        id: id.into(),
        tags: Arc::from([]),
    }
}

pub(crate) async fn selling(handle: &Handle) -> SaleId {
    let body: CreateSale = serde_json::from_str(
        r#"{"name":"Cups","currency":"EUR","skus":[{"sku":"CUP","price":"12.50","stock":3}]}"#,
    )
    .expect("a sale");
    let sale = Sales::create(handle, call(merchant("shop"), "create"), body)
        .await
        .expect("a sale")
        .body
        .id;
    handle
        .turn(call(merchant("shop"), "open"), sale, Turn::Open)
        .await
        .expect("it opens");
    sale
}

pub(crate) fn one_cup(sale: SaleId) -> PlaceOrder {
    serde_json::from_str(&format!(
        r#"{{"sale_id":"{sale}","lines":[{{"sku":"CUP","quantity":1}}]}}"#
    ))
    .expect("an order")
}

/// Waits until the order is in this state, and the read models say so too.
pub(super) async fn settled(handle: &Handle, order: OrderId, state: OrderState) {
    let wait = async {
        loop {
            let query = OrderQuery {
                state: Some(state),
                ..OrderQuery::default()
            };
            let page = handle
                .orders(call(merchant("shop"), "-"), query)
                .await
                .expect("a list")
                .body;
            if page.orders.iter().any(|found| found.id == order) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait)
        .await
        .expect("it settles");
}

#[tokio::test]
async fn an_order_is_paid_listed_and_found_after_a_restart() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let placed = handle
        .place(call(buyer("ann"), "cart"), one_cup(sale))
        .await
        .expect("there is one");
    assert_eq!(
        (placed.repeated, placed.body.state),
        (false, OrderState::Held)
    );
    let order = placed.body.id;
    handle
        .pay(call(buyer("ann"), "pay"), order)
        .await
        .expect("a charge begins");
    settled(&handle, order, OrderState::Paid).await;
    let events = handle
        .events(call(buyer("ann"), "-"), order)
        .await
        .expect("a history")
        .body
        .events;
    assert_eq!(events.len(), 3, "{events:?}");
    drop(handle);
    shop.stop().await;

    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let again = handle
        .place(call(buyer("ann"), "cart"), one_cup(sale))
        .await
        .expect("a repeat");
    assert_eq!(
        (again.repeated, again.body.id, again.body.state),
        (true, order, OrderState::Paid)
    );
    let (_, then) = placed.position.expect("a receipt");
    let (_, now) = again.position.expect("a receipt");
    assert!(now.sequence >= then.sequence);
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn nobody_sees_what_is_somebody_elses() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = handle
        .place(call(buyer("ann"), "cart"), one_cup(sale))
        .await
        .expect("there is one")
        .body
        .id;
    let not_found = |result: Result<_, api::Problem>| {
        result
            .map(|_: api::service::Answer<_>| ())
            .unwrap_err()
            .code()
    };
    assert_eq!(
        not_found(handle.order(call(buyer("bob"), "-"), order).await),
        Code::OrderNotFound
    );
    assert_eq!(
        not_found(handle.cancel(call(buyer("bob"), "c"), order).await),
        Code::OrderNotFound
    );
    assert_eq!(
        not_found(handle.order(call(merchant("rival"), "-"), order).await),
        Code::OrderNotFound
    );
    let rival = handle
        .sale(call(merchant("rival"), "-"), sale)
        .await
        .unwrap_err();
    assert_eq!(rival.code(), Code::SaleNotFound);
    let page = handle
        .orders(call(merchant("rival"), "-"), OrderQuery::default())
        .await
        .expect("a list")
        .body;
    assert!(page.orders.is_empty());
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn a_live_stream_asks_whose_sale_it_is() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let body: CreateSale = serde_json::from_str(
        r#"{"name":"Soon","currency":"EUR","skus":[{"sku":"CUP","price":"1","stock":3}]}"#,
    )
    .expect("a sale");
    let draft = Sales::create(&*handle, call(merchant("shop"), "draft"), body);
    let draft = draft.await.expect("a sale").body.id;
    let sale = selling(&handle).await;
    let watch = async |caller, sale| {
        let feed = handle.watch(call(caller, "-"), sale).await;
        feed.map(drop).map_err(|problem| problem.code())
    };
    let nothing = Err(Code::SaleNotFound);
    assert_eq!(watch(merchant("rival"), sale).await, nothing);
    assert_eq!(watch(buyer("ann"), draft).await, nothing);
    assert_eq!(watch(buyer("ann"), sale).await, Ok(()));
    assert_eq!(watch(merchant("shop"), draft).await, Ok(()));
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn a_retired_sale_takes_a_chargeback_on_day_ninety() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = handle
        .place(call(buyer("ann"), "cart"), one_cup(sale))
        .await
        .expect("there is one")
        .body
        .id;
    handle
        .pay(call(buyer("ann"), "pay"), order)
        .await
        .expect("a charge begins");
    settled(&handle, order, OrderState::Paid).await;
    handle
        .turn(call(merchant("shop"), "close"), sale, Turn::Close)
        .await
        .expect("it closes");
    let retired = handle
        .turn(call(merchant("shop"), "retire"), sale, Turn::Retire)
        .await
        .expect("it retires");
    assert_eq!(retired.body.state, SaleState::Retired);
    assert!(handle.registry().desks().is_empty(), "its memory is free");
    drop(handle);
    shop.stop().await;

    let shop = open(dir.path()).await;
    let handle = shop.handle();
    assert!(
        handle.registry().desks().is_empty(),
        "it is not opened at start"
    );
    let body = Chargeback {
        amount_minor: 1250,
        reference: "bank 90".into(),
        idempotency_key: None,
    };
    let charged_back = handle
        .chargeback(call(merchant("shop"), "cb"), order, body)
        .await
        .expect("always booked");
    assert_eq!(charged_back.body.charged_back_minor, 1250);
    assert!(handle.ready().ready);
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn an_api_key_opens_until_it_is_revoked() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let body = |scopes| api::key::CreateKey {
        name: "till".into(),
        account: "shop".into(),
        scopes,
        role: None,
        idempotency_key: None,
    };
    let made = Keys::create(&*handle, call(merchant("shop"), "k"), body(Scopes::ALL))
        .await
        .expect("a key")
        .body;
    let secret = made.secret.expect("shown once");
    assert!(
        matches!(handle.verify(&secret), Ok(Caller::Merchant { account, .. }) if &*account == "shop")
    );
    let again = Keys::create(&*handle, call(merchant("shop"), "k"), body(Scopes::ALL))
        .await
        .expect("a repeat");
    assert_eq!(
        (again.repeated, again.body.id, again.body.secret),
        (true, made.id, None)
    );
    handle
        .revoke(call(merchant("shop"), "r"), made.id)
        .await
        .expect("it is revoked");
    assert_eq!(
        handle.verify(&secret).unwrap_err().code(),
        Code::NotAuthenticated
    );
    let narrow = Caller::Merchant {
        account: "shop".into(),
        key: KeyId(1),
        scopes: Scopes::NONE,
    };
    let more = Keys::create(&*handle, call(narrow, "k2"), body(Scopes::ALL))
        .await
        .unwrap_err();
    assert_eq!(
        more.code(),
        Code::ScopeMissing,
        "a key makes no key that may do more"
    );
    drop(handle);
    shop.stop().await;
}
