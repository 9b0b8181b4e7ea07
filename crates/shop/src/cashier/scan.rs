//! The reconciler's eyes: the open effects of all books, sale by sale.
//!
//! Why it exists: what the cashier holds is only in memory. Whatever was lost there (a full queue, a crash, a provider
//! that was down for too long, a callback that never came) is still an open effect in its book, and is found here.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use world::Tasks;
use world::tasks::Task;

use super::job::Origin;
use super::{Desks, OpenNow, ReportError};

/// What a scan looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// Everything that is open: after a start, or after effects were left behind.
    All,
    /// What should long have been over.
    Overdue,
}

impl Aim {
    /// How an effect that is found so came here.
    pub(super) fn origin(self) -> Origin {
        match self {
            Self::All => Origin::Found,
            Self::Overdue => Origin::Overdue,
        }
    }
}

/// A scan under way. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) aim: Aim,
    found: mpsc::Receiver<Found>,
    task: Task<()>,
}

/// What a scan brings.
#[derive(Debug)]
pub(super) enum Found {
    /// The open effects of a sale.
    Effects(u32, OpenNow),
    /// A sale could not be searched, or time ran out: another scan has to follow.
    Cut,
}

impl Scan {
    /// Begins a scan that takes at most `budget`. One sale's effects at a time are in memory.
    pub(super) fn begin(tasks: &Tasks, desks: Arc<dyn Desks>, aim: Aim, budget: Duration) -> Self {
        let (sender, found) = mpsc::channel(1);
        let timer = tasks.clone();
        let task = tasks.spawn(async move {
            let all = search(desks, &sender);
            if timer.timeout(budget, all).await.is_none() {
                // The receiver may be gone; then nobody waits for the end either.
                let _gone = sender.send(Found::Cut).await;
            }
        });
        Self { aim, found, task }
    }

    /// The next that was found; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Found> {
        self.found.recv().await
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn search(desks: Arc<dyn Desks>, sender: &mpsc::Sender<Found>) {
    if stdx::mutants::is("scan-finds-nothing") {
        return;
    }
    for sale in desks.sales() {
        let found = match desks.open_effects(sale).await {
            Ok(open) if open.effects.is_empty() => continue,
            Ok(open) => Found::Effects(sale, open),
            Err(ReportError::Gone) => continue,
            Err(ReportError::Retry) => Found::Cut,
        };
        if sender.send(found).await.is_err() {
            return;
        }
    }
}
