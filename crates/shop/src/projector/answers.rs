//! Lists and histories for the wire, from the read models, with how far behind they are.
//!
//! Each answer comes from one moment of the read models, and says which. All functions block.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use api::deal::{OrderDues, OrderOff, OrderTeam};
use api::order::{
    Order, OrderEvent, OrderEvents, OrderLine, OrderPage, OrderQuery, OrderState, Payment,
    PaymentState, ReadModel, SalePosition,
};
use api::plan::Window;
use api::refund::Refund;
use api::sale::{OrderCounts, SalePage, SaleQuery, SaleSummary};
use api::team::TeamState;
use api::{Code, Currency, OrderId, Position, PriceText, Problem, RefundId, SaleId, Time};
use commerce::book::ChargeView;
use ledger::UnitPrice;
use storage::models::{
    DealRow, DuesRow, EventRow, ModelsError, OrderFilter, OrderKey, OrderRow, PositionRow,
    RefundRow, SaleFilter, SaleRow, View,
};

use super::ProjectorHandle;
use super::orders::first_event;
use super::words::{
    CHARGES, DRAWS, Draw, EVENTS, OFFS, ORDER_STATES, REFUND_STATES, SALE_STATES, SEATS, SeatWord,
    TEAM_STATES, number, value,
};
use crate::wire;

/// Which sales a caller may see.
#[derive(Debug, Clone, Copy)]
pub enum Sight<'a> {
    /// All of them.
    All,
    /// These.
    Only(&'a [u32]),
}

impl<'a> Sight<'a> {
    fn sales(self) -> Option<&'a [u32]> {
        match self {
            Self::All => None,
            Self::Only(sales) => Some(sales),
        }
    }

    fn includes(self, sale: u32) -> bool {
        self.sales().is_none_or(|sales| sales.contains(&sale))
    }
}

/// A page of orders, newest first. A buyer's own list is one with `query.buyer` set.
///
/// # Errors
/// `TG-1002` for a cursor that is none; `TG-5001` when the read models cannot be read.
pub fn orders(
    handle: &ProjectorHandle,
    query: &OrderQuery,
    sight: Sight<'_>,
) -> Result<OrderPage, Problem> {
    let behind = query.cursor.as_deref().map(order_cursor).transpose()?;
    let asked = query.sale_id.map(|sale| [sale.get()]);
    let sales = match &asked {
        Some([sale]) if !sight.includes(*sale) => Some(&[][..]),
        Some(sale) => Some(&sale[..]),
        None => sight.sales(),
    };
    let filter = OrderFilter {
        sales,
        buyer: query.buyer.as_deref(),
        state: query.state.map(|state| number(ORDER_STATES, &state)),
        placed_from_ms: query.placed_after.map(Time::ms),
        placed_before_ms: query.placed_before.map(Time::ms),
        behind,
        limit: query.page(),
    };
    let view = handle.models().view().map_err(unreadable)?;
    page(handle, &view, &filter, asked).map_err(unreadable)
}

fn page(
    handle: &ProjectorHandle,
    view: &View,
    filter: &OrderFilter<'_>,
    asked: Option<[u32; 1]>,
) -> Result<OrderPage, ModelsError> {
    let found = view.orders(filter)?;
    let mut sales = Sales::default();
    for row in &found.rows {
        sales.learn(view, row)?;
    }
    let shown: Vec<u32> = sales
        .currencies
        .keys()
        .copied()
        .chain(asked.into_iter().flatten())
        .collect();
    Ok(OrderPage {
        orders: found.rows.iter().map(|row| sales.order(row)).collect(),
        next_cursor: found
            .next
            .map(|key| wire::order_id(key.sale, key.number).to_string().into()),
        read_model: freshness(handle, view, shown)?,
    })
}

