//! Counts and times while the crowd runs.

use super::door::Heard;
use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest time that is told apart, microseconds: one minute.
const LONGEST_US: u64 = 60_000_000;

/// What all buyers together saw so far.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) requests: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) refused_sold_out: AtomicU64,
    pub(super) refused_limit: AtomicU64,
    pub(super) refused_otherwise: AtomicU64,
    pub(super) repeated: AtomicU64,
    pub(super) turned_away: AtomicU64,
    pub(super) lost_connections: AtomicU64,
    /// Buyers that have gone home.
    pub(super) gone: AtomicU64,
    times: Mutex<Times>,
}

#[derive(Debug)]
struct Times {
    all: Histogram<u64>,
    lately: Histogram<u64>,
}

/// Latencies, microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Latency {
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) max_us: u64,
}

impl Tally {
    /// Nothing seen yet.
    ///
    /// # Errors
    /// Never with these bounds; the type cannot know.
    pub(super) fn new() -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            requests: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            refused_sold_out: AtomicU64::new(0),
            refused_limit: AtomicU64::new(0),
            refused_otherwise: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            lost_connections: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            times: Mutex::new(Times {
                all: Histogram::new_with_bounds(1, LONGEST_US, 3)?,
                lately: Histogram::new_with_bounds(1, LONGEST_US, 2)?,
            }),
        })
    }

    /// An answer came.
    pub(super) fn answered(&self, heard: &Heard) {
        count(&self.requests);
        if heard.repeated {
            count(&self.repeated);
        }
        if matches!(heard.status, 429 | 503) {
            count(&self.turned_away);
        }
        let microseconds = u64::try_from(heard.took.as_micros())
            .unwrap_or(LONGEST_US)
            .clamp(1, LONGEST_US);
        let mut times = self.times();
        times.all.saturating_record(microseconds);
        times.lately.saturating_record(microseconds);
    }

    /// An order was refused with this code.
    pub(super) fn refused(&self, code: &str) {
        count(match code {
            "TG-2102" => &self.refused_sold_out,
            "TG-2103" => &self.refused_limit,
            _ => &self.refused_otherwise,
        });
    }

    /// Latencies since the last call.
    pub(super) fn lately(&self) -> Latency {
        let mut times = self.times();
        let latency = Latency::of(&times.lately);
        times.lately.reset();
        latency
    }

    /// Latencies since the beginning.
    pub(super) fn overall(&self) -> Latency {
        Latency::of(&self.times().all)
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latency {
    fn of(times: &Histogram<u64>) -> Self {
        Self {
            p50_us: times.value_at_quantile(0.50),
            p99_us: times.value_at_quantile(0.99),
            max_us: times.max(),
        }
    }
}

/// Adds one. Nothing is ordered by these counters; they are only read.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Reads a counter.
pub(super) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// One point of the plots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// Since the crowd was let loose.
    pub(super) at: Duration,
    /// Since the last sample.
    pub(super) lasted: Duration,
    /// Requests answered since the last sample.
    pub(super) requests: u64,
    /// Orders accepted since the last sample.
    pub(super) accepted: u64,
    /// Orders refused since the last sample.
    pub(super) refused: u64,
    /// Latencies since the last sample.
    pub(super) latency: Latency,
    /// Units, when the server could be asked.
    pub(super) stock: Option<Stock>,
}

/// Units of all SKUs together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) available: u64,
    pub(super) held: u64,
    pub(super) sold: u64,
}
