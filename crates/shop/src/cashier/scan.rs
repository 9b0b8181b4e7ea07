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
    /// A sale could not be searched: another scan has to follow.
    Cut,
    /// Time ran out: another scan has to go on behind the last sale.
    Late,
}

impl Scan {
    /// Begins a scan that takes at most `budget`: first the sales from this one on, then those before it. One sale's
    /// effects at a time are in memory.
    pub(super) fn begin(
        tasks: &Tasks,
        desks: Arc<dyn Desks>,
        aim: Aim,
        (from, budget): (u32, Duration),
    ) -> Self {
        let (sender, found) = mpsc::channel(1);
        let timer = tasks.clone();
        let task = tasks.spawn(async move {
            let all = search(desks, from, &sender);
            if timer.timeout(budget, all).await.is_none() {
                // The receiver may be gone; then nobody waits for the end either.
                let _gone = sender.send(Found::Late).await;
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

async fn search(desks: Arc<dyn Desks>, from: u32, sender: &mpsc::Sender<Found>) {
    if stdx::mutants::is("scan-finds-nothing") {
        return;
    }
    let (before, behind): (Vec<u32>, Vec<u32>) =
        desks.sales().into_iter().partition(|sale| *sale < from);
    for sale in behind.into_iter().chain(before) {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{OpenEffects, Reported};
    use super::*;
    use commerce::{Effect, EffectKind, Report, Time};
    use ledger::{Currency, Minor};

    /// Three sales with one open effect each.
    struct Three;

    impl Desks for Three {
        fn report(&self, _sale: u32, _report: Report) -> Reported<'_> {
            Box::pin(std::future::ready(Err(ReportError::Gone)))
        }

        fn open_effects(&self, _sale: u32) -> OpenEffects<'_> {
            let effect = Effect {
                order: 1,
                kind: EffectKind::Charge { attempt: 1 },
                amount: Minor(5),
                currency: Currency::new("EUR").unwrap(),
                since: Time(0),
                not_before: Time(0),
            };
            let open = OpenNow {
                now: Time(0),
                effects: vec![effect],
            };
            Box::pin(std::future::ready(Ok(open)))
        }

        fn sales(&self) -> Vec<u32> {
            vec![3, 5, 8]
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_scan_whose_time_is_over_says_so_and_the_next_begins_behind_it() {
        let tasks = Tasks::of_the_machine();
        let budget = Duration::from_secs(60);
        let begin = |from| Scan::begin(&tasks, Arc::new(Three), Aim::All, (from, budget));
        let sale = |found| match found {
            Some(Found::Effects(sale, _)) => Some(sale),
            _ => None,
        };
        let mut scan = begin(0);
        assert_eq!(sale(scan.next().await), Some(3));
        tasks.sleep(2 * budget).await;
        // One had been found already.
        assert_eq!(sale(scan.next().await), Some(5));
        assert!(matches!(scan.next().await, Some(Found::Late)));
        let mut scan = begin(6);
        let mut order = Vec::new();
        while let Some(found) = scan.next().await {
            order.extend(sale(Some(found)));
        }
        assert_eq!(order, [8, 3, 5]);
    }
}
