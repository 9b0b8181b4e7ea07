//! Attacks on idempotency keys: crashes after a key is bound, requests at one moment, keys in three places, keys that
//! would have expired elsewhere.

use commerce::entry::Entry;
use serde_json::json;
use tidegate_sim::client::Ask;
use tidegate_sim::disk::Moment;
use tidegate_sim::record::{Ended, Said};

use crate::plans::{
    Actor, Notes, act, calls, entered, entries, heard, lived, ms, orders, quiet, text, unheard,
    units,
};

/// D29: a crash after SETNX blocks the buyer for a day, with no result. Here the process dies around each operation of
/// the disk, and after any number of polls, while an order is placed; the same key then has its answer.
#[test]
fn a_crash_after_the_key_is_bound_leaves_the_buyer_an_answer() {
    let (mut cut_off, mut repeats) = (0, 0);
    for at in 1..=10 {
        let lived = lived(
            &quiet(at, 2),
            vec![act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let ask = buyer.order("order", &[2]);
                // The connection stands, so that what follows hits the order itself.
                buyer.available().await;
                let (shop, disk) = (&market.stage.shop, market.stage.disk());
                match at {
                    1..=2 => disk.crash_at(disk.ops() + at - 1, Moment::Before),
                    3..=4 => disk.crash_at(disk.ops() + at - 3, Moment::After),
                    _ => shop.end_after(at - 4, Ended::Killed),
                }
                let said = buyer.insist(&ask).await;
                assert!(said.is_yes(), "{said:?}");
                let again = buyer.insist(&ask).await;
                assert!(again.is_yes() && again.repeated, "{again:?}");
                assert_eq!(text(&said, "id"), text(&again, "id"));
            })],
        );
        assert_eq!(lived.evidence.restarts.len(), 1, "crash {at}");
        assert_eq!(units(&orders(&lived)), 2, "crash {at}");
        assert_eq!(
            entered(&lived, |entry| matches!(entry, Entry::Placed(_))),
            1
        );
        cut_off += usize::from(calls(&lived, "order").any(unheard));
        let mut answers = calls(&lived, "order").filter_map(heard);
        repeats += usize::from(answers.find(|said| said.is_yes()).unwrap().repeated);
    }
    assert!(cut_off >= 5, "{cut_off} buyers were cut off");
    assert!(repeats >= 1, "{repeats} orders were placed unseen");
}

/// restate#5196: a step waits on its own open side effect and locks its key for ever. The power goes while a charge is
/// at the bank; the key of the payment has its answer, and the order is paid.
#[test]
fn a_crash_with_a_charge_under_way_locks_neither_key_nor_order() {
    for seed in 1..=6 {
        let mut plan = quiet(seed, 1);
        plan.bank.slow_per_mille = shop::provider::sandbox::PerMille::ALL;
        plan.bank.slow_ms = 500;
        let lived = lived(
            &plan,
            vec![act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let order = buyer.take("order", 1).await;
                assert!(buyer.with_order(&order, "pay", "pay").await.is_yes());
                buyer.wait(ms(seed * 40)).await;
                let paying = text(&buyer.see(&order).await, "state");
                assert_eq!(paying.as_deref(), Some("paying"));
                market.stage.shop.end(Ended::PowerLost);
                let said = buyer.with_order(&order, "pay", "pay").await;
                assert!(said.is_yes() && said.repeated, "{said:?}");
                buyer.until(&order, &["paid"]).await;
            })],
        );
        assert_eq!(lived.evidence.restarts.len(), 1, "seed {seed}");
        assert_eq!(lived.evidence.charges.len(), 1, "seed {seed}");
        let begun = entered(&lived, |entry| matches!(entry, Entry::PayBegun { .. }));
        assert_eq!(begun, 1, "seed {seed}");
    }
}

