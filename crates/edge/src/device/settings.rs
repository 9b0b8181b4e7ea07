//! Settings of device sign-in.

use serde::{Deserialize, Serialize};

/// Settings of device sign-in. It needs a secret in `edge.token_secrets`, which signs what devices get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What the addresses in QR codes begin with, like `https://shop.example`. Default not set: `http://` and the host
    /// that the device itself asked.
    pub public_url: Option<String>,
    /// How long a code is good, s. Limit: 60 to 3,600. Default 600.
    pub code_s: u64,
    /// Seconds between two polls of a device, at least. Limit: 1 to 60. Default 5.
    pub interval_s: u64,
    /// How long a device's token is good, s. Limit: 60 to 2,592,000. Default 43,200.
    pub token_s: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: None,
            code_s: 600,
            interval_s: 5,
            token_s: 43_200,
        }
    }
}

impl Settings {
    /// Everything that is wrong, each with its option's name in front.
    pub(crate) fn faults(&self, faults: &mut Vec<String>) {
        let limits = [
            ("code_s", self.code_s, 60, 3_600),
            ("interval_s", self.interval_s, 1, 60),
            ("token_s", self.token_s, 60, 2_592_000),
        ];
        for (name, value, least, most) in limits {
            if !(least..=most).contains(&value) {
                faults.push(format!("device.{name}: must be from {least} to {most}"));
            }
        }
        let web = |url: &str| url.starts_with("http://") || url.starts_with("https://");
        if self.public_url.as_deref().is_some_and(|url| !web(url)) {
            faults.push("device.public_url: must begin with http:// or https://".to_owned());
        }
    }
}
