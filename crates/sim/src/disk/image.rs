//! The bytes of a file as pages, of which those that are all zero cost nothing.
//!
//! Journals are written into megabytes of zeros made ahead, and a simulated life makes and copies
//! many such files: an absent page is a page of zeros, and copies share pages until one is changed.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Bytes that a disk writes whole or not at all.
pub(super) const SECTOR_BYTES: usize = 512;

const PAGE_BYTES: usize = 4096;

type Page = [u8; PAGE_BYTES];

static ZEROS: Page = [0; PAGE_BYTES];

/// A file's bytes. Those behind its end, in the last page, are zero.
#[derive(Clone, Default)]
pub(super) struct Image {
    len: usize,
    pages: Vec<Option<Arc<Page>>>,
}

/// What a piece of a file is within one page.
struct Piece {
    page: usize,
    inside: Range<usize>,
    /// The same bytes, counted from the start of the whole range.
    outside: Range<usize>,
}

fn pieces(offset: usize, len: usize) -> impl Iterator<Item = Piece> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let (page, start) = ((offset + done) / PAGE_BYTES, (offset + done) % PAGE_BYTES);
        let count = (len - done).min(PAGE_BYTES - start);
        let piece = Piece {
            page,
            inside: start..start + count,
            outside: done..done + count,
        };
        done += count;
        Some(piece)
    })
}

/// Whether all bytes are zero; compares pieces, which is quick without optimisation too.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes
        .chunks(PAGE_BYTES)
        .all(|chunk| *chunk == ZEROS[..chunk.len()])
}

impl Image {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Reads what there is, up to the end of the file.
    pub(super) fn read(&self, offset: usize, buffer: &mut [u8]) -> usize {
        let count = self.len.saturating_sub(offset).min(buffer.len());
        for piece in pieces(offset, count) {
            let from = self.pages[piece.page].as_deref().unwrap_or(&ZEROS);
            buffer[piece.outside].copy_from_slice(&from[piece.inside]);
        }
        count
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.grow(offset + bytes.len());
        for piece in pieces(offset, bytes.len()) {
            let bytes = &bytes[piece.outside];
            let slot = &mut self.pages[piece.page];
            if slot.is_none() && is_zero(bytes) {
                continue;
            }
            let page = Arc::make_mut(slot.get_or_insert_with(|| Arc::new(ZEROS)));
            page[piece.inside].copy_from_slice(bytes);
        }
    }

    pub(super) fn write_zeros(&mut self, offset: usize, len: usize) {
        self.grow(offset + len);
        for piece in pieces(offset, len) {
            let slot = &mut self.pages[piece.page];
            if piece.inside.len() == PAGE_BYTES {
                *slot = None;
            } else if let Some(page) = slot {
                Arc::make_mut(page)[piece.inside].fill(0);
            }
        }
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.pages.resize(len.div_ceil(PAGE_BYTES), None);
        let tail = len % PAGE_BYTES;
        if len < self.len
            && tail > 0
            && let Some(Some(page)) = self.pages.last_mut()
        {
            Arc::make_mut(page)[tail..].fill(0);
        }
        self.len = len;
    }

    fn grow(&mut self, len: usize) {
        if len > self.len {
            self.set_len(len);
        }
    }

    /// Turns one bit over; nothing behind the end.
    pub(super) fn flip(&mut self, offset: usize, bit: u8) {
        let mut byte = [0];
        if self.read(offset, &mut byte) == 1 {
            self.write(offset, &[byte[0] ^ (1 << (bit % 8))]);
        }
    }

    /// A place in the bytes that are not in pages of zeros; `None` if all are. The same number
    /// gives the same place.
    pub(super) fn place(&self, number: u64) -> Option<usize> {
        let used: Vec<usize> = (0..self.pages.len())
            .filter(|page| self.pages[*page].is_some())
            .collect();
        let number = usize::try_from(number >> 1).ok()?;
        let page = *used.get(number % used.len().max(1))?;
        let inside = (self.len - page * PAGE_BYTES).min(PAGE_BYTES);
        Some(page * PAGE_BYTES + (number / used.len()) % inside)
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use world::SeededEntropy;

    use super::{Image, PAGE_BYTES};

    fn all(image: &Image) -> Vec<u8> {
        let mut bytes = vec![9; image.len() + 10];
        let count = image.read(0, &mut bytes);
        bytes.truncate(count);
        bytes
    }

    #[test]
    fn pages_hold_what_a_plain_vector_holds() {
        let dice = SeededEntropy::new(3);
        let draw = |below: usize| usize::try_from(dice.next_u64() % below as u64).unwrap();
        let (mut image, mut plain) = (Image::default(), Vec::new());
        for round in 0..400_u16 {
            let (offset, len) = (draw(5 * PAGE_BYTES), draw(3 * PAGE_BYTES));
            match draw(4) {
                0 => {
                    image.set_len(offset);
                    plain.resize(offset, 0);
                }
                1 => {
                    image.write_zeros(offset, len);
                    plain.resize(plain.len().max(offset + len), 0);
                    plain[offset..offset + len].fill(0);
                }
                _ => {
                    let bytes = vec![round.to_le_bytes()[0]; len];
                    image.write(offset, &bytes);
                    plain.resize(plain.len().max(offset + len), 0);
                    plain[offset..offset + len].copy_from_slice(&bytes);
                }
            }
            assert_eq!(all(&image), plain, "round {round}");
        }
    }

    #[test]
    fn a_changed_copy_leaves_the_other_alone() {
        let mut image = Image::default();
        image.write(10, b"before");
        let mut copy = image.clone();
        copy.write(10, b"behind");
        assert_eq!(&all(&image)[10..], b"before");
    }

    #[test]
    fn a_place_is_never_among_absent_zeros() {
        let mut image = Image::default();
        assert_eq!(image.place(5), None);
        image.write_zeros(0, 1 << 20);
        assert_eq!(image.place(5), None);
        image.write(40 * PAGE_BYTES + 7, b"x");
        for number in 0..100 {
            let place = image.place(number * 0x1234_5677).expect("a place");
            assert_eq!(place / PAGE_BYTES, 40);
        }
    }
}
