//! Which call to the outside an entry begins.

use super::Book;
use crate::entry::{Effect, EffectKind, Entry, Fate};

impl Book {
    /// The effect that an entry just applied has begun, if it began one. It is carried out once the entry is durable
    /// (law 4).
    pub fn begun(&self, entry: &Entry) -> Option<Effect> {
        match entry {
            Entry::PayBegun { order, attempt, .. } => {
                self.open_effect(*order, EffectKind::Charge { attempt: *attempt })
            }
            Entry::Captured {
                order,
                fate: Fate::GoesBack { refund, .. },
                ..
            } => self.open_refund(*order, *refund),
            Entry::RefundBegun { refund, .. } => self.open_refund(refund.order, refund.number),
            Entry::Cancelled {
                refund: Some(refund),
                ..
            }
            | Entry::ShippedInPart { rest: refund, .. } => {
                self.open_refund(refund.order, refund.number)
            }
            Entry::RefundFailed {
                order,
                again: Some(again),
                ..
            } => self.open_refund(*order, again.number),
            _ => None,
        }
    }

    fn open_refund(&self, order: u32, number: u16) -> Option<Effect> {
        let charge = self.orders.get(order)?.refund(number)?.charge;
        self.open_effect(order, EffectKind::Refund { number, charge })
    }
}
