//! Settings of the front door. Every limit has a default that is safe to leave.

use crate::limits::{self, Limit};
use crate::network::Network;
use crate::routes;
use crate::secret::Secret;
use crate::{device, identity};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// One secret that signs buyer tokens. Several may be given, so that a new one can be brought in before the old one goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSecret {
    /// The name that tokens carry as `kid`, 1 to 64 bytes.
    pub id: String,
    /// The secret, 32 bytes at least.
    pub secret: Secret,
}

/// Settings of the front door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address of the public port. Default `127.0.0.1:8080`; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Address of the port for operators (`/metrics`, `/livez`, `/readyz`). Default `127.0.0.1:8081`.
    pub admin_listen: SocketAddr,
    /// Time for the head of a request, ms, from its first byte. Default 5,000.
    pub header_ms: u64,
    /// Time for the body of a request, ms. Default 10,000.
    pub body_ms: u64,
    /// Time for a whole request, ms. Default 30,000.
    pub request_ms: u64,
    /// Time for a client to take 64 KiB of what waits for it, or all of it where that is less, ms; live streams and exports
    /// have no other limit. A client that reads more slowly is cut off. Default 30,000.
    pub write_ms: u64,
    /// Time that a connection may be idle, ms. Default 60,000.
    pub idle_ms: u64,
    /// Time that running requests get when the server stops, ms. Default 10,000.
    pub drain_ms: u64,
    /// Largest body, bytes. Default 1 MiB.
    pub body_bytes_max: usize,
    /// Largest body of a batch of orders or of a sale, bytes. Default 8 MiB.
    pub batch_bytes_max: usize,
    /// Largest head of a request, bytes. Default 32 KiB, at least 8 KiB.
    pub header_bytes_max: usize,
    /// Most headers of a request. Default 100, at most 100.
    pub headers_max: usize,
    /// Most open connections. Default 10,000.
    pub connections_max: usize,
    /// Most open live streams. Default 1,000.
    pub live_streams_max: usize,
    /// Networks whose `X-Forwarded-For` is believed, like `10.0.0.0/8`. Default none.
    pub trusted_proxies: Vec<Network>,
    /// Limits of requests, each `{name, routes, key, rate, burst}` and, where they differ, `per_s`, `statuses`,
    /// `keys_max`; at most 64. A list that is given takes the place of this one, and counts at once with SIGHUP; see
    /// [howto/limit-requests.md](howto/limit-requests.md).
    pub limits: Vec<Limit>,
    /// Secrets of buyer tokens (JWT, HS256). Default none: buyers cannot come in.
    pub token_secrets: Vec<TokenSecret>,
    /// Secret of the payment provider's callbacks. Default none: callbacks are refused.
    pub callback_secret: Option<Secret>,
    /// Secret of the carriers' callbacks, another than the payment provider's. Default none: callbacks are refused.
    pub carrier_secret: Option<Secret>,
    /// Number of this node in request ids, 0 to 255. Default 0.
    pub node: u8,
    /// Outside issuers of buyers' tokens.
    pub identity: identity::Settings,
    /// Sign-in of devices.
    pub device: device::Settings,
    /// Serves `/v1/noop`, which does nothing but authenticate, to measure against. Default false.
    pub bench: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            header_ms: 5_000,
            body_ms: 10_000,
            request_ms: 30_000,
            write_ms: 30_000,
            idle_ms: 60_000,
            drain_ms: 10_000,
            body_bytes_max: 1024 * 1024,
            batch_bytes_max: 8 * 1024 * 1024,
            header_bytes_max: 32 * 1024,
            headers_max: 100,
            connections_max: 10_000,
            live_streams_max: 1_000,
            trusted_proxies: Vec::new(),
            limits: Limit::defaults(),
            token_secrets: Vec::new(),
            callback_secret: None,
            carrier_secret: None,
            node: 0,
            identity: identity::Settings::default(),
            device: device::Settings::default(),
            bench: false,
        }
    }
}

