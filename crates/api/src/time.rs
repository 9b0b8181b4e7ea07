//! Points in time: RFC 3339 in UTC with milliseconds.

use crate::id::as_text;
use std::fmt;
use std::str::FromStr;

/// Unix time in ms. Reads any RFC 3339 offset, writes UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// The latest time that is accepted: the end of the year 9998, so that sums do not leave the calendar.
    pub const MAX_MS: u64 = 253_370_764_799_999;

    /// A time from Unix milliseconds, cut off at [`Time::MAX_MS`].
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        if ms > Self::MAX_MS {
            Self(Self::MAX_MS)
        } else {
            Self(ms)
        }
    }

    /// Unix milliseconds.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.0
    }
}

/// A text that is no time between 1970 and 9998.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a time like `2026-11-11T00:00:00Z`")]
pub struct TimeError;

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0).map_err(|_| fmt::Error)?;
        let stamp = jiff::Timestamp::from_millisecond(ms).map_err(|_| fmt::Error)?;
        write!(f, "{stamp:.3}")
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        if text.len() > 40 || !text.contains(['T', 't']) {
            return Err(TimeError);
        }
        let stamp: jiff::Timestamp = text.parse().map_err(|_| TimeError)?;
        let ms = u64::try_from(stamp.as_millisecond()).map_err(|_| TimeError)?;
        if ms > Self::MAX_MS {
            Err(TimeError)
        } else {
            Ok(Self(ms))
        }
    }
}

as_text! {
    Time: "A point in time, RFC 3339; answers are in UTC with milliseconds.", like "2026-11-11T00:00:00.000Z";
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        assert_eq!(Time::from_ms(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            Time::from_ms(1_794_355_200_123).to_string(),
            "2026-11-11T00:00:00.123Z"
        );
        assert_eq!(
            Time::from_ms(u64::MAX).to_string(),
            "9998-12-31T23:59:59.999Z"
        );
    }

    #[test]
    fn any_offset_is_read_and_no_other_form() {
        assert_eq!(
            "2026-11-11T08:00:00.123+08:00".parse(),
            Ok(Time::from_ms(1_794_355_200_123))
        );
        for text in [
            "",
            "2026-11-11",
            "2026-11-11T00:00:00",
            "1969-12-31T23:59:59Z",
            "12 o'clock",
            "9999-06-01T00:00:00Z",
        ] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }
}
