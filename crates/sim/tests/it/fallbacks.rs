//! A35: what each part does when another one is gone, as a contract. The contract is the table of error codes that say
//! "send it again": each of them is exercised here against its trouble, or says where else it is, so that a new one
//! cannot be declared without being shown.

use api::code::{Again, Code};
use commerce::entry::Entry;
use serde_json::json;
use shop::provider::sandbox::PerMille;
use tidegate_sim::client::Ask;
use tidegate_sim::crowd::Market;
use tidegate_sim::disk::{Fault, FaultKind};
use tidegate_sim::life::Lived;
use tidegate_sim::plan::{Incident, LifePlan, Place, Trouble};
use tidegate_sim::record::{Outcome, Said};
use tidegate_sim::stage::SHOP;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::plans::{Actor, Notes, act, entered, heard, lived, ms, orders, quiet, text, units};

/// Whether a life told a code, with the status that goes with it.
fn told(lived: &Lived, code: Code) -> bool {
    let said = lived.evidence.calls.iter().filter_map(heard);
    let told: Vec<&Said> = said
        .filter(|said| said.code().as_deref() == Some(code.as_str()))
        .collect();
    assert!(told.iter().all(|said| said.status == code.status()));
    assert!(
        told.iter()
            .all(|said| said.body.contains("\"retryable\":true"))
    );
    !told.is_empty()
}

/// The disk takes no more: the sale goes on to be read, and is written again when there is room.
fn full_disk(seed: u64) -> Lived {
    let mut plan = quiet(seed, 50);
    plan.shop.desk.resume_ms = 200;
    let lived = lived(
        &plan,
        vec![act(|market| async move {
            let mut buyer = Actor::buyer(&market, 100, "anna");
            let order = buyer.take("before", 1).await;
            market.stage.disk().set_read_only(true);
            for nth in 0..6 {
                let _ = buyer.once(&buyer.order(&format!("in-{nth}"), &[1])).await;
                buyer.wait(ms(50)).await;
            }
            // Reads go on: the book answers, and the order that was told is there.
            assert_eq!(
                text(&buyer.see(&order).await, "state").as_deref(),
                Some("held")
            );
            assert!(buyer.available().await >= 43);
            let answer = raw_order(&market, "raw").await;
            assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
            assert!(
                answer.to_lowercase().contains("\r\nretry-after: "),
                "{answer}"
            );
            market.stage.disk().set_read_only(false);
            for nth in 0..6 {
                assert!(buyer.place(&format!("in-{nth}"), 1).await.is_yes());
            }
        })],
    );
    let after = orders(&lived)
        .iter()
        .filter(|order| order.lines[0].quantity == 1)
        .count();
    assert!(after >= 7, "{after} orders");
    lived
}

