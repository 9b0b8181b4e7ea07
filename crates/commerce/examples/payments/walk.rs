//! Walks from the first states through all events until no new state turns up. What a cell must keep is asserted here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tidegate_commerce::{Book, EffectKind, Time};

use super::answer::Before;
use super::events::{Event, From};
use super::stage::{Kept, ORDER, Stage};
use super::state::{Phase, Row, State, phase_of};

/// Attempts to pay one order beyond which the walk does not go on: they add no new kind of state.
const ATTEMPTS_MOST: u16 = 2;

/// A family of orders: how its first states come about, and what may happen to it.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) letter: char,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) firsts: Vec<Stage>,
    pub(crate) events: Vec<Event>,
    /// Refunds of one order beyond which the walk does not go on.
    pub(crate) refunds_most: usize,
}

/// All that was met on the way.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) letter: char,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) events: Vec<Event>,
    /// States, a way to each, by their rows.
    pub(crate) states: BTreeMap<State, (Kept, Phase)>,
    /// Answers by row and place of the event.
    pub(crate) cells: BTreeMap<(Row, usize), BTreeSet<String>>,
    /// Cells that were exercised.
    pub(crate) exercised: usize,
    /// Ends of states that were looked at.
    pub(crate) settled: usize,
    refunds_most: usize,
}

impl Walk {
    /// Goes through a whole family.
    pub(crate) fn through(family: Family) -> Self {
        let mut walk = Self {
            letter: family.letter,
            name: family.name,
            about: family.about,
            events: family.events,
            states: BTreeMap::new(),
            cells: BTreeMap::new(),
            exercised: 0,
            settled: 0,
            refunds_most: family.refunds_most,
        };
        let mut queue = VecDeque::new();
        for first in &family.firsts {
            walk.meet(first, phase_of(first, Phase::Held), &mut queue);
        }
        while let Some(state) = queue.pop_front() {
            for at in 0..walk.events.len() {
                walk.cell(state, at, &mut queue);
            }
        }
        walk
    }

    fn meet(&mut self, stage: &Stage, phase: Phase, queue: &mut VecDeque<State>) {
        let state = State::of(stage, phase);
        let order = stage.book.order(ORDER).expect("the order");
        let beyond = order.charge().0 > ATTEMPTS_MOST
            || order.refunds().count() > self.refunds_most
            || order.captured().len() > usize::from(ATTEMPTS_MOST);
        if !beyond && !self.states.contains_key(&state) {
            self.states.insert(state, (stage.keep(), phase));
            queue.push_back(state);
        }
    }

    fn cell(&mut self, state: State, at: usize, queue: &mut VecDeque<State>) {
        let (kept, phase) = self.states[&state].clone();
        let mut stage = Stage::of(&kept);
        let before = Before::of(&stage, phase);
        let event = self.events[at];
        let outcome = (event.happen)(&mut stage);
        let told = format!("{}: {}", state.row.words(), event.name);
        if !stage.entries.is_empty() {
            let sound = stage.book.check();
            sound.unwrap_or_else(|broken| panic!("{told}: {broken}"));
        }
        if event.from == From::Outside && !event.name.contains("nobody knows") {
            let heard = outcome.as_ref().is_some_and(|heard| heard.decision.is_ok());
            assert!(heard, "{told}: a report is never refused: {outcome:?}");
        }
        let phase = phase_of(&stage, phase);
        let answer = before.answer(&stage, outcome.as_ref(), phase);
        let answers = self.cells.entry((state.row, at)).or_default();
        if answers.insert(answer) {
            keeps_the_books(&kept, &stage, &told);
        }
        self.exercised += 1;
        // Without an entry only the clock may have made something of it.
        if outcome.is_none() || !stage.entries.is_empty() {
            self.meet(&stage, phase, queue);
        }
    }

    /// The rows, in order.
    pub(crate) fn rows(&self) -> BTreeSet<Row> {
        self.states.keys().map(|state| state.row).collect()
    }
}

/// The journal alone gives the same book by the same decisions, and whatever goes back has its budget and its call.
fn keeps_the_books(before: &Kept, stage: &Stage, told: &str) {
    let mut again: Book = Stage::of(before).book;
    // An event is asked for at one moment, or it is a step of the clock: all its entries are of the stage's own moment.
    let now = Time(stage.now);
    for entry in &stage.entries {
        let same = again.redecide(now, entry);
        same.unwrap_or_else(|other| panic!("{told}: {entry:?}: {other:?}"));
        let applied = again.apply(now, entry);
        applied.unwrap_or_else(|broken| panic!("{told}: {entry:?}: {broken}"));
    }
    again.advance(stage.book.time());
    assert_eq!(
        again.to_snapshot().ok(),
        stage.book.to_snapshot().ok(),
        "{told}: the journal gives another book"
    );
    let refunds = stage
        .book
        .open_effects()
        .filter(|effect| matches!(effect.kind, EffectKind::Refund { .. }) && effect.order == ORDER);
    let on_its_way: i64 = refunds.map(|effect| effect.amount.0).sum();
    assert_eq!(
        on_its_way,
        stage.funds().held().0,
        "{told}: money on its way has a call each"
    );
}
