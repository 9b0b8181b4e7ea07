//! Refunds that the provider refused: the next try, and its withdrawal before it is sent.

use ledger::{Funds, Minor, Violation};

use super::Book;
use super::order::{Order, RefundRecord, RefundState};
use crate::Time;
use crate::entry::{Again, EffectKind, Entry};

/// How long the first refusal of a refund that nobody would ask for again makes it wait: a minute, then twice as long
/// each time.
const AGAIN_MS: u64 = 60_000;
/// The longest such wait: six hours.
const AGAIN_MS_MOST: u64 = 6 * 3_600_000;
/// How long a refund waits that was told paid and then failed: two reports that came in the wrong order are seen by the
/// reconciler meanwhile.
const UNDONE_MS: u64 = 3_600_000;
/// A try whose time comes no sooner was not sent; the clock of whoever sends may be ahead by less.
const UNSENT_MS: u64 = 5_000;

/// What ends tries before they are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overtaken {
    order: u32,
    /// The refund that was paid after all; none where the buyer's bank took money back.
    paid: Option<u16>,
}

impl Book {
    /// Whether an entry that is not applied yet leaves tries behind that should not be sent any more.
    pub(crate) fn overtakes(&self, entry: &Entry) -> Option<Overtaken> {
        match entry {
            Entry::Refunded { order, number } => {
                let refund = self.orders.get(*order)?.refund(*number)?;
                let by = Overtaken {
                    order: *order,
                    paid: Some(*number),
                };
                (refund.state == RefundState::Failed).then_some(by)
            }
            Entry::ChargedBack { order, .. } => Some(Overtaken {
                order: *order,
                paid: None,
            }),
            _ => None,
        }
    }

    /// Ends tries that were not sent yet and whose money is no longer owed: the refused refund was paid after all, or
    /// the buyer's bank took the money back.
    pub(crate) fn withdraw(
        &mut self,
        now: Time,
        by: Overtaken,
        out: &mut Vec<Entry>,
    ) -> Result<(), Violation> {
        while let Some(entry) = self.withdrawn(now, by) {
            self.apply(now, &entry)?;
            out.push(entry);
            if by.paid.is_some() {
                break;
            }
        }
        Ok(())
    }

    fn withdrawn(&self, now: Time, by: Overtaken) -> Option<Entry> {
        let order = self.orders.get(by.order)?;
        let mut waiting = (1_u16..)
            .zip(order.refunds())
            .filter(|&(at, _)| self.is_unsent(now, by.order, at));
        match by.paid {
            Some(paid) => waiting
                .find(|&(at, refund)| at > paid && is_tried_again(order, paid, refund))
                .map(|(at, _)| withdrawal(by.order, at, None)),
            None => waiting.find_map(|(at, refund)| self.cut(by.order, order, at, refund)),
        }
    }

    /// Whether the entry ends a try that was not sent, as [`Book::withdraw`] does.
    pub(crate) fn is_withdrawal(&self, now: Time, entry: &Entry) -> bool {
        let Entry::RefundFailed {
            order: number,
            number: at,
            again,
        } = entry
        else {
            return false;
        };
        let Some((order, refund)) = self
            .orders
            .get(*number)
            .and_then(|order| Some((order, order.refund(*at)?)))
        else {
            return false;
        };
        let paid = |paid| {
            let found = order.refund(paid);
            found.is_some_and(|found| found.state == RefundState::Refunded)
                && is_tried_again(order, paid, refund)
        };
        self.is_unsent(now, *number, *at)
            && (self.cut(*number, order, *at, refund).as_ref() == Some(entry)
                || (again.is_none() && (1..*at).any(paid)))
    }

    fn is_unsent(&self, now: Time, order: u32, number: u16) -> bool {
        let refund = self
            .orders
            .get(order)
            .and_then(|order| order.refund(number));
        let Some(refund) = refund.filter(|refund| refund.automatic) else {
            return false;
        };
        let charge = refund.charge;
        let effect = self
            .effects
            .get(&(order, EffectKind::Refund { number, charge }));
        effect.is_some_and(|pending| pending.not_before >= now.after_ms(UNSENT_MS))
    }

    /// A try for more than is left, cut to what is.
    fn cut(&self, order: u32, of: &Order, number: u16, refund: &RefundRecord) -> Option<Entry> {
        let left = left_without(of.funds(), refund)?;
        if refund.amount <= left {
            return None;
        }
        let charge = refund.charge;
        let effect = self
            .effects
            .get(&(order, EffectKind::Refund { number, charge }))?;
        let again = of.next_refund().map(|next| Again {
            number: next,
            charge,
            amount: left,
            not_before: effect.not_before,
        });
        Some(withdrawal(
            order,
            number,
            again.filter(|_| left.is_positive()),
        ))
    }
}

fn withdrawal(order: u32, number: u16, again: Option<Again>) -> Entry {
    Entry::RefundFailed {
        order,
        number,
        again,
    }
}

/// Whether this refund is a later try of the one that was paid after all.
fn is_tried_again(order: &Order, paid: u16, refund: &RefundRecord) -> bool {
    order.refund(paid).is_some_and(|first| {
        first.charge == refund.charge
            && refund.automatic
            && refund.state == RefundState::Pending
            && refund.amount <= first.amount
    })
}

/// What would be left if a refund ended without money.
fn left_without(mut funds: Funds, refund: &RefundRecord) -> Option<Minor> {
    match refund.state {
        RefundState::Pending => funds.release(refund.amount).ok()?,
        RefundState::Refunded => funds.come_back(refund.amount).ok()?,
        RefundState::Failed => {}
    }
    Some(funds.left())
}

/// The next try of a refused refund: of one that Tidegate began itself, or whose order was given up meanwhile, so that
/// nobody would ask again. It waits longer each time (dtm#306).
pub(super) fn again(now: Time, order: &Order, refused: &RefundRecord) -> Option<Again> {
    if stdx::mutants::is("declined-refund-is-forgotten") {
        return None;
    }
    let number = order
        .next_refund()
        .filter(|_| refused.automatic || !order.is_sold())?;
    let amount = refused.amount.min(left_without(order.funds(), refused)?);
    let failed = |refund: &&RefundRecord| {
        refund.charge == refused.charge && refund.state == RefundState::Failed
    };
    let failures = order.refunds().iter().filter(failed).count();
    let wait = AGAIN_MS
        .saturating_mul(1 << failures.min(16))
        .min(AGAIN_MS_MOST);
    let wait = match refused.state {
        RefundState::Refunded => wait.max(UNDONE_MS),
        RefundState::Pending | RefundState::Failed => wait,
    };
    amount.is_positive().then(|| Again {
        number,
        charge: refused.charge,
        amount,
        not_before: now.after_ms(wait),
    })
}
