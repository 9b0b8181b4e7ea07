//! What happens outside once an order is paid, on the wire: sagas, carriers, notices.

use crate::check::{Check, Faults, keyed, lenient_u32};
use crate::id::{OrderId, SaleId};
use crate::limits::{LINES_MAX, QUANTITY_MAX};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Sagas in one answer, at most.
pub const SAGAS_MAX: usize = 500;

/// Units of one line that leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShippedLine {
    /// The line's place in the order, from 0.
    pub line: u16,
    /// Units of it.
    #[serde(deserialize_with = "lenient_u32")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: u32,
}

/// Body of `POST /v1/orders/{id}/ship`: without lines everything leaves; with lines the rest goes back on sale, and its
/// money to the buyer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipOrder {
    /// What leaves, when it is not everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<ShippedLine>>,
    /// The idempotency key, when it is not in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Box<str>>,
}

keyed!(ShipOrder);

impl Check for ShipOrder {
    fn check(&self, faults: &mut Faults) {
        let Some(lines) = &self.lines else {
            return;
        };
        if lines.is_empty() {
            faults.add("lines", "must not be empty");
        }
        faults.at_most("lines", lines.len(), LINES_MAX);
        for (place, line) in lines.iter().enumerate().take(LINES_MAX) {
            let field = format_args!("lines[{place}].quantity");
            faults.between(field, line.quantity.into(), 1, QUANTITY_MAX.into());
        }
    }
}

/// What an operator may ask of a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SagaVerb {
    /// Try the parked or waiting step again, now.
    Retry,
    /// Take the parked step as settled outside.
    Skip,
    /// Take everything back.
    Compensate,
}

/// One step of a saga.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SagaStep {
    /// Its name.
    pub step: Box<str>,
    /// Its key at the participant, the same for every attempt.
    pub key: Box<str>,
    /// What is known of it: `new`, `begun`, `done`, `failed`, `skipped`, `undone` or `barred`.
    pub state: Box<str>,
    /// Whether it can be taken back.
    pub compensates: bool,
    /// Once it is done nothing is taken back any more.
    pub pivot: bool,
}

/// The saga of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Saga {
    /// The order.
    pub order_id: OrderId,
    /// What it does: `fulfilment` or `cross_border`.
    pub kind: Box<str>,
    /// Where it stands: `ready`, `calling`, `parked`, `undo_ready`, `undoing`, `undo_parked`, `done` or `compensated`.
    pub stage: Box<str>,
    /// The step that it is about.
    pub step: Box<str>,
    /// Attempts of that step, this way, so far.
    pub attempt: u16,
    /// When the next attempt begins, or the answer counts as missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// When it began.
    pub begun_at: Time,
    /// Since when it is at this step.
    pub since: Time,
    /// Its steps in order.
    pub steps: Vec<SagaStep>,
}

/// Query of `GET /v1/sagas`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SagaQuery {
    /// Of which sale.
    #[param(value_type = String)]
    pub sale_id: SaleId,
    /// Only those in this stage; `open` is every one that is not over. Default `open`.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    pub stage: Option<Box<str>>,
}

impl Check for SagaQuery {
    fn check(&self, faults: &mut Faults) {
        faults.maybe_text("stage", self.stage.as_deref(), 32);
    }
}

/// Answer of `GET /v1/sagas`, oldest first, at most 500.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SagaPage {
    /// The sagas.
    pub sagas: Vec<Saga>,
    /// There are more than are shown.
    pub more: bool,
    /// How long the oldest unfinished step of the sale has been unfinished, in milliseconds.
    pub oldest_unfinished_ms: u64,
}

/// What a carrier says about a parcel: body of `POST /v1/carriers/{carrier}/callback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CarrierWord {
    /// The carrier's own name of this message, 1 to 64 bytes: the same message may come again.
    pub event: Box<str>,
    /// The order that the parcel is for, as it was named when the carrier was booked.
    pub order_id: OrderId,
    /// The carrier's code, like `SF001`, 1 to 64 bytes.
    pub code: Box<str>,
}

impl Check for CarrierWord {
    fn check(&self, faults: &mut Faults) {
        faults.text("event", &self.event, 64);
        faults.text("code", &self.code, 64);
    }
}

/// A notice that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadNotice {
    /// Its key: the same however often it is delivered.
    pub key: Box<str>,
    /// What it is about.
    pub event: Box<str>,
    /// The order.
    pub order_id: OrderId,
    /// Over which channel.
    pub channel: Box<str>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed the last time.
    pub reason: Box<str>,
    /// When it was given up.
    pub at: Time,
}

/// Answer of `GET /v1/notices/dead`, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadNotices {
    /// The notices.
    pub notices: Vec<DeadNotice>,
}

/// Answer of `POST /v1/notices/retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticesRetried {
    /// How many are tried again.
    pub notices: u64,
}
