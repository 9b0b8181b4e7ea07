//! The search: life after life, each from the next seed, on as many threads as it is given.
//!
//! A life knows nothing of its neighbours, so what it does belongs to its seed alone, whoever lives beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use commerce::Entry;
use serde_json::{Value, json};

use crate::desk::{self, DeskSize};
use crate::hush::{self, Hush};
use crate::life::{Lived, STEPS_MAX, live_for};
use crate::marks::{self, Mark};
use crate::plan::{LifePlan, Size};
use crate::record::{Ended, Finding};
use crate::story::entries;
use crate::trim::Trim;

/// From so many lives on, with every trouble on, a mark that none of them reached is a failure.
pub const LIVES_FOR_ALL_MARKS: u64 = 200;

/// What is searched.
#[derive(Clone, Debug)]
pub struct Search {
    /// The first seed.
    pub first: u64,
    /// How many lives; without an end when `None`.
    pub lives: Option<u64>,
    /// Threads.
    pub jobs: usize,
    /// What is taken out of every life.
    pub trim: Trim,
    /// Steps of a life, at most.
    pub steps_max: u64,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            first: 1,
            lives: Some(LIVES_FOR_ALL_MARKS),
            jobs: 1,
            trim: Trim::default(),
            steps_max: STEPS_MAX,
        }
    }
}

/// What became of a seed, in numbers.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Broken promises.
    pub findings: Vec<Finding>,
    /// Marks that it reached.
    pub marks: BTreeSet<&'static str>,
    /// Ends of the server that nobody had asked it for.
    pub crashes: u64,
    /// Orders on record.
    pub orders: u64,
    /// Calls of clients.
    pub calls: u64,
    /// Steps of the scheduler.
    pub steps: u64,
    /// How long it lasted, in the world's time.
    pub lasted: Duration,
}

/// What became of many.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Lives that were lived.
    pub lives: u64,
    /// Ends of servers that nobody had asked for.
    pub crashes: u64,
    /// Orders on record.
    pub orders: u64,
    /// Calls of clients.
    pub calls: u64,
    /// Steps of the scheduler.
    pub steps: u64,
    /// Time of the worlds.
    pub lasted: Duration,
    /// How many lives reached each mark.
    pub marks: BTreeMap<&'static str, u64>,
    /// Seeds that failed, with the promises that were broken.
    pub failed: BTreeMap<u64, Vec<Finding>>,
}

impl Summary {
    /// Takes in another life.
    pub fn take(&mut self, report: Report) {
        self.lives += 1;
        self.crashes += report.crashes;
        self.orders += report.orders;
        self.calls += report.calls;
        self.steps += report.steps;
        self.lasted += report.lasted;
        for mark in report.marks {
            *self.marks.entry(mark).or_default() += 1;
        }
        if !report.findings.is_empty() {
            self.failed.insert(report.seed, report.findings);
        }
    }

    /// Marks that no life reached.
    pub fn missed(&self) -> impl Iterator<Item = &'static Mark> {
        marks::all().filter(|mark| !self.marks.contains_key(mark.name))
    }

    /// As a document; `took` is the real time.
    #[must_use]
    pub fn json(&self, took: Duration, command: impl Fn(u64) -> String) -> Value {
        let findings = |findings: &[Finding]| -> Vec<Value> {
            let findings = findings.iter();
            findings
                .map(|finding| json!({"promise": finding.promise, "what": finding.what}))
                .collect()
        };
        let failed: Vec<Value> = self
            .failed
            .iter()
            .map(|(seed, broken)| json!({"seed": seed, "findings": findings(broken), "replay": command(*seed)}))
            .collect();
        json!({
            "lives": self.lives,
            "crashes": self.crashes,
            "orders": self.orders,
            "calls": self.calls,
            "steps": self.steps,
            "simulated_s": self.lasted.as_secs(),
            "took_s": took.as_secs_f64(),
            "marks": self.marks,
            "marks_missed": self.missed().map(|mark| mark.name).collect::<Vec<_>>(),
            "failed": failed,
        })
    }
}

/// Lives the life of a seed and says what became of it.
#[must_use]
pub fn one(seed: u64, trim: &Trim, steps_max: u64) -> Report {
    let plan = trim.apply(&LifePlan::draw(seed, Size::default()));
    let _hush = Hush::begin();
    let lived = catch_unwind(AssertUnwindSafe(|| {
        live_for(&plan, steps_max).map(|lived| {
            let mut report = report(seed, lived);
            // What is taken out of a life is not in a desk's.
            if trim.is_nothing() {
                at_desks(seed, &mut report);
            }
            report
        })
    }));
    let broken = match lived {
        Ok(Ok(report)) => return report,
        Ok(Err(error)) => format!("the machine gives no stage: {error:#}"),
        Err(_) => format!(
            "the simulation itself panicked at {}",
            hush::place().unwrap_or_default()
        ),
    };
    Report {
        seed,
        findings: vec![Finding::new("a life can be lived", broken)],
        ..Report::default()
    }
}

