//! A circuit breaker: who does not answer is left alone for a while, then tried with a few probes.
//!
//! ```text
//!            a rule trips                    `open` has passed
//!   Closed ───────────────▶ Open ─────────────────────────────▶ HalfOpen
//!     ▲                      ▲                                   │   │
//!     │                      └──────── one probe failed ─────────┘   │
//!     └──────────────────────── all probes were answered ────────────┘
//! ```
//!
//! When it trips is data: rules that look at the row of failures, and rules that look at their share of a window. What
//! was let through before the last change of state says nothing about the state of now, and is not counted.

use std::collections::VecDeque;
use std::time::Duration;

/// Parts of a window; the window moves on by one part at a time.
pub const WINDOW_PARTS: u32 = 10;

/// When a closed breaker opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TripRule {
    /// More failures in a row than this.
    Consecutive {
        /// Failures in a row that it bears.
        failures_max: u32,
    },
    /// More failures in the window than this, and a larger share of all calls than this.
    Ratio {
        /// Failures in the window that it bears whatever their share.
        failures_max: u32,
        /// The share of failures that it bears, in thousandths.
        failures_per_mille_max: u32,
    },
}

impl TripRule {
    /// More than five failures in a row.
    pub const IN_A_ROW: Self = Self::Consecutive { failures_max: 5 };
    /// More than fifty failures that are more than six tenths of the calls.
    pub const BY_SHARE: Self = Self::Ratio {
        failures_max: 50,
        failures_per_mille_max: 600,
    };
}

/// How a breaker works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// It opens when any of these says so; without any it never opens.
    pub rules: Vec<TripRule>,
    /// What rules by share look back at; they see it in [`WINDOW_PARTS`] parts.
    pub window: Duration,
    /// How long it stays open.
    pub open: Duration,
    /// How many calls a half-open one lets through, and how many answers close it; at least 1.
    pub probes_max: u32,
}

impl Default for Settings {
    /// Trips by share, looks back for a minute, stays open for ten seconds, tries with ten probes.
    fn default() -> Self {
        Self {
            rules: vec![TripRule::BY_SHARE],
            window: Duration::from_secs(60),
            open: Duration::from_secs(10),
            probes_max: 10,
        }
    }
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls go through.
    Closed,
    /// No call goes through until this time.
    Open {
        /// When probes begin.
        until: Duration,
    },
    /// Some calls go through, to find out.
    HalfOpen,
}

impl State {
    /// Its name for operators.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A change of state, to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What it was.
    pub from: State,
    /// What it is.
    pub to: State,
}

/// The right to one call; its outcome has to be given back with it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the breaker waits for the outcome of the call"]
pub struct Pass {
    generation: u64,
}

/// Why a call may not be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is open; for so long.
    Open(Duration),
    /// Enough probes are under way; their answers decide.
    Probing,
}

/// What became of a call that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was answered.
    Answered,
    /// It was not.
    Failed,
    /// It was given up before it could tell anything.
    Abandoned,
}

/// Calls of one part of the window.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    number: u128,
    answered: u64,
    failed: u64,
}

