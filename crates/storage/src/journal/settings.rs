//! What a journal is built from, and how large its files get.

use std::sync::Arc;

use world::{Clock, Disk, Entropy};

/// The outside, as a journal needs it.
#[derive(Clone, Debug)]
pub struct Doors {
    /// Where the files are.
    pub disk: Arc<dyn Disk>,
    /// Measures how long a sync takes.
    pub clock: Arc<dyn Clock>,
    /// Names a new journal.
    pub entropy: Arc<dyn Entropy>,
}

/// Sizes of a journal's files, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalSettings {
    /// The first segment, and the first after trouble: small, so that opening is fast.
    pub segment_bytes_first: u64,
    /// Each segment is four times its predecessor, up to this.
    pub segment_bytes_max: u64,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            segment_bytes_first: 256 * 1024,
            segment_bytes_max: 64 * 1024 * 1024,
        }
    }
}

impl JournalSettings {
    /// Size of the segment after one of `size` bytes.
    pub(super) fn after(&self, size: u64) -> u64 {
        size.saturating_mul(4)
            .clamp(self.segment_bytes_first, self.segment_bytes_max)
    }
}
