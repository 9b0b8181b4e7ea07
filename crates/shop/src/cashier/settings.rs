//! How the cashier works.

use std::time::Duration;

use resilience::{Meter, Pace, TripRule, breaker, bulkhead};
use serde::{Deserialize, Serialize};
use stdx::backoff::Backoff;
use telemetry::EffectKind;

/// How the cashier works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Effects that may wait at the door, and effects that are worked on or wait for a retry. More are left to the
    /// reconciler. Limit: 1 to 1,000,000.
    pub queue_effects_max: usize,
    /// Effects that are at the provider at the same time. Limit: 1 to 1,024.
    pub workers: usize,
    /// How long a call to the provider may take, in milliseconds. Limit: 1 to 60,000.
    pub call_timeout_ms: u64,
    /// Calls of one kind (charge, refund, question) that are at the provider at the same time. Limit: 1 to 1,024.
    pub bulkhead_calls_max: usize,
    /// How long a call waits for a place among them, in milliseconds; then it comes again later. Limit: 0 to 10,000.
    pub bulkhead_wait_ms: u64,
    /// Charges that are sent to the provider each second, as it publishes them; what is above waits, with its key, and is
    /// not failed. 0 for no limit. Limit: 0 to 1,000,000.
    pub charges_per_s_max: u32,
    /// The same for refunds. 0 for no limit. Limit: 0 to 1,000,000.
    pub refunds_per_s_max: u32,
    /// The same for questions, those of reconciliation too. 0 for no limit. Limit: 0 to 1,000,000.
    pub questions_per_s_max: u32,
    /// Calls of one kind that may be sent at once after a pause, where its rate is limited. Limit: 1 to 100,000.
    pub rate_burst_max: u32,
    /// Failures of one kind of calls within the window that open its breaker when their share is too large as well; 0
    /// to switch this rule off. Limit: 0 to 1,000,000.
    pub breaker_failures_max: u32,
    /// The share of failures in the window that a breaker bears, in thousandths. Limit: 0 to 999.
    pub breaker_failures_per_mille_max: u32,
    /// How far these two rules look back, in milliseconds. Limit: 1,000 to 3,600,000.
    pub breaker_window_ms: u64,
    /// Failures in a row of one kind of calls that its breaker bears; 0 to switch this rule off. A usual value is 5,
    /// with 30,000 for `breaker_open_ms`. Limit: 0 to 1,000,000.
    pub breaker_failures_in_a_row_max: u32,
    /// How long an open breaker lets no call through, in milliseconds. Limit: 10 to 3,600,000.
    pub breaker_open_ms: u64,
    /// Calls that a half-open breaker lets through; their answers close it. Limit: 1 to 1,000.
    pub breaker_probes_max: u32,
    /// Tries after the first before an effect is left to the reconciler. Limit: 0 to 20.
    pub retries_max: u32,
    /// The wait before the first retry, in milliseconds, before chance shortens it; it doubles each time. Limit: 1 to
    /// 60,000.
    pub retry_base_ms: u64,
    /// The longest wait before a retry, in milliseconds. Limit: at least `retry_base_ms`, at most 3,600,000.
    pub retry_max_ms: u64,
    /// Retries that each hundred first calls allow. Limit: 0 to 100.
    pub retry_budget_percent: u32,
    /// Retries that are allowed each second however few first calls there are. Limit: 1 to 10,000.
    pub retry_floor_per_s: u32,
    /// Unused retries that are kept for later, at most. Limit: 1 to 100,000.
    pub retry_burst_max: u32,
    /// How often all books are searched for effects without an outcome, in milliseconds. Limit: 1,000 to 86,400,000.
    pub reconcile_every_ms: u64,
    /// How old an effect without an outcome must be for that search, in milliseconds. Limit: 0 to 86,400,000.
    pub reconcile_older_ms: u64,
    /// How long that search may take, in milliseconds. Limit: 100 to 600,000.
    pub reconcile_budget_ms: u64,
    /// The least time between two searches after effects were left behind, in milliseconds. Limit: 10 to 600,000.
    pub rescan_ms: u64,
    /// Questions per second about charges and refunds of which the provider has said that they take their time, so that
    /// many buyers who look for their cards do not use up what it allows. Limit: 1 to 1,000.
    pub waiting_asks_per_s: u32,
    /// How long a stop waits for calls under way, in milliseconds; what is left is found at the next start. Limit: 0
    /// to 60,000.
    pub stop_grace_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            queue_effects_max: 10_000,
            workers: 64,
            call_timeout_ms: 3_000,
            bulkhead_calls_max: 48,
            bulkhead_wait_ms: 50,
            charges_per_s_max: 0,
            refunds_per_s_max: 0,
            questions_per_s_max: 0,
            rate_burst_max: 10,
            breaker_failures_max: 50,
            breaker_failures_per_mille_max: 600,
            breaker_window_ms: 60_000,
            breaker_failures_in_a_row_max: 0,
            breaker_open_ms: 10_000,
            breaker_probes_max: 10,
            retries_max: 3,
            retry_base_ms: 1_000,
            retry_max_ms: 4_000,
            retry_budget_percent: 10,
            retry_floor_per_s: 10,
            retry_burst_max: 100,
            reconcile_every_ms: 300_000,
            reconcile_older_ms: 120_000,
            reconcile_budget_ms: 60_000,
            rescan_ms: 1_000,
            waiting_asks_per_s: 50,
            stop_grace_ms: 5_000,
        }
    }
}

