//! Risk in front of a whole shop: who is blocked, who is not, and that a repeat hears what it heard.

use std::net::IpAddr;
use std::sync::Arc;

use api::order::{BatchOrder, PlaceOrder};
use api::sale::Turn;
use api::service::{Call, Caller, Orders, Sales};
use api::{Code, SaleId};
use commerce::rules::{RuleSet, RuleText, Then};
use tidegate_shop::Handle;
use tidegate_shop::risk::{
    PastOrder, Policy, Reason, Risk, RiskEvaluator, RiskFacts, Settings, past_orders,
};

use crate::whole::{buyer, call, directory, merchant, one_cup, open, selling};

/// An evaluator whose answer is given: both ways are tried by it.
struct Always(Risk);

impl RiskEvaluator for Always {
    fn evaluate(&self, _facts: &RiskFacts<'_>) -> Risk {
        self.0.clone()
    }
}

fn reason(rule: &str) -> Reason {
    Reason {
        rule: rule.into(),
        text: "as you were told".into(),
        broken: false,
    }
}

fn always(risk: Risk) -> Policy {
    Policy::of(Arc::new(Always(risk)), 1_000)
}

fn policy(rules: &[(&str, Then)], settings: &Settings) -> Policy {
    let texts: Vec<_> = rules
        .iter()
        .map(|(when, then)| RuleText {
            name: (*when).into(),
            when: (*when).into(),
            then: *then,
            reason: "no".into(),
        })
        .collect();
    let rules = RuleSet::compile(&texts).expect("rules");
    Policy::new(settings, rules).expect("a policy")
}

async fn placed(handle: &Handle, call: Call, sale: SaleId) -> Result<(), Code> {
    let answer = handle.place(call, one_cup(sale)).await;
    answer.map(|_| ()).map_err(|problem| problem.code())
}

#[tokio::test]
async fn a_policy_is_swapped_while_the_shop_runs_and_both_ways_are_heard() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    handle.risk().swap(always(Risk::Block(reason("never"))));
    let problem = handle
        .place(call(buyer("ann"), "a"), one_cup(sale))
        .await
        .expect_err("blocked");
    assert_eq!(problem.code(), Code::RiskBlocked);
    assert_eq!(problem.detail(), "blocked by risk policy: as you were told");
    handle.risk().swap(always(Risk::Review(reason("look"))));
    assert_eq!(placed(&handle, call(buyer("ann"), "a"), sale).await, Ok(()));
    handle.risk().swap(Policy::default());
    assert_eq!(placed(&handle, call(buyer("bob"), "b"), sale).await, Ok(()));
    shop.stop().await;
}

#[tokio::test]
async fn a_repeat_of_a_known_key_hears_what_it_heard_whatever_risk_says_by_now() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let first = handle
        .place(call(buyer("ann"), "cart"), one_cup(sale))
        .await
        .expect("there is one");
    handle.risk().swap(always(Risk::Block(reason("never"))));
    let again = handle
        .place(call(buyer("ann"), "cart"), one_cup(sale))
        .await
        .expect("a repeat");
    assert!(again.repeated);
    assert_eq!(again.body.id, first.body.id);
    let other = placed(&handle, call(buyer("ann"), "other"), sale).await;
    assert_eq!(other, Err(Code::RiskBlocked));
    let order = first.body.id;
    let pay = handle.pay(call(buyer("ann"), "pay"), order).await;
    let code = pay.map_err(|problem| problem.code()).err();
    assert_eq!(code, Some(Code::RiskBlocked), "payments pass the guard too");
    let cancel = handle.cancel(call(buyer("ann"), "cancel"), order).await;
    assert!(cancel.is_ok(), "giving up is no risk");
    shop.stop().await;
}

