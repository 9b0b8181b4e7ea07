//! The sagas of a sale: begun for orders that are ready, moved by time, answers and operators.

use std::collections::{BTreeMap, BTreeSet};

use ledger::Violation;
use serde::{Deserialize, Serialize};

use super::keys::Question;
use super::order::Phase;
use super::sale::accept;
use super::{Book, Done, Terms, Verdict};
use crate::deal::Settled;
use crate::entry::Entry;
use crate::saga::machine::{self, Order, Reaction};
use crate::saga::{
    CALLS_MOST, Call, Event, Kind, Mark, Move, STEPS_MOST, Saga, SagaAsk, SagaEntry, Stage, Verb,
};
use crate::{Refusal, Time};

/// The sagas of a sale.
#[derive(Debug, Default)]
pub(crate) struct Sagas {
    /// What begins by itself for an order that is ready.
    pub(super) kind: Option<Kind>,
    pub(super) list: Vec<Saga>,
    by_order: BTreeMap<u32, u32>,
    /// Orders that are ready and have no saga yet.
    ready: BTreeSet<u32>,
    /// Sagas whose next attempt waits for its time.
    waiting: BTreeSet<(Time, u32)>,
    /// Attempts under way, by the moment when their answer counts as missing.
    under_way: BTreeSet<(Time, u32)>,
    /// Sagas that are not over.
    open: BTreeSet<u32>,
}

impl Sagas {
    /// Puts a saga into the lists that its place calls for.
    fn list_in(&mut self, number: u32, saga: &Saga) {
        let place = (saga.at.until, number);
        if saga.at.stage.waits() {
            self.waiting.insert(place);
        } else if saga.at.stage.calls().is_some() {
            self.under_way.insert(place);
        }
        if !saga.at.stage.is_over() {
            self.open.insert(number);
        }
    }

    fn list_out(&mut self, number: u32, saga: &Saga) {
        let place = (saga.at.until, number);
        self.waiting.remove(&place);
        self.under_way.remove(&place);
        self.open.remove(&number);
    }

    pub(super) fn push(&mut self, saga: Saga) -> Result<(), Violation> {
        let number = u32::try_from(self.list.len())
            .map_err(|_| Violation::new("INV-4", "more sagas than numbers"))?;
        if self.by_order.insert(saga.order, number).is_some() {
            let twice = format!("order {} has two sagas", saga.order);
            return Err(Violation::new("INV-4", twice));
        }
        self.ready.remove(&saga.order);
        self.list_in(number, &saga);
        self.list.push(saga);
        Ok(())
    }

    /// When a saga next has something to do. What waits for a free place under way is not due.
    fn next_due(&self) -> Option<Time> {
        let ready =
            (self.kind.is_some() && !self.ready.is_empty() && self.has_room()).then_some(Time(0));
        let waiting = self.waiting.first().filter(|_| self.has_room());
        let times = [waiting, self.under_way.first()];
        let times = times.into_iter().flatten().map(|(time, _)| *time);
        times.chain(ready).min()
    }

    fn has_room(&self) -> bool {
        self.under_way.len() < CALLS_MOST
    }
}

/// A saga, to read.
#[derive(Debug, Clone, Copy)]
pub struct SagaRef<'a> {
    /// Its number in the sale.
    pub number: u32,
    /// The saga.
    pub saga: &'a Saga,
}

/// How the sagas of a snapshot begin.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SagasHead {
    pub(super) kind: Option<Kind>,
    pub(super) count: u32,
}

impl Book {
    /// Whether an order may go out: its units are sold, what they cost is not on its way back, and its team, if it has
    /// one, is complete and settled with it.
    pub fn is_ready(&self, number: u32) -> bool {
        let order = self.orders.get(number);
        order.is_some_and(|order| {
            let team = order.seat.team().and_then(|team| self.teams.get(team));
            let settled = team.is_none_or(|team| {
                let place = team.member(number);
                place.is_some_and(|place| place < team.settled as usize)
            });
            order.is_sold() && order.may_leave() && self.team_lets_go(order) && settled
        })
    }

