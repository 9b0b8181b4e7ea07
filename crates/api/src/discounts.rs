//! What comes off a price, and who may buy what by rules as text: data of an offer, on the wire.

use crate::check::{Faults, lenient_maybe_u32, lenient_maybe_u64, lenient_u32, lenient_u64};
use crate::limits::{
    AMOUNT_MAX, COUPONS_MAX, LEVEL_MAX, LEVELS_MAX, REASON_MAX, RULE_TEXT_MAX, SKU_MAX, TAG_MAX,
    TAGS_MAX, TEXT_RULES_MAX, WHOLE_BP,
};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Coupons and discounts by level of a sale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Discounts {
    /// Coupons, at most 1,000. A coupon keeps its place for ever, since orders name it by that: end it by `until`, and add
    /// new ones behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<Coupon>,
    /// Discounts by the buyer's level, at most 16; the highest that a buyer reaches counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<LevelDiscount>,
}

/// A coupon. It gives `off_minor`, or `share_bp` up to `most_minor`: the whole of it, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Coupon {
    /// What buyers type, 1 to 64 bytes.
    pub code: Box<str>,
    /// An amount off, minor units.
    #[serde(
        default,
        deserialize_with = "lenient_maybe_u64",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>, minimum = 1)]
    pub off_minor: Option<u64>,
    /// A share off in basis points, rounded once, half to even.
    #[serde(
        default,
        deserialize_with = "lenient_maybe_u32",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    pub share_bp: Option<u32>,
    /// What a share takes off at most, minor units.
    #[serde(
        default,
        deserialize_with = "lenient_maybe_u64",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>, minimum = 1)]
    pub most_minor: Option<u64>,
    /// What the order has to come to before coupons, minor units.
    #[serde(default, deserialize_with = "lenient_u64")]
    pub threshold_minor: u64,
    /// How often one buyer may use it; missing is no limit.
    #[serde(
        default,
        deserialize_with = "lenient_maybe_u32",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub per_buyer: Option<u32>,
    /// What it may give in all, in this sale, minor units; missing is no limit.
    #[serde(
        default,
        deserialize_with = "lenient_maybe_u64",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>)]
    pub budget_minor: Option<u64>,
    /// For buyers with one of these tags; none is everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Box<str>>,
    /// For buyers of this level and above.
    #[serde(default, deserialize_with = "lenient_u32")]
    #[schema(minimum = 0, maximum = 1_000)]
    pub level: u32,
    /// First moment at which it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// First moment at which it no longer does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Whether it stands beside other coupons.
    #[serde(default)]
    pub combines: bool,
}

/// A discount for buyers of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelDiscount {
    /// For buyers of this level and above.
    #[serde(deserialize_with = "lenient_u32")]
    #[schema(minimum = 0, maximum = 1_000)]
    pub least: u32,
    /// What comes off, in basis points.
    #[serde(deserialize_with = "lenient_u32")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub share_bp: u32,
}

/// A rule as text, asked with every order. What the expressions are is said in `docs/howto/write-a-rule.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TextRule {
    /// Its name, 1 to 64 bytes.
    pub name: Box<str>,
    /// An expression that gives true or false, at most 2,048 bytes.
    pub when: Box<str>,
    /// What follows.
    pub then: Then,
    /// Why, for the buyer: at most 200 bytes.
    pub reason: Box<str>,
}

/// What follows from a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// When it is false the order is refused.
    Admit,
    /// When it is true the order is refused.
    Block,
    /// When it is true the rules behind it are not asked.
    Allow,
}

impl Discounts {
    /// Adds every fault, each with its path.
    pub(crate) fn check_at(&self, faults: &mut Faults) {
        faults.at_most("offer.discounts.coupons", self.coupons.len(), COUPONS_MAX);
        faults.at_most("offer.discounts.levels", self.levels.len(), LEVELS_MAX);
        let mut seen = BTreeSet::new();
        for (place, coupon) in self.coupons.iter().enumerate().take(COUPONS_MAX) {
            let path = format!("offer.discounts.coupons[{place}]");
            if !seen.insert(&*coupon.code) {
                faults.add(format_args!("{path}.code"), "is a coupon's code already");
            }
            coupon.check_at(faults, &path);
        }
        let mut seen = BTreeSet::new();
        for (place, level) in self.levels.iter().enumerate().take(LEVELS_MAX) {
            let path = format!("offer.discounts.levels[{place}]");
            if !seen.insert(level.least) {
                faults.add(format_args!("{path}.least"), "has a discount already");
            }
            faults.between(
                format_args!("{path}.least"),
                level.least.into(),
                0,
                LEVEL_MAX,
            );
            let share = level.share_bp.into();
            faults.between(format_args!("{path}.share_bp"), share, 1, WHOLE_BP.into());
        }
    }
}

