//! Makes a failing life small: takes parts away as long as what is left still fails.
//!
//! It is the greedy delta debugging of Zeller and Hildebrandt, without the complements: first half of all parts at a
//! time, then a quarter, at last one by one, and again as long as anything could be spared.

/// What is left, and at what cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk<P> {
    /// The parts without which it does not fail.
    pub parts: Vec<P>,
    /// How many tries it took.
    pub tries: u32,
    /// No single part can be spared; false when the judge gave up before.
    pub minimal: bool,
}

/// What a judge says of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It fails in the same way.
    Fails,
    /// It does not.
    Passes,
    /// No more tries are to be made.
    Enough,
}

/// The fewest of `parts`, in their order, that the judge still says to fail. All of them are taken to fail.
pub fn shrink<P: Clone>(
    parts: Vec<P>,
    tries_max: u32,
    mut judge: impl FnMut(&[P]) -> Verdict,
) -> Shrunk<P> {
    let mut shrunk = Shrunk {
        parts,
        tries: 0,
        minimal: false,
    };
    let mut chunk = shrunk.parts.len().max(1);
    loop {
        let spared = match pass(&mut shrunk, chunk, tries_max, &mut judge) {
            Some(spared) => spared,
            None => return shrunk,
        };
        if chunk > 1 {
            chunk = chunk.div_ceil(2);
        } else if !spared {
            shrunk.minimal = true;
            return shrunk;
        }
    }
}

/// Tries to spare each run of `chunk` parts once; whether any was spared, or nothing when no more may be tried.
fn pass<P: Clone>(
    shrunk: &mut Shrunk<P>,
    chunk: usize,
    tries_max: u32,
    judge: &mut impl FnMut(&[P]) -> Verdict,
) -> Option<bool> {
    let (mut at, mut spared) = (0, false);
    while at < shrunk.parts.len() {
        if shrunk.tries >= tries_max {
            return None;
        }
        let end = (at + chunk).min(shrunk.parts.len());
        let fewer = [&shrunk.parts[..at], &shrunk.parts[end..]].concat();
        shrunk.tries += 1;
        match judge(&fewer) {
            Verdict::Fails => {
                shrunk.parts = fewer;
                spared = true;
            }
            Verdict::Passes => at = end,
            Verdict::Enough => return None,
        }
    }
    Some(spared)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails when all of these are there.
    fn needs(culprits: &'static [u32]) -> impl FnMut(&[u32]) -> Verdict {
        move |parts| match culprits.iter().all(|culprit| parts.contains(culprit)) {
            true => Verdict::Fails,
            false => Verdict::Passes,
        }
    }

    #[test]
    fn what_is_left_is_what_it_takes_to_fail() {
        for culprits in [&[][..], &[0], &[99], &[3, 50, 51, 97]] {
            let shrunk = shrink((0..100).collect(), 1_000, needs(culprits));
            assert_eq!(shrunk.parts, culprits);
            assert!(shrunk.minimal);
        }
    }

    #[test]
    fn no_single_part_can_be_spared_where_the_judge_is_not_monotone() {
        // It fails with an odd number of parts only.
        let judge = |parts: &[u32]| match parts.len() % 2 {
            1 => Verdict::Fails,
            _ => Verdict::Passes,
        };
        let shrunk = shrink((0..21).collect(), 1_000, judge);
        let again = judge;
        for at in 0..shrunk.parts.len() {
            let mut fewer = shrunk.parts.clone();
            fewer.remove(at);
            assert_eq!(again(&fewer), Verdict::Passes);
        }
    }

    #[test]
    fn the_tries_are_bounded_and_what_is_left_still_fails() {
        let shrunk = shrink((0..100).collect(), 5, needs(&[1, 98]));
        assert_eq!((shrunk.tries, shrunk.minimal), (5, false));
        assert_eq!(needs(&[1, 98])(&shrunk.parts), Verdict::Fails);
        let given_up = shrink(vec![1, 2, 3], 100, |_| Verdict::Enough);
        assert_eq!((given_up.parts, given_up.tries), (vec![1, 2, 3], 1));
    }
}
