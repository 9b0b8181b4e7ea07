//! What waits at a desk: commands to decide, questions to answer.

use commerce::{Book, Command, Entry, Outcome, Refusal, Time};
use ledger::Violation;
use tokio::sync::oneshot;
use world::journal::Position;

use super::{DeskError, Durable};

/// What a command came to, as its caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done<T> {
    /// What was done, or why not.
    pub decision: Result<T, Refusal>,
    /// The key had been used before.
    pub repeated: bool,
}

/// What became of an order that was asked for.
pub(super) enum Told<'a> {
    Accepted,
    Repeated,
    Refused(&'a Refusal),
}

/// One piece of work at a desk.
pub(super) trait Job: Send + std::fmt::Debug {
    /// How many commands it counts for.
    fn weight(&self) -> u32;

    /// Whether it may change the book.
    fn changes(&self) -> bool;

    /// Does the work; what is journalled goes to `entries`. A question may be asked again.
    fn run(
        &mut self,
        book: &mut Book,
        now: Time,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Violation>;

    /// Tells what became of each order that was asked for, for the counters.
    fn each_order(&self, tell: &mut dyn FnMut(Told<'_>));

    /// Answers the caller.
    fn finish(self: Box<Self>, result: Result<Position, DeskError>);
}

type Reply<T> = oneshot::Sender<Result<Durable<T>, DeskError>>;

/// Commands to decide.
pub(super) struct Submit<T, S> {
    commands: Vec<Command>,
    show: S,
    done: Vec<Done<T>>,
    reply: Reply<Vec<Done<T>>>,
}

impl<T, S: Fn(&Book, commerce::Done) -> T> Submit<T, S> {
    pub(super) fn new(commands: Vec<Command>, show: S, reply: Reply<Vec<Done<T>>>) -> Self {
        Self {
            done: Vec::with_capacity(commands.len()),
            commands,
            show,
            reply,
        }
    }
}

impl<T, S> std::fmt::Debug for Submit<T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Submit")
            .field("commands", &self.commands.len())
            .finish_non_exhaustive()
    }
}

impl<T: Send, S: Fn(&Book, commerce::Done) -> T + Send> Job for Submit<T, S> {
    fn weight(&self) -> u32 {
        u32::try_from(self.commands.len()).unwrap_or(u32::MAX)
    }

    fn changes(&self) -> bool {
        true
    }

    fn run(
        &mut self,
        book: &mut Book,
        now: Time,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Violation> {
        self.done.clear();
        for command in &self.commands {
            let Outcome { decision, repeated } = book.execute(now, command, entries)?;
            self.done.push(Done {
                decision: decision.map(|done| (self.show)(book, done)),
                repeated,
            });
        }
        Ok(())
    }

    fn each_order(&self, tell: &mut dyn FnMut(Told<'_>)) {
        for (command, done) in self.commands.iter().zip(&self.done) {
            if matches!(command.action, commerce::Action::Place(_)) {
                tell(match &done.decision {
                    Err(refusal) => Told::Refused(refusal),
                    Ok(_) if done.repeated => Told::Repeated,
                    Ok(_) => Told::Accepted,
                });
            }
        }
    }

    fn finish(self: Box<Self>, result: Result<Position, DeskError>) {
        let Self { done, reply, .. } = *self;
        // A caller who has gone away finds its answer again by its key.
        let _ = reply.send(result.map(|position| Durable {
            value: done,
            position,
        }));
    }
}

/// A question to answer.
pub(super) struct Ask<T, F> {
    look: F,
    value: Option<T>,
    reply: Reply<T>,
}

impl<T, F: FnMut(&Book) -> T> Ask<T, F> {
    pub(super) fn new(look: F, reply: Reply<T>) -> Self {
        Self {
            look,
            value: None,
            reply,
        }
    }
}

impl<T, F> std::fmt::Debug for Ask<T, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ask")
    }
}

impl<T: Send, F: FnMut(&Book) -> T + Send> Job for Ask<T, F> {
    fn weight(&self) -> u32 {
        1
    }

    fn changes(&self) -> bool {
        false
    }

    fn run(
        &mut self,
        book: &mut Book,
        _now: Time,
        _entries: &mut Vec<Entry>,
    ) -> Result<(), Violation> {
        self.value = Some((self.look)(book));
        Ok(())
    }

    fn each_order(&self, _tell: &mut dyn FnMut(Told<'_>)) {}

    fn finish(self: Box<Self>, result: Result<Position, DeskError>) {
        let Self { value, reply, .. } = *self;
        let answer = match (result, value) {
            (Ok(position), Some(value)) => Ok(Durable { value, position }),
            (Ok(_), None) => Err(DeskError::Unknown),
            (Err(error), _) => Err(error),
        };
        let _ = reply.send(answer);
    }
}
