//! The words for what a file should not look like.

use std::io;
use std::path::Path;

use world::journal::JournalError;

/// Turns an input/output error into one that says what was tried on which path.
pub(super) fn cannot<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> JournalError + 'a {
    move |source| JournalError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// A batch, `sequence`, that should begin at `offset` and cannot be trusted.
pub(super) fn damaged_batch(file: &Path, offset: u64, reason: &str, sequence: u64) -> JournalError {
    JournalError::Damaged {
        file: file.to_owned(),
        offset,
        reason: reason.to_owned(),
        remedy: format!(
            "bring the file back from a copy, or, to give up batch {sequence} and all after it, \
             cut the file to {offset} bytes and move all later segments away"
        ),
    }
}

/// A segment that is missing or whose header cannot be trusted.
pub(super) fn damaged_segment(file: &Path, reason: &str) -> JournalError {
    JournalError::Damaged {
        file: file.to_owned(),
        offset: 0,
        reason: reason.to_owned(),
        remedy: "bring the file back from a copy, or, to give up its batches and all after them, \
                 move it and all later segments away"
            .to_owned(),
    }
}
