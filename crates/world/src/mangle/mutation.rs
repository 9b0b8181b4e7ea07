//! The ways in which bytes go wrong.

use super::INPUT_BYTES_MAX;
use crate::SeededEntropy;

/// Mutations that are put on top of one another, at most.
const ROUNDS_MAX: usize = 6;

/// Most copies of a piece, and deepest nesting, by one mutation.
const COPIES_MAX: usize = 2_000;

/// Bytes at the edges of what a reader may expect.
const EDGE_BYTES: &[u8] = &[
    0, 1, 0x09, 0x0a, 0x0d, b' ', b'"', b'%', b'\\', 0x7f, 0x80, 0xc0, 0xfe, 0xff,
];

/// Numbers at the edges of their types, as fields of bytes have them.
const EDGE_NUMBERS: &[u64] = &[
    0,
    1,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 24,
    1 << 40,
    i64::MAX.unsigned_abs(),
    u64::MAX - 1,
    u64::MAX,
];

/// Numbers as text that readers stumble over.
const EDGE_TEXTS: &[&str] = &[
    "0",
    "-0",
    "-1",
    "00",
    "+1",
    "1.5",
    "1e999",
    "-1e-999",
    "0x10",
    "2147483648",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "0.00001",
    "NaN",
    "١٢",
];

/// What is no UTF-8, or none that everybody reads alike.
const ODD_UTF8: &[&[u8]] = &[
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x82",
    b"\xff\xfe",
    "\u{feff}".as_bytes(),
    "\u{202e}".as_bytes(),
    "e\u{301}".as_bytes(),
    "\u{10ffff}".as_bytes(),
];

/// What opens a level, and what closes it.
const BRACKETS: &[(&str, &str)] = &[("[", "]"), ("{\"a\":", "}"), ("(", ")"), ("[[", "]]")];

type Operation = fn(&Mutator<'_>, &mut Vec<u8>);

const OPERATIONS: &[Operation] = &[
    |m, bytes| m.flip_bit(bytes),
    |m, bytes| m.set_byte(bytes),
    |m, bytes| m.change_number(bytes),
    |m, bytes| m.set_number(bytes),
    |m, bytes| m.insert_bytes(bytes),
    |m, bytes| m.delete_slice(bytes),
    |m, bytes| m.truncate(bytes),
    |m, bytes| m.repeat_slice(bytes),
    |m, bytes| m.move_slice(bytes),
    |m, bytes| m.splice(bytes),
    |m, bytes| m.put_word(bytes),
    |m, bytes| m.replace_digits(bytes),
    |m, bytes| m.damage_utf8(bytes),
    |m, bytes| m.nest(bytes),
];

/// Makes one input.
pub(super) struct Mutator<'a> {
    random: SeededEntropy,
    files: &'a [(String, Vec<u8>)],
    words: &'a [Vec<u8>],
}

/// A number from two, as good as random.
pub(super) fn mixed(seed: u64, step: u64) -> u64 {
    let first = SeededEntropy::new(seed).next_u64();
    SeededEntropy::new(first ^ step).next_u64()
}

impl<'a> Mutator<'a> {
    pub(super) fn new(
        seed: u64,
        step: u64,
        files: &'a [(String, Vec<u8>)],
        words: &'a [Vec<u8>],
    ) -> Self {
        Self {
            random: SeededEntropy::new(mixed(seed, step)),
            files,
            words,
        }
    }

    /// The number of a file, and its bytes gone wrong.
    pub(super) fn mutate(&self) -> (usize, Vec<u8>) {
        let file = self.below(self.files.len());
        let mut bytes = self.files[file].1.clone();
        // Most inputs stay near to what is accepted: there the reader goes deepest.
        let rounds = 1 + self.below(ROUNDS_MAX).min(self.below(ROUNDS_MAX));
        for _ in 0..rounds {
            let operation = OPERATIONS[self.below(OPERATIONS.len())];
            operation(self, &mut bytes);
            bytes.truncate(INPUT_BYTES_MAX.max(self.files[file].1.len()));
        }
        (file, bytes)
    }

    /// A number below `end`; 0 if there is none.
    fn below(&self, end: usize) -> usize {
        let end = end.max(1) as u64;
        // The rest of a division by a length in memory is a length in memory.
        usize::try_from(self.random.next_u64() % end).unwrap_or_default()
    }

