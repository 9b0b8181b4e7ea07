//! The goods: shipped and delivered.

use ledger::Violation;

use super::order::Phase;
use super::sale::accept;
use super::{Book, Done, Terms, Verdict};
use crate::command::Command;
use crate::entry::Entry;
use crate::{OrderStatus, Refusal, Time};

impl Book {
    pub(crate) fn decide_ship(
        &self,
        now: Time,
        terms: &Terms,
        command: &Command,
        number: u32,
    ) -> Verdict {
        let step = self.fulfil_step(now, terms, command, number, Phase::Paid);
        step.map_or_else(Verdict::from, |key| {
            accept(Entry::Shipped { order: number, key })
        })
    }

    pub(crate) fn decide_deliver(
        &self,
        now: Time,
        terms: &Terms,
        command: &Command,
        number: u32,
    ) -> Verdict {
        let step = self.fulfil_step(now, terms, command, number, Phase::Shipped);
        step.map_or_else(Verdict::from, |key| {
            accept(Entry::Delivered { order: number, key })
        })
    }

    /// No step is skipped: paid, then shipped, then delivered; and nothing leaves whose money went back.
    fn fulfil_step(
        &self,
        now: Time,
        terms: &Terms,
        command: &Command,
        number: u32,
        from: Phase,
    ) -> Result<crate::entry::Bound, Refusal> {
        let order = self.seen(command, number)?;
        let state = order.status(now);
        if order.phase != from || state == OrderStatus::Refunded {
            return Err(Refusal::OrderState { state });
        }
        Self::bound(&terms.secret, command)
    }

    pub(crate) fn apply_fulfil(&mut self, entry: &Entry) -> Result<(), Violation> {
        let (number, key, phase) = match entry {
            Entry::Shipped { order, key } => (*order, key, Phase::Shipped),
            Entry::Delivered { order, key } => (*order, key, Phase::Delivered),
            _ => return Ok(()),
        };
        self.order_mut(number)?.phase = phase;
        self.keys.bind(key, Done::Order(number));
        Ok(())
    }
}
