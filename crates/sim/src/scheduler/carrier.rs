//! Lanes: jobs that block, one after the other.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use world::tasks::{Carrier, Job};

use super::{Event, Run, World};

/// All lanes of the world.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: BTreeMap<u32, Lane>,
    made: u32,
}

struct Lane {
    run: Run,
    waiting: VecDeque<Job>,
    busy: bool,
    /// Its owner is gone: what waits is done still, and then it is forgotten.
    left: bool,
}

impl Lanes {
    /// Takes the jobs of an ended run out, to be dropped by the caller.
    pub(super) fn end(&mut self, run: Run) -> Vec<Job> {
        let gone = self.lanes.extract_if(.., |_, lane| lane.run == run);
        gone.flat_map(|(_, lane)| lane.waiting).collect()
    }
}

/// The owner's end of a lane.
pub(super) struct Owner {
    world: World,
    run: Run,
    number: u32,
}

impl World {
    pub(super) fn lane(&self, run: Run) -> Owner {
        let mut state = self.state();
        state.lanes.made += 1;
        let number = state.lanes.made;
        let lane = Lane {
            run,
            waiting: VecDeque::new(),
            busy: false,
            left: false,
        };
        if state.is_alive(run) {
            state.lanes.lanes.insert(number, lane);
        }
        Owner {
            world: self.clone(),
            run,
            number,
        }
    }

    /// The job before is over.
    pub(super) fn next_in_lane(&self, run: Run, number: Option<u32>) {
        let mut state = self.state();
        let Some((number, lane)) =
            number.and_then(|number| Some((number, state.lanes.lanes.get_mut(&number)?)))
        else {
            return;
        };
        match lane.waiting.pop_front() {
            Some(job) => self.plan(state, Event::Begin(run, Some(number), job)),
            None => {
                lane.busy = false;
                if lane.left {
                    state.lanes.lanes.remove(&number);
                }
            }
        }
    }

    /// A thread needs a moment to wake up.
    pub(super) fn plan(&self, mut state: std::sync::MutexGuard<'_, super::State>, event: Event) {
        let wait = match state.chance.hits(20) {
            true => state.chance.between(100_000, 3_000_000),
            false => state.chance.between(1_000, 20_000),
        };
        let at = state.now + Duration::from_nanos(wait);
        state.events.push(at, event);
    }
}

impl Carrier for Owner {
    fn carry(&self, job: Job) {
        let mut state = self.world.state();
        let Some(lane) = state.lanes.lanes.get_mut(&self.number) else {
            // Its run is over; dropping the job tells who waits.
            drop(state);
            return drop(job);
        };
        if lane.busy {
            return lane.waiting.push_back(job);
        }
        lane.busy = true;
        let begin = Event::Begin(self.run, Some(self.number), job);
        self.world.plan(state, begin);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = self.world.state();
        if let Some(lane) = state.lanes.lanes.get_mut(&self.number) {
            lane.left = true;
            if !lane.busy {
                state.lanes.lanes.remove(&self.number);
            }
        }
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lane {}", self.number)
    }
}
