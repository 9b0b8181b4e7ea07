//! How Stripe is reached and used.

use serde::{Deserialize, Serialize};

use crate::provider::Hidden;
use crate::provider::client::secure_base;

/// How Stripe is reached and used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address of the API. Default `https://api.stripe.com`; plain HTTP only on this machine.
    pub url: String,
    /// The secret key of the account, `sk_…`, or a restricted key, `rk_…`, that may read and write payment intents and
    /// refunds. Needed.
    pub api_secret: Option<Hidden>,
    /// The signing secret of the webhook endpoint, `whsec_…`. Needed.
    pub webhook_secret: Option<Hidden>,
    /// Name of this house among all that use the account, 1 to 16 small letters, digits and `-`; never changes while
    /// anything is open. Default `tidegate`.
    pub house: String,
    /// A payment method, `pm_…`, that every charge is confirmed with at once: for test accounts. Default not set: the
    /// buyer pays in the page.
    pub confirm_with: Option<String>,
    /// How long a buyer may take to pay, in seconds; an intent that is older is closed when it is next asked about.
    /// Limit: 60 to 86,400.
    pub pay_within_s: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "https://api.stripe.com".to_owned(),
            api_secret: None,
            webhook_secret: None,
            house: "tidegate".to_owned(),
            confirm_with: None,
            pay_within_s: 1_800,
        }
    }
}

/// An option of a provider that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {detail}")]
pub struct SettingsFault {
    /// Which option of the provider's group.
    pub option: &'static str,
    /// What is wrong, and what is allowed; never the value of a secret.
    pub detail: String,
}

impl SettingsFault {
    pub(in crate::provider) fn new(option: &'static str, detail: impl Into<String>) -> Self {
        Self {
            option,
            detail: detail.into(),
        }
    }
}

impl Settings {
    /// Everything that is wrong when Stripe is the provider.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingsFault> {
        let mut faults = Vec::new();
        let mut fault = |option, detail: &str| faults.push(SettingsFault::new(option, detail));
        if secure_base(&self.url).is_err() {
            fault(
                "url",
                "must be `https://` and a host, or plain HTTP on this machine",
            );
        }
        if !has_prefix(self.api_secret.as_ref(), &["sk_", "rk_"]) {
            fault("api_secret", "must be a secret key, `sk_…` or `rk_…`");
        }
        if !has_prefix(self.webhook_secret.as_ref(), &["whsec_"]) {
            fault("webhook_secret", "must be a signing secret, `whsec_…`");
        }
        if !is_house(&self.house, 1, 16) {
            fault("house", "must have 1 to 16 small letters, digits and `-`");
        }
        let method = self.confirm_with.as_deref();
        if method.is_some_and(|method| !method.starts_with("pm_")) {
            fault("confirm_with", "must be a payment method, `pm_…`");
        }
        if !(60..=86_400).contains(&self.pay_within_s) {
            fault("pay_within_s", "must be from 60 to 86400");
        }
        faults
    }

    /// Whether the account's key is one for real money.
    pub(super) fn is_live(&self) -> bool {
        has_prefix(self.api_secret.as_ref(), &["sk_live_", "rk_live_"])
    }
}

/// A secret that begins so and goes on in visible ASCII.
fn has_prefix(secret: Option<&Hidden>, prefixes: &[&str]) -> bool {
    secret.is_some_and(|secret| {
        let text = secret.text();
        let rest = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
        rest.is_some_and(|rest| rest.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_graphic()))
    })
}

/// A name for a house, that providers take in their own names.
pub(in crate::provider) fn is_house(name: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_told_at_once_and_no_secret_is_shown() {
        let options = |settings: &Settings| -> Vec<_> {
            let faults = settings.faults();
            faults.iter().map(|fault| fault.option).collect()
        };
        let settings = Settings::default();
        assert_eq!(options(&settings), ["api_secret", "webhook_secret"]);
        let settings = Settings {
            api_secret: Some(Hidden::new("sk_test_0123456789")),
            webhook_secret: Some(Hidden::new("whsec_0123456789")),
            ..settings
        };
        assert!(options(&settings).is_empty() && !settings.is_live());
        let text = format!(
            "{settings:?}{}",
            serde_json::to_string(&settings).unwrap_or_default()
        );
        assert!(!text.contains("0123456789"), "{text}");
        let settings = Settings {
            url: "http://api.stripe.com".to_owned(),
            api_secret: Some(Hidden::new("pk_live_0123456789")),
            house: "Two Words".to_owned(),
            confirm_with: Some("card".to_owned()),
            pay_within_s: 0,
            ..settings
        };
        let wrong = ["url", "api_secret", "house", "confirm_with", "pay_within_s"];
        assert_eq!(options(&settings), wrong);
    }
}
