//! Opening a sale: newest snapshot, then the journal behind it; and building a book anew after trouble.

use std::path::PathBuf;
use std::sync::Arc;

use commerce::book::SnapshotError;
use commerce::record::{RecordError, Records};
use commerce::{Book, Entry, Time};
use ledger::Violation;
use storage::StorageError;
use storage::journal::{Doors, FileJournal, JournalSettings, RecoverError, TornTail, recover};
use storage::snapshot;
use world::journal::{Batch, Journal, JournalError, Position};
use world::{ErrorKind, Tasks};

/// Why a sale cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its snapshots cannot be listed or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A batch does not decode.
    #[error("batch {sequence} cannot be read: {source}")]
    Record {
        /// Which batch.
        sequence: u64,
        /// What is wrong with it.
        source: RecordError,
    },
    /// A batch does not fit the book.
    #[error("batch {sequence} does not fit the book: {source}")]
    Violation {
        /// Which batch.
        sequence: u64,
        /// Which invariant.
        source: Violation,
    },
    /// A snapshot does not encode.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The writing task ended early.
    #[error("the snapshot's writer ended early")]
    Writer,
}

impl OpenError {
    /// Whether a later version of the program wrote what cannot be read: nothing is wrong with it.
    pub fn is_of_a_later_version(&self) -> bool {
        match self {
            Self::Record { source, .. } => matches!(source, RecordError::Version { .. }),
            Self::Journal(error) => matches!(error, JournalError::Version { .. }),
            Self::Storage(error) => matches!(error, StorageError::Version { .. }),
            Self::Violation { .. } | Self::Snapshot(_) | Self::Writer => false,
        }
    }
}

impl OpenError {
    /// Whether the same may succeed later, with nothing changed but the disk's mood.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Journal(error) => error.kind() == ErrorKind::Wait,
            Self::Storage(error) => error.kind() == ErrorKind::Wait,
            Self::Record { .. } | Self::Violation { .. } | Self::Snapshot(_) | Self::Writer => {
                false
            }
        }
    }
}

/// Where a sale lives on disk.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its directory: journal and snapshots.
    pub dir: PathBuf,
    /// The outside.
    pub doors: Doors,
    /// Who carries what blocks.
    pub tasks: Tasks,
}

/// What was found when a sale was opened.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Batches read behind the snapshot.
    pub batches: u64,
    /// Entries applied.
    pub entries: u64,
    /// The snapshot's batch, if one was used.
    pub snapshot: Option<u64>,
    /// Snapshots that could not be trusted, with reasons.
    pub skipped: Vec<String>,
    /// Bytes at the journal's end that nobody was told about.
    pub torn: Vec<TornTail>,
}

/// An opened sale.
pub struct Opened {
    /// Where it lives.
    pub place: Place,
    /// Its book, as of the journal's end.
    pub book: Book,
    /// Its journal.
    pub journal: Box<dyn Journal>,
    /// Entries that are in no snapshot yet.
    pub entries: u64,
}

impl Place {
    /// Opens the sale.
    ///
    /// # Errors
    /// [`OpenError`]; nothing on disk has changed then.
    pub fn open(self, settings: JournalSettings) -> Result<(Opened, Findings), OpenError> {
        let (mut book, start, mut findings) = self.newest()?;
        let visit = &mut |batch: &Batch| {
            findings.batches += 1;
            findings.entries += u64::from(batch.entries);
            apply(&mut book, batch)
        };
        let recovery = recover(&self.doors.disk, &self.dir, start, visit).map_err(flatten)?;
        findings.torn.clone_from(&recovery.torn);
        let journal = Box::new(FileJournal::open(
            recovery,
            self.doors.clone(),
            &self.tasks,
            settings,
        )?);
        let entries = findings.entries;
        Ok((
            Opened {
                place: self,
                book,
                journal,
                entries,
            },
            findings,
        ))
    }

