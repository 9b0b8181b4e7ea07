//! The one place where the environment is read.

// This is the one approved door to the environment.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;

/// What every variable of ours begins with.
pub(crate) const PREFIX: &str = "TIDEGATE_";

/// The API key for commands that talk to a running server; no option of the configuration.
pub(crate) const API_KEY: &str = "TIDEGATE_API_KEY";

/// The variables that configure Tidegate. What is not UTF-8 cannot be one of ours.
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(PREFIX) && name != API_KEY)
        .collect()
}

/// The API key, if the environment holds one.
pub(crate) fn api_key() -> Option<String> {
    std::env::var(API_KEY).ok().filter(|key| !key.is_empty())
}
