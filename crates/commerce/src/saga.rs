//! Sagas: what has to happen outside, one step after the other, and how it is taken back. Pure.
//!
//! Money moves by commands of the book only; a saga is for what lies outside: a carrier that is booked, a notice that
//! is sent. Where a saga stands is part of the book, and each step is on record before it is tried (law 4).
//!
//! ```text
//!   Ready ──due──▶ Calling ──done──▶ the next step … Done          forward only once the pivot is done
//!     ▲              │ no answer: later, the same key
//!     └──────────────┤ too often: Parked, until an operator says retry, skip or compensate
//!                    └ refused, or too often before the pivot: UndoReady ──▶ Undoing … in reverse … Compensated
//! ```
//!
//! Start with [`Kind::steps`], then [`machine`]. Invariants: a step has one key for ever, whatever is tried under it
//! (INV-4); each pair of a place and an event has an answer. Not here: calls, waits, the clock.

pub mod barrier;
pub mod machine;

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::entry::Bound;

/// Steps of one saga, at most.
pub const STEPS_MOST: usize = 6;
/// Attempts of one sale that may be under way at once. The rest wait, so that a deadline never runs for a call that
/// has not been made.
pub const CALLS_MOST: usize = 64;
/// How long the book waits for an answer beyond a step's own time, in milliseconds.
pub const GRACE_MS: u64 = 250;

/// What a saga does. Each kind has a fixed list of steps; a list never changes, a new one is a new kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// A paid order goes to its buyer: charge, carrier, notice.
    Fulfilment,
    /// The same over a border: charge, customs, carrier, notice.
    CrossBorder,
}

/// How a step is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryClass {
    /// A few tries in a short time. What stays without an answer is taken back, as long as the pivot is not done.
    Brief,
    /// Twelve tries with growing waits, over some minutes. What stays without an answer is parked.
    Patient,
}

impl RetryClass {
    /// Attempts, at most, until an operator asks for more.
    #[must_use]
    pub const fn tries(self) -> u16 {
        match self {
            Self::Brief => 4,
            Self::Patient => 12,
        }
    }

    /// The wait after this many attempts, in milliseconds. `scatter` spreads sagas that failed together.
    #[must_use]
    pub fn wait_ms(self, attempts: u16, scatter: u32) -> u64 {
        let (first, most) = match self {
            Self::Brief => (100, 400),
            Self::Patient => (100, 60_000),
        };
        let wait = (first << u64::from(attempts.saturating_sub(1).min(16))).min(most);
        wait + u64::from(scatter).wrapping_mul(37) % (wait / 8 + 1)
    }
}

/// One step of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepPlan {
    /// Its name, for people and participants.
    pub name: &'static str,
    /// Whether it can be taken back.
    pub compensates: bool,
    /// Once it is done nothing is taken back any more.
    pub pivot: bool,
    /// How long one attempt may take, in milliseconds.
    pub timeout_ms: u32,
    /// How it is tried again.
    pub class: RetryClass,
}

const CHARGE: StepPlan = StepPlan {
    name: "charge",
    compensates: true,
    pivot: false,
    timeout_ms: 1_000,
    class: RetryClass::Patient,
};
const CUSTOMS: StepPlan = StepPlan {
    name: "customs",
    compensates: true,
    pivot: false,
    timeout_ms: 500,
    class: RetryClass::Brief,
};
const CARRIER: StepPlan = StepPlan {
    name: "carrier",
    compensates: true,
    pivot: true,
    timeout_ms: 1_000,
    class: RetryClass::Patient,
};
const NOTICE: StepPlan = StepPlan {
    name: "notice",
    compensates: false,
    pivot: false,
    timeout_ms: 1_000,
    class: RetryClass::Patient,
};

impl Kind {
    /// All kinds.
    pub const ALL: &'static [Self] = &[Self::Fulfilment, Self::CrossBorder];

