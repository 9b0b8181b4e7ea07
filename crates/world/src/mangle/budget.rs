//! How long the trials of one test go on.

use std::time::Duration;

use crate::{Clock, SystemClock};

/// The variable that stretches the trials at the desk: words like `seconds=60 seed=7`, or
/// `corpus=clock seed=7 step=63` for one trial alone. `cargo xtask fuzz` sets it.
pub const VARIABLE: &str = "FUZZ_BUDGET";

/// Steps between two looks at the clock.
const LOOK_EVERY: u64 = 16;

/// When to stop.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) seed: u64,
    /// The one step that is wanted.
    pub(super) only: Option<u64>,
    /// The one corpus that is wanted.
    corpus: Option<String>,
    steps: u64,
    time: Option<Time>,
}

#[derive(Debug)]
struct Time {
    clock: SystemClock,
    end: Duration,
    out: bool,
}

impl Budget {
    /// So many steps and no more, on every machine.
    pub(super) fn steps(seed: u64, steps: u64) -> Self {
        Self {
            seed,
            only: None,
            corpus: None,
            steps,
            time: None,
        }
    }

    /// The gate's budget, unless the desk asked for another.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one door by which a longer budget reaches every test; the gate leaves it shut"
    )]
    pub(super) fn of_the_environment(seed: u64, steps: u64) -> Self {
        match std::env::var(VARIABLE) {
            Err(_) => Self::steps(seed, steps),
            Ok(text) => Self::read(&text, seed, steps)
                .unwrap_or_else(|word| panic!("{VARIABLE} has a word that is none: `{word}`")),
        }
    }

    fn read(text: &str, seed: u64, steps: u64) -> Result<Self, String> {
        let mut budget = Self::steps(seed, steps);
        for word in text.split_ascii_whitespace() {
            let (name, value) = word.split_once('=').ok_or(word)?;
            let number = || value.parse::<u64>().map_err(|_| word);
            match name {
                "corpus" => budget.corpus = Some(value.to_owned()),
                "seconds" => budget.time = Some(Time::of(Duration::from_secs(number()?))),
                "seed" => budget.seed = number()?,
                "step" => budget.only = Some(number()?),
                _ => return Err(word.to_owned()),
            }
        }
        Ok(budget)
    }

    /// Whether this corpus is to be tried at all.
    pub(super) fn wants(&self, corpus: &str) -> bool {
        self.corpus.as_ref().is_none_or(|wanted| wanted == corpus)
    }

    /// Whether `step` is too late.
    pub(super) fn is_over(&mut self, step: u64) -> bool {
        if let Some(only) = self.only {
            return step > only;
        }
        match &mut self.time {
            None => step >= self.steps,
            Some(time) => time.is_over(step),
        }
    }

    /// Tells the count of a long run; the gate's counts are known.
    pub(super) fn tell(&self, name: &str, steps: u64) {
        if self.time.is_some() {
            eprintln!("fuzz {name}: {steps} steps, seed {}", self.seed);
        }
    }
}

impl Time {
    fn of(length: Duration) -> Self {
        let clock = SystemClock::new();
        Self {
            end: clock.monotonic().saturating_add(length),
            clock,
            out: false,
        }
    }

    fn is_over(&mut self, step: u64) -> bool {
        if step.is_multiple_of(LOOK_EVERY) {
            self.out = self.clock.monotonic() >= self.end;
        }
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_read_word_by_word() {
        let budget = Budget::read("seed=9 step=4 corpus=clock", 3, 100).expect("a budget");
        assert_eq!((budget.seed, budget.only), (9, Some(4)));
        assert!(budget.wants("clock") && !budget.wants("books"));
        assert_eq!(Budget::read("", 3, 100).expect("a budget").seed, 3);
        for bad in ["seconds", "seconds=x", "hours=1", "seed=-1"] {
            assert_eq!(Budget::read(bad, 3, 100).expect_err(bad), bad);
        }
    }

    #[test]
    fn no_time_is_over_at_once_and_steps_are_counted() {
        let mut none = Budget::read("seconds=0", 3, 100).expect("a budget");
        assert!(none.is_over(0));
        let mut steps = Budget::steps(3, 2);
        assert!(!steps.is_over(1) && steps.is_over(2));
    }
}