/// An option that is out of its limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option} is {value}, expected {least} to {most}")]
pub struct SettingsError {
    /// Which option.
    pub option: &'static str,
    /// Its value.
    pub value: u64,
    /// The least that is allowed.
    pub least: u64,
    /// The most that is allowed.
    pub most: u64,
}

/// Holds an option against its limits.
pub(crate) fn within(
    option: &'static str,
    value: u64,
    least: u64,
    most: u64,
) -> Result<(), SettingsError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(SettingsError {
        option,
        value,
        least,
        most,
    })
}

impl Settings {
    /// Holds every option against its limits.
    ///
    /// # Errors
    /// The first option that is out of its limits.
    pub fn check(&self) -> Result<(), SettingsError> {
        within(
            "queue_effects_max",
            self.queue_effects_max as u64,
            1,
            1_000_000,
        )?;
        within("workers", self.workers as u64, 1, 1_024)?;
        within("call_timeout_ms", self.call_timeout_ms, 1, 60_000)?;
        self.check_guard()?;
        within("retries_max", u64::from(self.retries_max), 0, 20)?;
        within("retry_base_ms", self.retry_base_ms, 1, 60_000)?;
        within(
            "retry_max_ms",
            self.retry_max_ms,
            self.retry_base_ms,
            3_600_000,
        )?;
        within(
            "retry_budget_percent",
            u64::from(self.retry_budget_percent),
            0,
            100,
        )?;
        within(
            "retry_floor_per_s",
            u64::from(self.retry_floor_per_s),
            1,
            10_000,
        )?;
        within(
            "retry_burst_max",
            u64::from(self.retry_burst_max),
            1,
            100_000,
        )?;
        within(
            "reconcile_every_ms",
            self.reconcile_every_ms,
            1_000,
            86_400_000,
        )?;
        within("reconcile_older_ms", self.reconcile_older_ms, 0, 86_400_000)?;
        within(
            "reconcile_budget_ms",
            self.reconcile_budget_ms,
            100,
            600_000,
        )?;
        within("rescan_ms", self.rescan_ms, 10, 600_000)?;
        within(
            "waiting_asks_per_s",
            u64::from(self.waiting_asks_per_s),
            1,
            1_000,
        )?;
        within("stop_grace_ms", self.stop_grace_ms, 0, 60_000)
    }

