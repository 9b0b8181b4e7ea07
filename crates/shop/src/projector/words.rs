//! Numbers in rows and what they mean. A value's place in its list is its number: lists grow at the end, and a list
//! that changes otherwise needs a new version of the schema.

use api::deal::OffWhy;
use api::line::TicketState;
use api::order::{OrderEventKind, OrderState};
use api::refund::RefundState;
use api::sale::SaleState;
use api::team::TeamState;
use commerce::book::ChargeView;

/// States of orders.
pub(crate) const ORDER_STATES: &[OrderState] = &[
    OrderState::Held,
    OrderState::Paying,
    OrderState::Paid,
    OrderState::Shipped,
    OrderState::Delivered,
    OrderState::Cancelled,
    OrderState::Expired,
    OrderState::Refunded,
    OrderState::Deposited,
];

/// States of sales.
pub(crate) const SALE_STATES: &[SaleState] = &[
    SaleState::Draft,
    SaleState::Scheduled,
    SaleState::Open,
    SaleState::Paused,
    SaleState::Closed,
    SaleState::Retired,
];

/// What is known of a charge.
pub(crate) const CHARGES: &[ChargeView] = &[
    ChargeView::None,
    ChargeView::Charging,
    ChargeView::Unknown,
    ChargeView::Failed,
    ChargeView::Captured,
    ChargeView::Elsewhere,
    ChargeView::Free,
    ChargeView::Authorised,
];

/// States of refunds.
pub(crate) const REFUND_STATES: &[RefundState] = &[
    RefundState::Pending,
    RefundState::Refunded,
    RefundState::Failed,
];

/// Kinds of events.
pub(crate) const EVENTS: &[OrderEventKind] = &[
    OrderEventKind::Placed,
    OrderEventKind::PlacedPaid,
    OrderEventKind::PaymentStarted,
    OrderEventKind::PaymentCaptured,
    OrderEventKind::PaymentReturned,
    OrderEventKind::PaymentFailed,
    OrderEventKind::PaymentUnknown,
    OrderEventKind::Cancelled,
    OrderEventKind::Expired,
    OrderEventKind::RefundStarted,
    OrderEventKind::Refunded,
    OrderEventKind::RefundFailed,
    OrderEventKind::ChargedBack,
    OrderEventKind::Shipped,
    OrderEventKind::Delivered,
    OrderEventKind::PaymentAuthorised,
    OrderEventKind::DepositPaid,
    OrderEventKind::HoldExtended,
    OrderEventKind::BalanceLapsed,
    OrderEventKind::TeamSettled,
    OrderEventKind::Won,
];

/// States of teams.
pub(crate) const TEAM_STATES: &[TeamState] =
    &[TeamState::Open, TeamState::Complete, TeamState::Failed];

/// States of places in a line.
pub(crate) const TICKET_STATES: &[TicketState] = &[
    TicketState::Waiting,
    TicketState::Offered,
    TicketState::Left,
];

/// Why something came off a price.
pub(crate) const OFFS: &[OffWhy] = &[OffWhy::Leader, OffWhy::Level, OffWhy::Coupon];

/// How an order's seat stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeatWord {
    None,
    Held,
    Paid,
    Gone,
}

/// Seats of orders.
pub(crate) const SEATS: &[SeatWord] = &[
    SeatWord::None,
    SeatWord::Held,
    SeatWord::Paid,
    SeatWord::Gone,
];

/// Whether an order's goods hang on a draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Draw {
    None,
    /// It has no goods, or none yet.
    Bare,
    Won,
}

/// Draws of orders.
pub(crate) const DRAWS: &[Draw] = &[Draw::None, Draw::Bare, Draw::Won];

/// Where an order stands in its own life, whatever became of its money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Held,
    Paid,
    Shipped,
    Delivered,
    Cancelled,
    Expired,
}

/// Phases of orders.
pub(crate) const PHASES: &[Phase] = &[
    Phase::Held,
    Phase::Paid,
    Phase::Shipped,
    Phase::Delivered,
    Phase::Cancelled,
    Phase::Expired,
];

/// The number of a value: its place in its list.
pub(crate) fn number<T: PartialEq>(list: &[T], value: &T) -> u8 {
    let place = list.iter().position(|known| known == value);
    place
        .and_then(|place| u8::try_from(place).ok())
        .unwrap_or(u8::MAX)
}

/// The value of a number; `None` for one that nobody has written.
pub(crate) fn value<T: Copy>(list: &[T], number: u8) -> Option<T> {
    list.get(usize::from(number)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_number_and_comes_back() {
        for state in ORDER_STATES {
            assert_eq!(
                value(ORDER_STATES, number(ORDER_STATES, state)),
                Some(*state)
            );
        }
        for kind in EVENTS {
            assert_eq!(value(EVENTS, number(EVENTS, kind)), Some(*kind));
        }
        assert_eq!(number(CHARGES, &ChargeView::Free), 6);
        assert_eq!(number(PHASES, &Phase::Expired), 5);
        assert_eq!(value(REFUND_STATES, 3), None);
    }
}
