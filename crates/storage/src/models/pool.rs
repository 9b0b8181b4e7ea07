//! Several read-only connections, lent one at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::offers;
use super::query::{self, OrderFilter, OrderPage, SaleFilter, SalePage};
use super::schema;
use super::{EventRow, ModelsError, OrderKey, OrderRow, PositionRow, StockRow, TeamRow, TicketRow};

/// Memory for pages that one reader may use.
const READER_CACHE_KIB: u32 = 1_024;

/// The read models, to be asked. Cheap to clone; all calls block for as long as the disk takes.
#[derive(Debug, Clone)]
pub struct Models(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    path: PathBuf,
    readers_max: usize,
    readers: Mutex<Readers>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Readers {
    idle: Vec<Connection>,
    lent: usize,
}

impl Models {
    /// The read models at `path`, asked by at most `readers_max` callers at a time; the others wait.
    /// Connections are made when they are needed.
    #[must_use]
    pub fn new(path: &Path, readers_max: usize) -> Self {
        Self(Arc::new(Pool {
            path: path.to_owned(),
            readers_max: readers_max.max(1),
            readers: Mutex::default(),
            returned: Condvar::new(),
        }))
    }

    /// A view of one moment: all it is asked belongs together, whatever is written meanwhile.
    ///
    /// # Errors
    /// [`ModelsError::Database`]; [`ModelsError::Damaged`] for another version.
    pub fn view(&self) -> Result<View, ModelsError> {
        let mut readers = self.0.lock();
        while readers.lent >= self.0.readers_max {
            let waited = self.0.returned.wait(readers);
            readers = waited.unwrap_or_else(PoisonError::into_inner);
        }
        readers.lent += 1;
        let idle = readers.idle.pop();
        drop(readers);
        // From here on a failure gives the place back, too.
        let mut view = View {
            pool: self.0.clone(),
            connection: idle,
        };
        if view.connection.is_none() {
            view.connection = Some(schema::open_reader(&self.0.path, READER_CACHE_KIB)?);
        }
        view.connection()?.execute_batch("BEGIN")?;
        // The moment is taken by the first read.
        query::position(view.connection()?, 0)?;
        Ok(view)
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The read models at one moment.
#[derive(Debug)]
pub struct View {
    pool: Arc<Pool>,
    /// `None` only while it is being made.
    connection: Option<Connection>,
}

impl Drop for View {
    fn drop(&mut self) {
        let connection = self
            .connection
            .take()
            .filter(|connection| connection.execute_batch("ROLLBACK").is_ok());
        let mut readers = self.pool.lock();
        readers.lent -= 1;
        readers.idle.extend(connection);
        self.pool.returned.notify_one();
    }
}

impl View {
    fn connection(&self) -> Result<&Connection, ModelsError> {
        let gone = || ModelsError::Damaged("the connection was never made".to_owned());
        self.connection.as_ref().ok_or_else(gone)
    }

    /// A page of orders.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn orders(&self, filter: &OrderFilter<'_>) -> Result<OrderPage, ModelsError> {
        query::orders(self.connection()?, filter)
    }

    /// One order.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn order(&self, key: OrderKey) -> Result<Option<OrderRow>, ModelsError> {
        query::order(self.connection()?, key)
    }

    /// What happened to an order after it was placed, oldest first.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn events(&self, key: OrderKey) -> Result<Vec<EventRow>, ModelsError> {
        query::events(self.connection()?, key)
    }

    /// Shows all orders of a sale in the order of their numbers.
    ///
    /// # Errors
    /// What `visit` says, and what reading says.
    pub fn each_order<E: From<ModelsError>>(
        &self,
        sale: u32,
        visit: &mut dyn FnMut(OrderRow) -> Result<(), E>,
    ) -> Result<(), E> {
        query::each_order(self.connection()?, sale, visit)
    }

    /// One team.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn team(&self, key: OrderKey) -> Result<Option<TeamRow>, ModelsError> {
        offers::team(self.connection()?, key)
    }

    /// Shows all teams of a sale in the order of their numbers.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn each_team(&self, sale: u32, visit: &mut dyn FnMut(TeamRow)) -> Result<(), ModelsError> {
        offers::each_team(self.connection()?, sale, visit)
    }

    /// Shows all places in the lines of a sale in the order of their numbers.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn each_ticket(
        &self,
        sale: u32,
        visit: &mut dyn FnMut(TicketRow),
    ) -> Result<(), ModelsError> {
        offers::each_ticket(self.connection()?, sale, visit)
    }

    /// A page of sales.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn sales(&self, filter: &SaleFilter<'_>) -> Result<SalePage, ModelsError> {
        query::sales(self.connection()?, filter)
    }

    /// One sale.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn sale(&self, sale: u32) -> Result<Option<super::SaleRow>, ModelsError> {
        query::sale(self.connection()?, sale)
    }

    /// A sale's SKUs by their places.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn stock(&self, sale: u32) -> Result<Vec<StockRow>, ModelsError> {
        query::stock(self.connection()?, sale)
    }

    /// The code of a SKU by its place in the sale.
    ///
    /// # Errors
    /// [`ModelsError::Database`].
    pub fn sku(&self, sale: u32, place: u32) -> Result<Option<Box<str>>, ModelsError> {
        query::sku(self.connection()?, sale, place)
    }

    /// Up to where each journal has been read, by sale.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn positions(&self) -> Result<Vec<PositionRow>, ModelsError> {
        query::positions(self.connection()?)
    }

    /// Up to where one journal has been read.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn position(&self, sale: u32) -> Result<Option<PositionRow>, ModelsError> {
        query::position(self.connection()?, sale)
    }
}
