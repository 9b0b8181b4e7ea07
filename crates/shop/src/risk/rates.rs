//! Rates: how often a buyer, a device and an address ask, and rules about it.
//!
//! Counts slide: what was seen in the window before counts with the share of it that the last window still covers. Memory
//! is bounded: two windows of so many names; whoever is new while a window is full is not counted in it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use commerce::rules::Counters;

use super::{Reason, Risk, RiskEvaluator, RiskFacts, Settings};

/// Names that are counted in one window, for buyers, devices and addresses each.
pub(super) const NAMES_MOST: usize = 100_000;

/// Limits on how often somebody may ask within the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateRules {
    /// One buyer.
    pub buyer: Option<u64>,
    /// One device.
    pub device: Option<u64>,
    /// One address; of IPv6 one /64.
    pub address: Option<u64>,
}

impl RateRules {
    /// The limits that settings ask for.
    pub fn of(settings: &Settings) -> Self {
        let limit = |most| (most > 0).then_some(most);
        Self {
            buyer: limit(settings.buyer_max),
            device: limit(settings.device_max),
            address: limit(settings.address_max),
        }
    }

    /// Whether there is a limit at all.
    pub fn is_on(&self) -> bool {
        *self != Self::default()
    }
}

impl RiskEvaluator for RateRules {
    fn evaluate(&self, facts: &RiskFacts<'_>) -> Risk {
        let counters = facts.ground.counters;
        let rates = [
            ("buyer", counters.buyer, self.buyer),
            ("device", counters.device, self.device),
            ("address", counters.address, self.address),
        ];
        let over = rates
            .into_iter()
            .find(|(_, count, most)| most.is_some_and(|most| *count > most));
        over.map_or(Risk::Allow, |(of, ..)| {
            Risk::Block(Reason {
                rule: format!("rate of the {of}").into(),
                text: format!("too many orders and payments of this {of} in a short time").into(),
                broken: false,
            })
        })
    }
}

/// What was seen in this window and the one before.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// The number of this window since the clock began.
    window: u64,
    kinds: [Kind; 3],
}

#[derive(Debug, Default)]
struct Kind {
    now: BTreeMap<u128, u64>,
    before: BTreeMap<u128, u64>,
}

impl Counts {
    /// Counts one more request of these, and says how many there were within the window, this one included.
    pub(super) fn see(&mut self, at: Duration, window_ms: u64, who: [Option<&str>; 3]) -> Counters {
        let ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        let window_ms = window_ms.max(1);
        self.turn(ms / window_ms);
        let covered = window_ms - ms % window_ms;
        let mut counted = [0; 3];
        for ((kind, name), count) in self.kinds.iter_mut().zip(who).zip(&mut counted) {
            *count = name.map_or(0, |name| kind.see(name, covered, window_ms));
        }
        let [buyer, device, address] = counted;
        Counters {
            buyer,
            device,
            address,
        }
    }

    /// Goes on to a later window; an earlier one cannot come, since the clock does not go back.
    fn turn(&mut self, window: u64) {
        if window <= self.window {
            return;
        }
        let next = window == self.window + 1;
        for kind in &mut self.kinds {
            let now = std::mem::take(&mut kind.now);
            kind.before = if next { now } else { BTreeMap::new() };
        }
        self.window = window;
    }

    #[cfg(test)]
    pub(super) fn names(&self) -> usize {
        let sizes = self
            .kinds
            .iter()
            .map(|kind| kind.now.len() + kind.before.len());
        sizes.sum()
    }
}

impl Kind {
    fn see(&mut self, name: &str, covered: u64, window_ms: u64) -> u64 {
        let digest = digest(name);
        let before = self.before.get(&digest).copied().unwrap_or(0);
        let before = before.saturating_mul(covered) / window_ms;
        if let Some(count) = self.now.get_mut(&digest) {
            *count = count.saturating_add(1);
            return before.saturating_add(*count);
        }
        if self.now.len() < NAMES_MOST {
            self.now.insert(digest, 1);
        }
        before.saturating_add(1)
    }
}

/// What an address counts as: one of IPv6 as its /64, since whoever has one has all of it; the same address in another
/// spelling as the same. A text that is no address counts as it is.
pub(super) fn network(address: &str) -> Cow<'_, str> {
    match address
        .parse()
        .map(|address: IpAddr| address.to_canonical())
    {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64").into()
        }
        Ok(IpAddr::V4(address)) => address.to_string().into(),
        Err(_) => address.into(),
    }
}

/// Names are kept as digests: short, of one size, and telling nothing.
fn digest(name: &str) -> u128 {
    let hash = blake3::hash(name.as_bytes());
    let first = hash.as_bytes().first_chunk();
    first.map_or(0, |bytes| u128::from_le_bytes(*bytes))
}
