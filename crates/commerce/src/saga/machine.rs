//! The machine of a saga: each place and each event give one answer, and none is "somebody has to look".

use super::{Event, GRACE_MS, Mark, Move, Op, Place, RetryClass, Saga, Said, Stage, Verb};
use crate::Time;

/// Whether the order that a saga is for may still go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It may.
    Ready,
    /// It was given up, or its money went back.
    Gone,
}

/// The answer to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// It is recorded, and this is what it did; a late answer may have changed nothing.
    Move(Move),
    /// It was known.
    Repeat,
    /// It makes no sense here, and nothing changes.
    Refuse(&'static str),
}

/// What becomes of a saga; total, and without any effect of its own.
#[must_use]
pub fn react(number: u32, saga: &Saga, now: Time, order: Order, event: Event) -> Reaction {
    let here = Here { number, saga, now };
    match event {
        Event::Due => here.due(order),
        Event::Answer { step, .. } if saga.plan(step).is_none() => {
            Reaction::Refuse("the saga has no such step")
        }
        Event::Answer {
            step,
            op: Op::Forward,
            said,
        } => here.forward(step, said),
        Event::Answer {
            step,
            op: Op::Undo,
            said,
        } => here.undone(step, said),
        Event::Verb(verb) => here.verb(verb),
    }
}

/// A saga, its number and the time: what every answer depends on.
struct Here<'a> {
    number: u32,
    saga: &'a Saga,
    now: Time,
}

