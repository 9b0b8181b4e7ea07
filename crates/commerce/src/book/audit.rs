//! The invariants, counted from the ground up: what `verify` and the tests ask of a book.

use std::collections::BTreeMap;

use ledger::Violation;

use super::order::Phase;
use super::{Book, Tally};

impl Book {
    /// Counts everything anew from the orders and compares it with the running accounts: INV-1, INV-2, INV-3, INV-5,
    /// INV-9 and INV-10. Takes time in proportion to the orders.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        self.check_units()?;
        self.check_money()?;
        self.check_limits()?;
        self.check_tally()
    }

    fn check_units(&self) -> Result<(), Violation> {
        let mut held = vec![0_u64; self.skus.len()];
        let mut sold = vec![0_u64; self.skus.len()];
        for order in self.orders.iter() {
            for line in order.lines.as_slice() {
                // INV-3: a hold exists exactly while its order is held.
                if line.hold.is_some() != (order.phase == Phase::Held) {
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
                if order.was_sold() {
                    *sold += u64::from(line.units.get() - line.restocked);
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
            let pending: i64 = order
                .refunds()
                .iter()
                .filter(|refund| refund.state == super::order::RefundState::Pending)
                .map(|refund| refund.amount.0)
                .sum();
            let back: i64 = order
                .refunds()
                .iter()
                .filter(|refund| refund.state == super::order::RefundState::Refunded)
                .map(|refund| refund.amount.0)
                .sum();
            if pending != funds.held().0 || back != funds.refunded().0 {
                let detail = format!(
                    "order {number}: refunds sum up to {pending} pending and {back} paid: {funds:?}"
                );
                return Err(Violation::new("INV-2", detail));
            }
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), Violation> {
        let mut units = BTreeMap::<u32, u64>::new();
        for order in self.orders.iter().filter(|order| order.counts()) {
            let counted = order
                .lines
                .as_slice()
                .iter()
                .map(|line| u64::from(line.units.get() - line.returned));
            *units.entry(order.buyer).or_default() += counted.sum::<u64>();
        }
        for buyer in 0..self.buyers.len() {
            let counted = units.get(&buyer).copied().unwrap_or(0);
            let kept = u64::from(self.buyers.units(Some(buyer)));
            if counted != kept {
                return Err(Violation::new(
                    "INV-5",
                    format!("buyer {buyer} has {counted} units, counted as {kept}"),
                ));
            }
        }
        Ok(())
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
