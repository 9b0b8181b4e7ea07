//! Sound lives off the beaten track: none of them may raise an alarm.

use commerce::command::{Action, Ask, Place, RefundAsk, Report};
use commerce::plan::{Patch, SkuPatch, Turn, Window};
use commerce::{Done, Time};
use ledger::{Minor, UnitPrice, Units};

use super::judge;
use super::life::{Life, order_id};
use crate::record::Who;

/// An order that a merchant places, at a price of his own or paid elsewhere.
fn place_for(life: &mut Life, key: &str, price: Option<&str>, paid: Option<&str>) -> u32 {
    let own = price.map(|price| price.parse::<api::PriceText>().unwrap());
    let place = Place {
        buyer: Some("zoe".into()),
        tags: [].into(),
        lines: vec![Ask {
            sku: "cup".into(),
            units: 1,
            price: own.map(|price| UnitPrice(price.ten_thousandths())),
        }],
        paid: paid.map(Into::into),
        deal: None,
    };
    let price = price
        .map(|price| format!(r#","price":"{price}""#))
        .unwrap_or_default();
    let body =
        format!(r#"{{"sale_id":"sale_00001","lines":[{{"sku":"cup","quantity":1{price}}}]}}"#);
    match life.change(
        Who::Merchant,
        key,
        "/v1/orders",
        &body,
        Action::Place(place),
    ) {
        Some(Done::Order(order)) => order,
        other => panic!("{other:?}"),
    }
}

fn step(life: &mut Life, key: &str, order: u32, verb: &str, body: &str, action: Action) {
    let path = format!("/v1/orders/{}/{verb}", order_id(order));
    life.change(Who::Merchant, key, &path, body, action)
        .unwrap();
}

fn turn(life: &mut Life, key: &str, verb: &str, turn: Turn) {
    let path = format!("/v1/sales/sale_00001/{verb}");
    life.change(Who::Merchant, key, &path, "", Action::Turn(turn))
        .unwrap();
}

#[test]
fn money_collected_elsewhere_and_orders_for_nothing() {
    let mut life = Life::open(9);
    let elsewhere = place_for(&mut life, "e", None, Some("till 4"));
    let ask = RefundAsk {
        amount: Some(Minor(100)),
        ..RefundAsk::default()
    };
    step(
        &mut life,
        "r",
        elsewhere,
        "refunds",
        r#"{"amount_minor":100}"#,
        Action::Refund {
            order: elsewhere,
            ask,
        },
    );
    step(
        &mut life,
        "x",
        elsewhere,
        "cancel",
        "",
        Action::Cancel { order: elsewhere },
    );
    let free = place_for(&mut life, "f", Some("0"), None);
    let sold = place_for(&mut life, "g", Some("0.005"), None);
    step(
        &mut life,
        "y",
        free,
        "cancel",
        "",
        Action::Cancel { order: free },
    );
    step(
        &mut life,
        "s",
        sold,
        "ship",
        "",
        Action::Ship { order: sold },
    );
    step(
        &mut life,
        "d",
        sold,
        "deliver",
        "",
        Action::Deliver { order: sold },
    );
    assert_eq!(judge(&life.evidence()), []);
}

#[test]
fn a_bank_that_takes_more_than_there_was() {
    let mut life = Life::open(9);
    let order = life.place("ann", "a", 2).unwrap();
    life.pay("ann", "p", order);
    life.charge(order, 1, true);
    let body = r#"{"amount_minor":2000,"reference":"bank"}"#;
    let back = |reference: &str| {
        Action::Report(Report::Chargeback {
            order,
            amount: Minor(2_000),
            reference: reference.into(),
        })
    };
    step(&mut life, "c1", order, "chargebacks", body, back("bank"));
    step(&mut life, "c2", order, "chargebacks", body, back("bank"));
    step(
        &mut life,
        "x",
        order,
        "cancel",
        "",
        Action::Cancel { order },
    );
    life.look("ann", order);
    assert_eq!(judge(&life.evidence()), []);
}

#[test]
fn a_refund_that_failed_and_was_paid_after_all() {
    let mut life = Life::open(9);
    let order = life.place("ann", "a", 2).unwrap();
    life.pay("ann", "p", order);
    life.charge(order, 1, true);
    let ask = RefundAsk {
        amount: Some(Minor(900)),
        ..RefundAsk::default()
    };
    step(
        &mut life,
        "r",
        order,
        "refunds",
        r#"{"amount_minor":900}"#,
        Action::Refund { order, ask },
    );
    life.refunded(order, 1, false);
    life.refunds[0].outcome = api::provider::RefundOutcome::Refunded;
    life.report(Report::Refund {
        order,
        number: 1,
        outcome: commerce::command::RefundOutcome::Refunded,
    });
    assert_eq!(judge(&life.evidence()), []);
}

#[test]
fn the_plan_changes_while_the_sale_goes_on() {
    let mut life = Life::open(9);
    life.place("ann", "a", 1).unwrap();
    let cup = SkuPatch {
        sku: "cup".into(),
        title: None,
        price: Some(UnitPrice(200_000)),
        limits: None,
        stock: None,
    };
    let pot = SkuPatch {
        sku: "pot".into(),
        title: None,
        price: Some(UnitPrice(300_000)),
        limits: None,
        stock: Some(Units(2)),
    };
    let patch = Patch {
        window: Some(Window {
            opens: None,
            closes: Some(Time(50_000)),
        }),
        skus: vec![cup, pot],
        ..Patch::default()
    };
    life.change(
        Who::Merchant,
        "alter",
        "/v1/sales/sale_00001",
        "{}",
        Action::Alter(Box::new(patch)),
    );
    let call = life.calls.last_mut().unwrap();
    call.method = "PATCH";
    call.body =
        r#"{"skus":[{"sku":"cup","price":"20"},{"sku":"pot","price":"30","stock":2}]}"#.into();
    let order = life.place("bob", "b", 2).unwrap();
    turn(&mut life, "pause", "pause", Turn::Pause);
    assert_eq!(life.place("cid", "c", 1), None, "paused");
    life.pay("bob", "p", order);
    life.charge(order, 1, true);
    turn(&mut life, "resume", "open", Turn::Open);
    life.now = 60_000;
    assert_eq!(life.place("dan", "d", 1), None, "the window is over");
    life.look("bob", order);
    turn(&mut life, "retire", "retire", Turn::Retire);
    assert_eq!(judge(&life.evidence()), []);
}

#[test]
fn a_key_with_another_body_is_refused_and_changes_nothing() {
    let mut life = Life::open(9);
    life.place("ann", "a", 1).unwrap();
    assert_eq!(life.place("ann", "a", 2), None);
    life.place("bob", "a", 2).unwrap();
    life.cancel("ann", "x", 0);
    life.cancel("bob", "x", 1);
    life.cancel("bob", "x", 1);
    assert_eq!(judge(&life.evidence()), []);
}
