//! The ground that rules stand on: what is known at one moment, and the names under which rules ask for it.

use super::code::Value;
use super::syntax::Ty;
use crate::{Facts, SaleState, Time};

/// What a buyer did in this sale before this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PastGround {
    /// Units held or bought.
    pub units: u64,
    /// Holds that ran out unpaid; `None` where nobody counts.
    pub lapses: Option<u32>,
    /// Orders placed; `None` where nobody counts.
    pub orders: Option<u32>,
}

/// The order that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrderGround {
    /// Units over all lines.
    pub units: u64,
    /// What it costs, in minor units.
    pub total_minor: i64,
    /// How many lines.
    pub lines: u32,
    /// Whether it belongs to a team.
    pub team: bool,
    /// Whether it opens a team.
    pub opens: bool,
}

/// The sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaleGround<'a> {
    /// Its title.
    pub title: &'a str,
    /// Its state.
    pub state: SaleState,
    /// Units sold.
    pub sold: u64,
    /// Units available.
    pub available: u64,
}

/// How often somebody asked within the window of the rate rules; zero where nobody counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// This buyer.
    pub buyer: u64,
    /// This device.
    pub device: u64,
    /// This address.
    pub address: u64,
}

/// All that a rule may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// When.
    pub now: Time,
    /// The buyer's pseudonym.
    pub buyer: Option<&'a str>,
    /// What is known of the buyer.
    pub facts: &'a Facts,
    /// What the buyer did before.
    pub past: PastGround,
    /// The order.
    pub order: OrderGround,
    /// The sale.
    pub sale: SaleGround<'a>,
    /// Counts of the rate rules.
    pub counters: Counters,
}

/// A fact by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact {
    Now,
    Name,
    Level,
    Points,
    Region,
    Tags,
    NewCustomer,
    Device,
    Address,
    BuyerUnits,
    Lapses,
    Orders,
    OrderUnits,
    TotalMinor,
    Lines,
    Team,
    Opens,
    Title,
    State,
    Sold,
    Available,
    ByBuyer,
    ByDevice,
    ByAddress,
}

/// A field: its name, its fact, and its type.
type Field = (&'static str, Fact, Ty);

const BUYER: &[Field] = &[
    ("name", Fact::Name, Ty::Text),
    ("level", Fact::Level, Ty::Int),
    ("points", Fact::Points, Ty::Int),
    ("region", Fact::Region, Ty::Text),
    ("tags", Fact::Tags, Ty::Texts),
    ("new_customer", Fact::NewCustomer, Ty::Bool),
    ("device", Fact::Device, Ty::Text),
    ("address", Fact::Address, Ty::Text),
    ("units", Fact::BuyerUnits, Ty::Int),
    ("lapses", Fact::Lapses, Ty::Int),
    ("orders", Fact::Orders, Ty::Int),
];

const ORDER: &[Field] = &[
    ("units", Fact::OrderUnits, Ty::Int),
    ("total_minor", Fact::TotalMinor, Ty::Int),
    ("lines", Fact::Lines, Ty::Int),
    ("team", Fact::Team, Ty::Bool),
    ("opens", Fact::Opens, Ty::Bool),
];

const SALE: &[Field] = &[
    ("title", Fact::Title, Ty::Text),
    ("state", Fact::State, Ty::Text),
    ("sold", Fact::Sold, Ty::Int),
    ("available", Fact::Available, Ty::Int),
];

const COUNTERS: &[Field] = &[
    ("buyer", Fact::ByBuyer, Ty::Int),
    ("device", Fact::ByDevice, Ty::Int),
    ("address", Fact::ByAddress, Ty::Int),
];

/// The variables that have fields.
pub(super) const ROOTS: &[(&str, &[Field])] = &[
    ("buyer", BUYER),
    ("order", ORDER),
    ("sale", SALE),
    ("counters", COUNTERS),
];

/// The fields of a variable.
pub(super) fn fields(root: &str) -> Option<&'static [Field]> {
    let found = ROOTS.iter().find(|(name, _)| *name == root)?;
    Some(found.1)
}

impl Fact {
    /// The fact as rules write it.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Name => "buyer.name",
            Self::Level => "buyer.level",
            Self::Points => "buyer.points",
            Self::Region => "buyer.region",
            Self::Tags => "buyer.tags",
            Self::NewCustomer => "buyer.new_customer",
            Self::Device => "buyer.device",
            Self::Address => "buyer.address",
            Self::BuyerUnits => "buyer.units",
            Self::Lapses => "buyer.lapses",
            Self::Orders => "buyer.orders",
            Self::OrderUnits => "order.units",
            Self::TotalMinor => "order.total_minor",
            Self::Lines => "order.lines",
            Self::Team => "order.team",
            Self::Opens => "order.opens",
            Self::Title => "sale.title",
            Self::State => "sale.state",
            Self::Sold => "sale.sold",
            Self::Available => "sale.available",
            Self::ByBuyer => "counters.buyer",
            Self::ByDevice => "counters.device",
            Self::ByAddress => "counters.address",
        }
    }

    /// Its value at this moment; `None` where it is not known.
    pub(super) fn of<'a>(self, ground: &Ground<'a>) -> Option<Value<'a>> {
        let facts = ground.facts;
        Some(match self {
            Self::Now => whole(ground.now.0),
            Self::Name => Value::text(ground.buyer?),
            Self::Level => Value::Int(facts.level.into()),
            Self::Points => Value::Int(facts.points),
            Self::Region => Value::text(facts.region.as_deref()?),
            Self::Tags => Value::texts(&facts.tags),
            Self::NewCustomer => Value::Bool(facts.new_customer),
            Self::Device => Value::text(facts.device.as_deref()?),
            Self::Address => Value::text(facts.address.as_deref()?),
            Self::BuyerUnits => whole(ground.past.units),
            Self::Lapses => Value::Int(ground.past.lapses?.into()),
            Self::Orders => Value::Int(ground.past.orders?.into()),
            Self::OrderUnits => whole(ground.order.units),
            Self::TotalMinor => Value::Int(ground.order.total_minor),
            Self::Lines => Value::Int(ground.order.lines.into()),
            Self::Team => Value::Bool(ground.order.team),
            Self::Opens => Value::Bool(ground.order.opens),
            Self::Title => Value::text(ground.sale.title),
            Self::State => Value::text(state_word(ground.sale.state)),
            Self::Sold => whole(ground.sale.sold),
            Self::Available => whole(ground.sale.available),
            Self::ByBuyer => whole(ground.counters.buyer),
            Self::ByDevice => whole(ground.counters.device),
            Self::ByAddress => whole(ground.counters.address),
        })
    }
}

/// Counts and times are far below the bound; one above it stays at it.
fn whole<'a>(number: u64) -> Value<'a> {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn state_word(state: SaleState) -> &'static str {
    match state {
        SaleState::Draft => "draft",
        SaleState::Scheduled => "scheduled",
        SaleState::Open => "open",
        SaleState::Paused => "paused",
        SaleState::Closed => "closed",
        SaleState::Retired => "retired",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_called_in_errors_as_it_is_written_in_rules() {
        for (root, fields) in ROOTS {
            for (field, fact, _) in *fields {
                assert_eq!(fact.path(), format!("{root}.{field}"));
            }
        }
    }
}
