//! Read models against the book, row by row (INV-11).

use std::fmt::Debug;

use api::line::TicketState;
use commerce::book::{LineRef, TeamRef, TicketRef};
use commerce::{Book, OrderRef, OrderStatus};
use storage::models::{
    DealRow, DuesRow, LineRow, ModelsError, OrderKey, OrderRow, RefundRow, SaleRow, StockRow,
    TeamRow, TicketRow, View,
};

use crate::projector::deals::off_row;
use crate::projector::words::{
    CHARGES, DRAWS, Draw, ORDER_STATES, REFUND_STATES, SALE_STATES, SEATS, SeatWord, TEAM_STATES,
    TICKET_STATES, number,
};
use crate::wire;

/// Differences that are told; when there are more, the read models are to be built anew anyhow.
const TOLD_MAX: usize = 10;

/// Holds what the read models say of a sale against its book, which has to stand at their position. Says what differs,
/// at most the first ten.
///
/// # Errors
/// When the read models cannot be read.
pub fn compare(view: &View, sale: u32, book: &Book) -> Result<Vec<String>, ModelsError> {
    let mut differences = Vec::new();
    compare_sale(view.sale(sale)?, sale, book, &mut differences);
    compare_stock(&view.stock(sale)?, sale, book, &mut differences);
    let mut next = 0;
    view.each_order(sale, &mut |row| {
        compare_order(&row, &mut next, sale, book, &mut differences);
        Ok::<_, ModelsError>(())
    })?;
    let placed = book.tally().placed;
    if next < placed && differences.len() < TOLD_MAX {
        differences.push(format!(
            "orders from number {next} to {} are missing",
            placed - 1
        ));
    }
    compare_teams(view, sale, book, &mut differences)?;
    compare_line(view, sale, book, &mut differences)?;
    Ok(differences)
}

fn compare_teams(
    view: &View,
    sale: u32,
    book: &Book,
    differences: &mut Vec<String>,
) -> Result<(), ModelsError> {
    let mut walk = Walk::along("team", differences);
    view.each_team(sale, &mut |row| {
        let number = row.key.number;
        walk.step(number, &row, || {
            book.team(number).map(|team| team_row(team, &row))
        });
    })?;
    walk.end(|next| book.team(next).is_some());
    Ok(())
}

/// Rows of one kind, one after the other: numbered from 0 without a gap, as the book has them.
struct Walk<'a> {
    what: &'static str,
    next: u32,
    differences: &'a mut Vec<String>,
}

impl<'a> Walk<'a> {
    fn along(what: &'static str, differences: &'a mut Vec<String>) -> Self {
        Self {
            what,
            next: 0,
            differences,
        }
    }

    /// The next row; `expected` says what the book asks for under its number.
    fn step<R: PartialEq + Debug>(
        &mut self,
        number: u32,
        row: &R,
        expected: impl FnOnce() -> Option<R>,
    ) {
        let (what, next) = (self.what, self.next);
        let expected = (number == next).then(expected).flatten();
        if expected.as_ref() != Some(row) {
            tell(self.differences, || {
                format!("{what} {next} reads {row:?}, the book says {expected:?}")
            });
        }
        self.next += 1;
    }

    /// After the last row; `known` says whether the book has this number.
    fn end(self, known: impl FnOnce(u32) -> bool) {
        let (what, next) = (self.what, self.next);
        if known(next) {
            tell(self.differences, || {
                format!("{what}s from number {next} on are missing")
            });
        }
    }
}

/// The team's row that the book asks for. What it does not tell (the rule's place, the prizes left) is taken from the
/// row.
fn team_row(team: TeamRef<'_>, row: &TeamRow) -> TeamRow {
    let (opened, ends, ended) = team.times();
    let (size, held, paid, filled) = team.seats();
    let settlement = team.settlement();
    TeamRow {
        state: number(TEAM_STATES, &wire::team_state(team.state())),
        opened_ms: opened.0,
        ends_ms: ends.0,
        ended_ms: ended.map(|ended| ended.0),
        size,
        held,
        paid,
        filled,
        members: settlement.orders,
        settled: settlement.settled,
        drawn: team.draw().is_some_and(|draw| draw.opened.is_some()),
        ..row.clone()
    }
}