/// D30: marks leave after 24 hours, rows after 7 days, and the same click buys again. Here keys stay bound: the machine
/// is set eight days further while it is off.
#[test]
fn a_key_is_bound_still_after_eight_days() {
    const EIGHT_DAYS_MS: i64 = 8 * 24 * 3_600 * 1_000;
    let plan = quiet(4, 3);
    let lived = lived(
        &plan,
        vec![act(move |market| async move {
            let mut buyer = Actor::buyer(&market, 100, "anna");
            let order = buyer.buy("order", 2).await;
            buyer.wait(ms(1_000)).await;
            market.stage.shop.end(Ended::PowerLost);
            market.stage.clock.step(EIGHT_DAYS_MS);
            buyer.wait(ms(20_000)).await;
            let ask = buyer.order("order", &[2]);
            let said = buyer.insist(&ask).await;
            assert!(said.is_yes() && said.repeated, "{said:?}");
            assert_eq!(text(&said, "id").as_deref(), Some(&*order));
            let other = buyer.order("order", &[1]);
            let said = buyer.insist(&other).await;
            assert_eq!(said.code().as_deref(), Some("TG-2105"), "{said:?}");
            // The book does live eight days later.
            buyer.take("later", 1).await;
        })],
    );
    let times: Vec<u64> = entries(&lived).iter().map(|(at, _)| *at).collect();
    let apart = times[times.len() - 1] - times[0];
    assert!(apart > EIGHT_DAYS_MS.unsigned_abs());
    assert_eq!(units(&orders(&lived)), 3);
}

/// D31: EXISTS, then SET: two requests with one key pass both. A double click over several connections at one moment.
#[test]
fn one_key_at_one_moment_over_four_connections_is_one_order() {
    for seed in 1..=6 {
        let told: Notes<Said> = Notes::new();
        let acts = (0..4).map(|nth| {
            let told = told.clone();
            act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100 + nth, "anna");
                let ask = buyer.order("order", &[2]);
                told.add(buyer.insist(&ask).await);
            })
        });
        let lived = lived(&quiet(seed, 10), acts.collect());
        assert_eq!(told.count(Said::is_yes), 4, "seed {seed}");
        assert_eq!(told.count(|said| said.repeated), 3, "seed {seed}");
        assert_eq!(units(&orders(&lived)), 2, "seed {seed}");
        // They did meet, and both double clicks were answered.
        let first_heard = calls(&lived, "order").map(|call| call.ended_at).min();
        assert!(calls(&lived, "order").all(|call| Some(call.asked_at) < first_heard));
    }
}

/// D31: the mark is set before success, so a request that failed cannot be sent again. Here a refusal binds no key.
#[test]
fn a_refused_request_may_be_sent_again_with_its_key() {
    for seed in 1..=3 {
        let lived = lived(
            &quiet(seed, 1),
            vec![act(|market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let ask = buyer.order("order", &[3]);
                let said = buyer.insist(&ask).await;
                assert_eq!(said.code().as_deref(), Some("TG-2102"), "{said:?}");
                let sale = buyer.sale();
                let more = json!({"sku": "SKU-0", "units": 2});
                let add = Ask::post(format!("/v1/sales/{sale}/stock"), "more", &more);
                assert!(Actor::merchant(&market, 200).insist(&add).await.is_yes());
                let said = buyer.insist(&ask).await;
                assert!(said.is_yes() && !said.repeated, "{said:?}");
                let keyless = Ask { key: None, ..ask };
                let said = buyer.insist(&keyless).await;
                assert_eq!(said.code().as_deref(), Some("TG-1003"), "{said:?}");
            })],
        );
        assert_eq!(units(&orders(&lived)), 3, "seed {seed}");
    }
}

/// D32: the key may come by three ways and only one of them works. A request is repeated by each of the others.
#[test]
fn a_key_is_the_same_in_header_body_and_query() {
    for seed in 1..=3 {
        let lived = lived(
            &quiet(seed, 9),
            vec![act(|market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let ask = buyer.order("order", &[2]);
                let first = buyer.insist(&ask).await;
                let mut body: serde_json::Value = serde_json::from_str(&ask.body).unwrap();
                body["idempotency_key"] = json!("order");
                let by_body = Ask {
                    key: None,
                    body: body.to_string(),
                    ..ask.clone()
                };
                let by_query = Ask {
                    key: None,
                    path: format!("{}?idemp_key=order", ask.path),
                    ..ask.clone()
                };
                for again in [&by_body, &by_query] {
                    let said = buyer.insist(again).await;
                    assert!(said.is_yes() && said.repeated, "{said:?}");
                    assert_eq!(text(&said, "id"), text(&first, "id"));
                }
                let torn = Ask {
                    key: Some("another".to_owned()),
                    ..by_body
                };
                let said = buyer.insist(&torn).await;
                assert_eq!(said.code().as_deref(), Some("TG-1004"), "{said:?}");
            })],
        );
        assert_eq!(units(&orders(&lived)), 2, "seed {seed}");
    }
}
