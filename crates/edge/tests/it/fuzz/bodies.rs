//! Bodies of every route that takes one, from a merchant who may do everything.

use super::{assert_told, corpus, documented};
use crate::client::{Client, bearer};
use crate::shop::MERCHANT;
use crate::world_of_tests::{Open, run, unlimited};
use api::device::AskDevice;
use api::key::CreateKey;
use api::order::{PlaceBatch, PlaceOrder};
use api::people::PersonData;
use api::plan::{AlterSale, CreateSale};
use api::refund::{Chargeback, RefundOrder};
use api::stock::{AddStock, WriteOff};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// First word of a corpus file, method, path, and what its body is read as.
type Route = (&'static str, &'static str, &'static str, fn(&[u8]));

const ROUTES: &[Route] = &[
    ("order", "POST", "/v1/orders", same::<PlaceOrder>),
    ("batch", "POST", "/v1/orders:batch", same::<PlaceBatch>),
    ("sale", "POST", "/v1/sales", same::<CreateSale>),
    ("alter", "PATCH", "/v1/sales/sale_00001", same::<AlterSale>),
    (
        "stock",
        "POST",
        "/v1/sales/sale_00001/stock",
        same::<AddStock>,
    ),
    (
        "write",
        "POST",
        "/v1/sales/sale_00001/write-offs",
        same::<WriteOff>,
    ),
    (
        "refund",
        "POST",
        "/v1/orders/ord_00000000001/refunds",
        same::<RefundOrder>,
    ),
    (
        "chargeback",
        "POST",
        "/v1/orders/ord_00000000001/chargebacks",
        same::<Chargeback>,
    ),
    ("key", "POST", "/v1/keys", same::<CreateKey>),
    ("person", "PUT", "/v1/people/ann", same::<PersonData>),
    ("device", "POST", "/v1/device/code", same::<AskDevice>),
    ("turn", "POST", "/v1/sales/sale_00001/open", |_| ()),
];

const WORDS: &[&str] = &[
    "null",
    "true",
    "\"\"",
    "{}",
    "[]",
    ",",
    ":",
    "\"sku\":",
    "\"quantity\":",
    "\"price\":\"0\"",
    "\"lines\":",
    "\"buyer\":",
    "\"idempotency_key\":\"k\"",
    "\\u0000",
    "\\ud800",
    "\"CUP\"",
    "sale_00001",
    "\"per_buyer\":",
];

/// What was accepted is written and read again: it must mean the same.
fn same<T: DeserializeOwned + Serialize + PartialEq + Debug>(body: &[u8]) {
    let body = if body.is_empty() { b"{}" } else { body };
    let read: T = serde_json::from_slice(body).unwrap();
    let written = serde_json::to_vec(&read).unwrap();
    assert_eq!(serde_json::from_slice::<T>(&written).unwrap(), read);
}

#[test]
fn bodies() {
    run(async {
        let open = Open::start(unlimited());
        let codes = documented();
        let mut client = Client::connect(open.public).await;
        let (name, key) = bearer(MERCHANT);
        let corpus = corpus("bodies").with_words(WORDS);
        for (number, trial) in corpus.trials(3_000).enumerate() {
            let of = trial.file().split('-').next();
            let route = ROUTES.iter().find(|route| Some(route.0) == of);
            let (_, method, path, same) = route.expect("a route for the file");
            let head = format!(
                "{method} {path} HTTP/1.1\r\nhost: door\r\n{name}: {key}\r\nidempotency-key: k{number}\r\n\
                 content-length: {}\r\n\r\n",
                trial.len()
            );
            client.send([head.as_bytes(), &trial].concat()).await;
            let answer = client.answer().await.expect("an answer");
            assert_told(&answer, &codes);
            if answer.status < 300 {
                same(&trial);
            }
            if trial.is_whole() && trial.file() != "chargeback-one" {
                assert!(answer.status < 300, "{answer:?}");
            }
            if answer.header("connection") == Some("close") {
                client = Client::connect(open.public).await;
            }
        }
    });
}