fn compare_line(
    view: &View,
    sale: u32,
    book: &Book,
    differences: &mut Vec<String>,
) -> Result<(), ModelsError> {
    let mut walk = Walk::along("ticket", differences);
    view.each_ticket(sale, &mut |row| {
        let number = row.key.number;
        walk.step(number, &row, || {
            book.ticket(number).map(|ticket| ticket_row(ticket, &row))
        });
    })?;
    walk.end(|next| book.ticket(next).is_some());
    Ok(())
}

fn ticket_row(ticket: TicketRef<'_>, row: &TicketRow) -> TicketRow {
    let (state, offered) = match ticket.state {
        commerce::book::TicketState::Waiting => (TicketState::Waiting, None),
        commerce::book::TicketState::Offered { order } => (TicketState::Offered, Some(order)),
        commerce::book::TicketState::Left => (TicketState::Left, None),
    };
    TicketRow {
        key: row.key,
        sku: ticket.sku,
        units: ticket.units,
        buyer: ticket.buyer.into(),
        since_ms: ticket.since.0,
        state: number(TICKET_STATES, &state),
        offered,
    }
}

fn tell(differences: &mut Vec<String>, difference: impl FnOnce() -> String) {
    if differences.len() < TOLD_MAX {
        differences.push(difference());
    }
}

fn compare_sale(found: Option<SaleRow>, sale: u32, book: &Book, differences: &mut Vec<String>) {
    let expected = book.exists().then(|| sale_row(sale, book));
    if found != expected {
        tell(differences, || {
            format!("the sale reads {found:?}, the book says {expected:?}")
        });
    }
}

fn sale_row(sale: u32, book: &Book) -> SaleRow {
    let (window, tally) = (book.window(), book.tally());
    let mut row = SaleRow {
        sale,
        title: book.title().into(),
        state: number(SALE_STATES, &wire::sale_state(book.state())),
        currency: book
            .currency()
            .map_or_else(Box::default, |currency| currency.code().into()),
        opens_ms: window.opens.map(|time| time.0),
        closes_ms: window.closes.map(|time| time.0),
        created_ms: book.created().0,
        orders_placed: tally.placed.into(),
        orders_held: tally.held.into(),
        orders_paid: tally.paid.into(),
        orders_cancelled: tally.cancelled.into(),
        orders_expired: tally.expired.into(),
        ..SaleRow::default()
    };
    for sku in book.skus() {
        let units = sku.units();
        row.skus += 1;
        row.stocked += u64::from(units.stocked().0);
        row.available += u64::from(units.available().0);
        row.held += u64::from(units.held().0);
        row.sold += u64::from(units.sold().0);
        row.written_off += u64::from(units.written_off().0);
    }
    row
}

fn compare_stock(found: &[StockRow], sale: u32, book: &Book, differences: &mut Vec<String>) {
    let mut rows = found.iter();
    for (place, sku) in (0..).zip(book.skus()) {
        let units = sku.units();
        let expected = StockRow {
            sale,
            place,
            sku: (&**sku.sku()).into(),
            title: sku.title().into(),
            price: sku.price().0,
            stocked: units.stocked().0.into(),
            available: units.available().0.into(),
            held: units.held().0.into(),
            sold: units.sold().0.into(),
            written_off: units.written_off().0.into(),
        };
        let found = rows.next();
        if found != Some(&expected) {
            tell(differences, || {
                format!(
                    "SKU {} reads {found:?}, the book says {expected:?}",
                    expected.sku
                )
            });
        }
    }
    let more = rows.count();
    if more > 0 {
        tell(differences, || {
            format!("{more} SKUs are in the read models only")
        });
    }
}

