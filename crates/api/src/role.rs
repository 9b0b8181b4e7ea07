//! Roles: sets of scopes that have a name, for the keys of people with a usual task.
//!
//! A role is only a way to write scopes down when a key is made. The key keeps the scopes, so a role that grows later
//! gives nothing to keys that exist.

use crate::scope::{Scope, Scopes};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A named set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything, keys included.
    Owner,
    /// Runs sales: sales, stock, orders and their delivery.
    Operator,
    /// Finance: looks at orders, gives money back, reports chargebacks.
    Cashier,
    /// Helps buyers: their orders and their data.
    Support,
    /// Looks at everything and changes nothing; no personal data.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Owner,
        Self::Operator,
        Self::Cashier,
        Self::Support,
        Self::Auditor,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Operator => "operator",
            Self::Cashier => "cashier",
            Self::Support => "support",
            Self::Auditor => "auditor",
        }
    }

    /// What it may do.
    #[must_use]
    pub const fn scopes(self) -> Scopes {
        let look = Scopes::NONE.with(Scope::SalesRead).with(Scope::OrdersRead);
        match self {
            Self::Owner => Scopes::ALL,
            Self::Operator => look
                .with(Scope::SalesWrite)
                .with(Scope::StockWrite)
                .with(Scope::OrdersWrite)
                .with(Scope::OrdersBatch),
            Self::Cashier => look.with(Scope::RefundsWrite).with(Scope::PaymentsReport),
            Self::Support => look
                .with(Scope::OrdersWrite)
                .with(Scope::PeopleRead)
                .with(Scope::PeopleWrite),
            Self::Auditor => look.with(Scope::AuditRead),
        }
    }
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role `{0}`; there are owner, operator, cashier, support and auditor")]
pub struct RoleError(Box<str>);

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| RoleError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(crate::id::FromText(std::marker::PhantomData))
    }
}

impl utoipa::PartialSchema for Role {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .enum_values(Some(Self::ALL.map(Self::name)))
            .description(Some("A named set of scopes."))
            .into()
    }
}

impl utoipa::ToSchema for Role {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_makes_keys_and_an_auditor_changes_nothing() {
        for role in Role::ALL {
            assert_eq!(role.scopes().has(Scope::KeysWrite), role == Role::Owner);
            assert_eq!(role.name().parse::<Role>().unwrap(), role);
        }
        let changes = |scope: Scope| !scope.name().ends_with(":read");
        assert!(!Role::Auditor.scopes().iter().any(changes));
        assert!(!Role::Auditor.scopes().has(Scope::PeopleRead));
        assert!("root".parse::<Role>().is_err());
    }
}
