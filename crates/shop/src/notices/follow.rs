//! Reading the journals: which letters follow from batches that nobody has read yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use commerce::book::RefundState;
use commerce::record::{RecordError, Records};
use commerce::{Book, Entry, Time};
use world::journal::{Batch, BatchReader, Journal, JournalError};

use super::event::{Event, events};
use super::keep::{Letter, key_of};
use crate::wire;

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
    /// What could not be read, and where.
    pub(super) wrong: Option<String>,
    /// The journal does not give its next batch now: it is asked again later.
    pub(super) stuck: bool,
}

impl Followed {
    /// Follows the journal of a sale from the batch after this one.
    ///
    /// # Errors
    /// What the journal says; it is followed after the next start then.
    pub(super) fn join(
        &self,
        sale: u32,
        journal: &dyn Journal,
        after: u64,
    ) -> Result<(), JournalError> {
        let reader = journal.read(after)?;
        self.readers().insert(sale, reader);
        Ok(())
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
            let batch = match reader.next() {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(error) => {
                    found.wrong = Some(format!("the journal cannot be read: {error}"));
                    found.stuck = true;
                    break;
                }
            };
            found.seen = Some(batch.sequence);
            // What was read of a batch before the fault is told, and so are the batches after it.
            if let Err(error) = found.take(sale, &batch) {
                let sequence = batch.sequence;
                found.wrong = Some(format!("batch {sequence} is not told of: {error}"));
            }
        }
        found.more |= found.seen.is_some() && !found.stuck;
        self.readers().entry(sale).or_insert(reader);
        found
    }

    fn readers(&self) -> MutexGuard<'_, BTreeMap<u32, Box<dyn BatchReader>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    /// Takes in what a batch tells.
    fn take(&mut self, sale: u32, batch: &Batch) -> Result<(), RecordError> {
        let mut records = Records::new(&batch.payload);
        let mut at = 0;
        while let Some(entry) = records.read::<Entry>()? {
            for (event, order) in events(&entry) {
                let key = key_of(sale, batch.sequence, at, order, event);
                self.told.push((key, event, order));
            }
            at += 1;
        }
        Ok(())
    }
}

/// A letter with what the book knows of its order now.
pub(super) fn filled(book: &Book, bare: Letter) -> Option<Letter> {
    let order = book.order(bare.order)?;
    let back = order
        .refunds()
        .filter(|refund| refund.state != RefundState::Failed);
    let (total, funds) = (order.total().0, order.funds());
    let dues = order.dues().map(|(dues, ..)| dues);
    let time = |time: Time| wire::time(time).to_string();
    Some(Letter {
        buyer: order.buyer().map(Into::into),
        sale_title: book.title().to_owned(),
        currency: book.currency()?.code().to_owned(),
        total_minor: order.total().0,
        refunded_minor: funds.refunded().0,
        due_minor: match (bare.event, dues) {
            (Event::Deposited, Some(dues)) => total - dues.deposit.0,
            (_, Some(dues)) => dues.deposit.0,
            (_, None) => total,
        },
        due_window: dues.map_or_else(Default::default, |dues| (time(dues.from), time(dues.until))),
        back_minor: back.map(|refund| refund.amount.0).sum(),
        kept_minor: funds.left().0,
        units: order.units(),
        ..bare
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what it was given, one after the other, and then nothing.
    struct Given(std::vec::IntoIter<Result<Batch, JournalError>>);

    impl BatchReader for Given {
        fn next(&mut self) -> Result<Option<Batch>, JournalError> {
            self.0.next().transpose()
        }
    }

    fn batch(sequence: u64, payload: Vec<u8>) -> Batch {
        Batch {
            sequence,
            time_ms: 1,
            entries: 1,
            payload,
            chain: [0; 32],
        }
    }

    fn told(order: u32) -> Vec<u8> {
        let mut payload = Vec::new();
        let entry = Entry::Expired {
            orders: vec![order],
        };
        commerce::record::put(&entry, &mut payload).expect("an entry");
        payload
    }

    #[test]
    fn what_cannot_be_read_is_said_and_the_rest_is_told() {
        let mut torn = told(2);
        torn.extend([9, 9, 9]);
        let broken = JournalError::Broken;
        let batches = vec![
            Ok(batch(1, told(1))),
            Ok(batch(2, torn)),
            Ok(batch(3, told(3))),
            Err(broken),
            Ok(batch(4, told(4))),
        ];
        let followed = Followed::default();
        let reader: Box<dyn BatchReader> = Box::new(Given(batches.into_iter()));
        followed.readers().insert(7, reader);
        let found = followed.look(7, 100);
        let orders: Vec<u32> = found.told.iter().map(|(_, _, order)| *order).collect();
        assert_eq!(
            (orders, found.seen, found.stuck),
            (vec![1, 2, 3], Some(3), true)
        );
        assert!(
            found
                .wrong
                .is_some_and(|why| why.contains("cannot be read"))
        );
        let later = followed.look(7, 100);
        assert_eq!(
            (later.told.len(), later.seen, later.stuck),
            (1, Some(4), false)
        );
        assert_eq!(later.wrong, None);
    }
}
