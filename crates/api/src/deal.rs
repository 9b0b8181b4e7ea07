//! What an order has beyond its lines: a seat in a team, something off its price, two dues, a draw.

use crate::check::Faults;
use crate::id::{SaleId, TeamId};
use crate::team::TeamState;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The seat that an order asks for: `{"open": true}` or `{"join": "team_…"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AskedTeam {
    /// The first seat of a new team; always `true`.
    Open(bool),
    /// A seat of a team that is open.
    Join(TeamId),
}

impl AskedTeam {
    /// Adds a fault unless the seat is one of this sale.
    pub(crate) fn check_at(self, faults: &mut Faults, path: impl std::fmt::Display, sale: SaleId) {
        match self {
            Self::Open(true) => {}
            Self::Open(false) => faults.add(
                format_args!("{path}team.open"),
                "must be true; leave team out for an order without a seat",
            ),
            Self::Join(team) if team.sale() == sale => {}
            Self::Join(_) => faults.add(
                format_args!("{path}team.join"),
                "must be a team of the order's own sale",
            ),
        }
    }
}

/// The seat of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderTeam {
    /// The team; everything about it is under `/v1/teams/{id}`.
    pub id: TeamId,
    /// Where the team stands.
    pub state: TeamState,
    /// Whether the seat is paid and not given up.
    pub seat_paid: bool,
    /// What a draw made of the order; missing where the team has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lottery: Option<Lottery>,
}

/// What a draw makes of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lottery {
    /// Not drawn yet.
    Pending,
    /// It won a prize unit.
    Won,
    /// It won nothing, or its team did not come about; the money goes back.
    Lost,
}

/// Why something comes off a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OffWhy {
    /// The order opened a team.
    Leader,
    /// The buyer's level.
    Level,
    /// A coupon.
    Coupon,
}

/// Something that came off the price of an order's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderOff {
    /// Why.
    pub why: OffWhy,
    /// The level that the discount begins at, or the coupon's place in the sale's offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// How much, minor units.
    pub amount_minor: i64,
}

/// Deposit and balance of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderDues {
    /// The first due, minor units.
    pub deposit_minor: i64,
    /// The second due, minor units.
    pub balance_minor: i64,
    /// First moment at which the balance may be paid.
    pub from: Time,
    /// First moment at which it no longer may.
    pub until: Time,
    /// Whether the deposit is paid.
    pub deposit_paid: bool,
    /// Whether the balance is paid.
    pub balance_paid: bool,
    /// Whether the merchant keeps the deposit, since the balance was not paid.
    pub forfeited: bool,
}
