//! Sums over the book of a sale, counted from the ground up.

use commerce::book::{TeamState, TicketState};
use commerce::{Book, OrderRef, OrderStatus};

use super::report::{DuesTally, LineTally, Money, OrderTally, TeamTally, Units};

/// Units, money and orders.
pub(super) fn totals(book: &Book) -> (Units, Money, OrderTally) {
    let (mut units, mut money, mut orders) =
        (Units::default(), Money::default(), OrderTally::default());
    for account in book.skus().map(|sku| sku.units()) {
        units.stocked += u64::from(account.stocked().0);
        units.available += u64::from(account.available().0);
        units.held += u64::from(account.held().0);
        units.sold += u64::from(account.sold().0);
        units.written_off += u64::from(account.written_off().0);
    }
    for order in book.orders() {
        let funds = order.funds();
        money.captured_minor += funds.captured().0;
        money.refunded_minor += funds.refunded().0;
        money.refund_pending_minor += funds.held().0;
        money.charged_back_minor += funds.charged_back().0;
        money.loss_minor += funds.loss().0;
        money.money_in_minor += funds.captured().0;
        money.money_out_minor += funds.refunded().0 + funds.charged_back().0;
        money.money_open_minor += funds.held().0 + unsold(order);
        orders.placed += 1;
        *count_of(&mut orders, order.status()) += 1;
    }
    (units, money, orders)
}

fn count_of(orders: &mut OrderTally, status: OrderStatus) -> &mut u64 {
    match status {
        OrderStatus::Held => &mut orders.held,
        OrderStatus::Paying => &mut orders.paying,
        OrderStatus::Paid => &mut orders.paid,
        OrderStatus::Shipped => &mut orders.shipped,
        OrderStatus::Delivered => &mut orders.delivered,
        OrderStatus::Cancelled => &mut orders.cancelled,
        OrderStatus::Expired => &mut orders.expired,
        OrderStatus::Refunded => &mut orders.refunded,
        OrderStatus::Deposited => &mut orders.deposited,
    }
}

/// Money that is in and waits for what becomes of it: a deposit whose balance is not due yet, a seat of an open team.
fn unsold(order: OrderRef<'_>) -> i64 {
    let (funds, book_says) = (order.funds(), order.status());
    let waits = match book_says {
        OrderStatus::Deposited => true,
        OrderStatus::Paid => order.team().is_some() && !order.is_ready(),
        _ => false,
    };
    if waits { funds.left().0 } else { 0 }
}

/// Teams and their seats.
pub(super) fn teams(book: &Book) -> TeamTally {
    let mut tally = TeamTally::default();
    for team in book.teams() {
        let count = match team.state() {
            TeamState::Open => &mut tally.open,
            TeamState::Complete => &mut tally.complete,
            TeamState::Failed => &mut tally.failed,
        };
        *count += 1;
        let settlement = team.settlement();
        let ended = team.state() != TeamState::Open;
        tally.unsettled += u64::from(ended && settlement.settled < settlement.orders);
        let (seats, held, paid, filled) = team.seats();
        tally.seats += u64::from(seats);
        tally.seats_held += u64::from(held);
        tally.seats_paid += u64::from(paid);
        tally.seats_filled += u64::from(filled);
    }
    tally
}

/// Places in lines.
pub(super) fn line(book: &Book) -> LineTally {
    let mut tally = LineTally::default();
    for ticket in (0..).map_while(|number| book.ticket(number)) {
        let count = match ticket.state {
            TicketState::Waiting => &mut tally.waiting,
            TicketState::Offered { .. } => &mut tally.offered,
            TicketState::Left => &mut tally.left,
        };
        *count += 1;
    }
    tally
}

/// Deposits and balances.
pub(super) fn dues(book: &Book) -> DuesTally {
    let mut tally = DuesTally::default();
    for order in book.orders() {
        if let Some((_, paid, forfeited)) = order.dues() {
            tally.orders += 1;
            tally.deposits_paid += u64::from(paid);
            tally.balances_paid += u64::from(order.kept() != 0);
            tally.forfeited += u64::from(forfeited);
        }
    }
    tally
}
