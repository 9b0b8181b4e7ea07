//! Places and breakers before the provider: what is held has not failed, and one sick kind of calls stays alone.

use std::sync::atomic::Ordering;
use std::time::Duration;

use commerce::OrderStatus;
use telemetry::PaymentOutcome;
use tidegate_shop::cashier::Settings;
use tidegate_shop::provider::sandbox;

use super::till::{Called, Till};
use super::{captured, minutes, unknown};

fn charges(till: &Till) -> usize {
    let calls = till.line.called().into_iter();
    calls
        .filter(|call| matches!(call, Called::Charge(_)))
        .count()
}

/// More than five failures in a row, open for thirty seconds, ten probes.
fn in_a_row() -> Settings {
    Settings {
        breaker_failures_max: 0,
        breaker_failures_in_a_row_max: 5,
        breaker_open_ms: 30_000,
        // One after the other, so that calls can be counted.
        workers: 1,
        ..Settings::default()
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_leaves_payments_waiting_and_fails_none() {
    let till = Till::open(in_a_row(), sandbox::Settings::default());
    till.line.cut.store(true, Ordering::SeqCst);
    let orders: Vec<u32> = (0..200).map(|n| till.books.buy(&n.to_string())).collect();
    till.pass(Duration::from_secs(20)).await;
    assert_eq!(charges(&till), 6, "the sixth failure in a row opened it");
    assert_eq!(till.books.count(unknown), 6, "nobody asked for the others");
    let line = "tidegate_breaker_state{service=\"tidegate\",effect=\"charge\"} 2";
    assert!(till.telemetry.exposition().contains(line));
    assert!(till.counter("tidegate_calls_held_total") >= 190);
    till.line.cut.store(false, Ordering::SeqCst);
    tokio::time::timeout(minutes(2), till.books.until_settled())
        .await
        .expect("it closes by itself");
    assert_eq!(till.books.count(captured), 200);
    let paid = |&order: &u32| till.books.status(order) == OrderStatus::Paid;
    assert!(orders.iter().all(paid));
    assert_eq!(till.line.ledger().charges().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_few_calls_and_every_breaker_is_tried_with_few_probes() {
    let till = Till::open(Settings::default(), sandbox::Settings::default());
    till.line.cut.store(true, Ordering::SeqCst);
    for n in 0..1_000 {
        till.books.buy(&n.to_string());
    }
    till.pass(minutes(10)).await;
    let calls = till.line.called().len();
    // 51 failures and what was under way then, of charges and of questions; then ten probes every ten seconds of each.
    assert!(calls < 2 * (51 + 64 + 60 * 10), "{calls}");
    assert_eq!(till.books.open_count(), 1_000);
    till.line.cut.store(false, Ordering::SeqCst);
    tokio::time::timeout(minutes(8), till.books.until_settled())
        .await
        .expect("everything is charged");
    assert_eq!(till.line.ledger().charges().len(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn refunds_that_hang_leave_charges_alone() {
    let few = Settings {
        workers: 8,
        bulkhead_calls_max: 4,
        ..Settings::default()
    };
    let till = Till::open(few, sandbox::Settings::default());
    let paid: Vec<u32> = (0..100).map(|n| till.books.buy(&n.to_string())).collect();
    till.books.until_settled().await;
    till.line.refunds_hang.store(true, Ordering::SeqCst);
    paid.iter().for_each(|&order| till.books.refund(order));
    till.pass(Duration::from_millis(100)).await;
    let late = till.books.buy("one more");
    till.pass(Duration::from_millis(1_500)).await;
    assert_eq!(till.books.status(late), OrderStatus::Paid);
    till.line.refunds_hang.store(false, Ordering::SeqCst);
    tokio::time::timeout(minutes(10), till.books.until_settled())
        .await
        .expect("every refund ends");
    assert_eq!(till.line.ledger().refunds().len(), 100);
}

/// Saleor marked payments as refunded before the provider had been asked: only its answer says that money went back.
#[tokio::test(start_paused = true)]
async fn a_refund_is_pending_until_the_provider_says_that_it_went_back() {
    let till = Till::open(Settings::default(), sandbox::Settings::default());
    let order = till.books.buy("a");
    till.books.until_settled().await;
    till.line.refunds_hang.store(true, Ordering::SeqCst);
    till.books.refund(order);
    till.pass(minutes(1)).await;
    let funds = till
        .books
        .read(|book| book.order(order).map(|order| order.funds()));
    let funds = funds.expect("it was placed");
    assert_eq!((funds.refunded().0, funds.held().0), (0, 1_250));
    till.line.refunds_hang.store(false, Ordering::SeqCst);
    till.books.until_settled().await;
    assert_eq!(till.books.status(order), OrderStatus::Refunded);
}

/// medusa#16292, medusa#16681: a retry minted a new key, and the provider refunded twice.
#[tokio::test(start_paused = true)]
async fn whatever_is_held_or_lost_an_effect_keeps_its_one_key() {
    let lossy = sandbox::Settings {
        lost_answer_per_mille: sandbox::PerMille::ALL,
        ..sandbox::Settings::default()
    };
    let till = Till::open(in_a_row(), lossy);
    let orders: Vec<u32> = (0..30).map(|n| till.books.buy(&n.to_string())).collect();
    till.books.until_settled().await;
    orders.iter().for_each(|&order| till.books.refund(order));
    till.books.until_settled().await;
    let refunds = till.line.ledger().refunds();
    assert_eq!(
        (refunds.len(), till.line.ledger().charges().len()),
        (30, 30)
    );
    assert!(refunds.iter().all(|refund| refund.request.key.number == 1));
}

#[tokio::test(start_paused = true)]
async fn payments_are_counted_by_what_became_of_them() {
    let script = sandbox::Settings {
        decline_per_mille: sandbox::PerMille::new(300).expect("a share"),
        ..sandbox::Settings::default()
    };
    let till = Till::open(Settings::default(), script);
    for n in 0..100 {
        till.books.buy(&n.to_string());
    }
    till.books.until_settled().await;
    let count = |till: &Till, outcome| {
        let meters = till.telemetry.meters();
        meters.outside.payments(outcome).get()
    };
    let taken = u64::try_from(till.books.count(captured)).expect("few");
    assert_eq!(count(&till, PaymentOutcome::Success), taken);
    assert_eq!(count(&till, PaymentOutcome::Declined), 100 - taken);
    assert!((1..100).contains(&taken), "{taken}");
    till.line.cut.store(true, Ordering::SeqCst);
    till.books.buy("nobody answers");
    till.pass(minutes(1)).await;
    assert_eq!(count(&till, PaymentOutcome::Failure), 1);
}

/// restate#5196: work that waited for a place which only its own end would free. One worker and one place have to be
/// enough for a step that asks, acts and asks again, and for callbacks that come meanwhile.
#[tokio::test(start_paused = true)]
async fn one_worker_and_one_place_never_wait_for_themselves() {
    let one = Settings {
        workers: 1,
        bulkhead_calls_max: 1,
        bulkhead_wait_ms: 0,
        ..Settings::default()
    };
    let busy = sandbox::Settings {
        pending_per_mille: sandbox::PerMille::ALL,
        callback_per_mille: sandbox::PerMille::ALL,
        duplicate_callback_per_mille: sandbox::PerMille::ALL,
        callback_delay_ms_max: 0,
        lost_answer_per_mille: sandbox::PerMille::new(500).expect("a share"),
        ..sandbox::Settings::default()
    };
    let mut till = Till::closed(one, busy);
    for n in 0..50 {
        till.books.buy(&n.to_string());
    }
    // Found in the book, so each is asked about first and then acted on, in one step.
    till.start();
    tokio::time::timeout(minutes(10), till.books.until_settled())
        .await
        .expect("nobody waits for ever");
    assert_eq!(till.books.count(captured), 50);
    assert_eq!(till.line.ledger().charges().len(), 50);
}

/// At no time more calls within a second than the rate and the burst.
fn most_in_a_second(till: &Till, which: impl Fn(&Called) -> bool) -> usize {
    let calls = till.line.calls().into_iter();
    let times: Vec<_> = calls
        .filter(|(_, call)| which(call))
        .map(|(at, _)| at)
        .collect();
    let within = |begin| {
        times
            .iter()
            .filter(move |at| (begin..begin + SECOND).contains(*at))
    };
    times
        .iter()
        .map(|begin| within(*begin).count())
        .max()
        .unwrap_or(0)
}

const SECOND: Duration = Duration::from_secs(1);

fn is_charge(call: &Called) -> bool {
    matches!(call, Called::Charge(_))
}

fn twenty_charges_a_second() -> Settings {
    Settings {
        charges_per_s_max: 20,
        rate_burst_max: 5,
        ..Settings::default()
    }
}

#[tokio::test(start_paused = true)]
async fn charges_above_the_providers_rate_wait_and_none_is_failed() {
    let till = Till::open(twenty_charges_a_second(), sandbox::Settings::default());
    let orders: Vec<u32> = (0..400).map(|n| till.books.buy(&n.to_string())).collect();
    till.pass(SECOND).await;
    assert!((5..=25).contains(&charges(&till)), "{}", charges(&till));
    assert!(till.counter("tidegate_calls_held_total") >= 375);
    // At the rate they need twenty seconds; what waits is scattered, so not every one of them is used.
    tokio::time::timeout(minutes(1), till.books.until_settled())
        .await
        .expect("the rate is made use of");
    assert_eq!(charges(&till), 400, "each was sent once");
    assert_eq!(till.books.count(unknown), 0, "nothing became unknown");
    assert_eq!(till.books.count(captured), 400);
    let paid = |&order: &u32| till.books.status(order) == OrderStatus::Paid;
    assert!(orders.iter().all(paid));
    let most = most_in_a_second(&till, is_charge);
    assert!((10..=25).contains(&most), "{most}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_turn_survives_a_kill_and_holds_nobody_else_up() {
    let mut till = Till::open(twenty_charges_a_second(), sandbox::Settings::default());
    let early = till.books.buy("early");
    till.books.until_settled().await;
    for n in 0..300 {
        till.books.buy(&n.to_string());
    }
    till.pass(SECOND).await;
    till.books.refund(early);
    till.pass(SECOND).await;
    assert_eq!(
        till.books.status(early),
        OrderStatus::Refunded,
        "refunds have a rate of their own"
    );
    till.kill().await;
    till.start();
    tokio::time::timeout(minutes(10), till.books.until_settled())
        .await
        .expect("all of them are found again");
    assert_eq!(till.line.ledger().charges().len(), 301);
    assert!(
        most_in_a_second(&till, is_charge) <= 2 * 25,
        "a new process begins with a burst"
    );
}
