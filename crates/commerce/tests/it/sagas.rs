//! Sagas as a part of the book: begun for orders that are ready, kept by journal and snapshot, moved by time; and orders
//! that leave in part.

use ledger::{Minor, Units};
use tidegate_commerce::command::RefundOutcome;
use tidegate_commerce::saga::{Kind, Mark, Op, SagaAsk, SagaEntry, Said, Stage, StepKey, Verb};
use tidegate_commerce::{
    Action, Actor, Book, Command, Entry, OrderStatus, Outcome, Refusal, Time, Turn,
};

use crate::commands::{
    amount, cancel, captured, create, merchant, pay, place, plan, refund, refunded, sku, turn,
};

struct Sale {
    book: Book,
    now: u64,
    /// Everything that was journalled, with its time.
    journal: Vec<(Time, Entry)>,
}

impl Sale {
    /// A sale of cups at 1.00 with this many orders that are paid.
    fn with_paid(orders: u32) -> Self {
        let mut sale = Self {
            book: Book::new(),
            now: 1_000,
            journal: Vec::new(),
        };
        sale.does(&create(plan(vec![sku("cup", 500, None)], None)));
        sale.does(&turn("open", Turn::Open));
        for order in 0..orders {
            sale.does(&place("ann", &format!("a{order}"), &[2]));
            sale.does(&pay(order, &format!("pay{order}")));
            sale.does(&captured(order, 1, 200));
        }
        sale
    }

    fn fulfilling(orders: u32) -> Self {
        let mut sale = Self::with_paid(orders);
        sale.does(&asked(SagaAsk::Begin(Some(Kind::Fulfilment))));
        sale.tick();
        sale
    }

    /// What was journalled decides the same again today, and gives the same book.
    fn keep(&mut self, before: Vec<u8>, entries: Vec<Entry>) {
        let mut book = Book::from_snapshot(&before).unwrap();
        for entry in entries {
            let now = Time(self.now);
            book.redecide(now, &entry).unwrap();
            book.apply(now, &entry).unwrap();
            self.journal.push((now, entry));
        }
        assert_eq!(
            book.to_snapshot().unwrap(),
            self.book.to_snapshot().unwrap()
        );
        self.book.check().unwrap();
    }

    fn ask(&mut self, command: &Command) -> Outcome {
        let before = self.book.to_snapshot().unwrap();
        let mut entries = Vec::new();
        let outcome = self.book.execute(Time(self.now), command, &mut entries);
        self.keep(before, entries);
        outcome.unwrap()
    }

    fn does(&mut self, command: &Command) {
        self.ask(command).decision.unwrap();
    }

    fn refuses(&mut self, command: &Command) -> Refusal {
        self.ask(command).decision.unwrap_err()
    }

    fn tick(&mut self) -> Vec<Entry> {
        let before = self.book.to_snapshot().unwrap();
        let mut entries = Vec::new();
        self.book.tick(Time(self.now), 4_096, &mut entries).unwrap();
        self.keep(before, entries.clone());
        entries
    }

    /// Lets time pass until something is due, and lets it happen.
    fn on(&mut self) {
        self.now = self.now.max(self.book.next_due().unwrap().0);
        self.tick();
    }

    fn answer(&mut self, step: u8, op: Op, said: Said) -> Outcome {
        self.ask(&asked(SagaAsk::Answer {
            saga: 0,
            step,
            op,
            said,
        }))
    }

    fn done(&mut self, step: u8) {
        self.answer(step, Op::Forward, Said::Done).decision.unwrap();
        self.tick();
    }

    fn stage(&self) -> (Stage, u8) {
        let at = self.book.saga(0).unwrap().saga.at;
        (at.stage, at.cursor)
    }
}

fn asked(ask: SagaAsk) -> Command {
    Command {
        actor: Actor::House,
        key: None,
        action: Action::Saga(ask),
    }
}

fn verb(key: &str, verb: Verb) -> Command {
    merchant(key, Action::Saga(SagaAsk::Verb { saga: 0, verb }))
}

fn part(key: &str, lines: &[(u16, u32)]) -> Command {
    let lines = lines.to_vec();
    merchant(key, Action::ShipPart { order: 0, lines })
}

#[test]
fn a_paid_order_begins_one_saga_and_its_attempt_is_on_record_before_it_is_made() {
    let mut sale = Sale::fulfilling(1);
    assert_eq!(sale.stage(), (Stage::Calling, 0));
    let calls: Vec<_> = sale.book.saga_calls().collect();
    assert_eq!((calls.len(), calls[0].step, calls[0].attempt), (1, 0, 1));
    for step in 0..3 {
        sale.done(step);
    }
    assert_eq!(sale.stage(), (Stage::Done, 2));
    assert_eq!(sale.book.saga_counts(), (1, 0));
    sale.now += 100_000;
    assert_eq!(sale.tick(), []);
}

