//! Attacks on money: two refunds, a refund and a chargeback, a bank whose answers are lost, crashes between a decision
//! and its call, compensations that are refused.

use api::provider::{ChargeOutcome, RefundOutcome};
use commerce::entry::{Entry, Fate};
use serde_json::json;
use shop::provider::sandbox::PerMille;
use tidegate_sim::client::Ask;
use tidegate_sim::plan::{Incident, Moment, Trouble};
use tidegate_sim::record::Said;

use crate::plans::{
    Actor, Notes, act, calls, captured, entered, entries, heard, lived, ms, orders, quiet,
    refunded, share, text,
};

/// A sale of one thing at 100.00.
fn hundred(seed: u64) -> tidegate_sim::plan::LifePlan {
    let mut plan = quiet(seed, 5);
    plan.sales[0].prices = vec!["100"];
    plan
}

/// hyperswitch#13182: two refunds of 60 on a payment of 100 both succeed. Two colleagues ask at one moment.
#[test]
fn two_refunds_of_60_on_100_at_once_give_one() {
    for seed in 1..=5 {
        let told: Notes<Said> = Notes::new();
        let note = told.clone();
        let lived = lived(
            &hundred(seed),
            vec![act(move |market| async move {
                let order = Actor::buyer(&market, 100, "anna").buy("order", 1).await;
                let asking = (0..2).map(|nth| {
                    let (market, order, note) = (market.clone(), order.clone(), note.clone());
                    market.stage.street.tasks().spawn(async move {
                        let mut merchant = Actor::merchant(&market, 200 + nth);
                        let body = json!({"amount_minor": 6_000});
                        let ask = Actor::refund(&order, &format!("refund-{nth}"), &body);
                        note.add(merchant.insist(&ask).await);
                    })
                });
                for asked in asking.collect::<Vec<_>>() {
                    asked.await.unwrap();
                }
            })],
        );
        assert_eq!(told.count(Said::is_yes), 1, "seed {seed}");
        let refused = told.count(|said| said.code().as_deref() == Some("TG-2108"));
        assert_eq!(refused, 1, "seed {seed}");
        assert_eq!(refunded(&lived, &orders(&lived)[0]), 6_000);
    }
}

/// hyperswitch#5282: a duplicate refund id. openfoodnetwork#6330: a double click, two refunds.
#[test]
fn a_double_click_on_refund_reaches_the_bank_as_one_refund() {
    for seed in 1..=5 {
        let told: Notes<Said> = Notes::new();
        let note = told.clone();
        let lived = lived(
            &hundred(seed),
            vec![act(move |market| async move {
                let order = Actor::buyer(&market, 100, "anna").buy("order", 1).await;
                let clicking = (0..3).map(|nth| {
                    let (market, order, note) = (market.clone(), order.clone(), note.clone());
                    market.stage.street.tasks().spawn(async move {
                        let mut merchant = Actor::merchant(&market, 200 + nth);
                        let ask = Actor::refund(&order, "refund", &json!({"amount_minor": 4_000}));
                        note.add(merchant.insist(&ask).await);
                    })
                });
                for clicked in clicking.collect::<Vec<_>>() {
                    clicked.await.unwrap();
                }
            })],
        );
        assert_eq!(told.count(Said::is_yes), 3, "seed {seed}");
        assert_eq!(told.count(|said| said.repeated), 2, "seed {seed}");
        assert_eq!(lived.evidence.refunds.len(), 1, "seed {seed}");
        assert_eq!(refunded(&lived, &orders(&lived)[0]), 4_000);
    }
}

