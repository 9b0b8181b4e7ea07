//! A rate limit: so many in so much time, and some at once; for one caller, or for each of many.
//!
//! The arithmetic is the generic cell rate algorithm: all that is kept is the time at which everything that was taken
//! will have come back. It needs no timer, forgets nothing by rounding, and fits in one number for each caller.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How much may be owed for what was charged without asking: whoever did more than that waits no longer than this.
pub const DEBT_MAX: Duration = Duration::from_secs(3_600);

/// How fast, and how much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The time in which one comes back.
    every: Duration,
    /// How many there are when nothing was taken for long; at least 1.
    burst: u32,
}

/// How somebody stands after a look or a take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many more there are now.
    pub remaining: u32,
    /// How long until all are back.
    pub reset: Duration,
}

impl Pace {
    /// `count` in each `period`, and up to `burst` at once. Zeros count as one; rounding never lets more through.
    #[must_use]
    pub fn new(count: u32, period: Duration, burst: u32) -> Self {
        let nanos = period.as_nanos().div_ceil(u128::from(count.max(1)));
        let nanos = u64::try_from(nanos.max(1)).unwrap_or(u64::MAX);
        Self {
            every: Duration::from_nanos(nanos),
            burst: burst.max(1),
        }
    }

    /// The time in which one comes back.
    #[must_use]
    pub const fn every(self) -> Duration {
        self.every
    }

    /// How many there are at most.
    #[must_use]
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// The time in which a whole burst comes back.
    #[must_use]
    pub fn span(self) -> Duration {
        self.every.saturating_mul(self.burst)
    }

    /// How long until one may be taken; zero when there is one.
    fn wait(self, back_at: Duration, now: Duration) -> Duration {
        let then = back_at.max(now).saturating_add(self.every);
        then.saturating_sub(now.saturating_add(self.span()))
    }

    fn standing(self, back_at: Duration, now: Duration) -> Standing {
        let reset = back_at.saturating_sub(now);
        let room = self.span().saturating_sub(reset).as_nanos();
        let remaining = room / self.every.as_nanos().max(1);
        Standing {
            remaining: u32::try_from(remaining).unwrap_or(self.burst),
            reset,
        }
    }

    /// When all will be back once one more is taken.
    fn taken(self, back_at: Duration, now: Duration) -> Duration {
        back_at.max(now).saturating_add(self.every)
    }

    /// The same for one that is not asked for first, so that debts can grow, but not without end.
    fn charged(self, back_at: Duration, now: Duration) -> Duration {
        let most = now.saturating_add(self.span().max(DEBT_MAX));
        self.taken(back_at, now).min(most)
    }
}

/// A limit of one caller.
#[derive(Debug)]
pub struct Meter {
    pace: Pace,
    back_at: Duration,
    /// The last turn that was given to somebody who found none.
    turn_at: Duration,
}

impl Meter {
    /// A limit of which nothing is taken.
    #[must_use]
    pub const fn new(pace: Pace) -> Self {
        Self {
            pace,
            back_at: Duration::ZERO,
            turn_at: Duration::ZERO,
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// There is none; how long until there is.
    pub fn take(&mut self, now: Duration) -> Result<Standing, Duration> {
        match self.pace.wait(self.back_at, now) {
            Duration::ZERO => {
                self.back_at = self.pace.taken(self.back_at, now);
                Ok(self.pace.standing(self.back_at, now))
            }
            wait => Err(wait),
        }
    }

    /// When somebody who found none should ask again, so that a crowd comes back one after the other instead of all at
    /// once. Nothing is kept for them: whoever never comes back takes nothing from others. `most` is the longest wait.
    pub fn turn(&mut self, now: Duration, most: Duration) -> Duration {
        let soonest = now.saturating_add(self.pace.wait(self.back_at, now));
        let next = self.turn_at.saturating_add(self.pace.every);
        self.turn_at = next.max(soonest).min(now.saturating_add(most));
        self.turn_at.saturating_sub(now)
    }

    /// How long until the last of those is due who were told to ask again.
    #[must_use]
    pub fn backlog(&self, now: Duration) -> Duration {
        self.turn_at.saturating_sub(now)
    }
}

/// The same limit for each of many callers, who are named by digests.
///
/// Memory is bounded. Whoever owes nothing is forgotten, which changes nothing for them. Only when more owe something
/// than may be kept is one of them let off: whoever owes least, and never the one who has just taken.
#[derive(Debug)]
pub struct Keyed {
    pace: Pace,
    keys_max: usize,
    back_at: BTreeMap<u128, Duration>,
    /// The same, in the order in which their debts end.
    ending: BTreeSet<(Duration, u128)>,
}

impl Keyed {
    /// A limit for each of at most so many callers at a time; zero counts as one.
    #[must_use]
    pub fn new(pace: Pace, keys_max: usize) -> Self {
        Self {
            pace,
            keys_max: keys_max.max(1),
            back_at: BTreeMap::new(),
            ending: BTreeSet::new(),
        }
    }

    /// Callers who are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.back_at.len()
    }

    /// Whether nobody owes anything that is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.back_at.is_empty()
    }