/// The history of an order, oldest first; `None` for one that the read models do not have (yet).
///
/// # Errors
/// `TG-5001` when the read models cannot be read.
pub fn events(handle: &ProjectorHandle, order: OrderId) -> Result<Option<OrderEvents>, Problem> {
    let view = handle.models().view().map_err(unreadable)?;
    history(handle, &view, order).map_err(unreadable)
}

fn history(
    handle: &ProjectorHandle,
    view: &View,
    order: OrderId,
) -> Result<Option<OrderEvents>, ModelsError> {
    let sale = order.sale().get();
    let Ok(number) = u32::try_from(order.number()) else {
        return Ok(None);
    };
    let key = OrderKey { sale, number };
    let Some(row) = view.order(key)? else {
        return Ok(None);
    };
    let rows = std::iter::once(first_event(&row)).chain(view.events(key)?);
    Ok(Some(OrderEvents {
        events: rows.map(event).collect::<Result<_, _>>()?,
        read_model: Some(freshness(handle, view, vec![sale])?),
    }))
}

/// A page of sales, newest first.
///
/// # Errors
/// `TG-1002` for a cursor that is none; `TG-5001` when the read models cannot be read.
pub fn sales(
    handle: &ProjectorHandle,
    query: &SaleQuery,
    sight: Sight<'_>,
) -> Result<SalePage, Problem> {
    let behind = query.cursor.as_deref().map(sale_cursor).transpose()?;
    let filter = SaleFilter {
        sales: sight.sales(),
        state: query.state.map(|state| number(SALE_STATES, &state)),
        behind,
        limit: query.page(),
    };
    let view = handle.models().view().map_err(unreadable)?;
    let page = || {
        let found = view.sales(&filter)?;
        Ok::<_, ModelsError>(SalePage {
            sales: found.rows.iter().map(summary).collect::<Result<_, _>>()?,
            next_cursor: found
                .next
                .map(|sale| wire::sale_id(sale).to_string().into()),
            read_model: freshness(
                handle,
                &view,
                found.rows.iter().map(|row| row.sale).collect(),
            )?,
        })
    };
    page().map_err(unreadable)
}

fn order_cursor(cursor: &str) -> Result<OrderKey, Problem> {
    let id: Option<OrderId> = cursor.parse().ok();
    let key = id.and_then(|id| {
        Some(OrderKey {
            sale: id.sale().get(),
            number: u32::try_from(id.number()).ok()?,
        })
    });
    key.ok_or_else(no_cursor)
}

fn sale_cursor(cursor: &str) -> Result<u32, Problem> {
    cursor.parse().map(SaleId::get).map_err(|_| no_cursor())
}

fn no_cursor() -> Problem {
    Problem::of_field("cursor", "must be a next_cursor of an earlier page")
}

/// What is wrong with the file is for operators, who find it under `/readyz`.
#[allow(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn unreadable(_: ModelsError) -> Problem {
    Problem::new(Code::Internal)
}

/// How fresh an answer is that speaks of these sales.
fn freshness(
    handle: &ProjectorHandle,
    view: &View,
    mut sales: Vec<u32>,
) -> Result<ReadModel, ModelsError> {
    sales.sort_unstable();
    sales.dedup();
    let mut positions = Vec::new();
    for sale in sales {
        positions.extend(view.position(sale)?.map(position));
    }
    let lag = handle.lag();
    Ok(ReadModel {
        positions,
        lag_ms: lag.lag_ms,
        behind_batches: lag.behind_batches,
    })
}

fn position(row: PositionRow) -> SalePosition {
    SalePosition {
        sale_id: wire::sale_id(row.sale),
        position: Position::new(row.sequence, &row.chain),
    }
}

/// What orders need from the rows of their sales.
#[derive(Default)]
struct Sales {
    currencies: BTreeMap<u32, Box<str>>,
    skus: BTreeMap<(u32, u32), Box<str>>,
    teams: BTreeMap<(u32, u32), TeamState>,
}

