//! Placing an order.

use std::collections::BTreeMap;

use ledger::Units;
use tidegate_commerce::plan::Test;
use tidegate_commerce::refusal::LimitOf;
use tidegate_commerce::{Actor, Done, Place, Refusal, Rule, SaleState, Time};

use super::{Answer, Line, Model, Order, Stage, price};

impl Model {
    pub(super) fn place(&mut self, actor: &Actor, place: &Place) -> Answer {
        if self.state != SaleState::Open {
            let opens = self.window.opens;
            let opens = opens.filter(|_| self.state == SaleState::Scheduled);
            let state = self.state;
            return Err(Refusal::NotOpen { state, opens });
        }
        let buyer = match (actor, &place.buyer) {
            (Actor::Buyer(own), Some(other)) if own != other => {
                return Err(Refusal::Invalid(String::new()));
            }
            (Actor::Buyer(own), _) => Some(own.to_string()),
            (_, named) => named.as_ref().map(ToString::to_string),
        };
        let refuses = |rule: &Rule| !admits(rule, self.now, buyer.is_some(), &place.tags);
        if let Some(rule) = self.rules.iter().position(refuses) {
            return Err(Refusal::NotEligible { rule });
        }
        let lines = self.lines(place)?;
        self.check_limits(buyer.as_deref(), &lines)?;
        let total = lines.iter().map(|line| price(line.price, line.units)).sum();
        let elsewhere = place.paid.is_some();
        let sold = elsewhere || total == 0;
        self.orders.push(Order {
            buyer,
            lines,
            total,
            deadline: self.now + u64::from(self.hold_ms),
            stage: if sold { Stage::Paid } else { Stage::Held },
            elsewhere,
            attempts: Vec::new(),
            kept: 0,
            sold,
            refunds: Vec::new(),
            charged_back: 0,
        });
        let number = self.orders.len() - 1;
        Ok(Done::Order(u32::try_from(number).unwrap()))
    }

    fn lines(&self, place: &Place) -> Result<Vec<Line>, Refusal> {
        let line = |ask: &tidegate_commerce::Ask| {
            let sku = self.find(&ask.sku)?;
            Ok(Line {
                sku,
                units: ask.units,
                price: ask.price.unwrap_or(self.skus[sku].plan.price).0,
                returned: 0,
                restocked: 0,
            })
        };
        place.lines.iter().map(line).collect()
    }

    fn check_limits(&self, buyer: Option<&str>, lines: &[Line]) -> Result<(), Refusal> {
        let mut sums = BTreeMap::new();
        for line in lines {
            *sums.entry(line.sku).or_insert(0) += u64::from(line.units);
        }
        let whole = sums.values().sum();
        within(LimitOf::Order, self.limits.per_order, 0, whole)?;
        if let Some(buyer) = buyer {
            let used = self.used(buyer, None);
            within(LimitOf::Buyer, self.limits.per_buyer, used, whole)?;
        }
        for (&sku, &units) in &sums {
            let plan = &self.skus[sku].plan;
            let of = LimitOf::SkuInOrder(plan.sku.clone());
            within(of, plan.limits.per_order, 0, units)?;
            if let Some(buyer) = buyer {
                let of = LimitOf::SkuOfBuyer(plan.sku.clone());
                let used = self.used(buyer, Some(sku));
                within(of, plan.limits.per_buyer, used, units)?;
            }
            let left = self.available(sku);
            if units > u64::from(left.0) {
                let sku = plan.sku.clone();
                return Err(Refusal::SoldOut { sku, left });
            }
        }
        Ok(())
    }

    /// Whether an expired order could have its units and limits again.
    pub(super) fn fits_again(&self, order: &Order) -> bool {
        let mut sums = BTreeMap::new();
        for line in &order.lines {
            *sums.entry(line.sku).or_insert(0) += u64::from(line.units);
        }
        let fits = |limit: Option<Units>, used: u64, more: u64| {
            limit.is_none_or(|limit| used + more <= u64::from(limit.0))
        };
        let free = |(&sku, &units): (&usize, &u64)| {
            let limit = self.skus[sku].plan.limits.per_buyer;
            let used = |buyer: &String| self.used(buyer, Some(sku));
            let buyer = order.buyer.as_ref();
            units <= u64::from(self.available(sku).0)
                && buyer.is_none_or(|buyer| fits(limit, used(buyer), units))
        };
        let whole = sums.values().sum();
        let buyer = order.buyer.as_ref();
        sums.iter().all(free)
            && buyer.is_none_or(|buyer| fits(self.limits.per_buyer, self.used(buyer, None), whole))
    }
}

fn within(of: LimitOf, limit: Option<Units>, used: u64, more: u64) -> Result<(), Refusal> {
    match limit {
        Some(limit) if used + more > u64::from(limit.0) => Err(Refusal::Limit {
            of,
            limit,
            used: Units(u32::try_from(used).unwrap()),
        }),
        _ => Ok(()),
    }
}

fn admits(rule: &Rule, now: u64, named: bool, tags: &[Box<str>]) -> bool {
    let over = rule.until.is_some_and(|until| Time(now) >= until);
    let has = |tag: &_| tags.contains(tag);
    over || match &rule.test {
        Test::Named => named,
        Test::AnyTag(any) => any.iter().any(has),
        Test::AllTags(all) => all.iter().all(has),
        Test::NoTag(none) => !none.iter().any(has),
    }
}
