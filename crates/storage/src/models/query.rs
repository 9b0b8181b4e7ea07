//! Reading rows: pages of orders and sales, one order's history, positions.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::buyers::{self, Enough};
use super::offers::unpack_deal;
use super::rows::{unpack_lines, unpack_refunds};
use super::{EventRow, ModelsError, OrderKey, OrderRow, PositionRow, SaleRow, StockRow};

/// Rows of one page, at most.
pub const PAGE_ROWS_MAX: u32 = 200;

/// Which orders, newest first. Everything that is `None` is not asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct OrderFilter<'a> {
    /// Orders of these sales, in any order.
    pub sales: Option<&'a [u32]>,
    /// Orders of this buyer.
    pub buyer: Option<&'a str>,
    /// Orders in this state.
    pub state: Option<u8>,
    /// Orders placed at this time or later, Unix milliseconds.
    pub placed_from_ms: Option<u64>,
    /// Orders placed before this time, Unix milliseconds.
    pub placed_before_ms: Option<u64>,
    /// Orders behind the last one of the page before.
    pub behind: Option<OrderKey>,
    /// Rows of the page, cut to [`PAGE_ROWS_MAX`].
    pub limit: u32,
}

/// A page of orders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderPage {
    /// The orders, newest first.
    pub rows: Vec<OrderRow>,
    /// The last order, when more follow.
    pub next: Option<OrderKey>,
}

/// Which sales, newest first.
#[derive(Debug, Clone, Copy, Default)]
pub struct SaleFilter<'a> {
    /// Only these sales, in any order.
    pub sales: Option<&'a [u32]>,
    /// Sales in this state.
    pub state: Option<u8>,
    /// Sales behind the last one of the page before.
    pub behind: Option<u32>,
    /// Rows of the page, cut to [`PAGE_ROWS_MAX`].
    pub limit: u32,
}

/// A page of sales.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SalePage {
    /// The sales, newest first.
    pub rows: Vec<SaleRow>,
    /// The last sale, when more follow.
    pub next: Option<u32>,
}

const ORDER_COLUMNS: &str = "id, buyer, state, phase, charge, attempt, total, captured, refunded, refund_pending, \
     charged_back, placed_ms, deadline_ms, units, sequence, events, paid, lines, refunds, deal";

const SALE_COLUMNS: &str = "sale, title, state, currency, opens_ms, closes_ms, created_ms, skus, stocked, available, \
     held, sold, written_off, orders_placed, orders_held, orders_paid, orders_cancelled, orders_expired";

/// A page of orders.
pub(super) fn orders(
    connection: &Connection,
    filter: &OrderFilter<'_>,
) -> Result<OrderPage, ModelsError> {
    let limit = usize::try_from(filter.limit.clamp(1, PAGE_ROWS_MAX)).unwrap_or(1);
    let mut rows = Vec::new();
    for range in ranges(connection, filter)? {
        // One row more tells whether there is another page.
        let range = timed(connection, filter, range?)?;
        in_range(connection, filter, &range, limit + 1, &mut rows)?;
        if rows.len() > limit {
            break;
        }
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.key);
    Ok(OrderPage { rows, next })
}

type Ranges<'a> = Box<dyn Iterator<Item = Result<Range<i64>, ModelsError>> + 'a>;

/// Row numbers to look through, newest first. Only within one sale do they rise with time, so a
/// filter by time goes through the sales one after the other.
fn ranges<'a>(
    connection: &'a Connection,
    filter: &OrderFilter<'_>,
) -> Result<Ranges<'a>, ModelsError> {
    let end = filter.behind.map_or(i64::MAX, OrderKey::row);
    let cut = move |range: Range<i64>| range.start..range.end.min(end);
    let timeless = filter.placed_from_ms.is_none() && filter.placed_before_ms.is_none();
    if timeless && filter.sales.is_none() {
        return Ok(Box::new(std::iter::once(Ok(0..end))));
    }
    let newest = filter.behind.map_or(u32::MAX, |key| key.sale);
    let sales = match filter.sales {
        Some(sales) => newest_first(sales, |sale| sale <= newest),
        None => connection
            .prepare_cached("SELECT sale FROM sales WHERE sale <= ?1 ORDER BY sale DESC")?
            .query_map([newest], |row| row.get(0))?
            .collect::<Result<_, _>>()?,
    };
    let ranges = sales.into_iter().map(OrderKey::rows_of).map(cut).map(Ok);
    Ok(Box::new(ranges))
}