    /// Takes one.
    ///
    /// # Errors
    /// The caller has none; how long until there is one.
    pub fn take(&mut self, key: u128, now: Duration) -> Result<Standing, Duration> {
        let back_at = self.back_at(key);
        match self.pace.wait(back_at, now) {
            Duration::ZERO => {
                let back_at = self.pace.taken(back_at, now);
                self.keep(key, back_at, now);
                Ok(self.pace.standing(back_at, now))
            }
            wait => Err(wait),
        }
    }

    /// Whether the caller has one, without taking it.
    ///
    /// # Errors
    /// The caller has none; how long until there is one.
    pub fn look(&mut self, key: u128, now: Duration) -> Result<Standing, Duration> {
        self.sweep(now);
        let back_at = self.back_at(key);
        match self.pace.wait(back_at, now) {
            Duration::ZERO => Ok(self.pace.standing(back_at, now)),
            wait => Err(wait),
        }
    }

    /// Takes one, also from a caller who has none: for what is known only afterwards. Such debts end after
    /// [`DEBT_MAX`], or the time of a whole burst if that is longer.
    pub fn charge(&mut self, key: u128, now: Duration) {
        let back_at = self.pace.charged(self.back_at(key), now);
        self.keep(key, back_at, now);
    }

    fn back_at(&self, key: u128) -> Duration {
        self.back_at.get(&key).copied().unwrap_or_default()
    }

    fn keep(&mut self, key: u128, back_at: Duration, now: Duration) {
        if let Some(before) = self.back_at.insert(key, back_at) {
            self.ending.remove(&(before, key));
        }
        self.sweep(now);
        if self.back_at.len() > self.keys_max {
            self.let_off();
        }
        self.ending.insert((back_at, key));
    }

    /// Forgets whoever owes nothing any more: two for each one that comes, so that the table shrinks again and nobody
    /// pays for all.
    fn sweep(&mut self, now: Duration) {
        for _ in 0..2 {
            match self.ending.first() {
                Some(&(ends, _)) if ends <= now => self.let_off(),
                _ => break,
            }
        }
    }

