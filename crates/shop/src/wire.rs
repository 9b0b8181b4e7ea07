//! Between the wire's types and the book's: domain types convert here and nowhere else.

mod discounts;
mod offer;
mod order;
mod plan;
mod refusal;
mod saga;
mod sale;
mod team;

pub(crate) use offer::{keep_from_buyers, offer_in};
pub(crate) use order::{
    asked_lines, lottery, off, order, order_state, payment_id, refund, refund_ask,
};
pub(crate) use plan::{patch, plan, turn};
pub(crate) use refusal::{desk_problem, problem};
pub(crate) use saga::saga;
pub(crate) use sale::{live_tick, sale, sale_state, stock};
pub(crate) use team::{Viewer, listed_team, team, team_id, team_state, ticket};

use api::{OrderId, Position, SaleId, Time};

/// A book's moment on the wire.
pub(crate) fn time(time: commerce::Time) -> Time {
    Time::from_ms(time.0)
}

/// A sale's number on the wire. Numbers come from the registry, which never gives out more than the wire can say.
pub(crate) fn sale_id(number: u32) -> SaleId {
    SaleId::new(number.min(SaleId::MAX)).unwrap_or_else(|| unreachable!("clamped to what fits"))
}

/// An order's number on the wire.
pub(crate) fn order_id(sale: u32, number: u32) -> OrderId {
    OrderId::new(sale_id(sale), u64::from(number))
        .unwrap_or_else(|| unreachable!("32 bits fit into 39"))
}

/// A journal position as a receipt.
pub(crate) fn position(position: world::journal::Position) -> Position {
    let ahead = u64::from(stdx::mutants::is("receipt-names-next-batch"));
    Position::new(position.sequence + ahead, &position.chain)
}
