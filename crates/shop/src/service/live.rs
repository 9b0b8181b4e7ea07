//! The live stream of a sale.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::live::LiveTick;
use api::service::LiveFeed;
use tokio::sync::watch;
use world::Tasks;

use crate::desk::LiveView;
use crate::wire;

/// Watchers are told at most this often.
const EVERY: Duration = Duration::from_millis(250);
/// And at least this often.
const AT_LEAST: Duration = Duration::from_secs(5);

/// One watcher's stream.
pub(super) struct Feed {
    sale: u32,
    view: watch::Receiver<Arc<LiveView>>,
    next: Duration,
    tasks: Tasks,
    watchers: Arc<AtomicUsize>,
}

impl Feed {
    pub(super) fn new(
        sale: u32,
        mut view: watch::Receiver<Arc<LiveView>>,
        watchers: Arc<AtomicUsize>,
        tasks: Tasks,
    ) -> Self {
        // The first tick comes at once.
        view.mark_changed();
        Self {
            sale,
            view,
            next: tasks.now(),
            tasks,
            watchers,
        }
    }
}

impl LiveFeed for Feed {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<LiveTick>> + Send + '_>> {
        Box::pin(async move {
            let wait = self.next.saturating_sub(self.tasks.now());
            self.tasks.sleep(wait).await;
            let changed = self.tasks.timeout(AT_LEAST, self.view.changed()).await;
            if let Some(Err(_)) = changed {
                return None;
            }
            self.next = self.tasks.now() + EVERY;
            let view = self.view.borrow_and_update().clone();
            Some(wire::live_tick(self.sale, &view))
        })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}
