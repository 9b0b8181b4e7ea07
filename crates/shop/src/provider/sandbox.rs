//! A payment provider without money: for demonstrations, tests and drills.
//!
//! It behaves like a real one on its bad days, by rates in its settings: it declines, is slow, does the work and loses
//! the answer, decides later, changes its mind, and calls back twice, out of order or never. A [`Script`] says so for
//! single charges, and when nobody is answered at all. It keeps a ledger of its own, so that a drill can
//! hold the books against it. Its chance belongs to the key: asked again, or in another run with the same seed, the
//! same key has the same outcome.
//!
//! Its ledger is in memory, or in a file that outlives it ([`Sandbox::kept`]).
//!
//! It runs inside the shop, or behind [`serve`] in another process.

mod admin;
mod chance;
mod enter;
mod fate;
mod keep;
mod ledger;
mod post;
mod script;
mod server;
mod settings;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::provider::{
    ChargeReply, ChargeRequest, ProviderCharge, ProviderLedger, ProviderRefund, RefundReply,
    RefundRequest,
};
use api::{PaymentId, RefundId};
use world::{Clock, Disk, Tasks};

use super::{Asked, CallbackSink, Provider, ProviderError};
use chance::Chance;
use keep::Keep;
use ledger::{Ledger, Taken};
use post::Post;
use script::Play;

pub use admin::serve_admin;
pub use chance::{PerMille, ShareError};
pub use keep::KeepError;
pub use script::{Act, Outage, Script, ScriptError, Scripted};
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
    LostCallbacks = 7,
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
    /// Where the ledger outlives the process; taken with the ledger's lock held.
    keep: Option<Mutex<Keep>>,
    play: Mutex<Play>,
    post: Arc<Post>,
}

impl Sandbox {
    /// A provider with an empty ledger, which calls nobody back until it is told whom ([`Provider::callbacks_to`]).
    #[must_use]
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, tasks: Tasks) -> Self {
        Self::with_script(settings, &Script::default(), clock, tasks)
    }

    /// The same, which plays a script from now on.
    #[must_use]
    pub fn with_script(
        settings: Settings,
        script: &Script,
        clock: Arc<dyn Clock>,
        tasks: Tasks,
    ) -> Self {
        Self::made((settings, script), Ledger::default(), None, clock, tasks)
    }

    /// The same with a ledger that outlives the process: in this file, which is made if need be. Each charge and refund
    /// is on disk before anybody is answered. Blocks while it reads.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn kept(
        (settings, script): (Settings, &Script),
        clock: Arc<dyn Clock>,
        tasks: Tasks,
        disk: &Arc<dyn Disk>,
        path: &Path,
    ) -> Result<Self, KeepError> {
        let (keep, lines) = Keep::open(disk, path)?;
        let ledger = enter::restored(lines, &*clock);
        let keep = Some(Mutex::new(keep));
        Ok(Self::made((settings, script), ledger, keep, clock, tasks))
    }

    fn made(
        (settings, script): (Settings, &Script),
        ledger: Ledger,
        keep: Option<Mutex<Keep>>,
        clock: Arc<dyn Clock>,
        tasks: Tasks,
    ) -> Self {
        let play = Mutex::new(Play::begin(script, clock.monotonic()));
        let inner = Inner {
            settings,
            clock,
            ledger: Mutex::new(ledger),
            keep,
            play,
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

    /// Whether some charge or refund will say something else later than it does now.
    #[must_use]
    pub fn has_more_to_say(&self) -> bool {
        self.inner
            .ledger()
            .changes_after(self.inner.clock.monotonic())
    }

    /// Answers nobody from now on, for so long.
    pub fn go_out(&self, length: Duration) {
        let now = self.inner.clock.monotonic();
        self.inner.play().go_out(now, length);
    }

    async fn take_charge(&self, request: ChargeRequest) -> Result<ChargeReply, ProviderError> {
        let name = [request.key.order.get(), u64::from(request.key.attempt)];
        let inner = &self.inner;
        inner.is_there()?;
        let entered = self.enter(&request, name, Inner::enter_charge).await?;
        if let Some(fate) = entered.fate {
            inner.post_charge(&request, &name, &fate);
        }
        let (taken, act) = (entered.taken, entered.act);
        inner.manners(Lots::ChargeCall, &name, taken, act).await?;
        let now = inner.clock.monotonic();
        let reply = inner.ledger().charge_reply(request.key, now);
        reply.ok_or(ProviderError::Unavailable(500))
    }

    async fn take_refund(&self, request: RefundRequest) -> Result<RefundReply, ProviderError> {
        let name = [request.key.order.get(), u64::from(request.key.number)];
        let inner = &self.inner;
        inner.is_there()?;
        let entered = self.enter(&request, name, Inner::enter_refund).await?;
        if let Some(fate) = entered.fate {
            inner.post_refund(&request, &name, &fate);
        }
        let (taken, act) = (entered.taken, entered.act);
        inner.manners(Lots::RefundCall, &name, taken, act).await?;
        let now = inner.clock.monotonic();
        let reply = inner.ledger().refund_reply(request.key, now);
        reply.ok_or(ProviderError::Unavailable(500))
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

    fn play(&self) -> MutexGuard<'_, Play> {
        self.play.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody is answered in an outage, nor by a ledger that is not what its file says.
    fn is_there(&self) -> Result<(), ProviderError> {
        if self.is_broken() {
            return Err(ProviderError::Unavailable(500));
        }
        match self.play().is_out(self.clock.monotonic()) {
            true => Err(ProviderError::Unavailable(503)),
            false => Ok(()),
        }
    }

    /// How a call ends once its work is done: at once, slowly, or with its answer lost.
    async fn manners(
        &self,
        lots: Lots,
        name: &[u64; 2],
        taken: Taken,
        act: Option<Act>,
    ) -> Result<(), ProviderError> {
        let call = match taken {
            Taken::First => 0,
            Taken::Again(earlier) => earlier,
        };
        let chance = self.chance(lots, name, call);
        let slow = chance.hits(self.settings.slow_per_mille);
        if act.map_or(slow, |act| act == Act::Slow) {
            let slow = Duration::from_millis(self.settings.slow_ms);
            self.tasks.sleep(slow).await;
        }
        let lost = chance.hits(self.settings.lost_answer_per_mille);
        match act.map_or(lost, |act| act == Act::LostAnswer) {
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
        let now = self.inner.clock.monotonic();
        // What is in the ledger and could not be kept is told to nobody, so its lock comes first.
        let ledger = self.inner.ledger();
        let there = self.inner.is_there();
        let answer = there.map(|()| ledger.charge_reply(key, now));
        Box::pin(std::future::ready(answer))
    }

    fn refund_status(&self, key: RefundId) -> Asked<'_, Option<RefundReply>> {
        let now = self.inner.clock.monotonic();
        let ledger = self.inner.ledger();
        let there = self.inner.is_there();
        let answer = there.map(|()| ledger.refund_reply(key, now));
        Box::pin(std::future::ready(answer))
    }

    fn remembers(&self) -> bool {
        self.inner.settings.unknown_charge == UnknownCharge::Decline
    }

    fn callbacks_to(&self, sink: Arc<dyn CallbackSink>) {
        self.inner.post.address(sink);
        self.inner.post_again();
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
