//! The projector: durable batches into read models, behind the desks and at lower priority than they.
//!
//! ```text
//!   desk ──publish(sequence)──▶ Progress ──wakes──▶ projector, on a lane of its own
//!                                                     │ reads durable batches of each journal
//!                                                     │ folds entries into rows
//!                                                     ▼
//!                                         rows + position, one transaction ──▶ read models ◀── answers
//! ```
//!
//! It has rules of its own for what an entry does to a row and shares none with the book, so that comparing the two
//! (`verify`) says something (INV-11).
//!
//! A batch counts exactly once: its position commits with its rows, and what lies at or below the position is skipped.
//! A journal that does not have what the read models have seen has lost something; that is said, and its sale is left
//! alone.

mod anew;
pub mod answers;
mod changes;
pub(crate) mod deals;
mod lane;
mod orders;
mod progress;
pub(crate) mod rebuild;
mod run;
mod shelf;
mod teams;
mod troubles;
pub(crate) mod words;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use storage::DataDir;
use storage::models::{Models, ModelsError, SetAside};
use telemetry::Telemetry;
use tokio::sync::{oneshot, watch};
use world::journal::{BatchReader, Journal, JournalError, Position};
use world::{Disk, Tasks};

pub use progress::{Lag, Progress};
pub use rebuild::{Rebuilding, Rebuilt, catch_up, rebuild};

use anew::Anew;
use progress::Shared;
use run::{Joining, Message};

/// How the projector works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Orders and events after which a transaction is committed, at most. Limit: 100 to 200,000.
    pub transaction_rows_max: usize,
    /// How long it gathers batches before the next transaction once it has caught up, in milliseconds: the age that
    /// lists may have on a quiet machine. Limit: 1 to 10,000.
    pub gather_ms: u64,
    /// Memory for pages of the read models, in KiB. Limit: 256 to 1,048,576.
    pub cache_kib: u32,
    /// Queries answered at the same time; others wait. Limit: 1 to 64.
    pub readers_max: usize,
    /// How much lower its priority is than that of the desks, as the operating system counts. Limit: 0 to 19.
    pub niceness: u8,
    /// How long it may catch up when the shop stops, in milliseconds; what is missing then follows after the next
    /// start. Limit: at most 60,000.
    pub stop_ms_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            transaction_rows_max: 20_000,
            gather_ms: 20,
            cache_kib: 16_384,
            readers_max: 4,
            niceness: 10,
            stop_ms_max: 5_000,
        }
    }
}

/// Why read models cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    /// The read models cannot be read or written.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// A journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A batch does not decode.
    #[error("batch {sequence} cannot be read: {source}")]
    Record {
        /// Which batch.
        sequence: u64,
        /// What is wrong with it.
        source: commerce::record::RecordError,
    },
    /// An entry does not fit the rows before it.
    #[error("batch {sequence} does not fit the read models: {detail}")]
    Misfit {
        /// Which batch.
        sequence: u64,
        /// What does not fit.
        detail: String,
    },
    /// The data directory cannot be looked into.
    #[error(transparent)]
    Storage(#[from] storage::StorageError),
    /// The lane cannot be had.
    #[error("the projector's thread cannot be started")]
    Thread(#[source] std::io::Error),
}

/// The projector, to be started.
#[derive(Debug)]
pub struct Projector;

impl Projector {
    /// Opens the read models, or makes them anew, and starts the projector. Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`ProjectorError::Models`], [`ProjectorError::Thread`].
    pub fn start(
        settings: &Settings,
        data: &DataDir,
        tasks: &Tasks,
        telemetry: &Telemetry,
    ) -> Result<ProjectorHandle, ProjectorError> {
        let path = data.models();
        let lane = tasks.lane("projector").map_err(ProjectorError::Thread)?;
        let (keeper, handle) = run::prepare(settings, &path, tasks, telemetry)?;
        drop(tasks.spawn(keeper.run(lane)));
        Ok(handle)
    }
}

/// The way to the projector; cheap to clone. Once the last one is gone the projector ends.
#[derive(Debug, Clone)]
pub struct ProjectorHandle(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    messages: Sender<Message>,
    models: Models,
    done: watch::Receiver<bool>,
    tasks: Tasks,
    stop_max: Duration,
    set_aside: Option<SetAside>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.abandon.store(true, Ordering::SeqCst);
        self.shared.bell.ring();
    }
}

