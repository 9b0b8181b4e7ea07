//! Commands in few words.

use std::sync::Arc;

use ledger::{Currency, Minor, UnitPrice, Units};
use tidegate_commerce::command::{ChargeOutcome, RefundOutcome, UnitsBack};
use tidegate_commerce::{
    Action, Actor, Ask, Command, Limits, Patch, Place, Plan, RefundAsk, Report,
};
use tidegate_commerce::{SkuPlan, Turn, Window};

/// How long an unpaid order keeps its units, in milliseconds.
pub(crate) const HOLD_MS: u32 = 10_000;
/// The price of one cup in ten-thousandths, and in minor units.
pub(crate) const PRICE: UnitPrice = UnitPrice(10_000);

pub(crate) fn by(actor: Actor, key: &str, action: Action) -> Command {
    Command {
        actor,
        key: Some(key.into()),
        action,
    }
}

pub(crate) fn merchant(key: &str, action: Action) -> Command {
    by(Actor::Merchant("shop".into()), key, action)
}

pub(crate) fn sku(code: &str, stock: u32, per_buyer: Option<u32>) -> SkuPlan {
    SkuPlan {
        sku: code.into(),
        title: code.into(),
        price: PRICE,
        limits: Limits {
            per_order: None,
            per_buyer: per_buyer.map(Units),
        },
        stock: Units(stock),
    }
}

pub(crate) fn plan(skus: Vec<SkuPlan>, per_buyer: Option<u32>) -> Plan {
    Plan {
        title: "Cups".into(),
        currency: Currency::new("EUR").unwrap(),
        hold_ms: HOLD_MS,
        window: Window::default(),
        limits: Limits {
            per_order: None,
            per_buyer: per_buyer.map(Units),
        },
        rules: Vec::new(),
        skus,
    }
}

pub(crate) fn create(plan: Plan) -> Command {
    let (secret, plan) = ([7; 16], Box::new(plan));
    merchant("create", Action::Create { secret, plan })
}

pub(crate) fn turn(key: &str, turn: Turn) -> Command {
    merchant(key, Action::Turn(turn))
}

pub(crate) fn alter(key: &str, patch: Patch) -> Command {
    merchant(key, Action::Alter(Box::new(patch)))
}

/// An order of cups, one line for each number of units.
pub(crate) fn place(buyer: &str, key: &str, units: &[u32]) -> Command {
    let ask = |&units: &u32| Ask {
        sku: "cup".into(),
        units,
        price: None,
    };
    let place = Place {
        buyer: Some(buyer.into()),
        tags: Arc::from([]),
        lines: units.iter().map(ask).collect(),
        paid: None,
        deal: None,
    };
    by(Actor::Buyer(buyer.into()), key, Action::Place(place))
}

pub(crate) fn pay(order: u32, key: &str) -> Command {
    merchant(key, Action::Pay { order })
}

pub(crate) fn cancel(order: u32, key: &str) -> Command {
    merchant(key, Action::Cancel { order })
}

pub(crate) fn refund(order: u32, key: &str, ask: RefundAsk) -> Command {
    merchant(key, Action::Refund { order, ask })
}

/// A refund of an amount, without lines.
pub(crate) fn amount(minor: i64) -> RefundAsk {
    RefundAsk {
        amount: Some(Minor(minor)),
        ..RefundAsk::default()
    }
}

/// A refund of units of lines.
pub(crate) fn lines(lines: &[(u16, u32)], units: UnitsBack) -> RefundAsk {
    RefundAsk {
        lines: lines.to_vec(),
        units,
        ..RefundAsk::default()
    }
}

fn report(report: Report) -> Command {
    Command {
        actor: Actor::House,
        key: None,
        action: Action::Report(report),
    }
}

pub(crate) fn charged(order: u32, attempt: u16, outcome: ChargeOutcome) -> Command {
    report(Report::Charge {
        order,
        attempt,
        outcome,
    })
}

pub(crate) fn captured(order: u32, attempt: u16, minor: i64) -> Command {
    charged(order, attempt, ChargeOutcome::Captured(Minor(minor)))
}

pub(crate) fn refunded(order: u32, number: u16, outcome: RefundOutcome) -> Command {
    report(Report::Refund {
        order,
        number,
        outcome,
    })
}

pub(crate) fn charged_back(order: u32, key: &str, minor: i64) -> Command {
    let report = Report::Chargeback {
        order,
        amount: Minor(minor),
        reference: key.into(),
    };
    by(Actor::House, key, Action::Report(report))
}
