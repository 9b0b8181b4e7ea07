//! What coupons gave so far, over all buyers and to each.
//!
//! Counted while an order is held or sold, like limits: an order that ends without a sale, or is given up, gives its
//! coupons back.

use std::collections::BTreeMap;

use ledger::Minor;

use super::buyers::NOBODY;
use crate::price::{CouponAsk, Discounts};

/// Uses of coupons, by their place in the offer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Coupons {
    /// What each gave, and how often; never both zero.
    given: BTreeMap<u16, (i64, u32)>,
    /// How often each buyer used each; never zero.
    uses: BTreeMap<(u16, u32), u32>,
}

impl Coupons {
    pub(crate) fn spent(&self, coupon: u16) -> Minor {
        self.given
            .get(&coupon)
            .map_or(Minor::ZERO, |&(spent, _)| Minor(spent))
    }

    pub(crate) fn times(&self, coupon: u16) -> u32 {
        self.given.get(&coupon).map_or(0, |&(_, times)| times)
    }

    pub(crate) fn uses(&self, coupon: u16, buyer: u32) -> u32 {
        self.uses.get(&(coupon, buyer)).copied().unwrap_or(0)
    }

    /// A coupon that is asked for, with what was used of it before.
    pub(crate) fn asked<'a>(
        &self,
        discounts: &Discounts,
        code: &'a str,
        buyer: Option<u32>,
    ) -> CouponAsk<'a> {
        let place = discounts.coupon(code).map(|(place, _)| place);
        CouponAsk {
            code,
            uses: place
                .zip(buyer)
                .map_or(0, |(place, buyer)| self.uses(place, buyer)),
            spent: place.map_or(Minor::ZERO, |place| self.spent(place)),
        }
    }

    pub(crate) fn take(&mut self, buyer: u32, coupons: impl Iterator<Item = (u16, Minor)>) {
        for (coupon, off) in coupons {
            let (spent, times) = self.given.entry(coupon).or_default();
            *spent = spent.saturating_add(off.0);
            *times = times.saturating_add(1);
            // Orders of nobody are not one buyer's.
            if buyer != NOBODY {
                *self.uses.entry((coupon, buyer)).or_default() += 1;
            }
        }
    }

    pub(crate) fn give_back(&mut self, buyer: u32, coupons: impl Iterator<Item = (u16, Minor)>) {
        for (coupon, off) in coupons {
            if let Some((spent, times)) = self.given.get_mut(&coupon) {
                *spent = spent.saturating_sub(off.0);
                *times = times.saturating_sub(1);
                if *times == 0 {
                    self.given.remove(&coupon);
                }
            }
            if let Some(uses) = self.uses.get_mut(&(coupon, buyer)) {
                *uses = uses.saturating_sub(1);
                if *uses == 0 {
                    self.uses.remove(&(coupon, buyer));
                }
            }
        }
    }
}
