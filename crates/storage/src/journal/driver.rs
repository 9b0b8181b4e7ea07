//! A journal with a thread of its own, which writes and syncs so that nobody else has to wait.
//!
//! ```text
//!   caller ──command──▶ writer thread: write, fdatasync ──answer──▶ caller
//!                            └─ now and then ─▶ filler thread: zeros for the next segment
//! ```

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;
use world::Disk;
use world::journal::{
    Appended, Appending, Archived, BatchReader, Journal, JournalError, NewBatch, Pending, Position,
};

use super::damage::cannot;
use super::inline::append;
use super::log::Log;
use super::prepare::{Prepared, prepare};
use super::reader::read_live;
use super::recover::Recovery;
use super::settings::{Doors, JournalSettings};
use super::shared::Shared;

/// Commands that may wait while the thread is busy with one.
const COMMANDS_MAX: usize = 1;

/// Rest between two pieces of zeros, so that the disk serves appends in between.
const FILLER_PAUSE: Duration = Duration::from_millis(4);

/// Neither thread recurses or keeps buffers on its stack.
const STACK_BYTES: usize = 256 * 1024;

/// A journal whose appends are done by its own thread. Dropping it waits for what is under way.
#[derive(Debug)]
pub struct FileJournal {
    shared: Arc<Shared>,
    commands: Option<SyncSender<Command>>,
    writer: Option<JoinHandle<()>>,
}

type Reply<T> = oneshot::Sender<Result<T, JournalError>>;

#[derive(Debug)]
enum Command {
    Append(u64, NewBatch, Reply<Appended>),
    Resume(Reply<Position>),
    Archive(u64, Reply<Archived>),
}

impl FileJournal {
    /// Opens the journal that was recovered, and starts its thread.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn open(
        recovery: Recovery,
        doors: Doors,
        settings: JournalSettings,
    ) -> Result<Self, JournalError> {
        let dir = recovery.dir.clone();
        let disk = doors.disk.clone();
        let log = Log::open(recovery, doors, settings)?;
        let shared = log.shared().clone();
        let (commands, inbox) = mpsc::sync_channel(COMMANDS_MAX);
        let mut writer = Writer {
            log,
            disk,
            filler: None,
        };
        let writer = spawn("journal", move || writer.run(&inbox))
            .map_err(cannot("start the thread of", &dir))?;
        Ok(Self {
            shared,
            commands: Some(commands),
            writer: Some(writer),
        })
    }

    fn send<T: Send + 'static>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Pending<T> {
        let (reply, answer) = oneshot::channel();
        let refused = match self.commands.as_ref().map(|to| to.try_send(command(reply))) {
            Some(Ok(())) => None,
            Some(Err(TrySendError::Full(_))) => Some(JournalError::Busy),
            Some(Err(TrySendError::Disconnected(_))) | None => Some(JournalError::Closed),
        };
        Box::pin(async move {
            match refused {
                Some(error) => Err(error),
                None => answer.await.unwrap_or(Err(JournalError::Closed)),
            }
        })
    }
}

impl Journal for FileJournal {
    fn position(&self) -> Position {
        self.shared.durable().position
    }

    fn append(&mut self, expected: u64, batch: NewBatch) -> Appending {
        self.send(|reply| Command::Append(expected, batch, reply))
    }

    fn resume(&mut self) -> Pending<Position> {
        self.send(Command::Resume)
    }

    fn archive(&mut self, upto: u64) -> Pending<Archived> {
        self.send(|reply| Command::Archive(upto, reply))
    }

    fn read(&self, after: u64) -> Result<Box<dyn BatchReader>, JournalError> {
        read_live(&self.shared, after)
    }
}

impl Drop for FileJournal {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(writer) = self.writer.take() {
            // A panic of the writer was answered by `Closed` already.
            let _ = writer.join();
        }
    }
}

/// The thread that owns the log.
struct Writer {
    log: Log,
    disk: Arc<dyn Disk>,
    filler: Option<Filler>,
}

impl Writer {
    fn run(&mut self, inbox: &Receiver<Command>) {
        while let Ok(command) = inbox.recv() {
            self.collect_zeros();
            // Whoever gave up waiting does not need the answer.
            match command {
                Command::Append(expected, batch, reply) => {
                    let _ = reply.send(append(&mut self.log, expected, batch));
                }
                Command::Resume(reply) => {
                    let _ = reply.send(self.log.resume());
                }
                Command::Archive(upto, reply) => {
                    let _ = reply.send(self.log.archive(upto));
                }
            }
            self.order_zeros();
        }
        if let Some(filler) = self.filler.take() {
            filler.stop();
        }
    }

    fn order_zeros(&mut self) {
        if self.filler.is_some() {
            return;
        }
        if let Some(bytes) = self.log.wanted() {
            // Without a filler the next segment is a plain file: slower, and right.
            self.filler = Filler::start(&self.disk, self.log.prepared_path(), bytes).ok();
        }
    }

    fn collect_zeros(&mut self) {
        if let Some(filler) = self.filler.take_if(|filler| filler.work.is_finished())
            && let Some(prepared) = filler.stop()
        {
            self.log.supply(prepared);
        }
    }
}

/// A thread that prepares one file of zeros.
struct Filler {
    stop: Sender<()>,
    work: JoinHandle<io::Result<Prepared>>,
}

impl Filler {
    fn start(disk: &Arc<dyn Disk>, path: PathBuf, bytes: u64) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let disk = disk.clone();
        let work = spawn("journal-zeros", move || {
            prepare(&*disk, &path, bytes, &mut || rest(&stopped))
        })?;
        Ok(Self { stop, work })
    }

    /// Ends the work and gives what is ready. A disk without room for zeros may yet have room for
    /// batches, so an error here is nobody's trouble.
    fn stop(self) -> Option<Prepared> {
        drop(self.stop);
        self.work.join().ok()?.ok()
    }
}

fn rest(stopped: &Receiver<()>) -> ControlFlow<()> {
    match stopped.recv_timeout(FILLER_PAUSE) {
        Err(RecvTimeoutError::Timeout) => ControlFlow::Continue(()),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => ControlFlow::Break(()),
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(work)
}
