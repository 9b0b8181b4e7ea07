//! The segment that is written.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use world::disk::{Access, Disk, DiskFile};
use world::journal::AppendFault;

use super::frame::{FRAME_HEADER_BYTES, Seal, frame_bytes};
use super::header::{HEADER_BYTES, SegmentHeader};
use super::prepare::{Prepared, create};
use super::segments::file_name;

/// Up to this payload, header and payload are copied together and written by one call.
const COPY_BYTES_MAX: usize = 64 * 1024;

/// Name of a file that becomes a segment when its header is durable.
pub(super) const NEW_FILE: &str = "segment.new";

/// Name of a file of zeros, made ahead of use.
pub(super) const PREPARED_FILE: &str = "segment.prepared";

/// The newest segment, open for writing.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) header: SegmentHeader,
    /// First byte behind the last durable batch.
    pub(super) offset: u64,
    /// How large the segment is meant to become.
    pub(super) bytes_max: u64,
    pub(super) ground: Ground,
    /// Batches written since this process opened the segment, and their payloads' bytes.
    pub(super) batches: u64,
    pub(super) payload_bytes: u64,
    file: Box<dyn DiskFile>,
    seal: Seal,
}

/// What the room behind the last batch is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// Durable zeros: a sync is cheap.
    Zeros,
    /// Nothing yet: the file grows with each batch.
    Plain,
}

/// What a new segment is made from.
#[derive(Debug)]
pub(super) enum Source {
    /// Zeros made earlier.
    Prepared(Prepared),
    /// An empty file, meant to grow to so many bytes.
    Plain(u64),
}

/// Why bytes are not durable.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) fault: AppendFault,
    pub(super) source: io::Error,
}

impl Failure {
    pub(super) fn of_write(source: io::Error) -> Self {
        let fault = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendFault::NoSpace,
            _ => AppendFault::Write,
        };
        Self { fault, source }
    }

    fn of_sync(source: io::Error) -> Self {
        let fault = match source.kind() {
            // A disk that allocates late finds out only when it syncs.
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendFault::NoSpace,
            _ => AppendFault::Sync,
        };
        Self { fault, source }
    }
}

impl Tail {
    /// Makes a durable segment: its header is on disk before the file has its name, and the name
    /// is on disk before anybody relies on it.
    pub(super) fn begin(
        disk: &dyn Disk,
        dir: &Path,
        source: Source,
        header: SegmentHeader,
    ) -> io::Result<Self> {
        let (file, path, bytes_max, ground) = match source {
            Source::Prepared(ready) => (ready.file, ready.path, ready.bytes, Ground::Zeros),
            Source::Plain(bytes) => {
                let path: PathBuf = dir.join(NEW_FILE);
                (create(disk, &path)?, path, bytes, Ground::Plain)
            }
        };
        file.write_at(0, &header.encode())?;
        file.sync_all()?;
        disk.rename(&path, &dir.join(file_name(header.ordinal)))?;
        if !stdx::mutants::is("segment-name-not-synced") {
            disk.sync_dir(dir)?;
        }
        Ok(Self::new(file, header, HEADER_BYTES, bytes_max, ground))
    }

    /// Opens the newest segment again behind its last good batch, which lies at `last`, and makes
    /// durable what an earlier process may have written without living to sync it.
    ///
    /// That process may have died of a sync that failed. What it wrote can still be read then, yet
    /// the system holds it for clean, and a second sync says yes and writes nothing. So the last
    /// batch is written again first: the same bytes to the same place, which no tear can harm.
    pub(super) fn reopen(
        disk: &dyn Disk,
        path: &Path,
        header: SegmentHeader,
        last: Range<u64>,
    ) -> io::Result<Self> {
        let file = disk.open(path, Access::Write)?;
        write_again(&*file, last.clone())?;
        file.sync_all()?;
        let offset = last.end;
        let bytes = file.len()?;
        let ground = if bytes > offset {
            Ground::Zeros
        } else {
            Ground::Plain
        };
        Ok(Self::new(file, header, offset, bytes, ground))
    }

    fn new(
        file: Box<dyn DiskFile>,
        header: SegmentHeader,
        offset: u64,
        bytes_max: u64,
        ground: Ground,
    ) -> Self {
        Self {
            header,
            offset,
            bytes_max,
            ground,
            batches: 0,
            payload_bytes: 0,
            file,
            seal: header.seal(),
        }
    }

    pub(super) fn seal(&self) -> Seal {
        self.seal
    }

    /// Whether a batch of this size would outgrow the segment. One without a batch takes any.
    pub(super) fn is_full_for(&self, payload_bytes: usize) -> bool {
        self.offset > HEADER_BYTES && self.offset + frame_bytes(payload_bytes) > self.bytes_max
    }

    /// Writes a batch and makes it durable. After an error nothing may be written here again.
    pub(super) fn write(
        &mut self,
        head: &[u8; FRAME_HEADER_BYTES],
        payload: &[u8],
        scratch: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        self.put(head, payload, scratch)
            .map_err(Failure::of_write)?;
        self.sync().map_err(Failure::of_sync)?;
        self.offset += frame_bytes(payload.len());
        self.batches += 1;
        self.payload_bytes += payload.len() as u64;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if stdx::mutants::is("append-without-sync") {
            return Ok(());
        }
        let synced = self.file.sync_data();
        if synced.is_err() && stdx::mutants::is("failed-sync-tried-again") {
            return self.file.sync_data();
        }
        synced
    }

    fn put(
        &self,
        head: &[u8; FRAME_HEADER_BYTES],
        payload: &[u8],
        scratch: &mut Vec<u8>,
    ) -> io::Result<()> {
        if payload.len() > COPY_BYTES_MAX {
            self.file.write_at(self.offset, head)?;
            let behind = self.offset + FRAME_HEADER_BYTES as u64;
            return self.file.write_at(behind, payload);
        }
        scratch.clear();
        scratch.extend_from_slice(head);
        scratch.extend_from_slice(payload);
        self.file.write_at(self.offset, scratch)
    }
}

/// Makes the bytes of a range wait for the next sync, whatever became of the last one.
fn write_again(file: &dyn DiskFile, range: Range<u64>) -> io::Result<()> {
    let mut piece = vec![0; COPY_BYTES_MAX];
    let mut at = range.start;
    while at < range.end {
        let rest = usize::try_from(range.end - at).unwrap_or(COPY_BYTES_MAX);
        let count = file.read_at(at, &mut piece[..rest.min(COPY_BYTES_MAX)])?;
        // What is not in this file was not written to it, and so is not in doubt.
        if count == 0 {
            break;
        }
        file.write_at(at, &piece[..count])?;
        at += count as u64;
    }
    Ok(())
}
