//! What lives came to: the figures of one drill, judged, and their sums.

use std::fmt;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The figures of a drill that count here.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Life {
    accepted: u64,
    requests: u64,
    kills: u64,
    storm: Storm,
    verdict: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Storm {
    stops: u64,
    full: u64,
    read_only: u64,
    frozen: u64,
    slow: u64,
    healing_ms_max: f64,
    settled_ms: f64,
}

impl Life {
    /// Reads what the drill printed.
    pub(super) fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text.trim()).with_context(|| format!("not a report: {text:?}"))
    }

    /// A life counts if its verdict is `ok` and every fault that was planned took place.
    pub(super) fn judged(self, kills: u32, faults: &[&str]) -> Result<Self> {
        if self.verdict != "ok" {
            bail!("the verdict is {}: {self:?}", self.verdict);
        }
        if self.kills < u64::from(kills) {
            bail!("{} kills of {kills} took place", self.kills);
        }
        for fault in faults {
            if self.count(fault) == 0 {
                bail!("{fault} was planned and did not take place");
            }
        }
        Ok(self)
    }

    fn count(&self, fault: &str) -> u64 {
        match fault {
            "stop" => self.storm.stops,
            "full" => self.storm.full,
            "read-only" => self.storm.read_only,
            "freeze" => self.storm.frozen,
            "slow" => self.storm.slow,
            _ => 0,
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let storm = &self.storm;
        write!(
            f,
            "{}, {} orders, healed in {:.0} ms, settled in {:.0} ms",
            self.verdict, self.accepted, storm.healing_ms_max, storm.settled_ms
        )
    }
}

/// The sums of a run.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Toll {
    pub(super) lives: u64,
    orders: u64,
    requests: u64,
    kills: u64,
    stops: u64,
    full: u64,
    read_only: u64,
    frozen: u64,
    slow: u64,
}

impl Toll {
    pub(super) fn add(&mut self, life: &Life) {
        self.lives += 1;
        self.orders += life.accepted;
        self.requests += life.requests;
        self.kills += life.kills;
        self.stops += life.storm.stops;
        self.full += life.storm.full;
        self.read_only += life.storm.read_only;
        self.frozen += life.storm.frozen;
        self.slow += life.storm.slow;
    }
}

impl fmt::Display for Toll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lives, {} kills, {} stops, {} full, {} read-only, {} frozen, {} slow, {} orders, {} requests",
            self.lives,
            self.kills,
            self.stops,
            self.full,
            self.read_only,
            self.frozen,
            self.slow,
            self.orders,
            self.requests
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(verdict: &str, slow: u64) -> Life {
        let text = format!(
            r#"{{"buyers":9,"accepted":5,"requests":40,"kills":1,"verdict":"{verdict}","storm":{{"stops":1,"full":1,
            "read_only":1,"frozen":1,"slow":{slow},"healing_ms_max":4.5,"settled_ms":9.0}}}}"#
        );
        Life::read(&text).unwrap()
    }

    #[test]
    fn a_fault_that_did_not_take_place_fails_the_life() {
        assert!(life("ok", 1).judged(1, &["stop", "slow"]).is_ok());
        let error = life("ok", 0).judged(1, &["stop", "slow"]).unwrap_err();
        assert!(error.to_string().contains("slow"), "{error}");
        assert!(life("ok", 1).judged(2, &[]).is_err());
        assert!(life("failed", 1).judged(1, &[]).is_err());
        assert!(Life::read("panicked").is_err());
    }

    #[test]
    fn lives_are_summed() {
        let mut toll = Toll::default();
        toll.add(&life("ok", 1));
        toll.add(&life("ok", 2));
        assert_eq!(
            (toll.lives, toll.orders, toll.kills, toll.slow),
            (2, 10, 2, 3)
        );
        assert!(toll.to_string().starts_with("2 lives, 2 kills"), "{toll}");
    }
}
