//! What can go wrong with the vault.

use world::ErrorKind;

/// Why the vault did not do what was asked. No message says anything about a person.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// No master key was given.
    #[error("no master key was given")]
    NoKey,
    /// A master key has the right name and is another key.
    #[error("the master key `{id}` is not the one that the vault was locked with")]
    WrongKey {
        /// Its name.
        id: Box<str>,
    },
    /// Records are locked with a master key that was not given.
    #[error("the vault holds records locked with the master key `{id}`, which was not given")]
    MissingKey {
        /// Its name.
        id: Box<str>,
    },
    /// A record is not what was sealed.
    #[error("a record of the vault is damaged")]
    Damaged,
    /// The file is no vault, or one of a later version.
    #[error("the file of the vault has version {found}, this program reads {supported}")]
    Version {
        /// Version of the file; 0 if it is no vault at all.
        found: u32,
        /// Version that can be read.
        supported: u32,
    },
    /// A record is above its limit.
    #[error("a record of {found} bytes is above the limit")]
    TooLarge {
        /// Bytes given.
        found: usize,
    },
    /// The file cannot be used.
    #[error("the file of the vault cannot be used")]
    Database(#[from] rusqlite::Error),
    /// The file cannot be copied.
    #[error("the vault cannot be copied")]
    Copy(#[from] std::io::Error),
}

impl VaultError {
    /// What the caller can do.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NoKey
            | Self::WrongKey { .. }
            | Self::MissingKey { .. }
            | Self::Version { .. }
            | Self::TooLarge { .. } => ErrorKind::Fix,
            Self::Damaged => ErrorKind::Corrupt,
            Self::Database(_) | Self::Copy(_) => ErrorKind::Wait,
        }
    }
}
