//! Plans of sales, from the wire into the book.

use api::plan::{AlterSale, CreateSale, Rule, RuleTest};
use api::{Problem, sale::Turn as ApiTurn};
use commerce::plan::{Patch, SkuPatch};
use commerce::{Limits, Plan, SkuPlan, Test, Time, Turn, Window};
use ledger::{Currency, UnitPrice, Units};

fn limits(per_order: Option<u32>, per_buyer: Option<u32>) -> Limits {
    Limits {
        per_order: per_order.map(Units),
        per_buyer: per_buyer.map(Units),
    }
}

fn window(window: api::plan::Window) -> Window {
    let moment = |time: Option<api::Time>| time.map(|time| Time(time.ms()));
    Window {
        opens: moment(window.opens_at),
        closes: moment(window.closes_at),
    }
}

pub(super) fn rule(rule: Rule) -> commerce::Rule {
    let test = match rule.test {
        RuleTest::Named => Test::Named,
        RuleTest::AnyTag => Test::AnyTag(rule.tags),
        RuleTest::AllTags => Test::AllTags(rule.tags),
        RuleTest::NoTag => Test::NoTag(rule.tags),
    };
    commerce::Rule {
        test,
        until: rule.until.map(|time| Time(time.ms())),
    }
}

fn price(price: api::PriceText) -> UnitPrice {
    UnitPrice(price.ten_thousandths())
}

fn hold_ms(hold_ms: u64) -> u32 {
    u32::try_from(hold_ms).unwrap_or(u32::MAX)
}

/// A new sale.
///
/// # Errors
/// A currency that is none.
pub(crate) fn plan(body: CreateSale) -> Result<Plan, Problem> {
    let currency = Currency::new(body.currency.code()).ok_or_else(|| {
        Problem::of_field("currency", "must be an active ISO 4217 code, like EUR")
    })?;
    let skus = body.skus.into_iter().map(|sku| SkuPlan {
        sku: sku.sku.into(),
        title: sku.name.unwrap_or_default(),
        price: price(sku.price),
        limits: limits(sku.limits.units_per_order, sku.limits.units_per_buyer),
        stock: Units(sku.stock),
    });
    Ok(Plan {
        title: body.name,
        currency,
        hold_ms: hold_ms(body.hold_ms),
        window: window(body.window),
        limits: limits(body.limits.units_per_order, body.limits.units_per_buyer),
        rules: body.rules.into_iter().map(rule).collect(),
        skus: skus.collect(),
    })
}

/// A change of a sale.
pub(crate) fn patch(body: AlterSale) -> Patch {
    let skus = body.skus.into_iter().map(|sku| SkuPatch {
        sku: sku.sku.into(),
        title: sku.name,
        price: sku.price.map(price),
        limits: sku
            .limits
            .map(|of| limits(of.units_per_order, of.units_per_buyer)),
        stock: sku.stock.map(Units),
    });
    Patch {
        title: body.name,
        hold_ms: body.hold_ms.map(hold_ms),
        window: body.window.map(window),
        limits: body
            .limits
            .map(|of| limits(of.units_per_order, of.units_per_buyer)),
        rules: body
            .rules
            .map(|rules| rules.into_iter().map(rule).collect()),
        skus: skus.collect(),
    }
}

/// A step of a sale's life.
pub(crate) fn turn(turn: ApiTurn) -> Turn {
    match turn {
        ApiTurn::Open => Turn::Open,
        ApiTurn::Pause => Turn::Pause,
        ApiTurn::Close => Turn::Close,
        ApiTurn::Retire => Turn::Retire,
    }
}
