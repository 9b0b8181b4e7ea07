//! What can go wrong with a journal, and what to do then.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::Position;
use crate::ErrorKind;

/// Why a journal did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The caller's idea of the journal is out of date; nothing was written.
    #[error("journal stands at batch {found}, the caller expected {expected}")]
    WrongPosition {
        /// Where the caller thought the journal stands.
        expected: u64,
        /// Where it stands.
        found: u64,
    },
    /// The append failed half-way: whether the batch will be found later cannot be said.
    #[error("outcome of the append is unknown: {fault}")]
    Unknown {
        /// What failed.
        fault: AppendFault,
        /// What the operating system said.
        source: io::Error,
    },
    /// An earlier append failed and the journal has not been resumed since; nothing was written.
    #[error("journal has to be resumed after a failed append")]
    Broken,
    /// Other appends are still on their way; nothing was written.
    #[error("an append is already in flight")]
    Busy,
    /// The payload is above the limit; nothing was written.
    #[error("payload of {found} bytes is above the limit of {limit}")]
    TooLarge {
        /// Bytes of the payload.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Stored bytes are not what was written.
    #[error("{} is damaged at byte {offset}: {reason}; {remedy}", file.display())]
    Damaged {
        /// The damaged file.
        file: PathBuf,
        /// First byte that cannot be trusted, from the start of the file.
        offset: u64,
        /// What is wrong there.
        reason: String,
        /// How to go on.
        remedy: String,
    },
    /// Somebody has seen a batch that the journal does not have, or not with that hash.
    #[error("durable data is lost: {witness} was seen, the journal has {found}")]
    Lost {
        /// What was seen.
        witness: Position,
        /// What the journal has: its end, or its own batch of that number.
        found: Position,
    },
    /// The file was written by a later format.
    #[error("{} has format version {found}, this program reads up to {supported}", file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// Version in the file.
        found: u32,
        /// Newest version that can be read.
        supported: u32,
    },
    /// A reader without the owner's knowledge of what is durable was shown a batch whose append
    /// failed afterwards; it has to start again.
    #[error("batch {sequence} was read before it was durable, and then withdrawn")]
    Withdrawn {
        /// The batch.
        sequence: u64,
    },
    /// The thread that writes has ended.
    #[error("journal is closed")]
    Closed,
    /// A file could not be used; no append was under way.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl JournalError {
    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::WrongPosition { .. } => ErrorKind::Conflict,
            Self::Unknown { .. } | Self::Withdrawn { .. } => ErrorKind::Retry,
            Self::Broken | Self::Busy | Self::Io { .. } => ErrorKind::Wait,
            Self::TooLarge { .. } | Self::Version { .. } => ErrorKind::Fix,
            Self::Damaged { .. } | Self::Lost { .. } => ErrorKind::Corrupt,
            Self::Closed => ErrorKind::Bug,
        }
    }
}

/// What failed in an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendFault {
    /// The disk is full.
    NoSpace,
    /// Writing failed.
    Write,
    /// The bytes were written, but making them durable failed.
    Sync,
}

impl fmt::Display for AppendFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSpace => "no space left on the disk",
            Self::Write => "the disk failed to write",
            Self::Sync => "the disk failed to sync",
        })
    }
}
