//! The data directory: one place on disk, one process at a time.
//!
//! ```text
//!   data/
//!     lock            advisory lock; holds the number of the process that has it
//!     format          "tidegate data 1"
//!     clock           when the last process was last seen alive
//!     models.sqlite   read models; can be thrown away
//!     vault.db        personal data, encrypted; only with a master key
//!     notices.json    letters that wait, and how far buyers were told; only with notices
//!     house/          journal and snapshots of what belongs to no sale
//!     sales/00000001/ journal and snapshots of sale 1
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use world::disk::{Access, Disk, DiskLock, LockError};

use crate::error::StorageError;
use crate::files::{make_dir, replace_file};

/// Newest layout that this program reads, and the one it makes.
pub(crate) const VERSION: u32 = 1;

/// The format file of a directory that is being restored: until it has its name there is no data directory.
pub(crate) const UNFINISHED: &str = "restore-unfinished";

/// Name of the file of notices in a data directory and in a backup.
pub(crate) const NOTICES: &str = "notices.json";

/// First line of the format file, before the version.
const FORMAT_NAME: &str = "tidegate data ";

/// A format file is one short line.
const FORMAT_BYTES_MAX: usize = 64;

/// Names that a fresh directory may already have: ours while it is made, and a file system's own.
const HARMLESS: [&str; 4] = ["lock", "format", "format.tmp", "lost+found"];

/// A data directory, locked by this process or only looked at.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    _lock: Option<Box<dyn DiskLock>>,
}

impl DataDir {
    /// Opens the directory for `pid`, this process, or makes it if it is missing or empty. It is
    /// locked until the value is dropped.
    ///
    /// # Errors
    /// [`StorageError::Locked`], [`StorageError::ReadOnly`], [`StorageError::Foreign`], [`StorageError::Unfinished`],
    /// [`StorageError::Version`], [`StorageError::Damaged`], [`StorageError::Io`].
    pub fn open(disk: &Arc<dyn Disk>, root: &Path, pid: u32) -> Result<Self, StorageError> {
        let disk = &**disk;
        make_dir(disk, root).map_err(|error| cannot_write("make", root, error))?;
        // Looked at before anything is made in it, so that a mistyped path is left as it was.
        let begun = disk
            .exists(&root.join("format"))
            .map_err(|error| cannot("look into", root, error))?;
        if !begun {
            refuse_foreign(disk, root)?;
        }
        let lock = lock(disk, root, pid)?;
        let format = root.join("format");
        if begun {
            check_format(disk, &format)?;
        } else {
            replace_file(disk, &format, &[format_line().as_bytes()])
                .map_err(|error| cannot_write("write", root, error))?;
        }
        let dir = Self {
            root: root.to_owned(),
            _lock: Some(lock),
        };
        for part in [dir.house(), dir.sales()] {
            make_dir(disk, &part).map_err(|error| cannot_write("make", root, error))?;
        }
        Ok(dir)
    }

    /// Looks at a directory that may belong to another process; nothing is changed or locked.
    ///
    /// # Errors
    /// [`StorageError::Missing`], [`StorageError::Unfinished`], [`StorageError::Version`], [`StorageError::Damaged`],
    /// [`StorageError::Io`].
    pub fn inspect(disk: &Arc<dyn Disk>, root: &Path) -> Result<Self, StorageError> {
        check_format(&**disk, &root.join("format")).map_err(|error| match error {
            StorageError::Io { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                missing(&**disk, root)
            }
            other => other,
        })?;
        Ok(Self {
            root: root.to_owned(),
            _lock: None,
        })
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The house journal's directory.
    #[must_use]
    pub fn house(&self) -> PathBuf {
        self.root.join("house")
    }

    /// The directory with one directory for each sale.
    #[must_use]
    pub fn sales(&self) -> PathBuf {
        self.root.join("sales")
    }

    /// The directory of one sale's journal; made by whoever opens the journal.
    #[must_use]
    pub fn sale(&self, number: u64) -> PathBuf {
        self.sales().join(format!("{number:08}"))
    }

    /// Numbers of the sales that have a directory, rising.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn sale_numbers(&self, disk: &dyn Disk) -> Result<Vec<u64>, StorageError> {
        let sales = self.sales();
        let names = match disk.list(&sales) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(cannot("list", &sales, error)),
        };
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The read models' file.
    #[must_use]
    pub fn models(&self) -> PathBuf {
        self.root.join("models.sqlite")
    }

