//! Attacks on time: clocks that are set and drift, a process that starts with another time, and the moment at which a
//! hold is over.

use api::order::OrderState;
use commerce::entry::Entry;
use tidegate_sim::plan::{Incident, Trouble};

use crate::plans::{Actor, Notes, act, entered, entries, lived, ms, orders, owned, quiet, units};

/// E46: all time goes through a clock that is handed in. Somebody sets the shop's clock by ten minutes, either way, in
/// the middle of holds of twenty seconds: no basket is emptied at once, and each ends when its time has passed.
#[test]
fn a_clock_set_by_ten_minutes_empties_no_basket_at_once() {
    for (seed, by_ms) in [(1, 600_000), (2, -600_000), (3, 7_000), (4, -7_000)] {
        let mut plan = quiet(seed, 6);
        plan.sales[0].hold_ms = 20_000;
        plan.incidents = vec![Incident {
            at: ms(2_000),
            what: Trouble::Clock(by_ms),
        }];
        let lived = lived(
            &plan,
            vec![act(|market| async move {
                let mut payer = Actor::buyer(&market, 100, "payer");
                let mut sleeper = Actor::buyer(&market, 101, "sleeper");
                let pays = payer.take("pays", 3).await;
                let sleeps = sleeper.take("sleeps", 3).await;
                payer.wait(ms(4_000)).await;
                assert_eq!(payer.available().await, 0, "both holds stand");
                assert!(payer.with_order(&pays, "pay", "pay").await.is_yes());
                payer.until(&pays, &["paid"]).await;
                sleeper.until(&sleeps, &["expired"]).await;
                assert!(sleeper.client.now() > ms(19_000), "its time had passed");
                // Units come back once the clock has kept its new course for a minute.
                sleeper.wait(ms(90_000)).await;
                assert_eq!(sleeper.available().await, 3);
            })],
        );
        assert_eq!(units(&owned(&lived)), 3, "by {by_ms} ms");
        assert!(lived.story.iter().any(|(_, what)| what.contains("set by")));
        let times: Vec<u64> = entries(&lived).iter().map(|(at, _)| *at).collect();
        assert!(times.is_sorted(), "book time never goes back");
    }
}

/// E46: the clock runs two percent too fast or too slow, and was set while the process was dead.
#[test]
fn drift_and_a_clock_set_while_the_process_was_dead_end_no_hold_early() {
    for (seed, ppm, by_ms) in [(1, 20_000, 600_000), (2, -20_000, -600_000), (3, 200, 0)] {
        let mut plan = quiet(seed, 2);
        plan.sales[0].hold_ms = 30_000;
        plan.incidents = vec![Incident {
            at: ms(100),
            what: Trouble::Drift(ppm),
        }];
        let lived = lived(
            &plan,
            vec![act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let order = buyer.take("order", 2).await;
                let held_at = buyer.client.now();
                buyer.wait(ms(5_000)).await;
                market.stage.shop.end(tidegate_sim::record::Ended::Killed);
                market.stage.clock.step(by_ms);
                // Not before its time, by more than the drift that a clock may be drawn along.
                buyer.wait(ms(15_000)).await;
                let state = buyer.until(&order, &["held", "expired"]).await;
                assert_eq!(state, "held");
                for _ in 0..20 {
                    if buyer.until(&order, &["held", "expired"]).await == "expired" {
                        break;
                    }
                    buyer.wait(ms(5_000)).await;
                }
                buyer.until(&order, &["expired"]).await;
                assert!(buyer.client.now() - held_at > ms(25_000));
            })],
        );
        assert_eq!(lived.evidence.restarts.len(), 1, "seed {seed}");
        let state = orders(&lived)[0].state;
        assert_eq!(state, OrderState::Expired, "seed {seed}");
    }
}

/// E45: at exactly its deadline a hold is over. tigerbeetle#2000: a post of an expired hold is half-applied before the
/// expiry runs. Buyers pay in the last and the first milliseconds around the end; the journal says who came in time.
#[test]
fn a_hold_is_paid_before_its_deadline_or_expires_and_never_both() {
    const HOLD_MS: u64 = 3_000;
    let (mut in_time, mut too_late): (usize, usize) = (0, 0);
    for seed in 1..=3 {
        let mut plan = quiet(seed, 24);
        plan.sales[0].hold_ms = HOLD_MS;
        let codes: Notes<Option<String>> = Notes::new();
        let acts = (0..24).map(|nth: u32| {
            let codes = codes.clone();
            act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
                buyer.wait(ms(u64::from(nth) * 11)).await;
                let order = buyer.take("order", 1).await;
                let later = std::time::Duration::from_micros(u64::from(nth) * 500);
                buyer.wait(ms(HOLD_MS - 6) + later).await;
                let said = buyer.with_order(&order, "pay", "pay").await;
                codes.add(said.code());
            })
        });
        let lived = lived(&plan, acts.collect());
        let entries = entries(&lived);
        let mut placed = std::collections::BTreeMap::new();
        for (at, entry) in &entries {
            match entry {
                Entry::Placed(order) => drop(placed.insert(order.order, *at)),
                Entry::PayBegun { order, .. } => {
                    assert!(
                        *at < placed[order] + HOLD_MS,
                        "seed {seed}: paid when it was over"
                    );
                }
                Entry::Expired { orders } => {
                    let due = orders.iter().all(|order| *at >= placed[order] + HOLD_MS);
                    assert!(due, "seed {seed}: expired before its time");
                }
                _ => {}
            }
        }
        in_time += codes.count(Option::is_none);
        too_late += codes.count(|code| code.as_deref() == Some("TG-2107"));
        let begun = entered(&lived, |entry| matches!(entry, Entry::PayBegun { .. }));
        assert_eq!(begun, codes.count(Option::is_none), "seed {seed}");
        assert_eq!(units(&owned(&lived)) as usize, begun, "seed {seed}");
    }
    assert_eq!(in_time + too_late, 72, "each was told one or the other");
    assert!(
        in_time >= 6 && too_late >= 6,
        "{in_time} in time, {too_late} too late"
    );
}
