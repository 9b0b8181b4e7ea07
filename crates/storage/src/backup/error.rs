//! What can go wrong with a backup or a restore.

use std::io;
use std::path::{Path, PathBuf};

use world::ErrorKind;
use world::journal::JournalError;

use crate::error::StorageError;

/// Why there is no backup, or nothing was restored from it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A directory or a small file cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is no backup at this path.
    #[error("{} is no backup", path.display())]
    NoBackup {
        /// The directory.
        path: PathBuf,
    },
    /// A backup was begun here and never came to its end.
    #[error("{} holds a backup that did not come to its end: it has no manifest", path.display())]
    Incomplete {
        /// The directory.
        path: PathBuf,
    },
    /// Something is where a new directory should be.
    #[error("{} is not empty: it holds {found:?}", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// A name found in it.
        found: String,
    },
    /// The backup holds what the shop does not have: replacing it would lose that.
    #[error("the backup in {} has batch {sequence} of {}, which this shop does not have", path.display(), journal(*sale))]
    Ahead {
        /// The backup.
        path: PathBuf,
        /// The sale; `None` for the house journal.
        sale: Option<u64>,
        /// The backup's batch.
        sequence: u64,
    },
    /// What was asked for is not in the backup.
    #[error("the backup does not go there: {reason}")]
    NotThere {
        /// What is missing.
        reason: String,
    },
}

impl BackupError {
    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Storage(error) => error.kind(),
            Self::Journal(error) => error.kind(),
            Self::Ahead { .. } => ErrorKind::Conflict,
            Self::NoBackup { .. }
            | Self::Incomplete { .. }
            | Self::NotEmpty { .. }
            | Self::NotThere { .. } => ErrorKind::Fix,
        }
    }
}

fn journal(sale: Option<u64>) -> String {
    sale.map_or_else(
        || "the house journal".to_owned(),
        |sale| format!("sale {sale}"),
    )
}

/// Turns an input/output error into one that says what was tried on which path.
pub(super) fn cannot<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> BackupError + 'a {
    move |source| {
        StorageError::Io {
            action,
            path: path.to_owned(),
            source,
        }
        .into()
    }
}