/// What differs between an order's row and its book, if anything; the book has to stand where the row does.
pub(crate) fn order_difference(sale: u32, book: &Book, row: &OrderRow) -> Option<String> {
    let number = row.key.number;
    let Some(order) = book.order(number) else {
        return Some(format!("order {number} is in the read models only"));
    };
    let expected = order_row(sale, order, row, book);
    (*row != expected).then(|| {
        let id = wire::order_id(sale, number);
        format!("{id}: {}", first_difference(row, &expected))
    })
}

fn compare_order(
    row: &OrderRow,
    next: &mut u32,
    sale: u32,
    book: &Book,
    differences: &mut Vec<String>,
) {
    let number = row.key.number;
    if number != *next {
        tell(differences, || {
            format!(
                "orders from number {next} to {} are missing",
                number.saturating_sub(1)
            )
        });
    }
    *next = number.saturating_add(1);
    if let Some(difference) = order_difference(sale, book, row) {
        tell(differences, || difference);
    }
}

/// What the book says that an order's row has to show; what only the row knows (its history, the places of its SKUs) is
/// left out.
pub(crate) fn shown_row(sale: u32, order: OrderRef<'_>, book: &Book) -> OrderRow {
    let empty = OrderRow {
        key: OrderKey {
            sale,
            number: order.number(),
        },
        buyer: None,
        state: 0,
        phase: 0,
        charge: 0,
        attempt: 0,
        total: 0,
        captured: 0,
        refunded: 0,
        refund_pending: 0,
        charged_back: 0,
        placed_ms: 0,
        deadline_ms: 0,
        units: 0,
        sequence: 0,
        events: 0,
        paid: None,
        lines: Vec::new(),
        refunds: Vec::new(),
        deal: None,
    };
    order_row(sale, order, &empty, book)
}

/// The row that the book asks for. What it does not know of (the order's history) is taken from the row.
fn order_row(sale: u32, order: OrderRef<'_>, row: &OrderRow, book: &Book) -> OrderRow {
    let (funds, (attempt, charge)) = (order.funds(), order.charge());
    // A SKU has one place, so where the row's place has the line's name, it is the line's place.
    let place = |line: LineRef<'_>, at: usize| {
        let found = row.lines.get(at).map_or(u32::MAX, |found| found.sku);
        let named = book
            .sku_at(found)
            .is_some_and(|sku| sku.sku() == line.sku());
        if named { found } else { u32::MAX }
    };
    let lines = order.lines().zip(0..).map(|(line, at)| LineRow {
        sku: place(line, at),
        units: line.units(),
        price: line.price().0,
        returned: line.returned(),
    });
    let deadline = order.deadline().0;
    OrderRow {
        key: OrderKey {
            sale,
            number: order.number(),
        },
        buyer: order.buyer().map(Into::into),
        state: state(order.status(), row, deadline <= book.time().0),
        phase: row.phase,
        charge: number(CHARGES, &charge),
        attempt,
        total: order.total().0,
        captured: funds.captured().0,
        refunded: funds.refunded().0,
        refund_pending: funds.held().0,
        charged_back: funds.charged_back().0,
        placed_ms: order.placed().0,
        deadline_ms: deadline,
        units: order.units(),
        sequence: row.sequence,
        events: row.events,
        paid: row.paid.clone(),
        lines: lines.collect(),
        refunds: order.refunds().map(refund_row).collect(),
        deal: deal_row(order, row, book).map(Box::new),
    }
}

