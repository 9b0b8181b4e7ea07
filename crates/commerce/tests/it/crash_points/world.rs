//! A small world around a book: what is decided, what of it is durable, who was told what, and who may do what next.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use tidegate_commerce::command::{ChargeOutcome, RefundOutcome};
use tidegate_commerce::record::{self, Records};
use tidegate_commerce::{Book, Command, Done, Effect, Entry, RefundAsk, Time};

use super::oracles;
use super::outside::{Count, Key, Provider, mark};
use crate::commands::{
    HOLD_MS, cancel, captured, charged, charged_back, pay, place, refund, refunded,
};

pub(crate) const BUYERS: [&str; 2] = ["ann", "bob"];
/// Every order is one cup at this price.
pub(crate) const CUP_MINOR: i64 = 100;

/// What a buyer may want; each wish has its key, and may be uttered again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Wish {
    Place,
    /// A second order, with another key.
    More,
    Pay,
    PayAgain,
    Cancel,
    Refund,
}

/// Who wants what.
pub(crate) type Asked = (usize, Wish);

/// One thing that may happen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Ask(Asked),
    /// A hold's time goes by.
    Wait,
    /// The desk lets holds expire.
    Tick,
    /// The oldest batch becomes durable: its callers are answered, its effects handed out.
    Land,
    /// What is not durable is lost, and all that the process knew.
    Crash,
    /// The cashier sends an effect; the provider does it or not, and its answer arrives or is lost.
    Send {
        key: Key,
        moves: bool,
        heard: bool,
    },
    /// The provider tells by itself what it did; once more, perhaps.
    CallBack(Key),
    /// A refused charge is captured all the same.
    CaptureAfterAll(Key),
    /// The buyer's bank takes the money back.
    TakeBack(u32),
    /// The bank's message arrives; once more, perhaps.
    TellTakenBack(u32),
}

/// What is allowed to happen, and how often.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Budget {
    /// Batches that are decided and not durable, at most.
    pub(crate) undurable: usize,
    pub(crate) crashes: u8,
    pub(crate) waits: u8,
    /// Answers of the provider that are lost.
    pub(crate) losses: u8,
    /// Charges and refunds that the provider refuses.
    pub(crate) refusals: u8,
    pub(crate) captures_after_all: u8,
    pub(crate) taken_back: u8,
}

/// A batch, decided.
#[derive(Debug, Clone, Hash)]
struct Batch {
    time_ms: u64,
    payload: Vec<u8>,
    answers: BTreeMap<Asked, (u32, u16)>,
    effects: Vec<(Key, i64)>,
}

/// A state of the small world.
#[derive(Debug, Clone)]
pub(crate) struct World {
    wishes: &'static [Asked],
    pub(crate) budget: Budget,
    pub(crate) now: Time,
    live: Rc<[u8]>,
    durable: Rc<[u8]>,
    journal: Vec<Rc<Batch>>,
    /// Decided and not durable, oldest first.
    undurable: Vec<Rc<Batch>>,
    count: Count,
    count_durable: Count,
    pub(crate) provider: Provider,
    /// What the cashier has in hand.
    offered: BTreeSet<Key>,
    told: BTreeMap<Asked, (u32, u16)>,
    /// What happened in any of the worlds that began together.
    pub(crate) marks: Rc<RefCell<BTreeSet<&'static str>>>,
}

fn load(bytes: &[u8]) -> Book {
    Book::from_snapshot(bytes).expect("a snapshot that was just made")
}

fn save(book: &Book) -> Rc<[u8]> {
    book.to_snapshot().expect("every book encodes").into()
}

fn key_of(effect: &Effect) -> Key {
    Key::new(effect.order, effect.kind)
}

fn numbers(done: Done) -> (u32, u16) {
    match done {
        Done::Sale => (u32::MAX, 0),
        Done::Order(order) => (order, 0),
        Done::Refund { order, number } => (order, number),
        Done::Team(_) | Done::Ticket(_) => unreachable!("no teams and no line here"),
    }
}

impl Batch {
    fn entries(&self) -> Vec<Entry> {
        let (mut records, mut entries) = (Records::new(&self.payload), Vec::new());
        while let Some(entry) = records.read().expect("a record that was just written") {
            entries.push(entry);
        }
        entries
    }

    fn apply(&self, book: &mut Book) {
        for entry in self.entries() {
            book.apply(Time(self.time_ms), &entry)
                .expect("it was decided on this book");
        }
    }
}

