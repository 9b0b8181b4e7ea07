//! Long random runs, command by command against the naive model.

use std::sync::Arc;

use ledger::{Minor, UnitPrice, Units};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tidegate_commerce::command::{ChargeOutcome, RefundOutcome, UnitsBack};
use tidegate_commerce::plan::{SkuPatch, Test};
use tidegate_commerce::record::{self, Records};
use tidegate_commerce::{
    Action, Actor, Ask, Book, Command, Entry, Limits, Outcome, Patch, Place, RefundAsk, Refusal,
    Report, Rule, Time, Turn, Window,
};

use crate::commands::{
    by, charged, charged_back, create, merchant, pay, plan, refund, refunded, sku, turn,
};
use crate::model::{Answer, Model};

const SKUS: [&str; 3] = ["cup", "mug", "pot"];
const BUYERS: [&str; 3] = ["ann", "bob", "cy"];
/// Orders that steps speak of; the run takes the one of so many that exist.
const ORDERS: u32 = 64;
/// Stands for the whole price of the order that a capture is about.
const OWN_TOTAL: Minor = Minor(-1);

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// So much time goes by, then a command is given.
    Ask(u64, Command),
    /// An earlier command is sent again.
    Again(usize),
}

/// Keys that are rarely used twice by chance.
fn key() -> impl Strategy<Value = String> {
    (0_u16..200).prop_map(|n| format!("key {n}"))
}

fn asked() -> impl Strategy<Value = Ask> {
    let codes = select(vec!["cup", "cup", "mug", "mug", "pot", "pot", "ghost"]);
    let price = prop_oneof![
        8 => Just(None),
        1 => Just(Some(UnitPrice(0))),
        1 => (1_i64..30_000).prop_map(|price| Some(UnitPrice(price))),
    ];
    (codes, 1_u32..4, price).prop_map(|(sku, units, price)| Ask {
        sku: sku.into(),
        units,
        price,
    })
}

fn actor() -> impl Strategy<Value = Actor> {
    let buyer = |name: &str| Actor::Buyer(name.into());
    prop_oneof![
        3 => select(BUYERS.map(buyer).to_vec()),
        2 => Just(Actor::Merchant("shop".into())),
    ]
}

fn place() -> impl Strategy<Value = Command> {
    let named = prop_oneof![Just(None), select(BUYERS.to_vec()).prop_map(Some)];
    let tags = select(vec![vec![], vec!["gold"], vec!["gold", "banned"]]);
    let paid = prop_oneof![9 => Just(None), 1 => Just(Some("till"))];
    let lines = prop_oneof![3 => vec(asked(), 1..2), 1 => vec(asked(), 2..5)];
    (actor(), key(), named, tags, lines, paid).prop_map(|(actor, key, named, tags, lines, paid)| {
        let place = Place {
            buyer: named.map(Into::into),
            tags: tags.into_iter().map(Into::into).collect::<Arc<_>>(),
            lines,
            paid: paid.map(Into::into),
            deal: None,
        };
        by(actor, &key, Action::Place(place))
    })
}

fn give_back() -> impl Strategy<Value = Command> {
    let units = select(vec![UnitsBack::Restock, UnitsBack::StaySold]);
    let amount = prop_oneof![2 => Just(None), 1 => (0_i64..500).prop_map(|n| Some(Minor(n)))];
    let lines = vec((0_u16..3, 1_u32..3), 0..3);
    (0..ORDERS, key(), amount, lines, units).prop_map(|(order, key, amount, lines, units)| {
        let ask = RefundAsk {
            amount,
            lines,
            units,
            reason: None,
        };
        refund(order, &key, ask)
    })
}

fn of_order() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => (0..ORDERS, key()).prop_map(|(order, key)| pay(order, &key)),
        2 => (actor(), 0..ORDERS, key())
            .prop_map(|(actor, order, key)| by(actor, &key, Action::Cancel { order })),
        1 => (0..ORDERS, key()).prop_map(|(order, key)| merchant(&key, Action::Ship { order })),
        1 => (0..ORDERS, key()).prop_map(|(order, key)| merchant(&key, Action::Deliver { order })),
        3 => give_back(),
    ]
}

