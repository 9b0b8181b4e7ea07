//! Lies that clients were told, and what looks like one and is none.

use std::time::Duration;

use serde_json::{Value, json};

use super::life::{Life, forged, order_id};
use super::{finds, judge};
use crate::record::{Call, Evidence, Outcome, Said, Who};

/// A busy life, one of whose calls went otherwise: the first under this key by this buyer, or by the merchant.
fn told(who: &str, key: &str, change: impl FnOnce(&mut Call)) -> Evidence {
    let mut evidence = Life::busy().evidence();
    change(find(&mut evidence, who, key));
    evidence
}

fn find<'a>(evidence: &'a mut Evidence, who: &str, key: &str) -> &'a mut Call {
    let who = match who {
        "" => Who::Merchant,
        name => Who::Buyer(name.into()),
    };
    let mut calls = evidence.calls.iter_mut();
    calls
        .find(|call| call.who == who && call.key.as_deref().unwrap_or("none") == key)
        .unwrap()
}

fn said(call: &mut Call) -> &mut Said {
    match &mut call.outcome {
        Outcome::Said(said) => said,
        other => panic!("{other:?}"),
    }
}

/// The same, with one field of the answer's body changed.
fn shown(who: &str, key: &str, field: &str, value: Value) -> Evidence {
    told(who, key, |call| {
        let said = said(call);
        let mut body: Value = serde_json::from_str(&said.body).unwrap();
        *body.pointer_mut(field).unwrap() = value;
        said.body = body.to_string();
    })
}

fn refused(code: &str) -> Outcome {
    Outcome::Said(Said {
        status: 409,
        repeated: false,
        position: None,
        body: json!({"code": code}).to_string(),
    })
}

#[test]
fn a_receipt_is_on_the_chain() {
    let other = told("ann", "a1", |call| {
        if let Some((_, position)) = &mut said(call).position {
            position.chain[0] ^= 1;
        }
    });
    finds(&other, "INV-7", "is not on the chain");
    let ahead = told("ann", "a1", |call| {
        if let Some((_, position)) = &mut said(call).position {
            position.sequence = 900;
        }
    });
    finds(&ahead, "INV-7", "is not on the chain");
    let body = shown(
        "",
        "none",
        "/sales/0/position",
        json!(format!("1-{}", "0".repeat(32))),
    );
    finds(&body, "INV-7", "is not on the chain");
}

#[test]
fn a_yes_is_in_the_journal() {
    let mut lost = Life::busy().evidence();
    let mut invented = find(&mut lost, "ann", "a1").clone();
    invented.key = Some("never".into());
    lost.calls.push(invented);
    finds(&lost, "INV-7", "a yes that is not in the journal");
    let later = told("ann", "p1", |call| {
        said(call).repeated = false;
        call.key = Some("a1".into());
    });
    finds(&later, "INV-7", "the receipt says batch");
    let other = told("ann", "p1", |call| {
        call.path = call.path.replace("/pay", "/cancel")
    });
    finds(&other, "INV-7", "a yes to something else than was done");
    let gone = shown("ann", "a1", "/id", json!(order_id(70)));
    finds(&gone, "INV-7", "is gone");
    let garbled = told("ann", "a1", |call| said(call).body = "{".into());
    finds(&garbled, "INV-7", "a yes that cannot be read");
}

#[test]
fn a_definite_no_leaves_nothing_behind() {
    let paid = told("ann", "p1", |call| call.outcome = refused("TG-2106"));
    finds(&paid, "INV-7", "refused, and yet it was done");
    let unheard = told("ann", "p1", |call| {
        call.outcome = Outcome::Unheard("cut off")
    });
    assert_eq!(judge(&unheard), []);
    let mut both = unheard;
    let mut again = find(&mut both, "ann", "p1").clone();
    again.outcome = refused("TG-2105");
    both.calls.push(again);
    assert_eq!(judge(&both), []);
}

#[test]
fn what_the_server_does_not_know_may_be_either() {
    for status in [408, 429, 500, 503] {
        let unknown = told("eve", "x1", |call| said(call).status = status);
        assert_eq!(judge(&unknown), [], "{status}");
        let never = told("ann", "a2", |call| said(call).status = status);
        assert_eq!(judge(&never), [], "{status}");
    }
    let open = told("eve", "x1", |call| call.outcome = Outcome::Open);
    assert_eq!(judge(&open), []);
}

