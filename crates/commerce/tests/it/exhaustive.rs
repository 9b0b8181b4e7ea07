//! Every interleaving of few buyers, few units and all commands, up to a depth.
//!
//! From each state that is reached, each step is taken once, and the laws are checked after it. States are the same
//! when their snapshots and their times are.

use std::collections::BTreeSet;

use ledger::Units;
use tidegate_commerce::command::{ChargeOutcome, RefundOutcome, UnitsBack};
use tidegate_commerce::record::{self, Records};
use tidegate_commerce::{
    Action, Book, Command, Entry, Limits, Outcome, Patch, Refusal, SaleState, SkuPlan, Time, Turn,
    Window,
};

use crate::commands::{
    HOLD_MS, alter, amount, cancel, captured, charged, charged_back, create, lines, merchant, pay,
    place, plan, refund, refunded, sku, turn,
};

/// One thing that may happen.
enum Step {
    Ask(Command),
    /// So many milliseconds go by, and the desk ticks.
    Wait(u64),
}

impl From<Command> for Step {
    fn from(command: Command) -> Self {
        Self::Ask(command)
    }
}

/// A state: a book's bytes, and the time.
type State = (Vec<u8>, Time);

fn load(bytes: &[u8]) -> Book {
    Book::from_snapshot(bytes).expect("a snapshot that was just made")
}

fn save(book: &Book) -> Vec<u8> {
    book.to_snapshot().expect("every book encodes")
}

/// Takes a step on a book and checks every law; gives the state that it leads to.
fn take(step: &Step, before: &State, book: &mut Book) -> State {
    let mut entries = Vec::new();
    let (from, mut now) = (&before.0, before.1);
    match step {
        Step::Wait(ms) => {
            now = now.after_ms(*ms);
            book.tick(now, 100, &mut entries)
                .expect("a tick breaks nothing");
            book.advance(now);
        }
        Step::Ask(command) => {
            let outcome = book.execute(now, command, &mut entries);
            let outcome = outcome.expect("no command breaks an invariant");
            let report = matches!(command.action, Action::Report(_));
            let unknown = outcome.decision == Err(Refusal::NoOrder);
            assert!(
                !report || unknown || outcome.decision.is_ok(),
                "{command:?}: {outcome:?}"
            );
            if entries.is_empty() {
                assert_eq!(
                    &save(book),
                    from,
                    "{command:?}: {outcome:?} changed the book"
                );
                return before.clone();
            }
            if command.key.is_some() {
                assert_repeats(book, now, command, &outcome);
            }
        }
    }
    book.check().unwrap_or_else(|broken| panic!("{broken}"));
    let bytes = save(book);
    assert_journal(from, now, &entries, &bytes);
    (bytes, now)
}

/// The same command again hears the same and changes nothing.
fn assert_repeats(book: &mut Book, now: Time, command: &Command, first: &Outcome) {
    let (bytes, mut entries) = (save(book), Vec::new());
    let again = book.execute(now, command, &mut entries).unwrap();
    assert_eq!(entries, []);
    assert_eq!(save(book), bytes);
    // Holds may have expired for a refusal; what was accepted is repeated.
    assert_eq!(
        (&again.decision, again.repeated),
        (&first.decision, first.decision.is_ok())
    );
}

/// The entries, written and read again, lead from the old bytes to the new ones, and would be decided again.
fn assert_journal(from: &[u8], now: Time, entries: &[Entry], to: &[u8]) {
    if entries.is_empty() {
        return;
    }
    let mut payload = Vec::new();
    for entry in entries {
        record::put(entry, &mut payload).unwrap();
    }
    let (mut book, mut records) = (load(from), Records::new(&payload));
    while let Some(entry) = records.read::<Entry>().unwrap() {
        book.redecide(now, &entry)
            .unwrap_or_else(|other| panic!("{entry:?}: {other:?}"));
        book.apply(now, &entry).unwrap();
        let mut begun = book.begun(&entry);
        assert!(begun.all(|effect| book.open_effects().any(|open| open == effect)));
    }
    book.advance(now);
    assert_eq!(save(&book), to, "recovery: {entries:?}");
}