    /// An order may have become ready: it is looked at again.
    pub(crate) fn note_ready(&mut self, number: u32) {
        let unsent = |order: &super::Order| order.phase == Phase::Paid;
        if self.sagas.kind.is_some()
            && self.orders.get(number).is_some_and(unsent)
            && !self.sagas.by_order.contains_key(&number)
            && self.is_ready(number)
        {
            self.sagas.ready.insert(number);
        }
    }

    /// An order that waited for its saga went another way: shipped by hand, or given up.
    fn note_gone(&mut self, number: u32) {
        let order = self.orders.get(number);
        let waits = order.is_some_and(|order| order.phase == Phase::Paid) && self.is_ready(number);
        if !waits {
            self.sagas.ready.remove(&number);
        }
    }

    /// Orders that an entry may have made ready, or sent another way.
    pub(crate) fn note_entry(&mut self, entry: &Entry) {
        match entry {
            Entry::Placed(placed) => self.note_ready(placed.order),
            Entry::Dealt(dealt) => self.note_ready(dealt.placed.order),
            Entry::LineOffered(offer) => self.note_ready(offer.order),
            Entry::Captured { order, .. } => self.note_ready(*order),
            Entry::TeamSettled { orders, .. } => {
                let orders = orders.iter().map(Settled::order);
                orders.for_each(|order| self.note_ready(order));
            }
            Entry::RefundFailed { order, .. } => self.note_ready(*order),
            Entry::Shipped { order, .. }
            | Entry::ShippedInPart { order, .. }
            | Entry::Cancelled { order, .. }
            | Entry::GivenUp { order, .. }
            | Entry::ChargedBack { order, .. } => self.note_gone(*order),
            Entry::RefundBegun { refund, .. } => self.note_gone(refund.order),
            Entry::RefundsBegun { refunds, .. } => {
                let orders = refunds.iter().map(|refund| refund.order);
                orders.for_each(|order| self.note_gone(order));
            }
            _ => {}
        }
    }

    pub(crate) fn look_for_ready(&mut self) {
        if self.sagas.kind.is_none() {
            self.sagas.ready.clear();
            return;
        }
        for number in 0..self.orders.len() {
            self.note_ready(number);
        }
    }

    pub(crate) fn decide_saga(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        ask: SagaAsk,
    ) -> Verdict {
        if question.buyer().is_some() {
            return Refusal::NoOrder.into();
        }
        match ask {
            SagaAsk::Begin(kind) if kind == self.sagas.kind => Verdict::Repeat(Done::Sale),
            SagaAsk::Begin(kind) => accept(Entry::Saga(SagaEntry::Chosen { kind })),
            SagaAsk::Answer {
                saga,
                step,
                op,
                said,
            } => self.decide_answer(now, saga, Event::Answer { step, op, said }),
            SagaAsk::Verb { saga, verb } => self.decide_verb(now, terms, question, (saga, verb)),
        }
    }

    fn decide_answer(&self, now: Time, number: u32, event: Event) -> Verdict {
        let Some(saga) = self.sagas.list.get(number as usize) else {
            return Refusal::NoSaga.into();
        };
        match self.reaction(now, number, saga, event) {
            Reaction::Move(change) => accept(moved(number, saga.order, event, change)),
            Reaction::Repeat => Verdict::Repeat(Done::Order(saga.order)),
            Reaction::Refuse(why) => Refusal::SagaState { why }.into(),
        }
    }

    fn decide_verb(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        (number, verb): (u32, Verb),
    ) -> Verdict {
        let Some(saga) = self.sagas.list.get(number as usize) else {
            return Refusal::NoSaga.into();
        };
        let key = match question.bound(&terms.secret) {
            Ok(key) => key,
            Err(refusal) => return refusal.into(),
        };
        match self.reaction(now, number, saga, Event::Verb(verb)) {
            Reaction::Move(change) => accept(Entry::Saga(SagaEntry::Ordered {
                saga: number,
                order: saga.order,
                verb,
                change,
                key,
            })),
            Reaction::Repeat => Verdict::Repeat(Done::Order(saga.order)),
            Reaction::Refuse(why) => Refusal::SagaState { why }.into(),
        }
    }

