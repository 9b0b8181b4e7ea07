//! Attacks on stock: the last unit, two lines of one item, repeat clicks, hoarders, mass expiry, rebuilt read models.

use commerce::entry::Entry;
use serde_json::json;
use shop::provider::sandbox::PerMille;
use tidegate_sim::client::Ask;
use tidegate_sim::life::Act;
use tidegate_sim::plan::{Incident, Moment, Trouble};

use crate::plans::{
    Actor, Notes, act, calls, captured, entered, heard, lived, ms, number, orders, owned, quiet,
    share, text, unheard, units,
};

/// A script in which a buyer asks for one unit, once, at a moment, and notes what it was told.
fn asks_once(nth: u32, name: String, at: std::time::Duration, told: &Notes<Option<String>>) -> Act {
    let told = told.clone();
    act(move |market| async move {
        let mut buyer = Actor::buyer(&market, nth, &name);
        buyer.wait(at).await;
        let ask = buyer.order(&format!("k{nth}"), &[1]);
        match buyer.once(&ask).await {
            tidegate_sim::record::Outcome::Said(said) if said.is_yes() => told.add(None),
            tidegate_sim::record::Outcome::Said(said) => {
                told.add(Some(said.code().unwrap_or_default()));
            }
            unheard => panic!("no answer on a quiet network: {unheard:?}"),
        }
    })
}

/// saleor#543, spree#3808: both checkouts allocate the last unit. vendure#1738: the check and the allocation are two
/// transactions.
#[test]
fn checkouts_that_meet_at_the_last_unit_give_one_order() {
    for seed in 1..=6 {
        let told = Notes::new();
        let acts = (0..8).map(|nth| asks_once(nth + 100, format!("b{nth}"), ms(0), &told));
        let lived = lived(&quiet(seed, 1), acts.collect());
        assert_eq!(told.count(Option::is_none), 1, "seed {seed}");
        assert_eq!(told.count(|no| no.as_deref() == Some("TG-2102")), 7);
        assert_eq!(
            entered(&lived, |entry| matches!(entry, Entry::Placed(_))),
            1
        );
        // They did meet: each was sent before any was answered.
        let places = lived.evidence.calls.iter();
        let places: Vec<_> = places.filter(|call| call.path == "/v1/orders").collect();
        let last_sent = places.iter().map(|call| call.asked_at).max();
        let first_heard = places.iter().map(|call| call.ended_at).min();
        assert!(last_sent < first_heard, "seed {seed}");
    }
}

/// D25: readers of a version compare and set, fail, and try again, for ever in the sample. Here a sale has one owner:
/// each of forty is asked once, and no answer says "try again".
#[test]
fn forty_buyers_of_ten_units_are_each_answered_at_their_first_try() {
    for seed in 1..=3 {
        let told = Notes::new();
        let acts = (0..40).map(|nth| asks_once(nth + 100, format!("b{nth}"), ms(0), &told));
        let lived = lived(&quiet(seed, 10), acts.collect());
        assert_eq!(told.count(Option::is_none), 10, "seed {seed}");
        assert_eq!(told.count(|no| no.as_deref() == Some("TG-2102")), 30);
        let places = lived.evidence.calls.iter();
        assert_eq!(places.filter(|call| call.path == "/v1/orders").count(), 40);
    }
}

/// medusa#16502: one cart with two lines of the same item, each checked alone.
#[test]
fn two_lines_of_one_item_share_its_stock() {
    for seed in 1..=4 {
        let lived = lived(
            &quiet(seed, 3),
            vec![act(|market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let too_much = buyer.order("too-much", &[2, 2]);
                let said = buyer.insist(&too_much).await;
                assert_eq!(said.code().as_deref(), Some("TG-2102"), "{said:?}");
                // D21: the refusal has taken nothing.
                assert_eq!(buyer.available().await, 3);
                let fits = buyer.order("fits", &[2, 1]);
                assert!(buyer.insist(&fits).await.is_yes());
                assert_eq!(buyer.available().await, 0);
            })],
        );
        assert_eq!(units(&orders(&lived)), 3, "seed {seed}");
    }
}

