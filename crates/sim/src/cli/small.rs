//! A life that fails, made small and told.

use std::collections::BTreeSet;
use std::time::Duration;

use tidegate_sim::disk::{Fault, FaultPlan};
use tidegate_sim::life::live_for;
use tidegate_sim::network::Way;
use tidegate_sim::plan::{LifePlan, Size};
use tidegate_sim::record::Finding;
use tidegate_sim::search::{Search, is_of_a_desk, one};
use tidegate_sim::shrink::{Verdict, shrink};
use tidegate_sim::story;
use tidegate_sim::trim::{BankHabit, Trim, has_habit, kind_of};
use world::{Clock, SystemClock};

use super::options::command;
use super::say::aside;

/// Lives that are lived to make one small, at most.
const TRIES_MAX: u32 = 200;
/// And how long, at most.
const SHRINK_FOR: Duration = Duration::from_secs(60);

/// Something that can be taken out of a life.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Incident(usize),
    Fault(Fault),
    Habit(BankHabit),
    Network,
    Sale,
    Guest(u32),
}

/// Everything that can be taken out of what a search lived.
fn parts(drawn: &LifePlan, trim: &Trim) -> Vec<Part> {
    let plan = trim.apply(drawn);
    let kept = drawn
        .incidents
        .iter()
        .enumerate()
        .filter(|(nth, incident)| {
            let listed = trim.incidents.as_ref();
            let by_kind = trim.kinds.as_ref();
            listed.map_or_else(
                || by_kind.is_none_or(|kinds| kinds.contains(&kind_of(incident))),
                |kept| kept.contains(nth),
            )
        });
    let mut parts: Vec<Part> = kept.map(|(nth, _)| Part::Incident(nth)).collect();
    parts.extend(plan.disk.faults.iter().cloned().map(Part::Fault));
    let habits = BankHabit::ALL.iter().copied();
    parts.extend(
        habits
            .filter(|habit| has_habit(&plan, *habit))
            .map(Part::Habit),
    );
    if plan.way != Way::default() {
        parts.push(Part::Network);
    }
    // The last sale goes first, and the first one stays: its guests have nowhere else to go.
    parts.extend(plan.sales.iter().skip(1).map(|_| Part::Sale));
    parts.extend(plan.guests.iter().map(|guest| Part::Guest(guest.number)));
    parts
}

/// The life that has these parts and no others.
fn trim_to(parts: &[Part]) -> Trim {
    let all = |take: &dyn Fn(&Part) -> Option<usize>| parts.iter().filter_map(take).collect();
    let faults = parts.iter().filter_map(|part| match part {
        Part::Fault(fault) => Some(fault.clone()),
        _ => None,
    });
    let guests = parts.iter().filter_map(|part| match part {
        Part::Guest(number) => Some(*number),
        _ => None,
    });
    let habits = parts.iter().filter_map(|part| match part {
        Part::Habit(habit) => Some(*habit),
        _ => None,
    });
    let incidents: BTreeSet<usize> = all(&|part| match part {
        Part::Incident(nth) => Some(*nth),
        _ => None,
    });
    let sales = parts.iter().filter(|part| **part == Part::Sale).count();
    Trim {
        kinds: None,
        incidents: Some(incidents),
        guests: Some(guests.collect()),
        disk: Some(FaultPlan {
            faults: faults.collect(),
        }),
        bank: Some(habits.collect()),
        plain_network: !parts.contains(&Part::Network),
        sales: Some(1 + sales),
    }
}

/// Makes the life of a seed small, and tells it on standard error.
pub(crate) fn tell(search: &Search, seed: u64, findings: &[Finding], clock: &SystemClock) {
    // Nothing can be taken out of a desk's life, and a smaller life is lived without its desks.
    let Some(broken) = findings.iter().find(|finding| !is_of_a_desk(finding)) else {
        if !findings.is_empty() {
            aside(
                "it failed at a desk only, whose life is not made smaller: its seed lives it again",
            );
        }
        return;
    };
    aside(&format!(
        "making seed {seed} small, at most {} s",
        SHRINK_FOR.as_secs()
    ));
    let drawn = LifePlan::draw(seed, Size::default());
    let until = clock.monotonic() + SHRINK_FOR;
    let shrunk = shrink(parts(&drawn, &search.trim), TRIES_MAX, |parts| {
        if clock.monotonic() >= until {
            return Verdict::Enough;
        }
        let report = one(seed, &trim_to(parts), search.steps_max);
        match same(&report.findings, broken) {
            Some(_) => Verdict::Fails,
            None => Verdict::Passes,
        }
    });
    let how = match shrunk.minimal {
        true => "nothing more can be spared",
        false => "there was no time for more",
    };
    let trim = trim_to(&shrunk.parts);
    aside(&format!(
        "after {} tries {how}; the small life again:",
        shrunk.tries
    ));
    aside(&format!("  {}", command(seed, &trim, search.steps_max)));
    let lived = live_for(&trim.apply(&drawn), search.steps_max);
    let Ok(lived) = lived else {
        return;
    };
    match same(&lived.findings, broken) {
        Some(finding) => story::tell(&lived, finding)
            .iter()
            .for_each(|line| aside(line)),
        None => aside(
            "it did not fail again: the life is not bound to its seed, which is a bug of the simulation",
        ),
    }
}

fn same<'a>(findings: &'a [Finding], broken: &Finding) -> Option<&'a Finding> {
    let mut findings = findings.iter();
    findings.find(|finding| finding.promise == broken.promise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_together_are_the_whole_life() {
        for seed in 0..50 {
            let drawn = LifePlan::draw(seed, Size::default());
            let whole = trim_to(&parts(&drawn, &Trim::default())).apply(&drawn);
            assert_eq!(format!("{whole:?}"), format!("{drawn:?}"));
        }
    }

    #[test]
    fn without_its_parts_a_life_is_one_empty_sale() {
        let drawn = LifePlan::draw(7, Size::default());
        let bare = trim_to(&[]).apply(&drawn);
        assert!(bare.guests.is_empty() && bare.incidents.is_empty());
        assert_eq!((bare.sales.len(), bare.way), (1, Way::default()));
    }
}
