//! Tasks: what runs beside what, what waits, and work that blocks.
//!
//! Whoever wants something to run beside itself, to wait, or to do work that blocks asks [`Tasks`]. In production
//! that is tokio and threads of the machine; in a simulation it is a scheduler that draws from a seed who goes next,
//! and whose time passes only when nobody has anything to do.
//!
//! ```text
//!   spawn     a future beside the caller
//!   blocking  a closure off the tasks, in any order
//!   lane      closures off the tasks, one after the other: what owns a file
//!   sleep     until so much time has passed
//! ```
//!
//! Invariant: no room below the composition root names a runtime, starts a thread or reads a timer of its own, except
//! the writer of the log, which decides nothing.

mod machine;

pub use machine::Machine;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{AbortHandle, Abortable};
use tokio::sync::oneshot;

/// A future that is run for what it does.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A wait; done when its time has passed.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Work that blocks. What it gives back is called once the time that the work took has passed, and tells who waits;
/// a simulation, in which the work itself takes no time, lets that time pass in between.
pub type Job = Box<dyn FnOnce() -> Tell + Send>;

/// Tells who waits that the work is done.
pub type Tell = Box<dyn FnOnce() + Send>;

/// What carries tasks.
pub trait Scheduler: Send + Sync + fmt::Debug {
    /// Runs `work` beside everything else. A panic ends this work only, and is told in the log.
    fn spawn(&self, work: Work);

    /// Time that has passed, as sleeps measure it. Never goes back.
    fn now(&self) -> Duration;

    /// Waits.
    fn sleep(&self, how_long: Duration) -> Sleep;

    /// Waits inside work that blocks.
    fn rest(&self, how_long: Duration);

    /// Does work that blocks off the tasks.
    fn block(&self, job: Job);

    /// A lane of its own for work that blocks.
    ///
    /// # Errors
    /// The machine gives no thread.
    fn lane(&self, name: &'static str) -> io::Result<Box<dyn Carrier>>;
}

/// What carries the work of one lane. Dropping it waits for what is under way and for what waits before it.
pub trait Carrier: Send + fmt::Debug {
    /// Does the work after all work that was given before.
    fn carry(&self, job: Job);
}

/// The way to run things; cheap to clone.
#[derive(Clone, Debug)]
pub struct Tasks(Arc<dyn Scheduler>);

impl Tasks {
    /// Tasks that `scheduler` carries.
    #[must_use]
    pub fn new(scheduler: Arc<dyn Scheduler>) -> Self {
        Self(scheduler)
    }

    /// The tasks of this machine: those of the tokio runtime around each call, and threads.
    #[must_use]
    pub fn of_the_machine() -> Self {
        Self(Arc::new(Machine::new()))
    }

    /// Runs `work` beside the caller. It goes on when the returned [`Task`] is dropped.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        let (tell, told) = oneshot::channel();
        let (abort, registration) = AbortHandle::new_pair();
        let work = Abortable::new(work, registration);
        self.0.spawn(Box::pin(async move {
            if let Ok(value) = work.await {
                // Nobody may be waiting.
                let _ = tell.send(value);
            }
        }));
        Task {
            told,
            abort: Some(abort),
        }
    }

    /// Time that has passed since some moment, as [`Tasks::sleep`] measures it.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.now()
    }

    /// Waits for so long.
    #[must_use]
    pub fn sleep(&self, how_long: Duration) -> Sleep {
        self.0.sleep(how_long)
    }

    /// Waits inside work that blocks; never call it from a task.
    pub fn rest(&self, how_long: Duration) {
        self.0.rest(how_long);
    }

    /// What `work` comes to, or `None` when it takes longer than `most`; it is dropped then.
    pub async fn timeout<T>(&self, most: Duration, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut late = self.sleep(most);
        std::future::poll_fn(|context| {
            if let Poll::Ready(value) = work.as_mut().poll(context) {
                return Poll::Ready(Some(value));
            }
            late.as_mut().poll(context).map(|()| None)
        })
        .await
    }

    /// Does work that blocks off the tasks.
    pub fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Task<T> {
        let (job, task) = job(work);
        self.0.block(job);
        task
    }

    /// A lane of its own for work that blocks, one piece after the other; `name` is that of its thread.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub fn lane(&self, name: &'static str) -> io::Result<Lane> {
        self.0.lane(name).map(Lane)
    }
}

/// Does work that blocks, one piece after the other. Dropping it waits until all is done.
#[derive(Debug)]
pub struct Lane(Box<dyn Carrier>);

impl Lane {
    /// Does this after all that was given before; it is done even if nobody waits for it.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Task<T> {
        let (job, task) = job(work);
        self.0.carry(job);
        task
    }
}

fn job<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> (Job, Task<T>) {
    let (tell, told) = oneshot::channel();
    let job: Job = Box::new(move || {
        let value = work();
        Box::new(move || {
            // Nobody may be waiting.
            let _ = tell.send(value);
        })
    });
    (job, Task { told, abort: None })
}

/// Something that runs. As a future it gives what that comes to; dropped, it lets it run on.
#[derive(Debug)]
pub struct Task<T> {
    told: oneshot::Receiver<T>,
    abort: Option<AbortHandle>,
}

impl<T> Task<T> {
    /// Ends a spawned task at its next wait. Work that blocks cannot be ended.
    pub fn abort(&self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }
}

impl<T> Task<T> {
    /// What it came to, if it is over; asked again after that, it has [`Ended`].
    pub fn over(&mut self) -> Option<Result<T, Ended>> {
        match self.told.try_recv() {
            Ok(value) => Some(Ok(value)),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(Ended)),
        }
    }
}

/// The task ended without a value: it panicked, was ended, or its scheduler is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task ended early")]
pub struct Ended;

impl<T> Future for Task<T> {
    type Output = Result<T, Ended>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.told).poll(context).map_err(|_| Ended)
    }
}
