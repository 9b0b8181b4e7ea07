//! Which sales have something new; never full, since a sale is in it once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Sales whose journal went on since somebody looked; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wakes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sales: Mutex<BTreeSet<u32>>,
    bell: Notify,
    /// Somebody listens.
    on: AtomicBool,
}

impl Wakes {
    /// From now on somebody listens.
    pub(crate) fn listen(&self) {
        self.0.on.store(true, Ordering::Release);
    }

    /// Whether somebody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.0.on.load(Ordering::Acquire)
    }

    /// Something of the sale is durable. Costs one load where nobody listens.
    pub(crate) fn wake(&self, sale: u32) {
        if self.is_heard() && self.sales().insert(sale) {
            self.0.bell.notify_one();
        }
    }

    /// The sales that were woken, once there are any.
    pub(crate) async fn take(&self) -> BTreeSet<u32> {
        loop {
            let rung = self.0.bell.notified();
            let taken = std::mem::take(&mut *self.sales());
            if !taken.is_empty() {
                return taken;
            }
            rung.await;
        }
    }

    fn sales(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.0.sales.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
