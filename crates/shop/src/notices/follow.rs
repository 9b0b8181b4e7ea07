//! Reading the journals: which letters follow from batches that nobody has read yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use commerce::record::Records;
use commerce::{Book, Entry};
use world::journal::{BatchReader, Journal};

use super::event::{Event, events};
use super::keep::Letter;

/// Batches that one look takes in, at most.
const BATCHES_MOST: usize = 256;

/// The journals that are followed; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Followed(Arc<Mutex<BTreeMap<u32, Box<dyn BatchReader>>>>);

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Keys, events and orders.
    pub(super) told: Vec<(String, Event, u32)>,
    /// The last batch that was read; `None` when there was nothing new.
    pub(super) seen: Option<u64>,
    /// There may be more at once.
    pub(super) more: bool,
}

impl Followed {
    /// Follows the journal of a sale from the batch after this one.
    pub(super) fn join(&self, sale: u32, journal: &dyn Journal, after: u64) {
        // A journal that is shorter than what was read was put back from a backup: it is read anew. One that cannot be
        // read now is read after the next start.
        let reader = journal.read(after).or_else(|_| journal.read(0));
        if let Ok(reader) = reader {
            self.readers().insert(sale, reader);
        }
    }

    /// Looks for what is new; blocks for as long as the disk takes.
    pub(super) fn look(&self, sale: u32, room: usize) -> Found {
        let mut found = Found::default();
        let Some(mut reader) = self.readers().remove(&sale) else {
            return found;
        };
        for _ in 0..BATCHES_MOST {
            if found.told.len() >= room {
                found.more = true;
                break;
            }
            let Ok(Some(batch)) = reader.next() else {
                break;
            };
            found.seen = Some(batch.sequence);
            let mut records = Records::new(&batch.payload);
            let mut at = 0;
            while let Ok(Some(entry)) = records.read::<Entry>() {
                for (event, order) in events(&entry) {
                    let (sequence, name) = (batch.sequence, event.name());
                    let key = format!("ntc_{sale}_{sequence}_{at}_{order}_{name}");
                    found.told.push((key, event, order));
                }
                at += 1;
            }
        }
        found.more |= found.seen.is_some();
        self.readers().entry(sale).or_insert(reader);
        found
    }

    fn readers(&self) -> MutexGuard<'_, BTreeMap<u32, Box<dyn BatchReader>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A letter with what the book knows of its order now.
pub(super) fn filled(book: &Book, bare: Letter) -> Option<Letter> {
    let order = book.order(bare.order)?;
    Some(Letter {
        buyer: order.buyer().map(Into::into),
        sale_title: book.title().to_owned(),
        currency: book.currency()?.code().to_owned(),
        total_minor: order.total().0,
        refunded_minor: order.funds().refunded().0,
        units: order.units(),
        ..bare
    })
}
