//! Segments for a copy of the journal: read from a live directory, written elsewhere, read back from there.
//!
//! A batch is checked in memory and written from there, so what is copied is what was checked. The bytes are those of
//! the original at the same offsets; only what lies behind a segment's end is left out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use world::Disk;
use world::disk::{Access, DiskFile};
use world::journal::{Batch, BatchReader as _, JournalError, Position};

use super::damage::{cannot, damaged_segment};
use super::frame::{FRAME_HEADER_BYTES, FrameHeader, frame_bytes, genesis};
use super::header::{HEADER_BYTES, HEADER_LEN, HeaderFault, SegmentHeader, VERSION};
use super::reader::DirectoryReader;
use super::segments::Segments;
use super::walker::{Found, Walker, empty_batch};
use super::window::Window;
use crate::files::beside;

/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 256 * 1024;

/// Where a segment of a copy ends, and what it follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Id of the journal.
    pub(crate) journal: [u8; 16],
    /// Number of the segment.
    pub(crate) number: u64,
    /// Bytes from the start of the file to the end of its last batch.
    pub(crate) bytes: u64,
    /// The last batch in it, or before it if it has none.
    pub(crate) end: Position,
    /// Time of its last batch in Unix milliseconds; that of the segment before if it has none.
    pub(crate) time_ms: u64,
}

/// A live journal, read for a copy up to the segment that was the newest when this began: so a copy ends, however
/// fast the owner writes, and holds all that was durable before it began.
#[derive(Debug)]
pub(crate) struct Source {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    reader: DirectoryReader,
    /// All segments of the record when this began, oldest first.
    headers: Vec<SegmentHeader>,
}

/// What comes next in a [`Source`].
#[derive(Debug)]
pub(crate) enum Next {
    /// The same segment goes on.
    Batch(Batch),
    /// These segments begin, the batch is in the last of them; the others have none.
    Begins(Vec<SegmentHeader>, Batch),
}

impl Source {
    /// Looks at the journal in `dir`; `None` where there is none.
    pub(crate) fn open(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Option<Self>, JournalError> {
        let Some(discovery) = Segments::discover(disk, dir)? else {
            return Ok(None);
        };
        let tip = discovery.segments.tip().ordinal;
        let headers = Segments::path(&**disk, dir, None, tip)?.unwrap_or_default();
        Ok(Some(Self {
            disk: disk.clone(),
            dir: dir.to_owned(),
            reader: DirectoryReader::open(disk, dir, 0)?,
            headers,
        }))
    }

    /// Id of the journal.
    pub(crate) fn journal(&self) -> [u8; 16] {
        self.headers[0].journal
    }

    /// How many of these segments, copied earlier, are sealed here and end at the same batch: they need not be copied
    /// again. Reading goes on behind them.
    pub(crate) fn pass_over(&mut self, kept: &[Kept]) -> Result<usize, JournalError> {
        let same = |(at, kept): (usize, &Kept)| {
            let sealed = self.headers.get(at + 1)?;
            let end = sealed.predecessor?.end;
            let own = &self.headers[at];
            let same = (own.journal, own.ordinal, end, sealed.base)
                == (kept.journal, kept.number, kept.bytes, kept.end);
            same.then_some(())
        };
        let count = kept.iter().enumerate().map_while(same).count();
        if let Some(last) = count.checked_sub(1).map(|at| &kept[at]) {
            self.reader = DirectoryReader::open(&self.disk, &self.dir, last.end.sequence)?;
        }
        Ok(count)
    }

    /// The next batch, and the segments that begin with it, given the one that is copied so far.
    pub(crate) fn next(&mut self, copied: Option<&Kept>) -> Result<Option<Next>, JournalError> {
        let Some(batch) = self.reader.next()? else {
            return Ok(None);
        };
        let ordinal = self.reader.ordinal();
        let newest = self.headers.last().map_or(0, |tip| tip.ordinal);
        if ordinal > newest {
            return Ok(None);
        }
        let known = copied.map(|copied| copied.number);
        if known == Some(ordinal) {
            return Ok(Some(Next::Batch(batch)));
        }
        let path = Segments::path(&*self.disk, &self.dir, known, ordinal)?;
        let ends = |path: &[SegmentHeader]| path.first()?.predecessor.map(|before| before.end);
        match path {
            Some(path) if ends(&path) == copied.map(|copied| copied.bytes) => {
                Ok(Some(Next::Begins(path, batch)))
            }
            // What was copied last did not stay: its append failed after it was read.
            _ => Err(JournalError::Withdrawn {
                sequence: batch.sequence.saturating_sub(1),
            }),
        }
    }
}

/// A segment that is written batch by batch under a temporary name.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    header: SegmentHeader,
    file: Box<dyn DiskFile>,
    path: PathBuf,
    buffer: Vec<u8>,
    written: u64,
    end: Position,
    time_ms: u64,
}

impl SegmentWriter {
    /// Begins a segment in `dir`; `time_ms` is that of the batch before it.
    pub(crate) fn begin(
        disk: &dyn Disk,
        dir: &Path,
        header: SegmentHeader,
        time_ms: u64,
    ) -> io::Result<Self> {
        let path = beside(&dir.join("segment"));
        let file = disk.open(&path, Access::OpenOrCreate)?;
        // An attempt that was cut off may have left more than this one will write.
        file.set_len(0)?;
        Ok(Self {
            header,
            file,
            path,
            buffer: header.encode().to_vec(),
            written: 0,
            end: header.base,
            time_ms,
        })
    }

