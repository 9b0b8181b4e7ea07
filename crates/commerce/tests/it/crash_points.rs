//! Book, provider, two buyers and a process that dies: every order of events and every crash point, up to a depth.
//!
//! A step is one thing that happens: a buyer asks (again, with the same key), a batch becomes durable, the process dies
//! and recovers, the provider is sent an effect and does it or refuses, its answer is lost, it calls back late or twice,
//! the bank takes money back. From each state each step is taken once; two states are one when nothing that follows can
//! tell them apart. Wherever the search ends, once as it is and once after a crash, the faults are switched off and all
//! must come to its end.

mod oracles;
mod outside;
mod world;

use std::collections::BTreeSet;

use tidegate_commerce::{Command, Turn};

use crate::commands::{create, plan, sku, turn};
use outside::Key;
use world::{Asked, Budget, Step, Wish, World};

const ANN: usize = 0;
const BOB: usize = 1;

/// Nothing goes wrong, and one batch is under way at a time.
const CALM: Budget = Budget {
    undurable: 1,
    crashes: 0,
    waits: 0,
    losses: 0,
    refusals: 0,
    captures_after_all: 0,
    taken_back: 0,
};

/// What an exploration came to.
#[derive(Debug)]
struct Explored {
    states: usize,
    steps: usize,
    marks: BTreeSet<&'static str>,
}

/// Explores so many steps deep.
fn explore(first: World, depth: usize) -> Explored {
    let marks = first.marks.clone();
    let (mut seen, mut taken) = (BTreeSet::from([first.name()]), 0);
    let mut frontier = vec![first];
    for _ in 0..depth {
        let mut next = Vec::new();
        for world in &frontier {
            for step in world.steps() {
                let mut reached = world.clone();
                reached.take(step);
                taken += 1;
                if seen.insert(reached.name()) {
                    next.push(reached);
                }
            }
        }
        frontier = next;
    }
    for world in frontier {
        let mut crashed = world.clone();
        crashed.budget.crashes += 1;
        crashed.take(Step::Crash);
        crashed.drain();
        world.drain();
    }
    Explored {
        states: seen.len(),
        steps: taken,
        marks: marks.take(),
    }
}

fn opened(stock: u32) -> Vec<Command> {
    let plan = plan(vec![sku("cup", stock, Some(1))], Some(1));
    vec![create(plan), turn("open", Turn::Open)]
}

/// An order of a buyer and its charge, which is durable and about to be sent.
fn paying(stock: u32, wishes: &'static [Asked], budget: Budget) -> World {
    let world = World::after(&opened(stock), wishes, budget);
    let steps = [
        Step::Ask((ANN, Wish::Place)),
        Step::Land,
        Step::Ask((ANN, Wish::Pay)),
        Step::Land,
    ];
    world.walked(&steps)
}

fn sent(moves: bool) -> [Step; 2] {
    let (key, heard) = (Key::Charge(0, 1), true);
    [Step::Send { key, moves, heard }, Step::Land]
}

/// Says what was explored, and that it was not less than it used to be and met the rare things it is there for.
fn at_least(states: usize, marks: &[&str], done: &Explored) {
    eprintln!(
        "{} states, {} steps: {:?}",
        done.states, done.steps, done.marks
    );
    assert!(done.states >= states, "too little was explored: {done:?}");
    for mark in marks {
        assert!(done.marks.contains(mark), "never met: {mark}");
    }
}

#[test]
fn two_buyers_one_cup_and_a_process_that_dies_at_every_moment() {
    let wishes = &[
        (ANN, Wish::Place),
        (ANN, Wish::Pay),
        (ANN, Wish::More),
        (BOB, Wish::Place),
        (BOB, Wish::Pay),
    ];
    let budget = Budget {
        undurable: 2,
        crashes: 2,
        waits: 1,
        losses: 1,
        ..CALM
    };
    let done = explore(World::after(&opened(1), wishes, budget), 10);
    at_least(
        2_700,
        &["paid late, and the cup was gone", "a decision was lost"],
        &done,
    );
}

/// A charge under way whose outcome may come after its hold is over; the other buyer wants a cup too.
fn late_capture(stock: u32, depth: usize) -> Explored {
    let wishes = &[
        (BOB, Wish::Place),
        (ANN, Wish::Cancel),
        (ANN, Wish::PayAgain),
    ];
    let budget = Budget {
        undurable: 2,
        crashes: 1,
        waits: 1,
        losses: 1,
        refusals: 1,
        ..CALM
    };
    explore(paying(stock, wishes, budget), depth)
}

#[test]
fn a_late_capture_whose_cup_may_be_sold_whatever_crashes() {
    let marks = [
        "paid late, and the cup was gone",
        "paid late, and the cup was free",
    ];
    at_least(1_900, &marks, &late_capture(1, 7));
}

#[test]
fn a_late_capture_whose_cup_is_free_again_whatever_crashes() {
    let marks = [
        "paid late, and the cup was free",
        "a charge of unknown outcome",
    ];
    at_least(1_900, &marks, &late_capture(2, 6));
}

#[test]
fn a_second_capture_goes_back_whatever_crashes() {
    let wishes = &[(ANN, Wish::PayAgain), (ANN, Wish::Cancel)];
    let budget = Budget {
        crashes: 1,
        waits: 1,
        refusals: 2,
        captures_after_all: 1,
        losses: 1,
        ..CALM
    };
    let world = paying(1, wishes, budget).walked(&sent(false));
    let done = explore(world, 10);
    at_least(
        2_800,
        &[
            "a second capture",
            "a refund that is tried again",
            "paid and given up",
        ],
        &done,
    );
}

#[test]
fn a_refund_against_a_chargeback_whatever_crashes() {
    let wishes = &[(ANN, Wish::Refund), (ANN, Wish::Cancel)];
    let budget = Budget {
        crashes: 1,
        losses: 1,
        refusals: 1,
        taken_back: 1,
        waits: 1,
        undurable: 2,
        ..CALM
    };
    let world = paying(1, wishes, budget).walked(&sent(true));
    let done = explore(world, 8);
    let marks = [
        "a chargeback of money that goes back already",
        "a refund that is tried again",
    ];
    at_least(2_700, &marks, &done);
}