    fn one_of<'b, T>(&self, all: &'b [T]) -> &'b T {
        &all[self.below(all.len())]
    }

    /// A piece of something `len` long: mostly short.
    fn piece(&self, len: usize) -> std::ops::Range<usize> {
        let from = self.below(len + 1);
        let most = if self.below(4) == 0 { len } else { 16 };
        let length = self.below(most.min(len - from) + 1);
        from..from + length
    }

    fn flip_bit(&self, bytes: &mut [u8]) {
        let at = self.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << self.below(8);
        }
    }

    fn set_byte(&self, bytes: &mut [u8]) {
        let at = self.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte = *self.one_of(EDGE_BYTES);
        }
    }

    /// Changes what may be a length by a little, in either byte order.
    fn change_number(&self, bytes: &mut [u8]) {
        let by = self.below(9) as u64;
        let up = self.below(2) == 0;
        self.with_number(bytes, |number| {
            if up {
                number.wrapping_add(by)
            } else {
                number.wrapping_sub(by)
            }
        });
    }

    fn set_number(&self, bytes: &mut [u8]) {
        let edge = *self.one_of(EDGE_NUMBERS);
        self.with_number(bytes, |_| edge);
    }

    fn with_number(&self, bytes: &mut [u8], change: impl Fn(u64) -> u64) {
        let width = *self.one_of(&[1, 2, 4, 8]);
        let aligned = self.below(2) == 0;
        let at = self.below(bytes.len());
        let at = if aligned { at - at % width } else { at };
        let Some(field) = bytes.get_mut(at..at + width) else {
            return;
        };
        let big_endian = self.below(4) == 0;
        let mut wide = [0; 8];
        if big_endian {
            field.reverse();
        }
        wide[..width].copy_from_slice(field);
        let changed = change(u64::from_le_bytes(wide)).to_le_bytes();
        field.copy_from_slice(&changed[..width]);
        if big_endian {
            field.reverse();
        }
    }

    fn insert_bytes(&self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let mut fresh = vec![*self.one_of(EDGE_BYTES); 1 + self.below(8)];
        if self.below(2) == 0 {
            crate::Entropy::fill(&self.random, &mut fresh);
        }
        bytes.splice(at..at, fresh);
    }

    fn delete_slice(&self, bytes: &mut Vec<u8>) {
        let piece = self.piece(bytes.len());
        bytes.drain(piece);
    }

    fn truncate(&self, bytes: &mut Vec<u8>) {
        bytes.truncate(self.below(bytes.len() + 1));
    }

    fn repeat_slice(&self, bytes: &mut Vec<u8>) {
        let piece = self.piece(bytes.len());
        let room = INPUT_BYTES_MAX / piece.len().max(1);
        let most = if self.below(8) == 0 { COPIES_MAX } else { 3 };
        let copies = bytes[piece.clone()].repeat(1 + self.below(most.min(room)));
        bytes.splice(piece.end..piece.end, copies);
    }

    fn move_slice(&self, bytes: &mut Vec<u8>) {
        let piece: Vec<u8> = bytes.drain(self.piece(bytes.len())).collect();
        let at = self.below(bytes.len() + 1);
        bytes.splice(at..at, piece);
    }

    /// Puts a piece of any corpus file over or between the bytes.
    fn splice(&self, bytes: &mut Vec<u8>) {
        let other = &self.one_of(self.files).1;
        let piece = &other[self.piece(other.len())];
        let at = self.below(bytes.len() + 1);
        let over = match self.below(3) {
            0 => 0,
            1 => piece.len(),
            _ => bytes.len(),
        };
        let end = at.saturating_add(over).min(bytes.len());
        bytes.splice(at..end, piece.iter().copied());
    }

    fn put_word(&self, bytes: &mut Vec<u8>) {
        if self.words.is_empty() {
            return self.insert_bytes(bytes);
        }
        let word = self.one_of(self.words);
        let at = self.below(bytes.len() + 1);
        let over = if self.below(2) == 0 { word.len() } else { 0 };
        let end = at.saturating_add(over).min(bytes.len());
        bytes.splice(at..end, word.iter().copied());
    }

    fn replace_digits(&self, bytes: &mut Vec<u8>) {
        let from = self.below(bytes.len());
        let digit = |byte: &u8| byte.is_ascii_digit();
        let Some(start) = bytes.iter().skip(from).position(digit) else {
            return;
        };
        let start = from + start;
        let length = bytes[start..].iter().take_while(|byte| digit(byte)).count();
        let text = if self.below(8) == 0 {
            "9".repeat(1 + self.below(400))
        } else {
            (*self.one_of(EDGE_TEXTS)).to_owned()
        };
        bytes.splice(start..start + length, text.into_bytes());
    }

    fn damage_utf8(&self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        bytes.splice(at..at, self.one_of(ODD_UTF8).iter().copied());
    }

    /// Puts a piece into many brackets, which mostly close again.
    fn nest(&self, bytes: &mut Vec<u8>) {
        let (open, close) = *self.one_of(BRACKETS);
        let most = if self.below(2) == 0 { 8 } else { COPIES_MAX };
        let deep = 1 + self.below(most);
        let piece = self.piece(bytes.len());
        if self.below(4) > 0 {
            bytes.splice(piece.end..piece.end, close.repeat(deep).into_bytes());
        }
        bytes.splice(piece.start..piece.start, open.repeat(deep).into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_changes_something_and_takes_an_empty_input() {
        let files = [
            ("a".to_owned(), b"units 17, [\"caf\xc3\xa9\"]".to_vec()),
            ("b".to_owned(), b"other".to_vec()),
        ];
        let words = [b"tide".to_vec()];
        for (number, operation) in OPERATIONS.iter().enumerate() {
            let mut changed = 0;
            for step in 0..200 {
                let mutator = Mutator::new(1, step, &files, &words);
                let mut bytes = files[0].1.clone();
                operation(&mutator, &mut bytes);
                changed += usize::from(bytes != files[0].1);
                operation(&mutator, &mut Vec::new());
            }
            assert!(changed > 20, "operation {number} changed {changed} of 200");
        }
    }

    #[test]
    fn no_input_is_longer_than_the_limit_or_its_file() {
        let files = [("a".to_owned(), vec![b'x'; INPUT_BYTES_MAX + 10])];
        for step in 0..500 {
            let (_, bytes) = Mutator::new(1, step, &files, &[]).mutate();
            assert!(bytes.len() <= INPUT_BYTES_MAX + 10);
        }
    }
}
