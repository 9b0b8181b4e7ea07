//! A whole shop beside a provider that hangs, lies, changes its mind, or knows nothing.

mod kept;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::order::{Order, OrderState, PaymentState};
use api::provider::{
    ChargeOutcome, ChargeReply, ChargeRequest, ProviderReport, RefundReply, RefundRequest,
    ReportedCharge,
};
use api::refund::{RefundOrder, RefundState};
use api::service::{Caller, Orders, Sales};
use api::{OrderId, PaymentId, RefundId, SaleId};
use storage::DataDir;
use telemetry::{Gap, Telemetry};
use tidegate_shop::provider::sandbox::{self, Sandbox, UnknownCharge};
use tidegate_shop::provider::{Asked, Provider, ProviderError};
use tidegate_shop::{Handle, Parts, Settings, Shop};
use world::{Clock, Disk, OsDisk, SystemClock, SystemEntropy, Tasks};

use super::whole::{buyer, call, directory, merchant, one_cup, selling, settled};

/// A provider that says of some charges what it is told to say.
#[derive(Debug)]
struct Liar {
    sandbox: Sandbox,
    hangs: AtomicBool,
    gone: AtomicBool,
    lies: Mutex<BTreeMap<PaymentId, Option<ChargeOutcome>>>,
    /// What it answers when it is asked about these orders, whatever is asked.
    troubles: Mutex<BTreeMap<OrderId, ProviderError>>,
    /// Refunds that it was asked about.
    asked: Mutex<Vec<RefundId>>,
}

impl Liar {
    fn lies(&self) -> MutexGuard<'_, BTreeMap<PaymentId, Option<ChargeOutcome>>> {
        self.lies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self, order: OrderId, error: ProviderError) {
        let mut troubles = self.troubles.lock().expect("no panic");
        troubles.insert(order, error);
    }

    fn asked(&self) -> Vec<RefundId> {
        self.asked.lock().expect("no panic").clone()
    }

    fn call<'a, T: Send + 'a>(&'a self, answer: Asked<'a, T>) -> Asked<'a, T> {
        if self.hangs.load(Ordering::SeqCst) {
            return Box::pin(std::future::pending());
        }
        if self.gone.load(Ordering::SeqCst) {
            return Box::pin(async { Err(ProviderError::Unavailable(503)) });
        }
        answer
    }
}

impl Provider for Liar {
    fn charge(&self, request: ChargeRequest) -> Asked<'_, ChargeReply> {
        self.call(self.sandbox.charge(request))
    }

    fn refund(&self, request: RefundRequest) -> Asked<'_, RefundReply> {
        self.call(self.sandbox.refund(request))
    }

    fn charge_status(&self, key: PaymentId) -> Asked<'_, Option<ChargeReply>> {
        let lie = self.lies().get(&key).copied();
        let truth = self.sandbox.charge_status(key);
        let trouble = self.troubles.lock().expect("no panic");
        let trouble = trouble.get(&key.order).cloned();
        self.call(Box::pin(async move {
            if let Some(trouble) = trouble {
                return Err(trouble);
            }
            let truth = truth.await?;
            Ok(match lie {
                None => truth,
                Some(lie) => lie.and_then(|outcome| Some(ChargeReply { outcome, ..truth? })),
            })
        }))
    }

    fn refund_status(&self, key: RefundId) -> Asked<'_, Option<RefundReply>> {
        self.asked.lock().expect("no panic").push(key);
        self.call(self.sandbox.refund_status(key))
    }
}

struct Stage {
    shop: Shop,
    handle: Arc<Handle>,
    liar: Arc<Liar>,
    telemetry: Telemetry,
    sale: SaleId,
}