fn newest_first(sales: &[u32], keep: impl Fn(u32) -> bool) -> Vec<u32> {
    let mut sales: Vec<u32> = sales.iter().copied().filter(|&sale| keep(sale)).collect();
    sales.sort_unstable_by(|one, other| other.cmp(one));
    sales.dedup();
    sales
}

/// The part of a sale's rows that was placed in time. Orders of a sale are numbered in the order of
/// their times, so both ends are found by halving and need no index.
fn timed(
    connection: &Connection,
    filter: &OrderFilter<'_>,
    range: Range<i64>,
) -> Result<Range<i64>, ModelsError> {
    let start = match filter.placed_from_ms {
        Some(from) => first_placed(connection, &range, from)?,
        None => range.start,
    };
    let end = match filter.placed_before_ms {
        Some(before) => first_placed(connection, &(start..range.end), before)?,
        None => range.end,
    };
    Ok(start..end)
}

/// The first row of the range that was placed at `from_ms` or later; its end if there is none.
fn first_placed(
    connection: &Connection,
    range: &Range<i64>,
    from_ms: u64,
) -> Result<i64, ModelsError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, placed_ms FROM orders WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 1",
    )?;
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        let found = statement
            .query_row([middle, high], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })
            .optional()?;
        match found {
            Some((id, placed_ms)) if u64::try_from(placed_ms).unwrap_or(0) < from_ms => {
                low = id + 1;
            }
            _ => high = middle,
        }
    }
    Ok(low)
}

fn in_range(
    connection: &Connection,
    filter: &OrderFilter<'_>,
    range: &Range<i64>,
    limit: usize,
    rows: &mut Vec<OrderRow>,
) -> Result<(), ModelsError> {
    if range.is_empty() {
        return Ok(());
    }
    match filter.buyer {
        Some(buyer) => of_buyer(connection, filter, buyer, range, limit, rows),
        None => of_all(connection, filter.state, range, limit, rows),
    }
}

fn of_buyer(
    connection: &Connection,
    filter: &OrderFilter<'_>,
    buyer: &str,
    range: &Range<i64>,
    limit: usize,
    rows: &mut Vec<OrderRow>,
) -> Result<(), ModelsError> {
    buyers::each_row(connection, buyer, (range.start, range.end), &mut |row| {
        if rows.len() >= limit {
            return Ok(Enough::Yes);
        }
        let found = order(connection, OrderKey::from_row(row)?)?;
        rows.extend(found.filter(|row| {
            row.buyer.as_deref() == Some(buyer)
                && filter.state.is_none_or(|state| state == row.state)
        }));
        Ok(Enough::No)
    })
}

fn of_all(
    connection: &Connection,
    state: Option<u8>,
    range: &Range<i64>,
    limit: usize,
    rows: &mut Vec<OrderRow>,
) -> Result<(), ModelsError> {
    // Named, since the planner has no statistics and might walk through all orders of a sale.
    let (index, filter) = match state {
        Some(_) => ("INDEXED BY orders_state", "state = ?4"),
        None => ("NOT INDEXED", "?4 IS NULL"),
    };
    let sql = format!(
        "SELECT {ORDER_COLUMNS} FROM orders {index} WHERE id >= ?1 AND id < ?2 AND {filter} ORDER BY id DESC LIMIT ?3"
    );
    let left = i64::try_from(limit.saturating_sub(rows.len())).unwrap_or(0);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params![range.start, range.end, left, state])?;
    while let Some(row) = found.next()? {
        rows.push(order_of(row)?);
    }
    Ok(())
}

