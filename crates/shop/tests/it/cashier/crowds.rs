//! More payments that wait for their buyers than the cashier has room for.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::PaymentId;
use commerce::OrderStatus;
use tidegate_shop::cashier::Settings;
use tidegate_shop::provider::sandbox::{self, PerMille};

use super::minutes;
use super::till::{Called, Till};

/// A till at which so many buyers look for their cards, for an hour each.
fn crowded(settings: Settings, buyers: u32) -> (Till, Vec<u32>) {
    let slow = sandbox::Settings {
        pending_per_mille: PerMille::ALL,
        pending_ms_max: 3_600_000,
        ..sandbox::Settings::default()
    };
    let mut till = Till::closed(settings, slow);
    till.line.deaf.store(true, Ordering::SeqCst);
    till.line.waits.store(true, Ordering::SeqCst);
    till.start();
    let orders = (0..buyers).map(|n| till.books.buy(&n.to_string()));
    let orders = orders.collect();
    (till, orders)
}

/// How often each was asked about.
fn asked(till: &Till) -> BTreeMap<PaymentId, u32> {
    let mut asked = BTreeMap::new();
    for called in till.line.called() {
        if let Called::AskedCharge(key) = called {
            *asked.entry(key).or_default() += 1;
        }
    }
    asked
}

/// Found by reading: the first of them were asked about again every second, and the others never.
#[tokio::test(start_paused = true)]
async fn more_buyers_who_take_their_time_than_there_is_room_for_are_all_asked_about_and_none_without_end()
 {
    let narrow = Settings {
        queue_effects_max: 16,
        ..Settings::default()
    };
    let (till, orders) = crowded(narrow, 60);
    till.pass(minutes(21)).await;
    let asked = asked(&till);
    let paid = |order: &&u32| till.books.status(**order) == OrderStatus::Paid;
    assert!(orders.iter().filter(paid).count() < 60, "some take longer");
    assert_eq!(asked.len(), 60, "everybody is asked about");
    let most = asked.values().max();
    assert!(
        most <= Some(&6),
        "{most:?} questions about one in 21 minutes"
    );
    till.books.until_settled().await;
    assert_eq!(till.line.ledger().charges().len(), 60);
}

#[tokio::test(start_paused = true)]
async fn questions_about_buyers_who_take_their_time_keep_to_their_pace() {
    let (till, _) = crowded(Settings::default(), 2_000);
    till.pass(minutes(7)).await;
    assert_eq!(asked(&till).len(), 2_000);
    let mut seconds = BTreeMap::<u64, u32>::new();
    let calls = till.line.calls();
    let (first, _) = calls[0];
    for (at, called) in calls {
        if matches!(called, Called::AskedCharge(_)) {
            *seconds.entry((at - first).as_secs()).or_default() += 1;
        }
    }
    let most = seconds.values().max();
    assert!(most <= Some(&60), "{most:?} questions within a second");
    let fresh = till.books.buy("fresh");
    till.pass(Duration::from_secs(1)).await;
    let charged = |called: &Called| matches!(called, Called::Charge(key) if key.order.number() == u64::from(fresh));
    assert!(
        till.line.called().iter().any(charged),
        "nobody waits behind them"
    );
}
