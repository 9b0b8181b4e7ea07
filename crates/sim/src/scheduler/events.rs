//! What is to happen, in order of time; what was planned first comes first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use super::Event;

/// Events to come.
#[derive(Default)]
pub(super) struct Events {
    heap: BinaryHeap<Reverse<Planned>>,
    planned: u64,
}

struct Planned {
    at: Duration,
    nth: u64,
    event: Event,
}

impl Events {
    pub(super) fn push(&mut self, at: Duration, event: Event) {
        self.planned += 1;
        self.heap.push(Reverse(Planned {
            at,
            nth: self.planned,
            event,
        }));
    }

    /// When the next one is due. Alarms that nobody waits for any more are forgotten, so that time does not run to them.
    pub(super) fn next_at(&mut self) -> Option<Duration> {
        loop {
            let Reverse(next) = self.heap.peek()?;
            match &next.event {
                Event::Ring(alarm) if Arc::strong_count(alarm) == 1 => drop(self.heap.pop()),
                _ => return Some(next.at),
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.heap.pop().map(|Reverse(planned)| planned.event)
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.nth == other.nth
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.nth).cmp(&(other.at, other.nth))
    }
}