impl ProjectorHandle {
    /// Follows a sale's journal from where the read models stand. Called when its desk opens, before anything is
    /// published. That the journal has what the read models have seen is looked up beside it. What is wrong with the
    /// journal goes to [`ProjectorHandle::troubles`], and the sale's rows stay as they are.
    pub fn attach(&self, sale: u32, journal: &dyn Journal) -> Progress {
        let track = self.0.shared.track(sale);
        let progress = Progress::new(self.0.shared.clone(), track.clone());
        match self.reader_behind(sale, journal) {
            Ok((reader, witness)) => {
                self.0.shared.troubles.end(Some(sale));
                let end = journal.position().sequence;
                if let Some(seen) = self.0.shared.seen(sale) {
                    track.apply(seen.sequence, seen.time_ms);
                }
                track.reopen(end);
                self.send(Message::Join(Joining {
                    sale,
                    reader,
                    witness,
                    track,
                }));
            }
            Err(error) => self.0.shared.troubles.of_sale(sale, &error),
        }
        progress
    }

    /// Stops following a sale, whose desk has closed, once all that was published is in the read models.
    pub fn detach(&self, sale: u32) {
        self.send(Message::Leave(sale));
    }

    fn send(&self, message: Message) {
        // The projector outlives the last handle, unless it was stopped and needs no message any more.
        let _ = self.0.messages.send(message);
        self.0.shared.mail.store(true, Ordering::SeqCst);
        self.0.shared.bell.ring();
    }

    /// Builds a sale's rows anew from its journal in `dir`, up to where they stand, in one transaction; nothing else is
    /// projected meanwhile. Waits for the end.
    ///
    /// # Errors
    /// Why they stay as they are, in words.
    pub(crate) async fn build_anew(
        &self,
        sale: u32,
        disk: &Arc<dyn Disk>,
        dir: PathBuf,
    ) -> Result<(), String> {
        let (done, ended) = oneshot::channel();
        self.send(Message::Anew(Anew {
            sale,
            disk: Arc::clone(disk),
            dir,
            done,
        }));
        ended
            .await
            .unwrap_or_else(|_| Err("the projector has ended".to_owned()))
    }

    /// What the read models have seen of a sale's journal. A journal that does not have it has lost something.
    #[must_use]
    pub fn witness(&self, sale: u32) -> Option<Position> {
        let seen = self.0.shared.seen(sale)?;
        Some(Position {
            sequence: seen.sequence,
            chain: seen.chain,
        })
    }

    /// How far the read models are behind, over all sales.
    #[must_use]
    pub fn lag(&self) -> Lag {
        self.0.shared.lag()
    }

    /// What keeps read models from following, in words for operators.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        self.0.shared.troubles.lasting()
    }

    /// The read models that could not be used at the start, if so: they are being built anew.
    #[must_use]
    pub fn set_aside(&self) -> Option<&SetAside> {
        self.0.set_aside.as_ref()
    }

    /// The read models, to be asked. All questions block.
    #[must_use]
    pub fn models(&self) -> &Models {
        &self.0.models
    }

    /// Catches up with what was published, for as long as the settings allow, and ends.
    pub async fn stop(&self) {
        self.0.shared.stopping.store(true, Ordering::SeqCst);
        self.0.shared.bell.ring();
        let mut done = self.0.done.clone();
        let caught_up = {
            let caught_up = done.wait_for(|done| *done);
            self.0
                .tasks
                .timeout(self.0.stop_max, caught_up)
                .await
                .is_some()
        };
        if !caught_up {
            self.0.shared.abandon.store(true, Ordering::SeqCst);
            self.0.shared.bell.ring();
            // The transaction under way is bounded, so this is a matter of a second. An error says that the
            // projector has ended already.
            let _ = done.wait_for(|done| *done).await;
        }
    }

    /// A reader that begins with the batch that the read models have seen last, and that batch's place. The journal
    /// has to show the same.
    fn reader_behind(
        &self,
        sale: u32,
        journal: &dyn Journal,
    ) -> Result<(Box<dyn BatchReader>, Option<Position>), ProjectorError> {
        let Some(witness) = self.witness(sale).filter(|seen| seen.sequence > 0) else {
            return Ok((journal.read(0)?, None));
        };
        let found = journal.position();
        if witness.sequence > found.sequence {
            return Err(JournalError::Lost { witness, found }.into());
        }
        Ok((journal.read(witness.sequence - 1)?, Some(witness)))
    }
}
