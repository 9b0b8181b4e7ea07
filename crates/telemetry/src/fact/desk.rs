//! Facts of a desk in trouble, and of its way back.

use crate::Fact;
use crate::meters::Meters;
use api::SaleId;

/// A sale was stopped: an invariant would have broken, or its book could not be built anew.
#[derive(Debug)]
pub struct SaleStopped<'a> {
    /// The sale.
    pub sale: SaleId,
    /// Why.
    pub reason: &'a str,
}

impl Fact for SaleStopped<'_> {
    fn count(&self, _meters: &Meters) {}

    fn log(&self) {
        tracing::error!(sale = %self.sale, reason = self.reason, "the sale is stopped; an operator has to look");
    }
}

/// A snapshot could not be written; the next start takes longer.
#[derive(Debug)]
pub struct SnapshotFailed<'a> {
    /// The sale.
    pub sale: SaleId,
    /// Why.
    pub reason: &'a str,
}

impl Fact for SnapshotFailed<'_> {
    fn count(&self, _meters: &Meters) {}

    fn log(&self) {
        tracing::warn!(sale = %self.sale, reason = self.reason, "no snapshot was written");
    }
}

/// The wall clock has kept its new course and is believed again; holds expire again.
#[derive(Debug)]
pub struct ClockBelieved;

impl Fact for ClockBelieved {
    fn count(&self, meters: &Meters) {
        meters.selling.clock_offset_ms.set(0);
    }

    fn log(&self) {
        tracing::warn!("the wall clock is believed again");
    }
}
