//! A whole shop in front of the fake Stripe: what the page is shown, and what a webhook has to fit before it counts.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use api::order::{ActionKind, Order, OrderState, PaymentAction, PlaceOrder};
use api::plan::CreateSale;
use api::provider::{Knock, ProviderReport, ReportedCharge};
use api::refund::RefundOrder;
use api::sale::Turn;
use api::service::{Call, Caller, Orders, Sales};
use api::{Code, KeyId, OrderId, RequestId, Scopes};
use storage::DataDir;
use telemetry::Telemetry;
use tidegate_shop::provider::Provider;
use tidegate_shop::provider::sandbox::{self, Sandbox};
use tidegate_shop::provider::wechat::Way;
use tidegate_shop::{Handle, Parts, Settings, Shop};
use world::{Clock, Disk, OsDisk, SystemClock, SystemEntropy, Tasks};

use super::stripe::{HOOK_SECRET, Till, dispute_event, hook, intent_event, till};
use super::{NOON_MS, payment};

async fn open(dir: &Path, provider: Arc<dyn Provider>) -> Shop {
    open_with(Settings::default(), dir, provider).await
}

async fn open_with(settings: Settings, dir: &Path, provider: Arc<dyn Provider>) -> Shop {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let parts = Parts {
        data: Arc::new(DataDir::open(&disk, dir, std::process::id()).expect("a directory")),
        provider,
        disk,
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(SystemEntropy),
        tasks: Tasks::of_the_machine(),
        telemetry: Telemetry::new(),
        network: Arc::new(world::network::OsNetwork),
    };
    let opened = Shop::open(settings, parts).await;
    opened.expect("it opens")
}

fn call(caller: Caller, key: &str) -> Call {
    Call {
        caller,
        key: Some(key.into()),
        request_id: RequestId::from_u64(1),
        address: None,
    }
}

fn merchant() -> Caller {
    Caller::Merchant {
        account: "shop".into(),
        key: KeyId(1),
        scopes: Scopes::ALL,
    }
}

fn ann() -> Caller {
    Caller::Buyer {
        id: "ann".into(),
        tags: Arc::from([]),
    }
}

/// An order of 12.50 whose charge has begun.
async fn paying(handle: &Handle, currency: &str) -> OrderId {
    let body: CreateSale = serde_json::from_str(&format!(
        r#"{{"name":"Cups","currency":"{currency}","skus":[{{"sku":"CUP","price":"12.50","stock":3}}]}}"#,
    ))
    .expect("a sale");
    let made = Sales::create(handle, call(merchant(), "create"), body).await;
    let sale = made.expect("a sale").body.id;
    let opened = handle
        .turn(call(merchant(), "open"), sale, Turn::Open)
        .await;
    opened.expect("it opens");
    let body: PlaceOrder = serde_json::from_str(&format!(
        r#"{{"sale_id":"{sale}","lines":[{{"sku":"CUP","quantity":1}}]}}"#
    ))
    .expect("an order");
    let placed = handle.place(call(ann(), "cart"), body).await;
    let order = placed.expect("there is one").body.id;
    let begun = handle.pay(call(ann(), "pay"), order).await;
    begun.expect("a charge begins");
    order
}

async fn shown(handle: &Handle, order: OrderId) -> Order {
    let shown = handle.order(call(ann(), "-"), order).await;
    shown.expect("it is there").body
}

