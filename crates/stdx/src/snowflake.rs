//! Numbers that no two nodes make twice: 41 bits of milliseconds, 8 bits of node, 14 bits of sequence; 63 bits in all.
//!
//! The parts are shifted apart so that they never overlap, and the sequence starts again with each millisecond. When a
//! millisecond's 16,384 numbers are used up, or the clock goes back, the maker borrows from the milliseconds to come
//! instead of waiting, so numbers of one node always grow.

use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds between the Unix epoch and 2025-01-01T00:00:00Z, where the numbers begin.
pub const EPOCH_MS: u64 = 1_735_689_600_000;

const SEQUENCE_BITS: u32 = 14;
const NODE_BITS: u32 = 8;
const TIME_MASK: u64 = (1 << 41) - 1;

/// A maker of numbers for one node.
#[derive(Debug)]
pub struct Snowflake {
    node: u64,
    /// Milliseconds since [`EPOCH_MS`] above the sequence: an overflow of the sequence carries into the time by itself.
    last: AtomicU64,
}

impl Snowflake {
    /// A maker for `node`; two makers that run at the same time need different nodes.
    #[must_use]
    pub const fn new(node: u8) -> Self {
        Self {
            node: node as u64,
            last: AtomicU64::new(0),
        }
    }

    /// The next number at Unix time `now_ms`. Good until the year 2094.
    pub fn next(&self, now_ms: u64) -> u64 {
        let fresh = (now_ms.saturating_sub(EPOCH_MS) & TIME_MASK) << SEQUENCE_BITS;
        let after = |last: u64| fresh.max(last + 1);
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            let next = after(last);
            match self
                .last
                .compare_exchange_weak(last, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return self.spread(next),
                Err(seen) => last = seen,
            }
        }
    }

    fn spread(&self, stamp: u64) -> u64 {
        let time = (stamp >> SEQUENCE_BITS) & TIME_MASK;
        let sequence = stamp & ((1 << SEQUENCE_BITS) - 1);
        (time << (NODE_BITS + SEQUENCE_BITS)) | (self.node << SEQUENCE_BITS) | sequence
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const NOW: u64 = EPOCH_MS + 86_400_000;

    #[test]
    fn five_numbers_a_millisecond_for_twenty_seconds_are_all_different() {
        let maker = Snowflake::new(6);
        let mut seen = BTreeSet::new();
        for ms in 0..20_000 {
            for _ in 0..5 {
                assert!(seen.insert(maker.next(NOW + ms)));
            }
        }
        assert_eq!(seen.len(), 100_000);
    }

    #[test]
    fn neighbouring_nodes_never_meet() {
        let (six, seven) = (Snowflake::new(6), Snowflake::new(7));
        let mut seen = BTreeSet::new();
        for ms in 0..1_000 {
            assert!(seen.insert(six.next(NOW + ms)));
            assert!(seen.insert(seven.next(NOW + ms)));
        }
    }

    #[test]
    fn the_sequence_starts_again_with_the_millisecond() {
        let maker = Snowflake::new(1);
        let first = maker.next(NOW);
        assert_eq!(maker.next(NOW), first + 1);
        assert_eq!(maker.next(NOW + 1) & 0x3fff, 0);
    }

    #[test]
    fn a_full_millisecond_and_a_clock_set_back_still_grow() {
        let maker = Snowflake::new(0);
        let mut last = 0;
        for step in 0..40_000_u64 {
            let next = maker.next(NOW - step / 1_000);
            assert!(next > last);
            last = next;
        }
        assert!(last < 1 << 63);
    }

    #[test]
    fn threads_share_one_maker_without_repeats() {
        let maker = Snowflake::new(3);
        let lists: Vec<Vec<u64>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..10_000).map(|_| maker.next(NOW)).collect()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let all: BTreeSet<u64> = lists.into_iter().flatten().collect();
        assert_eq!(all.len(), 40_000);
    }
}
