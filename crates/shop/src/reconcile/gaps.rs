//! The differences that are open, and since when.

use std::collections::BTreeMap;
use std::time::Duration;

use telemetry::fact::GapFound;
use telemetry::{Gap, Telemetry};

use super::judge::What;

/// Differences that are kept, at most; more are counted and told all the same.
const KEPT_MAX: usize = 100_000;

/// Which difference: of which sale, order and thing.
pub(super) type Name = (u32, u64, What);

/// An open difference.
#[derive(Debug, Clone)]
struct Open {
    kind: Gap,
    since_ms: u64,
    /// The desk was told already; a second report would change nothing.
    reported: bool,
}

/// All open differences.
#[derive(Debug, Default)]
pub(super) struct Gaps(BTreeMap<Name, Open>);

impl Gaps {
    /// A difference was seen, since this time at least; alarms when it is new.
    pub(super) fn seen(
        &mut self,
        name: Name,
        kind: Gap,
        since_ms: u64,
        detail: &str,
        telemetry: &Telemetry,
    ) {
        let known = self.0.get(&name).is_some_and(|open| open.kind == kind);
        if known {
            return;
        }
        telemetry.tell(&GapFound { kind, detail });
        if self.0.len() < KEPT_MAX {
            let reported = false;
            let open = Open {
                kind,
                since_ms,
                reported,
            };
            self.0.insert(name, open);
        }
    }

    /// Whether the desk is to be told; says so once.
    pub(super) fn report_once(&mut self, name: Name) -> bool {
        let open = self.0.get_mut(&name);
        open.is_some_and(|open| !std::mem::replace(&mut open.reported, true))
    }

    /// The desk did not take the report; it shall be told again.
    pub(super) fn report_again(&mut self, name: Name) {
        if let Some(open) = self.0.get_mut(&name) {
            open.reported = false;
        }
    }

    /// Everything of an order that is not among these is gone.
    pub(super) fn only(&mut self, sale: u32, order: u64, still: &[What]) {
        let of_order = (sale, order, What::Charge(0))..=(sale, order, What::Row);
        let gone = self.0.range(of_order).map(|(name, _)| *name);
        let gone: Vec<Name> = gone.filter(|(.., what)| !still.contains(what)).collect();
        for name in gone {
            self.0.remove(&name);
        }
    }

    /// What became so old that nobody looks at it any more is let go of.
    pub(super) fn forget_before(&mut self, time_ms: u64) {
        self.0.retain(|_, open| open.since_ms >= time_ms);
    }

    /// Open differences by kind, in the order of [`Gap::ALL`].
    pub(super) fn by_kind(&self) -> Vec<u64> {
        let mut counts = vec![0; Gap::ALL.len()];
        for open in self.0.values() {
            counts[open.kind as usize] += 1;
        }
        counts
    }

    /// Age of the oldest.
    pub(super) fn oldest(&self, now_ms: u64) -> Duration {
        let since = self.0.values().map(|open| open.since_ms).min();
        Duration::from_millis(since.map_or(0, |since| now_ms.saturating_sub(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_ages_until_it_is_gone_and_is_reported_once() {
        let telemetry = Telemetry::new();
        let mut gaps = Gaps::default();
        let name = (1, 7, What::Charge(1));
        gaps.seen(name, Gap::TakenDeclined, 1_000, "taken", &telemetry);
        gaps.seen(name, Gap::TakenDeclined, 5_000, "taken", &telemetry);
        assert_eq!(telemetry.meters().outside.gaps(Gap::TakenDeclined).get(), 1);
        assert_eq!(gaps.oldest(61_000), Duration::from_secs(60));
        assert!(gaps.report_once(name));
        assert!(!gaps.report_once(name));
        gaps.only(1, 7, &[What::Charge(1)]);
        assert_eq!(gaps.by_kind().iter().sum::<u64>(), 1);
        gaps.only(1, 7, &[]);
        assert_eq!(gaps.oldest(61_000), Duration::ZERO);
    }
}
