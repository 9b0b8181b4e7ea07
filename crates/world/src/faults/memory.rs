//! A disk in memory that remembers what was synced.
//!
//! Bytes are durable after `sync_data` or `sync_all` of their file, names after `sync_dir` of their
//! directory. Reading sees everything, as a page cache does.

mod contents;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Access, Disk, DiskFile, DiskLock, LockError};
pub use contents::Crash;
use contents::{Change, Contents};

/// A file system in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    names: Arc<Mutex<Names>>,
    locks: Arc<Mutex<BTreeMap<PathBuf, String>>>,
}

#[derive(Debug, Default)]
struct Names {
    seen: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Directory,
    File(Arc<Mutex<Contents>>),
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The disk as the next start finds it if the power goes now. This one is left as it is; locks
    /// are gone.
    #[must_use]
    pub fn crashed(&self, crash: Crash) -> Self {
        let names = lock(&self.names);
        let kept = match crash {
            Crash::Forgets | Crash::TearsUnderOldNames(_) => &names.durable,
            Crash::Keeps | Crash::Tears(_) => &names.seen,
        };
        let reachable = |path: &Path| {
            path.ancestors()
                .skip(1)
                .all(|parent| is_root(parent) || kept.contains_key(parent))
        };
        let survivors: BTreeMap<_, _> = kept
            .iter()
            .filter(|(path, _)| reachable(path))
            .map(|(path, node)| (path.clone(), node.after(crash)))
            .collect();
        Self {
            names: Arc::new(Mutex::new(Names {
                seen: survivors.clone(),
                durable: survivors,
            })),
            locks: Arc::default(),
        }
    }

    fn contents(&self, path: &Path) -> io::Result<Arc<Mutex<Contents>>> {
        match lock(&self.names).seen.get(path) {
            Some(Node::File(contents)) => Ok(contents.clone()),
            Some(Node::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn create(&self, path: &Path) -> io::Result<Arc<Mutex<Contents>>> {
        let mut names = lock(&self.names);
        names.require_parent(path)?;
        let contents = Arc::<Mutex<Contents>>::default();
        names
            .seen
            .insert(path.to_owned(), Node::File(contents.clone()));
        Ok(contents)
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let contents = match (self.contents(path), access) {
            (Ok(_), Access::Create) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Ok(contents), _) => contents,
            (Err(error), Access::Create | Access::OpenOrCreate)
                if error.kind() == io::ErrorKind::NotFound =>
            {
                self.create(path)?
            }
            (Err(error), _) => return Err(error),
        };
        Ok(Box::new(MemoryFile { contents, access }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = lock(&self.names);
        names.require_parent(to)?;
        if let Some(Node::Directory) = names.seen.get(from) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let node = names.seen.remove(from).ok_or(io::ErrorKind::NotFound)?;
        names.seen.insert(to.to_owned(), node);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut names = lock(&self.names);
        if let Some(Node::Directory) = names.seen.get(path) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        names.seen.remove(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let names = lock(&self.names);
        names.require_directory(dir)?;
        Ok(names
            .seen
            .keys()
            .filter(|path| path.parent() == Some(dir))
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut names = lock(&self.names);
        for dir in dir.ancestors().filter(|dir| !is_root(dir)) {
            match names.seen.get(dir) {
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                Some(Node::Directory) => break,
                None => names.seen.insert(dir.to_owned(), Node::Directory),
            };
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut names = lock(&self.names);
        names.require_directory(dir)?;
        let Names { seen, durable } = &mut *names;
        let inside = |path: &Path| path.parent() == Some(dir);
        durable.retain(|path, _| !inside(path));
        let now = seen.iter().filter(|(path, _)| inside(path));
        durable.extend(now.map(|(path, node)| (path.clone(), node.clone())));
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(is_root(path) || lock(&self.names).seen.contains_key(path))
    }

    fn try_lock(&self, path: &Path, note: &str) -> Result<Box<dyn DiskLock>, LockError> {
        if let Some(note) = lock(&self.locks).get(path) {
            return Err(LockError::Held { note: note.clone() });
        }
        let file = self.open(path, Access::OpenOrCreate)?;
        file.set_len(0)?;
        file.write_at(0, note.as_bytes())?;
        lock(&self.locks).insert(path.to_owned(), note.to_owned());
        Ok(Box::new(MemoryLock {
            path: path.to_owned(),
            locks: self.locks.clone(),
        }))
    }
}

impl Names {
    fn require_directory(&self, dir: &Path) -> io::Result<()> {
        match self.seen.get(dir) {
            _ if is_root(dir) => Ok(()),
            Some(Node::Directory) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn require_parent(&self, path: &Path) -> io::Result<()> {
        self.require_directory(path.parent().unwrap_or(Path::new("")))
    }
}

impl Node {
    fn after(&self, crash: Crash) -> Self {
        match self {
            Self::Directory => Self::Directory,
            Self::File(contents) => {
                let left = lock(contents).after(crash);
                Self::File(Arc::new(Mutex::new(left)))
            }
        }
    }
}

#[derive(Debug)]
struct MemoryFile {
    contents: Arc<Mutex<Contents>>,
    access: Access,
}

impl MemoryFile {
    fn change(&self, change: Change) -> io::Result<()> {
        if self.access == Access::Read {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        lock(&self.contents).change(change);
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let contents = lock(&self.contents);
        let start = contents.seen().len().min(index(offset)?);
        let rest = &contents.seen()[start..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write {
            offset: index(offset)?,
            bytes: bytes.to_vec(),
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        lock(&self.contents).sync();
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.contents).seen().len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::SetLen(index(len)?))
    }
}

#[derive(Debug)]
struct MemoryLock {
    path: PathBuf,
    locks: Arc<Mutex<BTreeMap<PathBuf, String>>>,
}

impl DiskLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        lock(&self.locks).remove(&self.path);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_root(path: &Path) -> bool {
    path == Path::new("/") || path.as_os_str().is_empty()
}

fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}