#[tokio::test]
async fn a_blocked_order_takes_no_unit_and_binds_no_key() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    handle.risk().swap(always(Risk::Block(reason("never"))));
    for key in ["a", "b", "c", "d"] {
        let code = placed(&handle, call(buyer("ann"), key), sale).await;
        assert_eq!(code, Err(Code::RiskBlocked));
    }
    handle.risk().swap(Policy::default());
    for key in ["a", "b", "c"] {
        assert_eq!(placed(&handle, call(buyer("ann"), key), sale).await, Ok(()));
    }
    shop.stop().await;
}

#[tokio::test]
async fn rules_see_what_the_order_costs_what_was_told_and_what_the_buyer_has() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let rules = [
        ("order.total_minor != 1250 || order.units != 1", Then::Block),
        ("buyer.units > 0", Then::Block),
        ("buyer.level < 2 && buyer.new_customer", Then::Block),
        ("sale.available > 0", Then::Admit),
    ];
    handle.risk().swap(policy(&rules, &Settings::default()));
    let mut told = one_cup(sale);
    told.buyer = Some("ann".into());
    told.facts = Some(api::BuyerFacts {
        level: 1,
        new_customer: true,
        ..api::BuyerFacts::default()
    });
    let new = handle
        .place(call(merchant("shop"), "new"), told.clone())
        .await;
    assert_eq!(
        new.map_err(|problem| problem.code()).err(),
        Some(Code::RiskBlocked)
    );
    if let Some(facts) = &mut told.facts {
        facts.level = 2;
    }
    let fine = handle
        .place(call(merchant("shop"), "fine"), told.clone())
        .await;
    assert!(fine.is_ok(), "the second level is enough");
    let more = handle
        .place(call(merchant("shop"), "more"), told.clone())
        .await;
    assert_eq!(
        more.map_err(|problem| problem.code()).err(),
        Some(Code::RiskBlocked)
    );
    told.paid = serde_json::from_str(r#"{"reference":"till"}"#).expect("a reference");
    let past = handle.place(call(merchant("shop"), "past"), told).await;
    assert!(
        past.is_ok(),
        "what was paid elsewhere cannot be kept from happening"
    );
    shop.stop().await;
}

#[tokio::test]
async fn one_address_behind_many_buyers_is_slowed_down_and_others_are_not() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let settings = Settings {
        address_max: 2,
        window_ms: 3_600_000,
        ..Settings::default()
    };
    handle.risk().swap(policy(&[], &settings));
    let from = |name: &str, address: &str| Call {
        address: address.parse::<IpAddr>().ok(),
        ..call(buyer(name), "cart")
    };
    let mut said = Vec::new();
    for name in ["a", "b", "c"] {
        said.push(placed(&handle, from(name, "192.0.2.1"), sale).await);
    }
    assert_eq!(said, [Ok(()), Ok(()), Err(Code::RiskBlocked)]);
    assert_eq!(placed(&handle, from("d", "192.0.2.2"), sale).await, Ok(()));
    let again = placed(&handle, from("a", "192.0.2.1"), sale).await;
    assert_eq!(again, Ok(()), "a repeat is no new order");
    shop.stop().await;
}

#[tokio::test]
async fn in_a_batch_the_blocked_are_refused_and_the_others_are_decided() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    let rules = [("has(buyer.name) && buyer.name == 'bot'", Then::Block)];
    handle.risk().swap(policy(&rules, &Settings::default()));
    let orders: Vec<BatchOrder> = ["ann", "bot", "bob"]
        .iter()
        .map(|name| {
            let json = format!(
                r#"{{"idempotency_key":"{name}","sale_id":"{sale}","buyer":"{name}","lines":[{{"sku":"CUP","quantity":1}}]}}"#
            );
            serde_json::from_str(&json).expect("an order")
        })
        .collect();
    let answer = handle
        .place_batch(call(merchant("shop"), "-"), orders)
        .await
        .expect("a batch");
    let codes: Vec<_> = answer
        .body
        .results
        .iter()
        .map(|result| (result.status, result.code.as_deref()))
        .collect();
    assert_eq!(codes, [(201, None), (403, Some("TG-2120")), (201, None)]);
    shop.stop().await;
}

