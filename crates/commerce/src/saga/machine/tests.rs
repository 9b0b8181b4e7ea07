//! Every place and every event: the whole small world, walked through.

use std::collections::BTreeSet;

use super::*;
use crate::saga::{Kind, RetryClass};

type Seen = (Stage, u8, u16, Vec<Mark>);

fn seen(saga: &Saga) -> Seen {
    let at = saga.at;
    (at.stage, at.cursor, at.attempt, saga.marks.to_vec())
}

fn events(kind: Kind) -> Vec<(Order, Event)> {
    let mut events = vec![(Order::Ready, Event::Due), (Order::Gone, Event::Due)];
    for verb in [Verb::Retry, Verb::Skip, Verb::Compensate] {
        events.push((Order::Ready, Event::Verb(verb)));
    }
    for step in 0..=kind.steps().len() {
        for op in [Op::Forward, Op::Undo] {
            for said in [Said::Done, Said::Failed, Said::Unknown] {
                let step = u8::try_from(step).expect("few steps");
                events.push((Order::Ready, Event::Answer { step, op, said }));
            }
        }
    }
    events
}

/// Steps a copy; whatever the place waits for counts as due.
fn step(saga: &Saga, order: Order, event: Event) -> Option<Saga> {
    let now = saga.at.until;
    match react(3, saga, now, order, event) {
        Reaction::Move(change) => {
            let mut next = saga.clone();
            next.follow(&change, now);
            // Time itself is no part of where a saga stands; waits are looked at elsewhere.
            next.at.until = Time(0);
            Some(next)
        }
        Reaction::Repeat | Reaction::Refuse(_) => None,
    }
}

/// All places that can be reached, with what may come next in each.
fn walk(kind: Kind, mut look: impl FnMut(&Saga, Event, Option<&Saga>)) -> Vec<Saga> {
    let first = Saga::new(kind, 0, Time(0));
    let mut known = BTreeSet::from([seen(&first)]);
    let mut open = vec![first];
    let mut all = Vec::new();
    while let Some(saga) = open.pop() {
        for (order, event) in events(kind) {
            let next = step(&saga, order, event);
            look(&saga, event, next.as_ref());
            if let Some(next) = next.filter(|next| known.insert(seen(next))) {
                open.push(next);
            }
        }
        all.push(saga);
    }
    all
}

#[test]
fn every_place_answers_every_event_and_no_place_is_a_dead_end() {
    for &kind in Kind::ALL {
        let all = walk(kind, |_, _, _| {});
        let stages: BTreeSet<Stage> = all.iter().map(|saga| saga.at.stage).collect();
        assert_eq!(
            stages.len(),
            Stage::ALL.len(),
            "{kind:?} reaches every stage"
        );
        for saga in all.iter().filter(|saga| !saga.at.stage.is_over()) {
            let leaves = |(order, event)| {
                step(saga, order, event).is_some_and(|next| seen(&next) != seen(saga))
            };
            assert!(events(kind).into_iter().any(leaves), "{saga:?}");
        }
    }
}

#[test]
fn past_the_pivot_nothing_is_taken_back() {
    for &kind in Kind::ALL {
        walk(kind, |saga, event, next| {
            let forward = matches!(saga.at.stage, Stage::Ready | Stage::Calling | Stage::Parked);
            if forward && saga.is_past_pivot() {
                let next = next.map_or(saga.at.stage, |next| next.at.stage);
                let back = matches!(
                    next,
                    Stage::UndoReady | Stage::Undoing | Stage::UndoParked | Stage::Compensated
                );
                assert!(!back, "{saga:?} {event:?}");
            }
        });
    }
}

#[test]
fn what_was_done_is_taken_back_in_reverse_and_nothing_is_left() {
    for &kind in Kind::ALL {
        let all = walk(kind, |saga, _, next| {
            let (at, Some(next)) = (saga.at, next) else {
                return;
            };
            let undone = next.mark(at.cursor) == Mark::Undone
                && next.mark(at.cursor) != saga.mark(at.cursor);
            if undone && at.stage == Stage::Undoing && next.at.stage == Stage::UndoReady {
                let open = next.steps().filter(|(_, plan, mark)| {
                    plan.compensates && matches!(mark, Mark::Begun | Mark::Done)
                });
                assert_eq!(open.map(|(step, ..)| step).last(), Some(next.at.cursor));
            }
        });
        for saga in all
            .iter()
            .filter(|saga| saga.at.stage == Stage::Compensated)
        {
            let left = saga.steps().any(|(_, plan, mark)| {
                plan.compensates && matches!(mark, Mark::Begun | Mark::Done)
            });
            assert!(!left, "{saga:?}");
        }
    }
}

fn at(kind: Kind, path: &[Event]) -> Saga {
    path.iter()
        .fold(Saga::new(kind, 0, Time(0)), |saga, event| {
            step(&saga, Order::Ready, *event).unwrap_or(saga)
        })
}

