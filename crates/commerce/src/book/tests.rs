//! The faults that other systems had, by name, as far as they need no network.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use ledger::{Currency, Minor, UnitPrice, Units};

use super::{Book, Done, Outcome};
use crate::command::{
    Action, Actor, Ask, ChargeOutcome, Command, Place, RefundAsk, RefundOutcome, Report,
};
use crate::plan::{Limits, Plan, SkuPlan, Turn, Window};
use crate::{Entry, OrderStatus, Refusal, Time};

struct Sale {
    book: Book,
    now: u64,
    entries: Vec<Entry>,
}

fn merchant() -> Actor {
    Actor::Merchant("shop".into())
}

impl Sale {
    fn open(stock: u32, per_buyer: Option<u32>) -> Self {
        let sku = SkuPlan {
            sku: "cup".into(),
            title: "Cup".into(),
            price: UnitPrice(125_000),
            limits: Limits::default(),
            stock: Units(stock),
        };
        let plan = Plan {
            title: "Cups".into(),
            currency: Currency::new("EUR").unwrap(),
            hold_ms: 10_000,
            window: Window::default(),
            limits: Limits {
                per_order: None,
                per_buyer: per_buyer.map(Units),
            },
            rules: Vec::new(),
            skus: vec![sku],
        };
        let mut sale = Self {
            book: Book::new(),
            now: 1_000,
            entries: Vec::new(),
        };
        sale.run(
            merchant(),
            "create",
            Action::Create {
                secret: [7; 16],
                plan: Box::new(plan),
            },
        )
        .decision
        .unwrap();
        sale.run(merchant(), "open", Action::Turn(Turn::Open))
            .decision
            .unwrap();
        sale
    }

    fn run(&mut self, actor: Actor, key: &str, action: Action) -> Outcome {
        let command = Command {
            actor,
            key: Some(key.into()),
            action,
        };
        let outcome = self
            .book
            .execute(Time(self.now), &command, &mut self.entries)
            .unwrap();
        self.book.check().unwrap();
        outcome
    }

    fn place(&mut self, buyer: &str, key: &str, units: &[u32]) -> Outcome {
        let lines = units
            .iter()
            .map(|&units| Ask {
                sku: "cup".into(),
                units,
                price: None,
            })
            .collect();
        let place = Place {
            buyer: Some(buyer.into()),
            tags: Arc::from([]),
            lines,
            paid: None,
            deal: None,
        };
        self.run(Actor::Buyer(buyer.into()), key, Action::Place(place))
    }

    fn order(&mut self, buyer: &str, key: &str, units: u32) -> u32 {
        match self.place(buyer, key, &[units]).decision {
            Ok(Done::Order(order)) => order,
            other => panic!("{other:?}"),
        }
    }

    fn pay(&mut self, order: u32, key: &str) -> Outcome {
        self.run(merchant(), key, Action::Pay { order })
    }

    fn charge(&mut self, order: u32, attempt: u16, outcome: ChargeOutcome) {
        self.report(Report::Charge {
            order,
            attempt,
            outcome,
        });
    }

    fn report(&mut self, report: Report) {
        let command = Command {
            actor: Actor::House,
            key: None,
            action: Action::Report(report),
        };
        self.book
            .execute(Time(self.now), &command, &mut self.entries)
            .unwrap()
            .decision
            .unwrap();
        self.book.check().unwrap();
    }

    fn status(&mut self, order: u32) -> OrderStatus {
        self.book.advance(Time(self.now));
        self.book.order(order).unwrap().status()
    }

    fn paid(&mut self, buyer: &str, units: u32) -> u32 {
        let order = self.order(buyer, "paid order", units);
        self.pay(order, &format!("pay {order}")).decision.unwrap();
        let total = self.book.order(order).unwrap().total();
        self.charge(order, 1, ChargeOutcome::Captured(total));
        order
    }
}

// saleor#543, spree#3808: two checkouts both allocate the last unit.
#[test]
fn two_buyers_one_cup_one_order() {
    let mut sale = Sale::open(1, None);
    sale.order("ann", "k", 1);
    let refusal = sale.place("bob", "k", &[1]).decision.unwrap_err();
    assert_eq!(
        refusal,
        Refusal::SoldOut {
            sku: "cup".into(),
            left: Units(0)
        }
    );
}

// medusa#16502: one cart, two lines of the same item, each checked alone.
#[test]
fn two_lines_of_the_same_item_count_together() {
    let mut sale = Sale::open(3, None);
    assert!(matches!(
        sale.place("ann", "k", &[2, 2]).decision,
        Err(Refusal::SoldOut { .. })
    ));
    assert!(sale.place("ann", "k", &[2, 1]).decision.is_ok());
}

// dtm's Redis barrier: the retry of the deduct that took the last unit answers "failure".
#[test]
fn the_retry_of_the_order_that_took_the_last_unit_hears_yes() {
    let mut sale = Sale::open(1, None);
    let order = sale.order("ann", "k", 1);
    let repeat = sale.place("ann", "k", &[1]);
    assert_eq!(
        (repeat.decision, repeat.repeated),
        (Ok(Done::Order(order)), true)
    );
    assert_eq!(
        sale.place("ann", "k", &[2]).decision,
        Err(Refusal::KeyReused)
    );
}