/// What the book says that an order has beyond its lines. Of a seat that counts no more it says nothing.
fn deal_row(order: OrderRef<'_>, row: &OrderRow, book: &Book) -> Option<DealRow> {
    let dues = order.dues().map(|(dues, paid, forfeited)| DuesRow {
        deposit: dues.deposit.0,
        from_ms: dues.from.0,
        until_ms: dues.until.0,
        paid,
        whole: order.kept() != 0,
        forfeited,
    });
    let number_of = order.team();
    let off: Vec<_> = order.price().iter().filter_map(off_row).collect();
    if number_of.is_none() && dues.is_none() && off.is_empty() {
        return None;
    }
    let team = number_of.and_then(|number| book.team(number));
    let draws = team.is_some_and(|team| team.rule().prizes.is_some());
    let draw = match (draws, order.is_bare()) {
        (false, _) => Draw::None,
        (true, true) => Draw::Bare,
        (true, false) => Draw::Won,
    };
    let member = team.and_then(|team| team.member(order.number()));
    let seat = match member {
        Some(member) if member.paid => number(SEATS, &SeatWord::Paid),
        Some(_) => number(SEATS, &SeatWord::Held),
        None => row.deal.as_ref().map_or(0, |deal| deal.seat),
    };
    Some(DealRow {
        team: number_of,
        seat,
        draw: number(DRAWS, &draw),
        off,
        difference: order.difference().0,
        dues,
    })
}

/// A hold that is due and not swept yet is over in the book's eyes; the read models learn of it from the sweep.
fn state(status: OrderStatus, row: &OrderRow, is_due: bool) -> u8 {
    let waits = [
        OrderStatus::Held,
        OrderStatus::Paying,
        OrderStatus::Deposited,
    ]
    .iter()
    .any(|waits| number(ORDER_STATES, &wire::order_state(*waits)) == row.state);
    match status {
        OrderStatus::Expired if waits && is_due => row.state,
        _ => number(ORDER_STATES, &wire::order_state(status)),
    }
}

fn refund_row(refund: commerce::book::RefundRef) -> RefundRow {
    RefundRow {
        amount: refund.amount.0,
        state: number(REFUND_STATES, &wire::refund(0, 0, refund).state),
        automatic: refund.automatic,
        restocked: refund.units_restocked,
    }
}

/// The first field that differs, both ways.
fn first_difference(found: &OrderRow, expected: &OrderRow) -> String {
    let fields = [
        (
            "buyer",
            format!("{:?}", found.buyer),
            format!("{:?}", expected.buyer),
        ),
        ("state", found.state.to_string(), expected.state.to_string()),
        (
            "charge",
            format!("{}/{}", found.charge, found.attempt),
            format!("{}/{}", expected.charge, expected.attempt),
        ),
        ("total", found.total.to_string(), expected.total.to_string()),
        (
            "captured",
            found.captured.to_string(),
            expected.captured.to_string(),
        ),
        (
            "refunded",
            found.refunded.to_string(),
            expected.refunded.to_string(),
        ),
        (
            "refund pending",
            found.refund_pending.to_string(),
            expected.refund_pending.to_string(),
        ),
        (
            "charged back",
            found.charged_back.to_string(),
            expected.charged_back.to_string(),
        ),
        (
            "placed",
            found.placed_ms.to_string(),
            expected.placed_ms.to_string(),
        ),
        (
            "deadline",
            found.deadline_ms.to_string(),
            expected.deadline_ms.to_string(),
        ),
        ("units", found.units.to_string(), expected.units.to_string()),
        (
            "lines",
            format!("{:?}", found.lines),
            format!("{:?}", expected.lines),
        ),
        (
            "refunds",
            format!("{:?}", found.refunds),
            format!("{:?}", expected.refunds),
        ),
        (
            "deal",
            format!("{:?}", found.deal),
            format!("{:?}", expected.deal),
        ),
    ];
    let differing = fields.iter().find(|(_, found, expected)| found != expected);
    differing.map_or_else(
        || format!("reads {found:?}, the book says {expected:?}"),
        |(field, found, expected)| format!("{field} reads {found}, the book says {expected}"),
    )
}
