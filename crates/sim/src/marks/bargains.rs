//! What became of a sale's coupons and rules, as marks need it: counted while a desk's journal is read.

use std::collections::{BTreeMap, BTreeSet};

use commerce::deal::{Deal, Settled};
use commerce::entry::Fate;
use commerce::price::PriceWhat;
use commerce::{Entry, Offer};

/// Rare things about coupons and rules.
#[derive(Debug, Default)]
pub(super) struct Bargains {
    /// An order took what was left of a budget.
    pub(super) used_up: bool,
    /// A use fitted only since an earlier one had been given back.
    pub(super) used_again: bool,
    /// Late money went back, and its coupon was used up.
    pub(super) late_without: bool,
    /// Rules changed between two orders.
    pub(super) ruled_anew: bool,
    /// A coupon in use changed.
    pub(super) altered: bool,
    offer: Offer,
    /// What each order uses of which coupons.
    orders: BTreeMap<u32, Vec<(u16, i64)>>,
    ended: BTreeSet<u32>,
    /// What each coupon gave to orders that are held or sold, and to those that ended.
    given: BTreeMap<u16, i64>,
    back: BTreeMap<u16, i64>,
}

impl Bargains {
    pub(super) fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::CreatedWith { offer, .. } => self.offer = (**offer).clone(),
            Entry::OfferAltered { offer, .. } => self.alter(offer),
            Entry::Dealt(dealt) => self.place(dealt.placed.order, &dealt.deal),
            Entry::Expired { orders } => orders.iter().for_each(|order| self.end(*order)),
            Entry::BalanceLapsed { orders } => orders.iter().for_each(|one| self.end(one.order)),
            Entry::Cancelled { order, .. } | Entry::GivenUp { order, .. } => self.end(*order),
            Entry::TeamSettled { orders, .. } => {
                for settled in orders {
                    if let Settled::Voided { order } | Settled::GivenUp { order, .. } = settled {
                        self.end(*order);
                    }
                }
            }
            Entry::Captured { order, fate, .. } => self.late(*order, *fate),
            _ => {}
        }
    }

    fn alter(&mut self, offer: &Offer) {
        let (old, new) = (&self.offer, offer);
        self.ruled_anew |=
            !self.orders.is_empty() && !new.rules.is_empty() && old.rules != new.rules;
        let coupons = old.discounts.coupons.iter().zip(&new.discounts.coupons);
        self.altered |= coupons.zip(0_u16..).any(|((old, new), place)| {
            old != new && self.given.get(&place).is_some_and(|sum| *sum > 0)
        });
        self.offer = offer.clone();
    }

    fn budget(&self, coupon: u16) -> Option<i64> {
        let coupon = self.offer.discounts.coupons.get(usize::from(coupon))?;
        coupon.budget.map(|budget| budget.0)
    }

    fn place(&mut self, order: u32, deal: &Deal) {
        let used = deal.price.iter().filter_map(|line| match line.what {
            PriceWhat::Coupon { coupon } => Some((coupon, -line.amount.0)),
            _ => None,
        });
        let used: Vec<(u16, i64)> = used.collect();
        for (coupon, off) in &used {
            let given = self.given.entry(*coupon).or_default();
            *given += off;
            let (given, back) = (*given, self.back.get(coupon).copied().unwrap_or(0));
            let budget = self.budget(*coupon);
            self.used_up |= budget == Some(given);
            self.used_again |= budget.is_some_and(|budget| given + back > budget);
        }
        self.orders.insert(order, used);
    }

    fn end(&mut self, order: u32) {
        if !self.ended.insert(order) {
            return;
        }
        for (coupon, off) in self.orders.get(&order).into_iter().flatten() {
            *self.given.entry(*coupon).or_default() -= off;
            *self.back.entry(*coupon).or_default() += off;
        }
    }

    fn late(&mut self, order: u32, fate: Fate) {
        let used = self.orders.get(&order).cloned().unwrap_or_default();
        match fate {
            Fate::KeptAgain | Fate::DepositAgain if self.ended.remove(&order) => {
                for (coupon, off) in used {
                    *self.given.entry(coupon).or_default() += off;
                }
            }
            Fate::GoesBack { .. } if self.ended.contains(&order) => {
                self.late_without |= used.iter().any(|(coupon, off)| {
                    let given = self.given.get(coupon).copied().unwrap_or(0);
                    self.budget(*coupon)
                        .is_some_and(|budget| given + off > budget)
                });
            }
            _ => {}
        }
    }
}
