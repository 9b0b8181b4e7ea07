//! Coupons that were redeemed, as facts: type, discount and the level of the buyer.

use api::SaleId;
use commerce::deal::Deal;
use commerce::price::{Coupon, CouponKind, Discounts, PriceWhat};
use telemetry::fact::CouponRedeemed;
use telemetry::labels::CouponType;

/// A coupon that took something off an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redeemed {
    /// What the coupon gives.
    pub kind: CouponType,
    /// What it took off, in minor units.
    pub off_minor: u64,
    /// The buyer's level.
    pub level: u32,
}

impl Redeemed {
    /// What operators hear.
    pub fn fact(&self, sale: SaleId) -> CouponRedeemed {
        CouponRedeemed {
            sale,
            coupon_type: self.kind,
            discount_minor: self.off_minor,
            level: self.level,
        }
    }
}

/// The coupons of an order.
pub fn redeemed<'a>(
    deal: &'a Deal,
    discounts: &'a Discounts,
) -> impl Iterator<Item = Redeemed> + 'a {
    deal.price.iter().filter_map(move |line| {
        let PriceWhat::Coupon { coupon } = line.what else {
            return None;
        };
        Some(Redeemed {
            kind: kind(discounts.coupons.get(usize::from(coupon))?),
            off_minor: line.amount.0.unsigned_abs(),
            level: deal.facts.as_ref().map_or(0, |facts| facts.level),
        })
    })
}

fn kind(coupon: &Coupon) -> CouponType {
    match (coupon.kind, coupon.threshold.is_positive()) {
        (CouponKind::Off(_), false) => CouponType::Off,
        (CouponKind::Off(_), true) => CouponType::ThresholdOff,
        (CouponKind::Share(..), false) => CouponType::Share,
        (CouponKind::Share(..), true) => CouponType::ThresholdShare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commerce::Facts;
    use commerce::price::PriceLine;
    use ledger::Minor;

    #[test]
    fn each_coupon_of_an_order_is_told_with_its_type_and_what_it_took_off() {
        let coupon = |code: &str, kind, threshold| Coupon {
            code: code.into(),
            kind,
            threshold: Minor(threshold),
            per_buyer: None,
            budget: None,
            tags: Vec::new(),
            level: 0,
            from: None,
            until: None,
            combines: true,
        };
        let discounts = Discounts {
            coupons: vec![
                coupon("A", CouponKind::Off(Minor(300)), 1_000),
                coupon("B", CouponKind::Share(1_000, None), 0),
            ],
            levels: Vec::new(),
        };
        let line = |what, amount| PriceLine {
            what,
            amount: Minor(amount),
        };
        let deal = Deal {
            price: vec![
                line(PriceWhat::Line { line: 0 }, 1_000),
                line(PriceWhat::Coupon { coupon: 1 }, -100),
                line(PriceWhat::Coupon { coupon: 0 }, -300),
            ],
            facts: Some(Box::new(Facts {
                level: 4,
                ..Facts::default()
            })),
            ..Deal::default()
        };
        let told: Vec<_> = redeemed(&deal, &discounts)
            .map(|coupon| (coupon.kind, coupon.off_minor, coupon.level))
            .collect();
        let expected = [
            (CouponType::Share, 100, 4),
            (CouponType::ThresholdOff, 300, 4),
        ];
        assert_eq!(told, expected);
    }
}
