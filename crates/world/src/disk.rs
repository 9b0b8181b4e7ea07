//! Files, as a thing that can fail and that forgets what was not synced.
//!
//! Journals, snapshots and locks do all their input and output through [`Disk`], so that a test
//! can fail any single operation or cut the power between any two.

mod os;

pub use os::OsDisk;

use std::fmt;
use std::io;
use std::path::Path;

/// A file system. All calls block; all paths are used as given.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// What the operating system says; `NotFound` and `AlreadyExists` as [`Access`] tells.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, replacing what had it. Durable after `sync_dir` of both parents.
    ///
    /// # Errors
    /// What the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file's name. Durable after `sync_dir` of the parent.
    ///
    /// # Errors
    /// What the operating system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Names in a directory, sorted; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// What the operating system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes a directory and its missing parents. Durable after `sync_dir` of each parent.
    ///
    /// # Errors
    /// What the operating system says.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Makes the names in `dir` durable.
    ///
    /// # Errors
    /// What the operating system says; afterwards the state of the names is unknown.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Whether something has this name.
    ///
    /// # Errors
    /// What the operating system says, when it cannot tell.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Takes the advisory lock on `path`, making the file if need be, and leaves `note` in it for
    /// whoever comes second. The lock goes with the guard, or with the process.
    ///
    /// # Errors
    /// [`LockError::Held`] with the holder's note, or what the operating system says.
    fn try_lock(&self, path: &Path, note: &str) -> Result<Box<dyn DiskLock>, LockError>;
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading an existing file.
    Read,
    /// Reading and writing an existing file.
    Write,
    /// Reading and writing a file that must not exist yet.
    Create,
    /// Reading and writing a file, made if it does not exist.
    OpenOrCreate,
}

/// An open file. Offsets and lengths are in bytes.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Reads up to `buffer.len()` bytes; fewer only at the end of the file.
    ///
    /// # Errors
    /// What the operating system says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes`, growing the file if need be.
    ///
    /// # Errors
    /// What the operating system says; any part of the bytes may have been written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the bytes durable, and as much of the rest as is needed to read them again.
    ///
    /// # Errors
    /// What the operating system says. What was not durable may then be lost although a later
    /// call succeeds: never sync the same file again in the hope of saving it.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes bytes and attributes durable.
    ///
    /// # Errors
    /// As [`DiskFile::sync_data`].
    fn sync_all(&self) -> io::Result<()>;

    /// Length of the file.
    ///
    /// # Errors
    /// What the operating system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// As [`DiskFile::len`].
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file, or lets it grow by zeros that take no room yet.
    ///
    /// # Errors
    /// What the operating system says.
    fn set_len(&self, len: u64) -> io::Result<()>;
}

/// Keeps an advisory lock until it is dropped.
pub trait DiskLock: Send + Sync + fmt::Debug {}

/// Why a lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("lock is held by {note:?}")]
    Held {
        /// What the holder left in the file; empty if that cannot be read.
        note: String,
    },
    /// The lock file cannot be used.
    #[error("lock file cannot be used")]
    Io(#[from] io::Error),
}
