//! The memory of callbacks that were taken: each counts once within the time in which its signature is good.
//!
//! The book takes a repeat as a repeat, so this guards no money; it keeps whoever recorded one callback from having it
//! judged a thousand times. It is in memory only, and a start forgets it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};
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
    /// Whether this signature comes for the first time; it is remembered from now on.
    pub(super) fn is_first(&self, signature: &[u8], now: Duration) -> bool {
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
        let print: Print = Sha256::digest(signature).into();
        let first = inner.known.insert(print);
        if first {
            inner.order.push_back((now, print));
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_new_once_and_forgotten_when_it_is_too_old_anyway() {
        let (taken, second) = (Taken::default(), Duration::from_secs(1));
        assert!(taken.is_first(b"a", second));
        assert!(!taken.is_first(b"a", 600 * second));
        assert!(taken.is_first(b"b", 600 * second));
        assert!(taken.is_first(b"a", 602 * second));
        assert!(!taken.is_first(b"b", 602 * second));
    }
}
