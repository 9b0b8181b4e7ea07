//! A place in a sale's journal, given to clients as a receipt.

use crate::id::as_text;
use std::fmt;
use std::str::FromStr;

/// Number of a batch and the hash chain after it. As text `<sequence>-<32 hex>`: the first 16 bytes of the chain are
/// enough to prove later that this batch is still in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Number of the last batch; 0 before the first.
    pub sequence: u64,
    /// The first 16 bytes of the chain after that batch.
    pub chain: [u8; 16],
}

impl Position {
    /// The receipt for a journal that stands at `sequence` with this full chain.
    #[must_use]
    pub fn new(sequence: u64, chain: &[u8; 32]) -> Self {
        let mut head = [0; 16];
        head.copy_from_slice(&chain[..16]);
        Self {
            sequence,
            chain: head,
        }
    }

    /// Whether a full chain begins with the bytes of this receipt.
    #[must_use]
    pub fn matches(&self, chain: &[u8; 32]) -> bool {
        self.chain[..] == chain[..16]
    }
}

/// A text that is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a position like `1042-9f86d081884c7d659a2feaa0c55ad015`")]
pub struct PositionError;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{:032x}",
            self.sequence,
            u128::from_be_bytes(self.chain)
        )
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (sequence, chain) = text.split_once('-').ok_or(PositionError)?;
        let strict = chain.len() == 32
            && chain
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let plain = sequence.bytes().all(|byte| byte.is_ascii_digit());
        if !strict || !plain {
            return Err(PositionError);
        }
        let chain = u128::from_str_radix(chain, 16).map_err(|_| PositionError)?;
        Ok(Self {
            sequence: sequence.parse().map_err(|_| PositionError)?,
            chain: chain.to_be_bytes(),
        })
    }
}

as_text! {
    Position: "A place in the journal of a sale: number of the batch, and the head of the hash chain after it.", like "1042-9f86d081884c7d659a2feaa0c55ad015";
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_comes_back_and_fits_its_chain() {
        let mut chain = [0_u8; 32];
        chain[0] = 0x0a;
        chain[15] = 0xff;
        let position = Position::new(1042, &chain);
        assert_eq!(
            position.to_string(),
            "1042-0a0000000000000000000000000000ff"
        );
        assert_eq!(position.to_string().parse(), Ok(position));
        assert!(position.matches(&chain));
        chain[3] = 1;
        assert!(!position.matches(&chain));
    }

    #[test]
    fn only_the_one_text_form_is_read() {
        for text in [
            "",
            "1",
            "1-ff",
            "+1-0a0000000000000000000000000000ff",
            "1-0A0000000000000000000000000000ff",
        ] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}
