//! A journal that does its work in the caller's thread; for tools, tests and simulations.

use std::future::ready;

use world::journal::{
    Appended, Appending, Archived, BatchReader, Journal, JournalError, NewBatch, Pending, Position,
};

use super::log::Log;
use super::reader::read_live;

/// The core behind the contract: each call has happened when it returns.
#[derive(Debug)]
pub struct InlineJournal {
    log: Log,
}

impl InlineJournal {
    /// Wraps an open journal.
    #[must_use]
    pub fn new(log: Log) -> Self {
        Self { log }
    }
}

impl Journal for InlineJournal {
    fn position(&self) -> Position {
        self.log.position()
    }

    fn append(&mut self, expected: u64, batch: NewBatch) -> Appending {
        Box::pin(ready(append(&mut self.log, expected, batch)))
    }

    fn resume(&mut self) -> Pending<Position> {
        Box::pin(ready(self.log.resume()))
    }

    fn archive(&mut self, upto: u64) -> Pending<Archived> {
        Box::pin(ready(self.log.archive(upto)))
    }

    fn read(&self, after: u64) -> Result<Box<dyn BatchReader>, JournalError> {
        read_live(self.log.shared(), after)
    }
}

/// Appends, and gives the buffer back.
pub(super) fn append(
    log: &mut Log,
    expected: u64,
    batch: NewBatch,
) -> Result<Appended, JournalError> {
    let (position, sync) = log.append(expected, &batch)?;
    let mut buffer = batch.payload;
    buffer.clear();
    Ok(Appended {
        position,
        buffer,
        sync,
    })
}
