//! Teams of group buys on the wire.

use crate::check::{Check, Faults};
use crate::id::{OrderId, SaleId, TeamId};
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::order::check_page;
use crate::price::PriceText;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Where a team stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TeamState {
    /// It takes members, or waits for their payments.
    Open,
    /// It came about.
    Complete,
    /// It did not; everybody gets the money back.
    Failed,
}

impl TeamState {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Failed => "failed",
        }
    }
}

/// Seats of a team. `total = free + held + paid + filled_by_house`, always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamSeats {
    /// All of them.
    pub total: u32,
    /// Nobody has them.
    pub free: u32,
    /// Taken and not paid yet.
    pub held: u32,
    /// Paid.
    pub paid: u32,
    /// Taken by the house at the end, without orders.
    pub filled_by_house: u32,
}

/// The price that more paid seats bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NextTier {
    /// From so many paid seats on.
    pub seats: u32,
    /// The price of one unit then.
    pub price: PriceText,
}

/// A member of a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamMember {
    /// The seat's name in this list, like `member 2`.
    pub name: Box<str>,
    /// The pseudonym; only a merchant sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Box<str>>,
    /// Whether the seat is the caller's own; for buyers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub you: bool,
    /// The member's order; only a merchant and the member see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Whether the seat is paid.
    pub paid: bool,
    /// Whether it leads the team.
    pub leads: bool,
}

/// How far an ended team is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamSettlement {
    /// Orders that ever had a seat.
    pub orders: u32,
    /// Of those, settled.
    pub settled: u32,
    /// Refunds on their way.
    pub refunds_pending: u32,
    /// Refunds that arrived.
    pub refunds_done: u32,
    /// Money on its way back, minor units.
    pub pending_minor: i64,
    /// Money back, minor units.
    pub refunded_minor: i64,
}

/// The draw of a lottery team, which anybody who has the list of its entries can repeat afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamDraw {
    /// Prize units.
    pub prizes: u32,
    /// SHA-256 hash of the seed, in hex; recorded before anybody had a seat.
    pub commitment: Box<str>,
    /// The seed, in hex, once drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Box<str>>,
    /// SHA-256 hash of the list of entries, in hex, once drawn: a line `order,buyer` for each paid seat, the order by its
    /// number in the sale, in rising order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries_hash: Option<Box<str>>,
    /// The orders that won, once drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winners: Option<Vec<OrderId>>,
}

/// A team, from the book of its sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Team {
    /// Its identifier.
    pub id: TeamId,
    /// The sale.
    pub sale_id: SaleId,
    /// What it buys.
    pub sku: Box<str>,
    /// Where it stands.
    pub state: TeamState,
    /// Whether it takes members now.
    pub joinable: bool,
    /// Its seats.
    pub seats: TeamSeats,
    /// What the house may do with seats that are free at the end, or has done, in a sentence for buyers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub house_seats: Option<Box<str>>,
    /// The price of one unit that the team has reached.
    pub price: PriceText,
    /// The price that more paid seats bring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_tier: Option<NextTier>,
    /// When it was opened.
    pub opened_at: Time,
    /// When its time is over.
    pub ends_at: Time,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// The link to share.
    pub link: Box<str>,
    /// Whether the caller leads it; for buyers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leads: bool,
    /// Its members, in the order in which they came; merchants and members see them, members without the others'
    /// pseudonyms; lists leave them out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<TeamMember>>,
    /// How far it is settled, once it has ended; lists leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settlement: Option<TeamSettlement>,
    /// Its draw, if it is a lottery team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<TeamDraw>,
}

/// Filters of `GET /v1/sales/{id}/teams`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TeamQuery {
    /// Teams in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub state: Option<TeamState>,
    /// Teams that take members now, or those that do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joinable: Option<bool>,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Box<str>>,
    /// Teams of a page, 1 to 200; 50 when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl Check for TeamQuery {
    fn check(&self, faults: &mut Faults) {
        check_page(faults, self.cursor.as_deref(), self.limit);
    }
}

impl TeamQuery {
    /// Teams of a page.
    #[must_use]
    pub fn page(&self) -> u32 {
        self.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
    }
}

/// Answer of `GET /v1/sales/{id}/teams`, newest first. A page may have fewer teams than asked for and still not be the
/// last: only a missing `next_cursor` says that there are no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamPage {
    /// The teams.
    pub teams: Vec<Team>,
    /// Where the next page begins; missing on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<Box<str>>,
}