    fn reaction(&self, now: Time, number: u32, saga: &Saga, event: Event) -> Reaction {
        let order = match self.is_ready(saga.order) {
            true => Order::Ready,
            false => Order::Gone,
        };
        machine::react(number, saga, now, order, event)
    }

    /// What time does to the sagas: missing answers, sagas of orders that are ready, attempts that may begin.
    pub(crate) fn tick_sagas(
        &mut self,
        now: Time,
        most: usize,
        out: &mut Vec<Entry>,
    ) -> Result<(), Violation> {
        for _ in 0..most {
            let Some(entry) = self.next_of_sagas(now) else {
                break;
            };
            self.apply(now, &entry)?;
            out.push(entry);
        }
        Ok(())
    }

    fn next_of_sagas(&self, now: Time) -> Option<Entry> {
        let due = |list: &BTreeSet<(Time, u32)>| {
            let first = list.first().filter(|(time, _)| *time <= now);
            first.map(|(_, number)| *number)
        };
        let has_room = self.sagas.has_room();
        let number =
            due(&self.sagas.under_way).or_else(|| due(&self.sagas.waiting).filter(|_| has_room));
        if let Some(number) = number {
            return self.due_entry(now, number);
        }
        let (kind, order) = (self.sagas.kind?, *self.sagas.ready.first()?);
        let saga = u32::try_from(self.sagas.list.len()).ok()?;
        has_room.then_some(Entry::Saga(SagaEntry::Begun { saga, kind, order }))
    }

    pub(super) fn due_entry(&self, now: Time, number: u32) -> Option<Entry> {
        let saga = self.sagas.list.get(number as usize)?;
        match self.reaction(now, number, saga, Event::Due) {
            Reaction::Move(change) => Some(moved(number, saga.order, Event::Due, change)),
            Reaction::Repeat | Reaction::Refuse(_) => None,
        }
    }

    pub(crate) fn saga_due(&self) -> Option<Time> {
        self.sagas.next_due()
    }

    pub(crate) fn apply_saga(&mut self, now: Time, entry: &SagaEntry) -> Result<(), Violation> {
        match entry {
            SagaEntry::Chosen { kind } => {
                self.sagas.kind = *kind;
                self.look_for_ready();
                Ok(())
            }
            SagaEntry::Begun { saga, kind, order } => {
                if self.sagas.list.len() != *saga as usize {
                    let gap = format!("saga {saga} is not the next");
                    return Err(Violation::new("INV-4", gap));
                }
                self.order_mut(*order)?;
                self.sagas.push(Saga::new(*kind, *order, now))
            }
            SagaEntry::Moved { saga, change, .. } => self.move_saga(now, *saga, change),
            SagaEntry::Ordered {
                saga,
                order,
                change,
                key,
                ..
            } => {
                self.move_saga(now, *saga, change)?;
                self.keys.bind(key, Done::Order(*order))
            }
        }
    }

    fn move_saga(&mut self, now: Time, number: u32, change: &Move) -> Result<(), Violation> {
        let gone = || Violation::new("INV-4", format!("no saga {number}"));
        let mut saga = self
            .sagas
            .list
            .get(number as usize)
            .cloned()
            .ok_or_else(gone)?;
        self.sagas.list_out(number, &saga);
        saga.follow(change, now);
        check_saga(number, &saga)?;
        self.sagas.list_in(number, &saga);
        *self.sagas.list.get_mut(number as usize).ok_or_else(gone)? = saga;
        Ok(())
    }

