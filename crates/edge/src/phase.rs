//! What a connection is doing, and since when. Shared by its socket, its requests and the one who watches the time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Idle, reading a head, or busy with a request; in one word, so that looking costs nothing.
#[derive(Debug)]
pub(crate) struct Phase(AtomicU64);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Waiting for the next request since this time.
    Idle(Duration),
    /// Part of a head came; the first byte at this time.
    Head(Duration),
    /// A request is being answered.
    Busy,
}

const IDLE: u64 = 0;
const HEAD: u64 = 1;
const BUSY: u64 = 2;

impl Phase {
    pub(crate) fn new(now: Duration) -> Self {
        Self(AtomicU64::new(stamp(now, IDLE)))
    }

    /// Bytes came: if none were expected, a head begins.
    pub(crate) fn bytes(&self, now: impl FnOnce() -> Duration) {
        if self.0.load(Ordering::Relaxed) & 3 == IDLE {
            self.0.store(stamp(now(), HEAD), Ordering::Relaxed);
        }
    }

    /// The head is complete.
    pub(crate) fn busy(&self) {
        self.0.store(BUSY, Ordering::Relaxed);
    }

    /// The answer is made.
    pub(crate) fn idle(&self, now: Duration) {
        self.0.store(stamp(now, IDLE), Ordering::Relaxed);
    }

    pub(crate) fn doing(&self) -> Doing {
        let word = self.0.load(Ordering::Relaxed);
        let since = Duration::from_micros(word >> 2);
        match word & 3 {
            IDLE => Doing::Idle(since),
            HEAD => Doing::Head(since),
            _ => Doing::Busy,
        }
    }
}

fn stamp(now: Duration, what: u64) -> u64 {
    u64::try_from(now.as_micros()).unwrap_or_default() << 2 | what
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_begins_with_its_first_byte_only() {
        let phase = Phase::new(Duration::from_secs(1));
        phase.bytes(|| Duration::from_secs(2));
        phase.bytes(|| Duration::from_secs(3));
        assert_eq!(phase.doing(), Doing::Head(Duration::from_secs(2)));
        phase.busy();
        phase.bytes(|| Duration::from_secs(4));
        assert_eq!(phase.doing(), Doing::Busy);
        phase.idle(Duration::from_secs(5));
        assert_eq!(phase.doing(), Doing::Idle(Duration::from_secs(5)));
    }
}
