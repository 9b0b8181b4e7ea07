//! How risk is judged.

use serde::{Deserialize, Serialize};

/// How risk is judged. As it comes, nothing is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A file with rules, TOML, as `tidegate rules check` takes it; empty for none. It is read again on SIGHUP.
    pub rules: String,
    /// The window over which orders and payments are counted, in milliseconds. Limit: 1,000 to 3,600,000.
    pub window_ms: u64,
    /// Orders and payments of one buyer within the window; more are blocked. 0 is no limit. Limit: 0 to 1,000,000.
    pub buyer_max: u64,
    /// Orders and payments from one device within the window; more are blocked. 0 is no limit. Limit: 0 to 1,000,000.
    pub device_max: u64,
    /// Orders and payments from one address (of IPv6: one /64) within the window; more are blocked. 0 is no limit. Limit: 0 to 1,000,000.
    pub address_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rules: String::new(),
            window_ms: 60_000,
            buyer_max: 0,
            device_max: 0,
            address_max: 0,
        }
    }
}

/// An option that is out of its limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is {value}, must be from {least} to {most}")]
pub struct SettingsError {
    /// Which option.
    pub option: &'static str,
    /// Its value.
    pub value: u64,
    /// The least that is allowed.
    pub least: u64,
    /// The most that is allowed.
    pub most: u64,
}

impl Settings {
    /// Every option that is out of its limits.
    pub fn faults(&self) -> Vec<SettingsError> {
        let limits = [
            ("window_ms", self.window_ms, 1_000, 3_600_000),
            ("buyer_max", self.buyer_max, 0, 1_000_000),
            ("device_max", self.device_max, 0, 1_000_000),
            ("address_max", self.address_max, 0, 1_000_000),
        ];
        let outside = limits
            .into_iter()
            .filter(|(_, value, least, most)| !(least..=most).contains(&value));
        outside
            .map(|(option, value, least, most)| SettingsError {
                option,
                value,
                least,
                most,
            })
            .collect()
    }
}
