//! The waiting line on the wire: places in it, and what became of them.

use crate::buyer::BuyerFacts;
use crate::check::{Check, Faults, keyed, lenient_u32};
use crate::id::{OrderId, SaleId, TicketId};
use crate::limits::{BUYER_MAX, QUANTITY_MAX, SKU_MAX, TAG_MAX, TAGS_MAX};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `POST /v1/sales/{id}/line`: waits for units of a sold-out SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinLine {
    /// The SKU.
    pub sku: Box<str>,
    /// Units, 1 to what the sale's line allows.
    #[serde(default = "one", deserialize_with = "lenient_u32")]
    #[schema(minimum = 1, maximum = 1_000_000, default = 1)]
    pub quantity: u32,
    /// The buyer's pseudonym, 1 to 64 bytes; merchants only, a buyer's own token names the buyer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Box<str>>,
    /// The buyer's tags for the sale's rules; merchants only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Box<str>>>,
    /// What else is known of the buyer; merchants only, a buyer's own token says it of the buyer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<BuyerFacts>,
    /// The idempotency key, when it is not in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Box<str>>,
}

const fn one() -> u32 {
    1
}

keyed!(JoinLine);

impl Check for JoinLine {
    fn check(&self, faults: &mut Faults) {
        faults.text("sku", &self.sku, SKU_MAX);
        faults.between("quantity", self.quantity.into(), 1, QUANTITY_MAX.into());
        faults.maybe_text("buyer", self.buyer.as_deref(), BUYER_MAX);
        let tags = self.tags.as_deref().unwrap_or_default();
        faults.at_most("tags", tags.len(), TAGS_MAX);
        for (place, tag) in tags.iter().enumerate().take(TAGS_MAX) {
            faults.text(format_args!("tags[{place}]"), tag, TAG_MAX);
        }
        BuyerFacts::check_maybe(self.facts.as_ref(), faults, "");
    }
}

/// How a place in the line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// Waits for its turn.
    Waiting,
    /// Its turn came: there is an order to pay.
    Offered,
    /// Given up, or the buyer's limits left nothing to offer.
    Left,
}

/// A place in the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ticket {
    /// Its identifier.
    pub id: TicketId,
    /// The sale.
    pub sale_id: SaleId,
    /// The SKU.
    pub sku: Box<str>,
    /// Units asked for; an offer may have fewer.
    pub quantity: u32,
    /// Who waits.
    pub buyer: Box<str>,
    /// How it stands.
    pub state: TicketState,
    /// Its place in the line, 1 for the next one; missing once it no longer waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// The order that it was offered, to be paid in its short time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Since when it waits.
    pub since: Time,
}
