//! Which files make up a journal, and in which order.
//!
//! The newest segment with a good header is the tip; the record is what can be reached from it by
//! following predecessors. Files that nobody names were left behind by a failed append.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use world::disk::{Access, Disk, DiskFile};
use world::journal::JournalError;

use super::damage::{cannot, damaged_segment};
use super::frame::genesis;
use super::header::{HEADER_LEN, HeaderFault, SegmentHeader, VERSION};
use super::tails::Headless;

/// Directory, inside the journal's own, for segments out of the way.
pub(super) const ARCHIVE_DIR: &str = "archive";

/// The segments of a journal as far back as anybody has asked, oldest first, never empty.
#[derive(Clone, Debug)]
pub(super) struct Segments {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    chain: Vec<SegmentHeader>,
}

/// What a directory holds.
#[derive(Debug)]
pub(super) struct Discovery {
    pub(super) segments: Segments,
    /// Files numbered above the tip whose header is no header, newest first.
    pub(super) headless: Vec<Headless>,
}

impl Segments {
    /// A journal of one segment.
    pub(super) fn begin(disk: Arc<dyn Disk>, dir: &Path, header: SegmentHeader) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
            chain: vec![header],
        }
    }

    /// Finds the tip; `None` where no journal was begun.
    pub(super) fn discover(
        disk: &Arc<dyn Disk>,
        dir: &Path,
    ) -> Result<Option<Discovery>, JournalError> {
        let ordinals = ordinals(&**disk, dir)?;
        let mut headless = Vec::new();
        for ordinal in ordinals.iter().rev() {
            let (_, header) = load(&**disk, dir, *ordinal)?;
            let newest = ordinals.len() > 1 && ordinals.last() == Some(ordinal);
            match header {
                Ok(_) if newest && stdx::mutants::is("newest-segment-ignored") => {}
                Ok(tip) => {
                    let segments = Self::begin(disk.clone(), dir, tip);
                    return Ok(Some(Discovery { segments, headless }));
                }
                Err(reason) => headless.push(Headless {
                    ordinal: *ordinal,
                    reason,
                }),
            }
        }
        if let Some(file) = headless.last() {
            let path = dir.join(file_name(file.ordinal));
            return Err(damaged_segment(&path, file.reason));
        }
        match ordinals_archived(&**disk, dir)?.last() {
            Some(ordinal) => Err(damaged_segment(
                &dir.join(file_name(ordinal.saturating_add(1))),
                "the archive has older segments, but this one is missing",
            )),
            None => Ok(None),
        }
    }

    /// Follows predecessors until the segment with batch `sequence + 1` is known.
    pub(super) fn reach(&mut self, sequence: u64) -> Result<(), JournalError> {
        let mut older = Vec::new();
        let mut oldest = self.chain[0];
        while let Some(before) = oldest.predecessor
            && oldest.base.sequence > sequence
        {
            let (path, header) = load(&*self.disk, &self.dir, before.ordinal)?;
            let header = header.map_err(|reason| damaged_segment(&path, reason))?;
            let in_order = header.journal == oldest.journal
                && header.ordinal < oldest.ordinal
                && header.base.sequence <= oldest.base.sequence;
            if !in_order {
                let reason = "this is not the segment that its successor names";
                return Err(damaged_segment(&path, reason));
            }
            older.push(header);
            oldest = header;
        }
        // A journal begins with its own first place: without this, one whose front is gone and
        // whose header was written anew would be read as a shorter one.
        if oldest.predecessor.is_none() && oldest.base != genesis(&oldest.journal) {
            let reason = "it names no segment before it and does not begin where a journal begins";
            return Err(damaged_segment(
                &self.dir.join(file_name(oldest.ordinal)),
                reason,
            ));
        }
        older.reverse();
        self.chain.splice(0..0, older);
        Ok(())
    }

    /// All segments from the one behind number `known` to number `last`, oldest first; from the first on if nothing is
    /// known. `None` if the record does not lead from the one to the other.
    pub(super) fn path(
        disk: &dyn Disk,
        dir: &Path,
        known: Option<u64>,
        last: u64,
    ) -> Result<Option<Vec<SegmentHeader>>, JournalError> {
        let mut path: Vec<SegmentHeader> = Vec::new();
        let mut next = Some(last);
        while let Some(ordinal) = next.filter(|next| Some(*next) != known) {
            let (file, header) = load(disk, dir, ordinal)?;
            let header = header.map_err(|reason| damaged_segment(&file, reason))?;
            next = header.predecessor.map(|before| before.ordinal);
            path.push(header);
        }
        path.reverse();
        Ok((next == known).then_some(path))
    }

    /// Index of the segment in which batch `sequence + 1` is, or will be. [`Segments::reach`]
    /// comes first.
    pub(super) fn locate(&self, sequence: u64) -> usize {
        let behind = self
            .chain
            .partition_point(|header| header.base.sequence <= sequence);
        behind.saturating_sub(1)
    }

    pub(super) fn get(&self, index: usize) -> Option<&SegmentHeader> {
        self.chain.get(index)
    }

    /// Where the segment at `index` ends; `None` for the tip.
    pub(super) fn end(&self, index: usize) -> Option<u64> {
        Some(self.chain.get(index + 1)?.predecessor?.end)
    }

    pub(super) fn tip(&self) -> SegmentHeader {
        self.chain[self.chain.len() - 1]
    }

    /// Makes a durable segment the tip.
    pub(super) fn push(&mut self, tip: SegmentHeader) {
        self.chain.push(tip);
    }

    pub(super) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Opens a segment's file for reading, wherever it is by now.
    pub(super) fn open(&self, ordinal: u64) -> Result<(PathBuf, Box<dyn DiskFile>), JournalError> {
        open(&*self.disk, &self.dir, ordinal)
    }
}