    /// Forgets whoever owes least. The one who is being kept is not among them.
    fn let_off(&mut self) {
        if let Some((_, key)) = self.ending.pop_first() {
            self.back_at.remove(&key);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn taken(keyed: &mut Keyed, key: u128, now: Duration) -> usize {
        std::iter::from_fn(|| keyed.take(key, now).ok())
            .take(10_000)
            .count()
    }

    #[test]
    fn a_burst_at_once_and_then_the_rate() {
        let mut meter = Meter::new(Pace::new(10, SECOND, 3));
        let start = 5 * SECOND;
        for remaining in [2, 1, 0] {
            assert_eq!(meter.take(start).unwrap().remaining, remaining);
        }
        assert_eq!(meter.take(start), Err(SECOND / 10));
        let almost = start + SECOND / 10 - Duration::from_nanos(1);
        assert_eq!(meter.take(almost), Err(Duration::from_nanos(1)));
        let later = start + SECOND / 10;
        let reset = 3 * SECOND / 10;
        let remaining = 0;
        assert_eq!(meter.take(later), Ok(Standing { remaining, reset }));
    }

    #[test]
    fn a_crowd_that_found_none_comes_back_one_after_the_other_and_not_too_late() {
        let mut meter = Meter::new(Pace::new(10, SECOND, 1));
        let (tenth, most) = (SECOND / 10, SECOND / 2);
        assert!(meter.take(SECOND).is_ok());
        for place in [1, 2, 3, 4, 5, 5, 5] {
            assert!(meter.take(SECOND).is_err());
            assert_eq!(meter.turn(SECOND, most), place * tenth);
        }
        assert_eq!(meter.backlog(SECOND), most);
        // Nobody came back: a turn is no claim, and the next one finds what there is.
        let later = 2 * SECOND;
        assert_eq!(meter.backlog(later), Duration::ZERO);
        assert!(meter.take(later).is_ok());
        assert_eq!(meter.turn(later, most), tenth);
    }

    #[test]
    fn what_is_charged_afterwards_is_paid_back_in_full() {
        let mut keyed = Keyed::new(Pace::new(1, SECOND, 5), 10);
        assert_eq!(keyed.look(7, SECOND).unwrap().remaining, 5);
        assert!(keyed.is_empty(), "a look keeps nothing");
        // Twenty were under way at once, and all of them count.
        (0..20).for_each(|_| keyed.charge(7, SECOND));
        assert_eq!(keyed.look(7, SECOND), Err(16 * SECOND));
        assert_eq!(keyed.look(7, 17 * SECOND).unwrap().remaining, 1);
        assert_eq!(keyed.look(8, 21 * SECOND).unwrap().remaining, 5);
        assert!(keyed.is_empty(), "all is paid back, and a look forgets it");
        (0..10_000).for_each(|_| keyed.charge(7, SECOND));
        let wait = keyed.look(7, SECOND).unwrap_err();
        assert!(wait <= DEBT_MAX, "{wait:?}");
    }

    #[test]
    fn who_owes_nothing_is_forgotten_and_the_table_shrinks() {
        let mut keyed = Keyed::new(Pace::new(10, SECOND, 10), 1_000);
        for key in 0..1_000 {
            assert!(keyed.take(key, SECOND).is_ok());
        }
        assert_eq!(keyed.len(), 1_000);
        assert_eq!(taken(&mut keyed, 5, 2 * SECOND), 10);
        assert!(keyed.len() < 1_000 - 10, "{}", keyed.len());
        for n in 3..2_000 {
            assert!(keyed.take(5, SECOND * n).is_ok());
        }
        assert_eq!(keyed.len(), 1);
    }

    /// An attacker with a thousand addresses must not wash away what one of them owes.
    #[test]
    fn a_crowd_of_strangers_frees_nobody_who_owes_more_than_they() {
        let mut keyed = Keyed::new(Pace::new(1, SECOND, 10), 100);
        assert_eq!(taken(&mut keyed, 1, SECOND), 10);
        for stranger in 2..5_000 {
            assert!(keyed.take(stranger, SECOND).is_ok(), "each has its own");
            assert!(keyed.len() <= 100);
        }
        assert_eq!(keyed.take(1, SECOND), Err(SECOND));
    }

    #[test]
    fn in_a_table_full_of_debtors_a_newcomer_is_counted_all_the_same() {
        let mut keyed = Keyed::new(Pace::new(1, SECOND, 10), 3);
        for key in 1..=3 {
            assert_eq!(taken(&mut keyed, key, SECOND), 10);
        }
        assert_eq!(taken(&mut keyed, 4, SECOND), 10, "and no more than these");
        assert_eq!(keyed.len(), 3);
    }

    #[test]
    fn a_pace_of_zeros_is_one_and_rounding_lets_no_more_through() {
        let pace = Pace::new(0, Duration::ZERO, 0);
        assert_eq!((pace.every(), pace.burst()), (Duration::from_nanos(1), 1));
        assert_eq!(Pace::new(3, SECOND, 1).every().as_nanos(), 333_333_334);
    }
}
