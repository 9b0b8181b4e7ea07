//! Why a message that knocks in the name of a provider is not believed.

use api::{Code, Problem};
use world::ErrorKind;

use super::replay::TOLERANCE_S;

/// Why a callback does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KnockError {
    /// This provider is not the one that is connected.
    #[error("no such payment provider is connected here")]
    Nobody,
    /// Whoever wrote it does not have the key, or it was changed or cut on its way.
    #[error("{0}")]
    Forged(&'static str),
    /// The signature is good and its time is not: by so many seconds before our time, or after it when negative.
    #[error(
        "the callback was signed {} s {} this machine's time, at most {TOLERANCE_S} s are allowed: it is old, or this \
         machine's clock and the provider's disagree",
        .0.unsigned_abs(),
        if *.0 < 0 { "after" } else { "before" }
    )]
    Time(i64),
    /// The very same one was taken before.
    #[error("this callback was taken before")]
    Replayed,
    /// It is the provider's, and says something that cannot be meant for us.
    #[error("{0}")]
    Mismatch(String),
    /// It cannot be judged now; the provider brings it again.
    #[error("{0}")]
    Later(String),
}

impl KnockError {
    /// What the provider, or its operator, can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Replayed => ErrorKind::Conflict,
            Self::Later(_) => ErrorKind::Wait,
            Self::Nobody | Self::Forged(_) | Self::Time(_) | Self::Mismatch(_) => ErrorKind::Fix,
        }
    }

    /// The answer at the public door.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let code = match self {
            Self::Nobody => Code::NoRoute,
            Self::Forged(_) => Code::BadSignature,
            Self::Time(_) => Code::CallbackTime,
            Self::Replayed => Code::CallbackReplayed,
            Self::Mismatch(_) => Code::CallbackMismatch,
            Self::Later(_) => Code::Busy,
        };
        Problem::because(code, self.to_string())
    }

    /// Holds a signed time, in seconds since 1970, against ours.
    pub(super) fn check_time(signed_s: u64, now_ms: u64) -> Result<(), Self> {
        let now_s = now_ms / 1_000;
        if now_s.abs_diff(signed_s) <= TOLERANCE_S {
            return Ok(());
        }
        let behind = i128::from(now_s) - i128::from(signed_s);
        let most = i128::from(i64::MAX);
        Err(Self::Time(
            i64::try_from(behind.clamp(-most, most)).unwrap_or(i64::MAX),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skewed_clock_is_named_with_its_seconds() {
        assert_eq!(KnockError::check_time(1_000, 1_300_999), Ok(()));
        assert_eq!(KnockError::check_time(1_300, 1_000_000), Ok(()));
        let old = KnockError::check_time(1_000, 1_600_000);
        assert_eq!(old, Err(KnockError::Time(600)));
        let early = KnockError::check_time(u64::MAX, 0);
        assert_eq!(early, Err(KnockError::Time(-i64::MAX)));
        let text = KnockError::Time(-601).problem();
        assert!(text.detail().contains("601 s after"), "{}", text.detail());
    }
}
