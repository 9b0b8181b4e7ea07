//! Exponential backoff with full jitter: how long to wait before the next try.

use std::time::Duration;

/// A rule for waiting between tries: `base × 2^n`, capped, then shortened by chance so that a crowd does not come back
/// in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure, before jitter.
    pub base: Duration,
    /// The longest wait, before jitter.
    pub most: Duration,
}

impl Backoff {
    /// The wait after `failures` failures (1 = after the first). `chance` is a uniform random number of the caller's;
    /// the wait lies in the upper half of the exponential step, so it never shrinks to nothing.
    pub fn wait(&self, failures: u32, chance: u64) -> Duration {
        let step = self.base.saturating_mul(
            1_u32
                .checked_shl(failures.saturating_sub(1))
                .unwrap_or(u32::MAX),
        );
        let step = step.min(self.most);
        let nanos = u64::try_from(step.as_nanos()).unwrap_or(u64::MAX);
        let half = nanos / 2;
        Duration::from_nanos(half + chance % (nanos - half + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Backoff = Backoff {
        base: Duration::from_secs(1),
        most: Duration::from_secs(10),
    };

    #[test]
    fn the_wait_doubles_up_to_its_cap() {
        for (failures, whole) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (60, 10)] {
            let whole = Duration::from_secs(whole);
            assert_eq!(
                RULE.wait(failures, u64::try_from(whole.as_nanos() / 2).expect("fits")),
                whole
            );
            assert_eq!(RULE.wait(failures, 0), whole / 2);
        }
    }

    #[test]
    fn the_wait_stays_between_half_and_whole() {
        for chance in (0..u64::MAX / 2).step_by(usize::MAX / 1000) {
            let wait = RULE.wait(3, chance);
            assert!(
                wait >= Duration::from_secs(2) && wait <= Duration::from_secs(4),
                "{wait:?}"
            );
        }
    }
}