/// Name of a segment's file.
pub(crate) fn file_name(ordinal: u64) -> String {
    format!("{ordinal:08}.journal")
}

/// Numbers of the segments in place, rising; none if there is no directory.
pub(super) fn ordinals(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>, JournalError> {
    let names = match disk.list(dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot("list", dir)(error)),
    };
    let mut ordinals: Vec<u64> = names.iter().filter_map(|name| ordinal_of(name)).collect();
    ordinals.sort_unstable();
    Ok(ordinals)
}

fn ordinals_archived(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>, JournalError> {
    ordinals(disk, &dir.join(ARCHIVE_DIR))
}

fn ordinal_of(name: &str) -> Option<u64> {
    let ordinal = name.strip_suffix(".journal")?.parse().ok()?;
    (ordinal > 0 && file_name(ordinal) == name).then_some(ordinal)
}

/// Opens a segment in place or in the archive, in this order: it may be moved there in between,
/// and never back.
fn open(
    disk: &dyn Disk,
    dir: &Path,
    ordinal: u64,
) -> Result<(PathBuf, Box<dyn DiskFile>), JournalError> {
    let name = file_name(ordinal);
    for path in [dir.join(&name), dir.join(ARCHIVE_DIR).join(&name)] {
        match disk.open(&path, Access::Read) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot("open", &path)(error)),
        }
    }
    Err(damaged_segment(
        &dir.join(name),
        "the segment is missing, here and in the archive",
    ))
}

/// Reads a header; the inner error says why the bytes are none.
fn load(
    disk: &dyn Disk,
    dir: &Path,
    ordinal: u64,
) -> Result<(PathBuf, Result<SegmentHeader, &'static str>), JournalError> {
    let (path, file) = open(disk, dir, ordinal)?;
    let mut bytes = [0; HEADER_LEN];
    let count = file.read_at(0, &mut bytes).map_err(cannot("read", &path))?;
    let header = match SegmentHeader::decode(&bytes[..count]) {
        Ok(header) if header.ordinal == ordinal => Ok(header),
        Ok(_) => Err("the header has the number of another file"),
        Err(HeaderFault::Bad(reason)) => Err(reason),
        Err(HeaderFault::Version(found)) => {
            return Err(JournalError::Version {
                file: path,
                found,
                supported: VERSION,
            });
        }
    };
    Ok((path, header))
}
