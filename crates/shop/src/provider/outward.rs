//! How a payment provider that is far away is set up, whichever it is.

use std::time::Duration;

use super::client::{Client, secure_base};
use super::dial::Line;
use super::stripe::SettingsFault;
use super::tls::Tls;

/// The way to a provider far away: its address, and a client that speaks TLS to it.
pub(super) struct Outward {
    pub(super) url: String,
    pub(super) client: Client,
}

impl Outward {
    /// The way to this address, once its settings have no fault; answers come within `timeout`.
    ///
    /// # Errors
    /// The first thing that is wrong with the settings.
    pub(super) fn open(
        faults: Vec<SettingsFault>,
        url: &str,
        line: &Line,
        tls: Tls,
        timeout: Duration,
    ) -> Result<Self, SettingsFault> {
        if let Some(fault) = faults.into_iter().next() {
            return Err(fault);
        }
        let url = secure_base(url).map_err(|error| SettingsFault::new("url", error.to_string()))?;
        let client = Client::secure(line, tls, timeout);
        Ok(Self { url, client })
    }
}