#[test]
fn without_a_chosen_kind_no_saga_begins_and_later_orders_begin_theirs_by_themselves() {
    let mut sale = Sale::with_paid(1);
    assert_eq!(sale.tick(), []);
    sale.does(&asked(SagaAsk::Begin(Some(Kind::Fulfilment))));
    assert!(
        sale.ask(&asked(SagaAsk::Begin(Some(Kind::Fulfilment))))
            .repeated
            || sale.tick().len() == 2
    );
    sale.does(&place("bob", "b", &[1]));
    sale.does(&pay(1, "b"));
    assert_eq!(sale.book.saga_of(1).map(|found| found.number), None);
    sale.does(&captured(1, 1, 100));
    sale.tick();
    assert_eq!(sale.book.saga_of(1).map(|found| found.number), Some(1));
}

/// restate#5196: there a step waited for its own open side effect and kept its key locked for ever.
#[test]
fn an_attempt_whose_answer_is_missing_is_made_again_under_the_same_key() {
    let mut sale = Sale::fulfilling(1);
    sale.on();
    assert_eq!(sale.stage(), (Stage::Ready, 0));
    sale.on();
    let call = sale.book.saga_calls().next().unwrap();
    assert_eq!((call.saga, call.step, call.attempt), (0, 0, 2));
    let key = StepKey {
        sale: 7,
        saga: call.saga,
        step: call.step,
    };
    assert_eq!(key.to_string(), "sag_7_0_0");
    sale.done(0);
    assert_eq!(sale.stage(), (Stage::Calling, 1));
}

/// dtm#453: there the process died between a rollback and its record, and the branch was rolled back never or twice.
#[test]
fn a_crash_between_taking_back_and_its_record_asks_again_and_counts_once() {
    let mut sale = Sale::fulfilling(1);
    sale.done(0);
    sale.does(&verb("back", Verb::Compensate));
    sale.tick();
    assert_eq!(sale.stage(), (Stage::Undoing, 1));
    // The participant took it back, and nobody recorded it: the book that is read again asks again.
    let mut book = Book::new();
    for (time, entry) in &sale.journal {
        book.apply(*time, entry).unwrap();
    }
    sale.book = book;
    assert_eq!(sale.book.saga_calls().next().unwrap().op, Op::Undo);
    sale.on();
    sale.on();
    assert_eq!(sale.stage(), (Stage::Undoing, 1));
    sale.answer(1, Op::Undo, Said::Done).decision.unwrap();
    assert!(sale.answer(1, Op::Undo, Said::Done).repeated);
    sale.tick();
    assert_eq!(sale.stage(), (Stage::Undoing, 0));
    sale.answer(0, Op::Undo, Said::Done).decision.unwrap();
    assert_eq!(sale.stage(), (Stage::Compensated, 0));
}

#[test]
fn an_order_given_up_before_the_pivot_takes_its_saga_back() {
    let mut sale = Sale::fulfilling(1);
    sale.done(0);
    sale.does(&cancel(0, "c"));
    sale.answer(1, Op::Forward, Said::Unknown).decision.unwrap();
    sale.on();
    assert_eq!(sale.stage(), (Stage::Undoing, 1));
}

#[test]
fn operators_retry_skip_and_take_back_what_is_parked_and_nothing_else() {
    let mut sale = Sale::fulfilling(1);
    let early = sale.refuses(&verb("early", Verb::Skip));
    assert!(matches!(early, Refusal::SagaState { .. }), "{early:?}");
    while sale.stage().0 != Stage::Parked {
        sale.on();
    }
    assert_eq!(sale.book.next_due(), None);
    sale.does(&verb("retry", Verb::Retry));
    assert!(sale.ask(&verb("retry", Verb::Retry)).repeated);
    sale.tick();
    assert_eq!(sale.book.saga_calls().next().unwrap().attempt, 1);
    while sale.stage().0 != Stage::Parked {
        sale.on();
    }
    sale.does(&verb("skip", Verb::Skip));
    assert_eq!(sale.stage(), (Stage::Ready, 1));
    assert_eq!(sale.book.saga(0).unwrap().saga.mark(0), Mark::Skipped);
    let nobody = asked(SagaAsk::Verb {
        saga: 9,
        verb: Verb::Skip,
    });
    assert_eq!(sale.refuses(&nobody), Refusal::NoSaga);
}

#[test]
fn a_step_that_was_never_tried_is_barred_when_its_saga_is_taken_back() {
    let mut sale = Sale::fulfilling(1);
    sale.answer(0, Op::Forward, Said::Done).decision.unwrap();
    assert_eq!(sale.stage(), (Stage::Ready, 1));
    sale.does(&verb("back", Verb::Compensate));
    let saga = sale.book.saga(0).unwrap().saga.clone();
    assert_eq!(
        (saga.mark(1), saga.at.stage),
        (Mark::Barred, Stage::UndoReady)
    );
    // A forward branch that nobody asked for is known, taken in, and changes nothing but what is known.
    sale.answer(1, Op::Forward, Said::Done).decision.unwrap();
    assert_eq!(sale.stage(), (Stage::UndoReady, 0));
}

