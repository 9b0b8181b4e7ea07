//! What can go wrong with the read models. None of it touches the record.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;
use world::ErrorKind;

/// Why the read models could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// The database said no.
    #[error("read models: {0}")]
    Database(#[from] rusqlite::Error),
    /// A row holds what its writer cannot have written.
    #[error("read models are damaged: {0}")]
    Damaged(String),
    /// The file cannot be moved, removed or looked at.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl ModelsError {
    /// What the caller can do. Damage means: throw the file away and build it anew.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Damaged(_) => ErrorKind::Corrupt,
            Self::Io { .. } => ErrorKind::Wait,
            Self::Database(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ErrorKind::Corrupt,
                Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => ErrorKind::Fix,
                _ => ErrorKind::Wait,
            },
        }
    }
}