impl Coupon {
    fn check_at(&self, faults: &mut Faults, path: &str) {
        faults.text(format_args!("{path}.code"), &self.code, SKU_MAX);
        if self.off_minor.is_some() == self.share_bp.is_some() {
            let detail = "must have exactly one of off_minor and share_bp";
            faults.add(format_args!("{path}.off_minor"), detail);
        }
        if self.most_minor.is_some() && self.share_bp.is_none() {
            faults.add(format_args!("{path}.most_minor"), "caps a share_bp only");
        }
        let share = self.share_bp.map(u64::from).unwrap_or(1);
        faults.between(format_args!("{path}.share_bp"), share, 1, WHOLE_BP.into());
        for (field, amount) in [
            ("off_minor", self.off_minor),
            ("most_minor", self.most_minor),
        ] {
            faults.between(
                format_args!("{path}.{field}"),
                amount.unwrap_or(1),
                1,
                AMOUNT_MAX,
            );
        }
        let budget = self.budget_minor.unwrap_or(0);
        faults.between(format_args!("{path}.budget_minor"), budget, 0, AMOUNT_MAX);
        let threshold = self.threshold_minor;
        faults.between(
            format_args!("{path}.threshold_minor"),
            threshold,
            0,
            AMOUNT_MAX,
        );
        faults.between(
            format_args!("{path}.level"),
            self.level.into(),
            0,
            LEVEL_MAX,
        );
        if self.per_buyer == Some(0) {
            faults.add(format_args!("{path}.per_buyer"), "must be at least 1");
        }
        if let (Some(from), Some(until)) = (self.from, self.until)
            && from >= until
        {
            faults.add(format_args!("{path}.until"), "must be later than from");
        }
        faults.at_most(format_args!("{path}.tags"), self.tags.len(), TAGS_MAX);
        for (nth, tag) in self.tags.iter().enumerate().take(TAGS_MAX) {
            faults.text(format_args!("{path}.tags[{nth}]"), tag, TAG_MAX);
        }
    }
}

/// Adds the faults of rules as text that their shape shows; what an expression says is checked where it is compiled.
pub(crate) fn check_text_rules(faults: &mut Faults, rules: &[TextRule]) {
    faults.at_most("offer.rules", rules.len(), TEXT_RULES_MAX);
    for (place, rule) in rules.iter().enumerate().take(TEXT_RULES_MAX) {
        let path = format!("offer.rules[{place}]");
        faults.text(format_args!("{path}.name"), &rule.name, SKU_MAX);
        // An expression may stand on several lines.
        if rule.when.is_empty() || rule.when.len() > RULE_TEXT_MAX {
            let detail = format!("must have 1 to {RULE_TEXT_MAX} bytes");
            faults.add(format_args!("{path}.when"), detail);
        }
        faults.text(format_args!("{path}.reason"), &rule.reason, REASON_MAX);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::check::Check;
    use crate::offer::AlterOffer;

    #[test]
    fn every_fault_of_discounts_and_rules_is_told_with_its_path() {
        let json = r#"{"offer":{"discounts":{
            "coupons":[{"code":"A","off_minor":0},{"code":"A","off_minor":5,"share_bp":10},{"code":"C","off_minor":5,
                "most_minor":2,"per_buyer":0,"level":1001,"from":"2026-11-11T00:00:00Z","until":"2026-11-11T00:00:00Z"}],
            "levels":[{"least":1,"share_bp":0},{"least":1,"share_bp":10001}]},
            "rules":[{"name":"","when":"","then":"admit","reason":"r"}]}}"#;
        let body: AlterOffer = serde_json::from_str(json).unwrap();
        let problem = body.checked().unwrap_err();
        let fields: Vec<String> = problem
            .errors()
            .iter()
            .map(|error| error.field.replace("offer.discounts.", ""))
            .collect();
        let expected = [
            "coupons[0].off_minor",
            "coupons[1].code",
            "coupons[1].off_minor",
            "coupons[2].most_minor",
            "coupons[2].level",
            "coupons[2].per_buyer",
            "coupons[2].until",
            "levels[0].share_bp",
            "levels[1].least",
            "levels[1].share_bp",
            "offer.rules[0].name",
            "offer.rules[0].when",
        ];
        assert_eq!(fields, expected);
    }
}
