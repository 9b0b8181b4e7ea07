//! The differences that are open, and since when.

use std::collections::BTreeMap;
use std::time::Duration;

use telemetry::fact::GapFound;
use telemetry::{Gap, Telemetry};

use super::judge::What;
use super::kept::KeptGap;

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
pub(super) struct Gaps {
    open: BTreeMap<Name, Open>,
    /// What is kept of them is not what is open any more.
    changed: bool,
}

impl Gaps {
    /// Those that an earlier run kept.
    pub(super) fn of(kept: Vec<KeptGap>) -> Self {
        let open = kept.into_iter().filter_map(|kept| {
            let kind = Gap::ALL.iter().find(|kind| kind.name() == kept.kind)?;
            let open = Open {
                kind: *kind,
                since_ms: kept.since_ms,
                reported: false,
            };
            Some(((kept.sale, kept.order, kept.what), open))
        });
        Self {
            open: open.take(KEPT_MAX).collect(),
            changed: false,
        }
    }

    /// What the next run has to know, if that has changed. Reports that match no order have a journal of their own.
    pub(super) fn take_unkept(&mut self) -> Option<Vec<KeptGap>> {
        let keep = |(name, open): (&Name, &Open)| KeptGap {
            sale: name.0,
            order: name.1,
            what: name.2,
            kind: open.kind.name().to_owned(),
            since_ms: open.since_ms,
        };
        let orders = self.open.iter().filter(|((sale, ..), _)| *sale != 0);
        let changed = std::mem::take(&mut self.changed);
        changed.then(|| orders.map(keep).collect())
    }

    /// It was not kept after all.
    pub(super) fn keep_again(&mut self) {
        self.changed = true;
    }

    /// The orders with differences, by sale.
    pub(super) fn orders(&self) -> BTreeMap<u32, Vec<u32>> {
        let mut found = BTreeMap::<u32, Vec<u32>>::new();
        for &(sale, order, _) in self.open.keys().filter(|(sale, ..)| *sale != 0) {
            let Ok(order) = u32::try_from(order) else {
                continue;
            };
            let orders = found.entry(sale).or_default();
            if orders.last() != Some(&order) {
                orders.push(order);
            }
        }
        found
    }

    /// A difference was seen, since this time at least; alarms when it is new.
    pub(super) fn seen(
        &mut self,
        name: Name,
        kind: Gap,
        since_ms: u64,
        detail: &str,
        telemetry: &Telemetry,
    ) {
        let known = self.open.get(&name).is_some_and(|open| open.kind == kind);
        if known {
            return;
        }
        telemetry.tell(&GapFound { kind, detail });
        if self.open.len() < KEPT_MAX {
            let reported = false;
            let open = Open {
                kind,
                since_ms,
                reported,
            };
            self.open.insert(name, open);
            self.changed = true;
        }
    }

    /// Whether the desk is to be told; says so once.
    pub(super) fn report_once(&mut self, name: Name) -> bool {
        let open = self.open.get_mut(&name);
        open.is_some_and(|open| !std::mem::replace(&mut open.reported, true))
    }

    /// The desk did not take the report; it shall be told again.
    pub(super) fn report_again(&mut self, name: Name) {
        if let Some(open) = self.open.get_mut(&name) {
            open.reported = false;
        }
    }

    /// Everything of an order that is not among these is gone.
    pub(super) fn only(&mut self, sale: u32, order: u64, still: &[What]) {
        let of_order = (sale, order, What::Charge(0))..=(sale, order, What::Row);
        let gone = self.open.range(of_order).map(|(name, _)| *name);
        let gone: Vec<Name> = gone.filter(|(.., what)| !still.contains(what)).collect();
        for name in gone {
            self.open.remove(&name);
            self.changed = true;
        }
    }

    /// A report that matched no order for so long is let go of: the journal keeps it, for people. A difference of an
    /// order ends when it is gone and not before.
    pub(super) fn forget_unmatched_before(&mut self, time_ms: u64) {
        let old = |open: &Open| open.kind == Gap::Unmatched && open.since_ms < time_ms;
        self.open.retain(|_, open| !old(open));
    }

    /// Open differences by kind, in the order of [`Gap::ALL`].
    pub(super) fn by_kind(&self) -> Vec<u64> {
        let mut counts = vec![0; Gap::ALL.len()];
        for open in self.open.values() {
            counts[open.kind as usize] += 1;
        }
        counts
    }

    /// Age of the oldest.
    pub(super) fn oldest(&self, now_ms: u64) -> Duration {
        let since = self.open.values().map(|open| open.since_ms).min();
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

    #[test]
    fn what_is_open_is_as_old_as_before_for_the_next_run() {
        let telemetry = Telemetry::new();
        let mut gaps = Gaps::default();
        let detail = "as the provider says";
        for (name, kind) in [
            ((2, 9, What::Charge(1)), Gap::DoneDenied),
            ((2, 9, What::Refund(3)), Gap::Amount),
            ((4, 1, What::Order), Gap::Unasked),
            ((0, 5, What::Row), Gap::Unmatched),
        ] {
            gaps.seen(name, kind, 1_000, detail, &telemetry);
        }
        let kept = gaps.take_unkept().expect("it is new");
        assert_eq!(kept.len(), 3, "reports have a journal of their own");
        assert_eq!(gaps.take_unkept(), None);
        let mut next = Gaps::of(kept);
        assert_eq!(next.orders(), BTreeMap::from([(2, vec![9]), (4, vec![1])]));
        next.forget_unmatched_before(50_000);
        assert_eq!(next.oldest(61_000), Duration::from_secs(60));
        next.seen(
            (2, 9, What::Charge(1)),
            Gap::DoneDenied,
            60_000,
            detail,
            &telemetry,
        );
        assert_eq!(next.take_unkept(), None, "it is known");
    }
}
