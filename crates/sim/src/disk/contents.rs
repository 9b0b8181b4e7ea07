//! One file: what is seen, what is durable, and the changes between the two.

use std::path::Path;
use std::sync::Arc;

use super::dice::{Dice, Fate};
use super::image::{Image, SECTOR_BYTES, is_zero};

/// A file, with or without a name.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    /// The name that it was given last.
    pub(super) name: Arc<Path>,
    /// How many handles of the running life have it open.
    pub(super) handles: u32,
    seen: Image,
    durable: Image,
    pending: Vec<Pending>,
    /// Behind the last byte ever written: up to here the file takes room on the disk.
    written_end: usize,
}

/// A change that no sync has made durable.
#[derive(Clone, Debug)]
struct Pending {
    change: Change,
    /// A sync has said that it did.
    promised: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Zeros { offset: usize, len: usize },
    SetLen(usize),
}

/// What became of changes whose fate was open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Toll {
    pub(super) lost: u64,
    pub(super) torn: u64,
    /// Those of the lost and torn whose durability a sync had promised.
    pub(super) promised: u64,
}

impl Contents {
    pub(super) fn new(name: Arc<Path>) -> Self {
        Self {
            name,
            handles: 0,
            seen: Image::default(),
            durable: Image::default(),
            pending: Vec::new(),
            written_end: 0,
        }
    }

    /// What a reader finds.
    pub(super) fn seen(&self) -> &Image {
        &self.seen
    }

    /// What the platter holds.
    pub(super) fn durable(&self) -> &Image {
        &self.durable
    }

    /// Bytes that the file takes on the disk.
    pub(super) fn room(&self) -> usize {
        self.written_end
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.written_end = self.written_end.max(offset + bytes.len());
        self.change(if is_zero(bytes) {
            let len = bytes.len();
            Change::Zeros { offset, len }
        } else {
            let bytes = bytes.to_vec();
            Change::Write { offset, bytes }
        });
    }

    /// A write that is seen and will never reach its place.
    pub(super) fn write_astray(&mut self, offset: usize, bytes: &[u8]) {
        self.written_end = self.written_end.max(offset + bytes.len());
        self.seen.write(offset, bytes);
    }

    /// Bytes that appear on the platter without anybody having written them here. The file's
    /// length stays.
    pub(super) fn strike(&mut self, offset: usize, bytes: &[u8]) {
        for image in [&mut self.seen, &mut self.durable] {
            let count = image.len().saturating_sub(offset).min(bytes.len());
            if count > 0 {
                image.write(offset, &bytes[..count]);
            }
        }
    }

    /// A bit that turns over on the platter.
    pub(super) fn flip(&mut self, offset: usize, bit: u8) {
        self.seen.flip(offset, bit);
        self.durable.flip(offset, bit);
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.written_end = self.written_end.min(len);
        self.change(Change::SetLen(len));
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.pending.push(Pending {
            change,
            promised: false,
        });
    }

    /// Makes all changes durable.
    pub(super) fn sync(&mut self) {
        for pending in self.pending.drain(..) {
            pending.change.apply(&mut self.durable);
        }
    }

    /// A sync that says it has, and has not. Says whether there was anything to do.
    pub(super) fn promise(&mut self) -> bool {
        for pending in &mut self.pending {
            pending.promised = true;
        }
        !self.pending.is_empty()
    }

    /// Decides each change that is not durable: it reached the platter whole, in part or not at
    /// all, and will not be tried again. What is seen stays.
    pub(super) fn decide(&mut self, dice: &Dice) -> Toll {
        let mut toll = Toll::default();
        for pending in self.pending.drain(..) {
            let whole = match dice.fate() {
                Fate::Whole => {
                    pending.change.apply(&mut self.durable);
                    true
                }
                Fate::Lost => {
                    toll.lost += 1;
                    false
                }
                Fate::Torn => {
                    let whole = pending.change.tear(&mut self.durable, dice);
                    toll.torn += u64::from(!whole);
                    whole
                }
            };
            toll.promised += u64::from(pending.promised && !whole);
        }
        toll
    }

    /// After [`Contents::decide`], or never having synced: only the platter is left.
    pub(super) fn lose_power(&mut self) {
        self.seen = self.durable.clone();
        self.pending.clear();
        self.written_end = self.written_end.min(self.durable.len());
    }
}

impl Change {
    fn apply(&self, image: &mut Image) {
        match self {
            Self::Write { offset, bytes } => image.write(*offset, bytes),
            Self::Zeros { offset, len } => image.write_zeros(*offset, *len),
            Self::SetLen(len) => image.set_len(*len),
        }
    }

    /// Applies the sectors that the dice pick; says whether these were all.
    fn tear(&self, image: &mut Image, dice: &Dice) -> bool {
        let (offset, len) = match self {
            Self::Write { offset, bytes } => (*offset, bytes.len()),
            Self::Zeros { offset, len } => (*offset, *len),
            Self::SetLen(_) => {
                let kept = dice.coin();
                if kept {
                    self.apply(image);
                }
                return kept;
            }
        };
        let pick = dice.sectors(len.div_ceil(SECTOR_BYTES) + 1);
        let (mut done, mut whole, mut number) = (0, true, 0);
        while done < len {
            let place = offset + done;
            let count = (len - done).min(SECTOR_BYTES - place % SECTOR_BYTES);
            if pick.takes(dice, number) {
                match self {
                    Self::Write { bytes, .. } => image.write(place, &bytes[done..done + count]),
                    _ => image.write_zeros(place, count),
                }
            } else {
                whole = false;
            }
            done += count;
            number += 1;
        }
        whole
    }
}

impl Toll {
    pub(super) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.torn += other.torn;
        self.promised += other.promised;
    }
}
