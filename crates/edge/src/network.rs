//! Networks of trusted proxies, and the client behind them.

use http::HeaderMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Addresses that share their first bits, like `10.0.0.0/8`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a network like `10.0.0.0/8`")]
pub struct NetworkError;

impl Network {
    /// Whether an address belongs to the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = |ours: u128, theirs: u128, width: u32| {
            let rest = width - u32::from(self.bits);
            rest >= 128 || ours >> rest == theirs >> rest
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                same(ours.to_bits().into(), theirs.to_bits().into(), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => same(ours.to_bits(), theirs.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = text
            .split_once('/')
            .map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| NetworkError))?;
        if bits > most {
            Err(NetworkError)
        } else {
            Ok(Self { address, bits })
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The client's address: the peer's own, or behind trusted proxies the last address of `X-Forwarded-For` that none of
/// them wrote about itself. What a client claims further left is never believed.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if trusted.is_empty() || !is_trusted(peer) {
        return peer;
    }
    let mut client = peer;
    let lists: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|list| list.to_str().ok())
        .collect();
    for hop in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
        let Some(address) = of_hop(hop.trim()) else {
            break;
        };
        client = address;
        if !is_trusted(address) {
            break;
        }
    }
    client
}

/// The address of a hop; some gateways write the port too.
fn of_hop(hop: &str) -> Option<IpAddr> {
    let with_port = || Some(hop.parse::<SocketAddr>().ok()?.ip());
    hop.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_what_shares_its_bits() {
        assert!(network("10.0.0.0/8").contains(address("10.200.1.1")));
        assert!(!network("10.0.0.0/8").contains(address("11.0.0.1")));
        assert!(network("0.0.0.0/0").contains(address("9.9.9.9")));
        assert!(network("::/0").contains(address("2001:db8::1")));
        assert!(network("192.168.1.7").contains(address("::ffff:192.168.1.7")));
        assert!("10.0.0.0/33".parse::<Network>().is_err());
    }

    #[test]
    fn only_a_trusted_peer_may_speak_for_others() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-forwarded-for",
            "6.6.6.6, 1.2.3.4, 10.0.0.2".parse().unwrap(),
        );
        let trusted = [network("10.0.0.0/8")];
        assert_eq!(
            client(address("9.9.9.9"), &headers, &trusted),
            address("9.9.9.9")
        );
        assert_eq!(
            client(address("10.0.0.1"), &headers, &trusted),
            address("1.2.3.4")
        );
        // Application gateways add the port; without this all their clients were one.
        for (hop, expected) in [
            ("1.2.3.4:49152", "1.2.3.4"),
            ("[2001:db8::1]:49152", "2001:db8::1"),
            ("unknown", "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", hop.parse().unwrap());
            let client = client(address("10.0.0.1"), &headers, &trusted);
            assert_eq!(client, address(expected), "{hop}");
        }
        assert_eq!(
            client(address("10.0.0.1"), &headers, &[]),
            address("10.0.0.1")
        );
        assert_eq!(
            client(address("10.0.0.1"), &HeaderMap::new(), &trusted),
            address("10.0.0.1")
        );
    }
}
