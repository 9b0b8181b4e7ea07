//! What a participant remembers of its steps, so that branches may come twice, late, or never.
//!
//! The same three questions come up in every participant (the sub-transaction barrier of dtm): a step that is taken
//! back before it was done, a step that comes twice, and a step that comes after it was taken back.

use std::collections::BTreeMap;

use super::Op;

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Done,
    Undone,
    /// Taken back before it was done.
    Empty,
}

/// What a participant has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// Do it.
    Fresh,
    /// It is done already: say so again.
    Duplicate,
    /// There is nothing to take back: say that it is taken back, and never do it later.
    Empty,
    /// It was taken back: it may not be done any more.
    Barred,
}

/// The memory of a participant, by its steps' keys. Nothing in it waits for anything, so that a fence can never hold
/// itself up (seata#6679).
#[derive(Debug, Clone)]
pub struct Barrier<K> {
    held: BTreeMap<K, Held>,
}

impl<K> Default for Barrier<K> {
    fn default() -> Self {
        Self {
            held: BTreeMap::new(),
        }
    }
}

impl<K: Ord> Barrier<K> {
    /// A step comes in. What is answered counts as done.
    pub fn enter(&mut self, key: K, op: Op) -> Entered {
        let (next, answer) = match (self.held.get(&key), op) {
            (None, Op::Forward) => (Held::Done, Entered::Fresh),
            (None, Op::Undo) => (Held::Empty, Entered::Empty),
            (Some(Held::Done), Op::Forward) => return Entered::Duplicate,
            (Some(Held::Done), Op::Undo) => (Held::Undone, Entered::Fresh),
            (Some(Held::Undone | Held::Empty), Op::Forward) => return Entered::Barred,
            (Some(Held::Undone | Held::Empty), Op::Undo) => return Entered::Duplicate,
        };
        self.held.insert(key, next);
        answer
    }

    /// Whether the step is done and was not taken back; `None` for one that never came.
    #[must_use]
    pub fn is_done(&self, key: &K) -> Option<bool> {
        self.held.get(key).map(|held| *held == Held::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_comes_twice_is_done_once() {
        let mut barrier = Barrier::default();
        assert_eq!(barrier.enter(1, Op::Forward), Entered::Fresh);
        assert_eq!(barrier.enter(1, Op::Forward), Entered::Duplicate);
        assert_eq!(barrier.enter(1, Op::Undo), Entered::Fresh);
        assert_eq!(barrier.enter(1, Op::Undo), Entered::Duplicate);
        assert_eq!(barrier.is_done(&1), Some(false));
    }

    /// seata#6679: there the fence of a branch that hangs waited for the row that its own rollback held.
    #[test]
    fn an_empty_undo_and_its_late_forward_are_both_answered_at_once() {
        let mut barrier = Barrier::default();
        assert_eq!(barrier.enter("a", Op::Undo), Entered::Empty);
        assert_eq!(barrier.enter("a", Op::Forward), Entered::Barred);
        assert_eq!(barrier.enter("a", Op::Forward), Entered::Barred);
        assert_eq!(barrier.is_done(&"a"), Some(false));
        assert_eq!(barrier.is_done(&"b"), None);
    }
}
