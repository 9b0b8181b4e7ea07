//! The core of a journal: appends, rolls, breaks and resumes; no threads, no waiting of its own.
//!
//! [`super::FileJournal`] runs it on a thread; a simulation may call it as it is.

mod archive;
mod opening;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use world::journal::{JournalError, NewBatch, PAYLOAD_BYTES_MAX, Position};

use super::frame::FrameHeader;
use super::header::{Predecessor, SegmentHeader};
use super::prepare::Prepared;
use super::segments::Segments;
use super::settings::{Doors, JournalSettings};
use super::shared::{Durable, Shared};
use super::tail::{Failure, Ground, PREPARED_FILE, Source, Tail};
use opening::begin_filled;

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
        if stdx::mutants::is("position-published-before-sync") {
            let position = head.position();
            let durable = self.shared.durable();
            self.shared.set_durable(Durable {
                position,
                ..durable
            });
        }
        if let Err(Failure { fault, source }) = self.write(&head, batch) {
            self.broken = true;
            return Err(JournalError::Unknown { fault, source });
        }
        // INV-8: batches follow one another without a gap or a repeat.
        assert_eq!(head.sequence, expected + 1, "INV-8");
        self.position = head.position();
        // INV-7: only now may anybody see the batch; readers go no further than this.
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

    /// Takes zeros that [`super::prepare`] made at [`Log::prepared_path`].
    pub fn supply(&mut self, prepared: Prepared) {
        self.prepared = Some(prepared);
    }
}
