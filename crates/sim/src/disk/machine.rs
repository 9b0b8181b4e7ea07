//! The state of a simulated disk, and the turn of one operation: it is counted, may be the one at
//! which the power goes, may meet a fault, takes its time, and is remembered.

mod faults;
mod work;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::contents::{Contents, Toll};
use super::dice::{Dice, drawn};
use super::names::{Names, Node};
use super::plan::{FaultKind, FaultPlan};
use super::record::{OpKind, OpRecord, Record};
use super::{Moment, Outage};

/// Largest file; a write beyond it is a mistake of the caller and not worth the memory.
const FILE_BYTES_MAX: u64 = 16 << 30;

#[derive(Clone, Debug)]
pub(super) struct Machine {
    seed: u64,
    /// Which life has the machine now; handles of earlier ones are dead.
    pub(super) life: u64,
    pub(super) crashed: bool,
    pub(super) ops: u64,
    pub(super) names: Names,
    pub(super) files: BTreeMap<u64, Contents>,
    pub(super) locks: BTreeMap<PathBuf, String>,
    pub(super) plan: FaultPlan,
    pub(super) crash_point: Option<(u64, Moment)>,
    /// Bytes that written data may take; `None` for no end.
    pub(super) capacity: Option<u64>,
    pub(super) read_only: bool,
    pub(super) latency: Duration,
    pub(super) record: Record,
    files_made: u64,
}

/// An operation, as it is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) kind: OpKind,
    pub(super) from: Option<Arc<Path>>,
    pub(super) path: Arc<Path>,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// An operation under way.
#[derive(Debug)]
struct Turn {
    op: u64,
    asked: Asked,
    fault: Option<FaultKind>,
}

impl Asked {
    pub(super) fn of(kind: OpKind, path: &Path) -> Self {
        Self {
            kind,
            from: None,
            path: Arc::from(path),
            offset: 0,
            bytes: 0,
        }
    }
}

/// What every operation of a dead life answers.
pub(super) fn machine_is_off() -> io::Error {
    io::Error::other("the machine is off")
}

fn input_output_error() -> io::Error {
    io::Error::other("input/output error")
}

fn no_space() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "no space left on device")
}

/// A place in a file, as an index.
pub(super) fn place(offset: u64) -> io::Result<usize> {
    if offset > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    usize::try_from(offset).map_err(io::Error::other)
}

impl Machine {
    pub(super) fn new(seed: u64, plan: FaultPlan) -> Self {
        Self {
            seed,
            life: 0,
            crashed: false,
            ops: 0,
            names: Names::default(),
            files: BTreeMap::new(),
            locks: BTreeMap::new(),
            plan,
            crash_point: None,
            capacity: None,
            read_only: false,
            latency: Duration::ZERO,
            record: Record::default(),
            files_made: 0,
        }
    }

    /// Whether a handle of that life may do anything.
    pub(super) fn check_life(&self, life: u64) -> io::Result<()> {
        if self.crashed || self.life != life {
            return Err(machine_is_off());
        }
        Ok(())
    }

    /// Gives a changing operation its turn.
    fn turn<T>(
        &mut self,
        asked: Asked,
        work: impl FnOnce(&mut Self, &mut Turn) -> io::Result<T>,
    ) -> io::Result<T> {
        let op = self.ops;
        self.power_goes_at(op, Moment::Before)?;
        self.ops += 1;
        self.rot(op);
        let mut turn = Turn {
            op,
            asked,
            fault: None,
        };
        let syncs = matches!(turn.asked.kind, OpKind::Sync | OpKind::SyncDir);
        let result = if self.read_only && !syncs {
            Err(io::ErrorKind::ReadOnlyFilesystem.into())
        } else {
            work(self, &mut turn)
        };
        let error = result.as_ref().err().map(io::Error::kind);
        self.remember(op, turn.asked, turn.fault, error);
        self.power_goes_at(op, Moment::After)?;
        result
    }

    fn power_goes_at(&mut self, op: u64, moment: Moment) -> io::Result<()> {
        match self.crash_point {
            Some((point, when)) if when == moment && point <= op => {
                self.crash_point = None;
                self.crashed = true;
                Err(machine_is_off())
            }
            _ => Ok(()),
        }
    }

    fn remember(
        &mut self,
        op: u64,
        asked: Asked,
        fault: Option<FaultKind>,
        error: Option<io::ErrorKind>,
    ) {
        self.record.push(OpRecord {
            op,
            life: self.life,
            kind: asked.kind,
            from: asked.from,
            path: asked.path,
            offset: asked.offset,
            bytes: asked.bytes,
            fault,
            error,
        });
    }

    /// Adds what an operation takes, drawn from `micros` and for its bytes.
    fn spend(&mut self, when: u64, micros: std::ops::Range<u64>, bytes: usize) {
        let luck = drawn(self.seed, 1, when);
        let spread = (micros.end - micros.start) * 1_000;
        // About two gigabytes a second.
        let nanos = micros.start * 1_000 + luck % spread + bytes as u64 / 2;
        self.latency += Duration::from_nanos(nanos);
    }

    /// Ends this life and begins the next on what is left.
    pub(super) fn crash(&mut self, outage: Outage) -> u64 {
        let luck = match outage {
            Outage::Process => None,
            Outage::Forgets => Some(Dice::worst()),
            Outage::Power(seed) => Some(Dice::new(seed)),
        };
        if let Some(dice) = luck {
            self.lose_power(&dice);
        }
        for file in self.files.values_mut() {
            file.handles = 0;
        }
        self.forget_files();
        self.locks.clear();
        self.crash_point = None;
        self.crashed = false;
        self.latency = Duration::ZERO;
        self.record.stats.crashes += 1;
        self.life += 1;
        self.life
    }

    fn lose_power(&mut self, dice: &Dice) {
        let mut toll = Toll::default();
        toll.add(self.names.decide(None, dice));
        self.names.lose_power();
        for file in self.files.values_mut() {
            toll.add(file.decide(dice));
            file.lose_power();
        }
        self.record.pay(toll);
    }

    /// Drops files that nobody can reach any more.
    fn forget_files(&mut self) {
        let reachable = self.names.reachable();
        self.files
            .retain(|id, file| file.handles > 0 || reachable.contains(id));
    }

    pub(super) fn file(&mut self, id: u64) -> io::Result<&mut Contents> {
        self.files
            .get_mut(&id)
            .ok_or(io::ErrorKind::NotFound.into())
    }

    /// All bytes of a file; `None` for a directory.
    pub(super) fn bytes(&self, node: Node) -> Option<Vec<u8>> {
        let Node::File(id) = node else {
            return None;
        };
        let image = self.files.get(&id)?.seen();
        let mut bytes = vec![0; image.len()];
        image.read(0, &mut bytes);
        Some(bytes)
    }

    /// Bytes that written data takes now.
    pub(super) fn used(&self) -> u64 {
        let files = self.names.files().into_iter();
        files
            .filter_map(|id| Some(self.files.get(&id)?.room() as u64))
            .sum()
    }
}
