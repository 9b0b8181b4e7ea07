//! Paid orders on their way: sagas with participants over HTTP, carriers, and what buyers are told.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::order::{OrderState, PlaceOrder};
use api::people::PersonData;
use api::sale::Turn;
use api::sending::{CarrierWord, DeadNotice, SagaQuery, SagaVerb, ShipOrder};
use api::service::{Caller, Orders, People, Sales, Sending};
use api::{Code, OrderId, SaleId};
use serde_json::Value as Json;
use storage::DataDir;
use telemetry::Telemetry;
use tidegate_shop::notices::{ChannelName, Locale, MailTls};
use tidegate_shop::people::{MasterSecret, Secret};
use tidegate_shop::provider::sandbox::{self, Sandbox};
use tidegate_shop::saga::{Choice, Hidden};
use tidegate_shop::{Handle, Parts, Settings, Shop};
use world::network::OsNetwork;
use world::{Clock, Disk, OsDisk, SystemClock, SystemEntropy, Tasks};

use crate::mailbox::{Mailbox, Manner};
use crate::outsider::{Answer, Outsider};
use crate::whole::{call, directory, merchant, selling};

pub(crate) async fn open(dir: &Path, settings: Settings) -> Shop {
    let (disk, clock): (Arc<dyn Disk>, Arc<dyn Clock>) =
        (Arc::new(OsDisk), Arc::new(SystemClock::new()));
    let tasks = Tasks::of_the_machine();
    let sandbox = sandbox::Settings::default();
    let parts = Parts {
        data: Arc::new(DataDir::open(&disk, dir, std::process::id()).expect("a directory")),
        provider: Arc::new(Sandbox::new(sandbox, Arc::clone(&clock), tasks.clone())),
        disk,
        clock,
        entropy: Arc::new(SystemEntropy),
        tasks,
        telemetry: Telemetry::new(),
        network: Arc::new(OsNetwork),
    };
    Shop::open(settings, parts).await.expect("it opens")
}

pub(crate) fn fulfilling(carrier: &Outsider) -> Settings {
    let mut settings = Settings::default();
    settings.fulfilment.kind = Some(Choice::Fulfilment);
    settings.fulfilment.carrier_url = Some(carrier.url.clone());
    settings.fulfilment.secret = Some(Hidden::new("0123456789abcdef0123456789abcdef"));
    settings
}

pub(crate) fn admin() -> Caller {
    merchant("shop")
}

/// An order that was paid at the till.
pub(crate) async fn paid(handle: &Handle, sale: SaleId, cups: u32, key: &str) -> OrderId {
    let body = format!(
        r#"{{"sale_id":"{sale}","buyer":"ann","paid":{{"reference":"till"}},
            "lines":[{{"sku":"CUP","quantity":{cups}}}]}}"#
    );
    let body: PlaceOrder = serde_json::from_str(&body).expect("an order");
    let placed = handle.place(call(admin(), key), body).await;
    placed.expect("it is placed").body.id
}