/// hyperswitch PR#10533: a refund after a chargeback pays twice. The two race in half of the lives.
#[test]
fn a_refund_after_a_chargeback_pays_nothing_twice() {
    let mut refused = 0;
    for seed in 1..=6 {
        let told: Notes<Said> = Notes::new();
        let note = told.clone();
        let race = seed % 2 == 0;
        let lived = lived(
            &hundred(seed),
            vec![act(move |market| async move {
                let order = Actor::buyer(&market, 100, "anna").buy("order", 1).await;
                let (back, there) = (order.clone(), market.clone());
                let charging_back = market.stage.street.tasks().spawn(async move {
                    let body = json!({"amount_minor": 7_000, "reference": "bank-1"});
                    let path = format!("/v1/orders/{back}/chargebacks");
                    let ask = Ask::post(path, "back", &body);
                    let said = Actor::merchant(&there, 200).insist(&ask).await;
                    assert!(said.is_yes(), "a report is never refused: {said:?}");
                });
                let mut merchant = Actor::merchant(&market, 201);
                if !race {
                    charging_back.await.unwrap();
                }
                let ask = Actor::refund(&order, "refund", &json!({"amount_minor": 6_000}));
                note.add(merchant.insist(&ask).await);
                let ask = Actor::refund(&order, "rest", &json!({"amount_minor": 3_001}));
                let said = merchant.insist(&ask).await;
                assert_eq!(said.code().as_deref(), Some("TG-2108"), "{said:?}");
                // What is left, and not a cent more, can go back.
                if !note.all()[0].is_yes() {
                    let ask = Actor::refund(&order, "left", &json!({"amount_minor": 3_000}));
                    assert!(merchant.insist(&ask).await.is_yes());
                }
            })],
        );
        let order = &orders(&lived)[0];
        assert_eq!(order.charged_back_minor, 7_000, "seed {seed}");
        let no = told.count(|said| said.code().as_deref() == Some("TG-2108"));
        refused += no;
        assert_eq!(refunded(&lived, order), if no == 1 { 3_000 } else { 6_000 });
    }
    assert!(refused >= 3, "{refused} refunds met a chargeback");
}

/// medusa#13301, #15527: webhook and browser both complete the cart, and the loser's compensation refunds the winner's
/// payment. Here each capture is reported by a slow answer, by callbacks that overtake it, and the buyer clicks again.
#[test]
fn an_answer_and_callbacks_complete_an_order_once_and_nothing_goes_back() {
    for seed in 1..=5 {
        let mut plan = hundred(seed);
        plan.bank.slow_per_mille = PerMille::ALL;
        plan.bank.slow_ms = 400;
        plan.bank.callback_per_mille = PerMille::ALL;
        plan.bank.duplicate_callback_per_mille = PerMille::ALL;
        plan.bank.callback_delay_ms_max = 800;
        let lived = lived(
            &plan,
            vec![act(|market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let order = buyer.take("order", 1).await;
                assert!(buyer.with_order(&order, "pay", "pay").await.is_yes());
                let again = buyer.with_order(&order, "pay", "pay-again").await;
                assert_eq!(again.code().as_deref(), Some("TG-2111"), "{again:?}");
                buyer.until(&order, &["paid"]).await;
                // The same click once more, with the key of the first: today's order, and no new charge.
                let said = buyer.with_order(&order, "pay", "pay").await;
                assert!(said.is_yes() && said.repeated, "{said:?}");
                let late = buyer.with_order(&order, "pay", "pay-late").await;
                assert_eq!(late.code().as_deref(), Some("TG-2106"), "{late:?}");
                buyer.wait(ms(3_000)).await;
            })],
        );
        assert_eq!(lived.evidence.charges.len(), 1, "seed {seed}");
        assert!(lived.evidence.refunds.is_empty(), "seed {seed}");
        let captured = entered(&lived, |entry| matches!(entry, Entry::Captured { .. }));
        assert_eq!(captured, 1, "seed {seed}");
    }
}

/// medusa#16292, #16681: a retry mints a new idempotency key. D26: retries of an outage become a storm. Every answer
/// of the bank is lost; it has done its work.
#[test]
fn retries_reach_the_bank_under_one_key_and_are_few() {
    for seed in 1..=3 {
        let mut plan = hundred(seed);
        plan.bank.lost_answer_per_mille = PerMille::ALL;
        let asked: Notes<u32> = Notes::new();
        let note = asked.clone();
        let settings = plan.shop.cashier.clone();
        let lived = lived(
            &plan,
            vec![act(move |market| async move {
                for nth in 0..4 {
                    let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
                    let order = buyer.take(&format!("order-{nth}"), 1).await;
                    let key = format!("pay-{nth}");
                    assert!(buyer.with_order(&order, "pay", &key).await.is_yes());
                    buyer.until(&order, &["paid"]).await;
                }
                for (_, calls) in market.stage.sandbox.charge_calls() {
                    note.add(calls);
                }
            })],
        );
        assert_eq!(asked.all().len(), 4, "seed {seed}: one key for each order");
        assert_eq!(lived.evidence.charges.len(), 4);
        let most = 1 + settings.retries_max;
        assert!(
            asked.all().iter().all(|calls| (1..=most).contains(calls)),
            "seed {seed}: {:?}",
            asked.all()
        );
    }
}

