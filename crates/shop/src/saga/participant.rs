//! Participants: who does a saga's steps outside, whoever they are.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use api::OrderId;
use commerce::saga::{Kind, Op, Said, StepKey};

/// What a participant says, when it says something.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A step to do, to take back, or to ask about.
#[derive(Debug, Clone)]
pub struct StepAsk {
    /// The step's name at the participant: the same for every attempt, for ever.
    pub key: StepKey,
    /// Which way.
    pub op: Op,
    /// What the saga does.
    pub kind: Kind,
    /// The step's name.
    pub step: &'static str,
    /// For which order.
    pub order: OrderId,
    /// Which attempt, from 1.
    pub attempt: u16,
}

/// What a participant knows of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// This is its end.
    Said(Said),
    /// It never heard of it.
    Nothing,
}

/// Does steps. The same key gives the same end however often it is asked, a step taken back before it was done may
/// never be done later ([`commerce::saga::barrier`]), and no answer is never an answer.
pub trait Participant: Send + Sync + fmt::Debug {
    /// Does the step, or takes it back.
    fn act(&self, ask: StepAsk) -> Asking<'_, Said>;

    /// What became of the step, this way.
    fn status(&self, ask: StepAsk) -> Asking<'_, Heard>;
}
