//! The one writer: rows and positions go in together, a transaction at a time.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, params};
use world::ErrorKind;

use super::offers::pack_deal;
use super::rows::{pack_lines, pack_refunds};
use super::schema::{self, SetAside};
use super::{EventRow, ModelsError, OrderKey, OrderRow, PositionRow, SaleRow, StockRow};
use super::{buyers, query};

/// The connection that writes. There is one for a file.
#[derive(Debug)]
pub struct Writer {
    connection: Connection,
    path: PathBuf,
    place: Option<PathBuf>,
    /// Orders whose buyers are noted and not merged.
    noted: Cell<u64>,
}

impl Writer {
    /// Opens the read models, or makes them; says so if an older file had to be set aside.
    /// `cache_kib` bounds the memory for pages.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Io`].
    pub fn open(path: &Path, cache_kib: u32) -> Result<(Self, Option<SetAside>), ModelsError> {
        match Self::open_trusted(path, cache_kib) {
            Ok(writer) => Ok((writer, None)),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                let moved = SetAside {
                    path: schema::set_aside(path)?,
                    reason: error.to_string(),
                };
                Ok((Self::open_trusted(path, cache_kib)?, Some(moved)))
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the file and reads what every start needs, which finds the coarse kinds of damage.
    fn open_trusted(path: &Path, cache_kib: u32) -> Result<Self, ModelsError> {
        let connection = schema::open(path, cache_kib)?;
        query::positions(&connection)?;
        let noted = Cell::new(buyers::noted(&connection)?);
        Ok(Self {
            connection,
            path: path.to_owned(),
            place: None,
            noted,
        })
    }

    /// Begins read models beside `path`, for many rows at once; [`Writer::finish`] puts them in
    /// their place. A crash before that leaves the old ones as they were.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Io`].
    pub fn begin_anew(path: &Path, cache_kib: u32) -> Result<Self, ModelsError> {
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let fresh = PathBuf::from(fresh);
        Ok(Self {
            connection: schema::open_bulk(&fresh, cache_kib)?,
            path: fresh,
            place: Some(path.to_owned()),
            noted: Cell::new(0),
        })
    }

    /// Ends the work: pages still in the log move into the file, and a file begun anew gets its
    /// indexes and its place.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Io`].
    pub fn finish(self) -> Result<(), ModelsError> {
        if self.place.is_some() {
            self.merge_buyers()?;
            schema::index(&self.connection)?;
        }
        self.connection.flush_prepared_statement_cache();
        if self.place.is_none() {
            // The last connection to close would do this, but readers may close later and cannot
            // write. A reader in the middle of something is not waited for.
            self.connection.busy_timeout(Duration::ZERO)?;
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        self.connection.close().map_err(|(_, error)| error)?;
        match self.place {
            Some(place) => schema::replace(&self.path, &place),
            None => Ok(()),
        }
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// [`ModelsError::Database`].
    pub fn begin(&self) -> Result<(), ModelsError> {
        Ok(self.connection.execute_batch("BEGIN IMMEDIATE")?)
    }

    /// Makes the transaction's rows visible.
    ///
    /// # Errors
    /// [`ModelsError::Database`]; the transaction may still be open then.
    pub fn commit(&self) -> Result<(), ModelsError> {
        Ok(self.connection.execute_batch("COMMIT")?)
    }

    /// Takes the transaction back, if there is one.
    pub fn rollback(&self) {
        if !self.connection.is_autocommit() {
            // What is left of it is gone with the connection at the latest.
            let _ = self.connection.execute_batch("ROLLBACK");
            // Orders that were noted or forgotten in it are not, and a count that is behind only merges later.
            if let Ok(noted) = buyers::noted(&self.connection) {
                self.noted.set(noted);
            }
        }
    }

    /// Orders that a query for a buyer has to look through one by one. The fewer, the faster it is;
    /// [`Writer::merge_buyers`] brings it to 0.
    #[must_use]
    pub fn unmerged(&self) -> u64 {
        self.noted.get()
    }

    /// Sorts what came since the last time into the index of buyers, in a transaction of its own.
    ///
    /// # Errors
    /// [`ModelsError::Database`]; nothing has changed then.
    pub fn merge_buyers(&self) -> Result<(), ModelsError> {
        self.begin()?;
        let merged = buyers::merge(&self.connection).and_then(|()| self.commit());
        match merged {
            Ok(()) => self.noted.set(0),
            Err(_) => self.rollback(),
        }
        merged
    }

    /// Removes every row of a sale, its place among the positions too, so that it can be built anew in the same
    /// transaction; needs one. The index of buyers is looked through as a whole.
    ///
    /// # Errors
    /// [`ModelsError::Database`].
    pub fn forget_sale(&self, sale: u32) -> Result<(), ModelsError> {
        for table in ["positions", "sales", "stock", "group_rules"] {
            let delete = format!("DELETE FROM {table} WHERE sale = ?1");
            self.connection.execute(&delete, [sale])?;
        }
        let rows = OrderKey::rows_of(sale);
        let tables = [
            "orders",
            "order_events",
            "teams",
            "tickets",
            "buyers",
            "buyers_new",
        ];
        for table in tables {
            let delete = format!("DELETE FROM {table} WHERE id >= ?1 AND id < ?2");
            self.connection.execute(&delete, [rows.start, rows.end])?;
        }
        self.noted.set(buyers::noted(&self.connection)?);
        Ok(())
    }

    /// Adds an order.
    ///
    /// # Errors
    /// [`ModelsError::Database`], if it is there already, too.
    pub fn insert_order(&self, row: &OrderRow) -> Result<(), ModelsError> {
        let mut statement = self.statement(
            "INSERT INTO orders (id, buyer, state, phase, charge, attempt, total, captured, refunded,
                refund_pending, charged_back, placed_ms, deadline_ms, units, sequence, events, paid, lines, refunds, deal)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
        )?;
        if let Some(buyer) = &row.buyer {
            buyers::note(&self.connection, row.key, buyer)?;
            self.noted.set(self.noted.get() + 1);
        }
        statement.execute(params![
            row.key.row(),
            row.buyer,
            row.state,
            row.phase,
            row.charge,
            row.attempt,
            row.total,
            row.captured,
            row.refunded,
            row.refund_pending,
            row.charged_back,
            signed(row.placed_ms),
            signed(row.deadline_ms),
            signed(row.units),
            signed(row.sequence),
            row.events,
            row.paid,
            pack_lines(&row.lines)?,
            pack_refunds(&row.refunds)?,
            pack_deal(row.deal.as_deref())?,
        ])?;
        Ok(())
    }

    /// Changes what can change of an order.
    ///
    /// # Errors
    /// [`ModelsError::Database`]; [`ModelsError::Damaged`] if it is not there.
    pub fn update_order(&self, row: &OrderRow) -> Result<(), ModelsError> {
        let mut statement = self.statement(
            "UPDATE orders SET state = ?2, phase = ?3, charge = ?4, attempt = ?5, captured = ?6, refunded = ?7,
                refund_pending = ?8, charged_back = ?9, events = ?10, lines = ?11, refunds = ?12, deadline_ms = ?13, deal = ?14
             WHERE id = ?1",
        )?;
        let changed = statement.execute(params![
            row.key.row(),
            row.state,
            row.phase,
            row.charge,
            row.attempt,
            row.captured,
            row.refunded,
            row.refund_pending,
            row.charged_back,
            row.events,
            pack_lines(&row.lines)?,
            pack_refunds(&row.refunds)?,
            signed(row.deadline_ms),
            pack_deal(row.deal.as_deref())?,
        ])?;
        if changed == 1 {
            return Ok(());
        }
        Err(ModelsError::Damaged(format!("{:?} has no row", row.key)))
    }

    /// Adds an event.
    ///
    /// # Errors
    /// [`ModelsError::Database`], if it is there already, too.
    pub fn insert_event(&self, row: &EventRow) -> Result<(), ModelsError> {
        let mut statement = self.statement(
            "INSERT INTO order_events (id, number, sequence, at_ms, kind, amount, units, reference)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        statement.execute(params![
            row.order.row(),
            row.number,
            signed(row.sequence),
            signed(row.at_ms),
            row.kind,
            row.amount,
            row.units,
            row.reference,
        ])?;
        Ok(())
    }

    /// Writes a SKU's units, whether or not they are there.
    ///
    /// # Errors
    /// [`ModelsError::Database`].
    pub fn put_stock(&self, row: &StockRow) -> Result<(), ModelsError> {
        let mut statement = self.statement(
            "INSERT OR REPLACE INTO stock (sale, place, sku, title, price, stocked, available, held, sold, written_off)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        statement.execute(params![
            row.sale,
            row.place,
            row.sku,
            row.title,
            row.price,
            signed(row.stocked),
            signed(row.available),
            signed(row.held),
            signed(row.sold),
            signed(row.written_off),
        ])?;
        Ok(())
    }

    /// Writes a sale, whether or not it is there.
    ///
    /// # Errors
    /// [`ModelsError::Database`].
    pub fn put_sale(&self, row: &SaleRow) -> Result<(), ModelsError> {
        let mut statement = self.statement(
            "INSERT OR REPLACE INTO sales (sale, title, state, currency, opens_ms, closes_ms, created_ms, skus, stocked,
                available, held, sold, written_off, orders_placed, orders_held, orders_paid, orders_cancelled,
                orders_expired)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        )?;
        statement.execute(params![
            row.sale,
            row.title,
            row.state,
            row.currency,
            row.opens_ms.map(signed),
            row.closes_ms.map(signed),
            signed(row.created_ms),
            row.skus,
            signed(row.stocked),
            signed(row.available),
            signed(row.held),
            signed(row.sold),
            signed(row.written_off),
            signed(row.orders_placed),
            signed(row.orders_held),
            signed(row.orders_paid),
            signed(row.orders_cancelled),
            signed(row.orders_expired),
        ])?;
        Ok(())
    }

