//! What the sandbox is told to do, whatever chance would say: "the third charge is declined", "at ten seconds nobody
//! answers for a minute".

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Lines of a script, at most.
pub(super) const LINES_MAX: usize = 10_000;

/// What becomes of a charge or refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// It is done at once: captured, or given back.
    Done,
    /// It is declined.
    Declined,
    /// It is declined, and done later all the same.
    Fickle,
    /// It is pending first, and done later.
    Pending,
    /// It is done, and the answer is lost.
    LostAnswer,
    /// It is done, and the answer is slow.
    Slow,
}

/// One charge or refund of the script, by when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scripted {
    /// Which one, from 1; a request that comes again is the one that it was.
    pub nth: usize,
    /// What becomes of it.
    pub does: Act,
}

/// A time in which nobody is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// When it begins, milliseconds after the sandbox began.
    pub at_ms: u64,
    /// How long it is, in milliseconds.
    pub for_ms: u64,
}

/// A script.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Charges.
    pub charge: Vec<Scripted>,
    /// Refunds.
    pub refund: Vec<Scripted>,
    /// Outages.
    pub outage: Vec<Outage>,
}

/// What is wrong with a script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// Too long.
    #[error("the script has {0} lines, expected at most {LINES_MAX}")]
    Long(usize),
    /// Counting begins with 1.
    #[error("there is no {0} number 0; the first is 1")]
    Zero(&'static str),
    /// Two lines for one charge or refund.
    #[error("{0} number {1} stands twice in the script")]
    Twice(&'static str, usize),
    /// An outage of no length.
    #[error("the outage at {0} ms lasts 0 ms")]
    Empty(u64),
}

impl Script {
    /// Whether it can be played.
    ///
    /// # Errors
    /// The first line that makes no sense.
    pub fn check(&self) -> Result<(), ScriptError> {
        let lines = self.charge.len() + self.refund.len() + self.outage.len();
        if lines > LINES_MAX {
            return Err(ScriptError::Long(lines));
        }
        for (what, lines) in [("charge", &self.charge), ("refund", &self.refund)] {
            let mut known = BTreeMap::new();
            for line in lines {
                if line.nth == 0 {
                    return Err(ScriptError::Zero(what));
                }
                if known.insert(line.nth, line.does).is_some() {
                    return Err(ScriptError::Twice(what, line.nth));
                }
            }
        }
        let empty = self.outage.iter().find(|outage| outage.for_ms == 0);
        empty.map_or(Ok(()), |outage| Err(ScriptError::Empty(outage.at_ms)))
    }
}

/// A script that is being played.
#[derive(Debug, Default)]
pub(super) struct Play {
    charges: BTreeMap<usize, Act>,
    refunds: BTreeMap<usize, Act>,
    outages: Vec<(Duration, Duration)>,
}

impl Play {
    /// Plays a script from this moment on.
    pub(super) fn begin(script: &Script, now: Duration) -> Self {
        let acts = |lines: &[Scripted]| lines.iter().map(|line| (line.nth, line.does)).collect();
        let outage = |outage: &Outage| {
            let begins = now + Duration::from_millis(outage.at_ms);
            (begins, begins + Duration::from_millis(outage.for_ms))
        };
        Self {
            charges: acts(&script.charge),
            refunds: acts(&script.refund),
            outages: script.outage.iter().map(outage).collect(),
        }
    }

    pub(super) fn charge(&self, nth: usize) -> Option<Act> {
        self.charges.get(&nth).copied()
    }

    pub(super) fn refund(&self, nth: usize) -> Option<Act> {
        self.refunds.get(&nth).copied()
    }

    /// Nobody is answered from now on for so long.
    pub(super) fn go_out(&mut self, now: Duration, length: Duration) {
        self.outages.retain(|(_, end)| *end > now);
        self.outages.push((now, now + length));
    }

    /// Whether nobody is answered now.
    pub(super) fn is_out(&self, now: Duration) -> bool {
        self.outages
            .iter()
            .any(|(begin, end)| (*begin..*end).contains(&now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_what_is_wrong_with_it() {
        let read = |text| serde_json::from_str::<Script>(text).map_err(|error| error.to_string());
        let good = read(
            r#"{"charge":[{"nth":3,"does":"declined"}],"outage":[{"at_ms":10000,"for_ms":60000}]}"#,
        );
        assert_eq!(good.map(|script| script.check()), Ok(Ok(())));
        for wrong in [
            r#"{"charge":[{"nth":0,"does":"done"}]}"#,
            r#"{"refund":[{"nth":1,"does":"done"},{"nth":1,"does":"slow"}]}"#,
            r#"{"outage":[{"at_ms":1,"for_ms":0}]}"#,
        ] {
            assert!(
                read(wrong).is_ok_and(|script| script.check().is_err()),
                "{wrong}"
            );
        }
        assert!(read(r#"{"charges":[]}"#).is_err());
        assert!(read(r#"{"charge":[{"nth":1,"does":"vanish"}]}"#).is_err());
    }

    #[test]
    fn an_outage_has_a_beginning_and_an_end() {
        let outage = Outage {
            at_ms: 10_000,
            for_ms: 60_000,
        };
        let script = Script {
            outage: vec![outage],
            ..Script::default()
        };
        let second = Duration::from_secs(1);
        let mut play = Play::begin(&script, 5 * second);
        let out = |play: &Play, at: u32| play.is_out(at * second);
        assert_eq!(
            [14, 15, 74, 75].map(|at| out(&play, at)),
            [false, true, true, false]
        );
        play.go_out(100 * second, second);
        assert_eq!([100, 101].map(|at| out(&play, at)), [true, false]);
    }
}
