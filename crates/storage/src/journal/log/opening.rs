//! From what a recovery found to a log that can be written.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use world::journal::{JournalError, Position};

use super::super::damage::cannot;
use super::super::frame::genesis;
use super::super::header::SegmentHeader;
use super::super::prepare::prepare;
use super::super::recover::{Recovery, Tip};
use super::super::segments::{ARCHIVE_DIR, Segments, file_name};
use super::super::settings::{Doors, JournalSettings};
use super::super::tail::{NEW_FILE, PREPARED_FILE, Source, Tail};
use super::super::tails::TornTail;
use super::Log;
use crate::files::copy_range;

impl Log {
    /// Goes on where the recovery ended: sets torn tails aside, or begins a new journal.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn open(
        recovery: Recovery,
        doors: Doors,
        settings: JournalSettings,
    ) -> Result<Self, JournalError> {
        let dir = recovery.dir;
        match recovery.found {
            None => Self::begin(dir, doors, settings),
            Some(tip) => {
                set_aside(&doors, &recovery.torn)?;
                let mut log = Self::reopen(dir, doors, settings, tip, recovery.position)?;
                if !recovery.torn.is_empty() {
                    log.broken = true;
                    log.resume()?;
                }
                Ok(log)
            }
        }
    }

    fn begin(dir: PathBuf, doors: Doors, settings: JournalSettings) -> Result<Self, JournalError> {
        let mut journal = [0; 16];
        doors.entropy.fill(&mut journal);
        let header = SegmentHeader {
            journal,
            ordinal: 1,
            predecessor: None,
            base: genesis(&journal),
        };
        make_dir(&doors, &dir)?;
        let tail = begin_filled(&doors, &dir, settings.segment_bytes_first, header)?;
        let segments = Segments::begin(doors.disk.clone(), &dir, header);
        Ok(Self::new(dir, doors, settings, segments, tail, header.base))
    }

    fn reopen(
        dir: PathBuf,
        doors: Doors,
        settings: JournalSettings,
        tip: Tip,
        position: Position,
    ) -> Result<Self, JournalError> {
        let header = tip.segments.tip();
        let path = dir.join(file_name(header.ordinal));
        for leftover in [NEW_FILE, PREPARED_FILE] {
            remove_leftover(&doors, &dir.join(leftover))?;
        }
        let tail = Tail::reopen(&*doors.disk, &path, header, tip.last..tip.offset)
            .map_err(cannot("open for writing", &path))?;
        settle_names(&doors, &dir)?;
        let mut log = Self::new(dir, doors, settings, tip.segments, tail, position);
        log.ordinal_max = tip.ordinal_max;
        Ok(log)
    }
}

pub(super) fn make_dir(doors: &Doors, dir: &Path) -> Result<(), JournalError> {
    crate::files::make_dir(&*doors.disk, dir).map_err(cannot("make", dir))
}

/// Makes durable what an earlier process may have renamed without living to sync it. The archive
/// comes first: a segment is there before it is gone here.
fn settle_names(doors: &Doors, dir: &Path) -> Result<(), JournalError> {
    let disk = &doors.disk;
    let archive = dir.join(ARCHIVE_DIR);
    if disk.exists(&archive).map_err(cannot("find", &archive))? {
        disk.sync_dir(&archive).map_err(cannot("sync", &archive))?;
    }
    disk.sync_dir(dir).map_err(cannot("sync", dir))
}

fn remove_leftover(doors: &Doors, path: &Path) -> Result<(), JournalError> {
    if doors.disk.exists(path).map_err(cannot("find", path))? {
        doors.disk.remove(path).map_err(cannot("remove", path))?;
    }
    Ok(())
}

/// A new segment of zeros, made at once: small, and it proves that the disk has room again.
pub(super) fn begin_filled(
    doors: &Doors,
    dir: &Path,
    bytes: u64,
    header: SegmentHeader,
) -> Result<Tail, JournalError> {
    let path = dir.join(NEW_FILE);
    prepare(
        &*doors.disk,
        &path,
        bytes,
        &mut || ControlFlow::Continue(()),
    )
    .and_then(|ready| Tail::begin(&*doors.disk, dir, Source::Prepared(ready), header))
    .map_err(cannot("begin a segment in", dir))
}

fn set_aside(doors: &Doors, torn: &[TornTail]) -> Result<(), JournalError> {
    for tail in torn {
        copy_range(
            &*doors.disk,
            &tail.file,
            tail.offset,
            tail.bytes,
            &tail.set_aside,
        )
        .map_err(cannot("set aside torn bytes in", &tail.set_aside))?;
    }
    Ok(())
}
