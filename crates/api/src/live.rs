//! The live stream of a sale: one tick after another while it sells.

use crate::id::{OrderId, TeamId};
use crate::order::OrderState;
use crate::sale::SaleState;
use crate::team::TeamState;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Units of one SKU, as of a tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveSku {
    /// The SKU.
    pub sku: Box<str>,
    /// Units that can be bought.
    pub available: u64,
    /// Units in unpaid orders.
    pub held: u64,
    /// Units sold.
    pub sold: u64,
    /// Units that ever came in.
    pub stocked: u64,
}

/// Orders refused since the server started, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveRefusals {
    /// Nothing, or not enough, was left.
    pub sold_out: u64,
    /// A purchase limit was reached.
    pub limit: u64,
    /// The sale was not open.
    pub not_open: u64,
    /// A rule did not admit the buyer.
    pub not_eligible: u64,
    /// Anything else.
    pub other: u64,
}

/// An order that changed lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveOrder {
    /// The order.
    pub id: OrderId,
    /// Where it stands.
    pub state: OrderState,
    /// Its units.
    pub units: u32,
}

/// A team that changed lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveTeam {
    /// The team.
    pub id: TeamId,
    /// Where it stands.
    pub state: TeamState,
    /// Seats that are paid or filled.
    pub filled: u32,
    /// All its seats.
    pub seats: u32,
}

/// One tick: `event: tick` of `GET /v1/sales/{id}/live`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveTick {
    /// The book's own time.
    pub now: Time,
    /// Where the sale stands.
    pub state: SaleState,
    /// Its first 200 SKUs.
    pub skus: Vec<LiveSku>,
    /// Orders accepted in the last second.
    pub orders_per_s: u64,
    /// Orders accepted since the server started.
    pub accepted: u64,
    /// Orders refused since the server started.
    pub refused: LiveRefusals,
    /// Requests for orders since the server started.
    pub requests_total: u64,
    /// Orders that changed lately, newest first.
    pub recent: Vec<LiveOrder>,
    /// Teams that changed lately, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<LiveTeam>,
}