impl World {
    /// The world after these commands, which are durable.
    pub(crate) fn after(opening: &[Command], wishes: &'static [Asked], budget: Budget) -> Self {
        let empty = save(&Book::new());
        let mut world = Self {
            wishes,
            budget,
            now: Time(1_000),
            live: empty.clone(),
            durable: empty,
            journal: Vec::new(),
            undurable: Vec::new(),
            count: Count::default(),
            count_durable: Count::default(),
            provider: Provider::default(),
            offered: BTreeSet::new(),
            told: BTreeMap::new(),
            marks: Rc::default(),
        };
        for command in opening {
            world.ask(command, None);
            world.land_all();
        }
        world
    }

    /// The world after these steps.
    pub(crate) fn walked(mut self, steps: &[Step]) -> Self {
        steps.iter().for_each(|step| self.take(*step));
        self
    }

    /// A name for the state: two states of one name go on alike.
    pub(crate) fn name(&self) -> (u64, u64) {
        let mut first = DefaultHasher::new();
        (&self.live, &self.durable, &self.undurable, self.now.0).hash(&mut first);
        (&self.provider, &self.offered, &self.told, &self.budget).hash(&mut first);
        let mut second = first.clone();
        0x5eed_u64.hash(&mut second);
        (&self.live, &self.provider).hash(&mut second);
        (first.finish(), second.finish())
    }

