//! Facts of selling: desks, journals, effects, read models.

use crate::Fact;
use crate::labels::{EffectKind, Invariant, Refused, UnitsIn};
use crate::meters::{Level, Meters};
use api::SaleId;
use std::time::Duration;

/// A desk decided a batch.
#[derive(Debug)]
pub struct BatchDecided<'a> {
    /// Commands in it.
    pub commands: u64,
    /// Orders accepted.
    pub accepted: u64,
    /// Answers repeated for known keys.
    pub repeated: u64,
    /// Orders refused, by [`Refused`] in the order of [`Refused::ALL`].
    pub refused: &'a [u64],
    /// Commands that wait behind it.
    pub queue: (&'a Level, u64),
}

impl Fact for BatchDecided<'_> {
    fn count(&self, meters: &Meters) {
        meters.selling.batch_commands.observe_count(self.commands);
        meters.selling.orders_accepted.inc_by(self.accepted);
        meters.selling.orders_repeated.inc_by(self.repeated);
        for (reason, orders) in Refused::ALL.iter().zip(self.refused) {
            if *orders > 0 {
                meters.count_refused(*reason, *orders);
            }
        }
        self.queue.0.set(self.queue.1);
    }

    fn log(&self) {
        tracing::trace!(
            commands = self.commands,
            accepted = self.accepted,
            "batch decided"
        );
    }
}

/// A batch is on disk.
#[derive(Debug)]
pub struct BatchDurable {
    /// Its bytes.
    pub bytes: u64,
    /// From the begin of the write to the end of the sync.
    pub sync: Duration,
}

impl Fact for BatchDurable {
    fn count(&self, meters: &Meters) {
        meters.selling.sync_seconds.observe_duration(self.sync);
        meters.selling.journal_bytes.inc_by(self.bytes);
    }

    fn log(&self) {
        tracing::trace!(bytes = self.bytes, "batch durable");
    }
}

/// An append failed; whether the batch is on disk is not known.
#[derive(Debug)]
pub struct JournalFailed<'a> {
    /// The journal's sale; `None` for the house journal.
    pub sale: Option<SaleId>,
    /// Why.
    pub reason: &'a str,
}

impl Fact for JournalFailed<'_> {
    fn count(&self, meters: &Meters) {
        meters.selling.journal_failures.inc();
    }

    fn log(&self) {
        tracing::error!(
            journal = journal(self.sale),
            reason = self.reason,
            "append failed, the journal takes no writes"
        );
    }
}

/// A journal takes writes again, in a new segment.
#[derive(Debug)]
pub struct JournalResumed {
    /// The journal's sale; `None` for the house journal.
    pub sale: Option<SaleId>,
    /// The last durable batch.
    pub sequence: u64,
}

impl Fact for JournalResumed {
    fn count(&self, _meters: &Meters) {}

    fn log(&self) {
        tracing::warn!(
            journal = journal(self.sale),
            sequence = self.sequence,
            "the journal takes writes again"
        );
    }
}

fn journal(sale: Option<SaleId>) -> String {
    sale.map_or_else(|| "house".to_owned(), |sale| sale.to_string())
}

/// An invariant does not hold. This must never be told.
#[derive(Debug)]
pub struct InvariantViolated<'a> {
    /// Which.
    pub invariant: Invariant,
    /// Where and how.
    pub detail: &'a str,
}

impl Fact for InvariantViolated<'_> {
    fn count(&self, meters: &Meters) {
        meters.violations(self.invariant).inc();
    }

    fn log(&self) {
        tracing::error!(
            invariant = self.invariant.name(),
            detail = self.detail,
            "invariant violated"
        );
    }
}

/// Units of a sale, by where they are.
#[derive(Debug)]
pub struct StockCounted {
    /// The sale.
    pub sale: SaleId,
    /// Ever came in.
    pub stocked: u64,
    /// Can be bought.
    pub available: u64,
    /// In unpaid orders.
    pub held: u64,
    /// Sold.
    pub sold: u64,
    /// Lost unsold.
    pub written_off: u64,
}

