//! Effects of which the provider has said that they go on without us: whom was asked about when, and whose turn is next.
//!
//! Why it exists: thousands of buyers may look for their cards at the same time, and a search of the books finds all of
//! them, every time. Each is asked about again only after a rest, one after the other and at a pace that providers
//! bear; meanwhile what nobody has asked about yet is not kept waiting behind them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use commerce::Effect;

use super::job::{Name, Origin};

/// An effect that was found, how it came here, and when it may be carried out, by the monotonic clock.
pub(super) type FoundEffect = (u32, Effect, Origin, Duration);

/// What is known of one.
#[derive(Debug)]
struct Waiter {
    /// When the provider said last that it goes on.
    asked: Duration,
    /// The last search that saw it open.
    seen: u64,
    /// It stands in the queue.
    queued: bool,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Waiters {
    known: BTreeMap<Name, Waiter>,
    /// Rested, and to be asked about again.
    queue: VecDeque<FoundEffect>,
    /// How long each rests.
    rest: Duration,
    /// The time between two questions.
    every: Duration,
    next_at: Duration,
    search: u64,
}

impl Waiters {
    /// Nobody yet. Each rests for `rest`, and so many questions a second are asked.
    pub(super) fn new(rest: Duration, asks_per_s: u32) -> Self {
        Self {
            known: BTreeMap::new(),
            queue: VecDeque::new(),
            rest,
            every: Duration::from_secs(1) / asks_per_s.max(1),
            next_at: Duration::ZERO,
            search: 0,
        }
    }

    /// The provider said just now that this goes on.
    pub(super) fn waits(&mut self, name: Name, now: Duration) {
        let waiter = Waiter {
            asked: now,
            seen: self.search,
            queued: false,
        };
        self.known.insert(name, waiter);
    }

    /// This has its outcome.
    pub(super) fn gone(&mut self, name: Name) {
        self.known.remove(&name);
    }

    /// A search begins.
    pub(super) fn begin_search(&mut self) {
        self.search += 1;
    }

    /// A search has been through all books: what it did not see has its outcome, and nobody told us.
    pub(super) fn end_search(&mut self) {
        let search = self.search;
        self.known
            .retain(|_, waiter| waiter.seen == search || waiter.queued);
    }

    /// A search sees this open. Whether it is known here, so that its turn comes without the caller.
    pub(super) fn sees(&mut self, name: Name) -> bool {
        let search = self.search;
        let waiter = self.known.get_mut(&name);
        waiter.is_some_and(|waiter| {
            waiter.seen = search;
            true
        })
    }

    /// Puts one that is known into the queue, once it has rested.
    pub(super) fn queue(&mut self, found: FoundEffect, now: Duration) {
        let (sale, effect, ..) = &found;
        let Some(waiter) = self.known.get_mut(&(*sale, effect.order, effect.kind)) else {
            return;
        };
        if !waiter.queued && now.saturating_sub(waiter.asked) >= self.rest {
            waiter.queued = true;
            self.queue.push_back(found);
        }
    }

    /// Whose turn it is.
    pub(super) fn next(&mut self, now: Duration) -> Option<FoundEffect> {
        while self.next_at <= now {
            let found = self.queue.pop_front()?;
            let (sale, effect, ..) = &found;
            // One that is not known any more got its outcome while it stood there.
            let Some(waiter) = self.known.get_mut(&(*sale, effect.order, effect.kind)) else {
                continue;
            };
            (waiter.queued, waiter.asked) = (false, now);
            self.next_at = self.next_at.max(now) + self.every;
            return Some(found);
        }
        None
    }

    /// How long until somebody's turn comes.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        let anybody = !self.queue.is_empty();
        anybody.then(|| self.next_at.saturating_sub(now))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use commerce::{EffectKind, Time};
    use ledger::{Currency, Minor};

    const SECOND: Duration = Duration::from_secs(1);
    const KIND: EffectKind = EffectKind::Charge { attempt: 1 };

    fn found(order: u32) -> FoundEffect {
        let effect = Effect {
            order,
            kind: KIND,
            amount: Minor(5),
            currency: Currency::new("EUR").unwrap(),
            since: Time(0),
            not_before: Time(0),
        };
        (1, effect, Origin::Overdue, Duration::ZERO)
    }

    #[test]
    fn each_is_asked_about_after_its_rest_at_a_pace_and_no_more_once_it_is_over() {
        let mut waiters = Waiters::new(60 * SECOND, 2);
        waiters.begin_search();
        for order in 0..4 {
            waiters.waits((1, order, KIND), Duration::ZERO);
        }
        assert!(!waiters.sees((1, 9, KIND)));
        assert!(waiters.sees((1, 0, KIND)));
        waiters.queue(found(0), SECOND);
        assert_eq!(waiters.wait(SECOND), None, "it has not rested");
        let now = 60 * SECOND;
        for order in [0, 0, 1, 2] {
            waiters.queue(found(order), now);
        }
        waiters.gone((1, 1, KIND));
        let next =
            |waiters: &mut Waiters, now| waiters.next(now).map(|(_, effect, ..)| effect.order);
        assert_eq!(next(&mut waiters, now), Some(0));
        assert_eq!(next(&mut waiters, now), None);
        assert_eq!(waiters.wait(now), Some(SECOND / 2));
        assert_eq!(next(&mut waiters, now + SECOND / 2), Some(2));
        assert_eq!(waiters.wait(now + SECOND), None);
        waiters.begin_search();
        assert!(waiters.sees((1, 0, KIND)));
        waiters.end_search();
        assert!(!waiters.sees((1, 3, KIND)), "nobody saw it open");
    }
}
