//! What a merchant says about a sale: its plan, and changes of it.

use crate::check::{Check, Faults, keyed, lenient_maybe_u32, lenient_maybe_u64, lenient_u32};
use crate::currency::Currency;
use crate::limits::{
    HOLD_MS_DEFAULT, HOLD_MS_MAX, HOLD_MS_MIN, NAME_MAX, QUANTITY_MAX, RULE_TAGS_MAX, RULES_MAX,
    SKU_MAX, SKUS_MAX, STOCK_MAX, TAG_MAX, UNITS_DEFAULT,
};
use crate::offer::Offer;
use crate::price::PriceText;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// When a sale sells: from `opens_at` on, and at `closes_at` no more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First moment of selling; missing: as soon as the sale is opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Time>,
    /// First moment at which it is over; missing: until it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<Time>,
}

/// Purchase limits of a sale, over all its SKUs. Missing is 10, null is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Units in one order.
    #[serde(default = "units_default", deserialize_with = "lenient_maybe_u32")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000, default = 10)]
    pub units_per_order: Option<u32>,
    /// Units of one buyer in all orders that are held or sold.
    #[serde(default = "units_default", deserialize_with = "lenient_maybe_u32")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000, default = 10)]
    pub units_per_buyer: Option<u32>,
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "the field is optional: null is no limit"
)]
const fn units_default() -> Option<u32> {
    Some(UNITS_DEFAULT)
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            units_per_order: units_default(),
            units_per_buyer: units_default(),
        }
    }
}

/// Purchase limits of one SKU. Missing or null is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SkuLimits {
    /// Units in one order.
    #[serde(default, deserialize_with = "lenient_maybe_u32")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    pub units_per_order: Option<u32>,
    /// Units of one buyer in all orders that are held or sold.
    #[serde(default, deserialize_with = "lenient_maybe_u32")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    pub units_per_buyer: Option<u32>,
}

/// What a rule asks of a buyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleTest {
    /// The order names its buyer; takes no tags.
    Named,
    /// The buyer has at least one of the tags.
    AnyTag,
    /// The buyer has all of the tags.
    AllTags,
    /// The buyer has none of the tags.
    NoTag,
}

/// Who may buy: a test that every order must pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What is asked.
    pub test: RuleTest,
    /// The tags that the test is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Box<str>>,
    /// First moment at which the rule applies no more (early access).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// A SKU of a new sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSku {
    /// The merchant's own code, 1 to 64 bytes.
    pub sku: Box<str>,
    /// A name for people; the code when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// Price of one unit.
    pub price: PriceText,
    /// Units to sell.
    #[serde(deserialize_with = "lenient_u32")]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub stock: u32,
    /// Limits of this SKU alone.
    #[serde(default)]
    pub limits: SkuLimits,
}

/// Body of `POST /v1/sales`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSale {
    /// A name for people, 1 to 200 bytes.
    pub name: Box<str>,
    /// The one currency of the sale.
    pub currency: Currency,
    /// How long an unpaid order keeps its units, ms.
    #[serde(
        default = "hold_ms_default",
        deserialize_with = "crate::check::lenient_u64"
    )]
    #[schema(value_type = u64, minimum = 1_000, maximum = 604_800_000, default = 900_000)]
    pub hold_ms: u64,
    /// When it sells.
    #[serde(default)]
    pub window: Window,
    /// Limits over all SKUs together.
    #[serde(default)]
    pub limits: Limits,
    /// Who may buy; all rules must be passed.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// What it sells, at most 10,000 SKUs.
    pub skus: Vec<NewSku>,
    /// What it offers beyond plain orders: group buys, a pre-sale, a waiting line, and what becomes of holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// The idempotency key, when it is not in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Box<str>>,
}

const fn hold_ms_default() -> u64 {
    HOLD_MS_DEFAULT
}

keyed!(CreateSale, AlterSale);