    /// Its steps in order.
    #[must_use]
    pub const fn steps(self) -> &'static [StepPlan] {
        match self {
            Self::Fulfilment => &[CHARGE, CARRIER, NOTICE],
            Self::CrossBorder => &[CHARGE, CUSTOMS, CARRIER, NOTICE],
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fulfilment => "fulfilment",
            Self::CrossBorder => "cross_border",
        }
    }
}

/// Which way a step is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// It is done.
    Forward,
    /// It is taken back.
    Undo,
}

/// What a participant said to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// It is done.
    Done,
    /// It will not be done, for good.
    Failed,
    /// Nobody knows; unknown is not failed.
    Unknown,
}

/// What an operator may ask of a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Try the parked or waiting step again, now.
    Retry,
    /// Take the parked step as settled outside.
    Skip,
    /// Take everything back.
    Compensate,
}

/// What happens to a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// What the saga waits for is due.
    Due,
    /// A participant answered, or did not in time.
    Answer {
        /// To which step.
        step: u8,
        /// Asked which way.
        op: Op,
        /// What it said.
        said: Said,
    },
    /// An operator decided.
    Verb(Verb),
}

/// Where a saga stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// The next attempt of a step waits for its time.
    Ready,
    /// An attempt is under way.
    Calling,
    /// Tried too often; an operator decides.
    Parked,
    /// The next attempt to take a step back waits for its time.
    UndoReady,
    /// An attempt to take a step back is under way.
    Undoing,
    /// Tried to take back too often; an operator decides.
    UndoParked,
    /// Every step is done or was skipped.
    Done,
    /// Everything that was done is taken back.
    Compensated,
}

impl Stage {
    /// All stages.
    pub const ALL: &'static [Self] = &[
        Self::Ready,
        Self::Calling,
        Self::Parked,
        Self::UndoReady,
        Self::Undoing,
        Self::UndoParked,
        Self::Done,
        Self::Compensated,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Calling => "calling",
            Self::Parked => "parked",
            Self::UndoReady => "undo_ready",
            Self::Undoing => "undoing",
            Self::UndoParked => "undo_parked",
            Self::Done => "done",
            Self::Compensated => "compensated",
        }
    }

    /// Whether nothing more happens by itself or by an operator.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Compensated)
    }

    /// Which way an attempt is under way, if one is.
    #[must_use]
    pub const fn calls(self) -> Option<Op> {
        match self {
            Self::Calling => Some(Op::Forward),
            Self::Undoing => Some(Op::Undo),
            _ => None,
        }
    }

    /// Whether the next attempt waits for its time.
    #[must_use]
    pub const fn waits(self) -> bool {
        matches!(self, Self::Ready | Self::UndoReady)
    }
}

/// A saga's exact place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The stage.
    pub stage: Stage,
    /// The step it is about.
    pub cursor: u8,
    /// Attempts of this step, this way, so far.
    pub attempt: u16,
    /// When the next attempt may begin, or when an answer counts as missing.
    pub until: Time,
}

/// What is known of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Mark {
    /// Never tried.
    #[default]
    New,
    /// Tried, outcome not known.
    Begun,
    /// Done.
    Done,
    /// Refused for good.
    Failed,
    /// An operator took it as settled.
    Skipped,
    /// Taken back.
    Undone,
    /// Taken back before it was ever tried: it may never be done any more.
    Barred,
}

impl Mark {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Undone => "undone",
            Self::Barred => "barred",
        }
    }
}

/// What an event did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// What is known of a step now, if that changed.
    pub mark: Option<(u8, Mark)>,
    /// Where the saga stands now.
    pub to: Place,
}

/// A saga.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saga {
    /// What it does.
    pub kind: Kind,
    /// For which order.
    pub order: u32,
    /// When it began.
    pub begun: Time,
    /// When its step last changed: the age of what is unfinished counts from here.
    pub since: Time,
    /// Where it stands.
    pub at: Place,
    /// What is known of each step.
    pub marks: [Mark; STEPS_MOST],
}

