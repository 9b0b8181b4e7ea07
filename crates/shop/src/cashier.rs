//! The cashier: carries out recorded intents at the payment provider, and brings back what became of them.
//!
//! ```text
//!   desk ──offer──▶ intake ──▶ board ──▶ one step at the provider ──▶ report ──▶ desk
//!                              ▲  │ ▲           │ no answer: later, a status question first
//!                    reconciler┘  │ └───────────┘ costs a token of the retry budget
//!                    (open effects of the books)  └─ too often: left to the reconciler
//! ```
//!
//! Every effect that comes here is durable already (law 4), so nothing that is held here is needed to be right: a full
//! queue, a stop or a crash loses time and no money. An effect is done with one key for ever, by one step at a time.
//! Unknown is not failed: after a call without an answer the provider is asked what it knows before it is asked to act
//! again.
//!
//! What each stage may take, and what counts when it takes more (by default):
//!
//! | stage | time | tries | metric |
//! |---|---|---|---|
//! | offer | none, it never waits | once; what does not fit is found by a scan within seconds | `cancel_ch_drop_total` |
//! | place | 50 ms | again after half a second | `tidegate_calls_held_total` |
//! | breaker | open 10 s, then ten probes | what is held waits and has not failed | `tidegate_breaker_state` |
//! | call | 3 s | 3 more after 1, 2, 4 s, shortened by chance, while the retry budget lasts | `rollback_retry_count_total` for refunds |
//! | report | the desk's | until it is on record | |
//! | reconciler | 60 s every 5 min, for effects older than 2 min | for ever | `reconcile_gap_count_total` |
//! | buyers who take their time | asked about every 5 min, 50 a second | for ever | |

mod board;
mod ending;
mod fact;
mod guard;
mod job;
mod report;
mod run;
mod scan;
mod settings;
mod step;
mod waiters;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use api::provider::Callback;
use commerce::{Book, Effect, Report, Time};
use stdx::queue::{self, Rejected, Sender};
use telemetry::Telemetry;
use world::{Clock, Entropy, Tasks};

use guard::Guarded;
use job::Origin;

use crate::provider::{CallbackSink, Delivered, DeliveryError, Provider};

pub(crate) use guard::TURN_MAX;
pub use report::book_report;
pub use run::Cashier;
pub(crate) use settings::within;
pub use settings::{Settings, SettingsError};

/// A report on its way into a book.
pub type Reported<'a> = Pin<Box<dyn Future<Output = Result<(), ReportError>> + Send + 'a>>;

/// The open effects of a book, and its time.
#[derive(Debug, Clone)]
pub struct OpenNow {
    /// The book's time when it was asked. Moments of effects are of this time: it does not go back and does not jump,
    /// whatever anybody does to the wall clock.
    pub now: Time,
    /// Effects whose outcome is not known, durable ones only.
    pub effects: Vec<Effect>,
}

impl OpenNow {
    /// What a book says of itself at its desk, where its time is now.
    #[must_use]
    pub fn of(book: &Book) -> Self {
        Self {
            now: book.time(),
            effects: book.open_effects().collect(),
        }
    }

    /// For how long an effect could have been carried out.
    #[must_use]
    pub fn age(&self, effect: &Effect) -> Duration {
        let since = effect.since.max(effect.not_before).0;
        Duration::from_millis(self.now.0.saturating_sub(since))
    }
}

/// The open effects of a book, when they come.
pub type OpenEffects<'a> = Pin<Box<dyn Future<Output = Result<OpenNow, ReportError>> + Send + 'a>>;

/// Whether an effect is open, when the book said.
pub type IsOpen<'a> = Pin<Box<dyn Future<Output = Result<bool, ReportError>> + Send + 'a>>;

/// The buyer of an order, when it is known.
pub type Payer<'a> =
    Pin<Box<dyn Future<Output = Result<Option<Arc<str>>, ReportError>> + Send + 'a>>;

/// What the cashier needs of the desks.
pub trait Desks: Send + Sync {
    /// Waits until the report is durable, or was a repeat.
    fn report(&self, sale: u32, report: Report) -> Reported<'_>;

    /// What is open in that sale, as of its book's time.
    fn open_effects(&self, sale: u32) -> OpenEffects<'_>;

    /// Whether the outcome of an effect is still unknown: one that waited for its time may be withdrawn meanwhile.
    fn is_open(&self, sale: u32, effect: Effect) -> IsOpen<'_> {
        Box::pin(async move {
            let open = self.open_effects(sale).await?;
            let same = |other: &Effect| (other.order, other.kind) == (effect.order, effect.kind);
            Ok(open.effects.iter().any(same))
        })
    }

    /// The sales that have a desk.
    fn sales(&self) -> Vec<u32>;

    /// Whose order it is, for providers that have to know whom they charge.
    fn payer(&self, _sale: u32, _order: u32) -> Payer<'_> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// Why a desk did not take a report or give its open effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The desk is busy or its journal broken; the report must come again.
    #[error("the desk takes no report now")]
    Retry,
    /// There is no such sale or no such order; nothing will change that.
    #[error("the report is about nothing that is here")]
    Gone,
}

