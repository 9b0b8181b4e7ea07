//! Attacks by late events: money that comes after its hold, reports that come twice, late and in the wrong order, and
//! steps of an order that are stale or repeated.

use api::order::OrderState;
use commerce::entry::{Entry, Fate};
use serde_json::json;
use shop::provider::sandbox::PerMille;
use tidegate_sim::plan::LifePlan;

use crate::plans::{
    Actor, act, captured, entered, entries, lived, ms, orders, owned, quiet, refunded, text, units,
};

/// A bank that decides each charge after a hold of two seconds has ended.
fn late(seed: u64, stock: u32) -> LifePlan {
    let mut plan = quiet(seed, stock);
    plan.sales[0].hold_ms = 2_000;
    plan.bank.slow_per_mille = PerMille::ALL;
    plan.bank.slow_ms = 2_500;
    plan
}

fn captures(lived: &tidegate_sim::life::Lived, fate: impl Fn(&Fate) -> bool) -> usize {
    entered(
        lived,
        |entry| matches!(entry, Entry::Captured { fate: became, .. } if fate(became)),
    )
}

/// The time at which the hold of the first order ended, and that of its capture.
fn expired_then_captured(lived: &tidegate_sim::life::Lived) -> bool {
    let entries = entries(lived);
    let place = |which: &dyn Fn(&Entry) -> bool| entries.iter().position(|(_, entry)| which(entry));
    let expired = place(&|entry| matches!(entry, Entry::Expired { .. }));
    let captured = place(&|entry| matches!(entry, Entry::Captured { .. }));
    expired.is_some() && expired < captured
}

/// saleor#14733: a paid checkout can never become an order. Paid after expiry, and the units are free: they are taken
/// again.
#[test]
fn a_capture_after_expiry_takes_free_units_again() {
    for seed in 1..=5 {
        let lived = lived(
            &late(seed, 2),
            vec![act(|market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let order = buyer.take("order", 2).await;
                assert!(buyer.with_order(&order, "pay", "pay").await.is_yes());
                assert_eq!(buyer.until(&order, &["expired"]).await, "expired");
                assert_eq!(buyer.available().await, 2);
                buyer.until(&order, &["paid"]).await;
                assert_eq!(buyer.available().await, 0);
            })],
        );
        assert!(expired_then_captured(&lived), "seed {seed}");
        assert_eq!(captures(&lived, |fate| *fate == Fate::KeptAgain), 1);
        assert_eq!(units(&owned(&lived)), 2, "seed {seed}");
        assert!(lived.evidence.refunds.is_empty());
    }
}

/// vendure#3065: charged, then no stock, and the order is stuck. bn-api#1189, hyperswitch#2017: refund by itself.
#[test]
fn a_capture_after_expiry_without_stock_goes_back_by_itself() {
    for seed in 1..=5 {
        let lived = lived(
            &late(seed, 1),
            vec![
                act(|market| async move {
                    let mut buyer = Actor::buyer(&market, 100, "late");
                    let order = buyer.take("order", 1).await;
                    assert!(buyer.with_order(&order, "pay", "pay").await.is_yes());
                    buyer.wait(ms(6_000)).await;
                    let said = buyer.see(&order).await;
                    assert_eq!(text(&said, "state").as_deref(), Some("expired"));
                }),
                act(|market| async move {
                    let mut quick = Actor::buyer(&market, 101, "quick");
                    quick.wait(ms(2_100)).await;
                    quick.take("win", 1).await;
                    quick.wait(ms(6_000)).await;
                }),
            ],
        );
        assert!(expired_then_captured(&lived), "seed {seed}");
        let back = captures(&lived, |fate| matches!(fate, Fate::GoesBack { .. }));
        assert_eq!(back, 1, "seed {seed}");
        let orders = orders(&lived);
        let charged = orders.iter().find(|order| captured(&lived, order) > 0);
        assert_eq!(refunded(&lived, charged.unwrap()), 1_000, "seed {seed}");
    }
}

