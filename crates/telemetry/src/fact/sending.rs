//! Facts of what happens outside once an order is paid: sagas, notices, carriers.

use crate::Fact;
use crate::meters::Meters;
use api::SaleId;
use std::time::Duration;

/// An attempt of a saga's step ended.
#[derive(Debug)]
pub struct SagaAttempted<'a> {
    /// The step's key, the same for all its attempts.
    pub key: &'a str,
    /// The step's name.
    pub step: &'a str,
    /// Which way it was tried: forward or undo.
    pub way: &'a str,
    /// Which attempt.
    pub attempt: u16,
    /// What was said: done, failed or unknown.
    pub said: &'a str,
    /// How long it took.
    pub took: Duration,
}

impl Fact for SagaAttempted<'_> {
    fn count(&self, meters: &Meters) {
        meters.sending.saga_attempts.inc();
        if self.said == "unknown" {
            meters.sending.saga_unknown.inc();
        }
    }

    fn log(&self) {
        let took_ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            key = self.key,
            step = self.step,
            way = self.way,
            attempt = self.attempt,
            said = self.said,
            took_ms,
            "saga step tried"
        );
    }
}

/// How old what is unfinished is, over all sales.
#[derive(Debug)]
pub struct SagaAges {
    /// Sagas that are not over.
    pub open: u64,
    /// Sagas that wait for an operator.
    pub parked: u64,
    /// Age of the oldest unfinished step.
    pub oldest: Duration,
}

impl Fact for SagaAges {
    fn count(&self, meters: &Meters) {
        let oldest = u64::try_from(self.oldest.as_millis()).unwrap_or(u64::MAX);
        meters.sending.saga_open.set(self.open);
        meters.sending.saga_oldest_ms.set(oldest);
        let before = meters.sending.saga_parked.set(self.parked);
        if self.parked > before {
            let parked = self.parked;
            tracing::error!(parked, "sagas wait for an operator: tidegate saga list");
        }
    }

    fn log(&self) {
        tracing::trace!(open = self.open, parked = self.parked, "sagas counted");
    }
}

/// A notice reached its channel.
#[derive(Debug)]
pub struct NoticeDelivered<'a> {
    /// Its key, the same however often it is delivered.
    pub key: &'a str,
    /// Over which channel.
    pub channel: &'a str,
}

impl Fact for NoticeDelivered<'_> {
    fn count(&self, meters: &Meters) {
        meters.sending.notices_delivered.inc();
    }

    fn log(&self) {
        tracing::debug!(key = self.key, channel = self.channel, "notice delivered");
    }
}

/// A delivery failed and is tried again.
#[derive(Debug)]
pub struct NoticeRetried<'a> {
    /// Its key.
    pub key: &'a str,
    /// Over which channel.
    pub channel: &'a str,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed.
    pub reason: &'a str,
}

impl Fact for NoticeRetried<'_> {
    fn count(&self, meters: &Meters) {
        meters.sending.notices_retried.inc();
    }

    fn log(&self) {
        tracing::info!(
            key = self.key,
            channel = self.channel,
            attempts = self.attempts,
            reason = self.reason,
            "notice tried again"
        );
    }
}

/// A notice was given up and waits for an operator.
#[derive(Debug)]
pub struct NoticeDead<'a> {
    /// Its key.
    pub key: &'a str,
    /// Why.
    pub reason: &'a str,
    /// How many there are now.
    pub dead: u64,
}

impl Fact for NoticeDead<'_> {
    fn count(&self, meters: &Meters) {
        meters.sending.notices_dead.set(self.dead);
    }

    fn log(&self) {
        tracing::error!(
            key = self.key,
            reason = self.reason,
            "a notice was given up: tidegate notices dead"
        );
    }
}

/// A carrier said something that stands in no table: it waits, nobody guesses.
#[derive(Debug)]
pub struct CarrierUnknown<'a> {
    /// Which carrier.
    pub carrier: &'a str,
    /// What it said.
    pub code: &'a str,
    /// About which order.
    pub order: &'a str,
}

impl Fact for CarrierUnknown<'_> {
    fn count(&self, meters: &Meters) {
        meters.sending.carrier_unknown.inc();
    }

    fn log(&self) {
        tracing::error!(
            carrier = self.carrier,
            code = self.code,
            order = self.order,
            "a carrier says what stands in no table; add it to delivery.codes"
        );
    }
}

/// A carrier's word moved an order.
#[derive(Debug)]
pub struct CarrierMoved<'a> {
    /// Which carrier.
    pub carrier: &'a str,
    /// What it said.
    pub code: &'a str,
    /// Of which sale.
    pub sale: SaleId,
}

impl Fact for CarrierMoved<'_> {
    fn count(&self, meters: &Meters) {
        meters.sending.carrier_moved.inc();
    }

    fn log(&self) {
        tracing::debug!(carrier = self.carrier, code = self.code, sale = %self.sale, "a carrier moved an order");
    }
}
