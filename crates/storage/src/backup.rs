//! Backups: copies of a data directory beside its live owner, and the way back.
//!
//! ```text
//!   data directory ──back_up──▶ backup                         restore──▶ new data directory
//!     house/, sales/              tidegate-backup   whose this is
//!                                 house/, sales/    segments and snapshots, named by what they end with
//!                                 manifest.json     written last: without it nothing else counts
//! ```
//!
//! A file of a backup is never replaced by one with other content: its name says how its record ends. A second backup into the same place brings new files, then replaces the
//! manifest, then removes what the new manifest does not name: whenever it is cut off, the old one or the new one is
//! whole.
//!
//! **What a backup holds together.** The sales are listed first, then the house journal is copied, then each listed
//! sale. A sale is registered in the house before its journal begins, so the house names every sale that was listed; and
//! what the house says of a sale (that it is retired) was durable in the sale before, so the sale's later copy has it. A
//! sale that was registered in between is named and has no journal, as after a crash between the two steps, which a
//! start knows how to go on from. The other way round a house could call a sale retired whose copy is still open.
//!
//! Start reading at [`back_up`] and [`restore`].
//!
//! Invariant: nothing is written to the source; nothing is written to the target of a restore before all of the backup
//! has been checked.
//!
//! Deliberately not here: what a batch means. Who knows says it through [`Meaning`].

mod copy;
mod error;
mod manifest;
mod marks;
mod restore;
mod write;

use std::path::Path;
use std::sync::Arc;

use world::Disk;

pub use copy::{BackedUp, back_up};
pub use error::BackupError;
pub use manifest::{
    Formats, Hex, JournalCopy, MANIFEST_VERSION, Manifest, SegmentCopy, SnapshotCopy,
};
pub use marks::copy_marks;
pub use restore::{Cut, Meaning, Restored, RestoredJournal, check, restore};

/// A directory on a disk.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'a> {
    /// The disk.
    pub disk: &'a Arc<dyn Disk>,
    /// The directory.
    pub dir: &'a Path,
}

/// How far a backup or a restore is, in bytes read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Done so far.
    pub bytes: u64,
    /// To be done, as far as that is known.
    pub bytes_total: u64,
}
