//! The retry budget: however many effects fail, retries stay a small share of the calls.
//!
//! Without it a provider that is down hears each effect four times, and one that comes back is knocked down again
//! (dtm#306: a compensation retried eighty times a second). First calls earn a share of a retry; time earns a few more,
//! so that a quiet shop heals too; a retry that was answered costs nothing, so that healing runs as fast as answers come.

use std::time::Duration;

/// A thousandth of a retry.
const MILLI: u64 = 1_000;

/// A token bucket, in thousandths of a retry.
#[derive(Debug)]
pub struct Budget {
    milli: u64,
    most: u64,
    per_call: u64,
    per_second: u64,
    refilled: Duration,
}

impl Budget {
    /// A full bucket.
    pub fn new(percent: u32, floor_per_s: u32, burst: u32, now: Duration) -> Self {
        let most = u64::from(burst) * MILLI;
        Self {
            milli: most,
            most,
            per_call: u64::from(percent) * MILLI / 100,
            per_second: u64::from(floor_per_s) * MILLI,
            refilled: now,
        }
    }

    /// A first call was made.
    pub fn called(&mut self) {
        self.milli = (self.milli + self.per_call).min(self.most);
    }

    /// A retry was answered: its token comes back.
    pub fn answered(&mut self) {
        self.milli = (self.milli + MILLI).min(self.most);
    }

    /// Takes the token of one retry, if there is one.
    pub fn take(&mut self, now: Duration) -> Option<()> {
        self.refill(now);
        self.milli = self.milli.checked_sub(MILLI)?;
        Some(())
    }

    /// How long until time alone has earned the next token.
    pub fn wait(&mut self, now: Duration) -> Duration {
        self.refill(now);
        let missing = MILLI.saturating_sub(self.milli);
        // A millisecond more, so that rounding never wakes somebody a moment too early.
        Duration::from_millis((missing * 1_000).div_ceil(self.per_second.max(1)) + 1)
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.refilled);
        let passed_ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let earned = passed_ms.saturating_mul(self.per_second) / 1_000;
        if earned > 0 {
            self.milli = self.milli.saturating_add(earned).min(self.most);
            self.refilled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(budget: &mut Budget, now: Duration) -> usize {
        std::iter::from_fn(|| budget.take(now)).take(1_000).count()
    }

    #[test]
    fn calls_earn_their_share_and_time_earns_the_floor() {
        let mut budget = Budget::new(10, 5, 20, Duration::ZERO);
        assert_eq!(taken(&mut budget, Duration::ZERO), 20);
        (0..100).for_each(|_| budget.called());
        assert_eq!(taken(&mut budget, Duration::ZERO), 10);
        assert_eq!(taken(&mut budget, Duration::from_secs(2)), 10);
        assert_eq!(taken(&mut budget, Duration::from_secs(3_600)), 20);
    }

    #[test]
    fn an_answered_retry_costs_nothing_and_the_bucket_does_not_overflow() {
        let mut budget = Budget::new(10, 1, 3, Duration::ZERO);
        for _ in 0..10 {
            assert_eq!(budget.take(Duration::ZERO), Some(()));
            budget.answered();
        }
        budget.answered();
        assert_eq!(taken(&mut budget, Duration::ZERO), 3);
    }

    #[test]
    fn the_wait_is_long_enough() {
        let mut budget = Budget::new(0, 3, 1, Duration::ZERO);
        assert_eq!(taken(&mut budget, Duration::ZERO), 1);
        let wait = budget.wait(Duration::ZERO);
        assert!(wait <= Duration::from_millis(335), "{wait:?}");
        assert_eq!(taken(&mut budget, wait), 1);
    }
}
