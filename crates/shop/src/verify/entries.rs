//! The entries of a sale, one after the other: decided once more, then applied.

use api::SaleId;
use commerce::record::{RecordError, Records};
use commerce::{Book, Entry, Time};
use ledger::Violation;
use world::journal::Batch;

use super::report::{DivergenceFound, Divergences, Finding, Findings};

/// Divergences that are told.
const TOLD_MAX: usize = 10;
/// Bytes of an entry that are told.
const ENTRY_BYTES_TOLD: usize = 300;
/// Entries between two counts of the whole book, at least; a large book is counted more seldom, so that counting
/// stays a fraction of the work.
const COUNT_ENTRIES: u64 = 10_000;

/// A book in the making, and what was found on the way.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) book: Book,
    pub(super) entries: u64,
    pub(super) divergences: Divergences,
    /// An entry did not fit: the book is of no use from here on, the chain still is.
    pub(super) stopped: bool,
    time_ms: u64,
    next_count: u64,
}

impl Replay {
    /// Takes a batch. The time of a batch is the time of all its decisions.
    pub(super) fn batch(
        &mut self,
        sale: SaleId,
        batch: &Batch,
        seen: &mut dyn FnMut(&Entry),
        findings: &mut Findings,
    ) {
        if self.stopped {
            return;
        }
        if batch.time_ms < self.time_ms {
            let detail = format!(
                "time goes back from {} to {} ms",
                self.time_ms, batch.time_ms
            );
            findings.add(Finding::record(Some(sale), detail).at(batch.sequence));
        }
        self.time_ms = batch.time_ms;
        if let Err(stop) = self.entries(batch, seen) {
            self.stopped = true;
            findings.add(stop.finding(sale).at(batch.sequence));
        } else if self.entries >= self.next_count {
            self.count(sale, batch.sequence, findings);
        }
    }

    /// Counts the book anew from its orders.
    pub(super) fn count(&mut self, sale: SaleId, sequence: u64, findings: &mut Findings) {
        let orders = u64::from(self.book.tally().placed);
        self.next_count = self.entries + COUNT_ENTRIES.max(4 * orders);
        if let Err(violation) = self.book.check() {
            self.stopped = true;
            findings.add(Finding::violation(Some(sale), &violation).at(sequence));
        }
    }

    fn entries(&mut self, batch: &Batch, seen: &mut dyn FnMut(&Entry)) -> Result<(), Stop> {
        let now = Time(batch.time_ms);
        let mut records = Records::new(&batch.payload);
        let mut place = 0;
        while let Some(entry) = records.read::<Entry>()? {
            if let Err(divergence) = self.book.redecide(now, &entry) {
                self.diverged((batch.sequence, place), &entry, divergence.today);
            }
            self.book.apply(now, &entry)?;
            seen(&entry);
            place += 1;
        }
        self.entries += place;
        if place == u64::from(batch.entries) {
            return Ok(());
        }
        Err(Stop::Count {
            stated: batch.entries,
            found: place,
        })
    }

    fn diverged(&mut self, (sequence, entry): (u64, u64), journal: &Entry, today: String) {
        self.divergences.total += 1;
        if self.divergences.first.len() < TOLD_MAX {
            let journal = shortened(format!("{journal:?}"));
            self.divergences.first.push(DivergenceFound {
                sequence,
                entry,
                journal,
                today: shortened(today),
            });
        }
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > ENTRY_BYTES_TOLD {
        let end = (0..=ENTRY_BYTES_TOLD)
            .rev()
            .find(|&at| text.is_char_boundary(at))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Why a book cannot go on.
enum Stop {
    Record(RecordError),
    Violation(Violation),
    Count { stated: u32, found: u64 },
}

impl From<RecordError> for Stop {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl Stop {
    fn finding(&self, sale: SaleId) -> Finding {
        match self {
            Self::Record(error) => Finding::record(Some(sale), error.to_string()),
            Self::Violation(violation) => Finding::violation(Some(sale), violation),
            Self::Count { stated, found } => Finding::record(
                Some(sale),
                format!("the batch states {stated} entries and holds {found}"),
            ),
        }
    }
}
