//! What a sale is: its SKUs, prices, limits, window and rules, as data.

use std::sync::Arc;

use ledger::{Currency, UnitPrice, Units};
use serde::{Deserialize, Serialize};

use crate::Time;
use crate::command::REASON_BYTES_MOST;

/// SKUs in one sale, at most.
pub const SKUS_MOST: usize = 10_000;
/// Rules of one sale, at most.
pub const RULES_MOST: usize = 16;
/// Tags in one rule, and tags of one buyer, at most.
pub const TAGS_MOST: usize = 16;
/// Bytes of a SKU, a buyer or a merchant account, at most.
pub const NAME_BYTES_MOST: usize = 64;
/// Bytes of a sale's or SKU's title, at most.
pub const TITLE_BYTES_MOST: usize = 200;
/// Lines of one order, at most.
pub const LINES_MOST: usize = 2_000;
/// The shortest hold time, in milliseconds.
pub const HOLD_MS_LEAST: u32 = 1_000;
/// The longest hold time: seven days.
pub const HOLD_MS_MOST: u32 = 7 * 24 * 3_600_000;

/// The life of a sale: draft → scheduled → open ⇄ paused → closed → retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SaleState {
    /// Being prepared; nobody can buy.
    Draft,
    /// Opens by itself when its window begins.
    Scheduled,
    /// Sells.
    Open,
    /// Sells nothing for now; what is held can still be paid.
    Paused,
    /// Over; what is held can still be paid until it expires.
    Closed,
    /// Closed with nothing under way; its memory may be given back.
    Retired,
}

/// A step that a merchant asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Turn {
    /// Start or resume selling; before the window begins this schedules the sale.
    Open,
    /// Stop selling until opened again.
    Pause,
    /// End the sale for good.
    Close,
    /// Give the sale's memory back.
    Retire,
}

/// Purchase limits in units. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// In one order.
    pub per_order: Option<Units>,
    /// For one buyer, over all orders that are held or sold.
    pub per_buyer: Option<Units>,
}

/// When a sale sells: from `opens` on, until just before `closes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Window {
    /// First moment of selling.
    pub opens: Option<Time>,
    /// First moment at which it is over.
    pub closes: Option<Time>,
}

/// What a rule asks of a buyer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Test {
    /// The order names its buyer.
    Named,
    /// The buyer carries at least one of these tags.
    AnyTag(Vec<Box<str>>),
    /// The buyer carries all of these tags.
    AllTags(Vec<Box<str>>),
    /// The buyer carries none of these tags.
    NoTag(Vec<Box<str>>),
}

/// An eligibility rule: a test that every order must pass, until a moment if one is given (early access).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What is asked.
    pub test: Test,
    /// The first moment at which the rule no longer applies.
    pub until: Option<Time>,
}

impl Rule {
    /// Whether a buyer with these tags passes at this moment.
    pub fn admits(&self, now: Time, buyer: Option<&str>, tags: &[Box<str>]) -> bool {
        if self.until.is_some_and(|until| now >= until) {
            return true;
        }
        match &self.test {
            Test::Named => buyer.is_some(),
            Test::AnyTag(any) => any.iter().any(|tag| tags.contains(tag)),
            Test::AllTags(all) => all.iter().all(|tag| tags.contains(tag)),
            Test::NoTag(none) => !none.iter().any(|tag| tags.contains(tag)),
        }
    }

    fn tags(&self) -> &[Box<str>] {
        match &self.test {
            Test::Named => &[],
            Test::AnyTag(tags) | Test::AllTags(tags) | Test::NoTag(tags) => tags,
        }
    }
}

/// One SKU of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkuPlan {
    /// The merchant's own code, 1 to 64 bytes.
    pub sku: Arc<str>,
    /// A title for people.
    pub title: Box<str>,
    /// The price of one unit.
    pub price: UnitPrice,
    /// Limits on this SKU.
    pub limits: Limits,
    /// Units in stock at the start.
    pub stock: Units,
}

/// A sale as its merchant plans it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// A title for people.
    pub title: Box<str>,
    /// The one currency of the sale.
    pub currency: Currency,
    /// How long an unpaid order keeps its units, in milliseconds.
    pub hold_ms: u32,
    /// When it sells.
    pub window: Window,
    /// Limits over all SKUs together.
    pub limits: Limits,
    /// Who may buy.
    pub rules: Vec<Rule>,
    /// What it sells.
    pub skus: Vec<SkuPlan>,
}