    /// Builds the book anew from what is durable.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn rebuild(&self, journal: &dyn Journal) -> Result<Book, OpenError> {
        let (mut book, start, _) = self.newest()?;
        let mut reader = journal.read(start.map_or(0, |start| start.sequence))?;
        while let Some(batch) = reader.next()? {
            apply(&mut book, &batch)?;
        }
        Ok(book)
    }

    /// Writes a snapshot off the desk's task.
    ///
    /// # Errors
    /// [`OpenError::Storage`].
    pub async fn save(
        &self,
        position: Position,
        time: Time,
        bytes: Vec<u8>,
    ) -> Result<(), OpenError> {
        let (disk, dir) = (self.doors.disk.clone(), self.dir.clone());
        let write = move || snapshot::write(&*disk, &dir, position, time.0, &bytes);
        self.tasks
            .blocking(write)
            .await
            .map_err(|_| OpenError::Writer)??;
        Ok(())
    }

    /// The newest snapshot's book, or an empty one. A snapshot that does not decode is as good as none.
    fn newest(&self) -> Result<(Book, Option<Position>, Findings), OpenError> {
        let newest = snapshot::newest(&*self.doors.disk, &self.dir)?;
        let mut findings = Findings::default();
        for skipped in &newest.skipped {
            findings
                .skipped
                .push(format!("{}: {}", skipped.path.display(), skipped.reason));
        }
        let Some(found) = newest.snapshot else {
            return Ok((Book::new(), None, findings));
        };
        match Book::from_snapshot(&found.payload) {
            Ok(book) => {
                findings.snapshot = Some(found.position.sequence);
                Ok((book, Some(found.position), findings))
            }
            Err(error) => {
                findings.skipped.push(format!(
                    "snapshot of batch {}: {error}",
                    found.position.sequence
                ));
                Ok((Book::new(), None, findings))
            }
        }
    }
}

/// Applies a durable batch.
///
/// # Errors
/// [`OpenError::Record`], [`OpenError::Violation`].
pub fn apply(book: &mut Book, batch: &Batch) -> Result<(), OpenError> {
    let sequence = batch.sequence;
    let mut records = Records::new(&batch.payload);
    let read = |source| OpenError::Record { sequence, source };
    if stdx::mutants::is("recovery-redecides-expiry") {
        let ticked = book.tick(Time(batch.time_ms), usize::MAX, &mut Vec::new());
        ticked.map_err(|source| OpenError::Violation { sequence, source })?;
    }
    while let Some(entry) = records.read::<Entry>().map_err(read)? {
        let given_up = matches!(entry, Entry::Cancelled { .. });
        if given_up && stdx::mutants::is("recovery-skips-cancellations") {
            continue;
        }
        let applied = book.apply(Time(batch.time_ms), &entry);
        applied.map_err(|source| OpenError::Violation { sequence, source })?;
    }
    Ok(())
}

pub(crate) fn flatten(error: RecoverError<OpenError>) -> OpenError {
    match error {
        RecoverError::Journal(error) => error.into(),
        RecoverError::Visit { source, .. } => source,
    }
}

/// Makes the doors of a journal.
pub fn doors(
    disk: &Arc<dyn world::Disk>,
    clock: &Arc<dyn world::Clock>,
    entropy: &Arc<dyn world::Entropy>,
) -> Doors {
    Doors {
        disk: disk.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(payload: Vec<u8>) -> OpenError {
        let batch = Batch {
            sequence: 1,
            time_ms: 1,
            entries: 1,
            payload,
            chain: [0; 32],
        };
        apply(&mut Book::new(), &batch).expect_err("no entry of this version")
    }

    #[test]
    fn a_record_of_a_later_version_is_no_damage() {
        // Length, version, and what only the later version knows.
        let later = applied(vec![2, 0, 0, 0, commerce::record::VERSION + 1, 0]);
        assert!(later.is_of_a_later_version(), "{later}");
        assert!(later.to_string().contains("version 2"), "{later}");
        let damaged = applied(vec![9, 0, 0, 0, 1, 0]);
        assert!(!damaged.is_of_a_later_version(), "{damaged}");
    }
}