impl Here<'_> {
    fn cursor(&self) -> u8 {
        self.saga.at.cursor
    }

    fn to(&self, stage: Stage, cursor: u8, attempt: u16, until: Time) -> Place {
        Place {
            stage,
            cursor,
            attempt,
            until,
        }
    }

    /// Recorded without effect: a late answer that changes nothing.
    fn noted(&self) -> Reaction {
        Reaction::Move(Move {
            mark: None,
            to: self.saga.at,
        })
    }

    fn due(&self, order: Order) -> Reaction {
        let at = self.saga.at;
        if self.now < at.until {
            return Reaction::Refuse("it is not due yet");
        }
        match at.stage {
            Stage::Ready if order == Order::Gone && !self.saga.is_past_pivot() => {
                self.take_back(None)
            }
            Stage::Ready => self.attempt(Stage::Calling),
            Stage::Calling => self.unanswered(),
            Stage::UndoReady => self.attempt(Stage::Undoing),
            Stage::Undoing => self.not_undone(),
            Stage::Parked | Stage::UndoParked | Stage::Done | Stage::Compensated => {
                Reaction::Refuse("nothing is due")
            }
        }
    }

    /// The next attempt of the cursor's step begins.
    fn attempt(&self, stage: Stage) -> Reaction {
        let at = self.saga.at;
        let time = self.saga.plan(at.cursor).map_or(0, |plan| plan.timeout_ms);
        let until = self.now.after_ms(u64::from(time) + GRACE_MS);
        let known = self.saga.mark(at.cursor);
        let begins = stage == Stage::Calling && known == Mark::New;
        Reaction::Move(Move {
            mark: begins.then_some((at.cursor, Mark::Begun)),
            to: self.to(stage, at.cursor, at.attempt.saturating_add(1), until),
        })
    }

    /// What a participant said to a step that was to be done.
    fn forward(&self, step: u8, said: Said) -> Reaction {
        let (at, mark) = (self.saga.at, self.saga.mark(step));
        let expected = step == at.cursor && mark == Mark::Begun;
        match (at.stage, said) {
            (Stage::Ready | Stage::Calling | Stage::Parked, Said::Done) if expected => {
                self.go_on(step, Mark::Done)
            }
            (Stage::Ready | Stage::Calling | Stage::Parked, Said::Failed)
                if expected && !self.saga.is_past_pivot() =>
            {
                self.take_back(Some((step, Mark::Failed)))
            }
            // Past the pivot there is no way back: a refusal is tried again like silence.
            (Stage::Calling, Said::Failed | Said::Unknown) if expected => self.unanswered(),
            _ => self.late(step, mark, said),
        }
    }

    /// An answer that nobody waits for any more: a duplicate, or a branch that came late.
    fn late(&self, step: u8, mark: Mark, said: Said) -> Reaction {
        match (mark, said) {
            (_, Said::Unknown) | (Mark::Done, Said::Done) | (Mark::Failed, Said::Failed) => {
                Reaction::Repeat
            }
            // Nobody ever asked for it, or it contradicts what is known: on record, and nothing more.
            (Mark::New, _) | (_, Said::Failed) => self.noted(),
            (Mark::Begun | Mark::Failed | Mark::Skipped | Mark::Undone | Mark::Barred, _) => {
                self.done_after_all(step)
            }
        }
    }

    /// It was done after it had been given up: that is known from now on, and taken back if everything else was.
    fn done_after_all(&self, step: u8) -> Reaction {
        let at = self.saga.at;
        let can = self.saga.plan(step).is_some_and(|plan| plan.compensates);
        let again = at.stage == Stage::Compensated && can;
        let to = match again {
            true => self.to(Stage::UndoReady, step, 0, self.now),
            false => at,
        };
        Reaction::Move(Move {
            mark: Some((step, Mark::Done)),
            to,
        })
    }

    /// What a participant said to a step that was to be taken back.
    fn undone(&self, step: u8, said: Said) -> Reaction {
        let (at, mark) = (self.saga.at, self.saga.mark(step));
        let expected = step == at.cursor;
        match (at.stage, said) {
            (Stage::Undoing | Stage::UndoReady | Stage::UndoParked, Said::Done) if expected => {
                self.back_from(step, Mark::Undone)
            }
            (Stage::Undoing, Said::Failed | Said::Unknown) if expected => self.not_undone(),
            (_, Said::Unknown) => Reaction::Repeat,
            (_, Said::Done) if matches!(mark, Mark::Undone | Mark::Barred) => Reaction::Repeat,
            _ => self.noted(),
        }
    }

    fn verb(&self, verb: Verb) -> Reaction {
        let (at, now) = (self.saga.at, self.now);
        let place = |stage, attempt| {
            Reaction::Move(Move {
                mark: None,
                to: self.to(stage, at.cursor, attempt, now),
            })
        };
        match (verb, at.stage) {
            (_, Stage::Done | Stage::Compensated) => Reaction::Refuse("the saga is over"),
            (Verb::Retry, Stage::Parked) => place(Stage::Ready, 0),
            (Verb::Retry, Stage::UndoParked) => place(Stage::UndoReady, 0),
            (Verb::Retry, Stage::Ready | Stage::UndoReady) => place(at.stage, at.attempt),
            (Verb::Retry, Stage::Calling | Stage::Undoing) => {
                Reaction::Refuse("an attempt is under way")
            }
            (Verb::Skip, Stage::Parked) => self.go_on(at.cursor, Mark::Skipped),
            (Verb::Skip, Stage::UndoParked) => self.back_from(at.cursor, Mark::Skipped),
            (Verb::Skip, Stage::Ready | Stage::Calling | Stage::UndoReady | Stage::Undoing) => {
                Reaction::Refuse("only a parked step can be skipped")
            }
            (Verb::Compensate, Stage::UndoReady | Stage::Undoing | Stage::UndoParked) => {
                Reaction::Refuse("the saga is being taken back already")
            }
            (Verb::Compensate, Stage::Ready | Stage::Calling | Stage::Parked) => {
                match self.saga.is_past_pivot() {
                    true => Reaction::Refuse("the pivot is done: there is no way back"),
                    false => self.take_back(None),
                }
            }
        }
    }

    /// A step is settled: on to the next.
    fn go_on(&self, step: u8, mark: Mark) -> Reaction {
        let next = step + 1;
        let more = self.saga.plan(next).is_some();
        let to = match more {
            true => self.to(Stage::Ready, next, 0, self.now),
            false => self.to(Stage::Done, step, 0, self.now),
        };
        Reaction::Move(Move {
            mark: Some((step, mark)),
            to,
        })
    }

    /// An attempt brought no answer: later, with the same key; or too often.
    fn unanswered(&self) -> Reaction {
        let at = self.saga.at;
        let class = self.class();
        if at.attempt < class.tries() {
            return self.wait(Stage::Ready, class);
        }
        if class == RetryClass::Brief && !self.saga.is_past_pivot() {
            return self.take_back(None);
        }
        self.park(Stage::Parked)
    }

    /// A step is still not taken back. It must be, so it is tried patiently, and never more than so often by itself.
    fn not_undone(&self) -> Reaction {
        if self.saga.at.attempt < RetryClass::Patient.tries() {
            return self.wait(Stage::UndoReady, RetryClass::Patient);
        }
        self.park(Stage::UndoParked)
    }

    fn class(&self) -> RetryClass {
        let plan = self.saga.plan(self.cursor());
        plan.map_or(RetryClass::Patient, |plan| plan.class)
    }

    fn wait(&self, stage: Stage, class: RetryClass) -> Reaction {
        let at = self.saga.at;
        let until = self.now.after_ms(class.wait_ms(at.attempt, self.number));
        Reaction::Move(Move {
            mark: None,
            to: self.to(stage, at.cursor, at.attempt, until),
        })
    }

    fn park(&self, stage: Stage) -> Reaction {
        let at = self.saga.at;
        Reaction::Move(Move {
            mark: None,
            to: self.to(stage, at.cursor, at.attempt, self.now),
        })
    }

    /// From here on back. A step that was never tried is barred: it may not be done late.
    fn take_back(&self, settled: Option<(u8, Mark)>) -> Reaction {
        let cursor = self.cursor();
        let mark = settled.or_else(|| {
            let untried = self.saga.mark(cursor) == Mark::New;
            untried.then_some((cursor, Mark::Barred))
        });
        self.back(mark)
    }

    fn back_from(&self, step: u8, mark: Mark) -> Reaction {
        self.back(Some((step, mark)))
    }

    /// The last step that has to be taken back comes next.
    fn back(&self, mark: Option<(u8, Mark)>) -> Reaction {
        let known = |at: u8, held: Mark| match mark {
            Some((step, new)) if step == at => new,
            _ => held,
        };
        let open = self.saga.steps().filter(|(at, plan, held)| {
            plan.compensates && matches!(known(*at, *held), Mark::Begun | Mark::Done)
        });
        let to = match open.map(|(at, ..)| at).last() {
            Some(step) => self.to(Stage::UndoReady, step, 0, self.now),
            None => self.to(Stage::Compensated, self.cursor(), 0, self.now),
        };
        Reaction::Move(Move { mark, to })
    }
}

#[cfg(test)]
mod tests;
