//! The bytes of one file in memory: what is seen, what is durable, and what a power cut leaves.

use crate::{Entropy as _, SeededEntropy};

/// Bytes that a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What a power cut leaves of the operations that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Nothing: synced bytes under synced names only.
    Forgets,
    /// Everything: the process died and the machine went on.
    Keeps,
    /// All names, and of each unsynced write the sectors that the seed picks.
    Tears(u64),
    /// Synced names only, and of each unsynced write the sectors that the seed picks.
    TearsUnderOldNames(u64),
}

#[derive(Debug, Default)]
pub(super) struct Contents {
    seen: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

impl Contents {
    /// What a reader sees.
    pub(super) fn seen(&self) -> &[u8] {
        &self.seen
    }

    /// Changes what is seen; what is durable stays as it is.
    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.unsynced.push(change);
    }

    /// Makes all changes durable.
    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// What the next start finds.
    pub(super) fn after(&self, crash: Crash) -> Self {
        let mut left = match crash {
            Crash::Keeps => self.seen.clone(),
            _ => self.durable.clone(),
        };
        if let Crash::Tears(seed) | Crash::TearsUnderOldNames(seed) = crash {
            let entropy = SeededEntropy::new(seed);
            for change in &self.unsynced {
                change.tear(&mut left, &entropy);
            }
        }
        Self {
            seen: left.clone(),
            durable: left,
            unsynced: Vec::new(),
        }
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write {
                offset,
                bytes: written,
            } => {
                let end = offset + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(written);
            }
            Self::SetLen(len) => bytes.resize(*len, 0),
        }
    }

    /// Applies the sectors of the change that the dice pick.
    fn tear(&self, bytes: &mut Vec<u8>, entropy: &SeededEntropy) {
        let lucky = || {
            let mut dice = [0];
            entropy.fill(&mut dice);
            dice[0] % 2 == 0
        };
        let Self::Write {
            offset,
            bytes: written,
        } = self
        else {
            if lucky() {
                self.apply(bytes);
            }
            return;
        };
        let mut done = 0;
        while done < written.len() {
            let place = offset + done;
            let sector_end = (place / SECTOR_BYTES + 1) * SECTOR_BYTES;
            let end = written.len().min(sector_end - offset);
            if lucky() {
                let sector = Self::Write {
                    offset: place,
                    bytes: written[done..end].to_vec(),
                };
                sector.apply(bytes);
            }
            done = end;
        }
    }
}
