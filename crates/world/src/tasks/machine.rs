//! The tasks of this machine: tokio, and threads.

// This is the one approved door to threads and to the runtime's timer.
#![allow(clippy::disallowed_methods)]

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

use super::{Carrier, Job, Scheduler, Sleep, Work};

/// No lane recurses or keeps buffers on its stack, but SQLite needs some.
const STACK_BYTES: usize = 512 * 1024;

/// Runs tasks on the tokio runtime around each call, and lanes on threads of their own.
#[derive(Debug, Default)]
pub struct Machine {
    /// Read from the runtime's own timer, so that a test that pauses it pauses this too.
    start: OnceLock<Instant>,
}

impl Machine {
    /// The machine. Its time begins when it is first asked for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Scheduler for Machine {
    fn spawn(&self, work: Work) {
        drop(tokio::spawn(work));
    }

    fn now(&self) -> Duration {
        let start = *self.start.get_or_init(Instant::now);
        Instant::now().saturating_duration_since(start)
    }

    fn sleep(&self, how_long: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(how_long))
    }

    fn rest(&self, how_long: Duration) {
        std::thread::sleep(how_long);
    }

    fn block(&self, job: Job) {
        drop(tokio::task::spawn_blocking(move || job()()));
    }

    fn lane(&self, name: &'static str) -> io::Result<Box<dyn Carrier>> {
        let (jobs, inbox) = channel::<Job>();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                for job in inbox {
                    job()();
                }
            })?;
        Ok(Box::new(Threaded {
            jobs: Some(jobs),
            thread: Some(thread),
        }))
    }
}

/// A lane on a thread.
#[derive(Debug)]
struct Threaded {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Carrier for Threaded {
    fn carry(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // A thread that panicked drops the job, which tells who waits.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for Threaded {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic was told by the tasks that ended early.
            let _ = thread.join();
        }
    }
}