/// Waits until the saga of an order is in this stage; how long that took.
async fn saga_is(handle: &Handle, order: OrderId, stage: &str) -> Duration {
    let begun = SystemClock::new();
    let wait = async {
        loop {
            let saga = Sending::saga(handle, call(admin(), "-"), order).await;
            if saga.is_ok_and(|saga| &*saga.body.stage == stage) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
    waited.unwrap_or_else(|_| panic!("no saga of {order} is {stage}"));
    begun.monotonic()
}

async fn order_is(handle: &Handle, order: OrderId) -> OrderState {
    let found = Orders::order(handle, call(admin(), "-"), order).await;
    found.expect("the order is there").body.state
}

/// D34: messages may come twice, the coordinator keeps one state for each step, and the order moves once.
#[tokio::test]
async fn a_paid_order_is_booked_once_and_its_key_is_the_step_s() {
    let carrier = Outsider::new(|_, _| Answer::Done);
    let dir = directory();
    let shop = open(dir.path(), fulfilling(&carrier)).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = paid(&handle, sale, 1, "a").await;
    saga_is(&handle, order, "done").await;
    let keys: Vec<String> = carrier.done().into_keys().collect();
    assert_eq!(keys, [format!("sag_{}_0_1", sale.get())]);
    assert_eq!(carrier.requests().len(), 1);
    let late = handle
        .order_saga(call(admin(), "late"), order, SagaVerb::Compensate)
        .await;
    assert_eq!(late.expect_err("it is over").code(), Code::SagaState);
    shop.stop().await;
}

/// B34: a participant that is cut off for two seconds, with an answer lost before, is booked once, and the saga comes to
/// its end. How long that takes is printed; figures are in docs/perf.
#[tokio::test]
async fn a_partitioned_carrier_is_booked_once_and_the_saga_converges() {
    let first = SystemClock::new();
    let carrier = Outsider::new(move |_, before| match before {
        0 => Answer::Lost,
        _ if first.monotonic() < Duration::from_secs(2) => Answer::Silent,
        _ => Answer::Done,
    });
    let dir = directory();
    let shop = open(dir.path(), fulfilling(&carrier)).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = paid(&handle, sale, 1, "a").await;
    let took = saga_is(&handle, order, "done").await;
    println!("converged after {took:?} with a participant cut off for two seconds");
    assert_eq!(carrier.done().into_values().collect::<Vec<_>>(), [1]);
    let asked = carrier.requests();
    assert_eq!(
        asked[1]["op"], "forward_status",
        "it is asked before it is told again"
    );
    shop.stop().await;
}

#[tokio::test]
async fn a_carrier_that_refuses_takes_the_order_back_with_its_money() {
    let carrier = Outsider::new(|_, _| Answer::Refused);
    let dir = directory();
    let shop = open(dir.path(), fulfilling(&carrier)).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = paid(&handle, sale, 2, "a").await;
    saga_is(&handle, order, "compensated").await;
    let found = Orders::order(&*handle, call(admin(), "-"), order)
        .await
        .expect("it is there");
    assert_eq!(found.body.state, OrderState::Cancelled);
    assert_eq!(
        found
            .body
            .refunds
            .iter()
            .map(|refund| refund.amount_minor)
            .sum::<i64>(),
        2_500
    );
    shop.stop().await;
}

/// A 409 is said while the first request is under way, and a 400 by who does not know the question: neither is a refusal,
/// and nothing is taken back that is perhaps on its way.
#[tokio::test]
async fn a_participant_that_is_busy_or_does_not_understand_has_refused_nothing() {
    let carrier = Outsider::new(|request, before| match (before, request["op"].as_str()) {
        (0, _) => Answer::Lost,
        (1, Some("forward_status")) => Answer::Busy,
        (2, Some("forward_status")) => Answer::Unclear,
        _ => Answer::Done,
    });
    let dir = directory();
    let shop = open(dir.path(), fulfilling(&carrier)).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = paid(&handle, sale, 1, "a").await;
    saga_is(&handle, order, "done").await;
    assert_eq!(order_is(&handle, order).await, OrderState::Paid);
    assert!(carrier.requests().len() > 3, "it was asked again");
    assert_eq!(carrier.done().into_values().collect::<Vec<_>>(), [1]);
    shop.stop().await;
}

/// What was under way when the process ended is asked about after the next start, under the same key.
#[tokio::test]
async fn a_shop_that_stops_in_the_middle_of_a_call_goes_on_where_it_was() {
    let carrier = Outsider::new(|_, before| match before {
        0 => Answer::Lost,
        _ => Answer::Done,
    });
    let dir = directory();
    let shop = open(dir.path(), fulfilling(&carrier)).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = paid(&handle, sale, 1, "a").await;
    while carrier.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(handle);
    shop.stop().await;
    let shop = open(dir.path(), fulfilling(&carrier)).await;
    saga_is(&shop.handle(), order, "done").await;
    assert_eq!(carrier.done().len(), 1);
    assert_eq!(carrier.requests()[1]["op"], "forward_status");
    shop.stop().await;
}

fn word(order: OrderId, event: &str, code: &str) -> CarrierWord {
    CarrierWord {
        event: event.into(),
        order_id: order,
        code: code.into(),
    }
}

/// E10, E20: words that come twice, too early, or that nobody knows.
#[tokio::test]
async fn a_carrier_s_words_move_an_order_once_in_any_order_and_unknown_ones_wait() {
    let dir = directory();
    let shop = open(dir.path(), Settings::default()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let (one, other) = (
        paid(&handle, sale, 1, "a").await,
        paid(&handle, sale, 1, "b").await,
    );
    let hear = |carrier: &'static str, word| {
        let handle = handle.clone();
        async move { Sending::carrier(&*handle, call(admin(), "-"), carrier.into(), word).await }
    };
    let unknown = hear("sf", word(one, "e0", "SF999")).await;
    assert_eq!(
        unknown.expect_err("nobody guesses").code(),
        Code::CarrierCode
    );
    assert_eq!(order_is(&handle, one).await, OrderState::Paid);
    for event in ["e1", "e1", "e2"] {
        hear("sf", word(one, event, "SF001"))
            .await
            .expect("it is taken");
    }
    assert_eq!(order_is(&handle, one).await, OrderState::Shipped);
    hear("zto", word(other, "e3", "ZTO200"))
        .await
        .expect("it arrived, so it left");
    hear("sf", word(other, "e4", "SF001"))
        .await
        .expect("a late word changes nothing");
    assert_eq!(order_is(&handle, other).await, OrderState::Delivered);
    shop.stop().await;
}

/// E20: a carrier gives up before somebody has asked what its code means. What it said is in the journal.
#[tokio::test]
async fn a_word_that_nobody_knew_is_kept_once_and_heard_when_the_table_has_it() {
    let dir = directory();
    let shop = open(dir.path(), Settings::default()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = paid(&handle, sale, 1, "a").await;
    for event in ["e0", "e0", "e1"] {
        let word = word(order, event, "SF999");
        let said = Sending::carrier(&*handle, call(admin(), "-"), "sf".into(), word).await;
        assert_eq!(said.expect_err("nobody guesses").code(), Code::CarrierCode);
    }
    let kept = handle.registry().house().book().unmatched();
    assert_eq!(kept, 1, "each word is kept once");
    drop(handle);
    shop.stop().await;
    // A start whose table does not have it either leaves it where it is.
    let shop = open(dir.path(), Settings::default()).await;
    assert_eq!(order_is(&shop.handle(), order).await, OrderState::Paid);
    shop.stop().await;
    let mut settings = Settings::default();
    settings.delivery.codes.push("sf SF999 delivered".into());
    let shop = open(dir.path(), settings).await;
    let handle = shop.handle();
    let arrives = async {
        while order_is(&handle, order).await != OrderState::Delivered {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), arrives).await;
    waited.expect("the carrier says nothing any more");
    assert_eq!(handle.registry().house().book().unmatched(), 1);
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn a_part_leaves_and_the_rest_is_back_on_sale_with_its_money_returned() {
    let dir = directory();
    let shop = open(dir.path(), Settings::default()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = paid(&handle, sale, 3, "a").await;
    let body: ShipOrder =
        serde_json::from_str(r#"{"lines":[{"line":0,"quantity":2}]}"#).expect("a body");
    let shipped = handle
        .ship(call(admin(), "ship"), order, body)
        .await
        .expect("a part leaves");
    assert_eq!(shipped.body.state, OrderState::Shipped);
    assert_eq!(shipped.body.refunds[0].amount_minor, 1_250);
    shop.stop().await;
}

pub(crate) fn telling(dir: &Path) -> Settings {
    let mut settings = Settings::default();
    settings.notices.channel = Some(ChannelName::File);
    settings.notices.locale = Locale::Zh;
    settings.notices.file = Some(dir.join("told.jsonl"));
    settings
}

fn told(dir: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(dir.join("told.jsonl")).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line"))
        .collect()
}

pub(crate) async fn told_of(dir: &Path, events: usize) -> Vec<Json> {
    let wait = async {
        while told(dir).len() < events {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
    waited.unwrap_or_else(|_| panic!("{:?}", told(dir)));
    told(dir)
}

/// E11, E22: what a buyer is told follows from the journal, once for each event, also over a restart.
#[tokio::test]
async fn a_buyer_is_told_each_event_once_in_its_language() {
    let dir = directory();
    let shop = open(dir.path(), telling(dir.path())).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = paid(&handle, sale, 1, "a").await;
    told_of(dir.path(), 1).await;
    drop(handle);
    shop.stop().await;
    let shop = open(dir.path(), telling(dir.path())).await;
    let handle = shop.handle();
    handle
        .ship(call(admin(), "s"), order, ShipOrder::default())
        .await
        .expect("it leaves");
    let told = told_of(dir.path(), 2).await;
    let events: Vec<&str> = told
        .iter()
        .filter_map(|line| line["event"].as_str())
        .collect();
    assert_eq!(events, ["paid", "shipped"]);
    assert!(
        told[0]["subject"]
            .as_str()
            .is_some_and(|subject| subject.contains("支付成功"))
    );
    assert_eq!(told[1]["order_id"], order.to_string());
    let keys: BTreeSet<&str> = told
        .iter()
        .filter_map(|line| line["key"].as_str())
        .collect();
    assert_eq!(keys.len(), 2);
    shop.stop().await;
}

/// An older file of letters may come back: then letters come again, under the same keys.
#[tokio::test]
async fn letters_that_are_delivered_again_have_the_keys_that_they_had() {
    let dir = directory();
    let kept = dir.path().join("notices.json");
    let shop = open(dir.path(), telling(dir.path())).await;
    let older = std::fs::read(&kept).expect("where it begins is kept before anything happens");
    let handle = shop.handle();
    let sale = selling(&handle).await;
    paid(&handle, sale, 1, "a").await;
    told_of(dir.path(), 1).await;
    drop(handle);
    shop.stop().await;
    std::fs::write(&kept, older).expect("it is put back");
    let shop = open(dir.path(), telling(dir.path())).await;
    let told = told_of(dir.path(), 2).await;
    assert_eq!(told[0]["key"], told[1]["key"]);
    shop.stop().await;
}

/// A shop that has sold for years does not write to each of its buyers on the day on which it begins to tell.
#[tokio::test]
async fn switching_notices_on_tells_nobody_of_the_past() {
    let dir = directory();
    let shop = open(dir.path(), Settings::default()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    paid(&handle, sale, 1, "before").await;
    drop(handle);
    shop.stop().await;
    let shop = open(dir.path(), telling(dir.path())).await;
    let handle = shop.handle();
    let after = paid(&handle, sale, 1, "after").await;
    let later = second_sale(&handle).await;
    let new = paid(&handle, later, 1, "new").await;
    told_of(dir.path(), 2).await;
    drop(handle);
    shop.stop().await;
    // Neither does the next start.
    open(dir.path(), telling(dir.path())).await.stop().await;
    let told = told(dir.path());
    let orders: BTreeSet<String> = told
        .iter()
        .map(|line| line["order_id"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(orders, BTreeSet::from([after.to_string(), new.to_string()]));
}

/// A second sale, begun while notices are on.
async fn second_sale(handle: &Handle) -> SaleId {
    let body =
        r#"{"name":"More","currency":"EUR","skus":[{"sku":"CUP","price":"12.50","stock":3}]}"#;
    let body = serde_json::from_str(body).expect("a sale");
    let made = Sales::create(handle, call(admin(), "second"), body).await;
    let sale = made.expect("a sale").body.id;
    let opened = handle.turn(call(admin(), "second open"), sale, Turn::Open);
    opened.await.expect("it opens");
    sale
}

/// The first letter that was given up.
pub(crate) async fn first_dead(handle: &Handle) -> DeadNotice {
    let wait = async {
        loop {
            let dead = handle.dead_notices(call(admin(), "-")).await;
            let dead = dead.expect("a list").body.notices;
            if let Some(first) = dead.into_iter().next() {
                return first;
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
    waited.expect("one is dead")
}

#[tokio::test]
async fn a_notice_that_nobody_takes_is_shown_as_dead_and_tried_again_when_somebody_says_so() {
    let receiver = Outsider::new(|_, before| match before {
        0 => Answer::Refused,
        _ => Answer::Done,
    });
    let dir = directory();
    let mut settings = Settings::default();
    settings.notices.channel = Some(ChannelName::Webhook);
    settings.notices.webhook_url = Some(receiver.url.clone());
    settings.notices.webhook_secret = Some(Hidden::new("0123456789abcdef0123456789abcdef"));
    let shop = open(dir.path(), settings).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = paid(&handle, sale, 1, "a").await;
    let dead = first_dead(&handle).await;
    assert_eq!(
        (dead.order_id, &*dead.event, dead.attempts),
        (order, "paid", 1)
    );
    let others = handle
        .dead_notices(call(merchant("other"), "-"))
        .await
        .expect("a list");
    assert_eq!(others.body.notices, []);
    let again = handle
        .retry_notices(call(admin(), "again"))
        .await
        .expect("it is tried");
    assert_eq!(again.body.notices, 1);
    while receiver.requests().len() < 2 {
        tokio::task::yield_now().await;
    }
    let requests = receiver.requests();
    assert_eq!(requests[0]["key"], requests[1]["key"]);
    shop.stop().await;
}

/// A participant that is down is tried a bounded number of times, and an operator settles what is left.
#[tokio::test]
async fn open_sagas_are_listed_by_sale_and_none_of_another_account() {
    let carrier = Outsider::new(|_, _| Answer::Down);
    let dir = directory();
    let shop = open(dir.path(), fulfilling(&carrier)).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let order = paid(&handle, sale, 1, "a").await;
    let query = |stage: Option<&str>| SagaQuery {
        sale_id: sale,
        stage: stage.map(Into::into),
    };
    while carrier.requests().len() < 3 {
        tokio::task::yield_now().await;
    }
    let page = handle
        .sagas(call(admin(), "-"), query(None))
        .await
        .expect("a list")
        .body;
    assert_eq!(
        page.sagas
            .iter()
            .map(|saga| saga.order_id)
            .collect::<Vec<_>>(),
        [order]
    );
    let other = handle
        .sagas(call(merchant("other"), "-"), query(None))
        .await;
    assert_eq!(other.expect_err("not theirs").code(), Code::SaleNotFound);
    let wrong = handle.sagas(call(admin(), "-"), query(Some("lost"))).await;
    assert_eq!(wrong.expect_err("no stage").code(), Code::InvalidFields);
    let back = handle
        .order_saga(call(admin(), "back"), order, SagaVerb::Compensate)
        .await;
    back.expect("the pivot is not done");
    shop.stop().await;
}

/// A shop that tells by file, has a mail server, and a vault to ask.
fn posting(dir: &Path, mailbox: &Mailbox) -> Settings {
    let mut settings = telling(dir);
    settings.notices.mail_host = Some("127.0.0.1".into());
    settings.notices.mail_port = mailbox.port;
    settings.notices.mail_tls = MailTls::Off;
    settings.notices.mail_from = Some("Shop <shop@example.org>".into());
    settings.vault.secrets = vec![MasterSecret {
        id: "m1".into(),
        secret: Secret::new("a master secret of more than 32 bytes"),
    }];
    settings
}

/// Ann reads mail, in English.
async fn ann_reads_mail(handle: &Handle) {
    let ann = r#"{"email":"ann@example.org","locale":"en-GB","channel":"email"}"#;
    let ann: PersonData = serde_json::from_str(ann).expect("a person");
    let put = People::put(handle, call(admin(), "ann"), "ann".into(), ann);
    put.await.expect("she is kept");
}

#[tokio::test]
async fn a_mail_goes_to_the_buyer_s_address_with_its_key_as_its_id() {
    let mailbox = Mailbox::new(Manner::Takes);
    let dir = directory();
    let shop = open(dir.path(), posting(dir.path(), &mailbox)).await;
    let handle = shop.handle();
    ann_reads_mail(&handle).await;
    let sale = selling(&handle).await;
    let order = paid(&handle, sale, 1, "a").await;
    let taken = tokio::task::spawn_blocking(move || mailbox.next());
    let mail = taken.await.expect("no panic");
    assert!(mail.contains("RCPT TO:<ann@example.org>"), "{mail}");
    assert!(mail.contains("Message-ID: <ntc_"), "{mail}");
    assert!(
        mail.contains(&format!("Subject: Order {order} is paid")),
        "{mail}"
    );
    assert!(!mail.contains("AUTH"), "no login was asked for: {mail}");
    assert_eq!(told(dir.path()).len(), 0, "she did not want it twice");
    shop.stop().await;
}

/// A server's answer repeats the address, and what is kept of it is reached by no erasure.
#[tokio::test]
async fn of_a_mail_server_s_answer_only_its_code_is_kept() {
    let mailbox = Mailbox::new(Manner::Refuses);
    let dir = directory();
    let shop = open(dir.path(), posting(dir.path(), &mailbox)).await;
    let handle = shop.handle();
    ann_reads_mail(&handle).await;
    let sale = selling(&handle).await;
    paid(&handle, sale, 1, "a").await;
    let dead = first_dead(&handle).await;
    assert_eq!(&*dead.reason, "the mail server said 550");
    shop.stop().await;
    let kept = std::fs::read_to_string(dir.path().join("notices.json")).expect("it is kept");
    assert!(
        kept.contains("550") && !kept.contains("example.org"),
        "{kept}"
    );
}
