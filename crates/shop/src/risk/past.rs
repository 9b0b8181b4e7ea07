//! Past orders as rules would have seen them, from the journals: the ground of a dry run.
//!
//! Journals hold what was decided and not all that was known. Where a sale has rules, levels or coupons they hold the facts
//! of each order's buyer, and of other orders the name and at most the tags ([`NOT_OF_PLAIN_ORDERS`]); what they never hold
//! is named by [`NOT_JOURNALLED`].
//!
//! Plain orders, those of offers, and those that the next in line was offered are all seen, each at the moment at which its
//! units were set aside.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use commerce::deal::{Seat, Waits};
use commerce::entry::{By, Placed};
use commerce::record::Records;
use commerce::rules::{Counters, Ground, OrderGround, PastGround, SaleGround};
use commerce::{Book, Entry, Facts, SaleState, Time};
use storage::journal::read_dir;
use storage::{DataDir, StorageError};
use world::Disk;
use world::journal::{Batch, JournalError};

use super::rates::Counts;
use crate::open::OpenError;
use crate::wire;

/// Facts that journals never hold.
pub const NOT_JOURNALLED: [&str; 4] = [
    "buyer.device",
    "buyer.address",
    "counters.device",
    "counters.address",
];

/// Facts that journals hold only where the sale asked for them.
pub const NOT_OF_PLAIN_ORDERS: [&str; 4] = [
    "buyer.level",
    "buyer.points",
    "buyer.region",
    "buyer.new_customer",
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
    /// Whether the journal holds what was known of the buyer, and not his name and tags alone.
    pub on_record: bool,
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
    /// Who waits in line, by the number of the place.
    waiting: BTreeMap<u32, Known>,
}

/// A buyer, and what is on record of him.
#[derive(Debug, Clone)]
struct Known {
    buyer: Option<Box<str>>,
    facts: Facts,
    on_record: bool,
}

impl Known {
    fn new(buyer: Option<&str>, tags: &[Box<str>], facts: Option<&Facts>) -> Self {
        Self {
            buyer: buyer.map(Into::into),
            facts: facts.cloned().unwrap_or_else(|| Facts::of_tags(tags)),
            on_record: facts.is_some(),
        }
    }

    fn of_order(placed: &Placed, facts: Option<&Facts>) -> Self {
        let buyer = placed.buyer().map(|buyer| &**buyer);
        Self::new(buyer, &placed.tags, facts)
    }

    fn of_place(waits: &Waits, facts: Option<&Facts>) -> Self {
        let buyer = match (&waits.buyer, &waits.key.by) {
            (Some(buyer), _) | (None, By::Buyer(buyer)) => Some(&**buyer),
            _ => None,
        };
        Self::new(buyer, &waits.tags, facts)
    }
}

/// What an order of the journal is for rules.
fn ground_of(placed: &Placed, seat: Option<&Seat>) -> OrderGround {
    let lines = placed.lines.as_slice();
    OrderGround {
        units: lines.iter().map(|line| u64::from(line.units)).sum(),
        total_minor: placed.total.0,
        lines: u32::try_from(lines.len()).unwrap_or(u32::MAX),
        team: seat.is_some(),
        opens: seat.is_some_and(|seat| seat.opens.is_some()),
    }
}

impl Replay {
    fn of(sale: u64, window_ms: u64) -> Self {
        Self {
            sale: u32::try_from(sale).unwrap_or(u32::MAX),
            window_ms,
            book: Book::new(),
            counts: Counts::default(),
            deeds: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    fn batch(&mut self, batch: &Batch, each: &mut dyn FnMut(&PastOrder)) -> Result<(), OpenError> {
        let sequence = batch.sequence;
        let now = Time(batch.time_ms);
        let mut records = Records::new(&batch.payload);
        let read = |source| OpenError::Record { sequence, source };
        while let Some(entry) = records.read::<Entry>().map_err(read)? {
            if let Some(order) = self.look(now, &entry) {
                each(&order);
            }
            let applied = self.book.apply(now, &entry);
            applied.map_err(|source| OpenError::Violation { sequence, source })?;
        }
        Ok(())
    }

    /// The order that an entry makes, if it makes one.
    fn look(&mut self, now: Time, entry: &Entry) -> Option<PastOrder> {
        let (number, known, order) = match entry {
            Entry::Placed(placed) => {
                let known = Known::of_order(placed, None);
                (placed.order, known, ground_of(placed, None))
            }
            Entry::Dealt(dealt) => {
                let (placed, deal) = (&dealt.placed, &dealt.deal);
                let known = Known::of_order(placed, deal.facts.as_deref());
                (placed.order, known, ground_of(placed, deal.seat.as_ref()))
            }
            Entry::LineOffered(offer) => {
                let order = OrderGround {
                    units: offer.units.into(),
                    total_minor: offer.total.0,
                    lines: 1,
                    ..OrderGround::default()
                };
                (offer.order, self.waiting.remove(&offer.ticket)?, order)
            }
            other => {
                self.note(other);
                return None;
            }
        };
        Some(self.seen(now, number, known, order))
    }

    /// What an entry that makes no order says of buyers.
    fn note(&mut self, entry: &Entry) {
        match entry {
            Entry::Expired { orders } => self.note_lapses(orders),
            Entry::Waits(waits) => {
                let known = Known::of_place(waits, None);
                self.waiting.insert(waits.ticket, known);
            }
            Entry::WaitsKnown { waits, facts } => {
                let known = Known::of_place(waits, Some(facts));
                self.waiting.insert(waits.ticket, known);
            }
            Entry::LeftLine { ticket, .. } => {
                self.waiting.remove(ticket);
            }
            _ => {}
        }
    }

    /// The order as it was asked for, before the book knew of it.
    fn seen(&mut self, now: Time, number: u32, known: Known, order: OrderGround) -> PastOrder {
        let buyer = known.buyer;
        let (orders, lapses) = self.note_order(buyer.as_deref());
        let sale = self.book.ground();
        let who = [buyer.as_deref(), None, None];
        let at = Duration::from_millis(now.0);
        PastOrder {
            id: wire::order_id(self.sale, number).to_string().into(),
            at: now,
            facts: known.facts,
            on_record: known.on_record,
            past: PastGround {
                orders: Some(orders),
                lapses: Some(lapses),
                ..self.book.past_of(buyer.as_deref())
            },
            order,
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