/// One order.
pub(super) fn order(
    connection: &Connection,
    key: OrderKey,
) -> Result<Option<OrderRow>, ModelsError> {
    let sql = format!("SELECT {ORDER_COLUMNS} FROM orders WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([key.row()])?;
    rows.next()?.map(order_of).transpose()
}

/// Shows all orders of a sale in the order of their numbers.
pub(super) fn each_order<E: From<ModelsError>>(
    connection: &Connection,
    sale: u32,
    visit: &mut dyn FnMut(OrderRow) -> Result<(), E>,
) -> Result<(), E> {
    let all = || {
        let sql =
            format!("SELECT {ORDER_COLUMNS} FROM orders WHERE id >= ?1 AND id < ?2 ORDER BY id");
        Ok::<_, ModelsError>(connection.prepare_cached(&sql)?)
    };
    let mut statement = all()?;
    let range = OrderKey::rows_of(sale);
    let found = statement.query([range.start, range.end]);
    let mut rows = found.map_err(ModelsError::from)?;
    while let Some(row) = rows.next().map_err(ModelsError::from)? {
        visit(order_of(row)?)?;
    }
    Ok(())
}

/// What happened to an order after it was placed, oldest first.
pub(super) fn events(connection: &Connection, key: OrderKey) -> Result<Vec<EventRow>, ModelsError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, sequence, at_ms, kind, amount, units, reference FROM order_events WHERE id = ?1 ORDER BY number",
    )?;
    let mut rows = statement.query([key.row()])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(EventRow {
            order: key,
            number: row.get(0)?,
            sequence: unsigned(row, 1)?,
            at_ms: unsigned(row, 2)?,
            kind: row.get(3)?,
            amount: row.get(4)?,
            units: row.get(5)?,
            reference: row.get(6)?,
        });
    }
    Ok(events)
}

/// A page of sales.
pub(super) fn sales(
    connection: &Connection,
    filter: &SaleFilter<'_>,
) -> Result<SalePage, ModelsError> {
    let limit = usize::try_from(filter.limit.clamp(1, PAGE_ROWS_MAX)).unwrap_or(1);
    // One row more tells whether there is another page.
    let mut rows = match filter.sales {
        Some(sales) => listed_sales(connection, filter, sales, limit + 1)?,
        None => all_sales(connection, filter, limit + 1)?,
    };
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.sale);
    Ok(SalePage { rows, next })
}

fn listed_sales(
    connection: &Connection,
    filter: &SaleFilter<'_>,
    sales: &[u32],
    limit: usize,
) -> Result<Vec<SaleRow>, ModelsError> {
    let mut rows = Vec::new();
    for number in newest_first(sales, |sale| {
        filter.behind.is_none_or(|behind| sale < behind)
    }) {
        let found = sale(connection, number)?;
        rows.extend(found.filter(|row| filter.state.is_none_or(|state| state == row.state)));
        if rows.len() == limit {
            break;
        }
    }
    Ok(rows)
}

fn all_sales(
    connection: &Connection,
    filter: &SaleFilter<'_>,
    limit: usize,
) -> Result<Vec<SaleRow>, ModelsError> {
    let sql = format!(
        "SELECT {SALE_COLUMNS} FROM sales WHERE sale < ?1 AND (?2 IS NULL OR state = ?2) ORDER BY sale DESC LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let behind = filter.behind.map_or(i64::MAX, i64::from);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = statement.query(params![behind, filter.state, limit])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(sale_of(row)?);
    }
    Ok(rows)
}

/// One sale.
pub(super) fn sale(connection: &Connection, sale: u32) -> Result<Option<SaleRow>, ModelsError> {
    let sql = format!("SELECT {SALE_COLUMNS} FROM sales WHERE sale = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([sale])?;
    rows.next()?.map(sale_of).transpose()
}

/// A sale's SKUs by their places.
pub(super) fn stock(connection: &Connection, sale: u32) -> Result<Vec<StockRow>, ModelsError> {
    let mut statement = connection.prepare_cached(
        "SELECT place, sku, title, price, stocked, available, held, sold, written_off FROM stock
         WHERE sale = ?1 ORDER BY place",
    )?;
    let mut found = statement.query([sale])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(StockRow {
            sale,
            place: row.get(0)?,
            sku: row.get(1)?,
            title: row.get(2)?,
            price: row.get(3)?,
            stocked: unsigned(row, 4)?,
            available: unsigned(row, 5)?,
            held: unsigned(row, 6)?,
            sold: unsigned(row, 7)?,
            written_off: unsigned(row, 8)?,
        });
    }
    Ok(rows)
}