// hfbin/Seckill#11: repeat clicks burn the stock of buyers who are then refused.
#[test]
fn a_refused_order_leaves_the_book_byte_identical() {
    let mut sale = Sale::open(1, Some(1));
    sale.order("ann", "k", 1);
    let before = sale.book.to_snapshot().unwrap();
    for click in 0..50 {
        assert!(
            sale.place("ann", &format!("click {click}"), &[1])
                .decision
                .is_err()
        );
        assert!(
            sale.place("bob", &format!("click {click}"), &[2])
                .decision
                .is_err()
        );
    }
    assert_eq!(sale.book.to_snapshot().unwrap(), before);
}

// medusa PR#16390: a stored refusal is replayed for ever.
#[test]
fn a_refusal_binds_no_key() {
    let mut sale = Sale::open(1, None);
    let first = sale.order("ann", "k", 1);
    assert!(sale.place("bob", "k", &[1]).decision.is_err());
    sale.run(merchant(), "cancel", Action::Cancel { order: first })
        .decision
        .unwrap();
    assert!(sale.place("bob", "k", &[1]).decision.is_ok());
}

// dujiao-next#105: one buyer holds the whole shop.
#[test]
fn one_buyer_cannot_hold_the_whole_shop() {
    let mut sale = Sale::open(100, Some(2));
    sale.order("ann", "a", 2);
    assert!(matches!(
        sale.place("ann", "b", &[1]).decision,
        Err(Refusal::Limit { .. })
    ));
    sale.now += 10_000;
    assert!(
        sale.place("ann", "b", &[1]).decision.is_ok(),
        "an expired hold gives the limit back"
    );
}

// woocommerce#66303: a failed payment keeps the hold, and the buyer may try again.
#[test]
fn a_declined_buyer_tries_again_on_the_same_hold() {
    let mut sale = Sale::open(1, None);
    let order = sale.order("ann", "k", 1);
    sale.pay(order, "p1").decision.unwrap();
    assert_eq!(
        sale.pay(order, "p2").decision,
        Err(Refusal::PaymentInFlight)
    );
    sale.charge(order, 1, ChargeOutcome::Unknown);
    assert_eq!(
        sale.pay(order, "p2").decision,
        Err(Refusal::PaymentInFlight),
        "unknown is not failed"
    );
    sale.charge(order, 1, ChargeOutcome::Failed);
    assert_eq!(sale.status(order), OrderStatus::Held);
    sale.pay(order, "p2").decision.unwrap();
    sale.charge(order, 2, ChargeOutcome::Captured(Minor(1250)));
    assert_eq!(sale.status(order), OrderStatus::Paid);
}

// vendure#550: stock moved twice, on authorised and on settled. Here: the same capture reported twice.
#[test]
fn a_capture_reported_twice_sells_once() {
    let mut sale = Sale::open(5, None);
    let order = sale.paid("ann", 2);
    let before = sale.book.to_snapshot().unwrap();
    sale.charge(order, 1, ChargeOutcome::Captured(Minor(2500)));
    assert_eq!(sale.book.to_snapshot().unwrap(), before);
}

// tigerbeetle#2000: a post of an expired hold, half-applied before the expiry ran.
#[test]
fn a_due_hold_expires_before_it_answers_for_its_buyer() {
    let mut sale = Sale::open(2, None);
    let order = sale.order("ann", "k", 2);
    sale.now += 10_000;
    assert_eq!(
        sale.status(order),
        OrderStatus::Expired,
        "at the deadline it is over, swept or not"
    );
    assert_eq!(sale.pay(order, "p").decision, Err(Refusal::HoldExpired));
    assert!(matches!(sale.entries.last(), Some(Entry::Expired { .. })));
}

// tigerbeetle#3658: mass expiry. No newcomer is refused for units whose holds are due.
#[test]
fn mass_expiry_is_never_visible_late() {
    let mut sale = Sale::open(10_000, None);
    for n in 0..10_000 {
        let place = Place {
            buyer: None,
            tags: Arc::from([]),
            lines: vec![Ask {
                sku: "cup".into(),
                units: 1,
                price: None,
            }],
            paid: None,
            deal: None,
        };
        let command = Command {
            actor: merchant(),
            key: Some(format!("{n}").into()),
            action: Action::Place(place),
        };
        sale.book
            .execute(Time(sale.now), &command, &mut sale.entries)
            .unwrap()
            .decision
            .unwrap();
    }
    sale.now += 10_000;
    let mut out = Vec::new();
    sale.book.tick(Time(sale.now), 10, &mut out).unwrap();
    assert_eq!(out.len(), 1, "the budget holds");
    assert!(sale.place("ann", "k", &[10_000]).decision.is_ok());
}

