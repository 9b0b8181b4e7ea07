//! How the sandbox behaves.

use serde::{Deserialize, Serialize};

use super::chance::PerMille;
use crate::cashier::SettingsError;

/// What the sandbox does with the refund of a charge that it never heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownCharge {
    /// It believes that there was one: a sandbox in the shop's process forgets its ledger when that process ends, the
    /// shop does not.
    #[default]
    Trust,
    /// It declines: a sandbox that outlives the shop is a witness against it.
    Decline,
}

/// How the sandbox behaves. All shares are in thousandths, 0 to 1,000.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where its chance begins; the same seed gives the same key the same outcome.
    pub seed: u64,
    /// Share of charges that are declined.
    pub decline_per_mille: PerMille,
    /// Share of refunds that are declined.
    pub refund_decline_per_mille: PerMille,
    /// Share of charges and refunds that are pending first; a callback tells their end.
    pub pending_per_mille: PerMille,
    /// How long they are pending at most, in milliseconds. Limit: 0 to 3,600,000.
    pub pending_ms_max: u64,
    /// Share of calls whose answer is slow.
    pub slow_per_mille: PerMille,
    /// How slow, in milliseconds. Limit: 0 to 3,600,000.
    pub slow_ms: u64,
    /// Share of calls whose work is done and whose answer is lost.
    pub lost_answer_per_mille: PerMille,
    /// Share of charges and refunds that a callback tells of although the answer did already.
    pub callback_per_mille: PerMille,
    /// Share of declined charges that are captured later all the same.
    pub fickle_per_mille: PerMille,
    /// How much later at most, in milliseconds. Limit: 0 to 86,400,000.
    pub fickle_ms_max: u64,
    /// Share of callbacks that are never sent.
    pub lost_callback_per_mille: PerMille,
    /// Share of callbacks that come twice.
    pub duplicate_callback_per_mille: PerMille,
    /// How late a callback comes at most, in milliseconds; chance decides, so they overtake one another. Limit: 0 to
    /// 3,600,000.
    pub callback_delay_ms_max: u64,
    /// What happens to the refund of an unknown charge.
    pub unknown_charge: UnknownCharge,
    /// Charges and refunds in its ledger, at most. Limit: 1 to 100,000,000.
    pub records_max: usize,
}

impl Default for Settings {
    /// A provider that is always right and always quick.
    fn default() -> Self {
        let never = PerMille::default();
        Self {
            seed: 1,
            decline_per_mille: never,
            refund_decline_per_mille: never,
            pending_per_mille: never,
            pending_ms_max: 2_000,
            slow_per_mille: never,
            slow_ms: 300,
            lost_answer_per_mille: never,
            callback_per_mille: never,
            fickle_per_mille: never,
            fickle_ms_max: 60_000,
            lost_callback_per_mille: never,
            duplicate_callback_per_mille: never,
            callback_delay_ms_max: 500,
            unknown_charge: UnknownCharge::default(),
            records_max: 10_000_000,
        }
    }
}

impl Settings {
    /// A provider with the habits that real ones have, each now and then; but it keeps its word and its callbacks come,
    /// so that a drill that waits for the last of them need not wait for the reconciler too.
    #[must_use]
    pub fn lively(seed: u64) -> Self {
        let share = |thousandths| PerMille::new(thousandths).unwrap_or_default();
        Self {
            seed,
            decline_per_mille: share(50),
            refund_decline_per_mille: share(20),
            pending_per_mille: share(20),
            slow_per_mille: share(10),
            lost_answer_per_mille: share(10),
            callback_per_mille: share(50),
            duplicate_callback_per_mille: share(200),
            ..Self::default()
        }
    }

    /// Holds every option against its limits.
    ///
    /// # Errors
    /// The first option that is out of its limits.
    pub fn check(&self) -> Result<(), SettingsError> {
        let within = crate::cashier::within;
        within("pending_ms_max", self.pending_ms_max, 0, 3_600_000)?;
        within("fickle_ms_max", self.fickle_ms_max, 0, 86_400_000)?;
        within("slow_ms", self.slow_ms, 0, 3_600_000)?;
        within(
            "callback_delay_ms_max",
            self.callback_delay_ms_max,
            0,
            3_600_000,
        )?;
        within("records_max", self.records_max as u64, 1, 100_000_000)
    }
}
