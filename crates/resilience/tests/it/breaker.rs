//! The breaker against a model that keeps every call and counts anew each time.

use std::time::Duration;

use proptest::prelude::*;
use tidegate_resilience::breaker::{Settings, WINDOW_PARTS};
use tidegate_resilience::{Breaker, Pass, Refusal, State, TripRule, Verdict};

/// Every call since the last change of state, with its part of the window.
#[derive(Debug)]
struct Model {
    settings: Settings,
    state: State,
    age: u64,
    calls: Vec<(u128, bool)>,
    probes: u32,
    answered: u32,
}

impl Model {
    fn change(&mut self, state: State) {
        self.state = state;
        self.age += 1;
        self.calls.clear();
        (self.probes, self.answered) = (0, 0);
    }

    fn admit(&mut self, now: Duration) -> Result<u64, Refusal> {
        match self.state {
            State::Open { until } if now < until => return Err(Refusal::Open(until - now)),
            State::Open { .. } => self.change(State::HalfOpen),
            _ => {}
        }
        if self.state == State::HalfOpen {
            if self.probes == self.settings.probes_max {
                return Err(Refusal::Probing);
            }
            self.probes += 1;
        }
        Ok(self.age)
    }

    fn settle(&mut self, age: u64, verdict: Verdict, now: Duration) {
        if age != self.age {
            return;
        }
        let opened = State::Open {
            until: now + self.settings.open,
        };
        if self.state == State::HalfOpen {
            match verdict {
                Verdict::Failed => self.change(opened),
                Verdict::Abandoned => self.probes -= 1,
                Verdict::Answered => {
                    self.answered += 1;
                    if self.answered == self.settings.probes_max {
                        self.change(State::Closed);
                    }
                }
            }
        } else if verdict != Verdict::Abandoned {
            let part = self.part(now);
            self.calls.push((part, verdict == Verdict::Failed));
            if verdict == Verdict::Failed
                && self
                    .settings
                    .rules
                    .iter()
                    .any(|rule| self.trips(rule, part))
            {
                self.change(opened);
            }
        }
    }

    fn part(&self, now: Duration) -> u128 {
        now.as_nanos() / (self.settings.window / WINDOW_PARTS).as_nanos()
    }

    fn trips(&self, rule: &TripRule, now: u128) -> bool {
        match rule {
            TripRule::Consecutive { failures_max } => {
                let row = self.calls.iter().rev().take_while(|(_, failed)| *failed);
                row.count() > *failures_max as usize
            }
            TripRule::Ratio {
                failures_max,
                failures_per_mille_max,
            } => {
                let seen = self
                    .calls
                    .iter()
                    .filter(|(part, _)| part + u128::from(WINDOW_PARTS) > now);
                let failed = seen.clone().filter(|(_, failed)| *failed).count();
                failed > *failures_max as usize
                    && failed * 1_000 > seen.count() * *failures_per_mille_max as usize
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Admit,
    Settle(usize, Verdict),
}

fn step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        5 => Just(Verdict::Failed),
        3 => Just(Verdict::Answered),
        1 => Just(Verdict::Abandoned)
    ];
    prop_oneof![
        2 => (0_u64..3_000).prop_map(Step::Pass),
        5 => Just(Step::Admit),
        5 => (any::<usize>(), verdict).prop_map(|(which, verdict)| Step::Settle(which, verdict)),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let rules = prop_oneof![
        Just(vec![TripRule::Consecutive { failures_max: 2 }]),
        Just(vec![TripRule::Ratio {
            failures_max: 4,
            failures_per_mille_max: 600
        }]),
        Just(vec![
            TripRule::Consecutive { failures_max: 5 },
            TripRule::Ratio {
                failures_max: 6,
                failures_per_mille_max: 500
            }
        ]),
        Just(vec![]),
    ];
    (rules, 1_u32..4).prop_map(|(rules, probes_max)| Settings {
        rules,
        window: Duration::from_secs(5),
        open: Duration::from_secs(2),
        probes_max,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_breaker_says_what_the_model_says(settings in settings(), steps in prop::collection::vec(step(), 1..300)) {
        let mut breaker = Breaker::new(settings.clone());
        let mut model = Model {
            settings, state: State::Closed, age: 0, calls: Vec::new(), probes: 0, answered: 0,
        };
        let mut now = Duration::from_secs(100);
        let mut under_way: Vec<(Pass, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(ms) => now += Duration::from_millis(ms),
                Step::Admit => match (breaker.admit(now), model.admit(now)) {
                    (Ok((pass, _)), Ok(age)) => under_way.push((pass, age)),
                    (Err(said), Err(expected)) => prop_assert_eq!(said, expected),
                    (said, expected) => prop_assert!(false, "{:?} and {:?}", said, expected),
                },
                Step::Settle(which, verdict) if !under_way.is_empty() => {
                    let (pass, age) = under_way.swap_remove(which % under_way.len());
                    let before = model.state;
                    let change = breaker.settle(pass, verdict, now);
                    model.settle(age, verdict, now);
                    prop_assert_eq!(change.map(|change| (change.from, change.to)),
                        (model.state != before).then_some((before, model.state)));
                }
                Step::Settle(..) => {}
            }
        }
    }
}
