//! How much of an item's demand is in stock.

use std::fmt;
use std::str::FromStr;

/// A share of the demand in millionths, from 0 to 10: `1.0` is all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StockShare {
    millionths: u32,
}

/// A text that is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a share from 0 to 10 with at most six decimals, like `0.8`")]
pub struct ShareError;

const WHOLE: u32 = 1_000_000;

impl StockShare {
    /// The whole demand.
    pub const ALL: Self = Self { millionths: WHOLE };

    /// This share of a demand, rounded down; `None` above what a sale may hold.
    #[must_use]
    pub fn of(self, demand: u64) -> Option<u32> {
        let units = u128::from(demand) * u128::from(self.millionths) / u128::from(WHOLE);
        let units = u32::try_from(units).ok()?;
        (units <= api::limits::STOCK_MAX).then_some(units)
    }
}

impl FromStr for StockShare {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str, most: usize| {
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, 2) || !digits(fraction, 6) {
            return Err(ShareError);
        }
        let fraction: u32 = format!("{fraction:0<6}").parse().map_err(|_| ShareError)?;
        let whole: u32 = whole.parse().map_err(|_| ShareError)?;
        let millionths = whole * WHOLE + fraction;
        if millionths > 10 * WHOLE {
            return Err(ShareError);
        }
        Ok(Self { millionths })
    }
}

impl fmt::Display for StockShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:06}", self.millionths % WHOLE);
        let kept = fraction.trim_end_matches('0');
        let kept = if kept.is_empty() { "0" } else { kept };
        write!(f, "{}.{kept}", self.millionths / WHOLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_exact_and_rounds_down() {
        for (text, demand, units) in [
            ("1", 7, Some(7)),
            ("1.0", 7, Some(7)),
            ("0.8", 5, Some(4)),
            ("0.7", 10, Some(7)),
            ("0.333333", 3, Some(0)),
            ("0", 9, Some(0)),
            ("10", 100_000_000, Some(1_000_000_000)),
            ("10", 100_000_001, None),
        ] {
            let share = text.parse::<StockShare>();
            assert_eq!(share.map(|share| share.of(demand)), Ok(units), "{text}");
        }
        assert_eq!(
            "0.50".parse().map(|share: StockShare| share.to_string()),
            Ok("0.5".into())
        );
        assert_eq!(StockShare::ALL.to_string(), "1.0");
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for text in [
            "",
            "-1",
            "10.000001",
            "1e3",
            ".5",
            "1.",
            "0.1234567",
            "NaN",
            "100",
        ] {
            assert_eq!(text.parse::<StockShare>(), Err(ShareError), "{text}");
        }
    }
}