    /// What is in it so far.
    pub(crate) fn kept(&self) -> Kept {
        Kept {
            journal: self.header.journal,
            number: self.header.ordinal,
            bytes: self.written + self.buffer.len() as u64,
            end: self.end,
            time_ms: self.time_ms,
        }
    }

    /// Adds a batch that a reader has checked.
    pub(crate) fn push(&mut self, batch: &Batch) -> io::Result<()> {
        let header = FrameHeader {
            payload_bytes: u32::try_from(batch.payload.len()).map_err(io::Error::other)?,
            payload_crc: crc32c::crc32c(&batch.payload),
            entries: batch.entries,
            sequence: batch.sequence,
            time_ms: batch.time_ms,
            chain: batch.chain,
        };
        let padding = frame_bytes(batch.payload.len())
            - (FRAME_HEADER_BYTES as u64 + batch.payload.len() as u64);
        self.buffer
            .extend_from_slice(&header.encode(self.header.seal()));
        self.buffer.extend_from_slice(&batch.payload);
        let len = self.buffer.len() + usize::try_from(padding).map_err(io::Error::other)?;
        self.buffer.resize(len, 0);
        self.end = batch.position();
        self.time_ms = batch.time_ms;
        if self.buffer.len() >= WRITE_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Makes the segment durable under its name; the name is durable once its directory is synced.
    pub(crate) fn finish(
        mut self,
        disk: &dyn Disk,
        name: impl FnOnce(&Kept) -> PathBuf,
    ) -> io::Result<Kept> {
        let kept = self.kept();
        self.flush()?;
        self.file.sync_all()?;
        disk.rename(&self.path, &name(&kept))?;
        Ok(kept)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_at(self.written, &self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// What comes next in a [`KeptReader`].
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    /// A segment begins.
    Segment(SegmentHeader),
    /// A batch of it.
    Batch(&'a Batch),
}

/// Reads a copied journal, segment by segment, and trusts none of it.
#[derive(Debug)]
pub(crate) struct KeptReader {
    disk: Arc<dyn Disk>,
    segments: Vec<(PathBuf, Kept)>,
    next: usize,
    walker: Option<Walker>,
    batch: Batch,
}

impl KeptReader {
    /// Reads these segments, oldest first.
    pub(crate) fn new(disk: &Arc<dyn Disk>, segments: Vec<(PathBuf, Kept)>) -> Self {
        Self {
            disk: disk.clone(),
            segments,
            next: 0,
            walker: None,
            batch: empty_batch(),
        }
    }

    /// What comes next; `None` at the end, once every segment has been found to end where it should.
    pub(crate) fn next(&mut self) -> Result<Option<Piece<'_>>, JournalError> {
        if let Some(walker) = &mut self.walker {
            let (path, kept) = &self.segments[self.next - 1];
            if walker.offset < kept.bytes {
                return match walker.step(&mut self.batch)? {
                    Found::Batch => Ok(Some(Piece::Batch(&self.batch))),
                    Found::Bad(reason) | Found::Foreign(reason) => {
                        Err(bad(path, walker.offset, reason))
                    }
                    Found::Nothing => Err(bad(path, walker.offset, "a batch is missing")),
                };
            }
            if walker.position != kept.end {
                return Err(bad(path, walker.offset, "it ends at another batch"));
            }
        }
        if self.next == self.segments.len() {
            return Ok(None);
        }
        Ok(Some(Piece::Segment(self.enter()?)))
    }

    fn enter(&mut self) -> Result<SegmentHeader, JournalError> {
        let (path, kept) = &self.segments[self.next];
        let file = self
            .disk
            .open(path, Access::Read)
            .map_err(cannot("open", path))?;
        let header = load(path, &*file)?;
        let bytes = file.len().map_err(cannot("read", path))?;
        let before = self.next.checked_sub(1).map(|at| &self.segments[at].1);
        let (from, base) = before.map_or_else(
            || (None, genesis(&kept.journal)),
            |before| (Some((before.number, before.bytes)), before.end),
        );
        let found = header
            .predecessor
            .map(|before| (before.ordinal, before.end));
        let follows = (header.journal, header.ordinal, bytes)
            == (kept.journal, kept.number, kept.bytes)
            && (found, header.base) == (from, base);
        if !follows {
            return Err(bad(path, 0, "it does not follow from the segment before"));
        }
        let mut window = Window::new(file);
        window.set_limit(kept.bytes);
        self.walker = Some(Walker {
            ordinal: header.ordinal,
            path: path.clone(),
            seal: header.seal(),
            window,
            offset: HEADER_BYTES,
            position: header.base,
        });
        self.next += 1;
        Ok(header)
    }
}

fn load(path: &Path, file: &dyn DiskFile) -> Result<SegmentHeader, JournalError> {
    let mut bytes = [0; HEADER_LEN];
    let count = file.read_at(0, &mut bytes).map_err(cannot("read", path))?;
    SegmentHeader::decode(&bytes[..count]).map_err(|fault| match fault {
        HeaderFault::Bad(reason) => damaged_segment(path, reason),
        HeaderFault::Version(found) => JournalError::Version {
            file: path.to_owned(),
            found,
            supported: VERSION,
        },
    })
}

fn bad(path: &Path, offset: u64, reason: &str) -> JournalError {
    JournalError::Damaged {
        file: path.to_owned(),
        offset,
        reason: reason.to_owned(),
        remedy: "use another backup: nothing was restored from this one".to_owned(),
    }
}
