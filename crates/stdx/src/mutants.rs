//! Deliberate bugs, each chosen at run time in a build with the feature `mutants`.
//!
//! Why it exists: a suite that finds nothing has proved nothing until it is seen to find something. The code asks
//! [`is`] at the place where a bug of this kind would stand, and the simulation runs its seeds against every row of
//! [`TABLE`]: a mutant that nobody notices is a hole in the oracles, the crowd or the faults.
//!
//! Without the feature [`is`] is a constant, so that a release binary holds neither a mutant nor the question. Only a
//! simulation switches the feature on; the house's tools fail on any other crate that does, on a question about a name
//! that the table does not have, and on a row that nobody asks about.

mod table;

pub use table::{Mutant, TABLE};

#[cfg(feature = "mutants")]
pub use chosen::{choose, is};

/// Whether the bug of this name was chosen: never, in a build without the feature `mutants`.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
#[must_use]
pub const fn is(_name: &'static str) -> bool {
    false
}

#[cfg(feature = "mutants")]
mod chosen {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::TABLE;

    /// No row has this place.
    const NONE: usize = usize::MAX;

    /// The place of the chosen bug in the table; one for the process, since a process lives with one bug at a time.
    static CHOSEN: AtomicUsize = AtomicUsize::new(NONE);

    /// Whether the bug of this name was chosen.
    #[must_use]
    pub fn is(name: &'static str) -> bool {
        let chosen = TABLE.get(CHOSEN.load(Ordering::Relaxed));
        chosen.is_some_and(|mutant| mutant.name == name)
    }

    /// Chooses the bug of the whole process, or none. Says whether there is such a bug; when there is not, nothing
    /// changes.
    #[must_use]
    pub fn choose(name: Option<&str>) -> bool {
        let place = match name {
            None => Some(NONE),
            Some(name) => TABLE.iter().position(|mutant| mutant.name == name),
        };
        if let Some(place) = place {
            CHOSEN.store(place, Ordering::Relaxed);
        }
        place.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_mutant_has_a_name_of_its_own_and_words() {
        let names: BTreeSet<&str> = TABLE.iter().map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), TABLE.len(), "a name stands twice");
        for mutant in TABLE {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            assert!(mutant.name.bytes().all(plain), "{}", mutant.name);
            assert!(mutant.breaks.ends_with('.'), "{}", mutant.name);
            assert!(!mutant.caught_by.is_empty(), "{}", mutant.name);
        }
    }

    #[test]
    fn the_simulation_has_forty_mutants_and_more_to_catch() {
        assert!(TABLE.len() >= 46, "{} are too few", TABLE.len());
    }

    #[cfg(not(feature = "mutants"))]
    #[test]
    fn no_mutant_lives_in_a_plain_build() {
        const NEVER: bool = is("answer-before-sync");
        assert!(!NEVER && TABLE.iter().all(|mutant| !is(mutant.name)));
    }

    /// One test, since the choice belongs to the process that all tests share.
    #[cfg(feature = "mutants")]
    #[test]
    fn one_mutant_is_chosen_at_a_time_and_an_unknown_name_changes_nothing() {
        let alive = || -> Vec<&str> {
            let names = TABLE.iter().map(|mutant| mutant.name);
            names.filter(|name| is(name)).collect()
        };
        assert_eq!(alive(), Vec::<&str>::new());
        for mutant in TABLE {
            assert!(choose(Some(mutant.name)));
            assert_eq!(alive(), [mutant.name]);
        }
        let last = alive();
        assert!(!choose(Some("no-such-mutant")));
        assert_eq!(alive(), last);
        assert!(choose(None));
        assert_eq!(alive(), Vec::<&str>::new());
    }
}