impl Saga {
    /// A saga that has not tried anything yet.
    #[must_use]
    pub fn new(kind: Kind, order: u32, now: Time) -> Self {
        Self {
            kind,
            order,
            begun: now,
            since: now,
            at: Place {
                stage: Stage::Ready,
                cursor: 0,
                attempt: 0,
                until: now,
            },
            marks: [Mark::New; STEPS_MOST],
        }
    }

    /// The plan of a step.
    #[must_use]
    pub fn plan(&self, step: u8) -> Option<&'static StepPlan> {
        self.kind.steps().get(usize::from(step))
    }

    /// What is known of a step.
    #[must_use]
    pub fn mark(&self, step: u8) -> Mark {
        self.marks
            .get(usize::from(step))
            .copied()
            .unwrap_or_default()
    }

    /// Steps and what is known of them.
    pub fn steps(&self) -> impl Iterator<Item = (u8, &'static StepPlan, Mark)> + '_ {
        let steps = self.kind.steps().iter().zip(0_u8..);
        steps.map(|(plan, at)| (at, plan, self.mark(at)))
    }

    /// Whether nothing may be taken back any more.
    #[must_use]
    pub fn is_past_pivot(&self) -> bool {
        self.steps()
            .any(|(_, plan, mark)| plan.pivot && matches!(mark, Mark::Done | Mark::Skipped))
    }

    /// Takes a move over.
    pub fn follow(&mut self, change: &Move, now: Time) {
        if let Some((step, mark)) = change.mark
            && let Some(held) = self.marks.get_mut(usize::from(step))
        {
            *held = mark;
        }
        let stays = self.at.cursor == change.to.cursor
            && self.at.stage.is_forward() == change.to.stage.is_forward();
        if !stays {
            self.since = now;
        }
        self.at = change.to;
    }
}

impl Stage {
    const fn is_forward(self) -> bool {
        matches!(
            self,
            Self::Ready | Self::Calling | Self::Parked | Self::Done
        )
    }
}

/// An attempt under way, recorded before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Of which saga.
    pub saga: u32,
    /// For which order.
    pub order: u32,
    /// What the saga does.
    pub kind: Kind,
    /// Which step.
    pub step: u8,
    /// Which way.
    pub op: Op,
    /// Which attempt, from 1.
    pub attempt: u16,
    /// When its answer counts as missing.
    pub until: Time,
}

/// The name of a step at its participant, the same for every attempt: `sag_<sale>_<saga>_<step>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepKey {
    /// The sale's number.
    pub sale: u32,
    /// The saga's number.
    pub saga: u32,
    /// The step.
    pub step: u8,
}

impl std::fmt::Display for StepKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sag_{}_{}_{}", self.sale, self.saga, self.step)
    }
}

/// What may be asked of a book about its sagas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SagaAsk {
    /// From now on every order that is ready begins a saga of this kind; `None` for none.
    Begin(Option<Kind>),
    /// A participant answered.
    Answer {
        /// Which saga.
        saga: u32,
        /// To which step.
        step: u8,
        /// Asked which way.
        op: Op,
        /// What it said.
        said: Said,
    },
    /// An operator decided.
    Verb {
        /// Which saga.
        saga: u32,
        /// What.
        verb: Verb,
    },
}

/// What the journal says of sagas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SagaEntry {
    /// From now on orders that are ready begin a saga of this kind.
    Chosen {
        /// Which; `None` for none.
        kind: Option<Kind>,
    },
    /// A saga began.
    Begun {
        /// Its number.
        saga: u32,
        /// What it does.
        kind: Kind,
        /// For which order.
        order: u32,
    },
    /// Something happened to a saga.
    Moved {
        /// Which.
        saga: u32,
        /// For which order.
        order: u32,
        /// What happened.
        event: Event,
        /// What it did.
        change: Move,
    },
    /// An operator decided.
    Ordered {
        /// Which.
        saga: u32,
        /// For which order.
        order: u32,
        /// What was asked.
        verb: Verb,
        /// What it did.
        change: Move,
        /// The key that asked.
        key: Bound,
    },
}
