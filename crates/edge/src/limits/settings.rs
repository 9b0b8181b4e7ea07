//! Limits of requests as they stand in the configuration.

use http::HeaderName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Limits that there may be.
const LIMITS_MAX: usize = 64;

/// A limit of requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// What it is called in answers and metrics: 1 to 64 of `a-z`, `0-9` and `-`.
    pub name: String,
    /// For which routes: `POST /v1/orders`, `/v1/sales/{id}` (any method), `/v1/providers/*` (all below), `*` (all).
    pub routes: Vec<String>,
    /// Whose requests are counted together.
    pub key: Key,
    /// Requests of one of them in each `per_s`. Limit: 1 to 1,000,000.
    pub rate: u32,
    /// What `rate` refers to, s. Limit: 1 to 86,400. Default 1.
    #[serde(default = "second")]
    pub per_s: u32,
    /// Requests of one of them at once, after a pause. Limit: 1 to 1,000,000.
    pub burst: u32,
    /// Which answers count: `401`, `4xx`. Empty: every request, before it is answered. Default empty.
    #[serde(default)]
    pub statuses: Vec<Statuses>,
    /// Callers that are told apart at a time. Limit: 1 to 1,000,000. Default 65,536.
    #[serde(default = "keys_max")]
    pub keys_max: usize,
}

const fn second() -> u32 {
    1
}

const fn keys_max() -> usize {
    65_536
}

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Those of an address; of IPv6 those of a network of 64 bits, which is what one customer has at least.
    Address,
    /// Those with the same value of a header, and all without it.
    Header(HeaderName),
    /// Those of a buyer. Merchants are not counted.
    Buyer,
    /// Those of an API key. Buyers are not counted.
    ApiKey,
    /// All.
    All,
}

/// Statuses of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statuses {
    /// One.
    One(u16),
    /// All with this first digit.
    Class(u16),
}

/// A text of the configuration that means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LimitError(&'static str);

impl FromStr for Key {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let unknown = LimitError("expected `address`, `header:NAME`, `buyer`, `key` or `all`");
        match text {
            "address" => Ok(Self::Address),
            "buyer" => Ok(Self::Buyer),
            "key" => Ok(Self::ApiKey),
            "all" => Ok(Self::All),
            _ => {
                let name = text.strip_prefix("header:").ok_or(unknown)?;
                name.parse().map(Self::Header).map_err(|_| unknown)
            }
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("address"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Buyer => f.write_str("buyer"),
            Self::ApiKey => f.write_str("key"),
            Self::All => f.write_str("all"),
        }
    }
}

impl Statuses {
    /// Whether a status is among them.
    #[must_use]
    pub const fn contains(self, status: u16) -> bool {
        match self {
            Self::One(one) => one == status,
            Self::Class(digit) => status / 100 == digit,
        }
    }
}

impl FromStr for Statuses {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let unknown = LimitError("expected a status like `401`, or a class like `4xx`");
        if let Some(digit) = text.strip_suffix("xx") {
            let digit = digit.parse().map_err(|_| unknown)?;
            return (1..=5)
                .contains(&digit)
                .then_some(Self::Class(digit))
                .ok_or(unknown);
        }
        let one = text.parse().map_err(|_| unknown)?;
        (100..=599)
            .contains(&one)
            .then_some(Self::One(one))
            .ok_or(unknown)
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(one) => write!(f, "{one}"),
            Self::Class(digit) => write!(f, "{digit}xx"),
        }
    }
}

/// Both are written as texts.
macro_rules! as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(Key);
as_text!(Statuses);

