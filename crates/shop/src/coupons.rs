//! Coupons that were redeemed, as facts: type, discount and the level of the buyer.

use api::SaleId;
use commerce::price::{Coupon, CouponKind, Discounts, PriceWhat, Priced};
use telemetry::fact::CouponRedeemed;
use telemetry::labels::CouponType;

/// The coupons that took something off an order, one fact each. `level` is the buyer's.
pub fn redeemed<'a>(
    sale: SaleId,
    priced: &'a Priced,
    discounts: &'a Discounts,
    level: u32,
) -> impl Iterator<Item = CouponRedeemed> + 'a {
    priced.lines.iter().filter_map(move |line| {
        let PriceWhat::Coupon { coupon } = line.what else {
            return None;
        };
        let coupon = discounts.coupons.get(usize::from(coupon))?;
        Some(CouponRedeemed {
            sale,
            coupon_type: kind(coupon),
            discount_minor: line.amount.0.unsigned_abs(),
            level,
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
        let priced = Priced {
            total: Minor(600),
            lines: vec![
                line(PriceWhat::Line { line: 0 }, 1_000),
                line(PriceWhat::Coupon { coupon: 1 }, -100),
                line(PriceWhat::Coupon { coupon: 0 }, -300),
            ],
            shares: vec![Minor(600)],
        };
        let sale = SaleId::new(1).expect("a number");
        let told: Vec<_> = redeemed(sale, &priced, &discounts, 4)
            .map(|fact| (fact.coupon_type, fact.discount_minor, fact.level))
            .collect();
        let expected = [
            (CouponType::Share, 100, 4),
            (CouponType::ThresholdOff, 300, 4),
        ];
        assert_eq!(told, expected);
    }
}