#[test]
fn a_key_gives_one_order_once() {
    let two = {
        let mut evidence = Life::busy().evidence();
        let again = evidence
            .calls
            .iter_mut()
            .filter(|call| call.key.as_deref() == Some("a1"))
            .nth(1);
        let said = said(again.unwrap());
        said.body = said
            .body
            .replace(&order_id(0).to_string(), &order_id(1).to_string());
        evidence
    };
    finds(&two, "INV-4", "one key gave");
    let twice = {
        let mut evidence = Life::busy().evidence();
        for call in evidence
            .calls
            .iter_mut()
            .filter(|call| call.key.as_deref() == Some("a1"))
        {
            said(call).repeated = false;
        }
        evidence
    };
    finds(&twice, "INV-4", "done twice under one key");
    let other = told("ann", "a1", |call| {
        call.body = call.body.replace(":3", ":2")
    });
    finds(&other, "INV-4", "one key, two requests, both accepted");
}

#[test]
fn nobody_gets_what_nobody_asked_for() {
    let mut evidence = Life::busy().evidence();
    evidence
        .calls
        .retain(|call| call.key.as_deref() != Some("a1"));
    finds(&evidence, "INV-4", "nobody asked for");
}

#[test]
fn an_order_is_shown_as_it_was_at_its_receipt() {
    finds(
        &shown("ann", "a1", "/state", json!("paid")),
        "INV-7",
        "with other money or another state",
    );
    finds(
        &shown("ann", "p1", "/captured_minor", json!(5)),
        "INV-7",
        "with other money",
    );
    finds(
        &shown("bob", "none", "/state", json!("cancelled")),
        "INV-7",
        "with other money",
    );
    finds(
        &shown("ann", "a1", "/buyer", json!("bob")),
        "INV-7",
        "another buyer",
    );
    finds(
        &shown("ann", "a1", "/total_minor", json!(1)),
        "INV-7",
        "another price",
    );
    finds(
        &shown("ann", "a1", "/lines/0/price", json!("1.00")),
        "INV-7",
        "other lines",
    );
    finds(
        &shown("ann", "a1", "/lines/0/total_minor", json!(3_751)),
        "INV-7",
        "other lines",
    );
    finds(
        &shown("ann", "a1", "/placed_at", json!("2001-01-01T00:00:00Z")),
        "INV-7",
        "another date",
    );
    let less = told("ann", "a1", |call| {
        call.body = call.body.replace(":3", ":1")
    });
    finds(&less, "INV-7", "asked for");
}

#[test]
fn a_hold_that_is_due_shows_as_expired_before_it_is_swept() {
    let mut life = Life::open(3);
    let order = life.place("ann", "a", 1).unwrap();
    life.now += 20_000;
    life.look("ann", order);
    life.place("bob", "b", 3).unwrap();
    life.now += 20_000;
    life.place("cid", "c", 3).unwrap();
    life.cancel("cid", "x", 2);
    assert_eq!(judge(&life.evidence()), []);
}

#[test]
fn refunds_and_sales_are_shown_as_they_are() {
    finds(
        &shown("", "r1", "/amount_minor", json!(1)),
        "INV-7",
        "is another",
    );
    finds(
        &shown("", "r1", "/id", json!("ref_00000000001009")),
        "INV-7",
        "is gone",
    );
    finds(
        &shown("", "s1", "/skus/0/sold_count", json!(0)),
        "INV-7",
        "units do not add up",
    );
    finds(
        &shown("", "s1", "/state", json!("paused")),
        "INV-7",
        "was not paused",
    );
    finds(
        &shown("", "s1", "/skus/0/price", json!("1.00")),
        "INV-7",
        "was not like this",
    );
    finds(
        &shown("", "s1", "/id", json!("sale_00009")),
        "INV-7",
        "is gone",
    );
    finds(
        &shown("", "none", "/sales/0/available_count", json!(77)),
        "INV-7",
        "had not 77 units",
    );
    let more = told("", "s1", |call| call.body = call.body.replace(":5", ":6"));
    finds(&more, "INV-7", "did not move");
}

#[test]
fn lists_show_orders_that_exist() {
    let mut evidence = Life::busy().evidence();
    let mut orders = evidence.listed[&1].clone();
    orders.truncate(2);
    let page = |orders: &[api::order::Order]| {
        json!({"orders": orders.iter().map(|order| serde_json::to_value(order).unwrap()).collect::<Vec<_>>(),
            "read_model": {"positions": [], "lag_ms": 0, "behind_batches": 0}})
    };
    let mut call = find(&mut evidence, "", "none").clone();
    (call.method, call.path) = ("GET", "/v1/orders?limit=2".into());
    said(&mut call).body = page(&orders).to_string();
    evidence.calls.push(call.clone());
    assert_eq!(judge(&evidence), []);
    orders[0].id = order_id(60);
    said(&mut call).body = page(&orders).to_string();
    evidence.calls.push(call);
    finds(&evidence, "INV-7", "is gone");
}

#[test]
fn api_keys_are_in_the_house_journal() {
    let mut evidence = Life::busy().evidence();
    let mut call = find(&mut evidence, "", "none").clone();
    (call.method, call.path, call.key) = ("POST", "/v1/keys".into(), Some("k".into()));
    said(&mut call).body = json!({"id": api::KeyId(9)}).to_string();
    evidence.calls.push(call);
    finds(&evidence, "INV-7", "the API key");
}