impl Limit {
    /// Limits that hurt no honest caller: they stop a source of bad callbacks, of bad credentials, or of device codes.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        let by_address = |name: &str, routes: &[&str], rate, burst, statuses: &[u16]| Self {
            name: name.to_owned(),
            routes: routes.iter().map(|route| (*route).to_owned()).collect(),
            key: Key::Address,
            rate,
            per_s: second(),
            burst,
            statuses: statuses.iter().copied().map(Statuses::One).collect(),
            keys_max: keys_max(),
        };
        let callbacks = ["/v1/providers/*", "/v1/carriers/*"];
        let device_pages = ["/device", "/device/*"];
        vec![
            by_address("bad-callbacks", &callbacks, 20, 200, &[400, 401, 413, 422]),
            by_address("failed-sign-in", &["/v1/*"], 50, 1_000, &[401]),
            by_address("device-codes", &["POST /v1/device/code"], 10, 100, &[]),
            by_address("device-polls", &["POST /v1/device/token"], 100, 500, &[]),
            by_address("device-pages", &device_pages, 50, 200, &[]),
        ]
    }

    /// Whether it is for a route.
    pub(super) fn is_for(&self, method: &str, template: &str) -> bool {
        self.routes
            .iter()
            .any(|pattern| matches(pattern, method, template))
    }

    /// What is wrong with it, each as `name: what is allowed`.
    fn faults(&self, routes: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut faults = Vec::new();
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=64).contains(&self.name.len()) || !self.name.bytes().all(good) {
            faults.push("name: must have 1 to 64 of `a-z`, `0-9` and `-`".to_owned());
        }
        let keys_max = u32::try_from(self.keys_max).unwrap_or(u32::MAX);
        let numbers = [
            ("rate", self.rate, 1_000_000),
            ("per_s", self.per_s, 86_400),
            ("burst", self.burst, 1_000_000),
            ("keys_max", keys_max, 1_000_000),
        ];
        let outside = numbers
            .iter()
            .filter(|(_, value, most)| !(1..=*most).contains(value));
        faults.extend(outside.map(|(name, _, most)| format!("{name}: must be from 1 to {most}")));
        if self.routes.is_empty() {
            faults.push("routes: must name one at least; `*` is all".to_owned());
        }
        for pattern in &self.routes {
            let known = |(method, template): &(&str, &str)| matches(pattern, method, template);
            if !routes.iter().any(known) {
                faults.push(format!("routes: nothing is served under `{pattern}`"));
            }
        }
        faults
    }
}

/// Everything that is wrong with a list of limits.
pub(crate) fn faults(limits: &[Limit], routes: &[(&'static str, &'static str)]) -> Vec<String> {
    let mut faults = Vec::new();
    if limits.len() > LIMITS_MAX {
        faults.push(format!("limits: must be from 0 to {LIMITS_MAX}"));
    }
    for (place, limit) in limits.iter().enumerate() {
        let wrong = limit.faults(routes).into_iter();
        faults.extend(wrong.map(|fault| format!("limits[{place}].{fault}")));
        if limits[..place].iter().any(|other| other.name == limit.name) {
            faults.push(format!("limits[{place}].name: is given twice"));
        }
    }
    faults
}

/// Whether a route is meant by a pattern: a method or none, and a template, all below a place, or all.
fn matches(pattern: &str, method: &str, template: &str) -> bool {
    let (only, place) = pattern
        .split_once(' ')
        .map_or((None, pattern), |(only, place)| (Some(only), place));
    if only.is_some_and(|only| only != method) {
        return false;
    }
    match place.strip_suffix('*') {
        Some(start) => template.starts_with(start),
        None => template == place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_pattern_means_one_route_or_all_below_a_place() {
        assert!(matches("POST /v1/orders", "POST", "/v1/orders"));
        assert!(!matches("POST /v1/orders", "GET", "/v1/orders"));
        assert!(!matches("/v1/orders", "GET", "/v1/orders/{id}"));
        assert!(matches("/v1/orders*", "GET", "/v1/orders/{id}"));
        assert!(matches("GET *", "GET", "/v1/orders/{id}"));
        assert!(matches("*", "PUT", "none"));
    }

    #[test]
    fn keys_and_statuses_are_read_as_they_are_written() {
        for text in ["address", "header:x-tenant", "buyer", "key", "all"] {
            assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
        }
        for text in ["401", "4xx", "599"] {
            assert_eq!(text.parse::<Statuses>().unwrap().to_string(), text);
        }
        for text in ["", "ip", "header:", "header:a b"] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
        for text in ["", "xx", "6xx", "40", "600", "401x"] {
            assert!(text.parse::<Statuses>().is_err(), "{text}");
        }
        let of_bad = "4xx".parse::<Statuses>().unwrap();
        assert!(of_bad.contains(429) && !of_bad.contains(503));
    }

    #[test]
    fn every_fault_of_every_limit_is_named() {
        let good = &Limit::defaults()[0];
        let bad = Limit {
            name: "Bad name".to_owned(),
            routes: vec!["/v1/ordres".to_owned()],
            rate: 0,
            burst: 2_000_000,
            ..good.clone()
        };
        let settings = Settings {
            limits: vec![good.clone(), bad, good.clone()],
            ..Settings::default()
        };
        let faults = settings.faults();
        let expected = [
            "limits[1].name: must have",
            "limits[1].rate: must be",
            "limits[1].burst: must be",
            "limits[1].routes: nothing is served under `/v1/ordres`",
            "limits[2].name: is given twice",
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for (fault, start) in faults.iter().zip(expected) {
            assert!(fault.starts_with(start), "{fault}");
        }
    }
}