#[tokio::test]
async fn past_orders_are_seen_as_they_were_when_they_were_placed() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle).await;
    for (name, key) in [("ann", "a"), ("bob", "b"), ("ann", "c")] {
        assert_eq!(placed(&handle, call(buyer(name), key), sale).await, Ok(()));
    }
    shop.stop().await;
    let disk: Arc<dyn world::Disk> = Arc::new(world::OsDisk);
    let mut seen = Vec::new();
    let mut each = |order: &PastOrder| {
        let past = (order.past.units, order.past.orders, order.past.lapses);
        let name = order.buyer.as_deref().map(str::to_owned);
        seen.push((name, past, order.available, order.counters.buyer));
        assert_eq!(order.order.total_minor, 1_250);
    };
    past_orders(&disk, dir.path(), 3_600_000, &mut each).expect("journals");
    let ann = Some("ann".to_owned());
    let expected = [
        (ann.clone(), (0, Some(0), Some(0)), 3, 1),
        (Some("bob".to_owned()), (0, Some(0), Some(0)), 2, 1),
        (ann, (1, Some(1), Some(0)), 1, 2),
    ];
    assert_eq!(seen, expected);
}

/// A sale with rules makes no plain orders, and the trial of its rules sees all that it made.
#[tokio::test]
async fn past_orders_of_offers_are_seen_with_their_facts_and_seats() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = r#"{"name":"Cups","currency":"EUR","skus":[{"sku":"CUP","price":"12.50","stock":2}],
        "offer":{"line":{"hold_ms":60000},"groups":[{"sku":"CUP","size":2,"lifetime_ms":600000,"alone":"sold"}],
            "rules":[{"name":"all","when":"buyer.level >= 0","then":"admit","reason":"-"}]}}"#;
    let sale = serde_json::from_str(sale).expect("a sale");
    let made = Sales::create(&*handle, call(merchant("shop"), "create"), sale);
    let sale = made.await.expect("a sale").body.id;
    let opened = handle.turn(call(merchant("shop"), "open"), sale, Turn::Open);
    opened.await.expect("it opens");
    let known = |name: &str, tag: &str| Caller::Buyer {
        id: name.into(),
        tags: [Box::from(tag)].into(),
    };
    let place = |who: Caller, team: &str| {
        let body =
            format!(r#"{{"sale_id":"{sale}","lines":[{{"sku":"CUP","quantity":1}}]{team}}}"#);
        let body: PlaceOrder = serde_json::from_str(&body).expect("an order");
        handle.place(call(who, "place"), body)
    };
    let opens = place(known("ann", "level:3"), r#","team":{"open":true}"#);
    let first = opens.await.expect("a seat").body.id;
    place(known("bob", "region:eu"), "")
        .await
        .expect("it is placed");
    let wait = serde_json::from_str(r#"{"sku":"CUP"}"#).expect("a body");
    let waits = handle.join_line(call(known("cat", "points:7"), "wait"), sale, wait);
    waits.await.expect("a place");
    let back = handle.cancel(call(known("ann", "level:3"), "cancel"), first);
    back.await.expect("it is given up");
    shop.stop().await;
    let disk: Arc<dyn world::Disk> = Arc::new(world::OsDisk);
    let mut seen = Vec::new();
    let mut each = |order: &PastOrder| {
        assert!(order.on_record);
        let facts = &order.facts;
        let known = (facts.level, facts.region.is_some(), facts.points);
        let name = order
            .buyer
            .as_deref()
            .map(str::to_owned)
            .unwrap_or_default();
        seen.push((name, known, order.order.team, order.order.opens));
    };
    past_orders(&disk, dir.path(), 3_600_000, &mut each).expect("journals");
    let expected = [
        ("ann".to_owned(), (3, false, 0), true, true),
        ("bob".to_owned(), (0, true, 0), false, false),
        ("cat".to_owned(), (0, false, 7), false, false),
    ];
    assert_eq!(seen, expected);
}
