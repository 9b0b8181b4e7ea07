//! Chances that everybody can repeat: the same seed and the same name give the same draws, whoever draws first.

use world::SeededEntropy;

/// A stream of draws.
#[derive(Debug)]
pub(crate) struct Chance(SeededEntropy);

impl Chance {
    /// The stream of `name` under `seed`. Different names give streams that have nothing in common, so that what one
    /// buyer draws does not depend on how many others drew before.
    pub(crate) fn new(seed: u64, name: u64) -> Self {
        let mixed = SeededEntropy::new(seed ^ name.wrapping_mul(0xd6e8_feb8_6659_fd93)).next_u64();
        Self(SeededEntropy::new(mixed))
    }

    /// A number below `bound`, which must not be 0.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        // The bias of a remainder is below 2^-32 for every bound that is used here.
        self.0.next_u64() % bound
    }

    /// A number from `least` to `most`.
    pub(crate) fn between(&self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// True in so many of 100 cases.
    pub(crate) fn percent(&self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of several, each as likely as the others.
    pub(crate) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        let place = usize::try_from(self.below(from.len() as u64)).unwrap_or_default();
        &from[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_draws_the_same_and_another_does_not() {
        let draws = |seed, name| {
            let chance = Chance::new(seed, name);
            [(); 8].map(|()| chance.below(1 << 40))
        };
        assert_eq!(draws(1, 2), draws(1, 2));
        assert_ne!(draws(1, 2), draws(1, 3));
        assert_ne!(draws(1, 2), draws(2, 2));
    }

    #[test]
    fn bounds_are_kept() {
        let chance = Chance::new(7, 7);
        assert!((0..1000).all(|_| (3..=5).contains(&chance.between(3, 5))));
        assert!((0..1000).all(|_| chance.percent(100) && !chance.percent(0)));
        assert!((0..1000).all(|_| [1, 2].contains(chance.pick(&[1, 2]))));
    }
}
