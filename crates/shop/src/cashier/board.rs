//! What the cashier has in hand: each effect once, and when it is its turn.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::time::Duration;

use commerce::EffectKind;
use resilience::Budget;

use super::job::{Job, Name};

/// A job that waits for its moment.
#[derive(Debug)]
struct Later {
    due: Duration,
    job: Job,
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Later {}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}

/// Whether a job was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    /// It was.
    Yes,
    /// The effect is in hand already.
    Known,
    /// There is no room.
    Full,
}

/// All jobs in hand.
#[derive(Debug)]
pub(super) struct Board {
    /// Every effect in hand, those at the provider too: nobody ever works on one effect twice at a time.
    known: BTreeSet<Name>,
    /// May go at once: charges, and refunds. They take turns, so that a crowd of the one never stands before the other.
    ready: [VecDeque<Job>; 2],
    /// Whose turn it is.
    turn: usize,
    /// Wait for a token of the retry budget.
    waiting: VecDeque<Job>,
    /// Wait for their moment, the next one on top.
    later: BinaryHeap<Reverse<Later>>,
    limit: usize,
}

impl Board {
    /// An empty board for so many effects.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            known: BTreeSet::new(),
            ready: Default::default(),
            turn: 0,
            waiting: VecDeque::new(),
            later: BinaryHeap::new(),
            limit,
        }
    }

    /// How many effects more may come in.
    pub(super) fn room(&self) -> usize {
        self.limit.saturating_sub(self.known.len())
    }

    /// How many effects found by a scan may come in: they take half of the room at most, so that fresh ones always
    /// find some.
    pub(super) fn room_for_found(&self) -> usize {
        (self.limit / 2).max(1).saturating_sub(self.known.len())
    }

    /// Whether so many jobs wait for a retry that more would take the room of fresh ones.
    pub(super) fn is_crowded(&self) -> bool {
        self.waiting.len() + self.later.len() >= (self.limit / 2).max(1)
    }

    /// Takes a job in hand; it comes up after the wait.
    pub(super) fn admit(&mut self, job: Job, now: Duration, wait: Duration) -> Admitted {
        if self.known.contains(&job.name()) {
            return Admitted::Known;
        }
        if self.known.len() >= self.limit {
            return Admitted::Full;
        }
        self.known.insert(job.name());
        self.put_back(job, now, wait);
        Admitted::Yes
    }

    /// A job in hand comes up again after the wait.
    pub(super) fn put_back(&mut self, job: Job, now: Duration, wait: Duration) {
        if wait > Duration::ZERO {
            let due = now + wait;
            self.later.push(Reverse(Later { due, job }));
        } else if job.calls() && !job.is_first_call() {
            self.waiting.push_back(job);
        } else {
            let refund = matches!(job.effect.kind, EffectKind::Refund { .. });
            self.ready[usize::from(refund)].push_back(job);
        }
    }

    /// A job is out of hand.
    pub(super) fn forget(&mut self, name: Name) {
        self.known.remove(&name);
    }

    /// The next job whose turn it is: what is ready first, then what the budget pays for.
    pub(super) fn next(&mut self, now: Duration, budget: &mut Budget) -> Option<Job> {
        while self
            .later
            .peek()
            .is_some_and(|Reverse(next)| next.due <= now)
        {
            let Reverse(Later { job, .. }) = self.later.pop()?;
            self.put_back(job, now, Duration::ZERO);
        }
        if let Some(mut job) = self.next_ready() {
            if job.calls() && !std::mem::replace(&mut job.counted, true) {
                budget.called();
            }
            return Some(job);
        }
        if self.waiting.is_empty() {
            return None;
        }
        budget.take(now)?;
        let mut job = self.waiting.pop_front()?;
        job.paid = true;
        Some(job)
    }

    fn next_ready(&mut self) -> Option<Job> {
        let turn = self.turn;
        self.turn = 1 - turn;
        let job = self.ready[turn].pop_front();
        job.or_else(|| self.ready[1 - turn].pop_front())
    }

    /// How long until time brings the next job up.
    pub(super) fn wait(&self, now: Duration, budget: &mut Budget) -> Option<Duration> {
        let due = self.later.peek();
        let due = due.map(|Reverse(next)| next.due.saturating_sub(now));
        let token = (!self.waiting.is_empty()).then(|| budget.wait(now));
        due.into_iter().chain(token).min()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::job::Origin;
    use super::*;
    use commerce::{Effect, Time};
    use ledger::{Currency, Minor};

    fn job(order: u32, origin: Origin) -> Job {
        let effect = Effect {
            order,
            kind: EffectKind::Charge { attempt: 1 },
            amount: Minor(5),
            currency: Currency::new("EUR").unwrap(),
            since: Time(0),
            not_before: Time(0),
        };
        Job::new(1, effect, origin).unwrap()
    }

    fn orders(board: &mut Board, now: Duration, budget: &mut Budget) -> Vec<u32> {
        std::iter::from_fn(|| board.next(now, budget))
            .map(|job| job.effect.order)
            .collect()
    }

    #[test]
    fn an_effect_in_hand_is_not_taken_twice_and_a_full_board_takes_none() {
        let mut board = Board::new(2);
        let zero = Duration::ZERO;
        assert_eq!(
            board.admit(job(1, Origin::Fresh), zero, zero),
            Admitted::Yes
        );
        assert_eq!(
            board.admit(job(1, Origin::Found), zero, zero),
            Admitted::Known
        );
        assert_eq!(
            board.admit(job(2, Origin::Fresh), zero, zero),
            Admitted::Yes
        );
        assert_eq!(
            board.admit(job(3, Origin::Fresh), zero, zero),
            Admitted::Full
        );
        assert_eq!((board.room(), board.room_for_found()), (0, 0));
        board.forget((1, 1, EffectKind::Charge { attempt: 1 }));
        assert_eq!(board.room(), 1);
    }

    #[test]
    fn fresh_effects_go_first_and_found_ones_pay_with_a_token() {
        let mut board = Board::new(10);
        let mut budget = Budget::new(0, 1, 1, Duration::ZERO);
        let second = Duration::from_secs(1);
        board.admit(job(1, Origin::Found), Duration::ZERO, Duration::ZERO);
        board.admit(job(2, Origin::Found), Duration::ZERO, Duration::ZERO);
        board.admit(job(3, Origin::Fresh), Duration::ZERO, Duration::ZERO);
        board.admit(job(4, Origin::Fresh), Duration::ZERO, second);
        assert_eq!(orders(&mut board, Duration::ZERO, &mut budget), [3, 1]);
        let wait = board.wait(Duration::ZERO, &mut budget).unwrap();
        assert!(wait <= second, "{wait:?}");
        assert_eq!(orders(&mut board, second, &mut budget), [4, 2]);
        assert_eq!(board.wait(second, &mut budget), None);
    }
}
