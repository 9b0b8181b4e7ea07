//! A payment provider without money: for demonstrations, tests and drills.
//!
//! It behaves like a real one on its bad days, by rates in its settings: it declines, is slow, does the work and loses
//! the answer, decides later, and calls back twice or out of order. It keeps a ledger of its own, so that a drill can
//! hold the books against it. Its chance belongs to the key: asked again, or in another run with the same seed, the
//! same key has the same outcome.
//!
//! It runs inside the shop, or behind [`serve`] in another process.

mod chance;
mod ledger;
mod post;
mod server;
mod settings;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::provider::{
    ChargeOutcome, ChargeReply, ChargeRequest, ProviderCharge, ProviderLedger, ProviderRefund,
    RefundOutcome, RefundReply, RefundRequest,
};
use api::{PaymentId, RefundId};
use world::{Clock, Tasks};

use super::{Asked, CallbackSink, Provider, ProviderError};
use chance::Chance;
use ledger::{Ledger, Refused, Taken};
use post::Post;

pub use chance::{PerMille, ShareError};
pub use server::serve;
pub use settings::{Settings, UnknownCharge};

/// What chance is drawn for; each thing has lots of its own.
#[derive(Debug, Clone, Copy)]
enum Lots {
    ChargeEnd = 1,
    ChargeCall = 2,
    RefundEnd = 3,
    RefundCall = 4,
    ChargeCallbacks = 5,
    RefundCallbacks = 6,
}

/// The sandbox; cheap to clone, clones are the same provider.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    ledger: Mutex<Ledger>,
    post: Arc<Post>,
}

impl Sandbox {
    /// A provider with an empty ledger, which calls nobody back until it is told whom ([`Provider::callbacks_to`]).
    #[must_use]
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, tasks: Tasks) -> Self {
        let inner = Inner {
            settings,
            clock,
            ledger: Mutex::default(),
            post: Arc::new(Post::new(tasks.clone())),
            tasks,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// How often each charge was asked for, by its key: once, and once more for each retry.
    #[must_use]
    pub fn charge_calls(&self) -> Vec<(PaymentId, u32)> {
        self.inner.ledger().charge_calls()
    }

    async fn take_charge(&self, request: ChargeRequest) -> Result<ChargeReply, ProviderError> {
        let name = [request.key.order.get(), u64::from(request.key.attempt)];
        let inner = &self.inner;
        let taken = inner
            .ledger()
            .charge(&request, inner.settings.records_max, || {
                inner.charge_end(&name)
            });
        let taken = taken.map_err(refusal)?;
        if taken == Taken::First {
            inner.post_charge(&request, &name);
        }
        inner.manners(Lots::ChargeCall, &name, taken).await?;
        let reply = inner
            .ledger()
            .charge_reply(request.key, inner.clock.monotonic());
        reply.ok_or(ProviderError::Unavailable(500))
    }

    async fn take_refund(&self, request: RefundRequest) -> Result<RefundReply, ProviderError> {
        let name = [request.key.order.get(), u64::from(request.key.number)];
        let inner = &self.inner;
        let settings = &inner.settings;
        let taken = inner.ledger().refund(
            &request,
            settings.records_max,
            settings.unknown_charge,
            || inner.refund_end(&name),
        );
        let taken = taken.map_err(refusal)?;
        if taken == Taken::First {
            inner.post_refund(&request, &name);
        }
        inner.manners(Lots::RefundCall, &name, taken).await?;
        let reply = inner
            .ledger()
            .refund_reply(request.key, inner.clock.monotonic());
        reply.ok_or(ProviderError::Unavailable(500))
    }
}

fn refusal(refused: Refused) -> ProviderError {
    match refused {
        Refused::Body => ProviderError::Refused(422),
        Refused::Full => ProviderError::Unavailable(507),
    }
}

impl Inner {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Nothing in there panics half-way through a change.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn chance(&self, lots: Lots, name: &[u64; 2], call: u32) -> Chance {
        Chance::of(
            self.settings.seed,
            &[lots as u64, name[0], name[1], u64::from(call)],
        )
    }

    /// When a new charge or refund is decided: now, or, for some, later.
    fn decided(&self, chance: &Chance) -> Duration {
        let now = self.clock.monotonic();
        match chance.hits(self.settings.pending_per_mille) {
            true => now + Duration::from_millis(1 + chance.up_to(self.settings.pending_ms_max)),
            false => now,
        }
    }

    fn charge_end(&self, name: &[u64; 2]) -> (ChargeOutcome, Duration) {
        let chance = self.chance(Lots::ChargeEnd, name, 0);
        let end = match chance.hits(self.settings.decline_per_mille) {
            true => ChargeOutcome::Declined,
            false => ChargeOutcome::Captured,
        };
        (end, self.decided(&chance))
    }

    fn refund_end(&self, name: &[u64; 2]) -> (RefundOutcome, Duration) {
        let chance = self.chance(Lots::RefundEnd, name, 0);
        let end = match chance.hits(self.settings.refund_decline_per_mille) {
            true => RefundOutcome::Declined,
            false => RefundOutcome::Refunded,
        };
        (end, self.decided(&chance))
    }

    /// How a call ends once its work is done: at once, slowly, or with its answer lost.
    async fn manners(
        &self,
        lots: Lots,
        name: &[u64; 2],
        taken: Taken,
    ) -> Result<(), ProviderError> {
        let call = match taken {
            Taken::First => 0,
            Taken::Again(earlier) => earlier,
        };
        let chance = self.chance(lots, name, call);
        if chance.hits(self.settings.slow_per_mille) {
            let slow = Duration::from_millis(self.settings.slow_ms);
            self.tasks.sleep(slow).await;
        }
        match chance.hits(self.settings.lost_answer_per_mille) {
            true => Err(ProviderError::Lost("the connection was closed".into())),
            false => Ok(()),
        }
    }
}

impl Provider for Sandbox {
    fn charge(&self, request: ChargeRequest) -> Asked<'_, ChargeReply> {
        Box::pin(self.take_charge(request))
    }

    fn refund(&self, request: RefundRequest) -> Asked<'_, RefundReply> {
        Box::pin(self.take_refund(request))
    }

    fn charge_status(&self, key: PaymentId) -> Asked<'_, Option<ChargeReply>> {
        let reply = self
            .inner
            .ledger()
            .charge_reply(key, self.inner.clock.monotonic());
        Box::pin(std::future::ready(Ok(reply)))
    }

    fn refund_status(&self, key: RefundId) -> Asked<'_, Option<RefundReply>> {
        let reply = self
            .inner
            .ledger()
            .refund_reply(key, self.inner.clock.monotonic());
        Box::pin(std::future::ready(Ok(reply)))
    }

    fn remembers(&self) -> bool {
        self.inner.settings.unknown_charge == UnknownCharge::Decline
    }

    fn callbacks_to(&self, sink: Arc<dyn CallbackSink>) {
        self.inner.post.address(sink);
    }
}

impl ProviderLedger for Sandbox {
    fn charges(&self) -> Vec<ProviderCharge> {
        self.inner.ledger().charges(self.inner.clock.monotonic())
    }

    fn refunds(&self) -> Vec<ProviderRefund> {
        self.inner.ledger().refunds(self.inner.clock.monotonic())
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}
