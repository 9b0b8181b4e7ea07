//! What desks and projector know of one another: how far each is, and who has to be woken.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::models::PositionRow;
use telemetry::Telemetry;
use tokio::sync::Notify;
use world::Tasks;

use super::troubles::Troubles;

/// How far the read models are behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lag {
    /// Durable batches that are missing, over all sales.
    pub behind_batches: u64,
    /// Book time between the newest durable batch and the newest one in the read models, of the sale that is furthest
    /// behind, in milliseconds.
    pub lag_ms: u64,
}

/// A desk's way to say what is durable; cheap to clone.
#[derive(Debug, Clone)]
pub struct Progress {
    shared: Arc<Shared>,
    track: Arc<Track>,
}

impl Progress {
    pub(super) fn new(shared: Arc<Shared>, track: Arc<Track>) -> Self {
        Self { shared, track }
    }

    /// Says that all batches up to `sequence`, whose time is `time_ms`, are durable. Costs a few stores; wakes the
    /// projector only when it sleeps.
    pub fn publish(&self, sequence: u64, time_ms: u64) {
        self.track.published_ms.store(time_ms, Ordering::Relaxed);
        let _ =
            self.track
                .begun_ms
                .compare_exchange(0, time_ms, Ordering::Relaxed, Ordering::Relaxed);
        self.track.published.store(sequence, Ordering::SeqCst);
        self.shared.bell.ring();
    }
}

/// How far one sale is.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Durable up to here.
    published: AtomicU64,
    published_ms: AtomicU64,
    /// Time of the first batch published, the measure of lag while there is nothing in the read models.
    begun_ms: AtomicU64,
    /// In the read models up to here.
    applied: AtomicU64,
    applied_ms: AtomicU64,
}

impl Track {
    pub(super) fn published(&self) -> u64 {
        self.published.load(Ordering::SeqCst)
    }

    /// The journal was opened and ends here.
    pub(super) fn reopen(&self, end: u64) {
        self.published.store(end, Ordering::SeqCst);
    }

    pub(super) fn apply(&self, sequence: u64, time_ms: u64) {
        self.applied.store(sequence, Ordering::SeqCst);
        self.applied_ms.store(time_ms, Ordering::Relaxed);
    }

    fn lag(&self) -> Lag {
        let behind = self
            .published()
            .saturating_sub(self.applied.load(Ordering::SeqCst));
        if behind == 0 {
            return Lag::default();
        }
        let from = match self.applied_ms.load(Ordering::Relaxed) {
            0 => self.begun_ms.load(Ordering::Relaxed),
            applied => applied,
        };
        let to = self.published_ms.load(Ordering::Relaxed);
        Lag {
            behind_batches: behind,
            lag_ms: to.saturating_sub(from),
        }
    }
}

/// Wakes the projector, and only when it sleeps: a busy desk pays one load for it.
#[derive(Debug, Default)]
pub(super) struct Bell {
    asleep: AtomicBool,
    rung: Notify,
}

impl Bell {
    pub(super) fn ring(&self) {
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.rung.notify_one();
        }
    }

    /// From here on a ring is heard. What was published before rang for nobody, so whoever wants to sleep looks for
    /// work once more, and then does.
    pub(super) fn listen(&self) {
        self.asleep.store(true, Ordering::SeqCst);
    }

    /// Sleeps until somebody rings, at most for `most`; either way the caller looks around anew.
    pub(super) async fn sleep(&self, tasks: &Tasks, most: Duration) {
        let _ = tasks.timeout(most, self.rung.notified()).await;
    }

    /// Nobody needs to ring any more.
    pub(super) fn ignore(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }
}

/// What handles, desks and the thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) bell: Bell,
    pub(super) troubles: Troubles,
    /// Catch up, then end.
    pub(super) stopping: AtomicBool,
    /// End after the transaction under way.
    pub(super) abandon: AtomicBool,
    /// A message waits.
    pub(super) mail: AtomicBool,
    tracks: Mutex<BTreeMap<u32, Arc<Track>>>,
    seen: Mutex<BTreeMap<u32, PositionRow>>,
}

impl Shared {
    pub(super) fn new(telemetry: &Telemetry) -> Self {
        Self {
            bell: Bell::default(),
            troubles: Troubles::new(telemetry),
            stopping: AtomicBool::new(false),
            abandon: AtomicBool::new(false),
            mail: AtomicBool::new(false),
            tracks: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    pub(super) fn track(&self, sale: u32) -> Arc<Track> {
        lock(&self.tracks).entry(sale).or_default().clone()
    }

    pub(super) fn forget(&self, sale: u32) {
        lock(&self.tracks).remove(&sale);
    }

    pub(super) fn seen(&self, sale: u32) -> Option<PositionRow> {
        lock(&self.seen).get(&sale).copied()
    }

    pub(super) fn see(&self, position: PositionRow) {
        lock(&self.seen).insert(position.sale, position);
    }

    pub(super) fn lag(&self) -> Lag {
        lock(&self.tracks)
            .values()
            .map(|track| track.lag())
            .fold(Lag::default(), |sum, lag| Lag {
                behind_batches: sum.behind_batches + lag.behind_batches,
                lag_ms: sum.lag_ms.max(lag.lag_ms),
            })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