/// A change of a plan; what is `None` stays. SKUs are added, or changed where they exist.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Patch {
    /// New title.
    pub title: Option<Box<str>>,
    /// New hold time for orders placed from now on.
    pub hold_ms: Option<u32>,
    /// New window.
    pub window: Option<Window>,
    /// New limits.
    pub limits: Option<Limits>,
    /// New rules, all of them.
    pub rules: Option<Vec<Rule>>,
    /// SKUs to add or to change.
    pub skus: Vec<SkuPatch>,
}

/// A change of one SKU, or a new one: a new one needs a price, and only a new one may bring stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkuPatch {
    /// Which SKU.
    pub sku: Arc<str>,
    /// New title.
    pub title: Option<Box<str>>,
    /// New price, for orders placed from now on.
    pub price: Option<UnitPrice>,
    /// New limits.
    pub limits: Option<Limits>,
    /// First stock of a new SKU.
    pub stock: Option<Units>,
}

/// Checks what the types of a plan cannot say.
///
/// # Errors
/// A sentence that names the field and the bound.
pub(crate) fn check(plan: &Plan) -> Result<(), String> {
    check_title("title", &plan.title)?;
    check_hold(plan.hold_ms)?;
    check_window(plan.window)?;
    check_rules(&plan.rules)?;
    if plan.skus.len() > SKUS_MOST {
        return Err(format!("a sale has at most {SKUS_MOST} SKUs"));
    }
    plan.skus.iter().try_for_each(|sku| {
        check_name("sku", &sku.sku)?;
        check_title("SKU title", &sku.title)?;
        check_price(sku.price)
    })
}

pub(crate) fn check_hold(hold_ms: u32) -> Result<(), String> {
    if (HOLD_MS_LEAST..=HOLD_MS_MOST).contains(&hold_ms) {
        return Ok(());
    }
    Err(format!(
        "hold_ms must lie between {HOLD_MS_LEAST} and {HOLD_MS_MOST}"
    ))
}

pub(crate) fn check_window(window: Window) -> Result<(), String> {
    match (window.opens, window.closes) {
        (Some(opens), Some(closes)) if opens >= closes => {
            Err("the window closes before it opens".into())
        }
        _ => Ok(()),
    }
}

pub(crate) fn check_rules(rules: &[Rule]) -> Result<(), String> {
    if rules.len() > RULES_MOST {
        return Err(format!("a sale has at most {RULES_MOST} rules"));
    }
    for rule in rules {
        let tags = rule.tags();
        if tags.len() > TAGS_MOST || (tags.is_empty() && rule.test != Test::Named) {
            return Err(format!("a rule names 1 to {TAGS_MOST} tags"));
        }
        check_tags(tags)?;
    }
    Ok(())
}

pub(crate) fn check_price(price: UnitPrice) -> Result<(), String> {
    if price >= UnitPrice(0) && price <= UnitPrice::MOST {
        Ok(())
    } else {
        Err("a price is out of range".into())
    }
}

pub(crate) fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_BYTES_MOST || has_control(name) {
        return Err(format!(
            "a {what} has 1 to {NAME_BYTES_MOST} bytes and no control characters"
        ));
    }
    Ok(())
}

/// Names are checked with every order, so the plain case looks at bytes only.
fn has_control(name: &str) -> bool {
    if name.is_ascii() {
        name.bytes().any(|byte| byte.is_ascii_control())
    } else {
        name.chars().any(char::is_control)
    }
}

pub(crate) fn check_tags(tags: &[Box<str>]) -> Result<(), String> {
    if tags.len() > TAGS_MOST {
        return Err(format!("a buyer has at most {TAGS_MOST} tags"));
    }
    tags.iter().try_for_each(|tag| check_name("tag", tag))
}

pub(crate) fn check_reason(what: &str, reason: &str) -> Result<(), String> {
    if reason.len() > REASON_BYTES_MOST {
        return Err(format!("a {what} has at most {REASON_BYTES_MOST} bytes"));
    }
    Ok(())
}

pub(crate) fn check_title(what: &str, title: &str) -> Result<(), String> {
    if title.len() > TITLE_BYTES_MOST {
        Err(format!("a {what} has at most {TITLE_BYTES_MOST} bytes"))
    } else {
        Ok(())
    }
}
