//! Linearizability: is there one order of all that happened, in keeping with who was answered before whom asked, in
//! which a single counter gives every answer that was given?
//!
//! A checker in the manner of Wing & Gong ("Testing and Verifying Concurrent Objects", 1993) with Lowe's memory of
//! places already tried ("Testing for Linearizability", 2017). An operation whose answer nobody heard may have happened
//! at any time after it was sent, or never.

use std::collections::BTreeSet;
use std::time::Duration;

/// Steps of a search after which it is given up.
pub(super) const STEPS_MOST: u32 = 20_000;

/// What an operation does to the counter, or what it says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Takes units: there must be so many.
    Take(i64),
    /// Puts units in.
    Give(i64),
    /// Was refused so many units; says how many were left, if it said so.
    Short { wanted: i64, left: Option<i64> },
    /// Saw so many.
    See(i64),
}

impl Step {
    /// The counter afterwards, if the operation can have ended like that.
    fn on(self, state: i64) -> Option<i64> {
        match self {
            Self::Take(units) => (units <= state).then_some(state - units),
            Self::Give(units) => Some(state + units),
            Self::Short { wanted, left } => {
                (state < wanted && left.is_none_or(|left| left == state)).then_some(state)
            }
            Self::See(seen) => (seen == state).then_some(state),
        }
    }
}

/// An operation between the moment it was sent and the moment its answer was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Op {
    pub(super) from: Duration,
    /// `None`: nobody heard of it.
    pub(super) to: Option<Duration>,
    pub(super) step: Step,
}

/// What a search came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// There is such an order.
    Linear,
    /// There is none.
    NotLinear,
    /// The search was given up.
    Undecided,
}

/// A search under way.
struct Search<'a> {
    ops: &'a [Op],
    /// Which operations have been put in order, a bit for each.
    done: Vec<u64>,
    /// How many that were heard of are not in order yet.
    heard_left: usize,
    tried: BTreeSet<(Vec<u64>, i64)>,
    steps: u32,
}

/// Looks for an order of the operations on a counter that begins at `start`.
pub(super) fn check(start: i64, ops: &[Op]) -> Answer {
    let mut ops = ops.to_vec();
    ops.sort_by_key(|op| (op.from, op.to));
    let mut search = Search {
        done: vec![0; ops.len().div_ceil(64)],
        heard_left: ops.iter().filter(|op| op.to.is_some()).count(),
        ops: &ops,
        tried: BTreeSet::new(),
        steps: 0,
    };
    search.run(start)
}

