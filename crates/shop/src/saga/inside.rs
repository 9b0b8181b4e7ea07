//! Participants inside this process: the book itself, the notices, and one that is not there.

use std::sync::{Arc, Weak};

use commerce::saga::{Op, Said};
use commerce::{Action, Actor, Command, OrderStatus, Refusal};

use super::participant::{Asking, Heard, Participant, StepAsk};
use crate::registry::Registry;

/// The book: a charge counts once the order may go out. Money moves by the book's own commands only, so taking a charge
/// back is giving the order up.
#[derive(Clone)]
pub(super) struct Charge(pub(super) Weak<Registry>);

impl std::fmt::Debug for Charge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Charge")
    }
}

impl Charge {
    async fn forward(&self, ask: &StepAsk) -> Option<Said> {
        let (desk, order) = self.place(ask)?;
        let ready = desk.ask(move |book| book.is_ready(order)).await.ok()?.value;
        Some(if ready { Said::Done } else { Said::Failed })
    }

    async fn undo(&self, ask: &StepAsk) -> Option<Said> {
        let (desk, order) = self.place(ask)?;
        let command = Command {
            actor: Actor::House,
            key: Some(format!("{}_undo", ask.key).into()),
            action: Action::Cancel { order },
        };
        let mut done = desk.submit(vec![command], |_, _| ()).await.ok()?;
        Some(match done.value.pop()?.decision {
            Ok(()) => Said::Done,
            // It was given up before, its money went back before, or the goods left by hand: nothing is left to do.
            Err(Refusal::HoldExpired) => Said::Done,
            Err(Refusal::OrderState { state }) => match state {
                OrderStatus::Held | OrderStatus::Paying => Said::Failed,
                _ => Said::Done,
            },
            Err(_) => Said::Failed,
        })
    }

    fn place(&self, ask: &StepAsk) -> Option<(crate::desk::DeskHandle, u32)> {
        let desk = self.0.upgrade()?.seated(ask.key.sale)?;
        Some((desk, u32::try_from(ask.order.number()).ok()?))
    }
}

impl Participant for Charge {
    fn act(&self, ask: StepAsk) -> Asking<'_, Said> {
        Box::pin(async move {
            let said = match ask.op {
                Op::Forward => self.forward(&ask).await,
                Op::Undo => self.undo(&ask).await,
            };
            said.unwrap_or(Said::Unknown)
        })
    }

    /// Both ways are safe to do again, so there is nothing to ask.
    fn status(&self, _ask: StepAsk) -> Asking<'_, Heard> {
        Box::pin(async { Heard::Nothing })
    }
}

/// The notices read the journal: that this step is on record is all that they need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notices;

impl Participant for Notices {
    fn act(&self, _ask: StepAsk) -> Asking<'_, Said> {
        Box::pin(async { Said::Done })
    }

    fn status(&self, _ask: StepAsk) -> Asking<'_, Heard> {
        Box::pin(async { Heard::Nothing })
    }
}

/// A participant that is not configured any more: what was begun with it waits, and is parked in the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Absent;

impl Participant for Absent {
    fn act(&self, _ask: StepAsk) -> Asking<'_, Said> {
        Box::pin(async { Said::Unknown })
    }

    fn status(&self, _ask: StepAsk) -> Asking<'_, Heard> {
        Box::pin(async { Heard::Said(Said::Unknown) })
    }
}

/// The participants inside, by step.
pub(super) fn inside(registry: &Arc<Registry>, step: &str) -> Arc<dyn Participant> {
    match step {
        "charge" => Arc::new(Charge(Arc::downgrade(registry))),
        "notice" => Arc::new(Notices),
        _ => Arc::new(Absent),
    }
}