/// The desks' end of the cashier; cheap to clone.
#[derive(Clone)]
pub struct CashierHandle {
    intake: Sender<Offered>,
    shared: Arc<Shared>,
}

/// An effect on its way in.
#[derive(Debug)]
pub(crate) struct Offered {
    sale: u32,
    effect: Effect,
    origin: Origin,
}

/// What handles and the cashier share.
pub(crate) struct Shared {
    telemetry: Telemetry,
    /// The provider, behind its places and breakers.
    provider: Arc<Guarded>,
    /// Effects were left behind that only a scan of the books can find.
    behind: AtomicBool,
    /// Where callbacks go; known once the cashier runs. Weak, since the desks hold handles of the cashier.
    desks: OnceLock<Weak<dyn Desks>>,
}

impl CashierHandle {
    /// Takes durable effects over and leaves the list empty. Never waits: what does not fit is counted and found again
    /// by a scan of the books soon after.
    pub fn offer(&self, sale: u32, effects: &mut Vec<Effect>) {
        self.push(sale, effects, Origin::Fresh);
    }

    /// The same for effects that a book had open when it was opened: the provider is asked about them before it is
    /// asked to act, as it may have acted long ago and forgotten the key since.
    pub fn found(&self, sale: u32, effects: &mut Vec<Effect>) {
        self.push(sale, effects, Origin::Found);
    }

    fn push(&self, sale: u32, effects: &mut Vec<Effect>, origin: Origin) {
        let mut left = None;
        let mut left_count = 0_u64;
        for effect in effects.drain(..) {
            let offered = Offered {
                sale,
                effect,
                origin,
            };
            // A closed intake is a shop that stops: its next start finds the effect in the book.
            if let Err(Rejected::Full(offered)) = self.intake.push(offered, 1) {
                left_count += 1;
                left = Some(offered.effect);
            }
        }
        if let Some(effect) = left {
            let first = !self.shared.behind.swap(true, Ordering::AcqRel);
            fact::tell_left(&self.shared.telemetry, sale, &effect, left_count, first);
        }
    }
}

impl CashierHandle {
    /// The provider as everybody in the shop has to call it: behind its places and breakers.
    pub(crate) fn provider(&self) -> Arc<Guarded> {
        self.shared.provider.clone()
    }
}

impl CallbackSink for CashierHandle {
    fn deliver(&self, callback: Callback) -> Delivered<'_> {
        Box::pin(async move {
            let report = callback.report().as_ref().and_then(book_report);
            let (sale, report) =
                report.ok_or_else(|| DeliveryError::Refused("it names nothing of ours".into()))?;
            let desks = self.shared.desks.get().and_then(Weak::upgrade);
            let desks = desks.ok_or_else(|| DeliveryError::Later("no desk is there".into()))?;
            match desks.report(sale, report).await {
                Ok(()) => Ok(()),
                Err(error @ ReportError::Retry) => Err(DeliveryError::Later(error.to_string())),
                Err(error @ ReportError::Gone) => Err(DeliveryError::Refused(error.to_string())),
            }
        })
    }
}

impl fmt::Debug for CashierHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CashierHandle")
            .field("waiting", &self.intake.weight())
            .finish_non_exhaustive()
    }
}

impl Cashier {
    /// Makes a cashier and the handle that the desks offer effects to. A provider in this process brings its callbacks
    /// through that handle.
    #[must_use]
    pub fn new(
        settings: Settings,
        provider: Arc<dyn Provider>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        tasks: Tasks,
        telemetry: Telemetry,
    ) -> (Self, CashierHandle) {
        let (intake, receiver) = queue::bounded(settings.queue_effects_max);
        let guarded = Guarded::new(
            &settings,
            provider,
            clock.clone(),
            tasks.clone(),
            telemetry.clone(),
        );
        let provider = Arc::new(guarded);
        let shared = Arc::new(Shared {
            telemetry,
            provider: provider.clone(),
            // The first thing to do is to find what an earlier run left open.
            behind: AtomicBool::new(true),
            desks: OnceLock::new(),
        });
        let handle = CashierHandle {
            intake,
            shared: Arc::clone(&shared),
        };
        handle
            .shared
            .provider
            .callbacks_to(Arc::new(handle.clone()));
        let outside = run::Outside {
            provider,
            clock,
            entropy,
            tasks,
        };
        let cashier = Self::assemble(settings, outside, shared, receiver);
        (cashier, handle)
    }
}
