//! The dice of the simulation: a sequence that belongs to a seed and a name.

/// SplitMix64; each use has a stream of its own, so that drawing more in one place changes nothing in another.
#[derive(Clone, Debug)]
pub struct Chance(u64);

/// The odd constant by which SplitMix64 steps, 2^64 divided by the golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Chance {
    /// The stream of `seed` for what `name` says.
    #[must_use]
    pub fn of(seed: u64, name: &str) -> Self {
        let start = name.bytes().fold(seed ^ 0x5bd1_e995, |state, byte| {
            mix(state.wrapping_add(GAMMA) ^ u64::from(byte))
        });
        Self(start)
    }

    /// The next 64 bits.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator may come to an end, and dice do not"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// A number below `most`; 0 when `most` is 0.
    pub fn below(&mut self, most: u64) -> u64 {
        // The high half of the product is as good as a division and has no bias that matters here.
        let wide = u128::from(self.next()) * u128::from(most);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in so many of a thousand cases.
    pub fn hits(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of these; the list must not be empty.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }

    /// A place in a list of this length; 0 for an empty one.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }
}

fn mix(state: u64) -> u64 {
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_belongs_to_its_seed_and_its_name() {
        let draw = |seed, name| Chance::of(seed, name).next();
        assert_eq!(draw(1, "disk"), draw(1, "disk"));
        assert_ne!(draw(1, "disk"), draw(2, "disk"));
        assert_ne!(draw(1, "disk"), draw(1, "crowd"));
    }

    #[test]
    fn numbers_keep_their_bounds_and_reach_them() {
        let mut chance = Chance::of(7, "bounds");
        let drawn: Vec<u64> = (0..1_000).map(|_| chance.between(3, 6)).collect();
        assert_eq!(
            (drawn.iter().min(), drawn.iter().max()),
            (Some(&3), Some(&6))
        );
        assert_eq!((chance.below(0), chance.index(0)), (0, 0));
        assert!(!chance.hits(0) && chance.hits(1_000));
    }
}