    /// All that may happen next.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if !self.undurable.is_empty() {
            steps.push(Step::Land);
        }
        if self.budget.crashes > 0 {
            steps.push(Step::Crash);
        }
        if self.budget.waits > 0 {
            steps.push(Step::Wait);
        }
        if self.undurable.len() < self.budget.undurable {
            let possible = |asked: &&Asked| self.command(**asked).is_some();
            steps.extend(
                self.wishes
                    .iter()
                    .filter(possible)
                    .map(|asked| Step::Ask(*asked)),
            );
            if load(&self.live).has_due(self.now) {
                steps.push(Step::Tick);
            }
            self.steps_outside(&mut steps);
        }
        steps
    }

    fn steps_outside(&self, steps: &mut Vec<Step>) {
        let durable = load(&self.durable);
        let ripe = |key: &&Key| self.not_before(&durable, **key) <= self.now;
        for &key in self.offered.iter().filter(ripe) {
            let known = self.provider.record(key);
            let moves = [Some(true), (self.budget.refusals > 0).then_some(false)];
            for moves in moves.into_iter().flatten() {
                if known.is_some_and(|known| known.moved != moves) {
                    continue;
                }
                steps.push(Step::Send {
                    key,
                    moves,
                    heard: true,
                });
                if self.budget.losses > 0 {
                    steps.push(Step::Send {
                        key,
                        moves,
                        heard: false,
                    });
                }
            }
        }
        for (key, record) in self.provider.records() {
            steps.push(Step::CallBack(key));
            let Key::Charge(order, _) = key else { continue };
            if !record.moved && self.budget.captures_after_all > 0 {
                steps.push(Step::CaptureAfterAll(key));
            }
            if record.moved && self.budget.taken_back > 0 {
                steps.push(Step::TakeBack(order));
            }
        }
        steps.extend(
            self.provider
                .taken_back()
                .map(|(order, _)| Step::TellTakenBack(order)),
        );
    }

    fn not_before(&self, book: &Book, key: Key) -> Time {
        let open = book.open_effects().find(|effect| key_of(effect) == key);
        open.map_or(Time(0), |effect| effect.not_before)
    }

    /// What a wish is as a command, once its order is known to the buyer.
    fn command(&self, (buyer, wish): Asked) -> Option<Command> {
        let (name, key) = (BUYERS[buyer], format!("{buyer} {wish:?}"));
        let order = self
            .told
            .get(&(buyer, Wish::Place))
            .map(|(order, _)| *order);
        Some(match wish {
            Wish::Place | Wish::More => place(name, &key, &[1]),
            Wish::Pay => pay(order?, &key),
            Wish::PayAgain if !self.told.contains_key(&(buyer, Wish::Pay)) => return None,
            Wish::PayAgain => pay(order?, &key),
            Wish::Cancel => cancel(order?, &key),
            Wish::Refund => refund(order?, &key, RefundAsk::default()),
        })
    }

    /// Takes a step.
    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Ask(asked) => {
                let command = self.command(asked).expect("a possible wish");
                self.ask(&command, Some(asked));
            }
            Step::Wait => {
                self.budget.waits -= 1;
                self.now = self.now.after_ms(u64::from(HOLD_MS));
            }
            Step::Tick => self.tick(),
            Step::Land => self.land(),
            Step::Crash => self.crash(),
            Step::Send { key, moves, heard } => self.send(key, moves, heard),
            Step::CallBack(key) => self.report(key),
            Step::CaptureAfterAll(key) => {
                self.budget.captures_after_all -= 1;
                self.provider.captures_after_all(key);
            }
            Step::TakeBack(order) => {
                self.budget.taken_back -= 1;
                self.provider.take_back(order, CUP_MINOR);
            }
            Step::TellTakenBack(order) => self.tell_taken_back(order),
        }
    }

    fn ask(&mut self, command: &Command, asked: Option<Asked>) {
        let (mut book, mut entries) = (load(&self.live), Vec::new());
        let outcome = book.execute(self.now, command, &mut entries);
        let outcome = outcome.expect("no command breaks an invariant");
        let report = command.key.is_none();
        assert!(
            !report || outcome.decision.is_ok(),
            "{command:?}: {outcome:?}"
        );
        if entries.is_empty() {
            assert_eq!(
                save(&book),
                self.live,
                "{command:?}: {outcome:?} changed the book"
            );
        } else {
            self.decided(&book, &entries);
        }
        if let (Some(asked), Ok(done)) = (asked, outcome.decision) {
            self.answer(asked, numbers(done));
        }
    }

    fn tick(&mut self) {
        let (mut book, mut entries) = (load(&self.live), Vec::new());
        book.tick(self.now, 100, &mut entries)
            .expect("a tick breaks nothing");
        if !entries.is_empty() {
            self.decided(&book, &entries);
        }
    }

    /// The book decided entries: they are a batch that is not durable yet.
    fn decided(&mut self, book: &Book, entries: &[Entry]) {
        let mut payload = Vec::new();
        for entry in entries {
            record::put(entry, &mut payload).expect("every entry encodes");
            let mark = mark(entry, &self.count);
            self.marks.borrow_mut().extend(mark);
            self.count.enter(entry);
        }
        let begun = entries.iter().flat_map(|entry| book.begun(entry));
        self.undurable.push(Rc::new(Batch {
            time_ms: self.now.0,
            payload,
            answers: BTreeMap::new(),
            effects: begun
                .map(|effect| (key_of(&effect), effect.amount.0))
                .collect(),
        }));
        self.live = save(book);
        oracles::check(book, &self.count, &self.provider);
    }

    /// An answer waits for what it stands on.
    fn answer(&mut self, asked: Asked, done: (u32, u16)) {
        match self.undurable.last_mut() {
            Some(batch) => {
                Rc::make_mut(batch).answers.insert(asked, done);
            }
            None => self.hear(asked, done),
        }
    }

    fn hear(&mut self, asked: Asked, done: (u32, u16)) {
        let before = self.told.insert(asked, done);
        assert!(
            before.is_none_or(|before| before == done),
            "{asked:?} heard {before:?}, then {done:?}"
        );
    }

    fn land(&mut self) {
        let batch = self.undurable.remove(0);
        let mut book = load(&self.durable);
        batch.apply(&mut book);
        batch
            .entries()
            .iter()
            .for_each(|entry| self.count_durable.enter(entry));
        self.durable = save(&book);
        if self.undurable.is_empty() {
            assert_eq!(
                self.durable, self.live,
                "what is durable is not what was decided"
            );
        }
        oracles::check(&book, &self.count_durable, &self.provider);
        for (key, minor) in &batch.effects {
            let same = |open: Effect| key_of(&open) == *key && open.amount.0 == *minor;
            assert!(
                book.open_effects().any(same),
                "{key:?} is handed out and not open"
            );
            self.offered.insert(*key);
        }
        // A try that was withdrawn before it was sent: the cashier asks, and leaves it.
        let provider = &self.provider;
        self.offered.retain(|key| {
            book.open_effects().any(|open| key_of(&open) == *key) || provider.record(*key).is_some()
        });
        for (asked, done) in &batch.answers {
            self.hear(*asked, *done);
        }
        self.journal.push(batch);
    }

    pub(crate) fn land_all(&mut self) {
        while !self.undurable.is_empty() {
            self.land();
        }
    }

    /// The process dies and starts again: from the first entry, and from a snapshot with what came after it.
    fn crash(&mut self) {
        self.budget.crashes -= 1;
        let (mut book, mut half) = (Book::new(), None);
        for (at, batch) in self.journal.iter().enumerate() {
            if at == self.journal.len() / 2 {
                half = Some(load(&save(&book)));
            }
            batch.apply(&mut book);
            if let Some(half) = &mut half {
                batch.apply(half);
            }
        }
        assert_eq!(save(&book), self.durable, "recovery from the first entry");
        if let Some(half) = half {
            assert_eq!(save(&half), self.durable, "recovery from a snapshot");
        }
        if !self.undurable.is_empty() {
            self.marks.borrow_mut().insert("a decision was lost");
            self.undurable.clear();
        }
        self.live = self.durable.clone();
        self.count = self.count_durable.clone();
        self.offered = book.open_effects().map(|effect| key_of(&effect)).collect();
        self.assert_told();
    }

    /// Whoever was told something hears the same when asking again, and nothing moves (INV-4, INV-7).
    fn assert_told(&self) {
        let mut book = load(&self.durable);
        for (&asked, &done) in &self.told {
            let (command, mut entries) = (self.command(asked).expect("it was asked"), Vec::new());
            let again = book
                .execute(self.now, &command, &mut entries)
                .expect("no invariant breaks");
            let again = again
                .decision
                .map(|done| (numbers(done), entries.is_empty()));
            assert_eq!(again, Ok((done, true)), "{asked:?} was told {done:?}");
        }
    }

    fn send(&mut self, key: Key, moves: bool, heard: bool) {
        let minor = self.amount(key);
        let known = self.provider.record(key).is_some();
        let record = self.provider.request(key, minor, moves);
        self.budget.refusals -= u8::from(!record.moved && !known);
        if heard {
            self.offered.remove(&key);
            return self.report(key);
        }
        self.budget.losses -= 1;
        if let Key::Charge(order, attempt) = key {
            self.ask(&charged(order, attempt, ChargeOutcome::Unknown), None);
        }
    }

    /// What the durable intent says; an effect without one must not be sent (law 4).
    fn amount(&self, key: Key) -> i64 {
        let book = load(&self.durable);
        let open = book.open_effects().find(|effect| key_of(effect) == key);
        let known = self.provider.record(key).map(|record| record.minor);
        open.map(|effect| effect.amount.0)
            .or(known)
            .unwrap_or_else(|| panic!("{key:?} is sent without an intent"))
    }

    /// What the provider did under a key is told to the desk.
    fn report(&mut self, key: Key) {
        let record = self.provider.record(key).expect("it was sent");
        let command = match (key, record.moved) {
            (Key::Charge(order, attempt), true) => captured(order, attempt, record.minor),
            (Key::Charge(order, attempt), false) => charged(order, attempt, ChargeOutcome::Failed),
            (Key::Refund(order, number, _), true) => {
                refunded(order, number, RefundOutcome::Refunded)
            }
            (Key::Refund(order, number, _), false) => {
                refunded(order, number, RefundOutcome::Failed)
            }
        };
        self.ask(&command, None);
    }

    fn tell_taken_back(&mut self, order: u32) {
        self.ask(
            &charged_back(order, &format!("bank {order}"), CUP_MINOR),
            None,
        );
    }

    /// Faults are off: all that is open is brought to its end, and then everything is final.
    pub(crate) fn drain(mut self) {
        self.budget.refusals = 0;
        self.land_all();
        for _ in 0..20 {
            for (key, _) in self.provider.clone().records() {
                self.report(key);
                self.land_all();
            }
            for (order, _) in self.provider.clone().taken_back() {
                self.tell_taken_back(order);
                self.land_all();
            }
            let durable = load(&self.durable);
            for key in self.offered.clone() {
                self.now = self.now.max(self.not_before(&durable, key));
                let moves = self.provider.record(key).is_none_or(|record| record.moved);
                self.send(key, moves, true);
                self.land_all();
            }
            if self.offered.is_empty() {
                break;
            }
        }
        self.now = self.now.after_ms(u64::from(HOLD_MS));
        self.tick();
        self.land_all();
        self.assert_told();
        oracles::check_final(&load(&self.durable), &self.count_durable, &self.provider);
    }
}