    fn check_guard(&self) -> Result<(), SettingsError> {
        let places = self.bulkhead_calls_max as u64;
        within("bulkhead_calls_max", places, 1, 1_024)?;
        within("bulkhead_wait_ms", self.bulkhead_wait_ms, 0, 10_000)?;
        self.check_rates()?;
        let failures = u64::from(self.breaker_failures_max);
        within("breaker_failures_max", failures, 0, 1_000_000)?;
        let share = u64::from(self.breaker_failures_per_mille_max);
        within("breaker_failures_per_mille_max", share, 0, 999)?;
        within(
            "breaker_window_ms",
            self.breaker_window_ms,
            1_000,
            3_600_000,
        )?;
        let row = u64::from(self.breaker_failures_in_a_row_max);
        within("breaker_failures_in_a_row_max", row, 0, 1_000_000)?;
        within("breaker_open_ms", self.breaker_open_ms, 10, 3_600_000)?;
        within(
            "breaker_probes_max",
            u64::from(self.breaker_probes_max),
            1,
            1_000,
        )
    }

    fn check_rates(&self) -> Result<(), SettingsError> {
        for (name, rate) in [
            ("charges_per_s_max", self.charges_per_s_max),
            ("refunds_per_s_max", self.refunds_per_s_max),
            ("questions_per_s_max", self.questions_per_s_max),
        ] {
            within(name, u64::from(rate), 0, 1_000_000)?;
        }
        within("rate_burst_max", u64::from(self.rate_burst_max), 1, 100_000)
    }

    /// The rate of one kind of calls, where it has one.
    pub(super) fn rate(&self, effect: EffectKind) -> Option<Meter> {
        let per_s = match effect {
            EffectKind::Charge => self.charges_per_s_max,
            EffectKind::Refund => self.refunds_per_s_max,
            EffectKind::Lookup => self.questions_per_s_max,
        };
        let second = Duration::from_secs(1);
        (per_s > 0).then(|| Meter::new(Pace::new(per_s, second, self.rate_burst_max)))
    }

    /// How the breaker of each kind of calls works.
    pub(super) fn breaker(&self) -> breaker::Settings {
        let by_share = TripRule::Ratio {
            failures_max: self.breaker_failures_max,
            failures_per_mille_max: self.breaker_failures_per_mille_max,
        };
        let in_a_row = TripRule::Consecutive {
            failures_max: self.breaker_failures_in_a_row_max,
        };
        let by_share = (self.breaker_failures_max > 0).then_some(by_share);
        let in_a_row = (self.breaker_failures_in_a_row_max > 0).then_some(in_a_row);
        breaker::Settings {
            rules: by_share.into_iter().chain(in_a_row).collect(),
            window: Duration::from_millis(self.breaker_window_ms),
            open: Duration::from_millis(self.breaker_open_ms),
            probes_max: self.breaker_probes_max,
        }
    }

    /// The places for each kind of calls.
    pub(super) fn bulkhead(&self) -> bulkhead::Settings {
        bulkhead::Settings {
            calls_max: self.bulkhead_calls_max,
            // Whoever works for the cashier may wait; there are no more of them.
            waiting_max: self.workers.saturating_mul(2),
            wait_max: Duration::from_millis(self.bulkhead_wait_ms),
        }
    }

    /// The waits between tries at the provider.
    pub(super) fn backoff(&self) -> Backoff {
        Backoff {
            base: Duration::from_millis(self.retry_base_ms),
            most: Duration::from_millis(self.retry_max_ms),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_limits_and_a_zero_is_not() {
        Settings::default().check().unwrap();
        let none = Settings {
            workers: 0,
            ..Settings::default()
        };
        let error = none.check().unwrap_err();
        assert_eq!(error.to_string(), "workers is 0, expected 1 to 1024");
    }

    #[test]
    fn an_unknown_option_is_refused() {
        assert!(serde_json::from_str::<Settings>(r#"{"wrokers":1}"#).is_err());
        let few: Settings = serde_json::from_str(r#"{"workers":3}"#).unwrap();
        assert_eq!((few.workers, few.queue_effects_max), (3, 10_000));
    }
}
