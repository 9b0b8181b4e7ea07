//! The commands of a stampede: a million orders of half a million buyers, with their payments.

use std::sync::Arc;

use ledger::{Currency, Minor, UnitPrice, Units};
use tidegate_commerce::command::ChargeOutcome;
use tidegate_commerce::{Action, Actor, Ask, Book, Command, Limits, Place, Plan, Report};
use tidegate_commerce::{SkuPlan, Time, Turn, Window};

/// Orders of the stampede.
pub(crate) const ORDERS: u32 = 1_000_000;
/// SKUs that it is after.
const SKUS: u32 = 10;
/// Orders of each buyer, one of each of two SKUs.
const ORDERS_OF_EACH: u32 = 2;

/// The commands that open a sale with so many units over all its SKUs.
pub(crate) fn opening(units: u32) -> [Command; 2] {
    let sku = |n: u32| SkuPlan {
        sku: code(n).into(),
        title: "A cup".into(),
        price: UnitPrice(125_000),
        limits: Limits::default(),
        stock: Units(units / SKUS),
    };
    let plan = Plan {
        title: "Cups".into(),
        currency: Currency::new("EUR").unwrap(),
        hold_ms: 900_000,
        window: Window::default(),
        limits: Limits {
            per_order: Some(Units(10)),
            per_buyer: Some(Units(ORDERS_OF_EACH)),
        },
        rules: Vec::new(),
        skus: (0..SKUS).map(sku).collect(),
    };
    let (secret, plan) = ([7; 16], Box::new(plan));
    [
        merchant("create", Action::Create { secret, plan }),
        merchant("open", Action::Turn(Turn::Open)),
    ]
}

/// A book that sells so many units.
pub(crate) fn opened(units: u32) -> Book {
    let mut book = Book::new();
    for command in &opening(units) {
        let outcome = book.execute(Time(1_000), command, &mut Vec::new());
        outcome.unwrap().decision.unwrap();
    }
    book
}

/// The SKU with this number, counted round.
pub(crate) fn code(n: u32) -> String {
    format!("CUP-{:04}", n % SKUS)
}

fn merchant(key: &str, action: Action) -> Command {
    Command {
        actor: Actor::Merchant("shop".into()),
        key: Some(key.into()),
        action,
    }
}

/// The order with this number: one unit.
pub(crate) fn place(n: u32) -> Command {
    let buyer: Arc<str> = format!("buyer-{:08}", n / ORDERS_OF_EACH).into();
    let place = Place {
        buyer: Some(buyer.clone()),
        tags: Arc::from([]),
        lines: vec![Ask {
            sku: code(n).into(),
            units: 1,
            price: None,
        }],
        paid: None,
        deal: None,
    };
    Command {
        actor: Actor::Buyer(buyer),
        key: Some(format!("7f3c9a52-{n:08x}-4b1e-a0d3").into()),
        action: Action::Place(place),
    }
}

/// The intent to charge an order.
pub(crate) fn pay(order: u32) -> Command {
    merchant(&format!("pay-{order:08x}"), Action::Pay { order })
}

/// The report of that charge's capture.
pub(crate) fn captured(order: u32) -> Command {
    let report = Report::Charge {
        order,
        attempt: 1,
        outcome: ChargeOutcome::Captured(Minor(1_250)),
    };
    Command {
        actor: Actor::House,
        key: None,
        action: Action::Report(report),
    }
}
