//! Unit prices: decimal text with up to four decimals, an integer of ten-thousandths inside.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A price of one unit in ten-thousandths of the currency's major unit, never negative.
///
/// Reading JSON never fails on the text itself: a bad text is kept as a fault that [`PriceText::fault`] tells, so that
/// one answer can name every bad price of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PriceText(i64);

/// Why a text is no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Not digits, optionally a point and digits.
    #[error("expected a price like `12.50`")]
    Shape,
    /// Finer than a ten-thousandth.
    #[error("a price has at most four decimals")]
    TooFine,
    /// Below zero.
    #[error("a price is never negative")]
    Negative,
    /// Above [`PriceText::MAX`].
    #[error("a price is at most 100000000")]
    TooLarge,
}

const SHAPE: i64 = -1;
const TOO_FINE: i64 = -2;
const NEGATIVE: i64 = -3;
const TOO_LARGE: i64 = -4;

impl PriceText {
    /// The highest price, in ten-thousandths.
    pub const MAX: i64 = 1_000_000_000_000;

    /// A price from ten-thousandths of the major unit.
    ///
    /// # Errors
    /// Below zero or above [`PriceText::MAX`].
    pub const fn new(ten_thousandths: i64) -> Result<Self, PriceError> {
        if ten_thousandths < 0 {
            return Err(PriceError::Negative);
        }
        if ten_thousandths > Self::MAX {
            Err(PriceError::TooLarge)
        } else {
            Ok(Self(ten_thousandths))
        }
    }

    /// Ten-thousandths of the major unit; 0 for a text that was no price (the door refuses those bodies before).
    #[must_use]
    pub const fn ten_thousandths(self) -> i64 {
        if self.0 < 0 { 0 } else { self.0 }
    }

    /// What was wrong with the text that this was read from.
    #[must_use]
    pub const fn fault(self) -> Option<PriceError> {
        match self.0 {
            SHAPE => Some(PriceError::Shape),
            TOO_FINE => Some(PriceError::TooFine),
            NEGATIVE => Some(PriceError::Negative),
            TOO_LARGE => Some(PriceError::TooLarge),
            _ => None,
        }
    }

    const fn faulty(error: PriceError) -> Self {
        Self(match error {
            PriceError::Shape => SHAPE,
            PriceError::TooFine => TOO_FINE,
            PriceError::Negative => NEGATIVE,
            PriceError::TooLarge => TOO_LARGE,
        })
    }
}

impl FromStr for PriceText {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Self, PriceError> {
        if let Some(rest) = text.strip_prefix('-') {
            return Err(rest
                .parse::<Self>()
                .map_or(PriceError::Shape, |_| PriceError::Negative));
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let all_digits =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(PriceError::Shape);
        }
        if fraction.len() > 4 {
            return Err(PriceError::TooFine);
        }
        if whole.len() > 12 {
            return Err(PriceError::TooLarge);
        }
        let scale = [1_000, 100, 10, 1][fraction.len() - 1];
        let parts = (whole.parse::<i64>(), fraction.parse::<i64>());
        let (Ok(whole), Ok(fraction)) = parts else {
            return Err(PriceError::TooLarge);
        };
        Self::new(whole * 10_000 + fraction * scale)
    }
}

impl fmt::Display for PriceText {
    /// At least two decimals, as price tags have them; a third and fourth only where they say something.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (
            self.ten_thousandths() / 10_000,
            self.ten_thousandths() % 10_000,
        );
        match fraction {
            _ if fraction % 100 == 0 => write!(f, "{whole}.{:02}", fraction / 100),
            _ if fraction % 10 == 0 => write!(f, "{whole}.{:03}", fraction / 10),
            _ => write!(f, "{whole}.{fraction:04}"),
        }
    }
}

impl Serialize for PriceText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PriceText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(PriceVisitor)
    }
}

impl utoipa::PartialSchema for PriceText {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        crate::id::text_schema(
            "Price of one unit in the major unit, with up to four decimals.",
            "12.50",
        )
    }
}

impl utoipa::ToSchema for PriceText {}

struct PriceVisitor;

impl serde::de::Visitor<'_> for PriceVisitor {
    type Value = PriceText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a price as a string, like \"12.50\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<PriceText, E> {
        Ok(text.parse().unwrap_or_else(PriceText::faulty))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn prices_keep_up_to_four_decimals() {
        for (text, value, shown) in [
            ("12.50", 125_000, "12.50"),
            ("0", 0, "0.00"),
            ("0.0001", 1, "0.0001"),
            ("1.005", 10_050, "1.005"),
            ("7", 70_000, "7.00"),
            ("100000000", PriceText::MAX, "100000000.00"),
        ] {
            let price: PriceText = text.parse().unwrap();
            assert_eq!(
                (price.ten_thousandths(), price.to_string().as_str()),
                (value, shown)
            );
            assert_eq!(price.to_string().parse(), Ok(price));
        }
    }

    #[test]
    fn what_is_no_price_says_why() {
        for (text, error) in [
            ("1.00001", PriceError::TooFine),
            ("1.50000", PriceError::TooFine),
            ("-1", PriceError::Negative),
            ("-x", PriceError::Shape),
            ("100000000.0001", PriceError::TooLarge),
            ("99999999999999999999999999", PriceError::TooLarge),
            ("", PriceError::Shape),
            ("1.", PriceError::Shape),
            (".5", PriceError::Shape),
            ("+1", PriceError::Shape),
            ("1e3", PriceError::Shape),
            ("1,50", PriceError::Shape),
            ("NaN", PriceError::Shape),
        ] {
            assert_eq!(text.parse::<PriceText>(), Err(error), "{text}");
            let read: PriceText = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            assert_eq!(read.fault(), Some(error), "{text}");
        }
    }

    #[test]
    fn a_json_number_is_no_price() {
        let error = serde_json::from_str::<PriceText>("12.5")
            .unwrap_err()
            .to_string();
        assert!(error.contains("a price as a string"), "{error}");
    }
}