/// Waits until the page has what it needs.
async fn action(handle: &Handle, order: OrderId) -> PaymentAction {
    let wait = async {
        loop {
            let payment = shown(handle, order).await.payment;
            if let Some(action) = payment.and_then(|payment| payment.action) {
                return action;
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
    waited.expect("the charge was made")
}

fn captured(key: &str, amount_minor: i64, currency: &str, at_ms: u64) -> Knock {
    let kind = "payment_intent.succeeded";
    let body = intent_event(kind, key, amount_minor, currency, "house-1", false);
    hook(&body, at_ms, HOOK_SECRET)
}

/// The code that a callback is refused with, or nothing.
async fn knock(handle: &Handle, knock: Knock) -> Option<&'static str> {
    let knocked = handle.knock(call(Caller::Provider, "-"), knock).await;
    knocked.err().map(|problem| problem.code().as_str())
}

#[tokio::test]
async fn a_signed_callback_of_the_sandbox_pays_nothing_where_stripe_is_connected() {
    let (_till, _dir, shop) = shop().await;
    let handle = shop.handle();
    let order = paying(&handle, "EUR").await;
    let payment = shown(&handle, order).await.payment.expect("one").id;
    let euro = "EUR".parse().expect("a currency");
    let report = ProviderReport::Charge(payment, ReportedCharge::Captured(1_250, euro));
    let reported = handle.report(call(Caller::Provider, "-"), report).await;
    let refused = reported.map(drop).map_err(|problem| problem.code());
    assert_eq!(refused, Err(Code::NoRoute));
    assert_eq!(shown(&handle, order).await.state, OrderState::Paying);
    drop(handle);
    shop.stop().await;
}

async fn shop() -> (Till, tempfile::TempDir, Shop) {
    let till = till(None).await;
    let dir = tempfile::tempdir().expect("a directory");
    let shop = open(dir.path(), Arc::new(till.stripe.clone())).await;
    (till, dir, shop)
}

#[tokio::test]
async fn only_a_webhook_that_fits_the_book_pays_an_order() {
    let (_till, _dir, shop) = shop().await;
    let handle = shop.handle();
    let order = paying(&handle, "EUR").await;
    let action = action(&handle, order).await;
    assert!(action.value.contains("_secret_"));
    let key = shown(&handle, order)
        .await
        .payment
        .expect("one")
        .id
        .to_string();
    let unmatched = || handle.registry().house().book().unmatched();
    for (amount, currency) in [
        (500, "eur"),
        (125_000, "eur"),
        (1_250, "usd"),
        (1_250, "xxxx"),
    ] {
        let code = knock(&handle, captured(&key, amount, currency, NOON_MS)).await;
        assert_eq!(code, Some("TG-1113"), "{amount} {currency}");
        let order = shown(&handle, order).await;
        assert_eq!((order.state, order.captured_minor), (OrderState::Paying, 0));
    }
    assert_eq!(unmatched(), 3, "what names money is kept for people");
    let mut forged = captured(&key, 1_250, "eur", NOON_MS);
    forged.body[20] ^= 1;
    assert_eq!(knock(&handle, forged).await, Some("TG-1104"));
    let old = captured(&key, 1_250, "eur", NOON_MS - 600_000);
    assert_eq!(knock(&handle, old).await, Some("TG-1111"));
    let good = captured(&key, 1_250, "eur", NOON_MS);
    assert_eq!(knock(&handle, good.clone()).await, None);
    assert_eq!(knock(&handle, good).await, Some("TG-1112"));
    // The provider's own repeat is signed anew, and counts once all the same.
    let repeat = captured(&key, 1_250, "eur", NOON_MS + 1_000);
    assert_eq!(knock(&handle, repeat).await, None);
    let paid = shown(&handle, order).await;
    assert_eq!((paid.state, paid.captured_minor), (OrderState::Paid, 1_250));
    assert_eq!(paid.payment.expect("one").action, None);
    assert_eq!(unmatched(), 3);
    shop.stop().await;
}

/// A desk that is busy: nobody is answered until the guard is dropped, and one more command finds no room.
async fn busy(handle: &Arc<Handle>, order: OrderId) -> mpsc::Sender<()> {
    let desk = handle.registry().desk(order.sale().get()).await;
    let desk = desk.expect("it is open");
    let (guard, held) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    let (first, second) = (desk.clone(), desk.clone());
    tokio::spawn(async move {
        let look = move |_: &commerce::Book| {
            // Whoever waits for these may be gone.
            let _ = (begun.send(()), held.recv());
        };
        first.ask(look).await
    });
    tokio::task::block_in_place(|| begins.recv()).expect("the desk looks");
    tokio::spawn(async move { second.ask(|_| ()).await });
    while desk.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    guard
}

/// Found by reading: a repeat of a webhook that nobody had booked was refused as a replay.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_webhook_that_found_its_desk_busy_may_bring_the_same_bytes_again() {
    let till = till(None).await;
    let dir = tempfile::tempdir().expect("a directory");
    let mut settings = Settings::default();
    settings.desk.queue_commands_max = 1;
    let stripe = Arc::new(till.stripe.clone());
    let shop = open_with(settings, dir.path(), stripe).await;
    let handle = shop.handle();
    let order = paying(&handle, "EUR").await;
    let _shown = action(&handle, order).await;
    let payment = shown(&handle, order).await.payment.expect("one").id;
    let paid = captured(&payment.to_string(), 1_250, "eur", NOON_MS);
    let guard = busy(&handle, order).await;
    assert_eq!(knock(&handle, paid.clone()).await, Some("TG-3001"));
    drop(guard);
    let taken = async {
        // What stood before it may be in its way once more.
        while let Some(code) = knock(&handle, paid.clone()).await {
            assert_eq!(code, "TG-3001");
            tokio::task::yield_now().await;
        }
    };
    let taken = tokio::time::timeout(Duration::from_secs(30), taken).await;
    taken.expect("it is booked");
    until(&handle, order, |order| order.state == OrderState::Paid).await;
    assert_eq!(knock(&handle, paid).await, Some("TG-1112"));
    shop.stop().await;
}

#[tokio::test]
async fn a_webhook_for_an_order_that_is_not_here_is_taken_and_kept() {
    let (_till, _dir, shop) = shop().await;
    let handle = shop.handle();
    let nowhere = captured(&payment(1, 1).to_string(), 5, "eur", NOON_MS);
    assert_eq!(knock(&handle, nowhere).await, None);
    assert_eq!(handle.registry().house().book().unmatched(), 1);
    shop.stop().await;
}

/// A bank takes money back in parts: each dispute books once, whatever Stripe says of it how often; one that is won is
/// kept for people, since the book has no word for money that comes back from a bank.
#[tokio::test]
async fn disputes_of_stripe_are_booked_once_each_and_a_won_one_is_kept() {
    let (till, _dir, shop) = shop().await;
    let handle = shop.handle();
    let order = paying(&handle, "EUR").await;
    action(&handle, order).await;
    let key = shown(&handle, order).await.payment.expect("one").id;
    let key = key.to_string();
    let intent = till.fake.intent_of(&key);
    let mut at = NOON_MS;
    let mut say = async |event, name: &str, money| {
        at += 1_000;
        let body = dispute_event(event, name, Some(&intent), money);
        let code = knock(&handle, hook(&body, at, HOOK_SECRET)).await;
        let kept = handle.registry().house().book().unmatched();
        let order = shown(&handle, order).await;
        (code, order.charged_back_minor, kept)
    };
    let (withdrawn, lost) = (("funds_withdrawn", "needs_response"), ("closed", "lost"));
    let first = say(withdrawn, "dp_0", (100, "eur")).await;
    assert_eq!(first, (None, 0, 1), "nothing was captured: it waits");
    let paid = knock(&handle, captured(&key, 1_250, "eur", NOON_MS)).await;
    assert_eq!(paid, None);
    for (event, name, money, so) in [
        (
            ("created", "needs_response"),
            "dp_1",
            (500, "eur"),
            (None, 0, 1),
        ),
        (withdrawn, "dp_1", (500, "eur"), (None, 500, 1)),
        (withdrawn, "dp_1", (500, "eur"), (None, 500, 1)),
        (lost, "dp_1", (500, "eur"), (None, 500, 1)),
        (withdrawn, "dp_2", (900, "usd"), (Some("TG-1113"), 500, 2)),
        (lost, "dp_3", (900, "eur"), (None, 1_400, 2)),
        (
            ("funds_reinstated", "won"),
            "dp_3",
            (900, "eur"),
            (None, 1_400, 3),
        ),
        (("closed", "won"), "dp_3", (900, "eur"), (None, 1_400, 3)),
        // The same dispute with another sum is another thing: it is kept and not added.
        (withdrawn, "dp_1", (501, "eur"), (None, 1_400, 4)),
    ] {
        assert_eq!(say(event, name, money).await, so, "{event:?} {name}");
    }
    shop.stop().await;
}

#[tokio::test]
async fn a_shop_that_was_started_anew_shows_the_page_what_it_needs_again() {
    let (till, dir, shop) = shop().await;
    let handle = shop.handle();
    let order = paying(&handle, "EUR").await;
    let before = action(&handle, order).await;
    drop(handle);
    shop.stop().await;
    let shop = open(dir.path(), Arc::new(till.restarted())).await;
    assert_eq!(action(&shop.handle(), order).await, before);
    assert_eq!(till.fake.captured(), 0);
    shop.stop().await;
}

/// Waits until the order looks like that.
async fn until(handle: &Handle, order: OrderId, like: impl Fn(&Order) -> bool) -> Order {
    let wait = async {
        loop {
            let order = shown(handle, order).await;
            if like(&order) {
                return order;
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
    waited.expect("it comes to that")
}

/// The machine is down for so long that Stripe forgets every key; before, it answers nobody.
async fn down_for_a_day(till: &Till, dir: &Path, shop: Shop) -> Shop {
    till.fake.status.store(503, Ordering::SeqCst);
    shop.stop().await;
    till.fake.forget_keys();
    till.fake.status.store(0, Ordering::SeqCst);
    open(dir, Arc::new(till.restarted())).await
}

async fn until_at_stripe(moved: impl Fn() -> i64, minor: i64) {
    let wait = async {
        while moved() != minor {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
    waited.expect("Stripe was asked");
}

/// Found by reading: a start acted on what it found open, under keys that Stripe forgets after a day.
#[tokio::test]
async fn a_refund_whose_answer_was_lost_is_not_made_twice_by_a_start_a_day_later() {
    let till = till(Some("pm_card_visa")).await;
    let dir = tempfile::tempdir().expect("a directory");
    let shop = open(dir.path(), Arc::new(till.stripe.clone())).await;
    let handle = shop.handle();
    let order = paying(&handle, "EUR").await;
    until(&handle, order, |order| order.state == OrderState::Paid).await;
    till.fake.trouble.lose.store(1, Ordering::SeqCst);
    let ask: RefundOrder = serde_json::from_str(r#"{"amount_minor":500}"#).expect("a refund");
    let promised = handle.refund(call(merchant(), "back"), order, ask).await;
    promised.expect("it is promised");
    until_at_stripe(|| till.fake.refunded(), 500).await;
    drop(handle);
    let shop = down_for_a_day(&till, dir.path(), shop).await;
    let back = |order: &Order| order.refunded_minor == 500;
    until(&shop.handle(), order, back).await;
    assert_eq!(till.fake.refunded(), 500, "once");
    shop.stop().await;
}

#[tokio::test]
async fn a_charge_whose_answer_was_lost_is_not_made_twice_by_a_start_a_day_later() {
    let till = till(Some("pm_card_visa")).await;
    let dir = tempfile::tempdir().expect("a directory");
    let shop = open(dir.path(), Arc::new(till.stripe.clone())).await;
    till.fake.trouble.lose.store(1, Ordering::SeqCst);
    let handle = shop.handle();
    let order = paying(&handle, "EUR").await;
    until_at_stripe(|| till.fake.captured(), 1_250).await;
    drop(handle);
    let shop = down_for_a_day(&till, dir.path(), shop).await;
    let paid = |order: &Order| order.state == OrderState::Paid;
    until(&shop.handle(), order, paid).await;
    assert_eq!(till.fake.captured(), 1_250, "once");
    shop.stop().await;
}

/// Found by reading: nobody opened the sale any more, and the buyer's money stayed where it was.
#[tokio::test]
async fn a_refund_that_began_in_a_retired_sale_is_carried_on_by_the_next_start() {
    let till = till(Some("pm_card_visa")).await;
    let dir = tempfile::tempdir().expect("a directory");
    let shop = open(dir.path(), Arc::new(till.stripe.clone())).await;
    let handle = shop.handle();
    let order = paying(&handle, "EUR").await;
    until(&handle, order, |order| order.state == OrderState::Paid).await;
    for (key, turn) in [("close", Turn::Close), ("retire", Turn::Retire)] {
        let turned = handle.turn(call(merchant(), key), order.sale(), turn).await;
        turned.expect("it turns");
    }
    assert!(handle.registry().desks().is_empty());
    till.fake.status.store(503, Ordering::SeqCst);
    let ask: RefundOrder = serde_json::from_str("{}").expect("a refund of everything");
    let promised = handle.refund(call(merchant(), "back"), order, ask).await;
    promised.expect("it is promised");
    drop(handle);
    shop.stop().await;
    till.fake.status.store(0, Ordering::SeqCst);
    let shop = open(dir.path(), Arc::new(till.restarted())).await;
    // Nobody asks for the sale.
    until_at_stripe(|| till.fake.refunded(), 1_250).await;
    let settled = async {
        let desk = shop.handle().registry().desk(order.sale().get()).await;
        let desk = desk.expect("it is open");
        let open = |book: &commerce::Book| book.open_effects().count();
        while desk.ask(open).await.expect("it answers").value > 0 {
            tokio::task::yield_now().await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(30), settled).await;
    settled.expect("it is on record");
    shop.stop().await;
    let shop = open(dir.path(), Arc::new(till.restarted())).await;
    assert!(
        shop.handle().registry().desks().is_empty(),
        "it is over once more, and its memory is free"
    );
    shop.stop().await;
}

#[tokio::test]
async fn another_buyer_is_not_shown_how_to_pay() {
    let (_till, _dir, shop) = shop().await;
    let handle = shop.handle();
    let order = paying(&handle, "EUR").await;
    action(&handle, order).await;
    let bob = Caller::Buyer {
        id: "bob".into(),
        tags: Arc::from([]),
    };
    let refused = handle.order(call(bob, "-"), order).await;
    let code = refused.expect_err("not his").code().as_str();
    assert_eq!(code, "TG-2002");
    shop.stop().await;
}

/// Inside WeChat an order is paid by name: the buyer's pseudonym goes along to the provider.
#[tokio::test]
async fn a_buyer_in_wechat_is_charged_by_name() {
    let till = super::wechat::till(|settings| settings.way = Way::Jsapi).await;
    let dir = tempfile::tempdir().expect("a directory");
    let shop = open(dir.path(), Arc::new(till.wechat.clone())).await;
    let handle = shop.handle();
    let order = paying(&handle, "CNY").await;
    let action = action(&handle, order).await;
    assert_eq!(action.kind, ActionKind::WechatJsapi);
    assert_eq!(till.fake.payers(), ["ann"]);
    shop.stop().await;
}

#[tokio::test]
async fn nobody_knocks_where_no_such_provider_is_connected() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let sandbox = Sandbox::new(sandbox::Settings::default(), clock, Tasks::of_the_machine());
    let dir = tempfile::tempdir().expect("a directory");
    let shop = open(dir.path(), Arc::new(sandbox)).await;
    let good = captured(&payment(1, 1).to_string(), 5, "eur", NOON_MS);
    assert_eq!(knock(&shop.handle(), good).await, Some("TG-1010"));
    shop.stop().await;
}
