//! What the book says of an order's money, as far as a provider can know of it.

use commerce::book::RefundState;
use commerce::{Book, EffectKind, OrderRef, Time};
use storage::models::OrderRow;

use crate::provider::share::{is_charged, is_refunded};
use crate::verify::shown_row;

/// What the book knows of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Its money was captured.
    Captured,
    /// It failed.
    Failed,
    /// It has no outcome; the cashier is at it.
    Open,
}

/// An order's money in its book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) number: u32,
    pub(super) currency: Box<str>,
    /// The sum of all that was captured.
    pub(super) captured: i64,
    /// Attempts to pay, from 1.
    pub(super) charges: Vec<(u16, Known)>,
    /// Refunds that a provider was asked for: number, amount, state.
    pub(super) refunds: Vec<(u16, i64, RefundState)>,
    /// What the read models have to show, as far as the book knows it.
    pub(super) shown: OrderRow,
}

/// A page of a sale.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    pub(super) seen: Vec<Seen>,
    /// Where the next page begins; `None` behind the last order.
    pub(super) next: Option<u32>,
}

/// The next orders of a sale from a number on that were placed in time.
pub(super) fn page(book: &Book, sale: u32, from: u32, placed_from: Time, most: u32) -> Page {
    let orders = book.tally().placed;
    let begin = from.max(first_placed(book, orders, placed_from));
    let end = begin.saturating_add(most).min(orders);
    let seen = (begin..end).filter_map(|number| seen(book, sale, number));
    Page {
        seen: seen.collect(),
        next: (end < orders).then_some(end),
    }
}

/// These orders of a sale, as far as they were placed before this time and are in its book.
pub(super) fn older(book: &Book, sale: u32, orders: &[u32], placed_before: Time) -> Vec<Seen> {
    let placed = |number: u32| book.order(number).map(|order| order.placed());
    let old = orders.iter().copied();
    let old = old.filter(|number| placed(*number).is_some_and(|at| at < placed_before));
    old.filter_map(|number| seen(book, sale, number)).collect()
}

/// The first order that was placed at this time or later. Orders are numbered in the order of their times.
fn first_placed(book: &Book, orders: u32, from: Time) -> u32 {
    let (mut low, mut high) = (0, orders);
    while low < high {
        let middle = low + (high - low) / 2;
        match book.order(middle) {
            Some(order) if order.placed() < from => low = middle + 1,
            _ => high = middle,
        }
    }
    low
}

/// One order.
pub(super) fn seen(book: &Book, sale: u32, number: u32) -> Option<Seen> {
    let (order, currency) = (book.order(number)?, book.currency()?);
    let refunds = order.refunds();
    Some(Seen {
        number,
        currency: currency.code().into(),
        captured: order.funds().captured().0,
        charges: charges(book, order),
        refunds: refunds
            .filter(|refund| is_refunded(order, refund.amount))
            .map(|refund| (refund.number, refund.amount.0, refund.state))
            .collect(),
        shown: shown_row(sale, order, book),
    })
}

fn charges(book: &Book, order: OrderRef<'_>) -> Vec<(u16, Known)> {
    let (last, _) = order.charge();
    if !is_charged(order) {
        return Vec::new();
    }
    let known = |attempt| {
        let effect = EffectKind::Charge { attempt };
        if order.was_captured(attempt) {
            Known::Captured
        } else if book.open_effect(order.number(), effect).is_some() {
            Known::Open
        } else {
            Known::Failed
        }
    };
    (1..=last)
        .map(|attempt| (attempt, known(attempt)))
        .collect()
}