/// Reports; a capture of `None` is of the order's own total, which only the run knows.
fn reported() -> impl Strategy<Value = Command> {
    let charge = select(vec![
        ChargeOutcome::Captured(OWN_TOTAL),
        ChargeOutcome::Captured(OWN_TOTAL),
        ChargeOutcome::Captured(OWN_TOTAL),
        ChargeOutcome::Captured(Minor(70)),
        ChargeOutcome::Failed,
        ChargeOutcome::Unknown,
    ]);
    let back = select(vec![RefundOutcome::Refunded, RefundOutcome::Failed]);
    prop_oneof![
        6 => (0..ORDERS, 0_u16..4, charge)
            .prop_map(|(order, attempt, outcome)| charged(order, attempt, outcome)),
        3 => (0..ORDERS, 0_u16..5, back)
            .prop_map(|(order, number, outcome)| refunded(order, number, outcome)),
        1 => (0..ORDERS, key(), 0_i64..400)
            .prop_map(|(order, key, minor)| charged_back(order, &key, minor)),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let limit = || prop_oneof![Just(None), (1_u32..6).prop_map(|n| Some(Units(n)))];
    (limit(), limit()).prop_map(|(per_order, per_buyer)| Limits {
        per_order,
        per_buyer,
    })
}

fn patch() -> impl Strategy<Value = Patch> {
    let change = (select(SKUS.to_vec()), 1_i64..20_000, limits());
    let change = change.prop_map(|(sku, price, limits)| SkuPatch {
        sku: sku.into(),
        title: None,
        price: Some(UnitPrice(price)),
        limits: Some(limits),
        stock: None,
    });
    let tags = || vec!["gold".into()];
    let tests = vec![
        Test::Named,
        Test::AnyTag(tags()),
        Test::NoTag(vec!["banned".into()]),
    ];
    let rule =
        (select(tests), proptest::option::of(0_u64..200_000)).prop_map(|(test, until)| Rule {
            test,
            until: until.map(Time),
        });
    let window = (
        proptest::option::of(0_u64..60_000),
        proptest::option::of(100_000_u64..400_000),
    )
        .prop_map(|(opens, closes)| Window {
            opens: opens.map(Time),
            closes: closes.map(Time),
        });
    prop_oneof![
        limits().prop_map(|limits| Patch {
            limits: Some(limits),
            ..Patch::default()
        }),
        vec(change, 1..3).prop_map(|skus| Patch {
            skus,
            ..Patch::default()
        }),
        vec(rule, 0..2).prop_map(|rules| Patch {
            rules: Some(rules),
            ..Patch::default()
        }),
        window.prop_map(|window| Patch {
            window: Some(window),
            ..Patch::default()
        }),
        (1_000_u32..20_000).prop_map(|ms| Patch {
            hold_ms: Some(ms),
            ..Patch::default()
        }),
    ]
}

fn of_sale() -> impl Strategy<Value = Command> {
    let turns = select(vec![
        Turn::Open,
        Turn::Open,
        Turn::Open,
        Turn::Pause,
        Turn::Close,
        Turn::Retire,
    ]);
    let stock = || (key(), select(SKUS.to_vec()), 1_u32..4);
    prop_oneof![
        4 => (key(), patch())
            .prop_map(|(key, patch)| merchant(&key, Action::Alter(Box::new(patch)))),
        4 => (key(), turns).prop_map(|(key, to)| turn(&key, to)),
        2 => stock().prop_map(|(key, sku, units)| {
            let (sku, units) = (sku.into(), Units(units));
            merchant(&key, Action::AddStock { sku, units })
        }),
        2 => stock().prop_map(|(key, sku, units)| {
            let (sku, units) = (sku.into(), Units(units));
            merchant(&key, Action::WriteOff { sku, units, reason: None })
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![12 => Just(0), 3 => 1_u64..2_000, 1 => 2_000_u64..15_000];
    let command = prop_oneof![
        8 => place(),
        10 => of_order(),
        12 => reported(),
        1 => of_sale(),
    ];
    prop_oneof![
        12 => (wait, command).prop_map(|(wait, command)| Step::Ask(wait, command)),
        1 => (0_usize..90).prop_map(Step::Again),
    ]
}

/// The same refusal, but for the words of some.
fn same(book: &Refusal, model: &Refusal) -> bool {
    match (book, model) {
        (Refusal::Invalid(_), Refusal::Invalid(_)) => true,
        (Refusal::SaleState { state, .. }, Refusal::SaleState { state: other, .. }) => {
            state == other
        }
        _ => book == model,
    }
}

/// The one of so many that exist; 0 stays 0.
fn aim(at: u32, existing: usize) -> u32 {
    let existing = u32::try_from(existing).unwrap();
    if at == 0 || existing == 0 {
        at
    } else {
        1 + (at - 1) % existing
    }
}

/// Aims a command at an order, attempt and refund that exist, mostly, and puts the order's own total into a capture that
/// asks for it.
fn aimed(mut command: Command, model: &Model) -> Command {
    let aim_order = |order: &mut u32| *order = aim(*order + 1, model.orders.len()) - 1;
    let aim_number = |number: &mut u16, existing: usize| {
        *number = u16::try_from(aim(u32::from(*number), existing)).unwrap();
    };
    match &mut command.action {
        Action::Pay { order }
        | Action::Cancel { order }
        | Action::Refund { order, .. }
        | Action::Ship { order }
        | Action::Deliver { order }
        | Action::Report(Report::Chargeback { order, .. }) => aim_order(order),
        Action::Report(Report::Refund { order, number, .. }) => {
            aim_order(order);
            let found = model.orders.get(*order as usize);
            aim_number(number, found.map_or(0, |found| found.refunds.len()));
        }
        Action::Report(Report::Charge {
            order,
            attempt,
            outcome,
        }) => {
            aim_order(order);
            let found = model.orders.get(*order as usize);
            aim_number(attempt, found.map_or(0, |found| found.attempts.len()));
            if *outcome == ChargeOutcome::Captured(OWN_TOTAL) {
                *outcome = ChargeOutcome::Captured(Minor(found.map_or(1, |found| found.total)));
            }
        }
        _ => {}
    }
    command
}

/// The book through the whole of its bytes, at the model's time.
fn compare(book: &Book, model: &Model) {
    let mut book = Book::from_snapshot(&book.to_snapshot().unwrap()).unwrap();
    let now = Time(model.now);
    book.tick(now, usize::MAX, &mut Vec::new()).unwrap();
    book.advance(now);
    book.check().unwrap();
    assert_eq!(book.state(), model.state);
    for (at, sku) in book.skus().enumerate() {
        let (units, stock) = (sku.units(), &model.skus[at]);
        assert_eq!(u64::from(units.stocked().0), stock.stocked);
        assert_eq!(u64::from(units.written_off().0), stock.written_off);
        assert_eq!(u64::from(units.held().0), model.held(at));
        assert_eq!(u64::from(units.sold().0), model.sold(at));
        assert_eq!(units.available(), model.available(at));
    }
    assert_eq!(book.orders().count(), model.orders.len());
    for (order, told) in book.orders().zip(&model.orders) {
        assert_eq!(order.status(), told.status(), "order {}", order.number());
        assert_eq!(
            (order.total().0, order.buyer()),
            (told.total, told.buyer.as_deref())
        );
        let (funds, amounts) = (order.funds(), told.amounts());
        assert_eq!(funds.captured(), amounts.captured);
        assert_eq!(funds.refunded(), amounts.refunded);
        assert_eq!(funds.held(), amounts.held);
        assert_eq!(funds.charged_back(), amounts.charged_back);
        assert_eq!(order.kept(), told.kept);
        let refunds = told
            .refunds
            .iter()
            .map(|refund| (refund.amount, refund.state));
        let shown = order
            .refunds()
            .map(|refund| (refund.amount.0, refund.state));
        assert!(shown.eq(refunds), "refunds of order {}", order.number());
        let returned = told.lines.iter().map(|line| (line.units, line.returned));
        assert!(
            order
                .lines()
                .map(|line| (line.units(), line.returned()))
                .eq(returned)
        );
    }
    let open: usize = model.orders.iter().map(|order| order.open_calls()).sum();
    assert_eq!(book.open_effects().count(), open);
}

/// What the journal holds, read again, gives the same book; and today's rules decide each entry the same.
fn recover(journal: &[(Time, Vec<u8>)], book: &Book) {
    let mut recovered = Book::new();
    for (time, payload) in journal {
        let mut records = Records::new(payload);
        while let Some(entry) = records.read::<Entry>().unwrap() {
            recovered.redecide(*time, &entry).unwrap();
            recovered.apply(*time, &entry).unwrap();
        }
    }
    recovered.advance(book.time());
    assert_eq!(
        recovered.to_snapshot().unwrap(),
        book.to_snapshot().unwrap()
    );
}

fn opening() -> Vec<Command> {
    let skus = vec![
        sku("cup", 6, Some(4)),
        sku("mug", 4, None),
        sku("pot", 2, None),
    ];
    vec![create(plan(skus, Some(6))), turn("open", Turn::Open)]
}

/// Runs book and model side by side; gives the journal.
fn run(steps: &[Step]) -> Vec<(Time, Vec<u8>)> {
    let (mut book, mut model, mut now) = (Book::new(), Model::new(), 1_000);
    let (mut asked, mut journal) = (Vec::new(), Vec::new());
    let opening: Vec<Step> = opening()
        .into_iter()
        .map(|command| Step::Ask(0, command))
        .collect();
    for step in opening.iter().chain(steps) {
        let command = match step {
            Step::Ask(wait, command) => {
                now += wait;
                aimed(command.clone(), &model)
            }
            Step::Again(at) => Command::clone(&asked[at % asked.len()]),
        };
        let mut entries = Vec::new();
        let outcome = book.execute(Time(now), &command, &mut entries).unwrap();
        let told = model.ask(now, &command);
        assert_same(&command, &outcome, &told);
        asked.push(command);
        if !entries.is_empty() {
            let mut payload = Vec::new();
            for entry in &entries {
                record::put(entry, &mut payload).unwrap();
            }
            journal.push((Time(now), payload));
        }
        compare(&book, &model);
    }
    recover(&journal, &book);
    journal
}

/// Applies what can be read of a journal that somebody changed. Whatever it says, it is a violation or an entry.
fn apply_changed(journal: &[(Time, Vec<u8>)], order: &[usize], (at, bits): (usize, u8)) {
    let mut book = Book::new();
    for (place, &from) in order.iter().enumerate() {
        let (time, mut payload) = journal[from % journal.len()].clone();
        if place == at % order.len() {
            let byte = at % payload.len();
            payload[byte] ^= bits;
        }
        let mut records = Records::new(&payload);
        while let Ok(Some(entry)) = records.read::<Entry>() {
            let _ = book.redecide(time, &entry);
            if book.apply(time, &entry).is_err() {
                return;
            }
        }
    }
    let _ = book.check();
    let bytes = book.to_snapshot().unwrap();
    let _ = Book::from_snapshot(&bytes);
}

fn assert_same(command: &Command, outcome: &Outcome, (told, repeated): &(Answer, bool)) {
    match (&outcome.decision, told) {
        (Ok(done), Ok(other)) => assert_eq!(done, other, "{command:?}"),
        (Err(refusal), Err(other)) => {
            assert!(
                same(refusal, other),
                "{command:?}: {refusal:?}, model {other:?}"
            );
        }
        (book, model) => panic!("{command:?}: {book:?}, model {model:?}"),
    }
    if command.key.is_some() {
        assert_eq!(outcome.repeated, *repeated, "{command:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn the_book_and_a_naive_model_never_disagree(steps in vec(step(), 1..90)) {
        run(&steps);
    }

    #[test]
    fn a_journal_that_somebody_changed_never_panics(
        steps in vec(step(), 1..30),
        swaps in vec((0_usize..40, 0_usize..40), 0..3),
        change in (any::<usize>(), 1_u8..),
    ) {
        let journal = run(&steps);
        let mut order: Vec<usize> = (0..journal.len()).collect();
        for (a, b) in swaps {
            let (a, b) = (a % order.len(), b % order.len());
            order[a] = b;
        }
        apply_changed(&journal, &order, change);
    }
}
