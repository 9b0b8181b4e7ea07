//! Facts of what is asked of the outside: breakers, payments, reconciliation.

use crate::Fact;
use crate::labels::{EffectKind, Gap, PaymentOutcome};
use crate::meters::Meters;
use std::time::Duration;

/// The breaker of a kind of calls changed its state.
#[derive(Debug)]
pub struct BreakerTurned {
    /// Which calls.
    pub effect: EffectKind,
    /// What it was.
    pub from: &'static str,
    /// What it is.
    pub to: &'static str,
    /// The state in figures: 0 closed, 1 half open, 2 open.
    pub level: u64,
}

impl Fact for BreakerTurned {
    fn count(&self, meters: &Meters) {
        meters.outside.breaker_state(self.effect).set(self.level);
        if self.level == 2 {
            meters.outside.breaker_turns(self.effect).inc();
        }
    }

    fn log(&self) {
        tracing::warn!(
            effect = self.effect.name(),
            from = self.from,
            to = self.to,
            "breaker turned"
        );
    }
}

/// A call was not made: its breaker is open, or its bulkhead is full.
#[derive(Debug)]
pub struct CallHeld {
    /// Which call.
    pub effect: EffectKind,
    /// For how long at least.
    pub wait: Duration,
}

impl Fact for CallHeld {
    fn count(&self, meters: &Meters) {
        meters.outside.calls_held(self.effect).inc();
    }

    fn log(&self) {
        let wait_ms = u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(effect = self.effect.name(), wait_ms, "call held");
    }
}

/// An attempt to pay came to an outcome, or to none for so long that it was left to the reconciler.
#[derive(Debug)]
pub struct PaymentEnded {
    /// Which.
    pub outcome: PaymentOutcome,
}

impl Fact for PaymentEnded {
    fn count(&self, meters: &Meters) {
        meters.outside.payments(self.outcome).inc();
    }

    fn log(&self) {
        tracing::trace!(outcome = self.outcome.name(), "payment ended");
    }
}

/// Reconciliation found a difference for the first time.
#[derive(Debug)]
pub struct GapFound<'a> {
    /// Of which kind.
    pub kind: Gap,
    /// Between what, and which.
    pub detail: &'a str,
}

impl Fact for GapFound<'_> {
    fn count(&self, meters: &Meters) {
        meters.outside.gaps(self.kind).inc();
        meters.selling.reconcile_gaps.inc();
    }

    fn log(&self) {
        let (kind, detail) = (self.kind.name(), self.detail);
        tracing::error!(kind, detail, "reconciliation found a gap");
    }
}

/// A difference was settled: by a report to the desk, or by building read models anew.
#[derive(Debug)]
pub struct GapRepaired<'a> {
    /// Which.
    pub detail: &'a str,
}

impl Fact for GapRepaired<'_> {
    fn count(&self, meters: &Meters) {
        meters.outside.repairs.inc();
    }

    fn log(&self) {
        tracing::warn!(detail = self.detail, "gap repaired");
    }
}

/// A run of the reconciler ended.
#[derive(Debug)]
pub struct Reconciled<'a> {
    /// Orders compared.
    pub orders: u64,
    /// Differences open, by [`Gap`] in the order of [`Gap::ALL`].
    pub open: &'a [u64],
    /// Age of the oldest of them.
    pub oldest: Duration,
    /// Reports that match no order and are tried again.
    pub unmatched: u64,
    /// Everything was looked at; otherwise the next run goes on from here.
    pub whole: bool,
    /// How long it took.
    pub took: Duration,
}

impl Fact for Reconciled<'_> {
    fn count(&self, meters: &Meters) {
        let outside = &meters.outside;
        outside.orders_compared.inc_by(self.orders);
        outside.gap_age_s.set(self.oldest.as_secs());
        outside.unmatched_kept.set(self.unmatched);
        for (kind, open) in Gap::ALL.iter().zip(self.open) {
            outside.gaps_open(*kind).set(*open);
        }
    }

    fn log(&self) {
        let open: u64 = self.open.iter().sum();
        let took_ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        let (orders, unmatched, whole) = (self.orders, self.unmatched, self.whole);
        tracing::info!(orders, open, unmatched, whole, took_ms, "reconciled");
    }
}
