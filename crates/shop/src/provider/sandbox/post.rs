//! The sandbox's post: callbacks, late, twice and out of order.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::provider::{
    Callback, CallbackOutcome, ChargeOutcome, ChargeRequest, RefundOutcome, RefundRequest,
};
use stdx::backoff::Backoff;
use tokio::sync::Semaphore;
use world::Tasks;

use super::chance::Chance;
use super::fate::Fate;
use super::{Inner, Lots};
use crate::provider::{CallbackSink, DeliveryError};

/// Deliveries under way at a time, at most.
const DELIVERIES_MAX: usize = 32;
/// Tries to bring one callback; then only a question tells its news.
const TRIES_MAX: u32 = 6;
/// Waits between those tries.
const AGAIN: Backoff = Backoff {
    base: Duration::from_millis(500),
    most: Duration::from_secs(8),
};

/// Who is called back.
#[derive(Debug)]
pub(super) struct Post {
    sink: Mutex<Option<Arc<dyn CallbackSink>>>,
    deliveries: Semaphore,
    tasks: Tasks,
}

impl Post {
    pub(super) fn new(tasks: Tasks) -> Self {
        Self {
            tasks,
            sink: Mutex::default(),
            deliveries: Semaphore::new(DELIVERIES_MAX),
        }
    }

    /// Callbacks go there from now on.
    pub(super) fn address(&self, sink: Arc<dyn CallbackSink>) {
        *self.sink.lock().unwrap_or_else(PoisonError::into_inner) = Some(sink);
    }

    fn sink(&self) -> Option<Arc<dyn CallbackSink>> {
        self.sink
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Brings a callback after a wait, and again while nobody takes it.
    fn send(self: &Arc<Self>, callback: Callback, wait: Duration) {
        if self.sink().is_none() {
            return;
        }
        let post = Arc::clone(self);
        // Not waited for by anybody: a callback that is lost with its process is what a status question is for.
        drop(self.tasks.spawn(async move {
            post.tasks.sleep(wait).await;
            for failures in 1..=TRIES_MAX {
                if post.try_once(&callback).await.is_ok() {
                    return;
                }
                post.tasks.sleep(AGAIN.wait(failures, u64::MAX)).await;
            }
        }));
    }

    /// Fine when the callback is on record, or never will be.
    async fn try_once(&self, callback: &Callback) -> Result<(), DeliveryError> {
        // The semaphore is never closed; without a permit there would merely be no bound.
        let _permit = self.deliveries.acquire().await;
        let Some(sink) = self.sink() else {
            return Ok(());
        };
        match sink.deliver(callback.clone()).await {
            Ok(()) | Err(DeliveryError::Refused(_)) => Ok(()),
            Err(later) => Err(later),
        }
    }
}

impl Inner {
    /// Posts the callbacks of a new charge.
    pub(super) fn post_charge(
        &self,
        request: &ChargeRequest,
        name: &[u64; 2],
        fate: &Fate<ChargeOutcome>,
    ) {
        let callback = |outcome| Callback {
            payment: Some(request.key),
            refund: None,
            outcome,
            amount_minor: request.amount_minor.unsigned_abs(),
            currency: Some(request.currency),
        };
        let word = |end| match end {
            ChargeOutcome::Captured => CallbackOutcome::Captured,
            ChargeOutcome::Declined | ChargeOutcome::Pending => CallbackOutcome::Failed,
        };
        let chance = self.chance(Lots::ChargeCallbacks, name, 0);
        let now = self.clock.monotonic();
        let wait = fate.decided.saturating_sub(now);
        if wait > Duration::ZERO {
            // "Nobody knows yet" comes too, often after the end is known.
            self.post_with_delay(callback(CallbackOutcome::Unknown), Duration::ZERO, &chance);
        }
        self.post_end(callback(word(fate.end)), wait, &chance);
        if let Some((at, end)) = fate.turns {
            self.post_end(callback(word(end)), at.saturating_sub(now), &chance);
        }
    }

    /// Posts the callbacks of a new refund.
    pub(super) fn post_refund(
        &self,
        request: &RefundRequest,
        name: &[u64; 2],
        fate: &Fate<RefundOutcome>,
    ) {
        let decided = fate.decided;
        // What the charge does not cover was declined, whatever its fate would have been.
        let end = self.ledger().refund_reply(request.key, decided);
        let outcome = match end.map(|reply| reply.outcome) {
            Some(RefundOutcome::Refunded) => CallbackOutcome::Refunded,
            _ => CallbackOutcome::Failed,
        };
        let callback = Callback {
            payment: None,
            refund: Some(request.key),
            outcome,
            amount_minor: request.amount_minor.unsigned_abs(),
            currency: Some(request.currency),
        };
        let wait = decided.saturating_sub(self.clock.monotonic());
        self.post_end(callback, wait, &self.chance(Lots::RefundCallbacks, name, 0));
    }

    /// What was pending is always told, the rest sometimes; either sometimes twice.
    fn post_end(&self, callback: Callback, wait: Duration, chance: &Chance) {
        if wait == Duration::ZERO && !chance.hits(self.settings.callback_per_mille) {
            return;
        }
        if self.loses(&callback) {
            return;
        }
        if chance.hits(self.settings.duplicate_callback_per_mille) {
            self.post_with_delay(callback.clone(), wait, chance);
        }
        self.post_with_delay(callback, wait, chance);
    }

    /// Whether this callback is never sent, by lots of its own.
    fn loses(&self, callback: &Callback) -> bool {
        let number = match (callback.payment, callback.refund) {
            (Some(key), _) => [key.order.get(), u64::from(key.attempt)],
            (None, Some(key)) => [key.order.get(), u64::from(key.number)],
            (None, None) => [0, 0],
        };
        let lots = self.chance(
            Lots::LostCallbacks,
            &number,
            u32::from(callback.refund.is_some()),
        );
        lots.hits(self.settings.lost_callback_per_mille)
    }

    fn post_with_delay(&self, callback: Callback, wait: Duration, chance: &Chance) {
        let late = Duration::from_millis(chance.up_to(self.settings.callback_delay_ms_max));
        self.post.send(callback, wait + late);
    }
}
