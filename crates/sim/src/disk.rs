//! A disk with everything that real disks do on bad days, drawn from a seed.
//!
//! ```text
//!   SimDisk (life 0) ──crash_at / crash(Outage)──▶ SimDisk (life 1) ──▶ …     handles, one life each
//!        └──────────────────── one machine ─────────────┘
//!               names: seen │ durable, steps between     a directory is synced by sync_dir
//!               files: seen │ durable, writes between    a file is synced by sync_data, sync_all
//!               plan:  faults by operation number        remembered: operations, sums, time taken
//! ```
//!
//! # The model
//!
//! Reading sees everything written, as a page cache does. Until a sync, the fate of each write is
//! open by itself: a power cut keeps it, loses it, or keeps some of its 512-byte sectors, and a
//! later write may be there without an earlier one. What was synced is there. The length of a file
//! goes with the write or the `set_len` that changed it.
//!
//! Names are durable after a sync of their directory. Until then each creation, removal, rename and
//! new directory is kept or lost by itself, as far as the result is one that a file system with a
//! journal can show: a rename leaves the old name or the new one, a file that is renamed over
//! another leaves the one or the other, and nothing is under a directory that is not there. A
//! rename into another directory of which only the new one was synced may leave both names.
//! A removed file lives on for those who have it open, until the life ends.
//!
//! Room is counted up to the last byte ever written of each file, and a `set_len` that grows a file
//! takes none. So overwriting zeros made ahead succeeds on a disk that is full.
//!
//! A life ends when the process dies ([`Outage::Process`]: what was written is seen and may still
//! become durable) or with the power. Handles of that life, locks too, are dead from then on.
//!
//! Everything is drawn from the seed, and the luck of each fault from nothing but the seed, the
//! fault and the operation, so that a plan with one fault less is otherwise the same.
//!
//! Deliberately not here: the scheduler, which asks [`SimDisk::take_latency`] how long an
//! operation took and [`SimDisk::crashed`] whether the machine is still on.

mod contents;
mod dice;
mod handles;
mod image;
mod machine;
mod names;
mod plan;
mod record;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use machine::{Machine, machine_is_off};
pub use plan::{Fault, FaultKind, FaultPlan, Mix, PlanError};
pub use record::{DiskStats, OpKind, OpRecord};
use world::disk::{Access, Disk};

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// The process dies and the machine goes on: everything written is still seen.
    Process,
    /// The power goes, and nothing is left but what was synced.
    Forgets,
    /// The power goes, and what was not synced is kept, lost or torn as this seed says.
    Power(u64),
}

/// On which side of an operation the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It does not happen.
    Before,
    /// It happens, and nobody hears of it.
    After,
}

/// A file system on a simulated disk, as one life sees it. Clones share it.
#[derive(Clone, Debug)]
pub struct SimDisk {
    machine: Arc<Mutex<Machine>>,
    life: u64,
}

