//! Each oracle against evidence with exactly one thing wrong: an oracle that cannot fail is worthless.

#![allow(clippy::unwrap_used)]

use super::{Evidence, Findings, verify};
use crate::audit::{AuditReport, AuditedLine, AuditedOrder, AuditedStock};
use crate::stampede::memory::{Contradiction, Memory, Told};
use api::order::OrderState;
use api::provider::{
    ChargeOutcome, ChargeRequest, ProviderCharge, ProviderRefund, RefundOutcome, RefundRequest,
};
use api::{OrderId, PaymentId, Position, RefundId, SaleId};
use std::collections::BTreeMap;

const SKU: &str = "CUP";

fn sale() -> SaleId {
    SaleId::new(1).unwrap()
}

fn order_id(number: u64) -> OrderId {
    OrderId::new(sale(), number).unwrap()
}

/// Two units in stock; order 1 is paid, order 2 expired; one buyer each.
struct Case {
    memories: Vec<Memory>,
    receipts: Vec<(SaleId, Position)>,
    orders: Vec<AuditedOrder>,
    stock: AuditedStock,
    problems: Vec<String>,
    charges: Vec<ProviderCharge>,
    refunds: Vec<ProviderRefund>,
}

fn told(number: u64, paid: bool) -> Told {
    Told {
        id: order_id(number),
        sku: SKU.into(),
        units: 1,
        total_minor: 500,
        held_until_ms: 0,
        paid,
        cancelled: false,
        refunds: Vec::new(),
    }
}

fn audited(number: u64, state: OrderState) -> AuditedOrder {
    let paid = state == OrderState::Paid;
    AuditedOrder {
        id: order_id(number),
        buyer: Some(format!("buyer-{number}").into()),
        state,
        lines: vec![AuditedLine {
            sku: SKU.into(),
            units: 1,
            returned: 0,
            restocked: 0,
        }],
        total_minor: 500,
        captured_minor: if paid { 500 } else { 0 },
        refunded_minor: 0,
        refund_pending_minor: 0,
    }
}

fn charge(number: u64, attempt: u16) -> ProviderCharge {
    ProviderCharge {
        request: ChargeRequest {
            key: PaymentId {
                order: order_id(number),
                attempt,
            },
            order: order_id(number),
            amount_minor: 500,
            currency: "GBP".parse().unwrap(),
        },
        outcome: ChargeOutcome::Captured,
    }
}

fn refund(number: u64, amount_minor: i64) -> ProviderRefund {
    let order = order_id(number);
    ProviderRefund {
        request: RefundRequest {
            key: RefundId { order, number: 1 },
            charge: PaymentId { order, attempt: 1 },
            amount_minor,
            currency: "GBP".parse().unwrap(),
        },
        outcome: RefundOutcome::Refunded,
    }
}

fn sound() -> Case {
    let memory = |number, paid| Memory {
        orders: vec![told(number, paid)],
        ..Memory::of(&format!("buyer-{number}"))
    };
    Case {
        memories: vec![memory(1, true), memory(2, false), Memory::of("buyer-3")],
        receipts: vec![(sale(), Position::new(7, &[7; 32]))],
        orders: vec![
            audited(1, OrderState::Paid),
            audited(2, OrderState::Expired),
        ],
        stock: AuditedStock {
            sale: sale(),
            sku: SKU.into(),
            stocked: 2,
            available: 1,
            held: 0,
            sold: 1,
            written_off: 0,
        },
        problems: Vec::new(),
        charges: vec![charge(1, 1)],
        refunds: Vec::new(),
    }
}

impl Case {
    fn findings(self) -> Findings {
        let audit = AuditReport {
            orders: self.orders,
            stock: vec![self.stock],
            problems: self.problems,
            batches: 7,
            chain: Box::new(|_, sequence| (sequence == 7).then_some([7; 16])),
        };
        let stocked: BTreeMap<Box<str>, u64> = BTreeMap::from([(SKU.into(), 2)]);
        verify(&Evidence {
            sale: sale(),
            memories: &self.memories,
            receipts: &self.receipts,
            audit: &audit,
            charges: &self.charges,
            refunds: &self.refunds,
            stocked: &stocked,
        })
    }

    /// Oversold, lost, doubled, and whether anything was said.
    fn counts(self) -> (u64, u64, u64, bool) {
        let found = self.findings();
        (
            found.oversold,
            found.lost,
            found.doubled,
            !found.words.is_empty(),
        )
    }
}

#[test]
fn a_sound_sale_has_no_findings() {
    assert_eq!(sound().findings(), Findings::default());
}

#[test]
fn an_order_that_was_told_and_is_gone_is_lost() {
    let mut case = sound();
    case.orders.remove(1);
    assert_eq!(case.counts(), (0, 1, 0, true));
}

#[test]
fn an_order_with_other_facts_is_lost() {
    for change in [
        (|order: &mut AuditedOrder| order.lines[0].sku = "POT".into()) as fn(&mut AuditedOrder),
        |order| order.buyer = Some("buyer-3".into()),
        |order| order.total_minor = 499,
    ] {
        let mut case = sound();
        change(&mut case.orders[1]);
        assert_eq!(case.counts().1, 1);
    }
}