/// D26: the bank cannot be reached for half a minute, and twelve buyers pay. Calls are bounded by the budget, and all
/// is charged once it is back.
#[test]
fn an_outage_of_the_bank_makes_no_storm_and_charges_everybody_after_it() {
    for seed in 1..=2 {
        let mut plan = hundred(seed);
        plan.sales[0].stock = vec![12];
        plan.shop.cashier.reconcile_every_ms = 10_000;
        plan.shop.cashier.reconcile_older_ms = 5_000;
        plan.incidents = vec![Incident {
            at: ms(100),
            what: Trouble::Cut(
                tidegate_sim::plan::Place::Bank,
                tidegate_sim::plan::Place::Shop,
                ms(30_000),
            ),
        }];
        let paid_at: Notes<std::time::Duration> = Notes::new();
        let acts = (0..12).map(|nth| {
            let paid_at = paid_at.clone();
            act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
                buyer.wait(ms(200)).await;
                let order = buyer.take("order", 1).await;
                assert!(buyer.with_order(&order, "pay", "pay").await.is_yes());
                for _ in 0..4 {
                    if text(&buyer.see(&order).await, "state").as_deref() == Some("paid") {
                        break;
                    }
                    buyer.wait(ms(10_000)).await;
                }
                buyer.until(&order, &["paid"]).await;
                paid_at.add(buyer.client.now());
            })
        });
        let calls: Notes<u32> = Notes::new();
        let note = calls.clone();
        let counts = act(move |market| async move {
            let anybody = Actor::merchant(&market, 300);
            anybody.wait(ms(90_000)).await;
            for (_, asked) in market.stage.sandbox.charge_calls() {
                note.add(asked);
            }
        });
        let lived = lived(&plan, acts.chain([counts]).collect());
        assert!(paid_at.all().iter().all(|at| *at > ms(30_000)), "in it");
        assert_eq!(lived.evidence.charges.len(), 12, "seed {seed}");
        let total: u32 = calls.all().iter().sum();
        assert!(total <= 12 * 8, "seed {seed}: {total} calls for 12 charges");
    }
}

/// saleor, payment tasks: marked refunded before the provider is asked, and a crash between keeps the buyer's money.
/// dtm#453: a crash between a rollback and its record. The process dies around each operation of the refund.
#[test]
fn a_crash_around_a_refund_gives_the_money_back_once() {
    for at in 1..=4 {
        // A refund is answered once it is on record as an act, too: few steps are left when the merchant hears of it.
        for (moment, polls) in [(Moment::Before, 3 * at), (Moment::After, 5 * at)] {
            let lived = lived(
                &hundred(at * 11),
                vec![act(move |market| async move {
                    let order = Actor::buyer(&market, 100, "anna").buy("order", 1).await;
                    let mut merchant = Actor::merchant(&market, 200);
                    let shop = &market.stage.shop;
                    match at % 2 {
                        0 => shop.end_after(polls, tidegate_sim::record::Ended::PowerLost),
                        _ => {
                            let side = match moment {
                                Moment::Before => tidegate_sim::disk::Moment::Before,
                                Moment::After => tidegate_sim::disk::Moment::After,
                            };
                            let disk = market.stage.disk();
                            disk.crash_at(disk.ops() + at, side);
                        }
                    }
                    let ask = Actor::refund(&order, "refund", &json!({"restock": true}));
                    assert!(merchant.insist(&ask).await.is_yes());
                    merchant.until(&order, &["refunded"]).await;
                })],
            );
            assert_eq!(lived.evidence.restarts.len(), 1, "{at} {moment:?}");
            let order = &orders(&lived)[0];
            assert_eq!(refunded(&lived, order), 10_000, "{at} {moment:?}");
            assert_eq!(lived.evidence.refunds.len(), 1, "{at} {moment:?}");
        }
    }
}

/// dtm#306: a compensation retried 80 times a second. The bank refuses most refunds of money that must go back: each
/// new try waits longer.
#[test]
fn a_refused_compensation_is_tried_again_ever_more_slowly() {
    let mut tried = 0;
    for seed in 1..=4 {
        let mut plan = hundred(seed);
        plan.sales[0].hold_ms = 2_000;
        plan.sales[0].stock = vec![1];
        plan.bank.pending_per_mille = PerMille::ALL;
        plan.bank.pending_ms_max = 8_000;
        plan.bank.refund_decline_per_mille = share(700);
        let lived = lived(&plan, vec![late_payer(), winner()]);
        let failures: Vec<u64> = entries(&lived)
            .into_iter()
            .filter(|(_, entry)| matches!(entry, Entry::RefundFailed { again: Some(_), .. }))
            .map(|(at, _)| at)
            .collect();
        let gaps: Vec<u64> = failures.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(
            gaps.iter().all(|gap| *gap >= 1_000),
            "seed {seed}: {gaps:?}"
        );
        tried += failures.len();
        for order in orders(&lived) {
            let back = refunded(&lived, &order);
            assert!(back == 0 || back == captured(&lived, &order), "seed {seed}");
        }
    }
    assert!(tried >= 3, "{tried} compensations were refused");
}

