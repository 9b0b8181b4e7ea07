//! Steps from batch to batch within one segment, trusting nothing.

use std::io;
use std::path::PathBuf;

use world::journal::{Batch, JournalError, NewBatch, Position};

use super::damage::cannot;
use super::frame::{FRAME_HEADER_BYTES, FrameHeader, Seal, chain_after, frame_bytes};
use super::header::{HEADER_BYTES, SegmentHeader};
use super::segments::Segments;
use super::window::Window;

/// A place in a segment.
#[derive(Debug)]
pub(super) struct Walker {
    pub(super) ordinal: u64,
    pub(super) path: PathBuf,
    pub(super) seal: Seal,
    pub(super) window: Window,
    /// Where the next batch begins.
    pub(super) offset: u64,
    /// The last batch before it.
    pub(super) position: Position,
}

/// What was found where a batch may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The next batch; the walker stands behind it.
    Batch,
    /// Zeros, or the end of the file; the walker has not moved.
    Nothing,
    /// Something else, and why it is no batch; a write cut short may leave such bytes. The walker
    /// has not moved.
    Bad(&'static str),
    /// A whole batch with good checksums that does not belong here, which no cut write can leave.
    /// The walker has not moved.
    Foreign(&'static str),
}

impl Walker {
    /// Stands before the first batch of a segment.
    pub(super) fn open(segments: &Segments, header: &SegmentHeader) -> Result<Self, JournalError> {
        let (path, file) = segments.open(header.ordinal)?;
        Ok(Self {
            ordinal: header.ordinal,
            path,
            seal: header.seal(),
            window: Window::new(file),
            offset: HEADER_BYTES,
            position: header.base,
        })
    }

    /// Reads the next batch into `batch`, whose buffer is used again.
    pub(super) fn step(&mut self, batch: &mut Batch) -> Result<Found, JournalError> {
        self.try_step(batch)
            .map_err(cannot("read", &self.path.clone()))
    }

    fn try_step(&mut self, batch: &mut Batch) -> io::Result<Found> {
        let bytes = self.window.bytes(self.offset, FRAME_HEADER_BYTES)?;
        let header = match read_header(bytes, self.seal) {
            Ok(header) => header,
            Err(found) => return Ok(found),
        };
        let whole = FRAME_HEADER_BYTES + header.payload_bytes as usize;
        let bytes = self.window.bytes(self.offset, whole)?;
        if bytes.len() < whole {
            return Ok(Found::Bad("the payload is cut short"));
        }
        batch.payload.clear();
        batch
            .payload
            .extend_from_slice(&bytes[FRAME_HEADER_BYTES..]);
        let sound = crc32c::crc32c(&batch.payload) == header.payload_crc;
        if !sound && !stdx::mutants::is("torn-tail-accepted") {
            return Ok(Found::Bad("the payload's checksum does not match"));
        }
        if let Err(reason) = follows(&header, &self.position, batch) {
            return Ok(Found::Foreign(reason));
        }
        self.offset += frame_bytes(batch.payload.len());
        self.position = header.position();
        Ok(Found::Batch)
    }
}

fn read_header(bytes: &[u8], seal: Seal) -> Result<FrameHeader, Found> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(Found::Nothing);
    }
    let bytes = bytes
        .try_into()
        .map_err(|_| Found::Bad("the header is cut short"))?;
    FrameHeader::decode(bytes, seal).map_err(Found::Bad)
}

/// Completes the batch, whose payload is there already, and checks that it is the next one
/// (INV-8).
fn follows(
    header: &FrameHeader,
    previous: &Position,
    batch: &mut Batch,
) -> Result<(), &'static str> {
    if Some(header.sequence) != previous.sequence.checked_add(1) {
        return Err("the batch's number does not follow");
    }
    let content = NewBatch {
        time_ms: header.time_ms,
        entries: header.entries,
        payload: std::mem::take(&mut batch.payload),
    };
    let chain = chain_after(previous, &content);
    *batch = Batch {
        sequence: header.sequence,
        time_ms: content.time_ms,
        entries: content.entries,
        payload: content.payload,
        chain,
    };
    if chain == header.chain || stdx::mutants::is("torn-tail-accepted") {
        Ok(())
    } else {
        Err("the chain hash does not follow from the batch before")
    }
}

/// A batch to read into.
pub(super) fn empty_batch() -> Batch {
    Batch {
        sequence: 0,
        time_ms: 0,
        entries: 0,
        payload: Vec::new(),
        chain: [0; 32],
    }
}
