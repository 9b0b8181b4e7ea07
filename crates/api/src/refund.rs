//! Refunds and chargebacks on the wire.

use crate::check::{Check, Faults, amount, keyed, lenient_maybe_u64, lenient_u32, lenient_u64};
use crate::id::RefundId;
use crate::limits::{LINES_MAX, QUANTITY_MAX, REFERENCE_MAX};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Units of one line that are given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnedLine {
    /// The line's place in the order, from 0.
    pub line: u16,
    /// Units of it.
    #[serde(deserialize_with = "lenient_u32")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: u32,
}

/// Body of `POST /v1/orders/{id}/refunds`: an amount, or lines, or (with neither) all that is left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundOrder {
    /// Money to give back, minor units.
    #[serde(
        default,
        deserialize_with = "lenient_maybe_u64",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>, minimum = 1)]
    pub amount_minor: Option<u64>,
    /// Units to give back, by line; the money follows from their prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<ReturnedLine>>,
    /// Put the units back on sale. With an amount alone no units move.
    #[serde(default)]
    pub restock: bool,
    /// Why, 1 to 128 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
    /// The idempotency key, when it is not in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Box<str>>,
}

keyed!(RefundOrder);

impl Check for RefundOrder {
    fn check(&self, faults: &mut Faults) {
        if let Some(amount_minor) = self.amount_minor {
            amount(faults, "amount_minor", amount_minor);
        }
        if self.amount_minor.is_some() && self.lines.is_some() {
            faults.add("lines", "give either amount_minor or lines, not both");
        }
        if let Some(lines) = &self.lines {
            check_lines(faults, lines);
        }
        faults.maybe_text("reason", self.reason.as_deref(), REFERENCE_MAX);
    }
}

fn check_lines(faults: &mut Faults, lines: &[ReturnedLine]) {
    if lines.is_empty() {
        faults.add("lines", "must not be empty");
    }
    faults.at_most("lines", lines.len(), LINES_MAX);
    for (place, line) in lines.iter().enumerate().take(LINES_MAX) {
        faults.between(
            format_args!("lines[{place}].quantity"),
            line.quantity.into(),
            1,
            QUANTITY_MAX.into(),
        );
        if lines[..place]
            .iter()
            .any(|earlier| earlier.line == line.line)
        {
            faults.add(format_args!("lines[{place}].line"), "names a line twice");
        }
    }
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// Promised; the provider is being asked.
    Pending,
    /// The money went back.
    Refunded,
    /// The provider refused.
    Failed,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refund {
    /// Its identifier, which is also the provider's idempotency key.
    pub id: RefundId,
    /// Money, minor units.
    pub amount_minor: i64,
    /// Where it stands.
    pub state: RefundState,
    /// Made by the book itself, for a capture that came too late or twice.
    pub automatic: bool,
    /// Units that came back with it.
    pub units_returned: u32,
}

/// Body of `POST /v1/orders/{id}/chargebacks`: the buyer's bank took money back. Never refused for its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Chargeback {
    /// Money, minor units.
    #[serde(deserialize_with = "lenient_u64")]
    #[schema(value_type = u64, minimum = 1)]
    pub amount_minor: u64,
    /// The bank's reference, 1 to 128 bytes.
    pub reference: Box<str>,
    /// The idempotency key, when it is not in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Box<str>>,
}

keyed!(Chargeback);

impl Check for Chargeback {
    fn check(&self, faults: &mut Faults) {
        amount(faults, "amount_minor", self.amount_minor);
        faults.text("reference", &self.reference, REFERENCE_MAX);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Vec<String> {
        let refund: RefundOrder = serde_json::from_str(json).unwrap();
        let errors = refund
            .checked()
            .err()
            .map(|problem| problem.errors().to_vec())
            .unwrap_or_default();
        errors
            .into_iter()
            .map(|error| error.field.into_owned())
            .collect()
    }

    #[test]
    fn a_refund_is_an_amount_or_lines_or_all() {
        assert!(fields("{}").is_empty());
        assert!(fields(r#"{"amount_minor":5}"#).is_empty());
        assert!(fields(r#"{"lines":[{"line":0,"quantity":1}],"restock":true}"#).is_empty());
        assert_eq!(
            fields(r#"{"amount_minor":5,"lines":[{"line":0,"quantity":1}]}"#),
            ["lines"]
        );
    }

    #[test]
    fn negative_money_and_double_lines_are_refused() {
        assert_eq!(fields(r#"{"amount_minor":-5}"#), ["amount_minor"]);
        assert_eq!(fields(r#"{"amount_minor":0}"#), ["amount_minor"]);
        assert_eq!(
            fields(r#"{"lines":[{"line":0,"quantity":1},{"line":0,"quantity":1}]}"#),
            ["lines[1].line"]
        );
        assert_eq!(fields(r#"{"lines":[]}"#), ["lines"]);
    }
}
