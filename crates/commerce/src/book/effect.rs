//! Which calls to the outside an entry begins.

use super::Book;
use crate::deal::{LapsedBalance, Settled};
use crate::entry::{Effect, EffectKind, Entry, Fate, RefundBegun};

impl Book {
    /// The effects that an entry just applied has begun. They are carried out once the entry is durable
    /// (law 4).
    pub fn begun(&self, entry: &Entry) -> impl Iterator<Item = Effect> {
        let several: &[RefundBegun] = match entry {
            Entry::RefundsBegun { refunds, .. } | Entry::GivenUp { refunds, .. } => refunds,
            _ => &[],
        };
        let lapsed: &[LapsedBalance] = match entry {
            Entry::BalanceLapsed { orders } => orders,
            _ => &[],
        };
        let settled: &[Settled] = match entry {
            Entry::TeamSettled { orders, .. } => orders,
            _ => &[],
        };
        let several = several
            .iter()
            .chain(lapsed.iter().filter_map(|lapsed| lapsed.refund.as_ref()))
            .chain(settled.iter().filter_map(Settled::refund))
            .filter_map(|refund| self.open_refund(refund.order, refund.number));
        self.begun_one(entry).into_iter().chain(several)
    }

    fn begun_one(&self, entry: &Entry) -> Option<Effect> {
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
