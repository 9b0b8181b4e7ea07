//! The desk: one task owns a sale. It takes what waits, decides it, makes it durable, and only then answers.
//!
//! ```text
//!   queue ──take──▶ decide on the book ──▶ batch being built ──▶ append (one in flight) ──durable──▶ answers,
//!                         ▲                      │                                                  effects, live view
//!                         └── more while the disk works ──┘
//! ```
//!
//! While one batch is on its way to the disk the next is decided already, so neither processor nor disk waits for the
//! other; a single caller on an idle desk pays one sync and no artificial delay. After a failed append nobody is told
//! anything that is not durable: the book is built anew from the durable part.

mod batch;
mod draw;
mod job;
mod meter;
mod run;
mod tell;

use std::sync::Arc;

use commerce::deal::{Commit, Seed};
use commerce::{Book, Command, Effect};
use serde::{Deserialize, Serialize};
use stdx::queue::{Rejected, Sender};
use tokio::sync::{oneshot, watch};
use world::journal::Position;

pub use job::Done;
pub use run::{Desk, Equipment};
pub use tell::{LiveView, RecentOrder, RecentTeam, Refusals};

use job::{Ask, Job, Submit};

/// How a desk works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Commands that may wait at one desk; more are refused with 503. Limit: 1 to 1,000,000.
    pub queue_commands_max: usize,
    /// Commands in one batch, at most. Limit: 1 to 65,536.
    pub batch_commands_max: usize,
    /// Holds that one batch lets expire before its own decisions, at most. Limit: 1 to 65,536.
    pub sweep_holds_max: usize,
    /// Entries since the last snapshot after which an idle desk writes a new one. Limit: at least 1,000.
    pub snapshot_entries: u64,
    /// How long a desk must be idle before it writes a snapshot, in milliseconds.
    pub snapshot_idle_ms: u64,
    /// The first wait before a broken journal is tried again, in milliseconds; it doubles up to 30 s.
    pub resume_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            queue_commands_max: 65_536,
            batch_commands_max: 8_192,
            sweep_holds_max: 4_096,
            snapshot_entries: 50_000,
            snapshot_idle_ms: 5_000,
            resume_ms: 500,
        }
    }
}

/// Why a desk gave no answer of its book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// Too much waits already.
    #[error("the desk of this sale is busy")]
    Busy,
    /// The append failed: whether the command took effect cannot be said.
    #[error("the outcome is unknown; ask again with the same key")]
    Unknown,
    /// The journal cannot be written now.
    #[error("the journal cannot be written: {0}")]
    ReadOnly(Arc<str>),
    /// The desk is closing.
    #[error("the desk is closing")]
    Closing,
    /// An invariant would have broken; the sale is stopped.
    #[error("the sale is stopped: {0}")]
    Stopped(Arc<str>),
}

/// What is wrong with a desk, if anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// The journal cannot be written; it is being tried again.
    ReadOnly(Arc<str>),
    /// An invariant would have broken; an operator has to look.
    Stopped(Arc<str>),
}

/// An answer of the book with the position that makes it durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable<T> {
    /// The answer.
    pub value: T,
    /// The durable position it stands on.
    pub position: Position,
}

/// The way to a desk; cheap to clone.
#[derive(Debug, Clone)]
pub struct DeskHandle {
    sale: u32,
    queue: Sender<Box<dyn Job>>,
    live: watch::Receiver<Arc<LiveView>>,
    trouble: watch::Receiver<Trouble>,
}

impl DeskHandle {
    /// The sale's number.
    pub fn sale(&self) -> u32 {
        self.sale
    }

    /// Submits commands, to be decided in order in one batch; `show` picks from the book what each caller is told.
    ///
    /// # Errors
    /// [`DeskError`]; for [`DeskError::Unknown`] the same commands with the same keys find out.
    pub async fn submit<T: Send + 'static>(
        &self,
        commands: Vec<Command>,
        show: impl Fn(&Book, commerce::Done) -> T + Send + 'static,
    ) -> Result<Durable<Vec<Done<T>>>, DeskError> {
        let (reply, answer) = oneshot::channel();
        self.push(Box::new(Submit::new(commands, show, reply)))?;
        answer.await.unwrap_or(Err(DeskError::Unknown))
    }

    /// Asks the book at its durable position. `look` may run more than once.
    ///
    /// # Errors
    /// [`DeskError::Busy`] or [`DeskError::Closing`].
    pub async fn ask<T: Send + 'static>(
        &self,
        look: impl FnMut(&Book) -> T + Send + 'static,
    ) -> Result<Durable<T>, DeskError> {
        let (reply, answer) = oneshot::channel();
        self.push(Box::new(Ask::new(look, reply)))?;
        answer.await.unwrap_or(Err(DeskError::Closing))
    }

    /// What watchers of the sale see, durable always.
    pub fn live(&self) -> watch::Receiver<Arc<LiveView>> {
        self.live.clone()
    }

    /// What is wrong now, if anything.
    pub fn trouble(&self) -> Trouble {
        self.trouble.borrow().clone()
    }

    /// Changes of what is wrong.
    pub fn troubles(&self) -> watch::Receiver<Trouble> {
        self.trouble.clone()
    }

    /// Commands that wait now.
    pub fn waiting(&self) -> usize {
        self.queue.weight()
    }

    /// Takes no more; the desk finishes what waits and ends.
    pub fn close(&self) {
        self.queue.close();
    }

    fn push(&self, job: Box<dyn Job>) -> Result<(), DeskError> {
        let weight = job.weight();
        self.queue
            .push(job, weight)
            .map_err(|rejected| match rejected {
                Rejected::Full(_) => DeskError::Busy,
                Rejected::Closed(_) => DeskError::Closing,
            })
    }
}

/// Takes the effects of durable batches.
pub trait Effects: Send + Sync {
    /// Never waits; what it cannot take is found again by asking the book for its open effects.
    fn offer(&self, sale: u32, effects: &mut Vec<Effect>);

    /// The same for what a book that was just opened has open: whoever had it before may have acted on it already, so
    /// it is asked about before anything else.
    fn found(&self, sale: u32, effects: &mut Vec<Effect>);
}

/// Keeps the secrets from which seeds of draws are made.
pub trait Seeds: Send + Sync {
    /// The seed that was promised; `None` where the secret that promised it is gone.
    fn seed(&self, sale: u32, commit: &Commit) -> Option<Seed>;
}

/// Hears of durable batches.
pub trait Durability: Send + Sync {
    /// Everything up to this batch is durable.
    fn publish(&self, sequence: u64, time_ms: u64);
}
