//! API keys on the wire.

use crate::check::{Check, Faults, keyed};
use crate::id::KeyId;
use crate::limits::{ACCOUNT_MAX, NAME_MAX};
use crate::role::Role;
use crate::scope::Scopes;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `POST /v1/keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// A name for people, 1 to 200 bytes.
    pub name: Box<str>,
    /// The merchant account that the key acts for, 1 to 64 bytes. Idempotency keys belong to it.
    pub account: Box<str>,
    /// What the key may do; never more than the key that makes it. May be missing when there is a role.
    #[serde(default)]
    pub scopes: Scopes,
    /// A named set of scopes, added to the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The idempotency key, when it is not in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Box<str>>,
}

keyed!(CreateKey);

impl CreateKey {
    /// All that the key may do: its scopes and those of its role.
    #[must_use]
    pub fn asked(&self) -> Scopes {
        let role = self.role.map_or(Scopes::NONE, Role::scopes);
        self.scopes.iter().chain(role.iter()).collect()
    }
}

impl Check for CreateKey {
    fn check(&self, faults: &mut Faults) {
        faults.text("name", &self.name, NAME_MAX);
        faults.text("account", &self.account, ACCOUNT_MAX);
        if self.asked() == Scopes::NONE {
            faults.add("scopes", "must not be empty");
        }
    }
}

/// Answer of `POST /v1/keys`. The secret is shown this once and kept only as a hash.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedKey {
    /// Its identifier.
    pub id: KeyId,
    /// Its name.
    pub name: Box<str>,
    /// The merchant account.
    pub account: Box<str>,
    /// What it may do.
    pub scopes: Scopes,
    /// What to send as `Authorization: Bearer …`; missing when the request repeats an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Box<str>>,
}

impl std::fmt::Debug for CreatedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedKey")
            .field("id", &self.id)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// A key in a list, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    /// Its identifier.
    pub id: KeyId,
    /// Its name.
    pub name: Box<str>,
    /// The merchant account.
    pub account: Box<str>,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Time,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Time>,
}

/// Answer of `GET /v1/keys`, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeys {
    /// The keys of the house, revoked ones included.
    pub keys: Vec<ApiKey>,
}