impl Fact for StockCounted {
    fn count(&self, meters: &Meters) {
        let places = [
            (UnitsIn::Stocked, self.stocked),
            (UnitsIn::Available, self.available),
            (UnitsIn::Held, self.held),
            (UnitsIn::Sold, self.sold),
            (UnitsIn::WrittenOff, self.written_off),
        ];
        for (place, units) in places {
            meters.stock_units(self.sale, place).set(units);
        }
    }

    fn log(&self) {
        tracing::trace!(sale = %self.sale, available = self.available, "stock counted");
    }
}

/// A call to the outside came to an end.
#[derive(Debug)]
pub struct EffectDone<'a> {
    /// What it was.
    pub effect: EffectKind,
    /// Its idempotency key.
    pub key: &'a str,
    /// What became of it.
    pub outcome: &'a str,
}

impl Fact for EffectDone<'_> {
    fn count(&self, meters: &Meters) {
        meters.effects_done(self.effect).inc();
    }

    fn log(&self) {
        tracing::debug!(
            effect = self.effect.name(),
            key = self.key,
            outcome = self.outcome,
            "effect done"
        );
    }
}

/// A call to the outside is tried again later.
#[derive(Debug)]
pub struct EffectRetried<'a> {
    /// What it is.
    pub effect: EffectKind,
    /// Its idempotency key.
    pub key: &'a str,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried again.
    pub wait: Duration,
    /// Why it did not end.
    pub reason: &'a str,
}

impl Fact for EffectRetried<'_> {
    fn count(&self, meters: &Meters) {
        meters.effects_retried(self.effect).inc();
        if self.effect == EffectKind::Refund {
            meters.selling.rollback_retries.inc();
        }
    }

    fn log(&self) {
        let wait_ms = u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX);
        let effect = self.effect.name();
        tracing::info!(
            effect,
            key = self.key,
            attempts = self.attempts,
            wait_ms,
            reason = self.reason,
            "effect retried"
        );
    }
}

/// The queue of effects was full; the next sweep of the book finds it again.
#[derive(Debug)]
pub struct EffectDropped<'a> {
    /// What it is.
    pub effect: EffectKind,
    /// Its idempotency key.
    pub key: &'a str,
}

impl Fact for EffectDropped<'_> {
    fn count(&self, meters: &Meters) {
        meters.selling.cancel_drops.inc();
    }

    fn log(&self) {
        tracing::warn!(
            effect = self.effect.name(),
            key = self.key,
            "effect left to the next sweep"
        );
    }
}

/// Reconciliation found a difference.
#[derive(Debug)]
pub struct ReconcileGap<'a> {
    /// Between what, and which.
    pub detail: &'a str,
}

impl Fact for ReconcileGap<'_> {
    fn count(&self, meters: &Meters) {
        meters.selling.reconcile_gaps.inc();
    }

    fn log(&self) {
        tracing::error!(detail = self.detail, "reconciliation found a gap");
    }
}

/// The read models moved on.
#[derive(Debug)]
pub struct ProjectorMoved {
    /// Batches that went in.
    pub batches: u64,
    /// Age of what is missing.
    pub lag: Duration,
    /// Batches that are missing.
    pub behind: u64,
}

impl Fact for ProjectorMoved {
    fn count(&self, meters: &Meters) {
        meters.selling.projector_batches.inc_by(self.batches);
        meters
            .selling
            .projector_lag_ms
            .set(u64::try_from(self.lag.as_millis()).unwrap_or(u64::MAX));
        meters.selling.projector_behind.set(self.behind);
    }

    fn log(&self) {
        tracing::trace!(
            batches = self.batches,
            behind = self.behind,
            "read models moved on"
        );
    }
}