#[test]
fn told_paid_means_paid() {
    let mut case = sound();
    case.memories[1].orders[0].paid = true;
    assert_eq!(case.counts(), (0, 1, 0, true));
}

#[test]
fn told_cancelled_means_cancelled() {
    let mut case = sound();
    case.memories[1].orders[0].cancelled = true;
    assert_eq!(case.counts(), (0, 1, 0, true));
}

#[test]
fn a_promised_refund_must_be_in_the_book() {
    let mut case = sound();
    let id = RefundId {
        order: order_id(1),
        number: 1,
    };
    case.memories[0].orders[0].refunds.push((id, 200));
    assert_eq!(case.counts(), (0, 1, 0, true));
    let mut case = sound();
    case.memories[0].orders[0].refunds.push((id, 200));
    case.orders[0].refunded_minor = 200;
    case.refunds.push(refund(1, 200));
    assert_eq!(case.counts(), (0, 0, 0, false));
}

#[test]
fn a_refund_that_the_provider_refused_is_not_lost() {
    let mut case = sound();
    let mut refused = refund(1, 200);
    refused.outcome = RefundOutcome::Declined;
    let promise = (refused.request.key, 200);
    case.memories[0].orders[0].refunds.push(promise);
    case.refunds.push(refused);
    assert_eq!(case.findings(), Findings::default());
}

#[test]
fn an_order_that_nobody_asked_for_is_doubled() {
    let mut case = sound();
    case.memories[1].orders.clear();
    assert_eq!(case.counts(), (0, 0, 1, true));
    // Unless that buyer never heard what became of one of its keys.
    let mut case = sound();
    case.memories[1].orders.clear();
    case.memories[1].unresolved = 1;
    assert_eq!(case.counts(), (0, 0, 0, false));
}

/// A phone in a tunnel: the first request is late, its repetition is refused, units come free, the first is accepted.
#[test]
fn a_late_request_behind_its_refused_repetition_may_hold_but_not_cost() {
    let mut case = sound();
    case.memories[1].orders.clear();
    case.memories[1].strays = 1;
    assert_eq!(case.counts(), (0, 0, 0, false));
    let mut case = sound();
    case.memories[0].orders.clear();
    case.memories[0].strays = 1;
    assert_eq!(case.counts(), (0, 0, 1, true));
}

#[test]
fn one_key_with_two_orders_is_doubled() {
    let mut case = sound();
    case.memories[0].contradict(Contradiction::TwoOrders("two".into()));
    assert_eq!(case.counts(), (0, 0, 1, true));
}

#[test]
fn a_receipt_off_the_chain_is_lost() {
    for (sequence, chain) in [(7, [8; 32]), (8, [7; 32])] {
        let mut case = sound();
        case.receipts
            .push((sale(), Position::new(sequence, &chain)));
        assert_eq!(case.counts(), (0, 1, 0, true));
    }
}

#[test]
fn more_sold_than_came_in_is_oversold() {
    let mut case = sound();
    case.orders[0].lines[0].units = 4;
    case.memories[0].orders[0].units = 4;
    case.stock.sold = 4;
    assert_eq!(case.counts().0, 2);
}

#[test]
fn vanished_units_are_said() {
    let mut case = sound();
    case.stock.available = 0;
    assert_eq!(case.counts(), (0, 0, 0, true));
    let mut case = sound();
    case.stock.sold = 0;
    case.stock.available = 2;
    assert_eq!(case.counts(), (0, 0, 0, true));
}

#[test]
fn stock_that_the_merchant_was_told_of_must_be_there() {
    let mut case = sound();
    case.stock.stocked = 1;
    case.stock.available = 0;
    assert_eq!(case.counts(), (0, 1, 0, true));
}

#[test]
fn a_second_capture_that_is_kept_is_doubled() {
    let mut case = sound();
    case.charges.push(charge(1, 2));
    assert_eq!(case.counts().2, 1);
    // Given back, it is none.
    let mut case = sound();
    case.charges.push(charge(1, 2));
    case.refunds.push(refund(1, 500));
    case.orders[0].captured_minor = 1000;
    case.orders[0].refunded_minor = 500;
    assert_eq!(case.counts(), (0, 0, 0, false));
}

#[test]
fn who_was_refused_is_not_charged() {
    let mut case = sound();
    case.charges.push(charge(2, 1));
    assert_eq!(case.counts().2, 1);
    let mut case = sound();
    case.charges.push(charge(9, 1));
    assert_eq!(case.counts().2, 1);
}

#[test]
fn money_that_the_book_does_not_know_is_said() {
    let mut case = sound();
    case.refunds.push(refund(1, 100));
    assert!(case.counts().3);
    let mut case = sound();
    case.charges.clear();
    assert!(case.counts().3);
}

#[test]
fn a_buyer_above_the_limit_is_said() {
    let mut case = sound();
    case.orders[0].lines[0].units = 5;
    case.memories[0].orders[0].units = 5;
    let words = case.findings().words;
    assert!(
        words.iter().any(|word| word.contains("are allowed")),
        "{words:?}"
    );
}

#[test]
fn what_the_audit_itself_found_is_passed_on() {
    let mut case = sound();
    case.problems.push("bad byte at 17".into());
    assert_eq!(case.findings().words, ["the audit says: bad byte at 17"]);
}
