//! Start: one pass over what a journal holds, trusting nothing, changing nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use world::Disk;
use world::journal::{Batch, JournalError, Position};

use super::damage::{damaged_batch, damaged_segment};
use super::segments::{Discovery, Segments, file_name};
use super::tails::{Headless, TornTail, look_behind, look_into};
use super::walker::{Found, Walker, empty_batch};

/// What a journal was found to hold.
#[derive(Debug)]
pub struct Recovery {
    /// The last good batch.
    pub position: Position,
    /// Its time in Unix milliseconds; `None` if no batch was read.
    pub time_ms: Option<u64>,
    /// What appends left at the end that nobody was told about; set aside when the journal opens.
    pub torn: Vec<TornTail>,
    /// How many segments were read.
    pub segments: u64,
    /// How many bytes of batches were read.
    pub bytes: u64,
    pub(super) dir: PathBuf,
    pub(super) found: Option<Tip>,
}

/// The newest segment, and where it can be written on.
#[derive(Debug)]
pub(super) struct Tip {
    pub(super) segments: Segments,
    pub(super) offset: u64,
    /// Where its last batch begins; as `offset` if it has none.
    pub(super) last: u64,
    /// Greatest number of any segment file, good or not.
    pub(super) ordinal_max: u64,
}

/// Why a recovery stopped.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError<E> {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The visitor refused a batch.
    #[error("batch {sequence} was refused")]
    Visit {
        /// The batch.
        sequence: u64,
        /// What the visitor said.
        source: E,
    },
}

/// Reads the journal in `dir` behind `start`, a snapshot's position, and shows each batch to
/// `visit`. Nothing is changed on disk.
///
/// It is meant for the owner: beside a live one, a batch that is being written would be taken for
/// a torn tail. [`super::read_dir`] is for that.
///
/// # Errors
/// [`JournalError::Damaged`] for bad bytes with a later batch behind them,
/// [`JournalError::Lost`] if `start` is not part of the journal, [`JournalError::Version`],
/// [`JournalError::Io`], and what `visit` says.
pub fn recover<E>(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    start: Option<Position>,
    visit: &mut dyn FnMut(&Batch) -> Result<(), E>,
) -> Result<Recovery, RecoverError<E>> {
    let start = start.filter(|start| start.sequence > 0);
    let Some(discovery) = Segments::discover(disk, dir)? else {
        return Ok(nothing_found(dir, start)?);
    };
    let mut pass = Pass::begin(discovery, start)?;
    let mut batch = empty_batch();
    while pass.step(&mut batch)? {
        let behind = pass.from() > 0 && batch.sequence == pass.from() + 1;
        if behind && stdx::mutants::is("batch-behind-snapshot-skipped") {
            continue;
        }
        if batch.sequence > pass.from() {
            visit(&batch).map_err(|source| RecoverError::Visit {
                sequence: batch.sequence,
                source,
            })?;
        }
    }
    Ok(pass.finish()?)
}

fn nothing_found(dir: &Path, start: Option<Position>) -> Result<Recovery, JournalError> {
    let nothing = Position {
        sequence: 0,
        chain: [0; 32],
    };
    if let Some(witness) = start {
        return Err(JournalError::Lost {
            witness,
            found: nothing,
        });
    }
    Ok(Recovery {
        position: nothing,
        time_ms: None,
        torn: Vec::new(),
        segments: 0,
        bytes: 0,
        dir: dir.to_owned(),
        found: None,
    })
}

/// A recovery under way.
struct Pass {
    segments: Segments,
    headless: Vec<Headless>,
    start: Option<Position>,
    index: usize,
    walker: Walker,
    end: Option<u64>,
    /// Where the last batch of this segment begins.
    last: Option<u64>,
    time_ms: Option<u64>,
    segments_read: u64,
    bytes: u64,
    stopped: Found,
}

impl Pass {
    fn begin(discovery: Discovery, start: Option<Position>) -> Result<Self, JournalError> {
        let Discovery {
            mut segments,
            headless,
        } = discovery;
        let from = start.map_or(0, |start| start.sequence);
        segments.reach(from)?;
        let index = segments.locate(from);
        let mut pass = Self {
            walker: open_walker(&segments, index)?,
            end: segments.end(index),
            segments,
            headless,
            start,
            index,
            last: None,
            time_ms: None,
            segments_read: 1,
            bytes: 0,
            stopped: Found::Nothing,
        };
        pass.limit();
        pass.check_start()?;
        Ok(pass)
    }

