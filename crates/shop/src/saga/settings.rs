//! How paid orders go out.

use commerce::saga::Kind;
use serde::{Deserialize, Serialize};

use crate::provider::http::check_url;
use crate::provider::signature::SECRET_BYTES_LEAST;

/// Settings of fulfilment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What begins by itself for each order that is paid: `fulfilment` (charge, carrier, notice) or `cross_border`
    /// (charge, customs, carrier, notice). Default not set: nothing, and merchants ship by themselves.
    pub kind: Option<Choice>,
    /// Where carriers are booked, like `http://127.0.0.1:9100/book`; plain HTTP. Needed with `kind`.
    pub carrier_url: Option<String>,
    /// Where goods are declared. Needed with `cross_border`.
    pub customs_url: Option<String>,
    /// Signs every request to them: 32 bytes at least. Needed with `kind`.
    pub secret: Option<Hidden>,
    /// Attempts under way at once, over all sales. Limit: 1 to 10,000.
    pub attempts_max: usize,
}

/// Which saga begins by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Inside one country.
    Fulfilment,
    /// Over a border.
    CrossBorder,
}

/// A secret; it shows itself only as stars.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Hidden {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kind: None,
            carrier_url: None,
            customs_url: None,
            secret: None,
            attempts_max: 256,
        }
    }
}

/// What is wrong with the settings of fulfilment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {why}")]
pub struct SettingsError {
    /// The option.
    pub option: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl Settings {
    /// The saga that begins by itself.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        self.kind.map(|choice| match choice {
            Choice::Fulfilment => Kind::Fulfilment,
            Choice::CrossBorder => Kind::CrossBorder,
        })
    }

    /// Everything that is wrong.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingsError> {
        let mut faults = Vec::new();
        let mut fault = |option, why: &str| {
            faults.push(SettingsError {
                option,
                why: why.to_owned(),
            });
        };
        let carrier = self.carrier_url.as_deref();
        let customs = self.customs_url.as_deref();
        if self.kind.is_some() && carrier.is_none() {
            fault("carrier_url", "is needed with kind");
        }
        if self.kind == Some(Choice::CrossBorder) && customs.is_none() {
            fault("customs_url", "is needed with cross_border");
        }
        if self.kind.is_some() && self.secret.is_none() {
            fault("secret", "is needed with kind");
        }
        for (option, url) in [("carrier_url", carrier), ("customs_url", customs)] {
            if let Some(Err(error)) = url.map(check_url) {
                fault(option, &error.to_string());
            }
        }
        let short = |secret: &Hidden| secret.bytes().len() < SECRET_BYTES_LEAST;
        if self.secret.as_ref().is_some_and(short) {
            fault("secret", "must have 32 bytes at least");
        }
        if !(1..=10_000).contains(&self.attempts_max) {
            fault("attempts_max", "must be from 1 to 10000");
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fulfilment_is_off_by_default_and_needs_its_participants_once_it_is_on() {
        assert_eq!(Settings::default().faults(), []);
        assert_eq!(Settings::default().kind(), None);
        let on = Settings {
            kind: Some(Choice::CrossBorder),
            secret: Some(Hidden::new("short")),
            carrier_url: Some("ftp://x".into()),
            attempts_max: 0,
            ..Settings::default()
        };
        let options: Vec<_> = on.faults().iter().map(|fault| fault.option).collect();
        assert_eq!(
            options,
            ["customs_url", "carrier_url", "secret", "attempts_max"]
        );
        assert!(!format!("{on:?}").contains("short"));
    }
}
