//! The rate limit against its definition, and against another implementation of the same algorithm.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::FakeRelativeClock;
use governor::{Quota, RateLimiter};
use proptest::prelude::*;
use tidegate_resilience::{Keyed, Meter, Pace};

fn pace() -> impl Strategy<Value = Pace> {
    let period = prop_oneof![Just(1_u64), Just(60)];
    (1_u32..2_000, period, 1_u32..50)
        .prop_map(|(count, period, burst)| Pace::new(count, Duration::from_secs(period), burst))
}

/// Microseconds that pass before the next one comes: mostly none, sometimes long.
fn pause() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0_u64), 3 => 0_u64..2_000, 2 => 0_u64..500_000, 1 => 0_u64..90_000_000]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn in_no_span_of_time_is_more_admitted_than_the_burst_and_what_came_back(
        pace in pace(), steps in prop::collection::vec((0_u128..6, pause()), 1..400),
    ) {
        let mut keyed = Keyed::new(pace, 6);
        let mut admitted: Vec<Vec<Duration>> = vec![Vec::new(); 6];
        let mut now = Duration::from_secs(1);
        for (key, pause) in steps {
            now += Duration::from_micros(pause);
            if keyed.take(key, now).is_ok() {
                admitted[usize::try_from(key).unwrap()].push(now);
            }
        }
        for times in &admitted {
            for (first, begin) in times.iter().enumerate() {
                for (last, end) in times.iter().enumerate().skip(first) {
                    let back = (*end - *begin).as_nanos() / pace.every().as_nanos();
                    let most = u128::from(pace.burst()) + back;
                    prop_assert!((last - first + 1) as u128 <= most, "{} in {:?}", last - first + 1, *end - *begin);
                }
            }
        }
    }

    #[test]
    fn the_other_implementation_admits_the_same_and_names_the_same_wait(
        pace in pace(), pauses in prop::collection::vec(pause(), 1..300),
    ) {
        let clock = FakeRelativeClock::default();
        let burst = NonZeroU32::new(pace.burst()).unwrap();
        let quota = Quota::with_period(pace.every()).unwrap().allow_burst(burst);
        let theirs = RateLimiter::direct_with_clock(quota, clock.clone());
        let mut ours = Meter::new(pace);
        let mut now = Duration::ZERO;
        for pause in pauses {
            let pause = Duration::from_micros(pause);
            clock.advance(pause);
            now += pause;
            let expected = theirs.check().map_err(|not| not.wait_time_from(governor::clock::Clock::now(&clock)));
            prop_assert_eq!(ours.take(now).map(drop), expected);
        }
    }

    #[test]
    fn whoever_waits_as_told_is_admitted(pace in pace(), takes in 1_usize..200) {
        let mut keyed = Keyed::new(pace, 1);
        let mut now = Duration::from_secs(1);
        for _ in 0..takes {
            if let Err(wait) = keyed.take(0, now) {
                let early = now + wait - Duration::from_nanos(1);
                prop_assert!(keyed.look(0, early).is_err());
                now += wait;
                prop_assert!(keyed.take(0, now).is_ok());
            }
        }
    }
}
