//! Drawing a plan: a different selection of kinds for each seed.

use world::SeededEntropy;

use super::{Fault, FaultKind, FaultPlan, Mix};

impl FaultPlan {
    /// The plan that belongs to `seed`: each kind of the mix is on with probability one half, so
    /// that some lives have one trouble in plenty and others a little of many.
    #[must_use]
    pub fn draw(seed: u64, mix: &Mix) -> Self {
        let entropy = SeededEntropy::new(seed);
        let on: Vec<_> = mix
            .kinds
            .iter()
            .copied()
            .filter(|_| entropy.next_u64().is_multiple_of(2))
            .collect();
        if on.is_empty() || mix.ops == 0 {
            return Self::default();
        }
        // Between none and twice the mean.
        let twice = mix.ops.saturating_mul(u64::from(mix.per_thousand)) / 500;
        let count = below(&entropy, twice.saturating_add(1)).min(mix.faults_max as u64);
        let faults = (0..count).map(|_| {
            let kind = on[index(below(&entropy, on.len() as u64))];
            fault(kind, mix, &entropy)
        });
        Self {
            faults: faults.collect(),
        }
    }
}

fn fault(kind: FaultKind, mix: &Mix, entropy: &SeededEntropy) -> Fault {
    let from = below(entropy, mix.ops);
    let (ops, one_in) = match kind {
        FaultKind::NoSpace => (1 + below(entropy, 60), 1),
        FaultKind::LyingSync => (10 + below(entropy, mix.ops / 4 + 1), 1),
        FaultKind::SlowSync | FaultKind::SlowWrite => (1 + below(entropy, 100), 4),
        FaultKind::BitFlip => (1, 1),
        _ => (1 + below(entropy, 4), 1),
    };
    let amount = match kind {
        FaultKind::TornWrite => 1 + below(entropy, 2_000),
        FaultKind::SlowSync | FaultKind::SlowWrite => 1 + below(entropy, 400),
        _ => 0,
    };
    let files = match kind {
        FaultKind::BitFlip | FaultKind::Misdirected if !mix.damaged.is_empty() => {
            mix.damaged[index(below(entropy, mix.damaged.len() as u64))].clone()
        }
        _ => String::new(),
    };
    Fault {
        kind,
        amount: u32::try_from(amount).unwrap_or(u32::MAX),
        at: from..from.saturating_add(ops),
        one_in,
        files,
    }
}

fn below(entropy: &SeededEntropy, limit: u64) -> u64 {
    entropy.next_u64() % limit.max(1)
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{FaultKind, FaultPlan, Mix};

    #[test]
    fn a_seed_draws_one_plan_and_another_seed_another() {
        let mix = Mix::default();
        let plans: Vec<_> = (0..40).map(|seed| FaultPlan::draw(seed, &mix)).collect();
        for (seed, plan) in (0..40).zip(&plans) {
            assert_eq!(FaultPlan::draw(seed, &mix), *plan);
        }
        assert!(plans.windows(2).filter(|two| two[0] != two[1]).count() > 30);
    }

    #[test]
    fn each_kind_of_the_mix_is_on_in_some_plans_and_off_in_others() {
        let mix = Mix {
            per_thousand: 20,
            faults_max: 40,
            kinds: FaultKind::ALL.into(),
            damaged: vec!["journal".to_owned()],
            ..Mix::default()
        };
        let kinds = |seed| -> BTreeSet<FaultKind> {
            let plan = FaultPlan::draw(seed, &mix);
            assert!(plan.faults.len() <= 40);
            plan.faults.iter().map(|fault| fault.kind).collect()
        };
        for kind in FaultKind::ALL {
            let on = (0..100).filter(|seed| kinds(*seed).contains(&kind)).count();
            assert!((20..80).contains(&on), "{kind} is on in {on} of 100");
        }
    }

    #[test]
    fn an_honest_mix_draws_no_fault_that_breaks_a_promise() {
        for seed in 0..100 {
            assert!(!FaultPlan::draw(seed, &Mix::default()).breaks_promises());
        }
    }
}
