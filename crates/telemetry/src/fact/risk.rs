//! Facts of risk and of coupons.

use crate::Fact;
use crate::labels::{CouponType, Risk, RiskAt, UserTier};
use crate::meters::{ByCoupon, ByRisk, Meters};
use api::SaleId;

/// Risk blocked an order or a payment, or wants a person to look at it.
#[derive(Debug)]
pub struct RiskJudged<'a> {
    /// The sale.
    pub sale: SaleId,
    /// What it was about.
    pub at: RiskAt,
    /// What risk said.
    pub verdict: Risk,
    /// The rule that said it.
    pub rule: &'a str,
    /// Why: the rule's own reason, or what went wrong in it.
    pub reason: &'a str,
}

impl Fact for RiskJudged<'_> {
    fn count(&self, meters: &Meters) {
        let labels = ByRisk {
            at: self.at,
            verdict: self.verdict,
        };
        meters.risk.verdicts.get_or_create(&labels).inc();
    }

    fn log(&self) {
        tracing::warn!(
            sale = %self.sale,
            at = self.at.name(),
            verdict = self.verdict.name(),
            rule = self.rule,
            reason = self.reason,
            "risk spoke up"
        );
    }
}

/// A coupon took something off an order.
#[derive(Debug)]
pub struct CouponRedeemed {
    /// The sale.
    pub sale: SaleId,
    /// What the coupon gives.
    pub coupon_type: CouponType,
    /// What it took off, in minor units.
    pub discount_minor: u64,
    /// The buyer's level.
    pub level: u32,
}

impl Fact for CouponRedeemed {
    fn count(&self, meters: &Meters) {
        let labels = ByCoupon {
            coupon_type: self.coupon_type,
            user_tier: UserTier::of(self.level),
        };
        meters.risk.coupons.get_or_create(&labels).inc();
        let given = meters.risk.coupon_minor.get_or_create(&labels);
        given.inc_by(self.discount_minor);
    }

    fn log(&self) {
        tracing::info!(
            sale = %self.sale,
            coupon_type = self.coupon_type.name(),
            discount_minor = self.discount_minor,
            user_tier = UserTier::of(self.level).name(),
            level = self.level,
            "coupon redeemed"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redeemed_coupon_is_counted_by_its_type_and_the_level_of_its_buyer() {
        let meters = Meters::new();
        let redeemed = |level, discount_minor| CouponRedeemed {
            sale: SaleId::new(7).expect("a number"),
            coupon_type: CouponType::ThresholdOff,
            discount_minor,
            level,
        };
        for (level, discount_minor) in [(4, 500), (4, 300), (9, 1)] {
            redeemed(level, discount_minor).count(&meters);
        }
        let page = meters.exposition();
        for line in [
            "tidegate_coupons_redeemed_total{service=\"tidegate\",coupon_type=\"threshold_off\",user_tier=\"vip4\"} 2\n",
            "tidegate_coupon_discount_minor_total{service=\"tidegate\",coupon_type=\"threshold_off\",user_tier=\"vip4\"} 800\n",
            "coupon_type=\"threshold_off\",user_tier=\"vip5_up\"} 1\n",
        ] {
            assert!(page.contains(line), "{line} in {page}");
        }
    }

    #[test]
    fn what_risk_says_is_counted_by_what_it_was_about() {
        let meters = Meters::new();
        let judged = RiskJudged {
            sale: SaleId::new(7).expect("a number"),
            at: RiskAt::Payment,
            verdict: Risk::Blocked,
            rule: "rate of the device",
            reason: "too many",
        };
        judged.count(&meters);
        let line = "tidegate_risk_verdicts_total{service=\"tidegate\",at=\"payment\",verdict=\"blocked\"} 1\n";
        assert!(meters.exposition().contains(line));
    }
}
