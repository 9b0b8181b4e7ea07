//! Reading without the owner, from another process, up to the first incomplete batch.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use world::Disk;
use world::journal::{Batch, BatchReader, JournalError};

use super::super::damage::cannot;
use super::super::recover::open_walker;
use super::super::segments::Segments;
use super::super::tails::{Headless, look_behind, look_into};
use super::super::walker::{Found, Walker, empty_batch};
use super::{Crossing, Skip, cross, damaged, skip_to};

/// Reads the journal in `dir` behind batch number `after`, without its owner: from another
/// process, beside a live one or after its end. It stops at the first incomplete batch and may be
/// asked again. A directory without a journal reads as empty.
///
/// A batch whose sync is under way in the owner may be seen; it is synced before it is shown. If
/// the owner's sync fails nevertheless, the reader says [`JournalError::Withdrawn`] and a new one
/// has to start.
///
/// # Errors
/// As [`world::journal::Journal::read`] says, and [`JournalError::Version`].
pub fn read_dir(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    after: u64,
) -> Result<Box<dyn BatchReader>, JournalError> {
    Ok(Box::new(DirectoryReader::open(disk, dir, after)?))
}

/// A reader that knows the files and nothing else.
#[derive(Debug)]
pub(in crate::journal) struct DirectoryReader {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    place: Option<Place>,
    start: u64,
}

#[derive(Debug)]
struct Place {
    segments: Segments,
    walker: Walker,
    /// Bytes of the tip up to here were made durable by this reader.
    settled: u64,
    /// The segment whose rest was searched for later batches.
    searched: Option<u64>,
    /// Files above the tip that no owner can have left so.
    headless: Vec<Headless>,
}

impl Skip for DirectoryReader {
    fn sequence(&self) -> u64 {
        self.place
            .as_ref()
            .map_or(0, |place| place.walker.position.sequence)
    }
}

impl BatchReader for DirectoryReader {
    fn next(&mut self) -> Result<Option<Batch>, JournalError> {
        self.find_journal()?;
        self.place.as_mut().map_or(Ok(None), Place::next)
    }
}

impl DirectoryReader {
    /// As [`read_dir`] says.
    pub(in crate::journal) fn open(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        after: u64,
    ) -> Result<Self, JournalError> {
        let mut reader = Self {
            disk: disk.clone(),
            dir: dir.to_owned(),
            place: None,
            start: after,
        };
        reader.find_journal()?;
        if reader.place.is_none() && after > 0 {
            return Err(JournalError::WrongPosition {
                expected: after,
                found: 0,
            });
        }
        skip_to(&mut reader, after)?;
        Ok(reader)
    }

    /// Number of the segment that the last batch came from.
    pub(in crate::journal) fn ordinal(&self) -> u64 {
        self.place.as_ref().map_or(0, |place| place.walker.ordinal)
    }

    fn find_journal(&mut self) -> Result<(), JournalError> {
        if self.place.is_some() {
            return Ok(());
        }
        let Some(discovery) = Segments::discover(&self.disk, &self.dir)? else {
            return Ok(());
        };
        let mut segments = discovery.segments;
        segments.reach(self.start)?;
        let walker = open_walker(&segments, segments.locate(self.start))?;
        let mut place = Place {
            segments,
            walker,
            settled: 0,
            searched: None,
            headless: discovery.headless,
        };
        place.limit();
        self.place = Some(place);
        Ok(())
    }
}

impl Place {
    fn next(&mut self) -> Result<Option<Batch>, JournalError> {
        let mut batch = empty_batch();
        loop {
            self.cross()?;
            let mut found = self.walker.step(&mut batch)?;
            if found != Found::Batch {
                // What is in memory may be older than what is on disk now.
                self.walker.window.forget();
                found = self.walker.step(&mut batch)?;
            }
            if found == Found::Batch {
                self.settle()?;
                return Ok(Some(batch));
            }
            if self.end().is_some() {
                return Err(damaged(&self.walker, found));
            }
            if !self.find_successor()? {
                return self.at_the_end(found);
            }
        }
    }

    /// Where the walker's segment is known to end; `None` in the tip.
    fn end(&self) -> Option<u64> {
        let index = self.segments.locate(self.walker.position.sequence);
        self.segments.end(index)
    }

    fn limit(&mut self) {
        let end = self.end().unwrap_or(u64::MAX);
        self.walker.window.set_limit(end);
    }

    /// Enters the segment that holds what comes next.
    fn cross(&mut self) -> Result<(), JournalError> {
        match cross(&self.segments, &mut self.walker)? {
            Crossing::Stays => Ok(()),
            Crossing::Crossed => {
                self.settled = 0;
                self.limit();
                Ok(())
            }
            Crossing::Withdrawn => Err(JournalError::Withdrawn {
                sequence: self.walker.position.sequence,
            }),
        }
    }

    /// Makes durable what is about to be shown, since the owner may not have done so yet.
    fn settle(&mut self) -> Result<(), JournalError> {
        if self.end().is_some() || self.walker.offset <= self.settled {
            return Ok(());
        }
        let window = &self.walker.window;
        window
            .file()
            .sync_data()
            .map_err(cannot("sync", &self.walker.path))?;
        self.settled = window.end();
        Ok(())
    }

    /// Looks whether the journal goes on in another segment by now.
    fn find_successor(&mut self) -> Result<bool, JournalError> {
        let disk = self.segments.disk().clone();
        let Some(found) = Segments::discover(&disk, self.segments.dir())? else {
            return Ok(false);
        };
        if found.segments.tip().ordinal == self.segments.tip().ordinal {
            self.headless = found.headless;
            return Ok(false);
        }
        self.segments = found.segments;
        self.segments.reach(self.walker.position.sequence)?;
        self.limit();
        Ok(true)
    }

    /// Nothing more can be read now: is that the end, or damage?
    fn at_the_end(&mut self, found: Found) -> Result<Option<Batch>, JournalError> {
        if let Found::Foreign(_) = found {
            return Err(damaged(&self.walker, found));
        }
        let fresh = self.searched != Some(self.walker.ordinal);
        if !fresh && found == Found::Nothing {
            return Ok(None);
        }
        self.searched = Some(self.walker.ordinal);
        let next = self.walker.position.sequence.saturating_add(1);
        for file in &self.headless {
            look_into(file, &self.segments, next)?;
        }
        if look_behind(&mut self.walker, next)?.later.is_none() {
            return Ok(None);
        }
        // A live owner may have written both this batch and the later one since.
        self.walker.window.forget();
        let mut batch = empty_batch();
        match self.walker.step(&mut batch)? {
            Found::Batch => {
                self.settle()?;
                Ok(Some(batch))
            }
            found => Err(damaged(&self.walker, found)),
        }
    }
}
