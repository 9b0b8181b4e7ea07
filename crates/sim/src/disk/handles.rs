//! The disk and its files as the world asks for them. A handle belongs to a life; when that is
//! over it answers that the machine is off, whatever destructor still holds it.

use std::io;
use std::path::{Path, PathBuf};

use world::disk::{Access, Disk, DiskFile, DiskLock, LockError};

use super::SimDisk;
use super::machine::place;
use super::names::is_root;

impl Disk for SimDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let id = self.alive()?.open(path, access)?;
        Ok(Box::new(SimFile {
            disk: self.clone(),
            id,
            access,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.alive()?.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.alive()?.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.alive()?.names.list(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.alive()?.create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.alive()?.sync_dir(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.alive()?.names.get(path).is_some() || is_root(path))
    }

    fn try_lock(&self, path: &Path, note: &str) -> Result<Box<dyn DiskLock>, LockError> {
        self.alive()?.lock(path, note)?;
        Ok(Box::new(SimLock {
            disk: self.clone(),
            path: path.to_owned(),
        }))
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    id: u64,
    access: Access,
}

impl SimFile {
    fn writable(&self) -> io::Result<()> {
        if self.access == Access::Read {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.disk.alive()?.read(self.id, offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut machine = self.disk.alive()?;
        self.writable()?;
        machine.write(self.id, offset, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.alive()?.sync(self.id)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.alive()?.file(self.id)?.seen().len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut machine = self.disk.alive()?;
        self.writable()?;
        place(len)?;
        machine.set_len(self.id, len)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        // A dead life has no handles to give back.
        if let Ok(mut machine) = self.disk.alive()
            && let Ok(file) = machine.file(self.id)
        {
            file.handles = file.handles.saturating_sub(1);
        }
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        // The next life may have the same lock by now; only this life's goes.
        if let Ok(mut machine) = self.disk.alive() {
            machine.locks.remove(&self.path);
        }
    }
}