#[test]
fn no_more_attempts_run_at_once_than_may_and_the_rest_wait_without_spinning() {
    let mut sale = Sale::fulfilling(100);
    assert_eq!(sale.book.saga_calls().count(), 64);
    assert_eq!(sale.tick(), []);
    assert!(sale.book.next_due().unwrap().0 > sale.now);
    sale.answer(0, Op::Forward, Said::Done).decision.unwrap();
    sale.tick();
    assert_eq!(sale.book.saga_calls().count(), 64);
}

#[test]
fn an_order_that_waits_for_its_saga_and_goes_another_way_begins_none() {
    let mut sale = Sale::fulfilling(66);
    assert_eq!(sale.book.saga_calls().count(), 64);
    sale.does(&merchant("by hand", Action::Ship { order: 64 }));
    sale.does(&cancel(65, "given up"));
    sale.answer(0, Op::Forward, Said::Done).decision.unwrap();
    sale.answer(1, Op::Forward, Said::Done).decision.unwrap();
    sale.tick();
    assert!(sale.book.saga_of(64).is_none());
    assert!(sale.book.saga_of(65).is_none());
}

#[test]
fn a_sale_with_an_open_saga_is_not_retired() {
    let mut sale = Sale::fulfilling(1);
    sale.does(&turn("close", Turn::Close));
    let refused = sale.refuses(&turn("retire", Turn::Retire));
    assert!(matches!(refused, Refusal::SaleState { .. }), "{refused:?}");
    (0..3).for_each(|step| sale.done(step));
    sale.does(&turn("retire", Turn::Retire));
}

#[test]
fn three_of_five_leave_and_two_go_back_with_their_money_in_one_transition() {
    let mut sale = Sale::with_paid(0);
    sale.does(&place("ann", "a", &[5]));
    sale.does(&pay(0, "p"));
    sale.does(&captured(0, 1, 500));
    let before = sale.book.find_sku("cup").unwrap().units().available();
    sale.does(&part("ship", &[(0, 3)]));
    let units = sale.book.find_sku("cup").unwrap().units();
    assert_eq!(
        (units.available(), units.sold()),
        (Units(before.0 + 2), Units(3))
    );
    let order = sale.book.order(0).unwrap();
    assert_eq!(order.status(), OrderStatus::Shipped);
    assert_eq!(order.refunds().next().unwrap().amount, Minor(200));
    assert_eq!(sale.book.open_effects().count(), 1);
    sale.does(&refunded(0, 1, RefundOutcome::Refunded));
    assert_eq!(sale.book.order(0).unwrap().funds().refunded(), Minor(200));
    assert!(sale.ask(&part("ship", &[(0, 3)])).repeated);
    let twice = sale.refuses(&part("again", &[(0, 3)]));
    assert!(matches!(twice, Refusal::OrderState { .. }), "{twice:?}");
}

#[test]
fn a_part_names_what_the_order_has_and_the_whole_is_a_plain_shipment() {
    let mut sale = Sale::with_paid(1);
    for wrong in [&[][..], &[(0, 0)], &[(0, 3)], &[(1, 1)], &[(0, 1), (0, 2)]] {
        sale.refuses(&part("wrong", wrong));
    }
    sale.does(&part("all", &[(0, 1), (0, 1)]));
    let last = &sale.journal.last().unwrap().1;
    assert!(matches!(last, Entry::Shipped { .. }), "{last:?}");
}

#[test]
fn the_rest_of_a_part_gives_back_no_more_money_than_is_left() {
    let mut sale = Sale::with_paid(1);
    sale.does(&refund(0, "r", amount(150)));
    sale.does(&part("ship", &[(0, 1)]));
    let amounts: Vec<_> = sale
        .book
        .order(0)
        .unwrap()
        .refunds()
        .map(|refund| refund.amount)
        .collect();
    assert_eq!(amounts, [Minor(150), Minor(50)]);
}

#[test]
fn a_snapshot_keeps_sagas_and_what_is_ready_for_one() {
    let mut sale = Sale::fulfilling(80);
    let book = Book::from_snapshot(&sale.book.to_snapshot().unwrap()).unwrap();
    assert_eq!(book.saga_calls().count(), 64);
    assert_eq!(book.saga_kind(), Some(Kind::Fulfilment));
    sale.book = book;
    sale.answer(0, Op::Forward, Said::Failed).decision.unwrap();
    let begun = |entry: &Entry| matches!(entry, Entry::Saga(SagaEntry::Begun { .. }));
    assert!(sale.tick().iter().any(begun));
}
