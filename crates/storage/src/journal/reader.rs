//! Reading forwards: what every reader shares.

mod directory;
mod live;

pub(super) use directory::DirectoryReader;
pub use directory::read_dir;
pub(super) use live::read_live;

use world::journal::{BatchReader, JournalError};

use super::damage::damaged_batch;
use super::recover::open_walker;
use super::segments::Segments;
use super::walker::{Found, Walker};

fn skip_to(reader: &mut dyn Skip, after: u64) -> Result<(), JournalError> {
    while reader.sequence() < after {
        if reader.next()?.is_none() {
            return Err(JournalError::WrongPosition {
                expected: after,
                found: reader.sequence(),
            });
        }
    }
    Ok(())
}

/// A reader that can say where it is.
trait Skip: BatchReader {
    fn sequence(&self) -> u64;
}

/// Goes to the segment that holds what comes next, if the walker's does not.
fn cross(segments: &Segments, walker: &mut Walker) -> Result<Crossing, JournalError> {
    let position = walker.position;
    let index = segments.locate(position.sequence);
    let Some(header) = segments.get(index) else {
        return Ok(Crossing::Stays);
    };
    if header.ordinal == walker.ordinal {
        return Ok(Crossing::Stays);
    }
    if header.base != position {
        return Ok(Crossing::Withdrawn);
    }
    // The recovery stops at the end that a successor names; whoever reads past another end would
    // take for whole what the owner calls damaged.
    if header
        .predecessor
        .is_some_and(|before| before.ordinal == walker.ordinal && before.end != walker.offset)
    {
        let sequence = position.sequence.saturating_add(1);
        let reason = "the next segment says that this one ends elsewhere";
        return Err(damaged_batch(&walker.path, walker.offset, reason, sequence));
    }
    *walker = open_walker(segments, index)?;
    Ok(Crossing::Crossed)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crossing {
    /// The next batch is, or will be, in the same segment.
    Stays,
    /// The walker stands in another segment now.
    Crossed,
    /// The record has another history than the walker has read.
    Withdrawn,
}

fn damaged(walker: &Walker, found: Found) -> JournalError {
    let reason = match found {
        Found::Bad(reason) | Found::Foreign(reason) => reason,
        Found::Nothing | Found::Batch => "a batch is missing",
    };
    let sequence = walker.position.sequence.saturating_add(1);
    damaged_batch(&walker.path, walker.offset, reason, sequence)
}
