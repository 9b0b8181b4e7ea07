//! Bodies of orders, read and checked.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::code::Code;

fn place(lines: &str) -> PlaceOrder {
    serde_json::from_str(&format!(r#"{{"sale_id":"sale_00001","lines":{lines}}}"#)).unwrap()
}

#[test]
fn every_bad_field_is_named_at_once() {
    let body = place(
        r#"[{"sku":"","quantity":1},{"sku":"A","quantity":-1},{"sku":"A","quantity":4294967296},
            {"sku":"A","quantity":99999999999999999999999},{"sku":"A","quantity":1,"price":"1.00001"},
            {"sku":"A","quantity":0},{"sku":"A","quantity":2,"price":"0"}]"#,
    );
    let problem = body.checked().unwrap_err();
    let fields: Vec<&str> = problem.errors().iter().map(|error| &*error.field).collect();
    let expected = [
        "lines[0].sku",
        "lines[1].quantity",
        "lines[2].quantity",
        "lines[3].quantity",
        "lines[4].price",
        "lines[5].quantity",
    ];
    assert_eq!(fields, expected);
    assert_eq!(problem.code(), Code::InvalidFields);
}

#[test]
fn fractions_and_texts_are_no_quantities() {
    for quantity in ["1.5", "\"1\"", "null", "true"] {
        let json = format!(r#"{{"sku":"A","quantity":{quantity}}}"#);
        assert!(
            serde_json::from_str::<AskedLine>(&json).is_err(),
            "{quantity}"
        );
    }
}

#[test]
fn two_thousand_lines_are_the_most() {
    let line = AskedLine {
        sku: "A".into(),
        quantity: 1,
        price: None,
    };
    let mut body = place(r#"[{"sku":"A","quantity":1}]"#);
    body.lines = vec![line.clone(); LINES_MAX];
    assert_eq!(body.checked(), Ok(()));
    body.lines.push(line);
    assert_eq!(body.checked().unwrap_err().code(), Code::TooManyItems);
}

#[test]
fn the_orders_of_a_batch_are_checked_each() {
    let json = r#"{"orders":[
        {"idempotency_key":"a b","sale_id":"sale_00001","lines":[]},
        {"idempotency_key":"k","sale_id":"sale_00001","lines":[{"sku":"A","quantity":1}],"tags":[""]}]}"#;
    let batch: PlaceBatch = serde_json::from_str(json).unwrap();
    let problem = batch.checked().unwrap_err();
    let fields: Vec<&str> = problem.errors().iter().map(|error| &*error.field).collect();
    assert_eq!(
        fields,
        [
            "orders[0].idempotency_key",
            "orders[0].lines",
            "orders[1].tags[0]"
        ]
    );
}

#[test]
fn unknown_fields_are_refused() {
    let json = r#"{"sale_id":"sale_00001","lines":[],"coupon":"X"}"#;
    assert!(
        serde_json::from_str::<PlaceOrder>(json)
            .unwrap_err()
            .to_string()
            .contains("coupon")
    );
}
