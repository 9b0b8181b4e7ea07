//! What happened on a disk: the last operations, for the story told to people, and the sums.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::contents::Toll;
use super::plan::FaultKind;

/// How many operations are remembered.
const REMEMBERED: usize = 512;

/// What was asked of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpKind {
    /// A file was opened, and made if need be.
    Create,
    /// Bytes were written.
    Write,
    /// A file was synced.
    Sync,
    /// A file got another name.
    Rename,
    /// A name was removed.
    Remove,
    /// A file's length was set.
    SetLen,
    /// Directories were made.
    MakeDir,
    /// A directory was synced.
    SyncDir,
    /// Bytes were read; remembered only if that failed.
    Read,
    /// Nobody asked: a bit turned over.
    Rot,
    /// Nobody asked: bytes meant for another place landed here.
    Astray,
}

/// One operation, as it is told.
#[derive(Clone, Debug)]
pub struct OpRecord {
    /// Its number; a failed read has that of the operation to come.
    pub op: u64,
    /// The life in which it happened, counted from 0.
    pub life: u64,
    /// What was asked.
    pub kind: OpKind,
    /// Under which name the file was before, for [`OpKind::Rename`].
    pub from: Option<Arc<Path>>,
    /// Of which file or directory.
    pub path: Arc<Path>,
    /// Where in the file, in bytes; the length for [`OpKind::SetLen`].
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What went wrong in secret or in the open.
    pub fault: Option<FaultKind>,
    /// How it failed, if it did.
    pub error: Option<io::ErrorKind>,
}

/// Sums since the disk was made, over all its lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// Writes that were tried.
    pub writes: u64,
    /// Bytes that writes put down.
    pub bytes_written: u64,
    /// Syncs of files and directories that were tried.
    pub syncs: u64,
    /// Reads that were tried.
    pub reads: u64,
    /// Power cuts and deaths of the process.
    pub crashes: u64,
    /// Changes that were not durable and that a power cut or a forgetful sync took away.
    pub changes_lost: u64,
    /// Changes of which a part was left.
    pub changes_torn: u64,
    /// Changes that the disk had called durable and did not keep. An oracle that finds something
    /// missing asks here who is to blame.
    pub promises_broken: u64,
    /// Faults that struck, by kind.
    pub met: BTreeMap<FaultKind, u64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) stats: DiskStats,
    last: VecDeque<OpRecord>,
}

impl Record {
    pub(super) fn push(&mut self, record: OpRecord) {
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back(record);
    }

    pub(super) fn last(&self) -> Vec<OpRecord> {
        self.last.iter().cloned().collect()
    }

    pub(super) fn met(&mut self, kind: FaultKind) {
        *self.stats.met.entry(kind).or_default() += 1;
    }

    pub(super) fn pay(&mut self, toll: Toll) {
        self.stats.changes_lost += toll.lost;
        self.stats.changes_torn += toll.torn;
        self.stats.promises_broken += toll.promised;
    }
}

impl fmt::Display for OpRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, offset, bytes) = (self.path.display(), self.offset, self.bytes);
        write!(f, "op {} of life {}: ", self.op, self.life)?;
        match self.kind {
            OpKind::Create => write!(f, "open or make {path}"),
            OpKind::Write => write!(f, "write {bytes} bytes at {offset} of {path}"),
            OpKind::Sync => write!(f, "sync {path}"),
            OpKind::Rename => {
                let from = self.from.as_deref().unwrap_or(Path::new(""));
                write!(f, "rename {} to {path}", from.display())
            }
            OpKind::Remove => write!(f, "remove {path}"),
            OpKind::SetLen => write!(f, "set the length of {path} to {offset}"),
            OpKind::MakeDir => write!(f, "make directory {path}"),
            OpKind::SyncDir => write!(f, "sync directory {path}"),
            OpKind::Read => write!(f, "read {bytes} bytes at {offset} of {path}"),
            OpKind::Rot => write!(f, "a bit turns over at {offset} of {path}"),
            OpKind::Astray => write!(f, "{bytes} bytes land astray at {offset} of {path}"),
        }?;
        if let Some(fault) = self.fault {
            write!(f, ", {fault}")?;
        }
        match self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}
