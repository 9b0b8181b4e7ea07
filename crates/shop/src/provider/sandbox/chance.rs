//! Chance that belongs to a key: the same seed and the same key always draw the same lots.

use serde::{Deserialize, Serialize};
use world::SeededEntropy;

/// A share in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct PerMille(u16);

/// A share above a thousand thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a share of 0 to 1000 thousandths, got {0}")]
pub struct ShareError(u16);

impl PerMille {
    /// Always.
    pub const ALL: Self = Self(1_000);

    /// A share of so many thousandths.
    ///
    /// # Errors
    /// [`ShareError`] above 1,000.
    pub const fn new(thousandths: u16) -> Result<Self, ShareError> {
        if thousandths <= 1_000 {
            Ok(Self(thousandths))
        } else {
            Err(ShareError(thousandths))
        }
    }
}

impl TryFrom<u16> for PerMille {
    type Error = ShareError;

    fn try_from(thousandths: u16) -> Result<Self, ShareError> {
        Self::new(thousandths)
    }
}

impl From<PerMille> for u16 {
    fn from(share: PerMille) -> Self {
        share.0
    }
}

/// Lots drawn one after the other.
#[derive(Debug)]
pub(super) struct Chance(SeededEntropy);

impl Chance {
    /// The lots of what these numbers name. Each number is stirred in alone, so that neighbours have nothing in common.
    pub(super) fn of(seed: u64, name: &[u64]) -> Self {
        let stirred = name.iter().fold(seed, |state, part| {
            SeededEntropy::new(state).next_u64() ^ part
        });
        Self(SeededEntropy::new(stirred))
    }

    /// Whether the next lot falls into the share.
    pub(super) fn hits(&self, share: PerMille) -> bool {
        self.0.next_u64() % 1_000 < u64::from(share.0)
    }

    /// The next lot, from 0 to `most`.
    pub(super) fn up_to(&self, most: u64) -> u64 {
        let lots = most.saturating_add(1);
        self.0.next_u64() % lots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_lots_and_a_share_is_met() {
        let tenth = PerMille::new(100).unwrap_or_default();
        let hit = |key: u64| Chance::of(7, &[key, 1]).hits(tenth);
        let hits = (0..10_000).filter(|&key| hit(key)).count();
        assert!((800..1_200).contains(&hits), "{hits}");
        assert!((0..100).all(|key| hit(key) == hit(key)));
        assert!((0..100).all(|key| Chance::of(1, &[key]).hits(PerMille::ALL)));
        assert!(!(0..100).any(|key| Chance::of(1, &[key]).hits(PerMille::default())));
    }

    #[test]
    fn a_share_above_the_whole_is_refused() {
        assert!(serde_json::from_str::<PerMille>("1001").is_err());
        assert!(matches!(serde_json::from_str("1000"), Ok(PerMille::ALL)));
    }
}
