//! Book time: the last journalled moment plus the time that has passed, slewed towards the wall clock.
//!
//! Buyers' deadlines hang on this clock, so it never goes back and never jumps. A step of the wall clock of more than
//! five seconds, at start too, is not followed: holds stop expiring and an alarm is raised, until the wall clock has
//! kept its new course for a minute.

use std::sync::Arc;
use std::time::Duration;

use commerce::Time;
use world::{BootStamp, Clock};

/// A difference from the wall clock beyond this is a step, not drift.
pub const STEP_MS: i64 = 5_000;
/// How long a stepped wall clock must keep its course before it is believed.
pub const SETTLE: Duration = Duration::from_secs(60);
/// No wall clock shows more: the end of the year 9999.
const WALL_MS_MOST: u64 = 253_402_300_799_999;
/// The book's clock runs at most this part faster or slower than time passes.
const SLEW_PART: i64 = 20;

/// When a process was last seen alive, by all clocks: tells honest downtime from a stepped clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSeen {
    /// The wall clock, in Unix milliseconds.
    pub wall_ms: u64,
    /// The machine's boot and its own clock.
    pub boot: BootStamp,
}

impl LastSeen {
    /// As text for the `clock` file: three numbers.
    pub fn to_text(&self) -> String {
        format!(
            "{} {} {}\n",
            self.wall_ms, self.boot.boot_id, self.boot.boottime_ms
        )
    }

    /// Reads what [`LastSeen::to_text`] wrote; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let wall_ms = words.next()?.parse().ok()?;
        let boot = BootStamp {
            boot_id: words.next()?.parse().ok()?,
            boottime_ms: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(Self { wall_ms, boot })
    }

    /// What the wall clock should show now, if the machine has not been restarted since.
    fn expected_wall_ms(&self, now: Option<BootStamp>) -> Option<u64> {
        let now = now.filter(|now| now.boot_id == self.boot.boot_id)?;
        let passed_ms = now.boottime_ms.checked_sub(self.boot.boottime_ms)?;
        // The file is a hint that anybody may have damaged: numbers beyond the calendar say nothing.
        let expected = self.wall_ms.checked_add(passed_ms)?;
        (expected <= WALL_MS_MOST).then_some(expected)
    }
}

/// Book time in microseconds; what would not fit stays far below the end, so that sums fit too.
fn microseconds(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX).min(i64::MAX / 2_000) * 1_000
}

/// A step of the wall clock that is not believed yet.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Wall minus book when the step was seen, in milliseconds.
    by_ms: i64,
    since: Duration,
}

/// The clock of one book.
#[derive(Debug)]
pub struct BookClock {
    clock: Arc<dyn Clock>,
    /// Book time in microseconds at `at`.
    book_us: i64,
    at: Duration,
    step: Option<Step>,
    /// The wall clock was set back and is believed; the book waits for it by running slower.
    behind: bool,
}

impl BookClock {
    /// Starts after the last journalled moment.
    pub fn start(clock: Arc<dyn Clock>, last: Time, seen: Option<LastSeen>) -> Self {
        let wall = clock.wall_ms();
        let expected = seen.and_then(|seen| seen.expected_wall_ms(clock.boot()));
        let stepped =
            expected.is_some_and(|expected| expected.abs_diff(wall) > STEP_MS.unsigned_abs());
        let begin = last.0.max(if stepped {
            expected.unwrap_or(wall)
        } else {
            wall
        });
        let mut book = Self {
            at: clock.monotonic(),
            clock,
            book_us: microseconds(begin),
            step: None,
            behind: false,
        };
        let by_ms = book.off_ms();
        if by_ms.abs() > STEP_MS {
            book.step = Some(Step {
                by_ms,
                since: book.at,
            });
        }
        book
    }

    /// The book's time now; never earlier than before.
    pub fn now(&mut self) -> Time {
        let at = self.clock.monotonic();
        let passed = i64::try_from(at.saturating_sub(self.at).as_micros()).unwrap_or(i64::MAX / 4);
        self.at = at;
        self.book_us += passed;
        let off_ms = self.off_ms();
        self.judge(off_ms);
        if self.step.is_none() {
            let most = passed / SLEW_PART;
            self.book_us += (off_ms * 1_000).clamp(-most, most);
        }
        Time(u64::try_from(self.book_us / 1_000).unwrap_or(0))
    }

    /// Whether the wall clock stepped and is not believed: holds must not expire now. Says by how much it is off.
    pub fn stepped_ms(&self) -> Option<i64> {
        self.step.map(|step| step.by_ms)
    }

