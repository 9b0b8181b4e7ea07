//! The scheduler: one thread, virtual time, and dice that say who goes next.
//!
//! ```text
//!   ready tasks ──dice──▶ poll ──▶ time moves by a microsecond or so
//!   nobody ready ─────────────────▶ time jumps to the next event (an alarm, a job of a lane, a byte that arrives)
//! ```
//!
//! A *host* is a machine of the world; a *run* is one life of a process on it. Everything that was spawned belongs to
//! a run, and is gone when the run ends, wherever it was: that is what makes every await a place to crash.
//!
//! Work that blocks is done in one go at the moment at which its turn comes; who waits for it is told after the time
//! that the disk says it took.

mod alarm;
mod carrier;
mod events;
mod host;
#[cfg(test)]
mod tests;

pub use host::{Host, Run};

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use world::tasks::{Job, Tell, Work};

use crate::chance::Chance;
use alarm::Alarm;
use carrier::Lanes;
use events::Events;

/// What a poll costs, in nanoseconds of the world.
const POLL_NS: (u64, u64) = (200, 3_000);

/// A world; cheap to clone.
#[derive(Clone)]
pub struct World(Arc<Core>);

struct Core {
    state: Mutex<State>,
    /// Sorted: several may be woken at one moment by something that keeps no order itself, and must not bring its
    /// own chance into a life.
    ready: Mutex<Vec<Name>>,
}

/// Names a task; a name is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    place: u32,
    age: u32,
}

struct Slot {
    age: u32,
    run: Run,
    work: Option<Work>,
    nudge: Option<Arc<Nudge>>,
}

struct State {
    now: Duration,
    chance: Chance,
    slots: Vec<Slot>,
    free: Vec<u32>,
    events: Events,
    lanes: Lanes,
    hosts: Vec<host::State>,
    /// Time that the job under way has rested.
    rested: Duration,
    steps: u64,
    trace: u64,
    panics: Vec<String>,
}

/// Something that is to happen at a moment.
enum Event {
    /// An alarm rings.
    Ring(Arc<Alarm>),
    /// A job's turn has come.
    Begin(Run, Option<u32>, Job),
    /// A job is over.
    Over(Run, Option<u32>, Tell),
    /// Anything else.
    Do(Box<dyn FnOnce() + Send>),
}

/// Why the world stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Still {
    /// What was asked for is there.
    Done,
    /// Nobody will ever do anything again.
    Dead,
    /// It took more steps than allowed: somebody runs in circles.
    Endless,
}

