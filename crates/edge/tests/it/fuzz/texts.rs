//! Texts with a meaning of their own: identifiers, prices, times, places, traces, networks.

use super::corpus;
use api::{
    Currency, KeyId, OrderId, PaymentId, Position, PriceText, RefundId, RequestId, SaleId, Scope,
    Time,
};
use std::fmt::{Debug, Display};
use std::str::FromStr;
use telemetry::context::TraceParent;
use tidegate_edge::Network;

/// What is read is written and read again: it must be the same.
fn same<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<String> {
    let read: T = text.parse().ok()?;
    let written = read.to_string();
    assert_eq!(
        written.parse::<T>().ok(),
        Some(read),
        "{text:?} became {written:?}"
    );
    Some(written)
}

/// Identifiers have one text only: two texts for one order would be two for whoever compares texts.
fn strict<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Some(written) = same::<T>(text) {
        assert_eq!(written, text);
    }
}

#[test]
fn texts() {
    let corpus = corpus("texts").with_words(&["-", ".", ":", "/", "T", "Z", "+", "sale_", "ord_"]);
    for trial in corpus.trials(20_000) {
        let Ok(text) = std::str::from_utf8(&trial) else {
            continue;
        };
        strict::<SaleId>(text);
        strict::<OrderId>(text);
        strict::<PaymentId>(text);
        strict::<RefundId>(text);
        strict::<KeyId>(text);
        strict::<Currency>(text);
        strict::<Scope>(text);
        same::<Position>(text);
        same::<PriceText>(text);
        same::<Time>(text);
        same::<Network>(text);
        if let Some(id) = RequestId::new(text) {
            assert_eq!(id.as_str(), text);
        }
        if let Some(parent) = TraceParent::parse(text) {
            assert_eq!(TraceParent::parse(&parent.to_string()), Some(parent));
        }
    }
}
