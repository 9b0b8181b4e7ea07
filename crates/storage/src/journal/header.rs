//! The first bytes of a segment: whose it is, and where its predecessor ends.

use world::journal::Position;

use super::frame::{Seal, long, word};

/// Bytes before the first batch.
pub(super) const HEADER_BYTES: u64 = HEADER_LEN as u64;

/// The same, as a length in memory.
pub(super) const HEADER_LEN: usize = 128;
const MAGIC: [u8; 8] = *b"TGJOURNL";

/// Newest format that this program reads, and the one it writes.
pub(crate) const VERSION: u32 = 1;

/// A segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// Random id of the journal.
    pub(super) journal: [u8; 16],
    /// Number of the segment, rising; numbers may be missing.
    pub(super) ordinal: u64,
    /// The segment before, if any.
    pub(super) predecessor: Option<Predecessor>,
    /// The last batch before this segment.
    pub(super) base: Position,
}

/// Where the record goes on backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Predecessor {
    pub(super) ordinal: u64,
    /// First byte behind its last batch; what follows is no part of the record.
    pub(super) end: u64,
}

/// Why bytes are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// They cannot be trusted.
    Bad(&'static str),
    /// They can, and were written by a later program.
    Version(u32),
}

impl SegmentHeader {
    pub(super) fn seal(&self) -> Seal {
        Seal::new(&self.journal, self.ordinal)
    }

    pub(super) fn encode(&self) -> [u8; HEADER_LEN] {
        let (before, end) = self
            .predecessor
            .map_or((0, 0), |before| (before.ordinal, before.end));
        let mut bytes = [0; HEADER_LEN];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.journal);
        bytes[32..40].copy_from_slice(&self.ordinal.to_le_bytes());
        bytes[40..48].copy_from_slice(&before.to_le_bytes());
        bytes[48..56].copy_from_slice(&end.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.base.sequence.to_le_bytes());
        bytes[64..96].copy_from_slice(&self.base.chain);
        let crc = checksum(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let bytes: &[u8; HEADER_LEN] = bytes
            .try_into()
            .map_err(|_| HeaderFault::Bad("the header is cut short"))?;
        if bytes[0..8] != MAGIC {
            return Err(HeaderFault::Bad("this is no journal segment"));
        }
        // The checksum's place and extent are the same in every version, so that a flipped bit is
        // not mistaken for the future.
        if word(bytes, 12) != checksum(bytes) {
            return Err(HeaderFault::Bad("the header's checksum does not match"));
        }
        let version = word(bytes, 8);
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        let mut header = Self {
            journal: [0; 16],
            ordinal: long(bytes, 32),
            predecessor: None,
            base: Position {
                sequence: long(bytes, 56),
                chain: [0; 32],
            },
        };
        header.journal.copy_from_slice(&bytes[16..32]);
        header.base.chain.copy_from_slice(&bytes[64..96]);
        let ordinal = long(bytes, 40);
        header.predecessor = (ordinal != 0).then(|| Predecessor {
            ordinal,
            end: long(bytes, 48),
        });
        Ok(header)
    }
}

fn checksum(bytes: &[u8; HEADER_LEN]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}
