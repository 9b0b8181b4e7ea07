//! Reading beside the writer, in its process, up to the durable end.

use std::sync::Arc;

use world::journal::{Batch, BatchReader, JournalError};

use super::super::damage::damaged_segment;
use super::super::recover::open_walker;
use super::super::shared::Shared;
use super::super::walker::{Found, Walker, empty_batch};
use super::{Crossing, Skip, cross, damaged, skip_to};

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
    let walker = {
        let mut segments = shared.segments();
        segments.reach(after)?;
        open_walker(&segments, segments.locate(after))?
    };
    let mut reader = LiveReader {
        shared: shared.clone(),
        walker,
    };
    skip_to(&mut reader, after)?;
    Ok(Box::new(reader))
}

/// A reader beside the writer, in its process.
#[derive(Debug)]
struct LiveReader {
    shared: Arc<Shared>,
    walker: Walker,
}

impl Skip for LiveReader {
    fn sequence(&self) -> u64 {
        self.walker.position.sequence
    }
}

impl BatchReader for LiveReader {
    fn next(&mut self) -> Result<Option<Batch>, JournalError> {
        let durable = self.shared.durable();
        if self.sequence() >= durable.position.sequence {
            return Ok(None);
        }
        self.cross()?;
        if self.walker.ordinal == durable.ordinal {
            // Bytes behind it may still change, so they are not even read ahead.
            self.walker.window.set_limit(durable.offset);
        } else {
            self.walker.window.set_limit(u64::MAX);
        }
        let mut batch = empty_batch();
        match self.walker.step(&mut batch)? {
            Found::Batch => Ok(Some(batch)),
            found => Err(damaged(&self.walker, found)),
        }
    }
}

impl LiveReader {
    fn cross(&mut self) -> Result<(), JournalError> {
        let segments = self.shared.segments();
        match cross(&segments, &mut self.walker)? {
            Crossing::Stays | Crossing::Crossed => Ok(()),
            Crossing::Withdrawn => Err(damaged_segment(
                &self.walker.path,
                "its batches are not those that the next segment follows",
            )),
        }
    }
}