/// vendure#550: stock moves when a payment is authorised, and again when it is settled. The bank reports each charge
/// by its answer and by two callbacks.
#[test]
fn a_unit_is_sold_once_however_often_its_payment_is_reported() {
    for seed in 1..=4 {
        let mut plan = quiet(seed, 5);
        plan.bank.callback_per_mille = PerMille::ALL;
        plan.bank.duplicate_callback_per_mille = PerMille::ALL;
        plan.bank.callback_delay_ms_max = 3_000;
        plan.bank.pending_per_mille = share(500);
        let lived = lived(
            &plan,
            vec![act(|market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                for key in ["one", "two", "three"] {
                    buyer.buy(key, 1).await;
                }
                buyer.wait(ms(10_000)).await;
                assert_eq!(buyer.available().await, 2);
            })],
        );
        assert_eq!(units(&owned(&lived)), 3, "seed {seed}");
        let kept = entered(&lived, |entry| matches!(entry, Entry::Captured { .. }));
        assert_eq!(kept, 3, "seed {seed}");
    }
}

/// woocommerce#66303: a failed payment keeps the hold, and the buyer must be able to pay again.
#[test]
fn a_declined_buyer_keeps_the_hold_and_pays_again() {
    let mut declined = 0;
    for seed in 1..=6 {
        let mut plan = quiet(seed, 3);
        plan.bank.decline_per_mille = share(700);
        let lived = lived(
            &plan,
            vec![act(|market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let order = buyer.take("order", 3).await;
                for nth in 0..40 {
                    assert_eq!(buyer.available().await, 0, "the hold stays");
                    let pay = format!("pay-{nth}");
                    assert!(buyer.with_order(&order, "pay", &pay).await.is_yes());
                    if buyer.until(&order, &["paid", "held"]).await == "paid" {
                        return;
                    }
                }
            })],
        );
        declined += entered(&lived, |entry| matches!(entry, Entry::ChargeFailed { .. }));
        let order = &owned(&lived)[0];
        assert_eq!(captured(&lived, order), 3_000, "seed {seed}");
    }
    assert!(declined >= 3, "the bank has declined {declined} times only");
}

/// dujiao-next#105: one buyer holds the whole shop. D24: a limit of N under concurrency lets N through, and not N + 1.
#[test]
fn a_limit_of_two_lets_two_of_eight_requests_at_once_through() {
    for seed in 1..=4 {
        let mut plan = quiet(seed, 10);
        plan.sales[0].units_per_buyer = Some(2);
        let told = Notes::new();
        let hoarder = (0..8).map(|nth| asks_once(nth + 100, "hoarder".to_owned(), ms(0), &told));
        let other = Notes::new();
        let acts = hoarder.chain([asks_once(200, "other".to_owned(), ms(500), &other)]);
        let lived = lived(&plan, acts.collect());
        assert_eq!(told.count(Option::is_none), 2, "seed {seed}");
        assert_eq!(told.count(|no| no.as_deref() == Some("TG-2103")), 6);
        assert_eq!(other.all(), [None]);
        assert_eq!(units(&orders(&lived)), 3);
    }
}

/// hfbin/Seckill#11: repeat clicks burn the stock of buyers who are then refused. D21: a failed decrement is never
/// given back.
#[test]
fn refused_clicks_take_nothing_from_those_who_come_after() {
    for seed in 1..=4 {
        let mut plan = quiet(seed, 5);
        plan.sales[0].units_per_buyer = Some(1);
        let clicks = Notes::new();
        let clicker = (0..12).map(|nth| asks_once(nth + 100, "clicker".to_owned(), ms(0), &clicks));
        let late = Notes::new();
        let others = (0..4).map(|nth| asks_once(nth + 200, format!("b{nth}"), ms(1_000), &late));
        let acts: Vec<Act> = clicker.chain(others).collect();
        let lived = lived(&plan, acts);
        assert_eq!(clicks.count(Option::is_none), 1, "seed {seed}");
        assert_eq!(late.all(), [None, None, None, None], "seed {seed}");
        assert_eq!(units(&orders(&lived)), 5);
    }
}

