//! The memory of callbacks that are on record: each counts once within the time in which its signature is good. One that
//! could not be booked is not in it, so that its sender may bring the same bytes again.
//!
//! The book takes a repeat as a repeat, so this guards no money; it keeps whoever recorded one callback from having it
//! judged a thousand times. It is in memory only, and a start forgets it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

/// How far a signature's time may be from ours, in seconds.
pub(super) const TOLERANCE_S: u64 = 300;
/// A signature from the far end of the future is good until the far end of the past.
const KEPT: Duration = Duration::from_secs(2 * TOLERANCE_S);
/// Callbacks that are remembered, at most: the oldest go first.
const KEPT_MAX: usize = 100_000;

type Print = [u8; 32];

/// The callbacks of the last minutes.
#[derive(Debug, Default)]
pub(super) struct Taken(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: BTreeSet<Print>,
    order: VecDeque<(Duration, Print)>,
}

impl Taken {
    /// Whether what was signed so is on record already.
    pub(super) fn knows(&self, signature: &[u8], now: Duration) -> bool {
        let print: Print = Sha256::digest(signature).into();
        self.at(now).known.contains(&print)
    }

    /// What was signed so is on record from now on.
    pub(super) fn remember(&self, signature: &[u8], now: Duration) {
        let print: Print = Sha256::digest(signature).into();
        let mut inner = self.at(now);
        if inner.known.insert(print) {
            inner.order.push_back((now, print));
        }
    }

    /// The memory, without what is too old anyway.
    fn at(&self, now: Duration) -> MutexGuard<'_, Inner> {
        // Nothing in there panics half-way through a change.
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while inner.order.len() >= KEPT_MAX
            || inner.order.front().is_some_and(|(at, _)| *at + KEPT < now)
        {
            let Some((_, print)) = inner.order.pop_front() else {
                break;
            };
            inner.known.remove(&print);
        }
        inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_new_until_it_is_on_record_and_forgotten_when_it_is_too_old_anyway() {
        let (taken, second) = (Taken::default(), Duration::from_secs(1));
        assert!(!taken.knows(b"a", second));
        assert!(!taken.knows(b"a", second), "nobody has put it on record");
        taken.remember(b"a", second);
        assert!(taken.knows(b"a", 600 * second));
        taken.remember(b"b", 600 * second);
        assert!(!taken.knows(b"a", 602 * second));
        assert!(taken.knows(b"b", 602 * second));
    }
}