    fn from(&self) -> u64 {
        self.start.map_or(0, |start| start.sequence)
    }

    /// Reads the next batch; false at the end of the journal.
    fn step(&mut self, batch: &mut Batch) -> Result<bool, JournalError> {
        while self.end == Some(self.walker.offset) {
            self.next_segment()?;
        }
        let offset = self.walker.offset;
        match (self.walker.step(batch)?, self.end) {
            (Found::Batch, _) => {
                self.time_ms = Some(batch.time_ms);
                self.last = Some(offset);
                self.bytes += self.walker.offset - offset;
                self.check_start()?;
                Ok(true)
            }
            (Found::Nothing, Some(_)) => Err(self.damaged("a batch is missing")),
            (Found::Bad(reason), Some(_)) | (Found::Foreign(reason), _) => {
                Err(self.damaged(reason))
            }
            (found, None) => {
                self.stopped = found;
                Ok(false)
            }
        }
    }

    fn next_segment(&mut self) -> Result<(), JournalError> {
        let position = self.walker.position;
        self.index += 1;
        self.walker = open_walker(&self.segments, self.index)?;
        self.end = self.segments.end(self.index);
        self.last = None;
        self.segments_read += 1;
        self.limit();
        if self.walker.position == position {
            return Ok(());
        }
        Err(damaged_segment(
            &self.walker.path,
            "the header does not follow from the last batch of the segment before",
        ))
    }

    fn limit(&mut self) {
        if let Some(end) = self.end {
            self.walker.window.set_limit(end);
        }
    }

    /// Holds the journal against the witness when its place comes by.
    fn check_start(&self) -> Result<(), JournalError> {
        let found = self.walker.position;
        match self.start {
            Some(witness) if witness.sequence == found.sequence && witness != found => {
                Err(JournalError::Lost { witness, found })
            }
            _ => Ok(()),
        }
    }

    fn damaged(&self, reason: &str) -> JournalError {
        let walker = &self.walker;
        let sequence = walker.position.sequence.saturating_add(1);
        damaged_batch(&walker.path, walker.offset, reason, sequence)
    }

    fn finish(mut self) -> Result<Recovery, JournalError> {
        let torn = self.tails()?;
        let position = self.walker.position;
        if let Some(witness) = self.start
            && witness.sequence > position.sequence
        {
            return Err(JournalError::Lost {
                witness,
                found: position,
            });
        }
        let tip = self.segments.tip().ordinal;
        Ok(Recovery {
            position,
            time_ms: self.time_ms,
            torn,
            segments: self.segments_read,
            bytes: self.bytes,
            dir: self.segments.dir().to_owned(),
            found: Some(Tip {
                offset: self.walker.offset,
                last: self.last.unwrap_or(self.walker.offset),
                ordinal_max: self.headless.first().map_or(tip, |file| file.ordinal),
                segments: self.segments,
            }),
        })
    }

    /// Tells torn bytes from damage, in the tip and in files above it without a header.
    fn tails(&mut self) -> Result<Vec<TornTail>, JournalError> {
        let next = self.walker.position.sequence.saturating_add(1);
        let reason = match self.stopped {
            Found::Bad(reason) | Found::Foreign(reason) => reason,
            Found::Nothing | Found::Batch => "no batch begins here, but bytes are behind it",
        };
        let rest = look_behind(&mut self.walker, next)?;
        if rest.later.is_some() {
            return Err(self.damaged(reason));
        }
        let dir = self.segments.dir();
        let walker = &self.walker;
        let mut torn = Vec::new();
        torn.extend(TornTail::of(
            dir,
            &walker.path,
            walker.offset,
            rest,
            next,
            reason,
        ));
        for file in &self.headless {
            let (path, rest) = look_into(file, &self.segments, next)?;
            torn.extend(TornTail::of(dir, &path, 0, rest, next, file.reason));
        }
        Ok(torn)
    }
}

/// A walker before the first batch of the segment at `index`.
pub(super) fn open_walker(segments: &Segments, index: usize) -> Result<Walker, JournalError> {
    let Some(header) = segments.get(index) else {
        let path = segments.dir().join(file_name(segments.tip().ordinal + 1));
        return Err(damaged_segment(&path, "the segment is missing"));
    };
    Walker::open(segments, header)
}
