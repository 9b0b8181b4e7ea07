//! A disk that fails when told to.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Access, Disk, DiskFile, DiskLock, LockError};

/// Operations that a fault can meet. Reading and looking never fail here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `write_at`.
    Write,
    /// `sync_data`, `sync_all` and `sync_dir`.
    Sync,
    /// Everything that changes the disk: the two above, and creating, renaming, removing and
    /// resizing files, making directories, taking locks.
    Any,
}

/// What the failing operation has done before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// A write has put down its first bytes, as many as this; other operations did nothing.
    First(usize),
    /// All of it: only the answer was bad.
    Whole,
}

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// One operation fails.
    Once,
    /// From there on all fail, until [`FaultyDisk::heal`].
    UntilHealed,
}

/// A fault to come.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Which operations are counted, and fail.
    pub operation: Operation,
    /// How many of them still succeed.
    pub after: u64,
    /// What the operation answers: `StorageFull` is ENOSPC.
    pub error: io::ErrorKind,
    /// What it has done nevertheless.
    pub effect: Effect,
    /// Whether later ones fail too.
    pub lasting: Lasting,
}

/// Any disk, with faults. Clones share both.
#[derive(Clone, Debug)]
pub struct FaultyDisk<D> {
    disk: D,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    fault: Option<Fault>,
    changes: u64,
}

impl<D: Disk> FaultyDisk<D> {
    /// A disk without faults so far.
    #[must_use]
    pub fn new(disk: D) -> Self {
        Self {
            disk,
            plan: Arc::default(),
        }
    }

    /// Plans a fault, counted from now, in place of any earlier one.
    pub fn plan(&self, fault: Fault) {
        self.lock().fault = Some(fault);
    }

    /// Takes the fault away.
    pub fn heal(&self) {
        self.lock().fault = None;
    }

    /// How many changing operations were tried so far.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// The disk behind the faults.
    #[must_use]
    pub fn inner(&self) -> &D {
        &self.disk
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run<T>(
        &self,
        operation: Operation,
        whole: impl FnOnce() -> io::Result<T>,
        first: impl FnOnce(usize),
    ) -> io::Result<T> {
        let Some(fault) = self.lock().meet(operation) else {
            return whole();
        };
        match fault.effect {
            Effect::None => {}
            Effect::First(bytes) => first(bytes),
            Effect::Whole => drop(whole()?),
        }
        Err(io::Error::new(fault.error, "planned fault"))
    }

    fn change<T>(&self, whole: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.run(Operation::Any, whole, |_| ())
    }
}

impl Plan {
    fn meet(&mut self, operation: Operation) -> Option<Fault> {
        self.changes += 1;
        let fault = self.fault.as_mut()?;
        if fault.operation != Operation::Any && fault.operation != operation {
            return None;
        }
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        let met = *fault;
        if met.lasting == Lasting::Once {
            self.fault = None;
        }
        Some(met)
    }
}

impl<D: Disk + Clone + 'static> Disk for FaultyDisk<D> {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let open = || self.disk.open(path, access);
        let file = match access {
            Access::Read | Access::Write => open()?,
            Access::Create | Access::OpenOrCreate => self.change(open)?,
        };
        Ok(Box::new(FaultyFile {
            file,
            disk: self.clone(),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|| self.disk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|| self.disk.remove(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.change(|| self.disk.create_dir_all(dir))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.run(Operation::Sync, || self.disk.sync_dir(dir), |_| ())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.disk.exists(path)
    }

    fn try_lock(&self, path: &Path, note: &str) -> Result<Box<dyn DiskLock>, LockError> {
        self.change(|| Ok(()))?;
        self.disk.try_lock(path, note)
    }
}

#[derive(Debug)]
struct FaultyFile<D> {
    file: Box<dyn DiskFile>,
    disk: FaultyDisk<D>,
}

impl<D: Disk> DiskFile for FaultyFile<D> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.run(
            Operation::Write,
            || self.file.write_at(offset, bytes),
            |first| {
                // A disk that tears a write and then also refuses it has done less, not more.
                let _ = self.file.write_at(offset, &bytes[..first.min(bytes.len())]);
            },
        )
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk
            .run(Operation::Sync, || self.file.sync_data(), |_| ())
    }

    fn sync_all(&self) -> io::Result<()> {
        self.disk
            .run(Operation::Sync, || self.file.sync_all(), |_| ())
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.change(|| self.file.set_len(len))
    }
}
