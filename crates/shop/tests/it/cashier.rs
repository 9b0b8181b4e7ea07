//! The cashier: every intent ends once, whatever the provider, the desk and the cashier itself go through.

mod crowds;
mod guard;
mod habits;
mod outside;

mod till;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::provider::{ChargeOutcome, ChargeRequest};
use api::{OrderId, PaymentId, SaleId};
use commerce::{Entry, OrderStatus};
use tidegate_shop::cashier::Settings;
use tidegate_shop::provider::Provider;
use tidegate_shop::provider::sandbox::{self, PerMille};

use till::{Called, Till};

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

fn captured(entry: &Entry) -> bool {
    matches!(entry, Entry::Captured { .. })
}

fn unknown(entry: &Entry) -> bool {
    matches!(entry, Entry::ChargeUnknown { .. })
}

#[tokio::test(start_paused = true)]
async fn a_charge_is_captured_and_its_refund_goes_back_once() {
    let till = Till::open(Settings::default(), sandbox::Settings::default());
    let order = till.books.buy("a");
    till.books.until_settled().await;
    assert_eq!(till.books.status(order), OrderStatus::Paid);
    till.books.refund(order);
    till.books.until_settled().await;
    assert_eq!(till.books.status(order), OrderStatus::Refunded);
    assert_eq!(till.line.called().len(), 2, "{:?}", till.line.called());
}

/// The moments of an effect are the book's, which is ahead of a wall clock that was set back: charges waited until the
/// wall clock had come to where it was, and holds ran out meanwhile.
#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_was_set_back_keeps_no_charge_waiting() {
    let till = Till::open(Settings::default(), sandbox::Settings::default());
    till.set_clock(-10);
    let order = till.books.buy("a");
    till.pass(Duration::from_secs(1)).await;
    assert_eq!(till.books.status(order), OrderStatus::Paid);
}

/// Found by a life (seed 1440): where books are searched often, a refused refund was left to a search that goes by the
/// wall clock, and waited for all the time by which that had been set back.
#[tokio::test(start_paused = true)]
async fn a_refused_refund_does_not_wait_for_a_wall_clock_that_was_set_back() {
    let often = Settings {
        reconcile_every_ms: 20_000,
        ..Settings::default()
    };
    let till = Till::open(often, sandbox::Settings::default());
    till.line.cut.store(true, Ordering::SeqCst);
    till.line.refund_declines.store(1, Ordering::SeqCst);
    let order = till.books.buy("a");
    till.books.cancel(order);
    till.line.cut.store(false, Ordering::SeqCst);
    let refused = |entry: &Entry| matches!(entry, Entry::RefundFailed { .. });
    till.books
        .until("it is refused", |books| books.count(refused) == 1)
        .await;
    till.set_clock(-10);
    tokio::time::timeout(minutes(5), till.books.until_settled())
        .await
        .expect("it goes by the book's time");
    assert_eq!(till.line.ledger().refunds().len(), 1);
}

