//! What a connection is doing, since when, and what its client leaves unread. Shared by its socket, its requests and the one who watches the time.

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

/// Bytes for a client beyond which it has shown that it reads.
const PIECE: u64 = 64 * 1024;

/// Since when bytes wait for a client that does not take them. Every 64 KiB that it takes begin the time anew, so that
/// something long may take long, and a client that hardly reads may not.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// Microseconds and one; 0 when nothing waits.
    since: AtomicU64,
    taken: AtomicU64,
}

impl Backlog {
    /// The client takes nothing now.
    pub(crate) fn waits(&self, now: Duration) {
        if self.since.load(Ordering::Relaxed) == 0 {
            self.begin(now);
        }
    }

    /// The client took bytes.
    pub(crate) fn took(&self, bytes: usize, now: impl FnOnce() -> Duration) {
        if self.since.load(Ordering::Relaxed) == 0 {
            return;
        }
        let bytes = u64::try_from(bytes).unwrap_or(PIECE);
        if self.taken.fetch_add(bytes, Ordering::Relaxed) + bytes >= PIECE {
            self.begin(now());
        }
    }

    /// Everything that there was has been taken.
    pub(crate) fn is_over(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// Since when the client owes it to take the next piece.
    pub(crate) fn since(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Relaxed);
        since.checked_sub(1).map(Duration::from_micros)
    }

    fn begin(&self, now: Duration) {
        let micros = u64::try_from(now.as_micros()).unwrap_or_default();
        self.taken.store(0, Ordering::Relaxed);
        self.since
            .store(micros.saturating_add(1), Ordering::Relaxed);
    }
}

fn stamp(now: Duration, what: u64) -> u64 {
    u64::try_from(now.as_micros()).unwrap_or_default() << 2 | what
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_has_its_time_for_every_piece_and_drops_give_it_none() {
        let at = Duration::from_secs;
        let backlog = Backlog::default();
        backlog.took(1_000_000, || at(1));
        assert_eq!(backlog.since(), None, "nothing waits");
        backlog.waits(at(2));
        backlog.waits(at(3));
        for second in 4..14 {
            backlog.took(1, || at(second));
        }
        assert_eq!(backlog.since(), Some(at(2)));
        backlog.took(64 * 1024 - 10, || at(14));
        assert_eq!(backlog.since(), Some(at(14)));
        backlog.took(64 * 1024 - 1, || at(15));
        assert_eq!(backlog.since(), Some(at(14)));
        backlog.is_over();
        assert_eq!(backlog.since(), None);
    }

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