#[test]
fn a_changed_plan_is_what_was_asked_for() {
    use commerce::plan::Patch;
    let life = |hold_ms: u32| {
        let mut life = Life::open(3);
        let patch = Patch {
            hold_ms: Some(hold_ms),
            ..Patch::default()
        };
        let action = commerce::Action::Alter(Box::new(patch));
        life.change(
            Who::Merchant,
            "alter",
            "/v1/sales/sale_00001",
            r#"{"hold_ms":60000}"#,
            action,
        );
        let mut evidence = life.evidence();
        find(&mut evidence, "", "alter").method = "PATCH";
        evidence
    };
    assert_eq!(judge(&life(60_000)), []);
    finds(&life(50_000), "INV-7", "the plan was not changed");
}

#[test]
fn orders_placed_together_are_deeds_of_their_own() {
    let mut evidence = Life::busy().evidence();
    let call = find(&mut evidence, "ann", "a1");
    let results = |id: u32, total: i64| {
        let (sale, position) = ("sale_00001", "3-00000000000000000000000000000000");
        json!({"results": [{"status": 201, "id": order_id(id), "total_minor": total}],
            "positions": [{"sale_id": sale, "position": position}]})
        .to_string()
    };
    let position = said(call).position.unwrap().1.to_string();
    let mut many = call.clone();
    (many.path, many.key) = ("/v1/orders:batch".into(), None);
    let order = call.body.replacen('{', r#"{"idempotency_key":"a1","#, 1);
    many.body = format!(r#"{{"orders":[{order}]}}"#);
    said(&mut many).position = None;
    let fits = |body: String| body.replace("3-00000000000000000000000000000000", &position);
    said(&mut many).body = fits(results(0, 3_752));
    *call = many.clone();
    assert_eq!(judge(&evidence), []);
    said(&mut many).body = fits(results(0, 1));
    *find(&mut evidence, "ann", "none") = many.clone();
    finds(&evidence, "INV-7", "has another price");
    said(&mut many).body = results(0, 3_752);
    *find(&mut evidence, "ann", "none") = many;
    finds(&evidence, "INV-7", "is not on the chain");
}

#[test]
fn nothing_goes_back_under_a_clients_eyes() {
    let mut evidence = Life::busy().evidence();
    let first = find(&mut evidence, "eve", "e1").clone();
    assert_eq!(judge(&evidence), []);
    let mut placed = evidence
        .calls
        .iter()
        .rfind(|call| call.who == first.who && call.key == first.key)
        .cloned()
        .unwrap();
    said(&mut placed).repeated = true;
    evidence.calls.push(placed);
    finds(&evidence, "monotonic reads", "went back from batch");
    finds(
        &evidence,
        "monotonic reads",
        "went back from cancelled to held",
    );
}

#[test]
fn the_stock_is_one_counter() {
    let mut life = Life::open(2);
    life.place("ann", "a", 2).unwrap();
    assert_eq!(life.place("bob", "b", 1), None);
    life.look_at_stock();
    life.cancel("ann", "x", 0);
    life.look_at_stock();
    life.place("bob", "b", 1).unwrap();
    life.cancel("bob", "x", 1);
    let mut evidence = life.evidence();
    assert_eq!(judge(&evidence), []);
    // The look at no stock is said to have come after the units were back: the receipt is a true one, of long ago.
    let end = evidence.calls.last().unwrap().ended_at + Duration::from_millis(10);
    let mut late = find(&mut evidence, "", "none").clone();
    (late.client, late.asked_at, late.ended_at) = (99, end, end);
    evidence.calls.push(late);
    finds(&evidence, "linearizable stock", "no order of these answers");
    let mut wrong = evidence.clone();
    wrong.calls.pop();
    let refusal = wrong
        .calls
        .iter_mut()
        .find(|call| call.key.as_deref() == Some("b"))
        .unwrap();
    said(refusal).body = json!({"code": "TG-2102", "units_left": 1}).to_string();
    finds(&wrong, "linearizable stock", "no order of these answers");
}

#[test]
fn a_history_that_is_too_much_is_left_undecided() {
    let mut life = Life::open(3);
    life.look_at_stock();
    let mut evidence = life.evidence();
    let look = find(&mut evidence, "", "none").clone();
    for client in 0..50 {
        let mut look = look.clone();
        look.client = 100 + client;
        evidence.calls.push(look);
    }
    let verdict = crate::oracle::verdict(&evidence);
    assert_eq!((verdict.findings, verdict.undecided), (Vec::new(), 1));
}

#[test]
fn a_journal_is_judged_without_its_clients() {
    assert_eq!(judge(&forged(|_| {})), []);
}
