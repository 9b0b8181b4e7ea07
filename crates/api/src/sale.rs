//! Sales as they are shown.

use crate::check::{Check, Faults};
use crate::currency::Currency;
use crate::id::SaleId;
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::offer::Offer;
use crate::order::{ReadModel, check_page};
use crate::plan::{Limits, Rule, SkuLimits, Window};
use crate::position::Position;
use crate::price::PriceText;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The life of a sale: draft → scheduled → open ⇄ paused → closed → retired.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SaleState {
    /// Being prepared.
    Draft,
    /// Opens by itself when its window begins.
    Scheduled,
    /// Sells.
    Open,
    /// Sells nothing for now; what is held can be paid.
    Paused,
    /// Over; what is held can be paid until it expires.
    Closed,
    /// Put away.
    Retired,
}

impl SaleState {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Closed => "closed",
            Self::Retired => "retired",
        }
    }
}

/// A step in the life of a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Start or resume selling; before the window begins this schedules the sale.
    Open,
    /// Stop selling until opened again.
    Pause,
    /// End the sale for good.
    Close,
    /// Put the sale away.
    Retire,
}

/// A SKU of a sale, with its units. `stocked = available + held + sold + written_off`, always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sku {
    /// The merchant's own code.
    pub sku: Box<str>,
    /// The name for people.
    pub name: Box<str>,
    /// Price of one unit.
    pub price: PriceText,
    /// Limits of this SKU alone.
    pub limits: SkuLimits,
    /// Units that ever came in.
    pub stocked_count: u64,
    /// Units that can be bought now.
    pub available_count: u64,
    /// Units in unpaid orders.
    pub held_count: u64,
    /// Units sold.
    pub sold_count: u64,
    /// Units lost unsold.
    pub written_off_count: u64,
    /// Places in its waiting line.
    #[serde(default)]
    pub waiting_count: u64,
}

/// Orders of a sale, by where they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderCounts {
    /// All of them.
    pub placed: u64,
    /// Waiting to be paid, or a charge in flight.
    pub held: u64,
    /// Paid, and what came after.
    pub paid: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Expired.
    pub expired: u64,
}

/// Teams of a sale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamCounts {
    /// Ever opened.
    pub opened: u64,
    /// Open now.
    pub open: u64,
}

/// A sale, from its book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sale {
    /// Its identifier.
    pub id: SaleId,
    /// Its name.
    pub name: Box<str>,
    /// Where it stands.
    pub state: SaleState,
    /// Its currency.
    pub currency: Currency,
    /// How long an unpaid order keeps its units, ms.
    pub hold_ms: u64,
    /// When it sells.
    pub window: Window,
    /// Its limits.
    pub limits: Limits,
    /// Who may buy.
    pub rules: Vec<Rule>,
    /// What it sells.
    pub skus: Vec<Sku>,
    /// Its orders.
    pub orders: OrderCounts,
    /// What it offers beyond plain orders; to buyers without coupons, discounts by level and rules as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// Its teams, where it has group buys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teams: Option<TeamCounts>,
    /// The book's own time.
    pub now: Time,
    /// Where the sale's journal stands.
    pub position: Position,
}

/// A sale in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SaleSummary {
    /// Its identifier.
    pub id: SaleId,
    /// Its name.
    pub name: Box<str>,
    /// Where it stands.
    pub state: SaleState,
    /// Its currency.
    pub currency: Currency,
    /// When it sells.
    pub window: Window,
    /// How many SKUs it sells.
    pub sku_count: u32,
    /// Units that ever came in, all SKUs together.
    pub stocked_count: u64,
    /// Units that can be bought now.
    pub available_count: u64,
    /// Units in unpaid orders.
    pub held_count: u64,
    /// Units sold.
    pub sold_count: u64,
    /// Units lost unsold.
    pub written_off_count: u64,
    /// Its orders.
    pub orders: OrderCounts,
}

/// Filters of `GET /v1/sales`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SaleQuery {
    /// Sales in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub state: Option<SaleState>,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Box<str>>,
    /// Sales of a page, 1 to 200; 50 when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl Check for SaleQuery {
    fn check(&self, faults: &mut Faults) {
        check_page(faults, self.cursor.as_deref(), self.limit);
    }
}

impl SaleQuery {
    /// Sales of a page.
    #[must_use]
    pub fn page(&self) -> u32 {
        self.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
    }
}

/// Answer of `GET /v1/sales`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SalePage {
    /// The sales.
    pub sales: Vec<SaleSummary>,
    /// Where the next page begins; missing on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<Box<str>>,
    /// How fresh the list is.
    pub read_model: ReadModel,
}
