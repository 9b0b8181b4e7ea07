//! The directories of journals on the side that is written.

use std::path::{Path, PathBuf};

use world::Disk;
use world::journal::Batch;

use super::error::{BackupError, cannot};
use crate::files::make_dir;
use crate::journal::header::SegmentHeader;
use crate::journal::{Kept, SegmentWriter};

/// Directory of a journal inside a backup or a data directory.
pub(super) fn journal_dir(root: &Path, sale: Option<u64>) -> PathBuf {
    sale.map_or_else(
        || root.join("house"),
        |sale| root.join("sales").join(format!("{sale:08}")),
    )
}

/// A journal that is written segment by segment into a directory.
pub(super) struct JournalWriter<'a> {
    disk: &'a dyn Disk,
    dir: PathBuf,
    name: fn(&Kept) -> String,
    segment: Option<SegmentWriter>,
    /// The finished segments.
    pub(super) done: Vec<Kept>,
}

impl<'a> JournalWriter<'a> {
    /// Begins in `dir`, which is made, behind segments that are there; `name` gives the others their names.
    pub(super) fn begin(
        disk: &'a dyn Disk,
        dir: PathBuf,
        name: fn(&Kept) -> String,
        there: Vec<Kept>,
    ) -> Result<Self, BackupError> {
        make_dir(disk, &dir).map_err(cannot("make", &dir))?;
        Ok(Self {
            disk,
            dir,
            name,
            segment: None,
            done: there,
        })
    }

    /// Everything that is written so far, up to the last batch.
    pub(super) fn last(&self) -> Option<Kept> {
        let segment = self.segment.as_ref().map(SegmentWriter::kept);
        segment.or_else(|| self.done.last().cloned())
    }

    /// Ends the segment that is written and begins another.
    pub(super) fn enter(&mut self, header: SegmentHeader) -> Result<(), BackupError> {
        self.end_segment()?;
        let time_ms = self.done.last().map_or(0, |kept| kept.time_ms);
        let segment = SegmentWriter::begin(self.disk, &self.dir, header, time_ms);
        self.segment = Some(segment.map_err(cannot("write into", &self.dir))?);
        Ok(())
    }

    /// Adds a checked batch.
    pub(super) fn push(&mut self, batch: &Batch) -> Result<(), BackupError> {
        match &mut self.segment {
            Some(segment) => segment.push(batch).map_err(cannot("write into", &self.dir)),
            None => Ok(()),
        }
    }

    /// Ends the last segment and makes all names durable.
    pub(super) fn finish(mut self) -> Result<Vec<Kept>, BackupError> {
        self.end_segment()?;
        self.disk
            .sync_dir(&self.dir)
            .map_err(cannot("sync", &self.dir))?;
        Ok(self.done)
    }

    fn end_segment(&mut self) -> Result<(), BackupError> {
        if let Some(segment) = self.segment.take() {
            let (dir, name) = (&self.dir, self.name);
            let kept = segment
                .finish(self.disk, |kept| dir.join(name(kept)))
                .map_err(cannot("write into", dir))?;
            self.done.push(kept);
        }
        Ok(())
    }
}