/// Pays at once; the bank decides after the hold has ended.
fn late_payer() -> tidegate_sim::life::Act {
    act(|market| async move {
        let mut buyer = Actor::buyer(&market, 100, "late");
        let order = buyer.take("order", 1).await;
        assert!(buyer.with_order(&order, "pay", "pay").await.is_yes());
        buyer.wait(ms(12_000)).await;
    })
}

/// Takes the unit as soon as the hold of somebody else has ended.
fn winner() -> tidegate_sim::life::Act {
    act(|market| async move {
        let mut buyer = Actor::buyer(&market, 101, "winner");
        buyer.wait(ms(2_020)).await;
        for nth in 0..60 {
            let said = buyer.place(&format!("win-{nth}"), 1).await;
            if let Some(order) = text(&said, "id") {
                buyer.with_order(&order, "pay", "pay").await;
                return;
            }
            buyer.wait(ms(50)).await;
        }
    })
}

/// temporal sdk-java#305: compensation is skipped on cancellation. The order is cancelled while its charge is under
/// way; the capture comes afterwards and goes back by itself.
#[test]
fn a_capture_that_comes_after_the_cancellation_goes_back() {
    let mut came_after = 0;
    for seed in 1..=6 {
        let mut plan = hundred(seed);
        plan.bank.slow_per_mille = PerMille::ALL;
        plan.bank.slow_ms = 600;
        let lived = lived(
            &plan,
            vec![act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let order = buyer.take("order", 1).await;
                assert!(buyer.with_order(&order, "pay", "pay").await.is_yes());
                buyer.wait(ms(seed * 70)).await;
                // The buyer hangs up in the middle, and a colleague of the merchant finds out what became of it.
                let ask = Ask::post(format!("/v1/orders/{order}/cancel"), "cancel", &json!({}));
                let _ = buyer.client.ask(&ask, ms(1)).await;
                buyer.wait(ms(3_000)).await;
                buyer.insist(&ask).await;
                buyer.wait(ms(3_000)).await;
            })],
        );
        let order = &orders(&lived)[0];
        assert_eq!(order.captured_minor, order.refunded_minor, "seed {seed}");
        came_after += entered(&lived, |entry| {
            let back = |fate: &Fate| matches!(fate, Fate::GoesBack { .. });
            matches!(entry, Entry::Captured { fate, .. } if back(fate))
        });
        assert!(calls(&lived, "cancel").any(|call| heard(call).is_some()));
    }
    assert!(came_after > 0, "no capture came after its cancellation");
}

/// medusa PR#16390: the naive mend replays a stored refusal for ever. A decline is the answer to one attempt: its key
/// tells today's state, and a new key pays.
#[test]
fn a_declined_key_does_not_replay_its_refusal_once_the_order_is_paid() {
    let mut declined = 0;
    for seed in 1..=6 {
        let mut plan = hundred(seed);
        plan.bank.decline_per_mille = share(600);
        let lived = lived(
            &plan,
            vec![act(|market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let order = buyer.take("order", 1).await;
                for nth in 0..40 {
                    let key = format!("pay-{nth}");
                    assert!(buyer.with_order(&order, "pay", &key).await.is_yes());
                    if buyer.until(&order, &["paid", "held"]).await == "paid" {
                        break;
                    }
                }
                let said = buyer.with_order(&order, "pay", "pay-0").await;
                assert!(said.is_yes() && said.repeated, "{said:?}");
                assert_eq!(text(&said, "state").as_deref(), Some("paid"));
            })],
        );
        let charges = lived.evidence.charges.iter();
        declined += charges
            .filter(|charge| charge.outcome == ChargeOutcome::Declined)
            .count();
        let refunds = lived.evidence.refunds.iter();
        assert_eq!(
            refunds
                .filter(|refund| refund.outcome == RefundOutcome::Refunded)
                .count(),
            0
        );
    }
    assert!(declined >= 3, "the bank has declined {declined} times");
}
