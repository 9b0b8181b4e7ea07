//! Moves old segments out of the way.

use world::disk::Access;
use world::journal::{Archived, JournalError};

use super::super::damage::cannot;
use super::super::segments::{ARCHIVE_DIR, file_name, ordinals};
use super::Log;
use super::opening::make_dir;

impl Log {
    /// Moves the files of segments whose batches are all numbered `upto` or less to the archive.
    ///
    /// # Errors
    /// [`JournalError::Io`], and what finding the segments says. What was moved stays moved.
    pub fn archive(&mut self, upto: u64) -> Result<Archived, JournalError> {
        let disk = self.doors.disk.clone();
        let keep = self.first_kept(upto)?;
        let archive = self.dir.join(ARCHIVE_DIR);
        let mut archived = Archived::default();
        let moving = ordinals(&*disk, &self.dir)?;
        for ordinal in moving.into_iter().filter(|ordinal| *ordinal < keep) {
            if archived.segments == 0 {
                make_dir(&self.doors, &archive)?;
            }
            let (from, name) = (self.dir.join(file_name(ordinal)), file_name(ordinal));
            archived.bytes += disk
                .open(&from, Access::Read)
                .and_then(|file| file.len())
                .map_err(cannot("read", &from))?;
            disk.rename(&from, &archive.join(name))
                .map_err(cannot("archive", &from))?;
            archived.segments += 1;
        }
        if archived.segments > 0 {
            for dir in [&archive, &self.dir] {
                disk.sync_dir(dir).map_err(cannot("sync", dir))?;
            }
        }
        Ok(archived)
    }

    /// Number of the segment that holds the first batch to be kept; all lower ones can go, those
    /// that a failed append left behind too.
    fn first_kept(&self, upto: u64) -> Result<u64, JournalError> {
        let upto = upto.min(self.position.sequence);
        let mut segments = self.shared.segments();
        segments.reach(upto)?;
        let index = segments.locate(upto);
        Ok(segments.get(index).map_or(0, |header| header.ordinal))
    }
}