impl SimDisk {
    /// An empty disk, in order. `seed` decides how long operations take.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_plan(seed, FaultPlan::default())
    }

    /// An empty disk on which the faults of `plan` will strike, with the luck of `seed`.
    #[must_use]
    pub fn with_plan(seed: u64, plan: FaultPlan) -> Self {
        Self {
            machine: Arc::new(Mutex::new(Machine::new(seed, plan))),
            life: 0,
        }
    }

    /// Replaces the plan; operations are counted on.
    pub fn set_plan(&self, plan: FaultPlan) {
        self.lock().plan = plan;
    }

    /// Ends all faults, the operators' too: no plan, room without end, writable. What was damaged
    /// stays damaged.
    pub fn heal(&self) {
        let mut machine = self.lock();
        machine.plan = FaultPlan::default();
        machine.capacity = None;
        machine.read_only = false;
    }

    /// Ends this life; the answer is the disk that the next start finds.
    #[must_use]
    pub fn crash(&self, outage: Outage) -> Self {
        Self {
            life: self.lock().crash(outage),
            machine: self.machine.clone(),
        }
    }

    /// Plans that the machine goes off at operation `op`, or at the next one if that is past.
    /// Everything fails from then on, until [`SimDisk::crash`] says what is left.
    pub fn crash_at(&self, op: u64, moment: Moment) {
        self.lock().crash_point = Some((op, moment));
    }

    /// Whether the machine is off: the planned operation came, or this life is over.
    #[must_use]
    pub fn crashed(&self) -> bool {
        self.lock().check_life(self.life).is_err()
    }

    /// A second disk with the same content, past and future; handles stay with the first.
    #[must_use]
    pub fn fork(&self) -> Self {
        let machine = self.lock().clone();
        Self {
            machine: Arc::new(Mutex::new(machine)),
            life: self.life,
        }
    }

    /// How many operations were counted: opening with creation, writing, syncing, renaming,
    /// removing, resizing, making directories. Reading and locking are not.
    #[must_use]
    pub fn ops(&self) -> u64 {
        self.lock().ops
    }

    /// How long the operations since the last call took.
    #[must_use]
    pub fn take_latency(&self) -> Duration {
        std::mem::take(&mut self.lock().latency)
    }

    /// The last 512 operations of all lives, oldest first.
    #[must_use]
    pub fn story(&self) -> Vec<OpRecord> {
        self.lock().record.last()
    }

    /// Sums over all lives.
    #[must_use]
    pub fn stats(&self) -> DiskStats {
        self.lock().record.stats.clone()
    }

    /// How often a fault of this kind has struck.
    #[must_use]
    pub fn met(&self, kind: FaultKind) -> u64 {
        let machine = self.lock();
        machine.record.stats.met.get(&kind).copied().unwrap_or(0)
    }

    /// Lets all that is written fail with `ReadOnlyFilesystem` until further notice, as a file
    /// system does that was mounted again after an error.
    pub fn set_read_only(&self, read_only: bool) {
        self.lock().read_only = read_only;
    }

    /// Limits the bytes that files may take; `None` takes the limit away.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock().capacity = bytes;
    }

    /// Bytes that can still be written; `None` without a limit.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        let machine = self.lock();
        Some(machine.capacity?.saturating_sub(machine.used()))
    }

    /// Turns over the lowest bit of the byte at `offset`, on the platter too.
    ///
    /// # Errors
    /// `NotFound` or `IsADirectory`; `UnexpectedEof` behind the end of the file.
    pub fn damage(&self, path: &Path, offset: u64) -> io::Result<()> {
        let mut machine = self.alive()?;
        let id = machine.names.file(path)?;
        let file = machine.file(id)?;
        let offset = machine::place(offset)?;
        if offset >= file.seen().len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.flip(offset, 0);
        Ok(())
    }

    /// Copies all that is seen to a directory of another disk, durably; for a look with the tools
    /// of every day. `/data/format` becomes `under/data/format`.
    ///
    /// # Errors
    /// What the other disk says.
    pub fn copy_to(&self, to: &dyn Disk, under: &Path) -> io::Result<()> {
        // The other disk may be this one, so nothing is locked while it works.
        let copies: Vec<(PathBuf, Option<Vec<u8>>)> = {
            let machine = self.alive()?;
            let names = machine.names.iter();
            names
                .map(|(path, node)| (under_dir(under, path), machine.bytes(node)))
                .collect()
        };
        to.create_dir_all(under)?;
        for (path, bytes) in &copies {
            match bytes {
                None => to.create_dir_all(path)?,
                Some(bytes) => {
                    let copy = to.open(path, Access::OpenOrCreate)?;
                    copy.set_len(0)?;
                    copy.write_at(0, bytes)?;
                    copy.sync_all()?;
                }
            }
        }
        let mut dirs = copies.iter().filter(|(_, bytes)| bytes.is_none());
        dirs.try_for_each(|(dir, _)| to.sync_dir(dir))?;
        to.sync_dir(under)
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machine, if this life still has it.
    fn alive(&self) -> io::Result<MutexGuard<'_, Machine>> {
        let machine = self.lock();
        machine
            .check_life(self.life)
            .map_err(|_| machine_is_off())?;
        Ok(machine)
    }
}

fn under_dir(under: &Path, path: &Path) -> PathBuf {
    under.join(path.strip_prefix("/").unwrap_or(path))
}
