//! What is going to be wrong with a disk, as data: drawn from a seed, printed, read back, and taken
//! apart fault by fault.
//!
//! One fault is `kind[=amount]@from..to[/one_in][:files]`, a plan is faults with commas between:
//! `torn-write=77@120..121:house,lying-sync@300..420`.

mod draw;
mod text;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

pub use text::PlanError;

/// What can be wrong. The order is that of the drawing and of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// Writing finds no room, after a part of the bytes; making a file or a directory too.
    NoSpace,
    /// A write fails and has done nothing.
    WriteError,
    /// A sync fails; the same sync tried again may succeed and be right.
    SyncError,
    /// Reading fails.
    ReadError,
    /// A write fails after its first `amount` bytes.
    TornWrite,
    /// A sync fails, and what it could not write counts as clean from then on: later syncs succeed,
    /// and what was lost stays lost. A sync of a directory fails and no more: file systems keep names in a
    /// journal of their own, and stop altogether when that cannot be written.
    SyncForgets,
    /// A sync takes `amount` milliseconds more.
    SlowSync,
    /// A write takes `amount` milliseconds more.
    SlowWrite,
    /// A bit of a file turns over on the platter.
    BitFlip,
    /// A write lands, durably, on other sectors of this file or of another one.
    Misdirected,
    /// A sync says that it has, and has not.
    LyingSync,
}

impl FaultKind {
    /// All kinds, in order.
    pub const ALL: [Self; 11] = [
        Self::NoSpace,
        Self::WriteError,
        Self::SyncError,
        Self::ReadError,
        Self::TornWrite,
        Self::SyncForgets,
        Self::SlowSync,
        Self::SlowWrite,
        Self::BitFlip,
        Self::Misdirected,
        Self::LyingSync,
    ];

    /// The name, as plans and reports have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSpace => "no-space",
            Self::WriteError => "write-error",
            Self::SyncError => "sync-error",
            Self::ReadError => "read-error",
            Self::TornWrite => "torn-write",
            Self::SyncForgets => "sync-forgets",
            Self::SlowSync => "slow-sync",
            Self::SlowWrite => "slow-write",
            Self::BitFlip => "bit-flip",
            Self::Misdirected => "misdirected",
            Self::LyingSync => "lying-sync",
        }
    }

    /// Whether the disk breaks a promise by it, so that durable data may be gone or wrong: then
    /// the shop cannot be asked to have everything, only to notice.
    #[must_use]
    pub fn breaks_promises(self) -> bool {
        matches!(self, Self::BitFlip | Self::Misdirected | Self::LyingSync)
    }

    /// Whether `amount` means something.
    fn has_amount(self) -> bool {
        matches!(self, Self::TornWrite | Self::SlowSync | Self::SlowWrite)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that is wrong for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Bytes for [`FaultKind::TornWrite`], milliseconds for the slow kinds, else 0.
    pub amount: u32,
    /// During which operations, counted as [`super::SimDisk::ops`] counts; a read belongs to the
    /// operation to come.
    pub at: Range<u64>,
    /// It strikes one operation in so many that it could meet; 1 is each of them. A
    /// [`FaultKind::BitFlip`] asks before every operation, whatever the file.
    pub one_in: u32,
    /// Only files and directories whose path has this in it; empty for all. It has no comma.
    pub files: String,
}

/// All that is going to be wrong with a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// In no particular order; the luck of each does not depend on the others.
    pub faults: Vec<Fault>,
}

/// What a drawn plan may have in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    /// How many operations the life is expected to have; faults begin within these.
    pub ops: u64,
    /// Faults for a thousand operations, on average.
    pub per_thousand: u32,
    /// No plan has more faults.
    pub faults_max: usize,
    /// Kinds that may occur; each plan switches each of them on or off.
    pub kinds: BTreeSet<FaultKind>,
    /// Parts of paths; faults that damage stay with files that have one of these. Empty for all.
    pub damaged: Vec<String>,
}

impl Default for Mix {
    /// Everything that an honest disk does on a bad day.
    fn default() -> Self {
        let honest = FaultKind::ALL.into_iter();
        Self {
            ops: 2_000,
            per_thousand: 4,
            faults_max: 12,
            kinds: honest.filter(|kind| !kind.breaks_promises()).collect(),
            damaged: Vec::new(),
        }
    }
}

impl Fault {
    /// This fault, striking operation `op` for certain, on any file.
    #[must_use]
    pub fn once(kind: FaultKind, op: u64) -> Self {
        Self::during(kind, op..op.saturating_add(1))
    }

    /// This fault, striking all operations of the range, on any file.
    #[must_use]
    pub fn during(kind: FaultKind, at: Range<u64>) -> Self {
        Self {
            kind,
            amount: 0,
            at,
            one_in: 1,
            files: String::new(),
        }
    }
}

impl From<Fault> for FaultPlan {
    fn from(fault: Fault) -> Self {
        Self {
            faults: vec![fault],
        }
    }
}

impl FaultPlan {
    /// The plan without one of its faults.
    #[must_use]
    pub fn without(&self, index: usize) -> Self {
        let kept = self.faults.iter().enumerate();
        Self {
            faults: kept
                .filter(|(at, _)| *at != index)
                .map(|(_, fault)| fault.clone())
                .collect(),
        }
    }

    /// Whether any of its faults breaks a promise.
    #[must_use]
    pub fn breaks_promises(&self) -> bool {
        self.faults.iter().any(|fault| fault.kind.breaks_promises())
    }
}