/// dtm, Redis barrier: the retry of the deduct that took the last unit answers "failure", since stock is tested before
/// the duplicate key; and it deducts again once its key has expired.
#[test]
fn the_retry_of_the_order_that_took_the_last_unit_hears_yes_even_after_its_hold() {
    for seed in 1..=4 {
        let mut plan = quiet(seed, 1);
        plan.sales[0].hold_ms = 5_000;
        // Answers do not come through for a while: the order is placed, and its buyer does not know.
        plan.incidents = vec![Incident {
            at: ms(100),
            what: Trouble::Cut(
                tidegate_sim::plan::Place::Shop,
                tidegate_sim::plan::Place::Street,
                ms(2_000),
            ),
        }];
        let names = Notes::new();
        let note = names.clone();
        let lived = lived(
            &plan,
            vec![act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let ask = buyer.order("order", &[1]);
                // The connection stands before the way is cut.
                buyer.available().await;
                buyer.wait(ms(200)).await;
                let _ = buyer.client.ask(&ask, ms(500)).await;
                let said = buyer.insist(&ask).await;
                assert!(said.is_yes() && said.repeated, "{said:?}");
                note.add(text(&said, "id").unwrap());
                buyer.wait(ms(8_000)).await;
                let said = buyer.insist(&ask).await;
                assert!(said.is_yes() && said.repeated, "{said:?}");
                assert_eq!(text(&said, "state").as_deref(), Some("expired"));
                note.add(text(&said, "id").unwrap());
                assert_eq!(buyer.available().await, 1, "nothing is taken again");
            })],
        );
        assert!(
            unheard(calls(&lived, "order").next().unwrap()),
            "seed {seed}"
        );
        assert_eq!(names.all()[0], names.all()[1]);
        assert_eq!(
            entered(&lived, |entry| matches!(entry, Entry::Placed(_))),
            1
        );
    }
}

/// tigerbeetle#3658: mass expiry. All holds are due at one moment, each batch ends a few, and the process dies between.
#[test]
fn mass_expiry_gives_every_unit_back_once_though_the_process_dies_in_it() {
    for seed in 1..=4 {
        let mut plan = quiet(seed, 40);
        plan.sales[0].hold_ms = 5_000;
        plan.shop.desk.sweep_holds_max = 3;
        plan.incidents = vec![Incident {
            at: ms(4_950),
            what: Trouble::KillAtDisk(3, Moment::After),
        }];
        let mut acts: Vec<Act> = (0..40)
            .map(|nth| asks_once(nth + 100, format!("b{nth}"), ms(0), &Notes::new()))
            .collect();
        acts.push(act(|market| async move {
            let mut buyer = Actor::buyer(&market, 200, "late");
            buyer.wait(ms(20_000)).await;
            assert_eq!(buyer.available().await, 40);
            buyer.buy("all", 9).await;
            assert_eq!(buyer.available().await, 31);
        }));
        let lived = lived(&plan, acts);
        let sweeps = entered(&lived, |entry| matches!(entry, Entry::Expired { .. }));
        assert!(sweeps >= 40 / 3, "seed {seed}: {sweeps} sweeps");
        assert_eq!(lived.evidence.restarts.len(), 1, "seed {seed}");
    }
}

/// D20: a snapshot of stock, taken every few seconds and written over live deductions, sells them twice. Here
/// snapshots are written and read models rebuilt in the middle of a sale, with holds alive.
#[test]
fn snapshots_and_rebuilt_models_never_write_over_live_holds() {
    for seed in 1..=4 {
        let mut plan = quiet(seed, 12);
        plan.shop.desk.snapshot_entries = 3;
        plan.shop.desk.snapshot_idle_ms = 5;
        plan.incidents = vec![
            Incident {
                at: ms(2_000),
                what: Trouble::Rebuild,
            },
            Incident {
                at: ms(5_000),
                what: Trouble::Rebuild,
            },
        ];
        let lived = lived(
            &plan,
            (0..6)
                .map(|nth| {
                    act(move |market| async move {
                        let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
                        buyer.wait(ms(u64::from(nth) * 150)).await;
                        let order = buyer.take("held", 2).await;
                        buyer.wait(ms(8_000)).await;
                        // All is held, before and after: nobody gets one more.
                        let said = buyer.place("more", 1).await;
                        assert_eq!(said.code().as_deref(), Some("TG-2102"));
                        assert_eq!(buyer.available().await, 0);
                        assert!(buyer.with_order(&order, "pay", "pay").await.is_yes());
                        buyer.until(&order, &["paid"]).await;
                    })
                })
                .collect(),
        );
        assert_eq!(units(&owned(&lived)), 12, "seed {seed}");
        assert_eq!(lived.evidence.restarts.len(), 2, "seed {seed}");
    }
}

