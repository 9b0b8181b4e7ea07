//! Orders and refunds, between the wire and the book.

use api::order::{AskedLine, Order, OrderLine, OrderState, Payment, PaymentState};
use api::refund::{Refund, RefundOrder, RefundState};
use api::{PaymentId, RefundId};
use commerce::book::{ChargeView, RefundRef};
use commerce::command::UnitsBack;
use commerce::{Ask, Book, OrderRef, OrderStatus, RefundAsk};
use ledger::{Minor, UnitPrice};

use super::sale::{currency, price};
use super::{order_id, sale_id, time};

/// Where an order stands.
pub(crate) fn order_state(status: OrderStatus) -> OrderState {
    match status {
        OrderStatus::Held => OrderState::Held,
        OrderStatus::Paying => OrderState::Paying,
        OrderStatus::Paid => OrderState::Paid,
        OrderStatus::Shipped => OrderState::Shipped,
        OrderStatus::Delivered => OrderState::Delivered,
        OrderStatus::Cancelled => OrderState::Cancelled,
        OrderStatus::Expired => OrderState::Expired,
        OrderStatus::Refunded => OrderState::Refunded,
        OrderStatus::Deposited => OrderState::Deposited,
    }
}

/// The lines of an order to place.
pub(crate) fn asked_lines(lines: Vec<AskedLine>) -> Vec<Ask> {
    let ask = |line: AskedLine| Ask {
        sku: line.sku,
        units: line.quantity,
        price: line.price.map(|price| UnitPrice(price.ten_thousandths())),
    };
    lines.into_iter().map(ask).collect()
}

/// The attempt to pay an order, which is also the idempotency key at the provider.
pub(crate) fn payment_id(sale: u32, order: u32, attempt: u16) -> PaymentId {
    PaymentId {
        order: order_id(sale, order),
        attempt,
    }
}

fn payment(sale: u32, order: OrderRef<'_>) -> Option<Payment> {
    let (attempt, view) = order.charge();
    let state = match view {
        ChargeView::None | ChargeView::Free => return None,
        ChargeView::Charging => PaymentState::Charging,
        ChargeView::Unknown => PaymentState::Unknown,
        ChargeView::Failed => PaymentState::Failed,
        ChargeView::Captured => PaymentState::Captured,
        ChargeView::Elsewhere => PaymentState::External,
        ChargeView::Authorised => PaymentState::Authorised,
    };
    Some(Payment {
        id: payment_id(sale, order.number(), attempt),
        state,
        action: None,
    })
}

/// A refund as it stands.
pub(crate) fn refund(sale: u32, order: u32, refund: RefundRef) -> Refund {
    Refund {
        id: RefundId {
            order: order_id(sale, order),
            number: refund.number,
        },
        amount_minor: refund.amount.0,
        state: match refund.state {
            commerce::book::RefundState::Pending => RefundState::Pending,
            commerce::book::RefundState::Refunded => RefundState::Refunded,
            commerce::book::RefundState::Failed => RefundState::Failed,
        },
        automatic: refund.automatic,
        units_returned: refund.units_restocked,
    }
}

/// An order as it stands. `None` for one that does not exist.
pub(crate) fn order(sale: u32, book: &Book, number: u32) -> Option<Order> {
    let (order, of) = (book.order(number)?, book.currency()?);
    let lines = order.lines().zip(0_u16..).map(|(line, at)| OrderLine {
        line: at,
        sku: (&**line.sku()).into(),
        quantity: line.units(),
        price: price(line.price()),
        total_minor: line.total(of).0,
        returned_quantity: line.returned(),
    });
    let (funds, status) = (order.funds(), order.status());
    let waits = matches!(
        status,
        OrderStatus::Held | OrderStatus::Paying | OrderStatus::Deposited
    );
    Some(Order {
        id: order_id(sale, number),
        sale_id: sale_id(sale),
        buyer: order.buyer().map(Into::into),
        state: order_state(status),
        currency: currency(of),
        total_minor: order.total().0,
        lines: lines.collect(),
        captured_minor: funds.captured().0,
        refunded_minor: funds.refunded().0,
        refund_pending_minor: funds.held().0,
        charged_back_minor: funds.charged_back().0,
        placed_at: time(order.placed()),
        hold_expires_at: waits.then(|| time(order.deadline())),
        payment: payment(sale, order),
        refunds: order
            .refunds()
            .map(|found| refund(sale, number, found))
            .collect(),
    })
}

/// What a refund asks for.
pub(crate) fn refund_ask(body: RefundOrder) -> RefundAsk {
    let lines = body.lines.unwrap_or_default();
    RefundAsk {
        amount: body
            .amount_minor
            .map(|amount| Minor(i64::try_from(amount).unwrap_or(i64::MAX))),
        lines: lines
            .into_iter()
            .map(|line| (line.line, line.quantity))
            .collect(),
        units: if body.restock {
            UnitsBack::Restock
        } else {
            UnitsBack::StaySold
        },
        reason: body.reason,
    }
}