impl Sales {
    fn learn(&mut self, view: &View, row: &OrderRow) -> Result<(), ModelsError> {
        let sale = row.key.sale;
        if let Entry::Vacant(place) = self.currencies.entry(sale) {
            let found = view.sale(sale)?.ok_or_else(|| missing("sale", sale))?;
            place.insert(found.currency);
        }
        if let Some(number) = row.deal.as_ref().and_then(|deal| deal.team) {
            let team = view.team(OrderKey { sale, number })?;
            let state = team.and_then(|team| value(TEAM_STATES, team.state));
            let state = state.ok_or_else(|| missing("team", number))?;
            self.teams.insert((sale, number), state);
        }
        for line in &row.lines {
            if let Entry::Vacant(place) = self.skus.entry((sale, line.sku)) {
                let code = view.sku(sale, line.sku)?;
                place.insert(code.ok_or_else(|| missing("SKU", line.sku))?);
            }
        }
        Ok(())
    }

    fn order(&self, row: &OrderRow) -> Order {
        let OrderKey { sale, number } = row.key;
        let code = self.currencies.get(&sale).map_or("", |code| code);
        let state = value(ORDER_STATES, row.state).unwrap_or(OrderState::Expired);
        let waits = matches!(
            state,
            OrderState::Held | OrderState::Paying | OrderState::Deposited
        );
        let deal = row.deal.as_deref();
        Order {
            id: wire::order_id(sale, number),
            sale_id: wire::sale_id(sale),
            buyer: row.buyer.clone(),
            state,
            currency: currency(code),
            total_minor: row.total,
            lines: self.lines(row, code),
            captured_minor: row.captured,
            refunded_minor: row.refunded,
            refund_pending_minor: row.refund_pending,
            charged_back_minor: row.charged_back,
            placed_at: Time::from_ms(row.placed_ms),
            hold_expires_at: waits.then(|| Time::from_ms(row.deadline_ms)),
            payment: payment(row),
            refunds: row
                .refunds
                .iter()
                .zip(1_u16..)
                .map(|(refund, nth)| refund_of(row.key, nth, refund))
                .collect(),
            team: deal.and_then(|deal| self.team(row, deal, state)),
            off: deal.map_or_else(Vec::new, off),
            difference_minor: deal.map_or(0, |deal| deal.difference),
            dues: deal.and_then(|deal| dues(row, deal.dues?)),
            due_minor: if waits { due(row) } else { 0 },
        }
    }

    fn team(&self, row: &OrderRow, deal: &DealRow, state: OrderState) -> Option<OrderTeam> {
        let (sale, number) = (row.key.sale, deal.team?);
        let counts = !matches!(state, OrderState::Cancelled | OrderState::Expired);
        let draw = value(DRAWS, deal.draw)?;
        Some(OrderTeam {
            id: wire::team_id(sale, number),
            state: *self.teams.get(&(sale, number))?,
            seat_paid: counts && value(SEATS, deal.seat) == Some(SeatWord::Paid),
            lottery: (draw != Draw::None).then(|| wire::lottery(state, draw == Draw::Bare)),
        })
    }

    fn lines(&self, row: &OrderRow, currency: &str) -> Vec<OrderLine> {
        let currency = ledger::Currency::new(currency);
        let line = |(line, at): (&storage::models::LineRow, u16)| OrderLine {
            line: at,
            sku: self
                .skus
                .get(&(row.key.sale, line.sku))
                .cloned()
                .unwrap_or_default(),
            quantity: line.units,
            price: price(line.price),
            total_minor: currency
                .and_then(|of| UnitPrice(line.price).times(line.units, of))
                .unwrap_or_default()
                .0,
            returned_quantity: line.returned,
        };
        row.lines.iter().zip(0_u16..).map(line).collect()
    }
}

