//! The record of a sale: batches, one after the other, each bound to all before it.
//!
//! A journal is the only thing that Tidegate must not lose. Its contract is narrow: append behind
//! an expected position, read, archive. A batch counts once its [`Appending`] has completed with
//! success; it is on disk then, and everything before it too.
//!
//! ```text
//!   append(expected = n) ──▶ Appended{n + 1}              durable, may be shown
//!                       └──▶ Unknown ─▶ Broken … resume() ─▶ position n, in a new segment
//! ```
//!
//! Invariant: readers see durable batches only, in order, without a gap, each exactly once.

pub mod conformance;
mod error;

pub use error::{AppendFault, JournalError};

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Greatest payload of one batch, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A place in a journal: the number of the last batch and the chain hash after it.
///
/// Given to the outside it is a receipt: a journal that cannot show this batch with this hash has
/// lost or changed something.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Number of the last batch, counted from 1; 0 says that there is none yet.
    pub sequence: u64,
    /// Hash over this batch and, through its predecessor's hash, over all before it.
    pub chain: [u8; 32],
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch {} (chain ", self.sequence)?;
        for byte in &self.chain[..8] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…)")
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({self})")
    }
}

/// A batch to be appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewBatch {
    /// Book time of the batch, in Unix milliseconds.
    pub time_ms: u64,
    /// How many entries the payload holds; the journal stores it and does not look inside.
    pub entries: u32,
    /// The entries, at most [`PAYLOAD_BYTES_MAX`] bytes.
    pub payload: Vec<u8>,
}

/// A durable batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Number of the batch, counted from 1 without a gap.
    pub sequence: u64,
    /// Book time of the batch, in Unix milliseconds.
    pub time_ms: u64,
    /// How many entries the payload holds.
    pub entries: u32,
    /// The entries.
    pub payload: Vec<u8>,
    /// Chain hash after this batch.
    pub chain: [u8; 32],
}

impl Batch {
    /// The place right after this batch.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            sequence: self.sequence,
            chain: self.chain,
        }
    }
}

/// What a successful append gives back.
#[derive(Debug)]
pub struct Appended {
    /// The journal's new last durable place.
    pub position: Position,
    /// The payload's buffer, empty, with its room, for the next batch.
    pub buffer: Vec<u8>,
    /// How long writing and syncing took, without the way to the journal and back.
    pub sync: Duration,
}

/// What archiving did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Archived {
    /// How many pieces of the journal were moved by this call.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A future that a journal gives out: boxed, so that the contract fits behind `dyn`.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, JournalError>> + Send>>;

/// An append under way. Dropping it does not take the batch back.
pub type Appending = Pending<Appended>;

/// An append-only record of batches.
pub trait Journal: Send {
    /// The last durable place.
    fn position(&self) -> Position;

    /// Appends `batch` behind batch number `expected`. One append is in flight at a time; it is on
    /// its way when this returns, and dropping the journal waits for it.
    ///
    /// The future fails with [`JournalError::WrongPosition`] or [`JournalError::TooLarge`] if
    /// nothing was tried; with [`JournalError::Unknown`] if the batch may or may not be there
    /// later: the journal is broken then, and refuses with [`JournalError::Broken`] until
    /// [`Journal::resume`] succeeds.
    fn append(&mut self, expected: u64, batch: NewBatch) -> Appending;

    /// Goes on after a failed append, behind the last durable batch, which is the answer; what the
    /// failed append may have left is never read again. Does nothing to a journal that is not
    /// broken. Fails while the disk still refuses, and may be called again.
    fn resume(&mut self) -> Pending<Position>;

    /// Moves whole sealed pieces whose batches are all numbered `upto` or less out of the way.
    /// They are kept, and reading still finds them.
    fn archive(&mut self, upto: u64) -> Pending<Archived>;

    /// Reads the batches numbered above `after`.
    ///
    /// # Errors
    /// [`JournalError::WrongPosition`] if `after` is above the last durable batch;
    /// [`JournalError::Damaged`] or [`JournalError::Io`] if the place cannot be found.
    fn read(&self, after: u64) -> Result<Box<dyn BatchReader>, JournalError>;
}

/// Reads a journal forwards; blocks for as long as the disk takes.
pub trait BatchReader: Send {
    /// The next durable batch; `None` when caught up, and it may be called again later.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] or [`JournalError::Io`]; the reader stays where it was.
    fn next(&mut self) -> Result<Option<Batch>, JournalError>;
}

/// Checks that the journal has what somebody has seen: a snapshot, a read model, or a client with
/// a receipt. A witness at sequence 0 has seen nothing.
///
/// # Errors
/// [`JournalError::Lost`] if it has not; what [`Journal::read`] says if it cannot be read.
pub fn check_witness(journal: &dyn Journal, witness: Position) -> Result<(), JournalError> {
    let end = journal.position();
    if witness.sequence == 0 {
        return Ok(());
    }
    let lost = |found| Err(JournalError::Lost { witness, found });
    if witness.sequence > end.sequence {
        return lost(end);
    }
    match journal.read(witness.sequence - 1)?.next()? {
        Some(batch) if batch.position() == witness => Ok(()),
        Some(batch) => lost(batch.position()),
        None => lost(end),
    }
}
