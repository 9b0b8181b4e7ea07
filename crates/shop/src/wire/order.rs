//! Orders and refunds, between the wire and the book.

use api::deal::{Lottery, OffWhy, OrderDues, OrderOff, OrderTeam};
use api::order::{AskedLine, Order, OrderLine, OrderState, Payment, PaymentState};
use api::refund::{Refund, RefundOrder, RefundState};
use api::{PaymentId, RefundId};
use commerce::book::{ChargeView, MemberRef, RefundRef};
use commerce::command::UnitsBack;
use commerce::price::{PriceLine, PriceWhat};
use commerce::{Ask, Book, OrderRef, OrderStatus, RefundAsk};
use ledger::{Minor, UnitPrice};

use super::sale::{currency, price};
use super::team::{team_id, team_state};
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
        team: team(sale, order, book),
        off: order.price().iter().filter_map(off).collect(),
        difference_minor: order.difference().0,
        dues: dues(order),
        due_minor: if waits { order.due().0 } else { 0 },
    })
}

fn team(sale: u32, order: OrderRef<'_>, book: &Book) -> Option<OrderTeam> {
    let number = order.team()?;
    let team = book.team(number)?;
    let paid = |member: MemberRef| member.order == order.number() && member.paid;
    let draws = team.rule().prizes.is_some();
    Some(OrderTeam {
        id: team_id(sale, number),
        state: team_state(team.state()),
        seat_paid: team.member(order.number()).is_some_and(paid),
        lottery: draws.then(|| lottery(order_state(order.status()), order.is_bare())),
    })
}

/// What a draw made of an order that may have no goods.
pub(crate) fn lottery(state: OrderState, bare: bool) -> Lottery {
    match state {
        _ if !bare => Lottery::Won,
        OrderState::Held | OrderState::Paying | OrderState::Paid => Lottery::Pending,
        _ => Lottery::Lost,
    }
}

/// What came off the price of an order's lines. A team's tier is in the lines' own price.
pub(crate) fn off(line: &PriceLine) -> Option<OrderOff> {
    let (why, number) = match line.what {
        PriceWhat::Line { .. } | PriceWhat::Tier { .. } => return None,
        PriceWhat::Leader => (OffWhy::Leader, None),
        PriceWhat::Level { level } => (OffWhy::Level, Some(level)),
        PriceWhat::Coupon { coupon } => (OffWhy::Coupon, Some(coupon.into())),
    };
    Some(OrderOff {
        why,
        number,
        amount_minor: -line.amount.0,
    })
}

fn dues(order: OrderRef<'_>) -> Option<OrderDues> {
    let (dues, paid, forfeited) = order.dues()?;
    Some(OrderDues {
        deposit_minor: dues.deposit.0,
        balance_minor: order.total().0 - dues.deposit.0,
        from: time(dues.from),
        until: time(dues.until),
        deposit_paid: paid,
        balance_paid: order.kept() != 0,
        forfeited,
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
