//! The reconciler: book × provider × read model, again and again, over all orders of a sliding window.
//!
//! ```text
//!   page of a sale's book (P) ──▶ questions to the provider ──▶ rows of the read models (≥ P) ──▶ the same page (R)
//!                                                                                                    │
//!        what did not change from P to R and still differs is a gap ◀───────────────────────────────┘
//!          the provider has money that the book does not know of ──▶ a report to the desk, once
//!          a row is wrong ──▶ the sale's read models are built anew from its journal, once an hour at most
//!          everything else ──▶ an alarm, and an age that grows until it is gone
//! ```
//!
//! What is open in a book (an effect without an outcome) is the cashier's; its age counts here. A run has a budget of
//! time and goes on where the last one ended, so a large window costs more runs and never a longer one.
//!
//! Nothing here is needed to be right at a crash: gaps are found again, and a report that comes twice is one. What is
//! open is kept in a file all the same, since a start makes no difference younger, and an order whose difference is
//! older than the window would not be looked at again.

mod fit;
mod gaps;
mod judge;
mod kept;
mod round;
mod seen;
pub(crate) mod unmatched;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use telemetry::Telemetry;
use tokio::sync::watch;
use world::{Clock, Disk, Tasks};

use crate::cashier::{self, SettingsError, within};
use crate::projector::ProjectorHandle;
use crate::provider::Provider;
use crate::registry::Registry;
pub(crate) use fit::Fit;
use gaps::Gaps;
use round::Cursor;

/// What the reconciler looks at. How often it runs, how long one run may take and how old something open must be is
/// said by the cashier's `reconcile_` options, which hold for both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How far back orders are compared, by when they were placed, in milliseconds; 0 to compare none. Limit: 0 to
    /// 31,536,000,000.
    pub window_ms: u64,
    /// Questions to the provider at the same time. Limit: 1 to 256.
    pub calls_at_once: usize,
    /// Orders that are compared at a time. Limit: 1 to 10,000.
    pub page_orders: u32,
    /// How old a difference may become before the promise is broken, in milliseconds; shown beside the greatest age.
    /// Limit: 1,000 to 86,400,000.
    pub gap_age_target_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window_ms: 86_400_000,
            calls_at_once: 16,
            page_orders: 256,
            gap_age_target_ms: 300_000,
        }
    }
}

impl Settings {
    /// Holds every option against its limits.
    ///
    /// # Errors
    /// The first option that is out of its limits.
    pub fn check(&self) -> Result<(), SettingsError> {
        within("window_ms", self.window_ms, 0, 31_536_000_000)?;
        within("calls_at_once", self.calls_at_once as u64, 1, 256)?;
        within("page_orders", u64::from(self.page_orders), 1, 10_000)?;
        within(
            "gap_age_target_ms",
            self.gap_age_target_ms,
            1_000,
            86_400_000,
        )
    }
}

/// What a reconciler works with.
pub(crate) struct Parts {
    pub(crate) settings: Settings,
    pub(crate) cashier: cashier::Settings,
    pub(crate) registry: Arc<Registry>,
    pub(crate) projector: ProjectorHandle,
    pub(crate) provider: Arc<dyn Provider>,
    /// Where open differences are kept, and on which disk.
    pub(crate) kept: (Arc<dyn Disk>, PathBuf),
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: Tasks,
    pub(crate) telemetry: Telemetry,
}

/// Compares, settles what policy allows, and alarms on the rest.
pub(crate) struct Reconciler {
    parts: Parts,
    gaps: Gaps,
    /// Kept reports that a book has heard; it shall not write them down again with every run.
    heard: BTreeSet<u64>,
    /// When the read models of a sale were last built anew. Rows that differ again soon are not damaged: a rule is
    /// wrong, and people have to look.
    built: BTreeMap<u32, Duration>,
    /// Where the next run begins.
    cursor: Option<Cursor>,
}

impl Reconciler {
    pub(crate) fn new(parts: Parts) -> Self {
        let target_s = parts.settings.gap_age_target_ms / 1_000;
        let outside = &parts.telemetry.meters().outside;
        outside.gap_age_target_s.set(target_s);
        Self {
            parts,
            gaps: Gaps::default(),
            heard: BTreeSet::new(),
            built: BTreeMap::new(),
            cursor: None,
        }
    }

    /// Works until `stopping` turns true or its sender is gone.
    pub(crate) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let every = Duration::from_millis(self.parts.cashier.reconcile_every_ms);
        self.remember().await;
        loop {
            let stopped = stopping.wait_for(|stop| *stop);
            if self.parts.tasks.timeout(every, stopped).await.is_some() {
                return;
            }
            tokio::select! {
                // What is cut off in the middle is done again by the next process.
                biased;
                _ = stopping.wait_for(|stop| *stop) => return,
                () = self.round() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_limits_and_an_empty_page_is_not() {
        assert_eq!(Settings::default().check(), Ok(()));
        let none = Settings {
            page_orders: 0,
            ..Settings::default()
        };
        assert!(none.check().is_err());
    }
}
