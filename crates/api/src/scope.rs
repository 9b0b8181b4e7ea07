//! What an API key may do.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// One permission of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Scope {
    /// Create, alter and turn sales.
    SalesWrite,
    /// Look at sales and stock.
    SalesRead,
    /// Add and write off stock.
    StockWrite,
    /// Place, pay, cancel, ship and deliver orders.
    OrdersWrite,
    /// Look at orders.
    OrdersRead,
    /// Set the price of an order's lines.
    OrdersPrice,
    /// Place orders that were paid elsewhere.
    OrdersPaid,
    /// Place orders in batches.
    OrdersBatch,
    /// Refund orders.
    RefundsWrite,
    /// Report chargebacks.
    PaymentsReport,
    /// Make, list and revoke keys.
    KeysWrite,
    /// Look at personal data.
    PeopleRead,
    /// Keep and erase personal data.
    PeopleWrite,
    /// Read the record of administrative acts.
    AuditRead,
}

impl Scope {
    /// Every scope, in the order of their bits.
    pub const ALL: [Self; 14] = [
        Self::SalesWrite,
        Self::SalesRead,
        Self::StockWrite,
        Self::OrdersWrite,
        Self::OrdersRead,
        Self::OrdersPrice,
        Self::OrdersPaid,
        Self::OrdersBatch,
        Self::RefundsWrite,
        Self::PaymentsReport,
        Self::KeysWrite,
        Self::PeopleRead,
        Self::PeopleWrite,
        Self::AuditRead,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SalesWrite => "sales:write",
            Self::SalesRead => "sales:read",
            Self::StockWrite => "stock:write",
            Self::OrdersWrite => "orders:write",
            Self::OrdersRead => "orders:read",
            Self::OrdersPrice => "orders:price",
            Self::OrdersPaid => "orders:paid",
            Self::OrdersBatch => "orders:batch",
            Self::RefundsWrite => "refunds:write",
            Self::PaymentsReport => "payments:report",
            Self::KeysWrite => "keys:write",
            Self::PeopleRead => "people:read",
            Self::PeopleWrite => "people:write",
            Self::AuditRead => "audit:read",
        }
    }

    const fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

/// A text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope `{0}`")]
pub struct ScopeError(Box<str>);

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.name() == text)
            .ok_or_else(|| ScopeError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(crate::id::FromText(std::marker::PhantomData))
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u32);

impl Scopes {
    /// No scope at all.
    pub const NONE: Self = Self(0);
    /// Every scope there is.
    pub const ALL: Self = Self((1 << Scope::ALL.len()) - 1);

    /// Every scope but those over personal data, which are given by name only.
    pub const WITHOUT_PEOPLE: Self =
        Self(Self::ALL.0 & !(Scope::PeopleRead.bit() | Scope::PeopleWrite.bit()));

    /// This set and one more.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }

    /// Whether the scope is in the set.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether every scope of the other set is in this one.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The scopes of the set, in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Scope::name)).finish()
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Scope>::deserialize(deserializer).map(|scopes| scopes.into_iter().collect())
    }
}

impl utoipa::PartialSchema for Scopes {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        let scope = utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .enum_values(Some(Scope::ALL.map(Scope::name)));
        utoipa::openapi::ArrayBuilder::new()
            .items(scope)
            .description(Some("What a key may do."))
            .into()
    }
}

impl ToSchema for Scopes {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_scopes_comes_back_from_json() {
        let set = Scopes::NONE.with(Scope::OrdersBatch).with(Scope::SalesRead);
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(json, r#"["sales:read","orders:batch"]"#);
        assert_eq!(serde_json::from_str::<Scopes>(&json).unwrap(), set);
        assert!(serde_json::from_str::<Scopes>(r#"["root"]"#).is_err());
    }

    #[test]
    fn a_set_covers_what_it_holds_and_nothing_else() {
        let set = Scopes::NONE.with(Scope::KeysWrite);
        assert!(Scopes::ALL.covers(set) && set.covers(Scopes::NONE) && !set.covers(Scopes::ALL));
        assert_eq!(Scopes::ALL.iter().count(), Scope::ALL.len());
    }
}