/// vendure#4930, medusa#16569: a crash between the check and the allocation, or between the allocation and the order.
/// Here the process dies around each of the first operations of the disk after two buyers have asked.
#[test]
fn a_crash_at_any_disk_operation_leaves_the_last_unit_sold_once() {
    let mut crashed = 0;
    for at in 1..=4 {
        for moment in [Moment::Before, Moment::After] {
            let mut plan = quiet(at * 7, 1);
            plan.incidents = vec![Incident {
                at: ms(100),
                what: Trouble::PowerOffAtDisk(at, moment),
            }];
            let won = Notes::new();
            let acts = (0..2).map(|nth| {
                let won = won.clone();
                act(move |market| async move {
                    let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
                    buyer.wait(ms(101)).await;
                    let said = buyer.place(&format!("k{nth}"), 1).await;
                    won.add(said.is_yes());
                    if said.is_yes() {
                        let order = text(&said, "id").unwrap();
                        buyer.with_order(&order, "pay", &format!("p{nth}")).await;
                        buyer.until(&order, &["paid"]).await;
                    }
                })
            });
            let lived = lived(&plan, acts.collect());
            crashed += lived.evidence.restarts.len();
            assert_eq!(won.count(|won| *won), 1, "operation {at} {moment:?}");
            assert_eq!(units(&owned(&lived)), 1, "operation {at} {moment:?}");
        }
    }
    assert_eq!(crashed, 8, "each of them has crashed");
}

/// E45: the price of a line is rounded once, half to even: the boundary is .5 of a minor unit.
#[test]
fn a_line_is_rounded_once_and_half_goes_to_even() {
    for (price, quantity, minor) in [
        ("0.125", 1, 12),
        ("0.375", 1, 38),
        ("0.005", 1, 0),
        ("0.0051", 1, 1),
        ("0.0049", 1, 0),
        ("0.125", 3, 38),
        ("3.3333", 3, 1_000),
    ] {
        let mut plan = quiet(3, 10);
        plan.sales[0].prices = vec![price];
        lived(
            &plan,
            vec![act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let said = buyer.place("order", quantity).await;
                let total = number(&said, "total_minor");
                assert_eq!(total, minor, "{quantity} of {price}");
            })],
        );
    }
}

/// E45: exactly the limit of an order and of a buyer, exactly the last unit, and one more of each.
#[test]
fn the_last_that_fits_is_taken_and_one_more_is_not() {
    for seed in 1..=3 {
        let mut plan = quiet(seed, 13);
        plan.sales[0].units_per_buyer = Some(12);
        let lived = lived(
            &plan,
            vec![act(|market| async move {
                let mut anna = Actor::buyer(&market, 100, "anna");
                let refused = async |actor: &mut Actor, key: &str, units, code: &str| {
                    let said = actor.place(key, units).await;
                    assert_eq!(said.code().as_deref(), Some(code), "{key}");
                };
                refused(&mut anna, "eleven-in-one-order", 11, "TG-2103").await;
                anna.take("ten-in-one-order", 10).await;
                refused(&mut anna, "thirteen-of-a-buyer", 3, "TG-2103").await;
                anna.take("twelve-of-a-buyer", 2).await;
                let mut ben = Actor::buyer(&market, 101, "ben");
                refused(&mut ben, "one-too-many", 2, "TG-2102").await;
                ben.take("the-last", 1).await;
                refused(&mut ben, "none", 1, "TG-2102").await;
                // Exactly what is there can be written off only while it is there.
                let body = json!({"sku": "SKU-0", "units": 1, "reason": "broken"});
                let sale = anna.sale();
                let ask = Ask::post(format!("/v1/sales/{sale}/write-offs"), "off", &body);
                let said = Actor::merchant(&market, 102).insist(&ask).await;
                assert_eq!(said.code().as_deref(), Some("TG-2109"));
            })],
        );
        assert_eq!(units(&orders(&lived)), 13, "seed {seed}");
        assert!(calls(&lived, "the-last").all(|call| heard(call).is_some()));
    }
}