impl Stage {
    async fn open(dir: &Path, bank: sandbox::Settings, settings: Settings) -> Self {
        let (disk, clock): (Arc<dyn Disk>, Arc<dyn Clock>) =
            (Arc::new(OsDisk), Arc::new(SystemClock::new()));
        let (tasks, telemetry) = (Tasks::of_the_machine(), Telemetry::new());
        let liar = Arc::new(Liar {
            sandbox: Sandbox::new(bank, clock.clone(), tasks.clone()),
            hangs: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            lies: Mutex::default(),
            troubles: Mutex::default(),
            asked: Mutex::default(),
        });
        let parts = Parts {
            data: Arc::new(DataDir::open(&disk, dir, std::process::id()).expect("a directory")),
            provider: liar.clone(),
            disk,
            clock,
            entropy: Arc::new(SystemEntropy),
            tasks,
            network: Arc::new(world::OsNetwork),
            telemetry: telemetry.clone(),
        };
        let shop = Shop::open(settings, parts).await.expect("it opens");
        let handle = shop.handle();
        let sale = selling(&handle).await;
        Self {
            shop,
            handle,
            liar,
            telemetry,
            sale,
        }
    }

    async fn order(&self, key: &str) -> OrderId {
        let placed = self
            .handle
            .place(call(buyer("ann"), key), one_cup(self.sale));
        placed.await.expect("there is one").body.id
    }

    async fn pay(&self, order: OrderId, key: &str) {
        let paying = self.handle.pay(call(buyer("ann"), key), order);
        paying.await.expect("a charge begins");
    }

    async fn paid(&self, key: &str) -> OrderId {
        let order = self.order(key).await;
        self.pay(order, &format!("pay {key}")).await;
        settled(&self.handle, order, OrderState::Paid).await;
        order
    }

    async fn shown(&self, order: OrderId) -> Order {
        let shown = self.handle.order(call(merchant("shop"), "-"), order);
        shown.await.expect("it is there").body
    }

    fn open_gaps(&self, kind: Gap) -> u64 {
        self.telemetry.meters().outside.gaps_open(kind).get()
    }

