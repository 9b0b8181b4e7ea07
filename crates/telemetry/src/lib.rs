//! What operators see: facts, the metrics and log lines that they make, and the trace that a request belongs to.
//!
//! Why it exists: a thing that happens is told once, as a [`Fact`], and gives its counters and its log line together,
//! so that the two never disagree and every name stands in one place. No other room names a metric.
//!
//! ```text
//!   shop, edge ──tell(fact)──▶ Telemetry ──▶ Meters ──▶ /metrics (OpenMetrics text)
//!                                   └──────▶ tracing ──▶ log ──▶ one JSON object a line on stdout
//!   RequestContext (request id, trace id) is around every poll of a request and so on every line that it logs.
//! ```
//!
//! Start with [`fact`] for what can be told, then [`meters`] for the names, [`log`] for the lines.
//!
//! Invariant: telling a fact never blocks and never fails; a full log loses lines and counts them.
//!
//! Not here: deciding anything from what was measured.

pub mod context;
pub mod fact;
pub mod histogram;
pub mod http;
pub mod labels;
pub mod log;
pub mod meters;
mod outside;
mod process;

pub use context::RequestContext;
pub use fact::Fact;
pub use http::{LimitMeter, RouteMeter};
pub use labels::{EffectKind, Gap, Invariant, PaymentOutcome, Refused};
pub use meters::Meters;

use std::sync::Arc;

/// A handle to the meters; cheap to clone, given to every room.
#[derive(Debug, Clone)]
pub struct Telemetry {
    meters: Arc<Meters>,
}

impl Telemetry {
    /// Fresh meters, all at zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            meters: Arc::new(Meters::new()),
        }
    }

    /// Tells what happened: counts it, and logs it when it is worth a line.
    pub fn tell(&self, fact: &impl Fact) {
        fact.count(&self.meters);
        fact.log();
    }

    /// The meters, for handles that are looked up once and used often.
    #[must_use]
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// All metrics as OpenMetrics text.
    #[must_use]
    pub fn exposition(&self) -> String {
        self.meters.exposition()
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}
