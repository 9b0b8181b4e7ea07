//! What each operation does, with the faults it can meet.

use std::io;
use std::path::Path;
use std::sync::Arc;

use world::disk::{Access, LockError};

use super::super::contents::Contents;
use super::super::dice::{Dice, drawn};
use super::super::image::SECTOR_BYTES;
use super::super::names::Node;
use super::super::plan::FaultKind;
use super::super::record::OpKind;
use super::{Asked, Machine, Turn, input_output_error, no_space, place};

/// One sync in so many takes as long as a disk that tidies up.
const SLOW_ONE_IN: u64 = 256;

impl Machine {
    /// Opens a file and counts the handle; its number.
    pub(in super::super) fn open(&mut self, path: &Path, access: Access) -> io::Result<u64> {
        let id = match access {
            Access::Read => self.names.file(path)?,
            Access::Write if self.read_only => {
                return Err(io::ErrorKind::ReadOnlyFilesystem.into());
            }
            Access::Write => self.names.file(path)?,
            Access::Create | Access::OpenOrCreate => {
                let asked = Asked::of(OpKind::Create, path);
                self.turn(asked, |machine, turn| machine.make(path, access, turn))?
            }
        };
        self.file(id)?.handles += 1;
        Ok(id)
    }

    fn make(&mut self, path: &Path, access: Access, turn: &mut Turn) -> io::Result<u64> {
        self.spend(turn.op, 10..60, 0);
        match self.names.file(path) {
            Ok(_) if access == Access::Create => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.names.require_parent(path)?;
                self.refuse_when_full(turn)?;
                Ok(self.make_file(path))
            }
            found => found,
        }
    }

    fn make_file(&mut self, path: &Path) -> u64 {
        let id = self.files_made;
        self.files_made += 1;
        self.files.insert(id, Contents::new(Arc::from(path)));
        self.names.add(path, Node::File(id));
        id
    }

    fn refuse_when_full(&mut self, turn: &mut Turn) -> io::Result<()> {
        let full = self
            .capacity
            .is_some_and(|capacity| self.used() >= capacity);
        if full || self.strikes(FaultKind::NoSpace, turn).is_some() {
            return Err(no_space());
        }
        Ok(())
    }

    pub(in super::super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let asked = Asked {
            from: Some(Arc::from(from)),
            ..Asked::of(OpKind::Rename, to)
        };
        self.turn(asked, |machine, turn| {
            machine.spend(turn.op, 10..60, 0);
            let id = machine.names.rename(from, to)?;
            machine.file(id)?.name = Arc::from(to);
            Ok(())
        })
    }

    pub(in super::super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.turn(Asked::of(OpKind::Remove, path), |machine, turn| {
            machine.spend(turn.op, 10..60, 0);
            machine.names.remove(path)
        })
    }

    pub(in super::super) fn create_dir_all(&mut self, dir: &Path) -> io::Result<()> {
        self.turn(Asked::of(OpKind::MakeDir, dir), |machine, turn| {
            machine.spend(turn.op, 10..60, 0);
            machine.refuse_when_full(turn)?;
            machine.names.make_dirs(dir)
        })
    }

    pub(in super::super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.turn(Asked::of(OpKind::SyncDir, dir), |machine, turn| {
            machine.names.require_directory(dir)?;
            machine.begin_sync(turn)?;
            if machine.strikes(FaultKind::SyncForgets, turn).is_some() {
                return Err(input_output_error());
            }
            if machine.lies(turn) {
                if machine.names.promise(dir) {
                    machine.met(FaultKind::LyingSync, turn);
                }
                return Ok(());
            }
            machine.names.sync(dir);
            machine.forget_files();
            Ok(())
        })
    }

    pub(in super::super) fn sync(&mut self, id: u64) -> io::Result<()> {
        let asked = self.asked(OpKind::Sync, id, 0, 0)?;
        self.turn(asked, |machine, turn| {
            machine.begin_sync(turn)?;
            if machine.strikes(FaultKind::SyncForgets, turn).is_some() {
                let dice = machine.forgetful(turn);
                let toll = machine.file(id)?.decide(&dice);
                machine.record.pay(toll);
                return Err(input_output_error());
            }
            if machine.lies(turn) {
                if machine.file(id)?.promise() {
                    machine.met(FaultKind::LyingSync, turn);
                }
                return Ok(());
            }
            machine.file(id)?.sync();
            Ok(())
        })
    }

    fn begin_sync(&mut self, turn: &mut Turn) -> io::Result<()> {
        self.record.stats.syncs += 1;
        self.spend(turn.op, 80..400, 0);
        if drawn(self.seed, 3, turn.op).is_multiple_of(SLOW_ONE_IN) {
            self.spend(turn.op, 10_000..20_000, 0);
        }
        self.dawdle(FaultKind::SlowSync, turn);
        match self.strikes(FaultKind::SyncError, turn) {
            Some(_) => Err(input_output_error()),
            None => Ok(()),
        }
    }

    fn forgetful(&self, turn: &Turn) -> Dice {
        Dice::new(drawn(self.seed, 4, turn.op))
    }

    pub(in super::super) fn set_len(&mut self, id: u64, len: u64) -> io::Result<()> {
        let asked = self.asked(OpKind::SetLen, id, len, 0)?;
        self.turn(asked, |machine, turn| {
            machine.spend(turn.op, 10..60, 0);
            machine.file(id)?.set_len(place(len)?);
            Ok(())
        })
    }

    pub(in super::super) fn write(&mut self, id: u64, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let asked = self.asked(OpKind::Write, id, offset, bytes.len())?;
        self.turn(asked, |machine, turn| {
            let offset = place(offset)?;
            place((offset + bytes.len()) as u64)?;
            machine.write_with_faults(turn, id, offset, bytes)
        })
    }

    fn write_with_faults(
        &mut self,
        turn: &mut Turn,
        id: u64,
        offset: usize,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.record.stats.writes += 1;
        self.spend(turn.op, 10..60, bytes.len());
        self.dawdle(FaultKind::SlowWrite, turn);
        if self.strikes(FaultKind::WriteError, turn).is_some() {
            return Err(input_output_error());
        }
        if let Some(first) = self.strikes(FaultKind::TornWrite, turn) {
            let first = usize::try_from(first)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            self.put(id, offset, &bytes[..first])?;
            return Err(input_output_error());
        }
        let fits = self.fits(turn, id, offset, bytes.len())?;
        if fits < bytes.len() {
            self.put(id, offset, &bytes[..fits])?;
            return Err(no_space());
        }
        let path = &turn.asked.path;
        let astray = self
            .due(FaultKind::Misdirected, turn.op, turn.op, path)
            .is_some();
        if astray && self.misdirect(turn, id, offset, bytes) {
            self.record.stats.bytes_written += bytes.len() as u64;
            return Ok(());
        }
        self.put(id, offset, bytes)
    }

    fn put(&mut self, id: u64, offset: usize, bytes: &[u8]) -> io::Result<()> {
        if !bytes.is_empty() {
            self.file(id)?.write(offset, bytes);
            self.record.stats.bytes_written += bytes.len() as u64;
        }
        Ok(())
    }

    /// How many of the bytes find room.
    fn fits(&mut self, turn: &mut Turn, id: u64, offset: usize, len: usize) -> io::Result<usize> {
        let mut fits = len;
        if let Some(capacity) = self.capacity {
            let free = capacity.saturating_sub(self.used());
            let free = usize::try_from(free).unwrap_or(usize::MAX);
            let grows = (offset + len).saturating_sub(self.file(id)?.room());
            fits -= grows.saturating_sub(free).min(len);
        }
        if self.strikes(FaultKind::NoSpace, turn).is_some() {
            let sectors = (len / SECTOR_BYTES) as u64 + 1;
            let first = drawn(self.seed, 5, turn.op) % sectors;
            let first = usize::try_from(first).unwrap_or(0) * SECTOR_BYTES;
            fits = fits.min(first).min(len.saturating_sub(1));
        }
        Ok(fits)
    }

    pub(in super::super) fn read(
        &mut self,
        id: u64,
        offset: u64,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let reads = self.record.stats.reads;
        self.record.stats.reads += 1;
        self.spend(reads ^ 1 << 63, 4..6, buffer.len());
        let name = self.file(id)?.name.clone();
        if self.refuses_to_read(&name, reads) {
            let asked = self.asked(OpKind::Read, id, offset, buffer.len())?;
            let error = input_output_error();
            let kind = FaultKind::ReadError;
            self.remember(self.ops, asked, Some(kind), Some(error.kind()));
            return Err(error);
        }
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(self.file(id)?.seen().read(offset, buffer))
    }

    /// Takes the lock; faults leave it alone, and it is no operation of its own.
    pub(in super::super) fn lock(&mut self, path: &Path, note: &str) -> Result<(), LockError> {
        if let Some(note) = self.locks.get(path) {
            let note = note.clone();
            return Err(LockError::Held { note });
        }
        if self.read_only {
            return Err(LockError::Io(io::ErrorKind::ReadOnlyFilesystem.into()));
        }
        let id = match self.names.file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.names.require_parent(path)?;
                self.make_file(path)
            }
            found => found?,
        };
        let file = self.file(id)?;
        file.set_len(0);
        file.write(0, note.as_bytes());
        self.locks.insert(path.to_owned(), note.to_owned());
        Ok(())
    }

    fn asked(&mut self, kind: OpKind, id: u64, offset: u64, bytes: usize) -> io::Result<Asked> {
        Ok(Asked {
            kind,
            from: None,
            path: self.file(id)?.name.clone(),
            offset,
            bytes: bytes as u64,
        })
    }
}
