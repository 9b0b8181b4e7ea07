//! What can go wrong with a data directory or a snapshot.

use std::io;
use std::path::PathBuf;

use world::ErrorKind;

/// Why something could not be stored or opened.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another process has the data directory.
    #[error("{} is in use by {}", path.display(), holder(*pid))]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process, if its lock file says so.
        pid: Option<u32>,
    },
    /// The data directory cannot be written.
    #[error("{} cannot be written", path.display())]
    ReadOnly {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The directory holds something, but no Tidegate data.
    #[error("{} is neither empty nor a data directory: it holds {found:?}", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// A name found in it.
        found: String,
    },
    /// There is no data directory at this path.
    #[error("{} is no data directory", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// A restore into this directory did not come to its end.
    #[error("{} holds a restore that did not come to its end", path.display())]
    Unfinished {
        /// The directory.
        path: PathBuf,
    },
    /// The file was written by a later format.
    #[error("{} has format version {found}, this program reads up to {supported}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// Newest version that can be read.
        supported: u32,
    },
    /// The file is not what was written.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// The content is above the limit.
    #[error("content of {found} bytes is above the limit of {limit}")]
    TooLarge {
        /// Bytes given.
        found: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A file or directory could not be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl StorageError {
    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Locked { .. } => ErrorKind::Conflict,
            Self::ReadOnly { .. }
            | Self::Foreign { .. }
            | Self::Missing { .. }
            | Self::Unfinished { .. }
            | Self::Version { .. }
            | Self::TooLarge { .. } => ErrorKind::Fix,
            Self::Damaged { .. } => ErrorKind::Corrupt,
            Self::Io { .. } => ErrorKind::Wait,
        }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}
