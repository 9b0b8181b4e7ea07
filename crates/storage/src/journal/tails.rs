//! What lies at the end of a journal and is no batch: torn bytes, or proof of damage.

use std::path::{Path, PathBuf};

use world::journal::JournalError;

use super::damage::{cannot, damaged_segment};
use super::scan::{Rest, scan};
use super::segments::Segments;
use super::walker::Walker;

/// Bytes behind the last good batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: PathBuf,
    /// Where they begin.
    pub offset: u64,
    /// How many there are, up to the last that is not zero.
    pub bytes: u64,
    /// Number of the batch that would have begun there.
    pub sequence: u64,
    /// Why they are no batch.
    pub reason: &'static str,
    /// Where they are copied when the journal opens.
    pub set_aside: PathBuf,
}

impl TornTail {
    /// Describes bytes at `offset` of `file`, where batch `sequence` would begin, if there are any.
    pub(super) fn of(
        dir: &Path,
        file: &Path,
        offset: u64,
        rest: Rest,
        sequence: u64,
        reason: &'static str,
    ) -> Option<Self> {
        Some(Self {
            file: file.to_owned(),
            offset,
            bytes: rest.end? - offset,
            sequence,
            reason,
            set_aside: dir.join(format!("torn-{sequence}-{offset}.bytes")),
        })
    }
}

/// A segment file above the tip whose header cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Headless {
    pub(super) ordinal: u64,
    pub(super) reason: &'static str,
}

/// Looks behind the walker, where batch `next` was not found, for batches after it.
pub(super) fn look_behind(walker: &mut Walker, next: u64) -> Result<Rest, JournalError> {
    scan(&mut walker.window, walker.offset, walker.seal, next).map_err(cannot("read", &walker.path))
}

/// Looks into a file without a header for batch `next` or any after it.
///
/// # Errors
/// [`JournalError::Damaged`] if there is one: a header is durable before its first batch.
pub(super) fn look_into(
    file: &Headless,
    segments: &Segments,
    next: u64,
) -> Result<(PathBuf, Rest), JournalError> {
    let mut header = segments.tip();
    header.ordinal = file.ordinal;
    let mut walker = Walker::open(segments, &header)?;
    walker.offset = 0;
    let rest = look_behind(&mut walker, next.saturating_sub(1))?;
    if rest.later.is_some() {
        return Err(damaged_segment(&walker.path, file.reason));
    }
    Ok((walker.path, rest))
}
