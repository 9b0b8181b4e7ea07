//! What lies behind the last good batch: nothing, a torn tail, or proof of damage.
//!
//! A batch is written only after the one before it is durable. So the header of a later batch
//! proves that what now looks bad was good once: that is damage. Without such a header the bytes
//! are what an append left that nobody was told about.

use std::io;

use super::frame::{ALIGNMENT, FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader, Seal};
use super::window::Window;

/// Bytes looked at together.
const CHUNK_BYTES: usize = 64 * 1024;

/// Findings of [`scan`], as offsets from the start of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rest {
    /// Behind the last byte that is not zero, if there is one.
    pub(super) end: Option<u64>,
    /// The header of a batch that can only have been written after the bad place was durable.
    pub(super) later: Option<u64>,
}

/// Looks at everything from `from`, where no batch could be read, for headers of batches numbered
/// above `above`.
pub(super) fn scan(window: &mut Window, from: u64, seal: Seal, above: u64) -> io::Result<Rest> {
    let mut rest = Rest::default();
    let mut offset = from;
    loop {
        let chunk = window.bytes(offset, CHUNK_BYTES + FRAME_HEADER_BYTES)?;
        let own = chunk.len().min(CHUNK_BYTES);
        if let Some(last) = chunk[..own].iter().rposition(|byte| *byte != 0) {
            rest.end = Some(offset + last as u64 + 1);
            if let Some(place) = find_header(chunk, own, seal, above) {
                rest.later = Some(offset + place as u64);
                return Ok(rest);
            }
        }
        if own < CHUNK_BYTES {
            return Ok(rest);
        }
        offset += own as u64;
    }
}

fn find_header(chunk: &[u8], own: usize, seal: Seal, above: u64) -> Option<usize> {
    (0..own).step_by(ALIGNMENT).find(|&place| {
        let rest = &chunk[place..];
        if !rest.starts_with(&FRAME_MAGIC) {
            return false;
        }
        let Some(bytes) = rest.first_chunk::<FRAME_HEADER_BYTES>() else {
            return false;
        };
        FrameHeader::decode(bytes, seal).is_ok_and(|header| header.sequence > above)
    })
}
