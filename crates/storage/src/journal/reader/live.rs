//! Reading beside the writer, in its process, up to the durable end.

use std::sync::Arc;

use world::journal::{Batch, BatchReader, JournalError};

use super::super::damage::damaged_segment;
use super::super::recover::open_walker;
use super::super::shared::{Durable, Shared};
use super::super::walker::{Found, Walker, empty_batch};
use super::{Crossing, cross, damaged};

/// Reads what the owner, in this process, has made durable.
pub(in crate::journal) fn read_live(
    shared: &Arc<Shared>,
    after: u64,
) -> Result<Box<dyn BatchReader>, JournalError> {
    let found = shared.durable().position.sequence;
    if after > found {
        return Err(JournalError::WrongPosition {
            expected: after,
            found,
        });
    }
    Ok(Box::new(LiveReader {
        shared: shared.clone(),
        after,
        walker: None,
    }))
}

/// A reader beside the writer, in its process. It looks for its place when it is first asked for a batch, so that a
/// disk that refuses for a moment costs its caller another try and not the reader.
#[derive(Debug)]
struct LiveReader {
    shared: Arc<Shared>,
    after: u64,
    walker: Option<Walker>,
}

impl BatchReader for LiveReader {
    fn next(&mut self) -> Result<Option<Batch>, JournalError> {
        let durable = self.shared.durable();
        let sequence = match &self.walker {
            Some(walker) => walker.position.sequence.max(self.after),
            None => self.after,
        };
        if sequence >= durable.position.sequence {
            return Ok(None);
        }
        let (shared, after) = (&self.shared, self.after);
        let walker = match &mut self.walker {
            Some(walker) => walker,
            place => place.insert(find(shared, after)?),
        };
        while walker.position.sequence < after {
            step(shared, walker, durable)?;
        }
        step(shared, walker, durable).map(Some)
    }
}

/// The start of the segment that holds what comes after batch `after`.
fn find(shared: &Shared, after: u64) -> Result<Walker, JournalError> {
    let mut segments = shared.segments();
    segments.reach(after)?;
    open_walker(&segments, segments.locate(after))
}

/// The walker's next batch, which is durable.
fn step(shared: &Shared, walker: &mut Walker, durable: Durable) -> Result<Batch, JournalError> {
    cross_over(shared, walker)?;
    if walker.ordinal == durable.ordinal {
        // Bytes behind it may still change, so they are not even read ahead.
        walker.window.set_limit(durable.offset);
    } else {
        walker.window.set_limit(u64::MAX);
    }
    let mut batch = empty_batch();
    match walker.step(&mut batch)? {
        Found::Batch => Ok(batch),
        found => Err(damaged(walker, found)),
    }
}

fn cross_over(shared: &Shared, walker: &mut Walker) -> Result<(), JournalError> {
    let segments = shared.segments();
    match cross(&segments, walker)? {
        Crossing::Stays | Crossing::Crossed => Ok(()),
        Crossing::Withdrawn => Err(damaged_segment(
            &walker.path,
            "its batches are not those that the next segment follows",
        )),
    }
}
