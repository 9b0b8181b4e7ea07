//! Past orders as rules would have seen them, from the journals: the ground of a dry run.
//!
//! Journals hold what was decided and not all that was known: of a buyer the name and, where the sale has rules, the
//! tags. What they do not hold is not known here either, and [`NOT_JOURNALLED`] names it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use commerce::record::Records;
use commerce::rules::{Counters, Ground, OrderGround, PastGround, SaleGround};
use commerce::{Book, Entry, Facts, SaleState, Time, entry::Placed};
use storage::journal::read_dir;
use storage::{DataDir, StorageError};
use world::Disk;
use world::journal::{Batch, JournalError};

use super::rates::Counts;
use crate::open::OpenError;
use crate::wire;

/// Facts that journals do not hold.
pub const NOT_JOURNALLED: [&str; 10] = [
    "buyer.level",
    "buyer.points",
    "buyer.region",
    "buyer.new_customer",
    "buyer.device",
    "buyer.address",
    "order.team",
    "order.opens",
    "counters.device",
    "counters.address",
];

/// An order of the past, and what was known when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastOrder {
    /// Its name, for people.
    pub id: Box<str>,
    /// When it was asked for.
    pub at: Time,
    /// By whom.
    pub buyer: Option<Box<str>>,
    /// What was known of the buyer.
    pub facts: Facts,
    /// What the buyer had done before.
    pub past: PastGround,
    /// The order.
    pub order: OrderGround,
    /// The sale's title.
    pub title: Box<str>,
    /// The sale's state.
    pub state: SaleState,
    /// Units sold before.
    pub sold: u64,
    /// Units available before.
    pub available: u64,
    /// How often was asked before, this order included.
    pub counters: Counters,
}

impl PastOrder {
    /// The ground that a rule stands on.
    pub fn ground(&self) -> Ground<'_> {
        Ground {
            now: self.at,
            buyer: self.buyer.as_deref(),
            facts: &self.facts,
            past: self.past,
            order: self.order,
            sale: SaleGround {
                title: &self.title,
                state: self.state,
                sold: self.sold,
                available: self.available,
            },
            counters: self.counters,
        }
    }
}

/// Why past orders cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The data directory cannot be looked into.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A journal's entries are no book.
    #[error(transparent)]
    Book(#[from] OpenError),
}

/// Reads the orders of all sales, sale by sale, each as it was when it was placed. Buyers are counted over a window of
/// so many milliseconds, as rates do. It takes no lock and may run beside a live server.
///
/// # Errors
/// [`PastError`]; `verify` says more about a journal that is damaged.
pub fn past_orders(
    disk: &Arc<dyn Disk>,
    root: &Path,
    window_ms: u64,
    each: &mut dyn FnMut(&PastOrder),
) -> Result<(), PastError> {
    let data = DataDir::inspect(disk, root)?;
    for number in data.sale_numbers(&**disk)? {
        let mut reader = read_dir(disk, &data.sale(number), 0)?;
        let mut replay = Replay::of(number, window_ms);
        while let Some(batch) = reader.next()? {
            replay.batch(&batch, each)?;
        }
    }
    Ok(())
}

/// A sale's book in the making, and what each buyer did.
struct Replay {
    sale: u32,
    window_ms: u64,
    book: Book,
    counts: Counts,
    /// Orders and lapses by buyer.
    deeds: BTreeMap<Box<str>, (u32, u32)>,
}

impl Replay {
    fn of(sale: u64, window_ms: u64) -> Self {
        Self {
            sale: u32::try_from(sale).unwrap_or(u32::MAX),
            window_ms,
            book: Book::new(),
            counts: Counts::default(),
            deeds: BTreeMap::new(),
        }
    }

    fn batch(&mut self, batch: &Batch, each: &mut dyn FnMut(&PastOrder)) -> Result<(), OpenError> {
        let sequence = batch.sequence;
        let now = Time(batch.time_ms);
        let mut records = Records::new(&batch.payload);
        let read = |source| OpenError::Record { sequence, source };
        while let Some(entry) = records.read::<Entry>().map_err(read)? {
            match &entry {
                Entry::Placed(placed) => each(&self.seen(now, placed)),
                Entry::Expired { orders } => self.note_lapses(orders),
                _ => {}
            }
            let applied = self.book.apply(now, &entry);
            applied.map_err(|source| OpenError::Violation { sequence, source })?;
        }
        Ok(())
    }

    /// The order as it was asked for, before the book knew of it.
    fn seen(&mut self, now: Time, placed: &Placed) -> PastOrder {
        let buyer = placed.buyer().map(|buyer| Box::<str>::from(&**buyer));
        let (orders, lapses) = self.note_order(buyer.as_deref());
        let sale = self.book.ground();
        let lines = placed.lines.as_slice();
        let who = [buyer.as_deref(), None, None];
        let at = Duration::from_millis(now.0);
        PastOrder {
            id: wire::order_id(self.sale, placed.order).to_string().into(),
            at: now,
            facts: Facts::of_tags(&placed.tags),
            past: PastGround {
                orders: Some(orders),
                lapses: Some(lapses),
                ..self.book.past_of(buyer.as_deref())
            },
            order: OrderGround {
                units: lines.iter().map(|line| u64::from(line.units)).sum(),
                total_minor: placed.total.0,
                lines: u32::try_from(lines.len()).unwrap_or(u32::MAX),
                ..OrderGround::default()
            },
            title: sale.title.into(),
            state: sale.state,
            sold: sale.sold,
            available: sale.available,
            counters: self.counts.see(at, self.window_ms, who),
            buyer,
        }
    }

    /// Counts one more order of a buyer, and says what was before.
    fn note_order(&mut self, buyer: Option<&str>) -> (u32, u32) {
        let Some(buyer) = buyer else { return (0, 0) };
        let deeds = self.deeds.entry(buyer.into()).or_default();
        let before = *deeds;
        deeds.0 = deeds.0.saturating_add(1);
        before
    }

    fn note_lapses(&mut self, orders: &[u32]) {
        for order in orders {
            let found = self.book.order(*order);
            let Some(buyer) = found.and_then(|order| order.buyer()) else {
                continue;
            };
            let deeds = self.deeds.entry(buyer.into()).or_default();
            deeds.1 = deeds.1.saturating_add(1);
        }
    }
}