impl Search<'_> {
    fn is_done(&self, at: usize) -> bool {
        self.done[at / 64] >> (at % 64) & 1 == 1
    }

    fn flip(&mut self, at: usize) {
        self.done[at / 64] ^= 1 << (at % 64);
        let heard = usize::from(self.ops[at].to.is_some());
        self.heard_left = match self.is_done(at) {
            true => self.heard_left - heard,
            false => self.heard_left + heard,
        };
    }

    /// Operations that may come next: those that were sent before any other that is left was answered. The last one is
    /// to be tried first: it was answered first, so that a story without contradiction is read straight through.
    fn next(&self) -> Vec<usize> {
        let mut next = Vec::new();
        let mut first_answer = Duration::MAX;
        for (at, op) in self.ops.iter().enumerate() {
            if self.is_done(at) {
                continue;
            }
            // They stand in the order in which they were sent: none of the others was sent earlier.
            if op.from > first_answer {
                break;
            }
            first_answer = op.to.map_or(first_answer, |to| to.min(first_answer));
            next.push(at);
        }
        next.retain(|at| self.ops[*at].from <= first_answer);
        next.sort_by_key(|at| std::cmp::Reverse(self.ops[*at].to.unwrap_or(Duration::MAX)));
        next
    }

    /// Whether all that was heard of is in order; the rest may never have happened.
    fn is_over(&self) -> bool {
        self.heard_left == 0
    }

    fn run(&mut self, start: i64) -> Answer {
        // A place on the way: the state there, what may come next, and the operation that led to it.
        let mut way = vec![(start, self.next(), None)];
        while let Some((state, next, led)) = way.last_mut() {
            if self.is_over() {
                return Answer::Linear;
            }
            let (state, led) = (*state, *led);
            let Some(at) = next.pop() else {
                way.pop();
                if let Some(at) = led {
                    self.flip(at);
                }
                continue;
            };
            self.steps += 1;
            if self.steps > STEPS_MOST {
                return Answer::Undecided;
            }
            let Some(after) = self.ops[at].step.on(state) else {
                continue;
            };
            self.flip(at);
            if self.tried.insert((self.done.clone(), after)) {
                way.push((after, self.next(), Some(at)));
            } else {
                self.flip(at);
            }
        }
        Answer::NotLinear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(from: u64, to: u64, step: Step) -> Op {
        Op {
            from: Duration::from_millis(from),
            to: Some(Duration::from_millis(to)),
            step,
        }
    }

    fn unheard(from: u64, step: Step) -> Op {
        Op {
            from: Duration::from_millis(from),
            to: None,
            step,
        }
    }

    #[test]
    fn two_that_overlap_may_come_in_either_order() {
        let ops = [op(0, 10, Step::Take(1)), op(5, 6, Step::See(1))];
        assert_eq!(check(1, &ops), Answer::Linear);
        let ops = [op(0, 10, Step::Take(1)), op(5, 6, Step::See(0))];
        assert_eq!(check(1, &ops), Answer::Linear);
    }

    #[test]
    fn what_was_answered_before_stays_before() {
        let ops = [op(0, 4, Step::Take(1)), op(5, 6, Step::See(1))];
        assert_eq!(check(1, &ops), Answer::NotLinear);
    }

    #[test]
    fn two_reads_of_one_change_do_not_contradict_each_other() {
        let change = op(0, 100, Step::Take(1));
        let new_then_old = [change, op(10, 20, Step::See(0)), op(30, 40, Step::See(1))];
        assert_eq!(check(1, &new_then_old), Answer::NotLinear);
        let old_then_new = [change, op(10, 20, Step::See(1)), op(30, 40, Step::See(0))];
        assert_eq!(check(1, &old_then_new), Answer::Linear);
    }

    #[test]
    fn the_last_unit_is_taken_once() {
        let ops = [op(0, 10, Step::Take(1)), op(0, 10, Step::Take(1))];
        assert_eq!(check(1, &ops), Answer::NotLinear);
        assert_eq!(check(2, &ops), Answer::Linear);
    }

    #[test]
    fn a_refusal_needs_a_reason_and_says_what_is_left() {
        let short = |left| Step::Short { wanted: 2, left };
        assert_eq!(check(1, &[op(0, 1, short(Some(1)))]), Answer::Linear);
        assert_eq!(check(1, &[op(0, 1, short(Some(0)))]), Answer::NotLinear);
        assert_eq!(check(2, &[op(0, 1, short(None))]), Answer::NotLinear);
        let given_back = [
            op(0, 1, Step::Take(1)),
            op(2, 3, Step::Give(1)),
            op(4, 5, short(None)),
        ];
        assert_eq!(check(2, &given_back), Answer::NotLinear);
    }

    #[test]
    fn what_nobody_heard_of_may_have_happened_late_or_never() {
        let lost = unheard(0, Step::Take(1));
        assert_eq!(check(1, &[lost, op(50, 60, Step::See(1))]), Answer::Linear);
        assert_eq!(check(1, &[lost, op(50, 60, Step::See(0))]), Answer::Linear);
        let late = [lost, op(10, 20, Step::See(1)), op(50, 60, Step::See(0))];
        assert_eq!(check(1, &late), Answer::Linear);
        let early = [unheard(30, Step::Take(1)), op(10, 20, Step::See(0))];
        assert_eq!(check(1, &early), Answer::NotLinear);
    }

    #[test]
    fn a_search_without_end_is_given_up() {
        let ops: Vec<Op> = (0..40)
            .map(|n| op(0, 100, Step::Take(1 << n)))
            .chain([op(0, 100, Step::See(-1))])
            .collect();
        assert_eq!(check(1 << 41, &ops), Answer::Undecided);
    }

    #[test]
    fn a_long_story_one_after_the_other_is_quickly_read() {
        let ops: Vec<Op> = (0..300_u32)
            .map(|n| op(u64::from(n) * 10, u64::from(n) * 10 + 5, Step::Take(1)))
            .collect();
        assert_eq!(check(300, &ops), Answer::Linear);
        assert_eq!(check(299, &ops), Answer::NotLinear);
    }
}
