//! A bulkhead: so many places for calls to one neighbour, and a line of bounded length and patience before them.
//!
//! A neighbour that hangs fills its own places and no other's; whoever finds them taken hears so soon instead of
//! waiting as long as the neighbour hangs.

use std::collections::BTreeMap;
use std::time::Duration;

/// How a bulkhead works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Calls under way at a time, at most; at least 1.
    pub calls_max: usize,
    /// Calls that wait for a place, at most.
    pub waiting_max: usize,
    /// How long one waits for a place, at most.
    pub wait_max: Duration,
}

impl Default for Settings {
    /// 48 places, as many who wait, for a twentieth of a second.
    fn default() -> Self {
        Self {
            calls_max: 48,
            waiting_max: 48,
            wait_max: Duration::from_millis(50),
        }
    }
}

/// Somebody who waits for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What somebody finds who asks for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A place; it has to be left.
    In,
    /// A place in the line until this time.
    Wait(Ticket, Duration),
    /// The line is full.
    Full,
}

/// A bulkhead.
#[derive(Debug)]
pub struct Bulkhead {
    settings: Settings,
    inside: usize,
    issued: u64,
    line: BTreeMap<Ticket, Duration>,
}

impl Bulkhead {
    /// An empty one.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            inside: 0,
            issued: 0,
            line: BTreeMap::new(),
        }
    }

    /// Calls under way.
    #[must_use]
    pub fn inside(&self) -> usize {
        self.inside
    }

    /// Calls that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.line.len()
    }

    /// Asks for a place.
    pub fn enter(&mut self, now: Duration) -> Entry {
        if self.line.is_empty() && self.inside < self.settings.calls_max.max(1) {
            self.inside += 1;
            return Entry::In;
        }
        if self.line.len() >= self.settings.waiting_max {
            return Entry::Full;
        }
        let ticket = Ticket(self.issued);
        let until = now + self.settings.wait_max;
        self.issued += 1;
        self.line.insert(ticket, until);
        Entry::Wait(ticket, until)
    }

    /// One call came to its end; who gets the place, if anybody waits whose patience lasts. That one is inside now.
    pub fn leave(&mut self, now: Duration) -> Option<Ticket> {
        self.inside = self.inside.saturating_sub(1);
        while let Some((ticket, until)) = self.line.pop_first() {
            if now < until {
                self.inside += 1;
                return Some(ticket);
            }
        }
        None
    }

    /// Somebody waits no longer. `false` when they were called in, or sent away, before.
    pub fn give_up(&mut self, ticket: Ticket) -> bool {
        self.line.remove(&ticket).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(50);

    fn narrow() -> Bulkhead {
        Bulkhead::new(Settings {
            calls_max: 1,
            waiting_max: 2,
            wait_max: MOMENT,
        })
    }

    #[test]
    fn the_place_goes_to_whoever_waits_longest_and_the_line_has_an_end() {
        let mut bulkhead = narrow();
        assert_eq!(bulkhead.enter(Duration::ZERO), Entry::In);
        let Entry::Wait(first, until) = bulkhead.enter(Duration::ZERO) else {
            panic!("there is one place");
        };
        assert_eq!(until, MOMENT);
        assert!(matches!(bulkhead.enter(Duration::ZERO), Entry::Wait(..)));
        assert_eq!(bulkhead.enter(Duration::ZERO), Entry::Full);
        assert_eq!(bulkhead.leave(MOMENT / 2), Some(first));
        assert_eq!((bulkhead.inside(), bulkhead.waiting()), (1, 1));
    }

    #[test]
    fn whose_patience_is_over_gets_no_place() {
        let mut bulkhead = narrow();
        assert_eq!(bulkhead.enter(Duration::ZERO), Entry::In);
        let Entry::Wait(ticket, _) = bulkhead.enter(Duration::ZERO) else {
            panic!("there is one place");
        };
        assert_eq!(bulkhead.leave(MOMENT), None);
        assert!(!bulkhead.give_up(ticket), "sent away already");
        assert_eq!(bulkhead.enter(MOMENT), Entry::In);
    }

    #[test]
    fn nobody_overtakes_the_line() {
        let mut bulkhead = narrow();
        assert_eq!(bulkhead.enter(Duration::ZERO), Entry::In);
        let Entry::Wait(ticket, _) = bulkhead.enter(Duration::ZERO) else {
            panic!("there is one place");
        };
        assert_eq!(bulkhead.leave(Duration::ZERO), Some(ticket));
        assert!(matches!(bulkhead.enter(Duration::ZERO), Entry::Wait(..)));
    }
}
