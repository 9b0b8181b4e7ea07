//! One batch as bytes: a header that can be checked alone, then the payload.
//!
//! The header's checksum starts from a seal of the journal's random id and the segment's number:
//! bytes of another journal, of another segment, or made up inside a payload do not pass for a
//! batch of this segment.

use world::journal::{NewBatch, PAYLOAD_BYTES_MAX, Position};

/// Bytes before the payload.
pub(super) const FRAME_HEADER_BYTES: usize = 72;

/// First bytes of each batch.
pub(super) const FRAME_MAGIC: [u8; 4] = *b"TGB1";

/// Batches begin at multiples of this.
pub(super) const ALIGNMENT: usize = 8;

/// What is added to a checksum so that it holds in one segment of one journal only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seal(u32);

impl Seal {
    pub(super) fn new(journal: &[u8; 16], ordinal: u64) -> Self {
        Self(crc32c::crc32c_append(
            crc32c::crc32c(journal),
            &ordinal.to_le_bytes(),
        ))
    }

    fn over(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, bytes)
    }
}

/// A header that passed its checksum.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameHeader {
    pub(super) payload_bytes: u32,
    pub(super) payload_crc: u32,
    pub(super) entries: u32,
    pub(super) sequence: u64,
    pub(super) time_ms: u64,
    pub(super) chain: [u8; 32],
}

impl FrameHeader {
    /// The header of `batch` behind `previous`.
    pub(super) fn of(batch: &NewBatch, previous: &Position) -> Option<Self> {
        let sequence = previous.sequence.checked_add(1)?;
        Some(Self {
            payload_bytes: u32::try_from(batch.payload.len()).ok()?,
            payload_crc: crc32c::crc32c(&batch.payload),
            entries: batch.entries,
            sequence,
            time_ms: batch.time_ms,
            chain: chain_after(previous, batch),
        })
    }

    pub(super) fn position(&self) -> Position {
        Position {
            sequence: self.sequence,
            chain: self.chain,
        }
    }

    pub(super) fn encode(&self, seal: Seal) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes[0..4].copy_from_slice(&FRAME_MAGIC);
        bytes[8..12].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.entries.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.time_ms.to_le_bytes());
        bytes[40..72].copy_from_slice(&self.chain);
        let crc = seal.over(&bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header; the reason when it is none.
    pub(super) fn decode(
        bytes: &[u8; FRAME_HEADER_BYTES],
        seal: Seal,
    ) -> Result<Self, &'static str> {
        if bytes[0..4] != FRAME_MAGIC {
            return Err("no batch begins here");
        }
        if word(bytes, 4) != seal.over(&bytes[8..]) {
            return Err("the header's checksum does not match");
        }
        let header = Self {
            payload_bytes: word(bytes, 8),
            payload_crc: word(bytes, 12),
            entries: word(bytes, 16),
            sequence: long(bytes, 24),
            time_ms: long(bytes, 32),
            chain: bytes[40..72]
                .try_into()
                .map_err(|_| "the header is short")?,
        };
        if header.payload_bytes as usize > PAYLOAD_BYTES_MAX {
            return Err("the payload's length is above the limit");
        }
        Ok(header)
    }
}

/// Bytes that a batch with such a payload takes in a segment, padding included.
pub(super) fn frame_bytes(payload_bytes: usize) -> u64 {
    (FRAME_HEADER_BYTES as u64 + payload_bytes as u64).next_multiple_of(ALIGNMENT as u64)
}

/// The chain hash after `batch`, appended behind `previous`.
///
/// BLAKE3 over: previous hash, sequence, time, entry count, payload length (all little-endian),
/// payload.
#[must_use]
pub fn chain_after(previous: &Position, batch: &NewBatch) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    hash.update(&previous.chain)
        .update(&previous.sequence.wrapping_add(1).to_le_bytes())
        .update(&batch.time_ms.to_le_bytes())
        .update(&batch.entries.to_le_bytes())
        .update(&(batch.payload.len() as u64).to_le_bytes())
        .update(&batch.payload);
    hash.finalize().into()
}

/// The place before the first batch: no sequence, and a hash that belongs to this journal alone.
pub(super) fn genesis(journal: &[u8; 16]) -> Position {
    Position {
        sequence: 0,
        chain: blake3::derive_key("tidegate journal chain v1", journal),
    }
}

/// Four bytes at `at`, little-endian.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

/// Eight bytes at `at`, little-endian.
pub(super) fn long(bytes: &[u8], at: usize) -> u64 {
    let mut long = [0; 8];
    long.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(long)
}
