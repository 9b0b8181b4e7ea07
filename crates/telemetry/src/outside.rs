//! Meters of what is asked of the outside: payments by outcome, breakers, and what reconciliation found.

use crate::labels::{EffectKind, Gap, PaymentOutcome};
use crate::meters::{Level, Naming};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::registry::Metric;
use std::hash::Hash;

/// Payments that shall be answered by the provider, in hundred thousandths: 99.95 %.
const PAYMENT_SUCCESS_TARGET: u64 = 99_950;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEffect {
    effect: EffectKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: PaymentOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByGap {
    kind: Gap,
}

/// Meters of the outside.
#[derive(Debug)]
pub struct OutsideMeters {
    breaker_state: Vec<Level>,
    breaker_turns: Vec<Counter>,
    calls_held: Vec<Counter>,
    payments: Vec<Counter>,
    gaps: Vec<Counter>,
    gaps_open: Vec<Level>,
    /// Age of the oldest difference that is open, s.
    pub gap_age_s: Level,
    /// How old a difference may become, s.
    pub gap_age_target_s: Level,
    /// Differences that were settled, by a report to the desk or by building read models anew.
    pub repairs: Counter,
    /// Orders that were compared.
    pub orders_compared: Counter,
    /// Reports from outside that match no order, kept and tried again.
    pub unmatched_kept: Level,
}

impl OutsideMeters {
    pub(crate) fn new(names: &mut Naming) -> Self {
        let target = names.level(
            "tidegate_payments_success_target",
            "Payments that shall be answered, in hundred thousandths",
        );
        target.set(PAYMENT_SUCCESS_TARGET);
        let effects = EffectKind::ALL;
        let (by_effect, by_gap) = (|effect| ByEffect { effect }, |kind| ByGap { kind });
        Self {
            breaker_state: names.each(
                "tidegate_breaker_state",
                "0 closed, 1 half open, 2 open",
                effects,
                by_effect,
            ),
            breaker_turns: names.each(
                "tidegate_breaker_opened",
                "Times a breaker opened",
                effects,
                by_effect,
            ),
            calls_held: names.each(
                "tidegate_calls_held",
                "Calls that were not made because of a breaker or a bulkhead",
                effects,
                by_effect,
            ),
            payments: names.each(
                "tidegate_payments",
                "Attempts to pay by outcome",
                PaymentOutcome::ALL,
                |outcome| ByOutcome { outcome },
            ),
            gaps: names.each(
                "tidegate_reconcile_gaps",
                "Differences found, by kind",
                Gap::ALL,
                by_gap,
            ),
            gaps_open: names.each(
                "tidegate_reconcile_gaps_open",
                "Differences open now, by kind",
                Gap::ALL,
                by_gap,
            ),
            gap_age_s: names.level(
                "tidegate_reconcile_gap_age_seconds",
                "Age of the oldest open difference",
            ),
            gap_age_target_s: names.level(
                "tidegate_reconcile_gap_age_target_seconds",
                "How old a difference may become",
            ),
            repairs: names.counter(
                "tidegate_reconcile_repairs",
                "Differences settled by a report to the desk or by building read models anew",
            ),
            orders_compared: names.counter(
                "tidegate_reconcile_orders",
                "Orders compared with provider and read models",
            ),
            unmatched_kept: names.level(
                "tidegate_unmatched_reports",
                "Reports from outside that match no order and are tried again",
            ),
        }
    }

    /// Where the breaker of these calls stands: 0 closed, 1 half open, 2 open.
    #[must_use]
    pub fn breaker_state(&self, effect: EffectKind) -> &Level {
        &self.breaker_state[effect as usize]
    }

    /// How often the breaker of these calls opened.
    #[must_use]
    pub fn breaker_turns(&self, effect: EffectKind) -> &Counter {
        &self.breaker_turns[effect as usize]
    }

    /// Calls that were not made because of a breaker or a bulkhead.
    #[must_use]
    pub fn calls_held(&self, effect: EffectKind) -> &Counter {
        &self.calls_held[effect as usize]
    }

    /// Attempts to pay that came to this outcome.
    #[must_use]
    pub fn payments(&self, outcome: PaymentOutcome) -> &Counter {
        &self.payments[outcome as usize]
    }

    /// Differences of this kind that were found.
    #[must_use]
    pub fn gaps(&self, kind: Gap) -> &Counter {
        &self.gaps[kind as usize]
    }

    /// Differences of this kind that are open now.
    #[must_use]
    pub fn gaps_open(&self, kind: Gap) -> &Level {
        &self.gaps_open[kind as usize]
    }
}

impl Naming {
    /// One meter for each value of a closed set of labels, there from the start.
    fn each<V, L, M>(
        &mut self,
        name: &str,
        help: &str,
        values: &[V],
        label: impl Fn(V) -> L,
    ) -> Vec<M>
    where
        V: Copy + EncodeLabelValue,
        L: EncodeLabelSet + Clone + Hash + Eq + std::fmt::Debug + Send + Sync + 'static,
        M: Metric + Clone + Default,
        fn() -> M: MetricConstructor<M>,
        Family<L, M>: Metric,
    {
        let family: Family<L, M> = self.add(name, help, Family::default());
        let meter = |value: &V| family.get_or_create(&label(*value)).clone();
        values.iter().map(meter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Telemetry;
    use crate::fact::PaymentEnded;

    #[test]
    fn payments_have_their_outcomes_and_their_target_from_the_start() {
        let telemetry = Telemetry::new();
        let page = telemetry.exposition();
        for outcome in PaymentOutcome::ALL {
            let name = outcome.name();
            let line =
                format!("tidegate_payments_total{{service=\"tidegate\",outcome=\"{name}\"}} 0");
            assert!(page.contains(&line), "{line} in {page}");
        }
        let target = "tidegate_payments_success_target{service=\"tidegate\"} 99950";
        assert!(page.contains(target), "{page}");
        let outcome = PaymentOutcome::Declined;
        telemetry.tell(&PaymentEnded { outcome });
        assert_eq!(telemetry.meters().outside.payments(outcome).get(), 1);
    }
}
