//! The invariants, counted from the ground up: what `verify` and the tests ask of a book.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Minor, Violation};

use super::buyers::{Limited, NOBODY};
use super::coupons::Coupons;
use super::order::{Order, Phase, RefundState};
use super::{Book, Tally};
use crate::entry::EffectKind;

impl Book {
    /// Counts everything anew from the orders and compares it with the running accounts: INV-1 to INV-5, INV-9 and
    /// INV-10. Takes time in proportion to the orders.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        self.check_units()?;
        self.check_money()?;
        self.check_effects()?;
        self.check_limits()?;
        self.check_deadlines()?;
        self.check_teams()?;
        self.check_line_of()?;
        self.check_coupons_used()?;
        self.check_sagas()?;
        self.check_tally()
    }

    fn check_units(&self) -> Result<(), Violation> {
        let mut held = vec![0_u64; self.skus.len()];
        let mut sold = vec![0_u64; self.skus.len()];
        for order in self.orders.iter() {
            for line in order.lines.as_slice() {
                // INV-3: a hold exists exactly while its order is held.
                let holds = order.phase == Phase::Held && order.seat.has_goods();
                if line.hold.is_some() != holds {
                    return Err(Violation::new(
                        "INV-3",
                        "a hold outlived its order, or an order its hold",
                    ));
                }
                let at = line.sku as usize;
                let (Some(held), Some(sold)) = (held.get_mut(at), sold.get_mut(at)) else {
                    return Err(Violation::new("INV-9", format!("no SKU at {at}")));
                };
                *held += line
                    .hold
                    .as_ref()
                    .map_or(0, |hold| u64::from(hold.units().0));
                if order.was_sold() && order.seat.has_goods() {
                    *sold += u64::from(line.units.get() - line.restocked);
                }
            }
        }
        for (team, number) in self.teams.all.iter().zip(0_u32..) {
            if let Some(prizes) = &team.prizes {
                let sku = self.team_sku(number)? as usize;
                if let Some(held) = held.get_mut(sku) {
                    *held += u64::from(prizes.units().0);
                }
            }
        }
        for ((sku, held), sold) in self.skus.iter().zip(held).zip(sold) {
            sku.units.check()?;
            let (account, name) = (sku.units, &sku.sku);
            if (u64::from(account.held().0), u64::from(account.sold().0)) != (held, sold) {
                let detail = format!(
                    "{name}: orders hold {held} and bought {sold}, the account says {account:?}"
                );
                return Err(Violation::new("INV-9", detail));
            }
            // INV-1: never more sold and held than was stocked.
            if held + sold > u64::from(account.stocked().0) {
                return Err(Violation::new(
                    "INV-1",
                    format!("{name}: {held} held, {sold} sold: {account:?}"),
                ));
            }
        }
        Ok(())
    }

    fn check_money(&self) -> Result<(), Violation> {
        for (order, number) in self.orders.iter().zip(0_u32..) {
            let funds = order.funds();
            funds.check()?;
            let (pending, back) = (
                sum_of(order, RefundState::Pending),
                sum_of(order, RefundState::Refunded),
            );
            if (pending, back) != (funds.held(), funds.refunded()) {
                let detail = format!(
                    "order {number}: refunds sum up to {pending} pending and {back} paid: {funds:?}"
                );
                return Err(Violation::new("INV-2", detail));
            }
        }
        Ok(())
    }

    /// INV-4: every key is found once, and there is one open call for each charge and refund whose outcome is not known.
    fn check_effects(&self) -> Result<(), Violation> {
        if !self.keys.is_sound() {
            return Err(Violation::new(
                "INV-4",
                "a key is not found where it was bound",
            ));
        }
        let mut refunds = 0;
        for (order, number) in self.orders.iter().zip(0_u32..) {
            let attempt = EffectKind::Charge {
                attempt: order.attempt,
            };
            if order.is_charging() && !self.effects.contains_key(&(number, attempt)) {
                let lost = format!("the charge of order {number} is under way and in no list");
                return Err(Violation::new("INV-4", lost));
            }
            refunds += order
                .refunds()
                .iter()
                .filter(|refund| refund.state == RefundState::Pending)
                .count();
        }
        for &(number, kind) in self.effects.keys() {
            let order = self.orders.get(number);
            if !order.is_some_and(|order| is_open(order, kind)) {
                let over = format!("{kind:?} of order {number} is over and still in the list");
                return Err(Violation::new("INV-4", over));
            }
            refunds = refunds.wrapping_sub(usize::from(matches!(kind, EffectKind::Refund { .. })));
        }
        if refunds == 0 {
            return Ok(());
        }
        Err(Violation::new(
            "INV-4",
            "a refund is on its way and in no list",
        ))
    }

    fn check_limits(&self) -> Result<(), Violation> {
        let mut units = BTreeMap::<u32, u64>::new();
        let mut by_sku = BTreeMap::<(u32, u32), u32>::new();
        let mut counted = self.orders.iter().filter(|order| order.counts());
        counted.try_for_each(|order| {
            order.lines.as_slice().iter().try_for_each(|line| {
                let kept = line.units.get() - line.returned;
                *units.entry(order.buyer).or_default() += u64::from(kept);
                let limited = self.sku(line.sku)?.limited() == Limited::Yes;
                if limited && order.buyer != NOBODY && kept > 0 {
                    let used = by_sku.entry((order.buyer, line.sku)).or_default();
                    *used = used.saturating_add(kept);
                }
                Ok(())
            })
        })?;
        for buyer in 0..self.buyers.len() {
            let counted = units.get(&buyer).copied().unwrap_or(0);
            let kept = self.buyers.units(Some(buyer));
            if counted != kept {
                let detail = format!("buyer {buyer} has {counted} units, counted as {kept}");
                return Err(Violation::new("INV-5", detail));
            }
        }
        if by_sku != self.buyers.by_sku() {
            return Err(Violation::new(
                "INV-5",
                "units by buyer and SKU do not add up",
            ));
        }
        Ok(())
    }

    /// INV-3: each held order has a deadline that will be met.
    fn check_deadlines(&self) -> Result<(), Violation> {
        let due: BTreeSet<_> = self.due.places().collect();
        for (order, number) in self.orders.iter().zip(0_u32..) {
            if order.phase == Phase::Held && !due.contains(&(order.deadline(), number)) {
                let forgotten = format!("the hold of order {number} would never expire");
                return Err(Violation::new("INV-3", forgotten));
            }
        }
        Ok(())
    }

    fn check_coupons_used(&self) -> Result<(), Violation> {
        let mut anew = Coupons::default();
        for order in self.orders.iter().filter(|order| order.counts()) {
            anew.take(order.buyer, order.coupons());
        }
        if anew == self.coupons {
            return Ok(());
        }
        let detail = format!(
            "coupons do not add up: {:?}, counted {anew:?}",
            self.coupons
        );
        Err(Violation::new("INV-5", detail))
    }

    fn check_line_of(&self) -> Result<(), Violation> {
        if self.line.is_sound() {
            return Ok(());
        }
        Err(Violation::new("INV-3", "the waiting line does not add up"))
    }

    fn check_tally(&self) -> Result<(), Violation> {
        let mut tally = Tally {
            placed: self.orders.len(),
            ..Tally::default()
        };
        for order in self.orders.iter() {
            match order.phase {
                Phase::Held => tally.held += 1,
                Phase::Paid | Phase::Shipped | Phase::Delivered => tally.paid += 1,
                Phase::Cancelled => tally.cancelled += 1,
                Phase::Expired => tally.expired += 1,
            }
        }
        if tally == self.tally {
            return Ok(());
        }
        Err(Violation::new(
            "INV-3",
            format!("orders count {tally:?}, the book says {:?}", self.tally),
        ))
    }
}

fn sum_of(order: &Order, state: RefundState) -> Minor {
    let of = order
        .refunds()
        .iter()
        .filter(|refund| refund.state == state);
    // What does not fit equals no account.
    Minor(of.fold(0, |sum, refund| sum.saturating_add(refund.amount.0)))
}

/// Whether the outcome of this call to the outside is not known.
fn is_open(order: &Order, kind: EffectKind) -> bool {
    match kind {
        EffectKind::Charge { attempt } => {
            (1..=order.attempt).contains(&attempt) && !order.was_captured(attempt)
        }
        EffectKind::Refund { number, charge } => order
            .refund(number)
            .is_some_and(|refund| (refund.state, refund.charge) == (RefundState::Pending, charge)),
    }
}