    /// Wall minus book, in milliseconds.
    fn off_ms(&self) -> i64 {
        i64::try_from(self.clock.wall_ms()).unwrap_or(i64::MAX / 2_000) - self.book_us / 1_000
    }

    fn judge(&mut self, off_ms: i64) {
        if off_ms.abs() <= STEP_MS {
            self.step = None;
            self.behind = false;
            return;
        }
        if self.behind && off_ms < 0 {
            return;
        }
        match self.step {
            // It stays where it went: believe it. Forwards the book follows at once; backwards it only slows down.
            Some(step) if (off_ms - step.by_ms).abs() <= STEP_MS => {
                if self.at.saturating_sub(step.since) >= SETTLE {
                    self.step = None;
                    self.behind = off_ms < 0;
                    self.book_us += off_ms.max(0) * 1_000;
                }
            }
            _ => {
                self.step = Some(Step {
                    by_ms: off_ms,
                    since: self.at,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use world::ManualClock;

    const NOON: u64 = 1_800_000_000_000;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn time_passes_and_drift_is_slewed() {
        let clock = Arc::new(ManualClock::new(NOON));
        let mut book = BookClock::start(clock.clone(), Time(0), None);
        clock.advance(seconds(10));
        assert_eq!(book.now(), Time(NOON + 10_000));
        clock.set_wall_ms(NOON + 12_000);
        clock.advance(seconds(10));
        assert_eq!(
            book.now(),
            Time(NOON + 20_500),
            "at most a twentieth faster"
        );
        assert_eq!(book.stepped_ms(), None);
    }

    #[test]
    fn a_step_back_never_moves_the_book_back() {
        let clock = Arc::new(ManualClock::new(NOON));
        let mut book = BookClock::start(clock.clone(), Time(0), None);
        clock.set_wall_ms(NOON - 3_600_000);
        clock.advance(seconds(1));
        assert_eq!(book.now(), Time(NOON + 1_000));
        assert!(book.stepped_ms().is_some());
        clock.advance(SETTLE);
        let settled = book.now();
        assert_eq!(
            (settled, book.stepped_ms()),
            (Time(NOON + 61_000 - 3_000), None),
            "believed, and waited for"
        );
        clock.advance(seconds(20));
        assert_eq!(book.now(), Time(settled.0 + 19_000));
    }

    #[test]
    fn a_step_forward_is_followed_only_once_it_has_settled() {
        let clock = Arc::new(ManualClock::new(NOON));
        let mut book = BookClock::start(clock.clone(), Time(0), None);
        clock.set_wall_ms(NOON + 3_600_000);
        clock.advance(seconds(1));
        assert_eq!(book.now(), Time(NOON + 1_000));
        clock.advance(seconds(30));
        book.now();
        assert!(book.stepped_ms().is_some());
        clock.advance(seconds(30));
        assert!(book.now() >= Time(NOON + 3_600_000));
        assert_eq!(book.stepped_ms(), None);
    }

    #[test]
    fn honest_downtime_is_no_step_and_a_clock_set_during_it_is() {
        let boot = BootStamp {
            boot_id: 1,
            boottime_ms: 1_000,
        };
        let seen = LastSeen {
            wall_ms: NOON,
            boot,
        };
        let clock = Arc::new(ManualClock::new(NOON + 3_600_000));
        clock.set_boot(Some(BootStamp {
            boot_id: 1,
            boottime_ms: 3_601_000,
        }));
        let mut book = BookClock::start(clock.clone(), Time(NOON), Some(seen));
        assert_eq!(
            (book.now(), book.stepped_ms()),
            (Time(NOON + 3_600_000), None)
        );
        clock.set_wall_ms(NOON + 9_000_000);
        let mut book = BookClock::start(clock.clone(), Time(NOON), Some(seen));
        assert_eq!(
            book.now(),
            Time(NOON + 3_600_000),
            "time that has passed, not what the wall claims"
        );
        assert!(book.stepped_ms().is_some());
    }

    #[test]
    fn a_wall_behind_the_journal_is_a_step_at_start() {
        let clock = Arc::new(ManualClock::new(NOON));
        let mut book = BookClock::start(clock, Time(NOON + 60_000), None);
        assert_eq!(book.now(), Time(NOON + 60_000));
        assert_eq!(book.stepped_ms(), Some(-60_000));
    }

    #[test]
    fn the_clock_file_comes_back() {
        let seen = LastSeen {
            wall_ms: 5,
            boot: BootStamp {
                boot_id: u128::MAX,
                boottime_ms: 7,
            },
        };
        assert_eq!(LastSeen::from_text(&seen.to_text()), Some(seen));
        assert_eq!(LastSeen::from_text("1 2"), None);
        assert_eq!(LastSeen::from_text("1 2 3 4"), None);
    }
}