/// mollie/WooCommerce#1252: a late "paid" re-opens a refunded order and takes its stock again. D34: each report comes
/// by an answer and by two callbacks, out of order, some of them after the order was refunded and its unit sold anew.
#[test]
fn a_late_paid_never_reopens_a_refunded_order() {
    for seed in 1..=5 {
        let mut plan = quiet(seed, 1);
        plan.bank.callback_per_mille = PerMille::ALL;
        plan.bank.duplicate_callback_per_mille = PerMille::ALL;
        plan.bank.callback_delay_ms_max = 20_000;
        let lived = lived(
            &plan,
            vec![act(|market| async move {
                let order = Actor::buyer(&market, 100, "anna").buy("order", 1).await;
                let mut merchant = Actor::merchant(&market, 200);
                let ask = Actor::refund(&order, "back", &json!({"restock": true}));
                assert!(merchant.insist(&ask).await.is_yes());
                merchant.until(&order, &["refunded"]).await;
                // The unit is free, and somebody else buys it, all before the callbacks have come.
                Actor::buyer(&market, 101, "ben").buy("order-2", 1).await;
                assert!(merchant.client.now() < ms(15_000));
                merchant.wait(ms(30_000)).await;
                let said = merchant.see(&order).await;
                assert_eq!(text(&said, "state").as_deref(), Some("refunded"));
                assert_eq!(merchant.available().await, 0);
            })],
        );
        assert_eq!(units(&owned(&lived)), 1, "seed {seed}");
        assert_eq!(lived.evidence.refunds.len(), 1);
        let told = entered(&lived, |entry| matches!(entry, Entry::Captured { .. }));
        assert_eq!(told, 2, "seed {seed}: each capture is booked once");
        assert!(lived.lasted > ms(20_000), "the callbacks had their time");
    }
}

/// D34: at-least-once delivery with a window for duplicates. Pending charges are told as unknown, then as captured,
/// twice, and over a way that loses packets; the process dies meanwhile. Each order ends paid, once.
#[test]
fn redelivered_reordered_and_late_callbacks_move_an_order_once() {
    for seed in 1..=4 {
        let mut plan = quiet(seed, 6);
        plan.way.loss_per_mille = 50;
        plan.bank.pending_per_mille = PerMille::ALL;
        plan.bank.pending_ms_max = 4_000;
        plan.bank.callback_per_mille = PerMille::ALL;
        plan.bank.duplicate_callback_per_mille = PerMille::ALL;
        plan.bank.callback_delay_ms_max = 5_000;
        plan.incidents = vec![tidegate_sim::plan::Incident {
            at: ms(2_500),
            what: tidegate_sim::plan::Trouble::KillAfterPolls(1),
        }];
        let acts = (0..6).map(|nth| {
            act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
                let order = buyer.take("order", 1).await;
                assert!(buyer.with_order(&order, "pay", "pay").await.is_yes());
                buyer.until(&order, &["paid"]).await;
                buyer.wait(ms(15_000)).await;
            })
        });
        let lived = lived(&plan, acts.collect());
        assert_eq!(lived.evidence.charges.len(), 6, "seed {seed}");
        let paid = orders(&lived);
        assert!(paid.iter().all(|order| order.state == OrderState::Paid));
        let told = entered(&lived, |entry| matches!(entry, Entry::Captured { .. }));
        assert_eq!(told, 6, "seed {seed}");
        let unknown = entered(&lived, |entry| matches!(entry, Entry::ChargeUnknown { .. }));
        assert!(unknown > 0, "seed {seed}: some were told as unknown first");
        assert_eq!(lived.evidence.restarts.len(), 1);
    }
}

/// D33: a duplicate and a stale step give the same error. Here a repeat gets its answer again, and a step that comes
/// too early or too late is refused with the state of the order.
#[test]
fn a_repeated_step_is_answered_and_a_stale_one_is_refused_with_the_state() {
    for seed in 1..=3 {
        let lived = lived(
            &quiet(seed, 2),
            vec![act(|market| async move {
                let order = Actor::buyer(&market, 100, "anna").buy("order", 1).await;
                let mut merchant = Actor::merchant(&market, 200);
                let early = merchant.with_order(&order, "deliver", "early").await;
                assert_eq!(early.code().as_deref(), Some("TG-2106"), "{early:?}");
                assert!(early.body.contains("\"paid\""), "{early:?}");
                let ship = merchant.with_order(&order, "ship", "ship").await;
                assert!(ship.is_yes() && !ship.repeated);
                let again = merchant.with_order(&order, "ship", "ship").await;
                assert!(again.is_yes() && again.repeated);
                let deliver = merchant.with_order(&order, "deliver", "deliver").await;
                assert!(deliver.is_yes());
                let stale = merchant.with_order(&order, "ship", "ship-2").await;
                assert_eq!(stale.code().as_deref(), Some("TG-2106"), "{stale:?}");
                assert!(stale.body.contains("\"delivered\""), "{stale:?}");
                // The repeat of the old step is an answer still, with today's state.
                let again = merchant.with_order(&order, "ship", "ship").await;
                assert!(again.is_yes() && again.repeated);
                assert_eq!(text(&again, "state").as_deref(), Some("delivered"));
            })],
        );
        let steps =
            |entry: &Entry| matches!(entry, Entry::Shipped { .. } | Entry::Delivered { .. });
        assert_eq!(entered(&lived, steps), 2, "seed {seed}");
    }
}