impl Check for CreateSale {
    fn check(&self, faults: &mut Faults) {
        faults.text("name", &self.name, NAME_MAX);
        faults.between("hold_ms", self.hold_ms, HOLD_MS_MIN, HOLD_MS_MAX);
        check_window(faults, self.window);
        check_limits(
            faults,
            "limits",
            self.limits.units_per_order,
            self.limits.units_per_buyer,
        );
        check_rules(faults, "rules", &self.rules);
        faults.at_most("skus", self.skus.len(), SKUS_MAX);
        check_sku_codes(faults, self.skus.iter().map(|sku| &*sku.sku));
        for (place, sku) in self.skus.iter().enumerate().take(SKUS_MAX) {
            faults.maybe_text(
                format_args!("skus[{place}].name"),
                sku.name.as_deref(),
                NAME_MAX,
            );
            faults.price(format_args!("skus[{place}].price"), Some(sku.price));
            faults.between(
                format_args!("skus[{place}].stock"),
                sku.stock.into(),
                0,
                STOCK_MAX.into(),
            );
            let limits = (sku.limits.units_per_order, sku.limits.units_per_buyer);
            check_limits(
                faults,
                format_args!("skus[{place}].limits"),
                limits.0,
                limits.1,
            );
        }
        if let Some(offer) = &self.offer {
            offer.check_at(faults);
            offer.check_skus(faults, |code| self.skus.iter().any(|sku| *sku.sku == *code));
        }
    }
}

/// A SKU that is changed, or a new one: a new one needs a price, and only a new one brings stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedSku {
    /// Which SKU.
    pub sku: Box<str>,
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// New price, for orders placed from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceText>,
    /// First stock of a new SKU.
    #[serde(
        default,
        deserialize_with = "lenient_maybe_u32",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 1_000_000_000)]
    pub stock: Option<u32>,
    /// New limits, both of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<SkuLimits>,
}

/// Body of `PATCH /v1/sales/{id}`: what is missing stays as it is; what is given replaces the whole field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlterSale {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// New hold time, for orders placed from now on, ms.
    #[serde(
        default,
        deserialize_with = "lenient_maybe_u64",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>, minimum = 1_000, maximum = 604_800_000)]
    pub hold_ms: Option<u64>,
    /// New window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// New limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// New rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<Rule>>,
    /// SKUs to add or to change; the others stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skus: Vec<ChangedSku>,
    /// The idempotency key, when it is not in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Box<str>>,
}

impl Check for AlterSale {
    fn check(&self, faults: &mut Faults) {
        faults.maybe_text("name", self.name.as_deref(), NAME_MAX);
        faults.between(
            "hold_ms",
            self.hold_ms.unwrap_or(HOLD_MS_DEFAULT),
            HOLD_MS_MIN,
            HOLD_MS_MAX,
        );
        check_window(faults, self.window.unwrap_or_default());
        let limits = self.limits.unwrap_or_default();
        check_limits(
            faults,
            "limits",
            limits.units_per_order,
            limits.units_per_buyer,
        );
        check_rules(faults, "rules", self.rules.as_deref().unwrap_or_default());
        faults.at_most("skus", self.skus.len(), SKUS_MAX);
        check_sku_codes(faults, self.skus.iter().map(|sku| &*sku.sku));
        for (place, sku) in self.skus.iter().enumerate().take(SKUS_MAX) {
            faults.maybe_text(
                format_args!("skus[{place}].name"),
                sku.name.as_deref(),
                NAME_MAX,
            );
            faults.price(format_args!("skus[{place}].price"), sku.price);
            let stock = sku.stock.unwrap_or_default();
            faults.between(
                format_args!("skus[{place}].stock"),
                stock.into(),
                0,
                STOCK_MAX.into(),
            );
            let limits = sku.limits.unwrap_or_default();
            let path = format_args!("skus[{place}].limits");
            check_limits(faults, path, limits.units_per_order, limits.units_per_buyer);
        }
    }
}

fn check_window(faults: &mut Faults, window: Window) {
    if let (Some(opens), Some(closes)) = (window.opens_at, window.closes_at)
        && opens >= closes
    {
        faults.add("window.closes_at", "must be later than opens_at");
    }
}

fn check_limits(
    faults: &mut Faults,
    path: impl std::fmt::Display,
    per_order: Option<u32>,
    per_buyer: Option<u32>,
) {
    for (name, limit) in [
        ("units_per_order", per_order),
        ("units_per_buyer", per_buyer),
    ] {
        if limit.is_some_and(|limit| limit == 0 || limit > QUANTITY_MAX) {
            faults.add(
                format_args!("{path}.{name}"),
                "must be a whole number from 1 to 1000000, or null for no limit",
            );
        }
    }
}

