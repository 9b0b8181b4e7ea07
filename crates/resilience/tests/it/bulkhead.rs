//! The bulkhead, and the retry budget, under long random days.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidegate_resilience::bulkhead::{Settings, Ticket};
use tidegate_resilience::{Budget, Bulkhead, Entry};

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn never_more_inside_than_places_and_nobody_is_lost(
        steps in prop::collection::vec((0_u8..4, 0_u64..40), 1..400), calls_max in 1_usize..5, waiting_max in 0_usize..5,
    ) {
        let wait_max = Duration::from_millis(50);
        let mut bulkhead = Bulkhead::new(Settings { calls_max, waiting_max, wait_max });
        let mut inside = 0_usize;
        let mut line: BTreeMap<Ticket, Duration> = BTreeMap::new();
        let mut now = Duration::ZERO;
        for (what, ms) in steps {
            match what {
                0 | 1 => match bulkhead.enter(now) {
                    Entry::In => {
                        prop_assert!(inside < calls_max && line.is_empty());
                        inside += 1;
                    }
                    Entry::Wait(ticket, until) => {
                        prop_assert!(inside == calls_max || !line.is_empty());
                        line.insert(ticket, until);
                    }
                    Entry::Full => prop_assert_eq!(line.len(), waiting_max),
                },
                2 if inside > 0 => {
                    inside -= 1;
                    let expected = line.iter().find(|(_, until)| now < **until).map(|(ticket, _)| *ticket);
                    prop_assert_eq!(bulkhead.leave(now), expected);
                    match expected {
                        Some(ticket) => { line.retain(|other, _| *other > ticket); inside += 1; }
                        None => line.clear(),
                    }
                }
                3 => if let Some((ticket, _)) = line.pop_last() { prop_assert!(bulkhead.give_up(ticket)); },
                _ => {}
            }
            now += Duration::from_millis(ms);
            prop_assert_eq!((bulkhead.inside(), bulkhead.waiting()), (inside, line.len()));
            prop_assert!(inside <= calls_max && line.len() <= waiting_max);
        }
    }

    /// dtm#306: a compensation was retried eighty times a second, for as long as the provider was down.
    #[test]
    fn retries_never_exceed_share_floor_and_burst(
        steps in prop::collection::vec((0_u8..3, 0_u64..400), 1..400), percent in 0_u32..50, floor in 1_u32..20,
    ) {
        let burst = 10;
        let mut budget = Budget::new(percent, floor, burst, Duration::ZERO);
        let (mut now, mut calls, mut retries) = (Duration::ZERO, 0_u64, 0_u64);
        for (what, ms) in steps {
            match what {
                0 => { budget.called(); calls += 1; }
                1 => retries += u64::from(budget.take(now).is_some()),
                _ => now += Duration::from_millis(ms),
            }
            let earned = calls * u64::from(percent) * 10 + u64::try_from(now.as_millis()).unwrap_or(0) * u64::from(floor);
            prop_assert!(retries * 1_000 <= u64::from(burst) * 1_000 + earned);
        }
    }
}
