//! The core of a journal: appends, rolls, breaks and resumes; no threads, no waiting of its own.
//!
//! [`super::FileJournal`] runs it on a thread; a simulation may call it as it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use world::journal::{Archived, JournalError, NewBatch, PAYLOAD_BYTES_MAX, Position};

use super::damage::cannot;
use super::frame::{FrameHeader, genesis};
use super::header::{Predecessor, SegmentHeader};
use super::prepare::{Prepared, prepare};
use super::recover::{Recovery, Tip, TornTail};
use super::segments::{ARCHIVE_DIR, Segments, file_name, ordinals};
use super::settings::{Doors, JournalSettings};
use super::shared::{Durable, Shared};
use super::tail::{Failure, Ground, NEW_FILE, PREPARED_FILE, Source, Tail};
use crate::files::copy_range;

/// From this mean size of a batch on, zeros made ahead cost more than they save: a sync then
/// mostly waits for the payload itself, and the zeros would be written beside it.
const PREPARE_PAYLOAD_BYTES_MAX: u64 = 64 * 1024;

/// A journal open for appending. There is one at a time for a directory.
#[derive(Debug)]
pub struct Log {
    doors: Doors,
    settings: JournalSettings,
    dir: PathBuf,
    shared: Arc<Shared>,
    tail: Tail,
    position: Position,
    ordinal_max: u64,
    prepared: Option<Prepared>,
    asked: bool,
    broken: bool,
    scratch: Vec<u8>,
}

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
        let path = tip.segments.path(header.ordinal)?;
        for leftover in [NEW_FILE, PREPARED_FILE] {
            remove_leftover(&doors, &dir.join(leftover))?;
        }
        let tail = Tail::reopen(&*doors.disk, &path, header, tip.offset)
            .map_err(cannot("open for writing", &path))?;
        doors.disk.sync_dir(&dir).map_err(cannot("sync", &dir))?;
        let mut log = Self::new(dir, doors, settings, tip.segments, tail, position);
        log.ordinal_max = tip.ordinal_max;
        Ok(log)
    }

    fn new(
        dir: PathBuf,
        doors: Doors,
        settings: JournalSettings,
        segments: Segments,
        tail: Tail,
        position: Position,
    ) -> Self {
        let durable = Durable {
            position,
            ordinal: tail.header.ordinal,
            offset: tail.offset,
        };
        Self {
            doors,
            settings,
            dir,
            shared: Arc::new(Shared::new(segments, durable)),
            ordinal_max: tail.header.ordinal,
            tail,
            position,
            prepared: None,
            asked: false,
            broken: false,
            scratch: Vec::new(),
        }
    }

    /// The last durable batch.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Writes a batch behind batch number `expected` and makes it durable; says how long that took.
    ///
    /// # Errors
    /// As [`world::journal::Journal::append`] says.
    pub fn append(
        &mut self,
        expected: u64,
        batch: &NewBatch,
    ) -> Result<(Position, Duration), JournalError> {
        let head = self.check(expected, batch)?;
        let started = self.doors.clock.monotonic();
        if let Err(Failure { fault, source }) = self.write(&head, batch) {
            self.broken = true;
            return Err(JournalError::Unknown { fault, source });
        }
        self.position = head.position();
        self.shared.set_durable(Durable {
            position: self.position,
            ordinal: self.tail.header.ordinal,
            offset: self.tail.offset,
        });
        let took = self.doors.clock.monotonic().saturating_sub(started);
        Ok((self.position, took))
    }

    fn check(&self, expected: u64, batch: &NewBatch) -> Result<FrameHeader, JournalError> {
        if self.broken {
            return Err(JournalError::Broken);
        }
        let found = self.position.sequence;
        if expected != found {
            return Err(JournalError::WrongPosition { expected, found });
        }
        let too_large = JournalError::TooLarge {
            found: batch.payload.len(),
            limit: PAYLOAD_BYTES_MAX,
        };
        if batch.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(too_large);
        }
        FrameHeader::of(batch, &self.position).ok_or(too_large)
    }

    fn write(&mut self, head: &FrameHeader, batch: &NewBatch) -> Result<(), Failure> {
        let zeros_wait = self.tail.ground == Ground::Plain && self.prepared.is_some();
        if zeros_wait || self.tail.is_full_for(batch.payload.len()) {
            self.roll().map_err(Failure::of_write)?;
        }
        let head = head.encode(self.tail.seal());
        self.tail.write(&head, &batch.payload, &mut self.scratch)
    }

    /// Goes on in a new segment: zeros if they are ready, else a plain file. Never waits for zeros.
    fn roll(&mut self) -> std::io::Result<()> {
        let source = self.prepared.take().map_or_else(
            || Source::Plain(self.settings.after(self.tail.bytes_max)),
            Source::Prepared,
        );
        let header = self.next_header();
        let tail = Tail::begin(&*self.doors.disk, &self.dir, source, header)?;
        self.enter(tail);
        Ok(())
    }

    /// The header of a segment behind the last durable batch, with a number never used before.
    fn next_header(&mut self) -> SegmentHeader {
        self.ordinal_max += 1;
        SegmentHeader {
            journal: self.tail.header.journal,
            ordinal: self.ordinal_max,
            predecessor: Some(Predecessor {
                ordinal: self.tail.header.ordinal,
                end: self.tail.offset,
            }),
            base: self.position,
        }
    }

    fn enter(&mut self, tail: Tail) {
        self.shared.segments().push(tail.header);
        self.tail = tail;
        self.asked = false;
    }

    /// After a failed append: goes on in a new segment behind the last durable batch. The failed
    /// file is neither written nor synced again.
    ///
    /// # Errors
    /// [`JournalError::Io`] while the disk still refuses.
    pub fn resume(&mut self) -> Result<Position, JournalError> {
        if self.broken {
            let header = self.next_header();
            let bytes = self.settings.segment_bytes_first;
            let tail = begin_filled(&self.doors, &self.dir, bytes, header)?;
            self.enter(tail);
            self.broken = false;
        }
        Ok(self.position)
    }

    /// Bytes of zeros that should be prepared now, asked for once a segment.
    pub fn wanted(&mut self) -> Option<u64> {
        let tail = &self.tail;
        let small = tail.payload_bytes < tail.batches.saturating_mul(PREPARE_PAYLOAD_BYTES_MAX);
        let due = tail.ground == Ground::Plain || tail.offset > tail.bytes_max / 4;
        if self.asked || self.broken || self.prepared.is_some() || !small || !due {
            return None;
        }
        self.asked = true;
        Some(self.settings.after(tail.bytes_max))
    }

    /// Where zeros for [`Log::supply`] have to be prepared.
    #[must_use]
    pub fn prepared_path(&self) -> PathBuf {
        self.dir.join(PREPARED_FILE)
    }

    /// Takes zeros that [`prepare`] made at [`Log::prepared_path`].
    pub fn supply(&mut self, prepared: Prepared) {
        self.prepared = Some(prepared);
    }

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
                .open(&from, world::disk::Access::Read)
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

fn make_dir(doors: &Doors, dir: &Path) -> Result<(), JournalError> {
    crate::files::make_dir(&*doors.disk, dir).map_err(cannot("make", dir))
}

fn remove_leftover(doors: &Doors, path: &Path) -> Result<(), JournalError> {
    if doors.disk.exists(path).map_err(cannot("find", path))? {
        doors.disk.remove(path).map_err(cannot("remove", path))?;
    }
    Ok(())
}

/// A new segment of zeros, made at once: small, and it proves that the disk has room again.
fn begin_filled(
    doors: &Doors,
    dir: &Path,
    bytes: u64,
    header: SegmentHeader,
) -> Result<Tail, JournalError> {
    let path = dir.join(NEW_FILE);
    prepare(&*doors.disk, &path, bytes, &mut || {
        std::ops::ControlFlow::Continue(())
    })
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