/// Checks rules wherever they stand.
pub(crate) fn check_rules(
    faults: &mut Faults,
    path: impl std::fmt::Display + Copy,
    rules: &[Rule],
) {
    faults.at_most(path, rules.len(), RULES_MAX);
    for (place, rule) in rules.iter().enumerate().take(RULES_MAX) {
        let named = rule.test == RuleTest::Named;
        if named != rule.tags.is_empty() {
            let detail = if named {
                "must be empty for this test"
            } else {
                "must not be empty"
            };
            faults.add(format_args!("{path}[{place}].tags"), detail);
        }
        faults.at_most(
            format_args!("{path}[{place}].tags"),
            rule.tags.len(),
            RULE_TAGS_MAX,
        );
        for (nth, tag) in rule.tags.iter().enumerate().take(RULE_TAGS_MAX) {
            faults.text(format_args!("{path}[{place}].tags[{nth}]"), tag, TAG_MAX);
        }
    }
}

fn check_sku_codes<'a>(faults: &mut Faults, codes: impl Iterator<Item = &'a str>) {
    let mut seen = BTreeSet::new();
    for (place, code) in codes.enumerate().take(SKUS_MAX) {
        faults.text(format_args!("skus[{place}].sku"), code, SKU_MAX);
        if !seen.insert(code) {
            faults.add(format_args!("skus[{place}].sku"), "names a SKU twice");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::code::Code;

    const SMALLEST: &str =
        r#"{"name":"Cups","currency":"GBP","skus":[{"sku":"CUP","price":"12.50","stock":10}]}"#;

    #[test]
    fn a_sale_needs_little_and_limits_are_ten_unless_said() {
        let sale: CreateSale = serde_json::from_str(SMALLEST).unwrap();
        assert_eq!(sale.checked(), Ok(()));
        assert_eq!(sale.hold_ms, 900_000);
        assert_eq!(
            sale.limits,
            Limits {
                units_per_order: Some(10),
                units_per_buyer: Some(10)
            }
        );
        let limits: Limits = serde_json::from_str(r#"{"units_per_order":null}"#).unwrap();
        assert_eq!(
            limits,
            Limits {
                units_per_order: None,
                units_per_buyer: Some(10)
            }
        );
    }

    #[test]
    fn every_bad_field_of_a_sale_is_named_at_once() {
        let json = r#"{"name":"","currency":"GBP","hold_ms":-1,
            "window":{"opens_at":"2026-11-11T00:00:00Z","closes_at":"2026-11-11T00:00:00Z"},
            "limits":{"units_per_order":0},"rules":[{"test":"named","tags":["a"]},{"test":"any_tag"}],
            "skus":[{"sku":"A","price":"-1","stock":-1},{"sku":"A","price":"1","stock":1,"limits":{"units_per_buyer":-3}}]}"#;
        let sale: CreateSale = serde_json::from_str(json).unwrap();
        let problem = sale.checked().unwrap_err();
        let fields: Vec<&str> = problem.errors().iter().map(|error| &*error.field).collect();
        let expected = [
            "name",
            "hold_ms",
            "window.closes_at",
            "limits.units_per_order",
            "rules[0].tags",
            "rules[1].tags",
            "skus[1].sku",
            "skus[0].price",
            "skus[0].stock",
            "skus[1].limits.units_per_buyer",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn ten_thousand_skus_are_the_most() {
        let mut sale: CreateSale = serde_json::from_str(SMALLEST).unwrap();
        sale.skus = (0..=SKUS_MAX)
            .map(|place| NewSku {
                sku: place.to_string().into(),
                ..sale.skus[0].clone()
            })
            .collect();
        assert_eq!(sale.checked().unwrap_err().code(), Code::TooManyItems);
        sale.skus.pop();
        assert_eq!(sale.checked(), Ok(()));
    }

    #[test]
    fn a_patch_names_only_what_changes_and_never_the_currency() {
        let patch: AlterSale = serde_json::from_str(r#"{"hold_ms":60000}"#).unwrap();
        assert_eq!((patch.checked(), patch.name), (Ok(()), None));
        assert!(serde_json::from_str::<AlterSale>(r#"{"currency":"EUR"}"#).is_err());
    }
}