// big-neon/bn-api#1189, vendure#3065: paid after expiry.
#[test]
fn paid_after_expiry_takes_free_units_again_or_goes_back() {
    let mut sale = Sale::open(1, None);
    let order = sale.order("ann", "k", 1);
    sale.pay(order, "p").decision.unwrap();
    sale.now += 10_000;
    sale.charge(order, 1, ChargeOutcome::Captured(Minor(1250)));
    assert_eq!(sale.status(order), OrderStatus::Paid, "the unit was free");

    let mut sale = Sale::open(1, None);
    let order = sale.order("ann", "k", 1);
    sale.pay(order, "p").decision.unwrap();
    sale.now += 10_000;
    sale.order("bob", "k", 1);
    sale.charge(order, 1, ChargeOutcome::Captured(Minor(1250)));
    assert_eq!(sale.status(order), OrderStatus::Expired);
    assert_eq!(
        sale.book.order(order).unwrap().funds().held(),
        Minor(1250),
        "the money goes back by itself"
    );
}

// mollie/WooCommerce#1252: a late "paid" re-opens a refunded order and takes stock again.
#[test]
fn a_late_capture_never_reopens_an_order() {
    let mut sale = Sale::open(5, None);
    let order = sale.order("ann", "k", 1);
    sale.pay(order, "p").decision.unwrap();
    sale.run(Actor::Buyer("ann".into()), "c", Action::Cancel { order })
        .decision
        .unwrap();
    sale.charge(order, 1, ChargeOutcome::Captured(Minor(1250)));
    assert_eq!(sale.status(order), OrderStatus::Cancelled);
    assert_eq!(
        sale.book.find_sku("cup").unwrap().units().available(),
        Units(5)
    );
    sale.report(Report::Refund {
        order,
        number: 1,
        outcome: RefundOutcome::Refunded,
    });
    assert_eq!(
        sale.book.order(order).unwrap().funds().refunded(),
        Minor(1250)
    );
}

// medusa#13301, #15527: webhook and browser both complete the cart; the loser refunds the winner.
#[test]
fn a_second_capture_goes_back_and_the_first_stays() {
    let mut sale = Sale::open(5, None);
    let order = sale.order("ann", "k", 1);
    sale.pay(order, "p1").decision.unwrap();
    sale.charge(order, 1, ChargeOutcome::Failed);
    sale.pay(order, "p2").decision.unwrap();
    sale.charge(order, 1, ChargeOutcome::Captured(Minor(1250)));
    sale.charge(order, 2, ChargeOutcome::Captured(Minor(1250)));
    assert_eq!(sale.status(order), OrderStatus::Paid);
    let view = sale.book.order(order).unwrap();
    assert_eq!(
        (view.kept(), view.funds().captured(), view.funds().held()),
        (1, Minor(2500), Minor(1250))
    );
    assert_eq!(sale.book.find_sku("cup").unwrap().units().sold(), Units(1));
}

// openfoodnetwork#6330: double click, two refunds. hyperswitch#5282: duplicate refund id.
#[test]
fn a_double_click_on_refund_gives_one_refund() {
    let mut sale = Sale::open(5, None);
    let order = sale.paid("ann", 2);
    let ask = |amount| Action::Refund {
        order,
        ask: RefundAsk {
            amount: Some(Minor(amount)),
            ..RefundAsk::default()
        },
    };
    let first = sale.run(merchant(), "r", ask(1500));
    let second = sale.run(merchant(), "r", ask(1500));
    assert_eq!(first.decision, second.decision);
    assert!(second.repeated);
    assert_eq!(
        sale.run(merchant(), "r2", ask(1500)).decision,
        Err(Refusal::OverRefund { left: Minor(1000) })
    );
}

// dtm#306: compensation retried 80 times a second.
#[test]
fn a_refused_automatic_refund_waits_longer_each_time() {
    let mut sale = Sale::open(5, None);
    let order = sale.order("ann", "k", 1);
    sale.pay(order, "p").decision.unwrap();
    sale.run(merchant(), "c", Action::Cancel { order })
        .decision
        .unwrap();
    sale.charge(order, 1, ChargeOutcome::Captured(Minor(1250)));
    let mut last = 0;
    for number in 1..=5 {
        sale.report(Report::Refund {
            order,
            number,
            outcome: RefundOutcome::Failed,
        });
        let effect = sale.book.open_effects().next().unwrap();
        assert!(effect.not_before.0 - sale.now > last);
        last = effect.not_before.0 - sale.now;
    }
}

#[test]
fn a_due_hold_that_no_list_has_stops_the_sale_and_not_the_process() {
    let mut sale = Sale::open(1, None);
    let order = sale.order("ann", "place", 1);
    sale.book.due = super::expiry::Due::default();
    let pay = Command {
        actor: Actor::Buyer("ann".into()),
        key: Some("pay".into()),
        action: Action::Pay { order },
    };
    let late = Time(sale.now + 10_000);
    let stopped = sale.book.execute(late, &pay, &mut sale.entries);
    assert_eq!(stopped.unwrap_err().invariant, "INV-3");
}