fn said(step: u8, op: Op, said: Said) -> Event {
    Event::Answer { step, op, said }
}

/// dtm#306: there a rollback that failed was sent again eighty times a second, for ever.
#[test]
fn a_rollback_that_fails_is_tried_a_dozen_times_with_growing_waits_and_then_parked() {
    let begun = [Event::Due, said(0, Op::Forward, Said::Done)];
    let mut saga = at(Kind::Fulfilment, &begun);
    saga = step(&saga, Order::Gone, Event::Due).expect("the order is gone");
    let mut waits = Vec::new();
    while saga.at.stage == Stage::UndoReady {
        let mut calling = saga.clone();
        let Reaction::Move(change) = react(0, &saga, saga.at.until, Order::Gone, Event::Due) else {
            panic!("an attempt begins");
        };
        calling.follow(&change, saga.at.until);
        let now = calling.at.until;
        let Reaction::Move(change) = react(
            0,
            &calling,
            now,
            Order::Gone,
            said(0, Op::Undo, Said::Failed),
        ) else {
            panic!("a failure is taken in");
        };
        calling.follow(&change, now);
        waits.push(calling.at.until.0 - now.0);
        saga = calling;
    }
    assert_eq!(saga.at.stage, Stage::UndoParked);
    assert_eq!(waits.len(), usize::from(RetryClass::Patient.tries()));
    let waited = &waits[..waits.len() - 1];
    assert!(waited.is_sorted() && waited[0] >= 100, "{waits:?}");
    assert!(waited.iter().sum::<u64>() > 100_000, "{waits:?}");
}

/// temporal sdk-java#305: there what was to be taken back was skipped when the whole was cancelled.
#[test]
fn an_order_that_goes_away_between_two_steps_takes_the_first_back() {
    let saga = at(
        Kind::CrossBorder,
        &[
            Event::Due,
            said(0, Op::Forward, Said::Done),
            Event::Due,
            said(1, Op::Forward, Said::Done),
        ],
    );
    let back = step(&saga, Order::Gone, Event::Due).expect("it turns");
    assert_eq!((back.at.stage, back.at.cursor), (Stage::UndoReady, 1));
    assert_eq!(back.mark(2), Mark::Barred);
}

#[test]
fn a_saga_that_is_compensated_while_an_attempt_is_under_way_takes_that_step_back_too() {
    let calling = at(
        Kind::Fulfilment,
        &[Event::Due, said(0, Op::Forward, Said::Done), Event::Due],
    );
    let back = step(&calling, Order::Ready, Event::Verb(Verb::Compensate)).expect("it turns");
    assert_eq!((back.at.stage, back.at.cursor), (Stage::UndoReady, 1));
}

/// A branch that comes late: it was done after it had been taken back, so it is taken back again.
#[test]
fn an_answer_that_comes_after_everything_was_taken_back_is_taken_back_again() {
    let mut saga = at(
        Kind::Fulfilment,
        &[
            Event::Due,
            said(0, Op::Forward, Said::Done),
            Event::Due,
            Event::Verb(Verb::Compensate),
            Event::Due,
            said(1, Op::Undo, Said::Done),
            Event::Due,
            said(0, Op::Undo, Said::Done),
        ],
    );
    assert_eq!(saga.at.stage, Stage::Compensated);
    saga = step(&saga, Order::Gone, said(1, Op::Forward, Said::Done)).expect("it is known now");
    assert_eq!((saga.at.stage, saga.at.cursor), (Stage::UndoReady, 1));
}

#[test]
fn a_brief_step_without_an_answer_is_taken_back_and_a_patient_one_is_parked() {
    let path = |steps: usize, tries: u16| {
        let mut path = Vec::new();
        for step in 0..steps {
            path.extend([
                Event::Due,
                said(u8::try_from(step).expect("few"), Op::Forward, Said::Done),
            ]);
        }
        // One due for the attempt, one for its missing answer.
        path.extend(vec![Event::Due; usize::from(tries) * 2]);
        path
    };
    let customs = at(Kind::CrossBorder, &path(1, RetryClass::Brief.tries()));
    assert_eq!((customs.at.stage, customs.at.cursor), (Stage::UndoReady, 1));
    let carrier = at(Kind::Fulfilment, &path(1, RetryClass::Patient.tries()));
    assert_eq!((carrier.at.stage, carrier.at.cursor), (Stage::Parked, 1));
}

/// D34: the coordinator's level of deduplication is (saga, step); the same answer twice does something once.
#[test]
fn the_same_answer_twice_is_a_repeat() {
    let saga = at(
        Kind::Fulfilment,
        &[Event::Due, said(0, Op::Forward, Said::Done)],
    );
    let again = react(
        0,
        &saga,
        Time(9),
        Order::Ready,
        said(0, Op::Forward, Said::Done),
    );
    assert_eq!(again, Reaction::Repeat);
}