/// How a finding of a desk's life begins.
const AT_DESK: &str = "at desk ";

/// Whether the life of a desk broke this, not the whole shop's.
#[must_use]
pub fn is_of_a_desk(finding: &Finding) -> bool {
    finding.what.starts_with(AT_DESK)
}

/// The seed's lives of desks with teams, dues and a line: short ones, so several of them.
fn at_desks(seed: u64, report: &mut Report) {
    for seed in desk::seeds(seed) {
        let lived = desk::live(seed, DeskSize::draw_offers(seed));
        report.marks.extend(marks::of_desk(&lived));
        report.crashes += lived.crashes;
        report.orders += lived.orders;
        report.steps += lived.steps;
        let findings = lived.findings.into_iter();
        report.findings.extend(findings.map(|finding| {
            let what = format!("{AT_DESK}{seed} with offers: {}", finding.what);
            Finding::new(finding.promise, what)
        }));
    }
}

fn report(seed: u64, lived: Lived) -> Report {
    let evidence = &lived.evidence;
    let deaths = evidence.restarts.iter();
    let deaths = deaths.filter(|restart| restart.ended != Ended::Drained);
    let batches = evidence.journals.values().flatten();
    let entries = batches.flat_map(|batch| entries(&batch.payload));
    let placed = entries.filter(|entry| {
        matches!(
            entry,
            Entry::Placed(_) | Entry::Dealt(_) | Entry::LineOffered(_)
        )
    });
    Report {
        seed,
        marks: marks::of(&lived),
        crashes: deaths.count() as u64,
        orders: placed.count() as u64,
        calls: evidence.calls.len() as u64,
        steps: lived.steps,
        lasted: lived.lasted,
        findings: lived.findings,
    }
}

impl Search {
    /// Searches until there are no more seeds or `stop` is set, and tells `watch` of each life, and every `tick` anyhow.
    pub fn run(&self, stop: &AtomicBool, tick: Duration, watch: impl FnMut(&Summary)) -> Summary {
        let next = AtomicU64::new(self.first);
        let (tell, told) = channel();
        std::thread::scope(|threads| {
            for _ in 0..self.jobs.max(1) {
                let (tell, next) = (tell.clone(), &next);
                threads.spawn(move || self.work(stop, next, &tell));
            }
            drop(tell);
            gather(&told, tick, watch)
        })
    }

    fn work(&self, stop: &AtomicBool, next: &AtomicU64, tell: &Sender<Report>) {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let lived = seed.wrapping_sub(self.first);
            if self.lives.is_some_and(|lives| lived >= lives) {
                return;
            }
            if tell.send(one(seed, &self.trim, self.steps_max)).is_err() {
                return;
            }
        }
    }
}

fn gather(told: &Receiver<Report>, tick: Duration, mut watch: impl FnMut(&Summary)) -> Summary {
    let mut summary = Summary::default();
    loop {
        match told.recv_timeout(tick) {
            Ok(report) => summary.take(report),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return summary,
        }
        watch(&summary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lived(seed: u64) -> Lived {
        live_for(&LifePlan::draw(seed, Size::default()), STEPS_MAX).expect("a stage")
    }

    #[test]
    fn the_same_seed_gives_the_same_life() {
        for seed in [3, 5, 17] {
            let (first, again) = (lived(seed), lived(seed));
            assert_eq!(first.trace, again.trace, "seed {seed}");
            assert_eq!(first.steps, again.steps);
            assert_eq!(marks::of(&first), marks::of(&again));
        }
    }

    #[test]
    fn another_seed_gives_another_life() {
        assert_ne!(lived(3).trace, lived(4).trace);
    }

    #[test]
    fn a_life_is_the_same_beside_others_as_alone() {
        let search = Search {
            first: 20,
            lives: Some(4),
            jobs: 2,
            ..Search::default()
        };
        let never = AtomicBool::new(false);
        let beside = search.run(&never, Duration::from_secs(1), |_| {});
        let mut alone = Summary::default();
        (20..24).for_each(|seed| alone.take(one(seed, &Trim::default(), STEPS_MAX)));
        assert_eq!((beside.steps, beside.lasted), (alone.steps, alone.lasted));
        assert_eq!(beside.marks, alone.marks);
    }

    #[test]
    fn a_search_that_is_stopped_begins_no_life() {
        let stopped = AtomicBool::new(true);
        let summary = Search::default().run(&stopped, Duration::from_secs(1), |_| {});
        assert_eq!(summary.lives, 0);
        assert_eq!(summary.missed().count(), marks::all().count());
    }
}