impl World {
    /// A world whose dice belong to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Core {
            state: Mutex::new(State {
                now: Duration::ZERO,
                chance: Chance::of(seed, "scheduler"),
                slots: Vec::new(),
                free: Vec::new(),
                events: Events::default(),
                lanes: Lanes::default(),
                hosts: Vec::new(),
                rested: Duration::ZERO,
                steps: 0,
                trace: seed,
                panics: Vec::new(),
            }),
            ready: Mutex::default(),
        }))
    }

    /// Time since the world began.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.state().now
    }

    /// Polls and events so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// A digest of all that happened and when: two lives that differ in anything differ here.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.state().trace
    }

    /// Panics of tasks and jobs so far.
    #[must_use]
    pub fn panics(&self) -> Vec<String> {
        self.state().panics.clone()
    }

    /// Lets time go on until `done`, for at most `steps_max` steps.
    pub fn go_on(&self, steps_max: u64, mut done: impl FnMut() -> bool) -> Still {
        let last = self.steps().saturating_add(steps_max);
        while !done() {
            if self.steps() >= last {
                return Still::Endless;
            }
            if !self.step() {
                return Still::Dead;
            }
        }
        Still::Done
    }

    /// Runs `work` on a host of its own until it is over.
    ///
    /// # Errors
    /// Why the world stood still before.
    pub fn block_on<T: Send + 'static>(
        &self,
        steps_max: u64,
        host: &Host,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Still> {
        let mut task = host.tasks().spawn(work);
        let mut result = None;
        let still = self.go_on(steps_max, || {
            result = task.over();
            result.is_some()
        });
        match (still, result) {
            (Still::Done, Some(Ok(value))) => Ok(value),
            (Still::Done, _) => Err(Still::Dead),
            (still, _) => Err(still),
        }
    }

    /// One poll or one event; false when there is nothing left.
    fn step(&self) -> bool {
        if let Some(event) = self.due(self.has_ready()) {
            self.happen(event);
        } else if let Some(name) = self.draw() {
            self.poll(name);
        } else {
            return false;
        }
        self.notice_cuts();
        true
    }

    fn has_ready(&self) -> bool {
        !lock(&self.0.ready).is_empty()
    }

    /// The next event whose time has come; when nobody is ready, time jumps to it.
    fn due(&self, ready: bool) -> Option<Event> {
        let mut state = self.state();
        let at = state.events.next_at()?;
        if at > state.now {
            if ready {
                return None;
            }
            state.now = at;
        }
        let event = state.events.pop();
        state.count(1, at);
        event
    }

    /// One of those who are ready.
    fn draw(&self) -> Option<Name> {
        let mut ready = lock(&self.0.ready);
        if ready.is_empty() {
            return None;
        }
        let nth = self.state().chance.index(ready.len());
        Some(ready.remove(nth))
    }

    fn poll(&self, name: Name) {
        let Some((mut work, waker, run)) = self.take(name) else {
            return;
        };
        let mut context = Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(&mut context)));
        self.pay(run, 0);
        match polled {
            Ok(Poll::Pending) => self.put_back(name, work),
            Ok(Poll::Ready(())) => drop(work),
            Err(panic) => {
                self.note_panic(&*panic);
                drop(work);
            }
        }
    }

    fn take(&self, name: Name) -> Option<(Work, Waker, Run)> {
        let mut state = self.state();
        let cost = state.chance.between(POLL_NS.0, POLL_NS.1);
        let slot = state.slots.get_mut(name.place as usize)?;
        if slot.age != name.age {
            return None;
        }
        let (work, nudge, run) = (slot.work.take()?, slot.nudge.clone()?, slot.run);
        nudge.queued.store(false, Ordering::Relaxed);
        state.now += Duration::from_nanos(cost);
        let now = state.now;
        state.count(u64::from(name.place) << 8 | 2, now);
        state.hosts[run.host as usize].polls += 1;
        Some((work, Waker::from(nudge), run))
    }

    /// The task waits again, unless its run has ended meanwhile.
    fn put_back(&self, name: Name, work: Work) {
        let gone = {
            let mut state = self.state();
            let run = state.slots.get(name.place as usize).map(|slot| slot.run);
            let goes_on = run.is_some_and(|run| state.is_alive(run));
            match state.slots.get_mut(name.place as usize) {
                Some(slot) if slot.age == name.age && goes_on => {
                    slot.work = Some(work);
                    None
                }
                _ => Some(work),
            }
        };
        drop(gone);
    }

    /// Lets the time pass that a run's disk has taken, and gives back the slot of a task that is over.
    fn pay(&self, run: Run, least_ns: u64) -> Duration {
        let disk = self
            .state()
            .hosts
            .get(run.host as usize)
            .and_then(|host| host.disk.clone());
        let took = disk.map_or(Duration::ZERO, |disk| disk.take_latency());
        let mut state = self.state();
        let rested = std::mem::take(&mut state.rested);
        let took = took + rested + Duration::from_nanos(least_ns);
        if least_ns == 0 {
            // A task that touched the disk itself held up everybody.
            state.now += took;
        }
        took
    }

    fn happen(&self, event: Event) {
        match event {
            Event::Ring(alarm) => alarm.ring(),
            Event::Do(what) => what(),
            Event::Begin(run, lane, job) => self.begin(run, lane, job),
            Event::Over(run, lane, tell) => {
                if self.is_alive(run) {
                    tell();
                    self.next_in_lane(run, lane);
                }
            }
        }
    }

    fn begin(&self, run: Run, lane: Option<u32>, job: Job) {
        if !self.is_alive(run) {
            return drop(job);
        }
        let done = catch_unwind(AssertUnwindSafe(job));
        let least = self.state().chance.between(2_000, 30_000);
        let took = self.pay(run, least);
        let tell: Tell = match done {
            Ok(tell) => tell,
            Err(panic) => {
                self.note_panic(&*panic);
                Box::new(|| ())
            }
        };
        self.after(took, Event::Over(run, lane, tell));
    }

    fn note_panic(&self, panic: &(dyn std::any::Any + Send)) {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let words = words.unwrap_or_else(|| "a panic without words".to_owned());
        let words = match crate::hush::place() {
            Some(place) => format!("{words} (at {place})"),
            None => words,
        };
        self.state().panics.push(words);
    }

    /// Does something after a while, whoever lives then.
    pub fn later(&self, wait: Duration, what: impl FnOnce() + Send + 'static) {
        self.after(wait, Event::Do(Box::new(what)));
    }

    fn after(&self, wait: Duration, event: Event) {
        let mut state = self.state();
        let at = state.now + wait;
        state.events.push(at, event);
    }

    fn spawn(&self, run: Run, work: Work) {
        let name = {
            let mut state = self.state();
            if !state.is_alive(run) {
                drop(state);
                return drop(work);
            }
            let place = state.free.pop().unwrap_or_else(|| {
                state.slots.push(Slot {
                    age: 0,
                    run,
                    work: None,
                    nudge: None,
                });
                u32::try_from(state.slots.len() - 1).unwrap_or(u32::MAX)
            });
            let slot = &mut state.slots[place as usize];
            slot.age += 1;
            let name = Name {
                place,
                age: slot.age,
            };
            slot.run = run;
            slot.nudge = Some(Arc::new(Nudge {
                name,
                world: Arc::downgrade(&self.0),
                queued: AtomicBool::new(true),
            }));
            // A task gives its own slot back when its future is gone.
            slot.work = Some(Box::pin(Ending {
                work,
                name,
                world: self.clone(),
            }));
            name
        };
        self.0.ready(name);
    }

    fn give_back(&self, name: Name) {
        let mut state = self.state();
        if let Some(slot) = state.slots.get_mut(name.place as usize)
            && slot.age == name.age
        {
            slot.age += 1;
            slot.nudge = None;
            state.free.push(name.place);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

impl Core {
    fn ready(&self, name: Name) {
        let mut ready = lock(&self.ready);
        let place = ready.partition_point(|other| *other < name);
        ready.insert(place, name);
    }
}

impl State {
    fn count(&mut self, what: u64, at: Duration) {
        self.steps += 1;
        let at = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        self.trace = (self.trace.rotate_left(5) ^ what ^ at).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

/// A task's future; gives the slot back when it is gone.
struct Ending {
    work: Work,
    name: Name,
    world: World,
}

impl Future for Ending {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.work.as_mut().poll(context)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.world.give_back(self.name);
    }
}

/// Makes a task ready.
struct Nudge {
    name: Name,
    world: Weak<Core>,
    queued: AtomicBool,
}

impl Wake for Nudge {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed)
            && let Some(core) = self.world.upgrade()
        {
            core.ready(self.name);
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // One thread, and nothing foreign runs while a lock is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
