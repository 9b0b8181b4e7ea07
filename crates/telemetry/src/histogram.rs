//! A histogram without a lock: one atomic add for the bucket, one for the sum.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds for the duration of a request, in seconds.
pub const REQUEST_SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Upper bounds for one write that must reach the disk, in seconds.
pub const SYNC_SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1.0,
];
/// Upper bounds for the size of a batch.
pub const BATCH_COMMANDS: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0,
];

/// Counts of observations below upper bounds. Clones share their counts.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: &'static [f64],
    /// One count for each bound and one for what lies above them all.
    counts: Box<[AtomicU64]>,
    /// Sum of all observations in millionths.
    sum_millionths: AtomicU64,
}

impl Histogram {
    /// An empty histogram with these ascending upper bounds.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Inner {
            bounds,
            counts,
            sum_millionths: AtomicU64::new(0),
        }))
    }

    /// Observes a duration; the bounds are seconds.
    pub fn observe_duration(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.add(duration.as_secs_f64(), micros);
    }

    /// Observes a count.
    pub fn observe_count(&self, count: u64) {
        self.add(count as f64, count.saturating_mul(1_000_000));
    }

    /// How often something was observed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }

    fn add(&self, value: f64, millionths: u64) {
        let place = self.0.bounds.partition_point(|bound| *bound < value);
        self.0.counts[place].fetch_add(1, Ordering::Relaxed);
        self.0
            .sum_millionths
            .fetch_add(millionths, Ordering::Relaxed);
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let bounds = self.0.bounds.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds
            .zip(&self.0.counts)
            .map(|(bound, count)| (bound, count.load(Ordering::Relaxed)))
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.0.sum_millionths.load(Ordering::Relaxed) as f64 / 1e6;
        encoder
            .encode_histogram::<prometheus_client::encoding::NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    #[test]
    fn observations_land_in_their_buckets_and_sum_up() {
        let histogram = Histogram::new(&[0.001, 0.01]);
        for micros in [500, 1_000, 2_000, 50_000] {
            histogram.observe_duration(Duration::from_micros(micros));
        }
        let mut registry = Registry::default();
        registry.register("wait", "A wait", histogram);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "wait_sum 0.0535",
            "wait_count 4",
            "le=\"0.001\"} 2",
            "le=\"0.01\"} 3",
            "le=\"+Inf\"} 4",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