impl Settings {
    /// Everything that is wrong, each as `name: what is allowed`.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let times = [
            ("header_ms", self.header_ms),
            ("body_ms", self.body_ms),
            ("request_ms", self.request_ms),
            ("write_ms", self.write_ms),
            ("idle_ms", self.idle_ms),
            ("drain_ms", self.drain_ms),
        ];
        let mut faults: Vec<String> = times
            .into_iter()
            .filter(|(_, ms)| !(1..=3_600_000).contains(ms))
            .map(|(name, _)| format!("{name}: must be from 1 to 3600000"))
            .collect();
        let sizes = [
            (
                "body_bytes_max",
                self.body_bytes_max,
                1024,
                64 * 1024 * 1024,
            ),
            (
                "batch_bytes_max",
                self.batch_bytes_max,
                1024,
                64 * 1024 * 1024,
            ),
            (
                "header_bytes_max",
                self.header_bytes_max,
                8 * 1024,
                1024 * 1024,
            ),
            ("headers_max", self.headers_max, 8, 100),
            ("connections_max", self.connections_max, 1, 1_000_000),
            ("live_streams_max", self.live_streams_max, 0, 1_000_000),
            ("token_secrets", self.token_secrets.len(), 0, 16),
        ];
        let outside = sizes
            .into_iter()
            .filter(|(_, size, least, most)| !(least..=most).contains(&size));
        faults.extend(
            outside.map(|(name, _, least, most)| format!("{name}: must be from {least} to {most}")),
        );
        self.secret_faults(&mut faults);
        faults.extend(limits::faults(&self.limits, &routes::names(self)));
        faults
    }

    fn secret_faults(&self, faults: &mut Vec<String>) {
        for (place, token) in self.token_secrets.iter().enumerate() {
            if token.id.is_empty() || token.id.len() > 64 {
                faults.push(format!(
                    "token_secrets[{place}].id: must have 1 to 64 bytes"
                ));
            }
            if token.secret.bytes().len() < 32 {
                faults.push(format!(
                    "token_secrets[{place}].secret: must have 32 bytes at least"
                ));
            }
            if self.token_secrets[..place]
                .iter()
                .any(|earlier| earlier.id == token.id)
            {
                faults.push(format!("token_secrets[{place}].id: is given twice"));
            }
        }
        self.identity.faults(faults);
        self.device.faults(faults);
        if self
            .callback_secret
            .as_ref()
            .is_some_and(|secret| secret.bytes().len() < 32)
        {
            faults.push("callback_secret: must have 32 bytes at least".to_owned());
        }
        let short = |secret: &Secret| secret.bytes().len() < 32;
        if self.carrier_secret.as_ref().is_some_and(short) {
            faults.push("carrier_secret: must have 32 bytes at least".to_owned());
        }
        if self.carrier_secret.is_some() && self.carrier_secret == self.callback_secret {
            faults.push("carrier_secret: must be another than callback_secret".to_owned());
        }
    }

    pub(crate) const fn header_time(&self) -> Duration {
        Duration::from_millis(self.header_ms)
    }

    pub(crate) const fn body_time(&self) -> Duration {
        Duration::from_millis(self.body_ms)
    }

    pub(crate) const fn request_time(&self) -> Duration {
        Duration::from_millis(self.request_ms)
    }

    pub(crate) const fn write_time(&self) -> Duration {
        Duration::from_millis(self.write_ms)
    }

    pub(crate) const fn idle_time(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    pub(crate) const fn drain_time(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_listen_on_loopback() {
        let settings = Settings::default();
        assert!(settings.faults().is_empty());
        assert!(settings.listen.ip().is_loopback() && settings.admin_listen.ip().is_loopback());
    }

    #[test]
    fn all_faults_are_named_at_once() {
        let weak = TokenSecret {
            id: String::new(),
            secret: Secret::new("short"),
        };
        let settings = Settings {
            header_ms: 0,
            headers_max: 101,
            token_secrets: vec![weak],
            ..Settings::default()
        };
        let faults = settings.faults();
        assert_eq!(faults.len(), 4, "{faults:?}");
    }

    #[test]
    fn secrets_are_never_printed() {
        let secret = Secret::new("a very secret secret that is long enough");
        let settings = Settings {
            callback_secret: Some(secret),
            ..Settings::default()
        };
        assert!(!format!("{settings:?}").contains("very"));
        assert!(!serde_json::to_string(&settings).unwrap().contains("very"));
    }
}