fn off(deal: &DealRow) -> Vec<OrderOff> {
    let off = |&(why, number, amount_minor): &(u8, Option<u32>, i64)| {
        Some(OrderOff {
            why: value(OFFS, why)?,
            number,
            amount_minor,
        })
    };
    deal.off.iter().filter_map(off).collect()
}

fn dues(row: &OrderRow, dues: DuesRow) -> Option<OrderDues> {
    Some(OrderDues {
        deposit_minor: dues.deposit,
        balance_minor: row.total.checked_sub(dues.deposit)?,
        from: Time::from_ms(dues.from_ms),
        until: Time::from_ms(dues.until_ms),
        deposit_paid: dues.paid,
        balance_paid: dues.whole,
        forfeited: dues.forfeited,
    })
}

/// What the next payment of an order is for.
fn due(row: &OrderRow) -> i64 {
    match row.deal.as_ref().and_then(|deal| deal.dues) {
        None => row.total,
        Some(dues) if !dues.paid => dues.deposit,
        Some(dues) => row.total - dues.deposit,
    }
}

fn missing(what: &str, number: u32) -> ModelsError {
    ModelsError::Damaged(format!("there is no {what} {number}"))
}

fn currency(code: &str) -> Currency {
    code.parse()
        .unwrap_or_else(|_| unreachable!("the read models are written from a book"))
}

fn price(price: i64) -> PriceText {
    PriceText::new(price.clamp(0, PriceText::MAX)).unwrap_or_else(|_| unreachable!("clamped"))
}

fn payment(row: &OrderRow) -> Option<Payment> {
    let state = match value(CHARGES, row.charge)? {
        ChargeView::None | ChargeView::Free => return None,
        ChargeView::Charging => PaymentState::Charging,
        ChargeView::Unknown => PaymentState::Unknown,
        ChargeView::Failed => PaymentState::Failed,
        ChargeView::Captured => PaymentState::Captured,
        ChargeView::Elsewhere => PaymentState::External,
        ChargeView::Authorised => PaymentState::Authorised,
    };
    Some(Payment {
        id: wire::payment_id(row.key.sale, row.key.number, row.attempt),
        state,
        action: None,
    })
}

fn refund_of(order: OrderKey, number: u16, row: &RefundRow) -> Refund {
    Refund {
        id: RefundId {
            order: wire::order_id(order.sale, order.number),
            number,
        },
        amount_minor: row.amount,
        state: value(REFUND_STATES, row.state).unwrap_or(api::refund::RefundState::Pending),
        automatic: row.automatic,
        units_returned: row.restocked,
    }
}

fn event(row: EventRow) -> Result<OrderEvent, ModelsError> {
    let kind = value(EVENTS, row.kind);
    Ok(OrderEvent {
        sequence: row.sequence,
        at: Time::from_ms(row.at_ms),
        event: kind
            .ok_or_else(|| ModelsError::Damaged(format!("there is no event {}", row.kind)))?,
        amount_minor: row.amount,
        units: row.units,
        reference: row.reference,
    })
}

fn summary(row: &SaleRow) -> Result<SaleSummary, ModelsError> {
    let state = value(SALE_STATES, row.state);
    Ok(SaleSummary {
        id: wire::sale_id(row.sale),
        name: row.title.clone(),
        state: state
            .ok_or_else(|| ModelsError::Damaged(format!("there is no state {}", row.state)))?,
        currency: currency(&row.currency),
        window: Window {
            opens_at: row.opens_ms.map(Time::from_ms),
            closes_at: row.closes_ms.map(Time::from_ms),
        },
        sku_count: row.skus,
        stocked_count: row.stocked,
        available_count: row.available,
        held_count: row.held,
        sold_count: row.sold,
        written_off_count: row.written_off,
        orders: OrderCounts {
            placed: row.orders_placed,
            held: row.orders_held,
            paid: row.orders_paid,
            cancelled: row.orders_cancelled,
            expired: row.orders_expired,
        },
    })
}
