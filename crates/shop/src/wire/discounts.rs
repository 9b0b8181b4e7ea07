//! Discounts and rules as text, from the wire into the book and back.

use api::discounts;
use commerce::rules::{RuleText, Then};
use commerce::{Time, price};
use ledger::Minor;

use super::time;

/// Coupons and levels for the book.
pub(super) fn discounts_in(discounts: discounts::Discounts) -> price::Discounts {
    let amount = |amount: u64| Minor(i64::try_from(amount).unwrap_or(i64::MAX));
    let coupon = |coupon: discounts::Coupon| price::Coupon {
        code: coupon.code,
        kind: match (coupon.off_minor, coupon.share_bp) {
            (Some(off), _) => price::CouponKind::Off(amount(off)),
            (None, share) => {
                price::CouponKind::Share(share.unwrap_or_default(), coupon.most_minor.map(amount))
            }
        },
        threshold: amount(coupon.threshold_minor),
        per_buyer: coupon.per_buyer,
        budget: coupon.budget_minor.map(amount),
        tags: coupon.tags,
        level: coupon.level,
        from: coupon.from.map(|from| Time(from.ms())),
        until: coupon.until.map(|until| Time(until.ms())),
        combines: coupon.combines,
    };
    let level = |level: discounts::LevelDiscount| price::LevelDiscount {
        least: level.least,
        share_bp: level.share_bp,
    };
    price::Discounts {
        coupons: discounts.coupons.into_iter().map(coupon).collect(),
        levels: discounts.levels.into_iter().map(level).collect(),
    }
}

/// Coupons and levels of the book.
pub(super) fn discounts_out(discounts: &price::Discounts) -> discounts::Discounts {
    let amount = |amount: Minor| u64::try_from(amount.0).unwrap_or(0);
    let coupon = |coupon: &price::Coupon| {
        let (off_minor, share_bp, most_minor) = match coupon.kind {
            price::CouponKind::Off(off) => (Some(amount(off)), None, None),
            price::CouponKind::Share(share, most) => (None, Some(share), most.map(amount)),
        };
        discounts::Coupon {
            code: coupon.code.clone(),
            off_minor,
            share_bp,
            most_minor,
            threshold_minor: amount(coupon.threshold),
            per_buyer: coupon.per_buyer,
            budget_minor: coupon.budget.map(amount),
            tags: coupon.tags.clone(),
            level: coupon.level,
            from: coupon.from.map(time),
            until: coupon.until.map(time),
            combines: coupon.combines,
        }
    };
    let level = |level: &price::LevelDiscount| discounts::LevelDiscount {
        least: level.least,
        share_bp: level.share_bp,
    };
    discounts::Discounts {
        coupons: discounts.coupons.iter().map(coupon).collect(),
        levels: discounts.levels.iter().map(level).collect(),
    }
}

/// A rule for the book.
pub(super) fn text_in(rule: discounts::TextRule) -> RuleText {
    RuleText {
        name: rule.name,
        when: rule.when,
        then: match rule.then {
            discounts::Then::Admit => Then::Admit,
            discounts::Then::Block => Then::Block,
            discounts::Then::Allow => Then::Allow,
        },
        reason: rule.reason,
    }
}

/// A rule of the book.
pub(super) fn text_out(rule: &RuleText) -> Option<discounts::TextRule> {
    Some(discounts::TextRule {
        name: rule.name.clone(),
        when: rule.when.clone(),
        then: match rule.then {
            Then::Admit => discounts::Then::Admit,
            Then::Block => discounts::Then::Block,
            Then::Allow => discounts::Then::Allow,
            // No offer has one: reviewing is for rules of risk.
            Then::Review => return None,
        },
        reason: rule.reason.clone(),
    })
}