    /// Waits until something is so.
    async fn until(&self, what: &str, so: impl AsyncFn(&Self) -> bool) {
        let wait = async {
            while !so(self).await {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
        waited.unwrap_or_else(|_| panic!("never: {what}"));
    }

    async fn stop(self) {
        drop(self.handle);
        self.shop.stop().await;
    }
}

fn keen() -> Settings {
    let mut settings = Settings::default();
    settings.cashier.reconcile_every_ms = 1_000;
    settings
}

fn witness() -> sandbox::Settings {
    sandbox::Settings {
        unknown_charge: UnknownCharge::Decline,
        ..sandbox::Settings::default()
    }
}

fn refund_body() -> RefundOrder {
    serde_json::from_str("{}").expect("a refund of everything")
}

#[tokio::test]
async fn a_refund_is_answered_within_500_ms_while_the_provider_hangs() {
    let dir = directory();
    let mut settings = Settings::default();
    settings.cashier.stop_grace_ms = 0;
    let stage = Stage::open(dir.path(), witness(), settings).await;
    let order = stage.paid("a").await;
    stage.liar.hangs.store(true, Ordering::SeqCst);
    let asked = stage
        .handle
        .refund(call(merchant("shop"), "r"), order, refund_body());
    let answered = tokio::time::timeout(Duration::from_millis(500), asked).await;
    let refund = answered.expect("in time").expect("accepted").body;
    assert_eq!(
        (refund.state, refund.amount_minor),
        (RefundState::Pending, 1_250)
    );
    let again = stage
        .handle
        .refund(call(merchant("shop"), "r"), order, refund_body());
    let again = tokio::time::timeout(Duration::from_millis(500), again).await;
    let again = again.expect("in time").expect("a repeat");
    assert_eq!((again.repeated, again.body.id), (true, refund.id));
    assert_eq!(stage.shown(order).await.refunded_minor, 0);
    stage.stop().await;
}

#[tokio::test]
async fn an_order_says_that_its_payment_waits_while_the_provider_is_left_alone() {
    let dir = directory();
    let mut settings = Settings::default();
    settings.cashier.breaker_failures_in_a_row_max = 1;
    settings.cashier.breaker_open_ms = 600_000;
    settings.cashier.workers = 1;
    let stage = Stage::open(dir.path(), witness(), settings).await;
    stage.liar.gone.store(true, Ordering::SeqCst);
    for key in ["a", "b"] {
        let order = stage.order(key).await;
        stage.pay(order, &format!("pay {key}")).await;
    }
    let opened = |stage: &Stage| {
        stage
            .telemetry
            .exposition()
            .contains("effect=\"charge\"} 2")
    };
    stage
        .until("the breaker opens", async |stage| opened(stage))
        .await;
    let late = stage.order("c").await;
    let paying = stage.handle.pay(call(buyer("ann"), "pay c"), late).await;
    let payment = paying.expect("accepted").body.payment.expect("begun");
    assert_eq!(payment.state, PaymentState::Delayed);
    let payment = stage.shown(late).await.payment.expect("begun");
    assert_eq!(payment.state, PaymentState::Delayed);
    stage.stop().await;
}

#[tokio::test]
async fn a_run_gets_over_a_page_although_few_questions_a_second_are_allowed() {
    let dir = directory();
    let mut settings = keen();
    settings.cashier.questions_per_s_max = 5;
    settings.cashier.rate_burst_max = 1;
    let stage = Stage::open(dir.path(), witness(), settings).await;
    for n in 0..3 {
        stage.paid(&n.to_string()).await;
    }
    let compared = async |stage: &Stage| {
        let outside = &stage.telemetry.meters().outside;
        outside.orders_compared.get() >= 3
    };
    stage.until("all of them are compared", compared).await;
    let held = "tidegate_calls_held_total{service=\"tidegate\",effect=\"lookup\"} 0";
    assert!(
        !stage.telemetry.exposition().contains(held),
        "questions had to wait"
    );
    stage.stop().await;
}

#[tokio::test]
async fn a_provider_that_changes_its_mind_is_found_and_its_money_finds_an_answer() {
    let dir = directory();
    let strict = sandbox::Settings {
        decline_per_mille: sandbox::PerMille::ALL,
        ..witness()
    };
    let stage = Stage::open(dir.path(), strict, keen()).await;
    let order = stage.order("a").await;
    stage.pay(order, "pay").await;
    let failed = async |stage: &Stage| {
        let payment = stage.shown(order).await.payment;
        payment.is_some_and(|payment| payment.state == PaymentState::Failed)
    };
    stage.until("the charge fails", failed).await;
    let key = PaymentId { order, attempt: 1 };
    stage.liar.lies().insert(key, Some(ChargeOutcome::Captured));
    settled(&stage.handle, order, OrderState::Paid).await;
    let outside = &stage.telemetry.meters().outside;
    assert_eq!(outside.gaps(Gap::TakenDeclined).get(), 1);
    let closed = async |stage: &Stage| {
        stage.telemetry.meters().outside.repairs.get() == 1
            && stage.open_gaps(Gap::TakenDeclined) == 0
    };
    stage.until("the gap is closed", closed).await;
    stage.stop().await;
}

#[tokio::test]
async fn what_the_provider_denies_or_never_heard_of_is_an_alarm_that_ages_and_ends() {
    let dir = directory();
    let stage = Stage::open(dir.path(), witness(), keen()).await;
    let (denied, unknown) = (stage.paid("a").await, stage.paid("b").await);
    let key = |order| PaymentId { order, attempt: 1 };
    stage
        .liar
        .lies()
        .insert(key(denied), Some(ChargeOutcome::Declined));
    stage.liar.lies().insert(key(unknown), None);
    let seen = async |stage: &Stage| {
        let age = stage.telemetry.meters().outside.gap_age_s.get();
        stage.open_gaps(Gap::DoneDenied) == 1 && stage.open_gaps(Gap::DoneUnknown) == 1 && age >= 1
    };
    stage.until("both are seen and age", seen).await;
    let outside = &stage.telemetry.meters().outside;
    assert_eq!(outside.gaps(Gap::DoneDenied).get(), 1, "each is told once");
    assert_eq!(
        stage.shown(denied).await.state,
        OrderState::Paid,
        "nothing is guessed"
    );
    stage.liar.lies().clear();
    let gone = async |stage: &Stage| {
        let age = stage.telemetry.meters().outside.gap_age_s.get();
        stage.open_gaps(Gap::DoneDenied) + stage.open_gaps(Gap::DoneUnknown) + age == 0
    };
    stage.until("both are gone", gone).await;
    stage.stop().await;
}

#[tokio::test]
async fn a_row_of_the_read_models_that_is_wrong_is_found_and_mended_from_the_journal() {
    let dir = directory();
    let stage = Stage::open(dir.path(), witness(), keen()).await;
    let (order, other) = (stage.paid("a").await, stage.paid("b").await);
    let compared = |stage: &Stage| stage.telemetry.meters().outside.orders_compared.get() >= 1;
    stage
        .until("it is compared", async |stage| compared(stage))
        .await;
    assert_eq!(stage.open_gaps(Gap::Model), 0);
    let models = rusqlite::Connection::open(dir.path().join("models.sqlite")).expect("it is there");
    models.busy_timeout(Duration::from_secs(5)).expect("set");
    // One sum is wrong, and one order is gone with its events.
    let rows = "SELECT id, captured, (SELECT count(*) FROM order_events e WHERE e.id = o.id) FROM orders o ORDER BY id";
    let rows = |models: &rusqlite::Connection| {
        let mut asked = models.prepare(rows).expect("a question");
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let found = asked.query_map([], row).expect("rows");
        found
            .collect::<Result<Vec<(i64, i64, i64)>, _>>()
            .expect("rows")
    };
    let whole = rows(&models);
    assert_eq!(whole.len(), 2);
    let damage =
        "BEGIN; UPDATE orders SET captured = captured + 1 WHERE id = (SELECT min(id) FROM orders);
        DELETE FROM order_events WHERE id = (SELECT max(id) FROM orders);
        DELETE FROM orders WHERE id = (SELECT max(id) FROM orders); COMMIT;";
    models.execute_batch(damage).expect("it is writable");
    let outside = &stage.telemetry.meters().outside;
    let mended = async |stage: &Stage| {
        let outside = &stage.telemetry.meters().outside;
        outside.repairs.get() == 1 && stage.open_gaps(Gap::Model) == 0
    };
    stage.until("it is mended and says so", mended).await;
    assert_eq!(outside.gaps(Gap::Model).get(), 2, "each was an alarm first");
    assert_eq!(rows(&models), whole);
    // The projector follows on from there, and lists show what came after.
    let third = stage.paid("c").await;
    let listed = async |stage: &Stage| {
        let query = api::order::OrderQuery {
            sale_id: Some(stage.sale),
            ..api::order::OrderQuery::default()
        };
        let page = stage
            .handle
            .orders(call(merchant("shop"), "-"), query)
            .await;
        let orders = page.expect("a page").body.orders;
        let ids: Vec<OrderId> = orders.iter().map(|order| order.id).collect();
        [order, other, third].iter().all(|id| ids.contains(id)) && ids.len() == 3
    };
    stage.until("lists go on", listed).await;
    stage.stop().await;
}

/// Found by reading: a difference vanished once its order left the window, and a restart made the others young again.
#[tokio::test]
async fn a_difference_is_open_until_it_is_gone_and_a_restart_makes_it_no_younger() {
    let dir = directory();
    let mut settings = keen();
    settings.reconcile.window_ms = 2_000;
    let stage = Stage::open(dir.path(), witness(), settings.clone()).await;
    let orders = (stage.paid("a").await, stage.paid("b").await);
    let key = |order| PaymentId { order, attempt: 1 };
    for order in [orders.0, orders.1] {
        stage.liar.lies().insert(key(order), None);
    }
    let aged = |so_many, least_s| {
        async move |stage: &Stage| {
            let age = stage.telemetry.meters().outside.gap_age_s.get();
            stage.open_gaps(Gap::DoneUnknown) == so_many && age >= least_s
        }
    };
    stage
        .until("both are older than the window", aged(2, 4))
        .await;
    stage.liar.lies().remove(&key(orders.1));
    stage.until("one of them is gone", aged(1, 4)).await;
    stage.stop().await;
    // The provider of the next process has never heard of anything, and nobody asks about what is out of the window
    // but for the difference itself.
    let stage = Stage::open(dir.path(), witness(), settings).await;
    stage
        .until("the other one is as old as it was", aged(1, 5))
        .await;
    let found = stage.telemetry.meters().outside.gaps(Gap::DoneUnknown);
    assert_eq!(found.get(), 0, "it is told once");
    stage.stop().await;
}

/// A page with orders about which the provider answers so, and an order behind them that it denies.
async fn behind_orders_that_cannot_be_asked_about(
    dir: &Path,
    error: ProviderError,
) -> (Stage, OrderId) {
    let stage = Stage::open(dir, witness(), keen()).await;
    let stock = serde_json::from_str(r#"{"sku":"CUP","units":20}"#).expect("stock");
    let added = call(merchant("shop"), "stock");
    let added = stage.handle.add_stock(added, stage.sale, stock);
    added.await.expect("there is room");
    for n in 0..8 {
        let order = stage.paid(&n.to_string()).await;
        stage.liar.trouble(order, error.clone());
    }
    let denied = stage.paid("denied").await;
    let key = PaymentId {
        order: denied,
        attempt: 1,
    };
    stage.liar.lies().insert(key, Some(ChargeOutcome::Declined));
    let found = async |stage: &Stage| stage.open_gaps(Gap::DoneDenied) == 1;
    stage.until("what is behind them is compared", found).await;
    (stage, denied)
}

/// Found by reading: six of them in a page, and no run got past it for a day.
#[tokio::test]
async fn orders_of_which_the_provider_says_nonsense_are_told_and_keep_no_other_from_being_compared()
{
    let dir = directory();
    let nonsense = ProviderError::Nonsense("two captured intents".into());
    let (stage, denied) = behind_orders_that_cannot_be_asked_about(dir.path(), nonsense).await;
    let told = async |stage: &Stage| stage.open_gaps(Gap::Unasked) == 8;
    stage.until("they are told", told).await;
    stage.liar.troubles.lock().expect("no panic").clear();
    let gone = async |stage: &Stage| stage.open_gaps(Gap::Unasked) == 0;
    stage.until("they are asked about again", gone).await;
    assert_eq!(stage.shown(denied).await.state, OrderState::Paid);
    stage.stop().await;
}

#[tokio::test]
async fn orders_about_which_the_provider_is_silent_are_passed_by_the_next_run() {
    let dir = directory();
    let lost = ProviderError::Lost("it always hangs up here".into());
    let (stage, _) = behind_orders_that_cannot_be_asked_about(dir.path(), lost).await;
    assert_eq!(stage.open_gaps(Gap::Unasked), 0);
    stage.stop().await;
}

/// Found by reading: a provider was asked about, and alarmed for, money that it never had.
#[tokio::test]
async fn nobody_is_asked_about_refunds_of_what_was_paid_elsewhere() {
    let dir = directory();
    let stage = Stage::open(dir.path(), witness(), keen()).await;
    let mut till = one_cup(stage.sale);
    till.paid = serde_json::from_str(r#"{"reference":"till 4"}"#).expect("a payment");
    let placed = stage.handle.place(call(merchant("shop"), "till"), till);
    let order = placed.await.expect("there is one").body.id;
    let back = call(merchant("shop"), "back");
    let back = stage.handle.refund(back, order, refund_body()).await;
    assert_eq!(
        back.expect("it goes back").body.state,
        RefundState::Refunded
    );
    let asked_for = stage.paid("a").await;
    let back = call(merchant("shop"), "b");
    let back = stage.handle.refund(back, asked_for, refund_body()).await;
    back.expect("it goes back");
    let asked = async |stage: &Stage| stage.liar.asked().iter().any(|key| key.order == asked_for);
    stage
        .until("what it did give back is asked about", asked)
        .await;
    let others = stage
        .liar
        .asked()
        .into_iter()
        .filter(|key| key.order == order);
    assert_eq!(others.count(), 0);
    assert_eq!(
        stage
            .telemetry
            .meters()
            .outside
            .gaps(Gap::DoneUnknown)
            .get(),
        0
    );
    stage.stop().await;
}