/// A circuit breaker.
#[derive(Debug)]
pub struct Breaker {
    settings: Settings,
    state: State,
    generation: u64,
    failed_in_a_row: u32,
    parts: VecDeque<Part>,
    probes_under_way: u32,
    probes_answered: u32,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::Closed,
            generation: 0,
            failed_in_a_row: 0,
            parts: VecDeque::new(),
            probes_under_way: 0,
            probes_answered: 0,
        }
    }

    /// Where it stands at this time.
    pub fn state(&self, now: Duration) -> State {
        match self.state {
            State::Open { until } if now >= until => State::HalfOpen,
            state => state,
        }
    }

    /// Asks for one call. The change, if there is one, is that an open breaker has begun to try.
    ///
    /// # Errors
    /// [`Refusal`]: no call may be made now.
    pub fn admit(&mut self, now: Duration) -> Result<(Pass, Option<Change>), Refusal> {
        let mut change = None;
        if let State::Open { until } = self.state {
            if now < until {
                return Err(Refusal::Open(until - now));
            }
            change = Some(self.turn(State::HalfOpen));
        }
        if self.state == State::HalfOpen {
            if self.probes_under_way + self.probes_answered >= self.settings.probes_max.max(1) {
                return Err(Refusal::Probing);
            }
            self.probes_under_way += 1;
        }
        let generation = self.generation;
        Ok((Pass { generation }, change))
    }

    /// Takes the outcome of a call.
    pub fn settle(&mut self, pass: Pass, verdict: Verdict, now: Duration) -> Option<Change> {
        if pass.generation != self.generation {
            return None;
        }
        match self.state {
            State::Closed => self.count(verdict, now),
            State::HalfOpen => self.judge_probe(verdict, now),
            // Nothing is let through while it is open, and opening begins a new generation.
            State::Open { .. } => None,
        }
    }

    fn count(&mut self, verdict: Verdict, now: Duration) -> Option<Change> {
        match verdict {
            Verdict::Abandoned => return None,
            Verdict::Answered => {
                self.failed_in_a_row = 0;
                self.part(now).answered += 1;
            }
            Verdict::Failed => {
                self.failed_in_a_row = self.failed_in_a_row.saturating_add(1);
                self.part(now).failed += 1;
            }
        }
        let trips =
            verdict == Verdict::Failed && self.settings.rules.iter().any(|rule| self.trips(*rule));
        trips.then(|| self.open(now))
    }

    fn trips(&self, rule: TripRule) -> bool {
        match rule {
            TripRule::Consecutive { failures_max } => self.failed_in_a_row > failures_max,
            TripRule::Ratio {
                failures_max,
                failures_per_mille_max,
            } => {
                let failed: u64 = self.parts.iter().map(|part| part.failed).sum();
                let answered: u64 = self.parts.iter().map(|part| part.answered).sum();
                let share_is_over =
                    failed * 1_000 > (failed + answered) * u64::from(failures_per_mille_max);
                failed > u64::from(failures_max) && share_is_over
            }
        }
    }

    fn judge_probe(&mut self, verdict: Verdict, now: Duration) -> Option<Change> {
        self.probes_under_way = self.probes_under_way.saturating_sub(1);
        match verdict {
            Verdict::Abandoned => None,
            Verdict::Failed => Some(self.open(now)),
            Verdict::Answered => {
                self.probes_answered += 1;
                let enough = self.probes_answered >= self.settings.probes_max.max(1);
                enough.then(|| self.turn(State::Closed))
            }
        }
    }

    fn open(&mut self, now: Duration) -> Change {
        let until = now + self.settings.open;
        self.turn(State::Open { until })
    }

    fn turn(&mut self, to: State) -> Change {
        let from = std::mem::replace(&mut self.state, to);
        self.generation += 1;
        self.failed_in_a_row = 0;
        self.parts.clear();
        self.probes_under_way = 0;
        self.probes_answered = 0;
        Change { from, to }
    }

    /// The part of the window that is now; parts that fell out of it are gone.
    fn part(&mut self, now: Duration) -> &mut Part {
        let length = (self.settings.window / WINDOW_PARTS).as_nanos().max(1);
        // A clock that stood still or went back by a moment still counts into the newest part.
        let newest = self.parts.back().map_or(0, |part| part.number);
        let number = (now.as_nanos() / length).max(newest);
        let oldest = number.saturating_sub(u128::from(WINDOW_PARTS) - 1);
        while self.parts.front().is_some_and(|part| part.number < oldest) {
            self.parts.pop_front();
        }
        if self.parts.back().is_none_or(|part| part.number < number) {
            self.parts.push_back(Part {
                number,
                ..Part::default()
            });
        }
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn in_a_row() -> Breaker {
        Breaker::new(Settings {
            rules: vec![TripRule::IN_A_ROW],
            open: 30 * SECOND,
            ..Settings::default()
        })
    }

    fn fail(breaker: &mut Breaker, now: Duration) -> Option<Change> {
        let (pass, _) = breaker.admit(now).unwrap();
        breaker.settle(pass, Verdict::Failed, now)
    }

    #[test]
    fn the_sixth_failure_in_a_row_opens_it_for_thirty_seconds() {
        let mut breaker = in_a_row();
        for _ in 0..5 {
            assert_eq!(fail(&mut breaker, SECOND), None);
        }
        let until = 31 * SECOND;
        let change = fail(&mut breaker, SECOND).unwrap();
        assert_eq!(
            (change.from, change.to),
            (State::Closed, State::Open { until })
        );
        assert_eq!(
            breaker.admit(2 * SECOND).unwrap_err(),
            Refusal::Open(29 * SECOND)
        );
        assert_eq!(breaker.state(until), State::HalfOpen);
    }

    #[test]
    fn an_answer_in_between_begins_the_row_anew() {
        let mut breaker = in_a_row();
        for _ in 0..3 {
            for _ in 0..5 {
                assert_eq!(fail(&mut breaker, SECOND), None);
            }
            let (pass, _) = breaker.admit(SECOND).unwrap();
            assert_eq!(breaker.settle(pass, Verdict::Answered, SECOND), None);
        }
        assert_eq!(breaker.state(SECOND), State::Closed);
    }

    #[test]
    fn half_open_lets_ten_probes_through_and_their_answers_close_it() {
        let mut breaker = in_a_row();
        for _ in 0..6 {
            fail(&mut breaker, SECOND);
        }
        let now = 40 * SECOND;
        let mut passes: Vec<Pass> = (0..10).map(|_| breaker.admit(now).unwrap().0).collect();
        assert_eq!(breaker.admit(now).unwrap_err(), Refusal::Probing);
        let last = passes.pop().unwrap();
        for pass in passes {
            assert_eq!(breaker.settle(pass, Verdict::Answered, now), None);
        }
        assert_eq!(breaker.admit(now).unwrap_err(), Refusal::Probing);
        let change = breaker.settle(last, Verdict::Answered, now).unwrap();
        assert_eq!((change.from, change.to), (State::HalfOpen, State::Closed));
        assert!(breaker.admit(now).is_ok());
    }

    #[test]
    fn a_probe_that_fails_opens_it_again_and_late_probes_count_nothing() {
        let mut breaker = in_a_row();
        for _ in 0..6 {
            fail(&mut breaker, SECOND);
        }
        let now = 40 * SECOND;
        let (early, _) = breaker.admit(now).unwrap();
        let (late, _) = breaker.admit(now).unwrap();
        assert!(breaker.settle(early, Verdict::Failed, now).is_some());
        assert_eq!(breaker.settle(late, Verdict::Answered, now), None);
        assert_eq!(breaker.state(now), State::Open { until: 70 * SECOND });
    }

    #[test]
    fn a_probe_that_was_given_up_makes_room_for_another() {
        let mut breaker = Breaker::new(Settings {
            rules: vec![TripRule::IN_A_ROW],
            probes_max: 1,
            ..Settings::default()
        });
        for _ in 0..6 {
            fail(&mut breaker, SECOND);
        }
        let now = 20 * SECOND;
        let (pass, change) = breaker.admit(now).unwrap();
        assert_eq!(change.map(|change| change.to), Some(State::HalfOpen));
        assert_eq!(breaker.admit(now).unwrap_err(), Refusal::Probing);
        assert_eq!(breaker.settle(pass, Verdict::Abandoned, now), None);
        assert!(breaker.admit(now).is_ok());
    }

    #[test]
    fn fifty_failures_are_borne_and_so_is_a_share_of_six_tenths() {
        let mut breaker = Breaker::new(Settings::default());
        for _ in 0..50 {
            assert_eq!(fail(&mut breaker, SECOND), None);
        }
        assert!(fail(&mut breaker, SECOND).is_some(), "the fifty-first");
        let mut mixed = Breaker::new(Settings::default());
        for n in 0..1_000 {
            let (pass, _) = mixed.admit(SECOND).unwrap();
            let verdict = if n % 5 < 2 {
                Verdict::Answered
            } else {
                Verdict::Failed
            };
            assert_eq!(mixed.settle(pass, verdict, SECOND), None, "call {n}");
        }
    }

    #[test]
    fn what_fell_out_of_the_window_is_forgotten() {
        let mut breaker = Breaker::new(Settings::default());
        for second in 0..500 {
            assert_eq!(
                fail(&mut breaker, 2 * second * SECOND),
                None,
                "30 in a window"
            );
        }
    }
}