    /// Writes up to where a sale's journal has been read.
    ///
    /// # Errors
    /// [`ModelsError::Database`].
    pub fn put_position(&self, row: &PositionRow) -> Result<(), ModelsError> {
        let mut statement = self.statement(
            "INSERT OR REPLACE INTO positions (sale, sequence, chain, time_ms) VALUES (?1, ?2, ?3, ?4)",
        )?;
        statement.execute(params![
            row.sale,
            signed(row.sequence),
            &row.chain[..],
            signed(row.time_ms)
        ])?;
        Ok(())
    }

    /// Up to where each journal has been read, by sale.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn positions(&self) -> Result<Vec<PositionRow>, ModelsError> {
        query::positions(&self.connection)
    }

    /// One sale.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn sale(&self, sale: u32) -> Result<Option<SaleRow>, ModelsError> {
        query::sale(&self.connection, sale)
    }

    /// A sale's SKUs by their places.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn stock(&self, sale: u32) -> Result<Vec<StockRow>, ModelsError> {
        query::stock(&self.connection, sale)
    }

    /// One order.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn order(&self, key: OrderKey) -> Result<Option<OrderRow>, ModelsError> {
        query::order(&self.connection, key)
    }

    pub(super) fn statement(&self, sql: &str) -> Result<CachedStatement<'_>, ModelsError> {
        Ok(self.connection.prepare_cached(sql)?)
    }
}

/// SQLite's integers are signed; what does not fit is no time and no count of this world.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