/// A refund that was refused several times waits longer than the cashier keeps anything in hand, and is left to a search
/// of the books: that goes by the book's time, whichever way somebody sets the wall clock meanwhile.
#[tokio::test(start_paused = true)]
async fn a_long_wait_of_a_refused_refund_is_as_long_whatever_the_wall_clock_says() {
    let mut ends = Vec::new();
    for set_minutes in [0, -600, 600] {
        let till = Till::open(Settings::default(), sandbox::Settings::default());
        till.line.cut.store(true, Ordering::SeqCst);
        till.line.refund_declines.store(5, Ordering::SeqCst);
        let order = till.books.buy("a");
        till.books.cancel(order);
        till.line.cut.store(false, Ordering::SeqCst);
        let refused = |entry: &Entry| matches!(entry, Entry::RefundFailed { .. });
        till.books
            .until("it is refused five times", |books| {
                books.count(refused) == 5
            })
            .await;
        let refused_at = tokio::time::Instant::now();
        till.set_clock(set_minutes);
        till.books.until_settled().await;
        assert_eq!(till.line.ledger().refunds().len(), 1);
        ends.push(refused_at.elapsed());
    }
    let long = ends[0];
    assert!(long > minutes(10), "{long:?} is no long wait");
    for (set, took) in [("back", ends[1]), ("forward", ends[2])] {
        // Searches are five minutes apart, and when they begin is no matter of the wall clock either.
        assert!(
            took.abs_diff(long) <= minutes(5),
            "{set}: {took:?}, not {long:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_about_and_the_buyer_is_charged_once() {
    let lossy = sandbox::Settings {
        lost_answer_per_mille: PerMille::ALL,
        ..sandbox::Settings::default()
    };
    let till = Till::open(Settings::default(), lossy);
    let order = till.books.buy("a");
    till.books.until_settled().await;
    assert_eq!(till.books.status(order), OrderStatus::Paid);
    assert!(
        matches!(till.line.called()[..], [Called::Charge(a), Called::AskedCharge(b)] if a == b)
    );
    assert_eq!(till.line.ledger().charges().len(), 1);
    assert_eq!(
        (till.books.count(unknown), till.books.count(captured)),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn callbacks_that_come_twice_and_out_of_order_change_nothing_twice() {
    let late = sandbox::Settings {
        pending_per_mille: PerMille::ALL,
        callback_per_mille: PerMille::ALL,
        duplicate_callback_per_mille: PerMille::ALL,
        callback_delay_ms_max: 5_000,
        ..sandbox::Settings::default()
    };
    let till = Till::open(Settings::default(), late);
    let orders: Vec<u32> = (0..50).map(|n| till.books.buy(&n.to_string())).collect();
    till.books.until_settled().await;
    till.pass(minutes(10)).await;
    assert!(
        orders
            .iter()
            .all(|&order| till.books.status(order) == OrderStatus::Paid)
    );
    assert_eq!(till.books.count(captured), 50);
    assert_eq!(till.line.ledger().charges().len(), 50);
    let acts = till
        .line
        .called()
        .into_iter()
        .filter(|call| matches!(call, Called::Charge(_)));
    assert_eq!(acts.count(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_declined_charge_fails_and_the_next_attempt_has_a_key_of_its_own() {
    let strict = sandbox::Settings {
        decline_per_mille: PerMille::ALL,
        ..sandbox::Settings::default()
    };
    let till = Till::open(Settings::default(), strict);
    let order = till.books.buy("a");
    till.books.until_settled().await;
    assert_eq!(till.books.status(order), OrderStatus::Held);
    till.books.pay(order, "again");
    till.books.until_settled().await;
    let charges = till.line.ledger().charges();
    assert!(
        charges
            .iter()
            .all(|charge| charge.outcome == ChargeOutcome::Declined)
    );
    assert_eq!(charges.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_was_down_drains_everything_after_it_is_back() {
    let till = Till::open(Settings::default(), sandbox::Settings::default());
    till.line.cut.store(true, Ordering::SeqCst);
    for n in 0..500 {
        till.books.buy(&n.to_string());
    }
    till.pass(Duration::from_secs(100)).await;
    assert_eq!(till.books.open_count(), 500);
    let told = till.books.count(unknown);
    assert!(
        (51..250).contains(&told),
        "only what was asked for is unknown, each told once: {told}"
    );
    till.line.cut.store(false, Ordering::SeqCst);
    till.books.buy("the first that gets through");
    let drained = till.books.until_settled();
    tokio::time::timeout(Duration::from_secs(30), drained)
        .await
        .expect("it heals once the breaker tries again");
    assert_eq!(till.books.count(captured), 501);
    assert_eq!(till.line.ledger().charges().len(), 501);
}

#[tokio::test(start_paused = true)]
async fn without_any_fresh_payment_the_reconciler_drains_a_provider_that_is_back() {
    let till = Till::open(Settings::default(), sandbox::Settings::default());
    till.line.cut.store(true, Ordering::SeqCst);
    for n in 0..500 {
        till.books.buy(&n.to_string());
    }
    till.pass(Duration::from_secs(100)).await;
    till.line.cut.store(false, Ordering::SeqCst);
    tokio::time::timeout(minutes(7), till.books.until_settled())
        .await
        .expect("one search does it");
    assert_eq!(till.line.ledger().charges().len(), 501 - 1);
    assert_eq!(
        till.counter("reconcile_gap_count_total"),
        0,
        "the provider had never heard of them"
    );
}

// dtm#306: a compensation was retried eighty times a second.
#[tokio::test(start_paused = true)]
async fn retries_stay_within_their_budget_however_long_the_provider_is_down() {
    let settings = Settings {
        retry_floor_per_s: 1,
        retry_burst_max: 20,
        // The budget has to hold without any help.
        breaker_failures_max: 0,
        ..Settings::default()
    };
    let till = Till::open(settings, sandbox::Settings::default());
    till.line.cut.store(true, Ordering::SeqCst);
    let begun = tokio::time::Instant::now();
    for n in 0..1_000 {
        till.books.buy(&n.to_string());
    }
    till.pass(minutes(30)).await;
    let mut by_key = BTreeMap::<String, Vec<Duration>>::new();
    let mut retries = Vec::new();
    for (at, called) in till.line.calls() {
        let times = by_key
            .entry(format!("{called:?}").replace("Asked", ""))
            .or_default();
        if !times.is_empty() {
            retries.push(at - begun);
        }
        times.push(at - begun);
    }
    assert_eq!(by_key.len(), 1_000);
    assert!(
        retries.len() > 1_000,
        "it goes on trying: {}",
        retries.len()
    );
    for (n, at) in retries.iter().enumerate() {
        let allowed = 20.0 + 100.0 + at.as_secs_f64();
        assert!((n as f64) <= allowed, "{n} retries after {at:?}");
    }
    let half_a_second = Duration::from_millis(500);
    for times in by_key.values() {
        assert!(
            times.windows(2).all(|two| two[1] - two[0] >= half_a_second),
            "{times:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_the_answer_and_its_report_is_asked_about_and_told_once() {
    let mut till = Till::open(Settings::default(), sandbox::Settings::default());
    till.books.busy.store(u32::MAX, Ordering::SeqCst);
    let order = till.books.buy("a");
    till.pass(Duration::from_secs(1)).await;
    assert_eq!(till.line.ledger().charges().len(), 1, "the money was taken");
    till.kill().await;
    till.books.busy.store(0, Ordering::SeqCst);
    assert_eq!(till.books.open_count(), 1, "and nobody knows");
    till.start();
    till.books.until_settled().await;
    assert_eq!(till.books.status(order), OrderStatus::Paid);
    assert!(
        matches!(till.line.called()[..], [Called::Charge(a), Called::AskedCharge(b)] if a == b)
    );
    assert_eq!(till.books.count(captured), 1);
}

#[tokio::test(start_paused = true)]
async fn an_intent_that_nobody_acted_on_before_the_crash_is_acted_on_after_it() {
    let mut till = Till::closed(Settings::default(), sandbox::Settings::default());
    for n in 0..300 {
        till.books.buy(&n.to_string());
    }
    till.start();
    till.books.until_settled().await;
    assert_eq!(till.books.count(captured), 300);
    let called = till.line.called();
    assert_eq!(
        called.len(),
        600,
        "each is asked about once and charged once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_report_comes_again_until_the_desk_takes_it_and_the_provider_is_not_asked_again() {
    let till = Till::open(Settings::default(), sandbox::Settings::default());
    till.books.busy.store(100, Ordering::SeqCst);
    let order = till.books.buy("a");
    till.books.until_settled().await;
    assert_eq!(till.books.status(order), OrderStatus::Paid);
    assert_eq!(till.line.called().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_loses_nothing() {
    let narrow = Settings {
        queue_effects_max: 4,
        workers: 2,
        ..Settings::default()
    };
    let till = Till::open(narrow, sandbox::Settings::default());
    for n in 0..200 {
        till.books.buy(&n.to_string());
    }
    assert!(
        till.counter("cancel_ch_drop_total") >= 190,
        "the loss is counted"
    );
    till.books.until_settled().await;
    assert_eq!(till.books.count(captured), 200);
    assert_eq!(till.line.ledger().charges().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_never_comes_is_made_good_by_the_reconciler_and_counted() {
    let slow_bank = sandbox::Settings {
        pending_per_mille: PerMille::ALL,
        pending_ms_max: 250_000,
        ..sandbox::Settings::default()
    };
    let mut till = Till::closed(Settings::default(), slow_bank);
    till.line.deaf.store(true, Ordering::SeqCst);
    till.start();
    for n in 0..20 {
        till.books.buy(&n.to_string());
    }
    tokio::time::timeout(minutes(6), till.books.until_settled())
        .await
        .expect("it is found");
    assert_eq!(till.books.count(captured), 20);
    assert!(till.counter("reconcile_gap_count_total") >= 15);
    assert_eq!(till.counter("cancel_ch_drop_total"), 0);
}

#[tokio::test(start_paused = true)]
async fn money_that_came_too_late_goes_back_by_itself_and_a_refusal_is_tried_again_later() {
    let till = Till::open(Settings::default(), sandbox::Settings::default());
    till.line.cut.store(true, Ordering::SeqCst);
    till.line.refund_declines.store(1, Ordering::SeqCst);
    let order = till.books.buy("a");
    till.books.cancel(order);
    till.line.cut.store(false, Ordering::SeqCst);
    till.books.until_settled().await;
    let refunds: Vec<_> = till
        .line
        .calls()
        .into_iter()
        .filter_map(|(at, called)| match called {
            Called::Refund(key) => Some((at, key)),
            _ => None,
        })
        .collect();
    let [(first_at, first), (second_at, second)] = refunds[..] else {
        panic!("{refunds:?}");
    };
    assert_eq!(
        (first.number, second.number),
        (1, 2),
        "the refused key is not used again"
    );
    assert!(
        second_at - first_at >= minutes(1),
        "{:?}",
        second_at - first_at
    );
    assert_eq!(till.line.ledger().refunds().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_calls_end_and_leaves_the_rest_to_the_next_start() {
    let slow = sandbox::Settings {
        slow_per_mille: PerMille::ALL,
        slow_ms: 1_000,
        ..sandbox::Settings::default()
    };
    let few = Settings {
        workers: 3,
        ..Settings::default()
    };
    let mut till = Till::open(few, slow);
    for n in 0..10 {
        till.books.buy(&n.to_string());
    }
    till.pass(Duration::from_millis(500)).await;
    till.stop().await;
    assert_eq!(
        (till.books.count(captured), till.books.open_count()),
        (3, 7)
    );
    till.start();
    till.books.until_settled().await;
    assert_eq!(till.line.ledger().charges().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_bad_day_of_the_provider_ends_with_equal_books() {
    let mut till = Till::open(Settings::default(), sandbox::Settings::lively(11));
    for round in 0..20 {
        for n in 0..100 {
            let order = till.books.buy(&format!("{round} {n}"));
            if n % 10 == 0 {
                till.books.cancel(order);
            }
        }
        till.pass(Duration::from_millis(700)).await;
        if round % 7 == 6 {
            till.kill().await;
            till.start();
        }
        till.line.cut.store(round % 4 == 1, Ordering::SeqCst);
    }
    till.books.until_settled().await;
    let captured: i64 = till.books.read(|book| {
        book.orders()
            .map(|order| order.funds().captured().0 - order.funds().refunded().0)
            .sum()
    });
    let charges = till.line.ledger().charges();
    let taken: i64 = charges
        .iter()
        .filter(|charge| charge.outcome == ChargeOutcome::Captured)
        .map(|charge| charge.request.amount_minor)
        .sum();
    let refunds = till.line.ledger().refunds();
    let given: i64 = refunds
        .iter()
        .filter(|refund| refund.outcome == api::provider::RefundOutcome::Refunded)
        .map(|refund| refund.request.amount_minor)
        .sum();
    assert_eq!(captured, taken - given);
    assert_eq!(charges.len(), 2_000);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_provider_refuses_and_holds_nothing_for_has_failed() {
    let till = Till::open(Settings::default(), sandbox::Settings::default());
    till.line.refuses.store(true, Ordering::SeqCst);
    let order = till.books.buy("a");
    till.books.until_settled().await;
    assert_eq!(
        till.books.status(order),
        OrderStatus::Held,
        "and may be paid again"
    );
    assert!(
        matches!(till.line.called()[..], [Called::Charge(a), Called::AskedCharge(b)] if a == b)
    );
}

#[tokio::test(start_paused = true)]
async fn money_taken_under_our_key_for_another_amount_goes_back() {
    let till = Till::open(Settings::default(), sandbox::Settings::default());
    let order = till.books.place("a");
    let id = OrderId::new(SaleId::new(till::SALE).expect("small"), u64::from(order));
    let order_id = id.expect("small");
    let strange = ChargeRequest {
        key: PaymentId {
            order: order_id,
            attempt: 1,
        },
        order: order_id,
        amount_minor: 99,
        currency: "EUR".parse().expect("a currency"),
    };
    till.line
        .sandbox()
        .charge(strange)
        .await
        .expect("an answer");
    till.books.pay(order, "pay");
    till.books.until_settled().await;
    let refunds = till.line.ledger().refunds();
    assert_eq!(refunds.len(), 1);
    assert_eq!(refunds[0].request.amount_minor, 99);
    assert_eq!(till.books.status(order), OrderStatus::Held);
}

#[tokio::test(start_paused = true)]
async fn a_bug_in_a_step_costs_time_and_no_money() {
    let till = Till::open(Settings::default(), sandbox::Settings::default());
    till.line.panics.store(true, Ordering::SeqCst);
    till.books.buy("a");
    till.pass(Duration::from_secs(1)).await;
    assert_eq!(till.books.open_count(), 1);
    till.books.buy("b");
    tokio::time::timeout(minutes(1), till.books.until_settled())
        .await
        .expect("it is found again");
    assert_eq!(till.line.ledger().charges().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_desk_that_is_out_of_order_for_long_costs_no_outcome_and_no_second_charge() {
    let narrow = Settings {
        queue_effects_max: 8,
        ..Settings::default()
    };
    let till = Till::open(narrow, sandbox::Settings::default());
    till.books.busy.store(u32::MAX, Ordering::SeqCst);
    for n in 0..20 {
        till.books.buy(&n.to_string());
    }
    till.pass(minutes(20)).await;
    assert_eq!(till.books.open_count(), 20);
    till.books.busy.store(0, Ordering::SeqCst);
    tokio::time::timeout(minutes(10), till.books.until_settled())
        .await
        .expect("all is told");
    assert_eq!(till.books.count(captured), 20);
    assert_eq!(till.line.ledger().charges().len(), 20);
}

/// A sale in which ten thousand buyers look for their cards must not ask the provider ten thousand times a second.
#[tokio::test(start_paused = true)]
async fn a_charge_that_waits_for_its_buyer_is_not_asked_about_until_the_reconciler_comes() {
    let slow = sandbox::Settings {
        pending_per_mille: PerMille::ALL,
        pending_ms_max: 100,
        ..sandbox::Settings::default()
    };
    let mut till = Till::closed(Settings::default(), slow);
    till.line.deaf.store(true, Ordering::SeqCst);
    till.line.waits.store(true, Ordering::SeqCst);
    till.start();
    let order = till.books.buy("a");
    till.pass(minutes(2)).await;
    assert_eq!(till.books.status(order), OrderStatus::Paying);
    assert_eq!(till.line.called().len(), 1, "{:?}", till.line.called());
    till.books.until_settled().await;
    assert_eq!(till.books.status(order), OrderStatus::Paid);
    assert_eq!(till.line.called().len(), 2, "{:?}", till.line.called());
}