/// The code of one SKU by its place.
pub(super) fn sku(
    connection: &Connection,
    sale: u32,
    place: u32,
) -> Result<Option<Box<str>>, ModelsError> {
    let mut statement =
        connection.prepare_cached("SELECT sku FROM stock WHERE sale = ?1 AND place = ?2")?;
    Ok(statement
        .query_row([sale, place], |row| row.get(0))
        .optional()?)
}

/// Up to where each journal has been read, by sale.
pub(super) fn positions(connection: &Connection) -> Result<Vec<PositionRow>, ModelsError> {
    let mut statement = connection
        .prepare_cached("SELECT sale, sequence, chain, time_ms FROM positions ORDER BY sale")?;
    let mut rows = statement.query([])?;
    let mut positions = Vec::new();
    while let Some(row) = rows.next()? {
        positions.push(position_of(row)?);
    }
    Ok(positions)
}

/// Up to where one journal has been read.
pub(super) fn position(
    connection: &Connection,
    sale: u32,
) -> Result<Option<PositionRow>, ModelsError> {
    let mut statement = connection
        .prepare_cached("SELECT sale, sequence, chain, time_ms FROM positions WHERE sale = ?1")?;
    let mut rows = statement.query([sale])?;
    rows.next()?.map(position_of).transpose()
}

fn position_of(row: &Row<'_>) -> Result<PositionRow, ModelsError> {
    Ok(PositionRow {
        sale: row.get(0)?,
        sequence: unsigned(row, 1)?,
        chain: row.get(2)?,
        time_ms: unsigned(row, 3)?,
    })
}

fn order_of(row: &Row<'_>) -> Result<OrderRow, ModelsError> {
    let lines = row.get_ref(17)?.as_str().map_err(rusqlite::Error::from)?;
    let refunds = row
        .get_ref(18)?
        .as_str_or_null()
        .map_err(rusqlite::Error::from)?;
    let deal = row
        .get_ref(19)?
        .as_str_or_null()
        .map_err(rusqlite::Error::from)?;
    Ok(OrderRow {
        key: OrderKey::from_row(row.get(0)?)?,
        buyer: row.get(1)?,
        state: row.get(2)?,
        phase: row.get(3)?,
        charge: row.get(4)?,
        attempt: row.get(5)?,
        total: row.get(6)?,
        captured: row.get(7)?,
        refunded: row.get(8)?,
        refund_pending: row.get(9)?,
        charged_back: row.get(10)?,
        placed_ms: unsigned(row, 11)?,
        deadline_ms: unsigned(row, 12)?,
        units: unsigned(row, 13)?,
        sequence: unsigned(row, 14)?,
        events: row.get(15)?,
        paid: row.get(16)?,
        lines: unpack_lines(lines)?,
        refunds: unpack_refunds(refunds)?,
        deal: unpack_deal(deal)?,
    })
}

fn sale_of(row: &Row<'_>) -> Result<SaleRow, ModelsError> {
    Ok(SaleRow {
        sale: row.get(0)?,
        title: row.get(1)?,
        state: row.get(2)?,
        currency: row.get(3)?,
        opens_ms: maybe_unsigned(row, 4)?,
        closes_ms: maybe_unsigned(row, 5)?,
        created_ms: unsigned(row, 6)?,
        skus: row.get(7)?,
        stocked: unsigned(row, 8)?,
        available: unsigned(row, 9)?,
        held: unsigned(row, 10)?,
        sold: unsigned(row, 11)?,
        written_off: unsigned(row, 12)?,
        orders_placed: unsigned(row, 13)?,
        orders_held: unsigned(row, 14)?,
        orders_paid: unsigned(row, 15)?,
        orders_cancelled: unsigned(row, 16)?,
        orders_expired: unsigned(row, 17)?,
    })
}

fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, ModelsError> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| ModelsError::Damaged(format!("column {column} holds {value}")))
}

fn maybe_unsigned(row: &Row<'_>, column: usize) -> Result<Option<u64>, ModelsError> {
    match row.get::<_, Option<i64>>(column)? {
        Some(_) => unsigned(row, column).map(Some),
        None => Ok(None),
    }
}