    /// The letters that wait, and how far the journals were read for them.
    #[must_use]
    pub fn notices(&self) -> PathBuf {
        self.root.join(NOTICES)
    }

    /// The differences to a provider that are open, and since when.
    #[must_use]
    pub fn gaps(&self) -> PathBuf {
        self.root.join("gaps.json")
    }

    /// The vault's file.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.root.join(crate::vault::VAULT_FILE)
    }

    /// The file that tells a stepped clock from downtime.
    #[must_use]
    pub fn clock(&self) -> PathBuf {
        self.root.join("clock")
    }
}

/// Content of the format file.
pub(crate) fn format_line() -> String {
    format!("{FORMAT_NAME}{VERSION}\n")
}

fn missing(disk: &dyn Disk, root: &Path) -> StorageError {
    let path = root.to_owned();
    match disk.exists(&root.join(UNFINISHED)) {
        Ok(true) => StorageError::Unfinished { path },
        _ => StorageError::Missing { path },
    }
}

fn refuse_foreign(disk: &dyn Disk, root: &Path) -> Result<(), StorageError> {
    let names = disk
        .list(root)
        .map_err(|error| cannot("list", root, error))?;
    if names.iter().any(|name| name == UNFINISHED) {
        return Err(missing(disk, root));
    }
    match names
        .into_iter()
        .find(|name| !HARMLESS.contains(&name.as_str()))
    {
        Some(found) => Err(StorageError::Foreign {
            path: root.to_owned(),
            found,
        }),
        None => Ok(()),
    }
}

fn lock(disk: &dyn Disk, root: &Path, pid: u32) -> Result<Box<dyn DiskLock>, StorageError> {
    disk.try_lock(&root.join("lock"), &format!("{pid}\n"))
        .map_err(|error| match error {
            LockError::Held { note } => StorageError::Locked {
                path: root.to_owned(),
                pid: note.trim().parse().ok(),
            },
            LockError::Io(error) => cannot_write("lock", root, error),
        })
}

fn check_format(disk: &dyn Disk, path: &Path) -> Result<(), StorageError> {
    // One byte more than fits shows that there is more.
    let mut bytes = [0; FORMAT_BYTES_MAX + 1];
    let count = disk
        .open(path, Access::Read)
        .and_then(|file| file.read_at(0, &mut bytes))
        .map_err(|error| cannot("read", path, error))?;
    let version = std::str::from_utf8(&bytes[..count])
        .ok()
        .filter(|text| text.len() <= FORMAT_BYTES_MAX)
        .and_then(|text| number(text.strip_prefix(FORMAT_NAME)?.trim_end()));
    match version {
        Some(VERSION) => Ok(()),
        Some(found) => Err(StorageError::Version {
            path: path.to_owned(),
            found,
            supported: VERSION,
        }),
        None => Err(StorageError::Damaged {
            path: path.to_owned(),
            reason: "it does not name a format",
        }),
    }
}

/// A number as it is written here: digits, no sign, no zero in front.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn cannot(action: &'static str, path: &Path, source: io::Error) -> StorageError {
    StorageError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

fn cannot_write(action: &'static str, root: &Path, source: io::Error) -> StorageError {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StorageError::ReadOnly {
                path: root.to_owned(),
                source,
            }
        }
        _ => cannot(action, root, source),
    }
}