/// An order with bare hands, since headers matter.
async fn raw_order(market: &Market, key: &str) -> String {
    let (token, sale) = (market.stage.token("raw"), &market.sale_ids()[0]);
    let body = json!({"sale_id": sale, "lines": [{"sku": "SKU-0", "quantity": 1}]}).to_string();
    let request = format!(
        "POST /v1/orders HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer {token}\r\nidempotency-key: {key}\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let net = market.stage.net.of(&market.stage.street);
    let mut stream = net.connect(SHOP.0, SHOP.1).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Syncs fail while buyers buy: who was in the batch hears "unknown", and finds out with the same key.
fn failed_sync(seed: u64) -> Lived {
    let mut plan = quiet(seed, 50);
    plan.shop.desk.resume_ms = 100;
    plan.disk = Fault::during(FaultKind::SyncError, 70..73).into();
    let acts = (0..20).map(|nth| {
        act(move |market| async move {
            let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
            buyer.wait(ms(u64::from(nth) * 5)).await;
            assert!(buyer.place("order", 1).await.is_yes());
        })
    });
    let lived = lived(&plan, acts.collect());
    assert!(lived.disk.met[&FaultKind::SyncError] > 0);
    assert_eq!(units(&orders(&lived)), 20);
    lived
}

/// The desk's queue has room for one.
fn full_queue(seed: u64) -> Lived {
    let mut plan = quiet(seed, 60);
    plan.shop.desk.queue_commands_max = 1;
    plan.shop.desk.batch_commands_max = 1;
    let acts = (0..30).map(|nth| {
        act(move |market| async move {
            let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
            assert!(buyer.place("order", 1).await.is_yes());
        })
    });
    let lived = lived(&plan, acts.collect());
    assert_eq!(units(&orders(&lived)), 30, "all came in, in the end");
    lived
}

/// An operator stops the server while people ask.
fn closing(seed: u64) -> Lived {
    let mut plan = quiet(seed, 200);
    plan.incidents = vec![Incident {
        at: ms(100),
        what: Trouble::Restart,
    }];
    let acts = (0..20).map(|nth| {
        act(move |market| async move {
            let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
            for at in 0..8 {
                let ask = buyer.order(&format!("k{nth}-{at}"), &[1]);
                assert!(buyer.insist(&ask).await.is_yes());
                buyer.wait(ms(20)).await;
            }
        })
    });
    let lived = lived(&plan, acts.collect());
    assert_eq!(units(&orders(&lived)), 160);
    lived
}

/// The bank is slow, and the buyer clicks again with a new key.
fn slow_bank(seed: u64) -> Lived {
    let mut plan = quiet(seed, 5);
    plan.bank.slow_per_mille = PerMille::ALL;
    plan.bank.slow_ms = 500;
    lived(
        &plan,
        vec![act(|market| async move {
            let mut buyer = Actor::buyer(&market, 100, "anna");
            let order = buyer.take("order", 1).await;
            assert!(buyer.with_order(&order, "pay", "pay").await.is_yes());
            let said = buyer.with_order(&order, "pay", "again").await;
            assert_eq!(said.code().as_deref(), Some("TG-2111"));
            buyer.until(&order, &["paid"]).await;
        })],
    )
}

/// Every "send it again" that is declared has a life in which it is told and after which all is well; those that need
/// another world name the test that shows them.
#[test]
fn every_declared_fallback_is_exercised() {
    for code in Code::ALL {
        if code.again() == Again::Never {
            continue;
        }
        let life: fn(u64) -> Lived = match code {
            Code::Busy => full_queue,
            Code::OutcomeUnknown => failed_sync,
            Code::ReadOnly => full_disk,
            Code::PaymentInFlight => slow_bank,
            // `chaos::a_wounded_http_stack_serves_honest_buyers_and_decides_nothing_half_heard`.
            Code::TooSlow => continue,
            // An answer of a server that drains is a matter of a moment: below, without a moment of its own.
            Code::ShuttingDown => closing,
            // `edge/tests/it/connections.rs`: more connections than there may be; a defect of Tidegate itself.
            Code::TooManyRequests | Code::Internal => continue,
            // Told by the book, whose tests show that it is over with time: `who_lets_holds_lapse_gets_fewer_and_shorter…`
            // and `deposit_then_balance_sells_the_order…` in `crates/commerce/src/book/group_tests`.
            Code::OpenHolds | Code::BalanceNotDue => continue,
            // A carrier's code that the table does not know: `shop/tests/it/sending.rs`.
            Code::CarrierCode => continue,
            new => panic!("{} is declared and nowhere exercised", new.as_str()),
        };
        let seen = (1..=4).any(|seed| told(&life(seed), *code));
        // A server that drains may also just close its door, which is what clients see most.
        assert!(seen || *code == Code::ShuttingDown, "{}", code.as_str());
    }
}

/// Read models are thrown away: the book answers for orders and stock, lists say how far behind they are, and they
/// catch up.
#[test]
fn without_read_models_the_book_answers_and_lists_say_their_lag() {
    for seed in 1..=3 {
        let mut plan: LifePlan = quiet(seed, 30);
        plan.shop.projector.gather_ms = 2_000;
        plan.incidents = vec![Incident {
            at: ms(3_000),
            what: Trouble::Rebuild,
        }];
        let lags: Notes<u64> = Notes::new();
        let note = lags.clone();
        let lived = lived(
            &plan,
            vec![act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let order = buyer.take("order", 3).await;
                buyer.wait(ms(3_500)).await;
                assert_eq!(
                    text(&buyer.see(&order).await, "state").as_deref(),
                    Some("held")
                );
                assert_eq!(buyer.available().await, 27);
                for nth in 0..8 {
                    buyer.take(&format!("more-{nth}"), 1).await;
                    let list = Ask::get("/v1/orders?limit=50");
                    let Outcome::Said(said) = buyer.once(&list).await else {
                        continue;
                    };
                    let page: serde_json::Value = serde_json::from_str(&said.body).unwrap();
                    let behind = page["read_model"]["behind_batches"].as_u64().unwrap();
                    let shown = page["orders"].as_array().unwrap().len() as u64;
                    assert!(shown + behind > nth, "what is missing is told");
                    note.add(behind);
                }
            })],
        );
        assert!(lags.count(|behind| *behind > 0) > 0, "{:?}", lags.all());
        assert_eq!(units(&orders(&lived)), 11, "seed {seed}");
    }
}

/// The bank cannot be reached: a payment is taken in and waits, its order says so, and it is charged once later.
#[test]
fn without_the_bank_payments_wait_and_are_charged_once_later() {
    for seed in 1..=3 {
        let mut plan = quiet(seed, 5);
        plan.shop.cashier.reconcile_every_ms = 10_000;
        plan.shop.cashier.reconcile_older_ms = 2_000;
        plan.incidents = vec![Incident {
            at: ms(10),
            what: Trouble::Cut(Place::Shop, Place::Bank, ms(15_000)),
        }];
        let lived = lived(
            &plan,
            vec![act(|market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                buyer.wait(ms(100)).await;
                let order = buyer.take("order", 1).await;
                assert!(buyer.with_order(&order, "pay", "pay").await.is_yes());
                buyer.wait(ms(5_000)).await;
                assert_eq!(
                    text(&buyer.see(&order).await, "state").as_deref(),
                    Some("paying")
                );
                // The shop sells on.
                Actor::buyer(&market, 101, "ben").take("other", 1).await;
                buyer.wait(ms(40_000)).await;
                buyer.until(&order, &["paid"]).await;
            })],
        );
        assert_eq!(lived.evidence.charges.len(), 1, "seed {seed}");
        let begun = entered(&lived, |entry| matches!(entry, Entry::PayBegun { .. }));
        assert_eq!(begun, 1, "seed {seed}");
    }
}
