//! A journal with a lane of its own, which writes and syncs so that nobody else has to wait.
//!
//! ```text
//!   caller ──work──▶ lane: write, fdatasync ──answer──▶ caller
//!                      └─ now and then ─▶ another lane: zeros for the next segment
//! ```

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use world::journal::{
    Appending, Archived, BatchReader, Journal, JournalError, NewBatch, Pending, Position,
};
use world::tasks::{Lane, Task};
use world::{Disk, Tasks};

use super::damage::cannot;
use super::inline::append;
use super::log::Log;
use super::prepare::{Prepared, prepare};
use super::reader::read_live;
use super::recover::Recovery;
use super::settings::{Doors, JournalSettings};
use super::shared::Shared;

/// Pieces of work at a time: one that is under way and one that waits for it.
const WORKS_MAX: usize = 2;

/// Rest between two pieces of zeros, so that the disk serves appends in between.
const FILLER_PAUSE: Duration = Duration::from_millis(4);

/// A journal whose appends are done on its own lane. Dropping it waits for what is under way.
#[derive(Debug)]
pub struct FileJournal {
    shared: Arc<Shared>,
    writer: Arc<Mutex<Writer>>,
    lane: Lane,
    works: Arc<AtomicUsize>,
}

impl FileJournal {
    /// Opens the journal that was recovered, and its lane.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn open(
        recovery: Recovery,
        doors: Doors,
        tasks: &Tasks,
        settings: JournalSettings,
    ) -> Result<Self, JournalError> {
        let dir = recovery.dir.clone();
        let disk = doors.disk.clone();
        let log = Log::open(recovery, doors, settings)?;
        let shared = log.shared().clone();
        let lane = tasks
            .lane("journal")
            .map_err(cannot("start the thread of", &dir))?;
        let writer = Writer {
            log,
            disk,
            tasks: tasks.clone(),
            filler: None,
        };
        Ok(Self {
            shared,
            writer: Arc::new(Mutex::new(writer)),
            lane,
            works: Arc::default(),
        })
    }

    /// Does one piece of work on the lane.
    fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Log) -> Result<T, JournalError> + Send + 'static,
    ) -> Pending<T> {
        let under_way = UnderWay(self.works.clone());
        if self.works.fetch_add(1, Ordering::AcqRel) >= WORKS_MAX {
            drop(under_way);
            return Box::pin(std::future::ready(Err(JournalError::Busy)));
        }
        let writer = self.writer.clone();
        let done = self.lane.run(move || {
            let result = lock(&writer).run(work);
            drop(under_way);
            result
        });
        Box::pin(async move { done.await.unwrap_or(Err(JournalError::Closed)) })
    }
}

/// Counts a piece of work until it is over, also when it panics.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn lock(writer: &Mutex<Writer>) -> MutexGuard<'_, Writer> {
    // A log that panicked in the middle refuses by itself: it is broken until it is resumed.
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal for FileJournal {
    fn position(&self) -> Position {
        self.shared.durable().position
    }

    fn append(&mut self, expected: u64, batch: NewBatch) -> Appending {
        self.work(move |log| append(log, expected, batch))
    }

    fn resume(&mut self) -> Pending<Position> {
        self.work(Log::resume)
    }

    fn archive(&mut self, upto: u64) -> Pending<Archived> {
        self.work(move |log| log.archive(upto))
    }

    fn read(&self, after: u64) -> Result<Box<dyn BatchReader>, JournalError> {
        read_live(&self.shared, after)
    }
}

/// The log, and who makes zeros for it. Only the lane touches it.
#[derive(Debug)]
struct Writer {
    log: Log,
    disk: Arc<dyn Disk>,
    tasks: Tasks,
    filler: Option<Filler>,
}

impl Writer {
    fn run<T>(
        &mut self,
        work: impl FnOnce(&mut Log) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.collect_zeros();
        let result = work(&mut self.log);
        self.order_zeros();
        result
    }

    fn order_zeros(&mut self) {
        if self.filler.is_some() {
            return;
        }
        if let Some(bytes) = self.log.wanted() {
            // Without a filler the next segment is a plain file: slower, and right.
            let path = self.log.prepared_path();
            self.filler = Filler::start(&self.tasks, self.disk.clone(), path, bytes).ok();
        }
    }

    fn collect_zeros(&mut self) {
        let Some(made) = self.filler.as_mut().and_then(|filler| filler.work.over()) else {
            return;
        };
        self.filler = None;
        // A disk without room for zeros may yet have room for batches, so an error here is nobody's trouble.
        if let Ok(Ok(prepared)) = made {
            self.log.supply(prepared);
        }
    }
}

/// A lane that prepares one file of zeros. Dropping it ends the work and waits for that.
#[derive(Debug)]
struct Filler {
    stop: Arc<AtomicBool>,
    work: Task<io::Result<Prepared>>,
    _lane: Lane,
}

impl Filler {
    fn start(tasks: &Tasks, disk: Arc<dyn Disk>, path: PathBuf, bytes: u64) -> io::Result<Self> {
        let lane = tasks.lane("journal-zeros")?;
        let stop = Arc::<AtomicBool>::default();
        let (stopped, tasks) = (stop.clone(), tasks.clone());
        let mut pause = move || {
            tasks.rest(FILLER_PAUSE);
            match stopped.load(Ordering::Acquire) {
                false => ControlFlow::Continue(()),
                true => ControlFlow::Break(()),
            }
        };
        let work = lane.run(move || prepare(&*disk, &path, bytes, &mut pause));
        Ok(Self {
            stop,
            work,
            _lane: lane,
        })
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}
