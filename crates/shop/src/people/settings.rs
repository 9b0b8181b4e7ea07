//! The vault's master keys.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// Master keys given at once, at most.
const SECRETS_MAX: usize = 8;

/// Settings of the vault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Master keys of the vault, each `{id, secret}` or `{id, secret_file}`; the first one locks, older ones still open
    /// until `tidegate vault rotate`. Limit: 8, with secrets of 32 bytes at least. Default none: no personal data are kept.
    pub secrets: Vec<MasterSecret>,
}

/// One master key. Several may be given, so that a new one can be brought in before the old one goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MasterSecret {
    /// Its name in the vault's file, 1 to 64 bytes.
    pub id: String,
    /// The secret, 32 bytes at least.
    pub secret: Secret,
}

/// A secret. It shows itself only as stars.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl Settings {
    /// Everything that is wrong, each with its option's name in front.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        check_secrets(&self.secrets)
    }
}

/// What is wrong with a list of secrets, each fault with its option's name in front.
pub(crate) fn check_secrets(secrets: &[MasterSecret]) -> Vec<String> {
    let mut faults = Vec::new();
    if secrets.len() > SECRETS_MAX {
        faults.push(format!("secrets: at most {SECRETS_MAX} may be given"));
    }
    for (place, master) in secrets.iter().enumerate() {
        if master.id.is_empty() || master.id.len() > 64 {
            faults.push(format!("secrets[{place}].id: must have 1 to 64 bytes"));
        }
        if master.secret.bytes().len() < 32 {
            faults.push(format!(
                "secrets[{place}].secret: must have 32 bytes at least"
            ));
        }
        let same = |earlier: &MasterSecret| earlier.id == master.id;
        if secrets[..place].iter().any(same) {
            faults.push(format!("secrets[{place}].id: is given twice"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_and_doubled_keys_are_refused_and_never_shown() {
        let master = |id: &str, secret: &str| MasterSecret {
            id: id.into(),
            secret: Secret::new(secret),
        };
        let strong = "a master secret of more than 32 bytes";
        let settings = Settings {
            secrets: vec![master("a", strong), master("a", "short")],
        };
        assert_eq!(settings.faults().len(), 2);
        assert!(!format!("{settings:?}").contains("master secret of"));
        assert!(Settings::default().faults().is_empty());
    }
}