    /// INV-4: each order has at most one saga, each saga stands where its steps say, and each that waits is in its list.
    pub(crate) fn check_sagas(&self) -> Result<(), Violation> {
        let mut again = Sagas::default();
        for (saga, number) in self.sagas.list.iter().zip(0..) {
            check_saga(number, saga)?;
            if self.orders.get(saga.order).is_none() {
                let lost = format!("saga {number} is for no order");
                return Err(Violation::new("INV-4", lost));
            }
            again.push(saga.clone())?;
        }
        let same = again.by_order == self.sagas.by_order
            && again.waiting == self.sagas.waiting
            && again.under_way == self.sagas.under_way
            && again.open == self.sagas.open;
        if same {
            return Ok(());
        }
        let lost = "a saga waits and is in no list, or is over and still in one";
        Err(Violation::new("INV-4", lost))
    }

    /// Begins the sagas of a book read from a snapshot again.
    pub(super) fn restore_sagas(&mut self, kind: Option<Kind>) {
        self.sagas.kind = kind;
        self.look_for_ready();
    }

    /// What begins by itself for an order that is ready.
    pub fn saga_kind(&self) -> Option<Kind> {
        self.sagas.kind
    }

    /// How many sagas were ever begun, and how many are not over.
    pub fn saga_counts(&self) -> (u32, usize) {
        let ever = u32::try_from(self.sagas.list.len()).unwrap_or(u32::MAX);
        (ever, self.sagas.open.len())
    }

    /// One saga.
    pub fn saga(&self, number: u32) -> Option<SagaRef<'_>> {
        let saga = self.sagas.list.get(number as usize)?;
        Some(SagaRef { number, saga })
    }

    /// The saga of an order.
    pub fn saga_of(&self, order: u32) -> Option<SagaRef<'_>> {
        self.saga(*self.sagas.by_order.get(&order)?)
    }

    /// Sagas from this number on.
    pub fn sagas_from(&self, number: u32) -> impl Iterator<Item = SagaRef<'_>> {
        let numbers = number..u32::try_from(self.sagas.list.len()).unwrap_or(u32::MAX);
        numbers.filter_map(|number| self.saga(number))
    }

    /// Sagas that are not over, in the order of their numbers.
    pub fn open_sagas(&self) -> impl Iterator<Item = SagaRef<'_>> {
        self.sagas
            .open
            .iter()
            .filter_map(|number| self.saga(*number))
    }

    /// Attempts under way, those whose time is up first.
    pub fn saga_calls(&self) -> impl Iterator<Item = Call> {
        self.sagas
            .under_way
            .iter()
            .filter_map(|(_, number)| self.saga(*number).and_then(call_of))
    }
}

fn call_of(found: SagaRef<'_>) -> Option<Call> {
    let at = found.saga.at;
    Some(Call {
        saga: found.number,
        order: found.saga.order,
        kind: found.saga.kind,
        step: at.cursor,
        op: at.stage.calls()?,
        attempt: at.attempt,
        until: at.until,
    })
}

fn moved(saga: u32, order: u32, event: Event, change: Move) -> Entry {
    Entry::Saga(SagaEntry::Moved {
        saga,
        order,
        event,
        change,
    })
}

/// A saga stands where its steps say.
fn check_saga(number: u32, saga: &Saga) -> Result<(), Violation> {
    let steps = saga.kind.steps().len();
    let settled = |mark| matches!(mark, Mark::Done | Mark::Skipped);
    let marks = saga.marks.get(..steps.min(STEPS_MOST)).unwrap_or_default();
    let sound = match saga.at.stage {
        Stage::Done => marks.iter().all(|mark| settled(*mark)),
        Stage::Compensated => saga
            .steps()
            .all(|(_, plan, mark)| !plan.compensates || !matches!(mark, Mark::Begun)),
        _ => usize::from(saga.at.cursor) < steps,
    };
    if sound {
        return Ok(());
    }
    let torn = format!("saga {number} is {:?} with {marks:?}", saga.at.stage);
    Err(Violation::new("INV-4", torn))
}
