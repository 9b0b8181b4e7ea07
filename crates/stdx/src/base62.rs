//! Numbers as fixed-width base62 text. The alphabet is in the order of its bytes, so text sorts like the numbers.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Value of a byte that is no digit.
const NOT_A_DIGIT: u8 = 0xff;

/// Value of every byte as a digit, worked out when the program is compiled.
const DIGITS: [u8; 256] = digits();

#[allow(clippy::cast_possible_truncation, reason = "the index stays below 62")]
const fn digits() -> [u8; 256] {
    let mut table = [NOT_A_DIGIT; 256];
    let mut index = 0;
    while index < ALPHABET.len() {
        table[ALPHABET[index] as usize] = index as u8;
        index += 1;
    }
    table
}

/// Writes a number in exactly `N` digits, with leading zeros. `None` when it does not fit; 11 digits hold any `u64`.
#[must_use]
pub fn encode<const N: usize>(value: u64) -> Option<[u8; N]> {
    let mut text = [b'0'; N];
    let mut rest = value;
    for place in text.iter_mut().rev() {
        *place = ALPHABET[usize::try_from(rest % 62).unwrap_or(0)];
        rest /= 62;
    }
    (rest == 0).then_some(text)
}

/// Reads digits back. `None` for an empty text, a foreign byte, or a number above `u64::MAX`.
#[must_use]
pub fn decode(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    for byte in text {
        let digit = DIGITS[usize::from(*byte)];
        if digit == NOT_A_DIGIT {
            return None;
        }
        value = value.checked_mul(62)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back() {
        let mut value = 1_u64;
        for _ in 0..10_000 {
            value = value
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            assert_eq!(decode(&encode::<11>(value).unwrap()), Some(value));
        }
        assert_eq!(decode(&encode::<11>(u64::MAX).unwrap()), Some(u64::MAX));
    }

    #[test]
    fn text_sorts_like_numbers() {
        let numbers = [0, 1, 9, 10, 35, 36, 61, 62, 3_843, 3_844, u64::MAX];
        let texts: Vec<[u8; 11]> = numbers
            .iter()
            .map(|number| encode(*number).unwrap())
            .collect();
        assert!(texts.is_sorted());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(encode::<2>(62 * 62), None);
        assert_eq!(encode::<2>(62 * 62 - 1), Some(*b"zz"));
        assert_eq!(decode(b""), None);
        assert_eq!(decode(b"0-1"), None);
        assert_eq!(decode(b"zzzzzzzzzzz"), None);
    }
}
