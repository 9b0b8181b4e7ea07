//! What becomes of a charge or refund: by its script, or by the chance that belongs to its key.

use std::time::Duration;

use api::provider::{ChargeOutcome, RefundOutcome};

use super::chance::Chance;
use super::script::Act;
use super::{Inner, Lots};

/// What becomes of a charge or refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fate<O> {
    /// Its end.
    pub(super) end: O,
    /// Until then it is pending.
    pub(super) decided: Duration,
    /// When its end turns into this, for a provider that changes its mind.
    pub(super) turns: Option<(Duration, O)>,
}

impl<O: Copy> Fate<O> {
    /// What is known at this time; `None` while it is pending.
    pub(super) fn at(&self, now: Duration) -> Option<O> {
        let turned = self.turns.filter(|(at, _)| now >= *at).map(|(_, end)| end);
        (now >= self.decided).then(|| turned.unwrap_or(self.end))
    }

    /// When it has its last word.
    pub(super) fn last_change(&self) -> Duration {
        self.turns.map_or(self.decided, |(at, _)| at)
    }
}

/// Both ends that there are.
#[derive(Debug, Clone, Copy)]
struct Ends<O> {
    done: O,
    declined: O,
}

impl Inner {
    /// What becomes of a charge: the nth that was taken in, or, in the place of a script, that of this name.
    pub(super) fn charge_fate(&self, name: &[u64; 2], act: Option<Act>) -> Fate<ChargeOutcome> {
        let ends = Ends {
            done: ChargeOutcome::Captured,
            declined: ChargeOutcome::Declined,
        };
        let chance = self.chance(Lots::ChargeEnd, name, 0);
        let declines = chance.hits(self.settings.decline_per_mille);
        self.fate(ends, declines, &chance, act)
    }

    /// What becomes of a refund.
    pub(super) fn refund_fate(&self, name: &[u64; 2], act: Option<Act>) -> Fate<RefundOutcome> {
        let ends = Ends {
            done: RefundOutcome::Refunded,
            declined: RefundOutcome::Declined,
        };
        let chance = self.chance(Lots::RefundEnd, name, 0);
        let declines = chance.hits(self.settings.refund_decline_per_mille);
        // A refund that was declined and goes back later would go back twice: the shop asks again under another key.
        let act = act.map(|act| {
            if act == Act::Fickle {
                Act::Declined
            } else {
                act
            }
        });
        let fate = self.fate(ends, declines, &chance, act);
        Fate {
            turns: None,
            ..fate
        }
    }

    fn fate<O: Copy>(
        &self,
        ends: Ends<O>,
        declines: bool,
        chance: &Chance,
        act: Option<Act>,
    ) -> Fate<O> {
        let settings = &self.settings;
        let now = self.clock.monotonic();
        let later = |most| now + Duration::from_millis(1 + chance.up_to(most));
        let pends = chance.hits(settings.pending_per_mille);
        let pends = act.map_or(pends, |act| act == Act::Pending);
        let decided = if pends {
            later(settings.pending_ms_max)
        } else {
            now
        };
        let declines = act.map_or(declines, |act| matches!(act, Act::Declined | Act::Fickle));
        // Lots are drawn in the same order whatever the shares are, so a new habit leaves the others as they were.
        let turns = chance.hits(settings.fickle_per_mille);
        let turns = declines && act.map_or(turns, |act| act == Act::Fickle);
        let after = Duration::from_millis(1 + chance.up_to(settings.fickle_ms_max));
        Fate {
            end: if declines { ends.declined } else { ends.done },
            decided,
            turns: turns.then_some((decided + after, ends.done)),
        }
    }
}