/// Explores from the state that `opening` leads to, and gives how many states and steps there were.
fn explore(opening: &[Command], steps: &[Step], depth: usize) -> (usize, usize) {
    let mut book = Book::new();
    let now = Time(1_000);
    for command in opening {
        let outcome = book.execute(now, command, &mut Vec::new()).unwrap();
        outcome.decision.unwrap();
    }
    let first = (save(&book), now);
    let (mut seen, mut taken) = (BTreeSet::from([first.clone()]), 0);
    let mut frontier = vec![first];
    for _ in 0..depth {
        let mut next = Vec::new();
        for state in &frontier {
            let mut book = load(&state.0);
            assert_eq!(save(&book), state.0, "a snapshot of a snapshot");
            for step in steps {
                let reached = take(step, state, &mut book);
                taken += 1;
                if reached != *state {
                    book = load(&state.0);
                }
                if !seen.contains(&reached) {
                    seen.insert(reached.clone());
                    next.push(reached);
                }
            }
        }
        frontier = next;
    }
    (seen.len(), taken)
}

fn opened(skus: Vec<SkuPlan>, per_buyer: Option<u32>) -> Vec<Command> {
    vec![create(plan(skus, per_buyer)), turn("open", Turn::Open)]
}

fn limit(per_buyer: u32) -> Patch {
    Patch {
        limits: Some(Limits {
            per_order: None,
            per_buyer: Some(Units(per_buyer)),
        }),
        ..Patch::default()
    }
}

fn window(opens: Option<u64>, closes: Option<u64>) -> Patch {
    Patch {
        window: Some(Window {
            opens: opens.map(Time),
            closes: closes.map(Time),
        }),
        ..Patch::default()
    }
}

fn stock(key: &str, units: u32) -> Command {
    let (sku, units) = ("cup".into(), Units(units));
    merchant(key, Action::AddStock { sku, units })
}

fn write_off(key: &str, units: u32) -> Command {
    let action = Action::WriteOff {
        sku: "cup".into(),
        units: Units(units),
        reason: Some("broken".into()),
    };
    merchant(key, action)
}

#[test]
fn three_buyers_two_cups_and_all_that_a_merchant_may_do() {
    let steps: Vec<Step> = vec![
        place("ann", "a", &[1]).into(),
        place("ann", "a", &[2]).into(),
        place("ann", "b", &[1, 1]).into(),
        place("bob", "a", &[1]).into(),
        place("cy", "a", &[2]).into(),
        cancel(0, "cancel 0").into(),
        pay(0, "pay 0").into(),
        captured(0, 1, 100).into(),
        Step::Wait(u64::from(HOLD_MS)),
        stock("stock", 1).into(),
        write_off("write off", 1).into(),
        turn("pause", Turn::Pause).into(),
        turn("resume", Turn::Open).into(),
        turn("close", Turn::Close).into(),
        turn("retire", Turn::Retire).into(),
        alter("limit", limit(1)).into(),
        alter("later", window(Some(5_000), Some(12_000))).into(),
        alter("always", window(None, None)).into(),
    ];
    let done = explore(&opened(vec![sku("cup", 2, Some(2))], Some(2)), &steps, 4);
    assert!(done > (4_000, 15_000), "too little was explored: {done:?}");
}

#[test]
fn one_cup_two_buyers_and_every_order_of_reports() {
    let mut opening = opened(vec![sku("cup", 1, None)], Some(1));
    opening.extend([place("ann", "a", &[1]), pay(0, "p1")]);
    let mut steps: Vec<Step> = vec![
        place("bob", "b", &[1]).into(),
        pay(0, "p2").into(),
        cancel(0, "c").into(),
        Step::Wait(u64::from(HOLD_MS)),
        turn("close", Turn::Close).into(),
        charged_back(0, "back", 100).into(),
        captured(0, 0, 100).into(),
        captured(0, 1, 100).into(),
        captured(0, 1, 60).into(),
        captured(0, 2, 100).into(),
        captured(0, 2, i64::MAX).into(),
        charged(0, 1, ChargeOutcome::Failed).into(),
        charged(0, 2, ChargeOutcome::Failed).into(),
        charged(0, 1, ChargeOutcome::Unknown).into(),
    ];
    steps.extend(refund_reports());
    let done = explore(&opening, &steps, 6);
    assert!(done > (4_000, 15_000), "too little was explored: {done:?}");
}

/// A paid order of two lines, whose first charge was declined and whose second paid.
fn paid() -> Vec<Command> {
    let mut opening = opened(vec![sku("cup", 3, Some(3))], None);
    opening.extend([
        place("ann", "a", &[2, 1]),
        pay(0, "pay"),
        charged(0, 1, ChargeOutcome::Failed),
        pay(0, "pay again"),
        captured(0, 1, 300),
    ]);
    opening
}

fn refund_reports() -> impl Iterator<Item = Step> {
    let outcomes = [RefundOutcome::Refunded, RefundOutcome::Failed];
    let reports = outcomes.map(|outcome| [1, 2].map(|n| refunded(0, n, outcome).into()));
    reports.into_iter().flatten()
}

#[test]
fn a_paid_order_and_every_way_that_money_and_units_come_back() {
    let mut steps: Vec<Step> = vec![
        refund(0, "all", amount(300)).into(),
        refund(0, "some", amount(101)).into(),
        refund(0, "line", lines(&[(0, 1)], UnitsBack::Restock)).into(),
        refund(0, "lost", lines(&[(0, 1), (1, 1)], UnitsBack::StaySold)).into(),
        refund(0, "rest", lines(&[], UnitsBack::Restock)).into(),
        cancel(0, "cancel").into(),
        captured(0, 2, 300).into(),
        charged_back(0, "part", 120).into(),
        merchant("ship", Action::Ship { order: 0 }).into(),
        merchant("deliver", Action::Deliver { order: 0 }).into(),
        turn("close", Turn::Close).into(),
        turn("retire", Turn::Retire).into(),
    ];
    steps.extend(refund_reports());
    let done = explore(&paid(), &steps, 4);
    assert!(done > (2_000, 5_000), "too little was explored: {done:?}");
}

#[test]
fn every_long_quarrel_about_the_money_of_one_order() {
    let mut steps: Vec<Step> = vec![
        refund(0, "some", amount(101)).into(),
        captured(0, 2, 300).into(),
        cancel(0, "cancel").into(),
        charged_back(0, "part", 120).into(),
        charged_back(0, "whole", 300).into(),
    ];
    steps.extend(refund_reports());
    let done = explore(&paid(), &steps, 7);
    assert!(done > (2_000, 5_000), "too little was explored: {done:?}");
}

#[test]
fn a_retired_sale_still_answers_the_bank() {
    let mut opening = opened(vec![sku("cup", 1, None)], None);
    opening.extend([
        place("ann", "a", &[1]),
        pay(0, "pay"),
        captured(0, 1, 100),
        turn("close", Turn::Close),
        turn("retire", Turn::Retire),
    ]);
    let mut book = Book::new();
    for command in &opening {
        let outcome = book.execute(Time(1), command, &mut Vec::new()).unwrap();
        outcome.decision.unwrap();
    }
    assert_eq!(book.state(), SaleState::Retired);
    let day_90 = Time(90 * 24 * 3_600_000);
    let outcome = book.execute(day_90, &charged_back(0, "late", 100), &mut Vec::new());
    assert!(outcome.unwrap().decision.is_ok());
    assert_eq!(book.order(0).unwrap().funds().charged_back().0, 100);
    book.check().unwrap();
}
