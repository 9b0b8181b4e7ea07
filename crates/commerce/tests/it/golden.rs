//! The bytes of every kind of entry, as version 1 writes them. A journal lives for years: a difference here is a new
//! version of the format with a reader for the old one, never a new golden file.

use ledger::{Currency, Minor, UnitPrice, Units};
use tidegate_commerce::book::SnapshotError;
use tidegate_commerce::entry::{
    Again, Asked, Bound, By, Fate, Placed, PlacedLine, PlacedLines, RefundBegun,
};
use tidegate_commerce::plan::SkuPatch;
use tidegate_commerce::record::{self, Records};
use tidegate_commerce::{Book, Entry, Limits, Patch, Plan, Rule, SaleState, SkuPlan, Test, Time};
use tidegate_commerce::{Turn, Window};

use tidegate_commerce::saga::{
    Event, Kind, Mark, Move, Op, Place as SagaPlace, SagaEntry, Said, Stage, Verb,
};

use crate::commands::{cancel, captured, create, pay, place, plan, sku, turn};

mod offers;

/// A line for each entry: its name and its record in hexadecimal.
const GOLDEN: &str = include_str!("golden.txt");
/// What an earlier version wrote and this one does not.
const OLD: &str = "old ";

fn bound() -> Bound {
    Bound {
        by: By::Merchant("shop".into()),
        digest: *b"0123456789abcdef",
        body: 0x0102_0304_0506_0708,
    }
}

fn limits() -> Limits {
    Limits {
        per_order: Some(Units(3)),
        per_buyer: None,
    }
}

fn rules() -> Vec<Rule> {
    let tags = || vec!["gold".into(), "staff".into()];
    let tests = [
        Test::Named,
        Test::AnyTag(tags()),
        Test::AllTags(tags()),
        Test::NoTag(tags()),
    ];
    let rule = |test| Rule {
        test,
        until: Some(Time(1_700_000_000_000)),
    };
    tests.map(rule).into()
}

fn planned() -> Plan {
    Plan {
        title: "Cups".into(),
        currency: Currency::new("EUR").unwrap(),
        hold_ms: 900_000,
        window: Window {
            opens: Some(Time(1_700_000_000_000)),
            closes: None,
        },
        limits: limits(),
        rules: rules(),
        skus: vec![SkuPlan {
            sku: "CUP-1".into(),
            title: "A cup".into(),
            price: UnitPrice(125_000),
            limits: limits(),
            stock: Units(1_000),
        }],
    }
}

fn patch() -> Patch {
    Patch {
        title: Some("More cups".into()),
        hold_ms: Some(60_000),
        window: Some(Window::default()),
        limits: Some(limits()),
        rules: Some(rules()),
        skus: vec![SkuPatch {
            sku: "CUP-2".into(),
            title: Some("Another cup".into()),
            price: Some(UnitPrice(99_999)),
            limits: Some(limits()),
            stock: Some(Units(5)),
        }],
    }
}

fn placed() -> Placed {
    Placed {
        order: 7,
        key: Bound {
            by: By::Buyer("ann".into()),
            ..bound()
        },
        buyer: None,
        tags: vec!["gold".into()],
        lines: PlacedLines::One(PlacedLine {
            sku: 1,
            units: 2,
            price: UnitPrice(125_000),
            own_price: false,
        }),
        total: Minor(2_500),
        hold_ms: 900_000,
        paid: None,
    }
}

fn placed_of_many() -> Placed {
    let line = |sku, own_price| PlacedLine {
        sku,
        units: 1,
        price: UnitPrice(0),
        own_price,
    };
    Placed {
        key: bound(),
        buyer: Some("bob".into()),
        tags: Vec::new(),
        lines: PlacedLines::Many(vec![line(0, false), line(1, true)]),
        paid: Some("till 3".into()),
        ..placed()
    }
}

fn refund() -> RefundBegun {
    RefundBegun {
        order: 7,
        number: 1,
        amount: Minor(1_250),
        lines: vec![(0, 1)],
        restocked: true,
        charge: 2,
        elsewhere: false,
    }
}

fn of_sale() -> Vec<(&'static str, Entry)> {
    let key = bound;
    vec![
        (
            "created",
            Entry::Created {
                secret: *b"fedcba9876543210",
                plan: Box::new(planned()),
                key: key(),
            },
        ),
        (
            "altered",
            Entry::Altered {
                patch: Box::new(patch()),
                key: key(),
            },
        ),
        (
            "turned",
            Entry::Turned {
                to: SaleState::Retired,
                key: Some(key()),
            },
        ),
        (
            "turned by the clock",
            Entry::Turned {
                to: SaleState::Open,
                key: None,
            },
        ),
        (
            "stock added",
            Entry::StockAdded {
                sku: 1,
                units: Units(300),
                key: key(),
            },
        ),
        (
            "written off",
            Entry::WrittenOff {
                sku: 1,
                units: Units(3),
                reason: Some("broken".into()),
                key: Bound {
                    by: By::House,
                    ..key()
                },
            },
        ),
        ("placed", Entry::Placed(placed())),
        ("placed, many lines", Entry::Placed(placed_of_many())),
    ]
}

fn of_payment() -> Vec<(&'static str, Entry)> {
    let (order, attempt, amount) = (7, 2, Minor(2_500));
    let captured = |fate| Entry::Captured {
        order,
        attempt,
        amount,
        fate,
    };
    vec![
        (
            "pay begun",
            Entry::PayBegun {
                order,
                attempt,
                amount,
                key: bound(),
            },
        ),
        ("captured, kept", captured(Fate::Kept)),
        ("captured, kept again", captured(Fate::KeptAgain)),
        (
            "captured, goes back",
            captured(Fate::GoesBack { refund: 1, amount }),
        ),
        ("charge failed", Entry::ChargeFailed { order, attempt }),
        ("charge unknown", Entry::ChargeUnknown { order, attempt }),
        (
            "noted",
            Entry::Noted {
                order,
                what: "a report".into(),
            },
        ),
        (
            "expired",
            Entry::Expired {
                orders: vec![7, 300],
            },
        ),
    ]
}

fn of_return() -> Vec<(&'static str, Entry)> {
    let (order, number, key) = (7, 1, bound);
    let failed = |again| Entry::RefundFailed {
        order,
        number,
        again,
    };
    let again = Again {
        number: 2,
        charge: 2,
        amount: Minor(1_250),
        not_before: Time(1_700_000_060_000),
    };
    vec![
        (
            "cancelled",
            Entry::Cancelled {
                order,
                refund: Some(refund()),
                key: key(),
            },
        ),
        (
            "refund begun",
            Entry::RefundBegun {
                refund: refund(),
                reason: Some("too small".into()),
                asked: Asked::Lines,
                key: key(),
            },
        ),
        ("refunded", Entry::Refunded { order, number }),
        ("refund failed", failed(None)),
        ("refund failed, again", failed(Some(again))),
        (
            "charged back",
            Entry::ChargedBack {
                order,
                amount: Minor(2_500),
                reference: "case 9".into(),
                key: key(),
            },
        ),
        ("shipped", Entry::Shipped { order, key: key() }),
        ("delivered", Entry::Delivered { order, key: key() }),
    ]
}

/// Parts and sagas, which came later.
fn of_saga() -> Vec<(&'static str, Entry)> {
    let change = Move {
        mark: Some((1, Mark::Done)),
        to: SagaPlace {
            stage: Stage::Ready,
            cursor: 2,
            attempt: 0,
            until: Time(1_700_000_000_500),
        },
    };
    let (saga, order) = (9, 5);
    let kind = Kind::CrossBorder;
    let event = Event::Answer {
        step: 1,
        op: Op::Forward,
        said: Said::Done,
    };
    vec![
        (
            "shipped in part",
            Entry::ShippedInPart {
                order,
                rest: refund(),
                key: bound(),
            },
        ),
        (
            "saga chosen",
            Entry::Saga(SagaEntry::Chosen { kind: Some(kind) }),
        ),
        (
            "saga begun",
            Entry::Saga(SagaEntry::Begun { saga, kind, order }),
        ),
        (
            "saga moved",
            Entry::Saga(SagaEntry::Moved {
                saga,
                order,
                event,
                change: change.clone(),
            }),
        ),
        (
            "saga ordered",
            Entry::Saga(SagaEntry::Ordered {
                saga,
                order,
                verb: Verb::Skip,
                change,
                key: bound(),
            }),
        ),
    ]
}

fn entries() -> Vec<(&'static str, Entry)> {
    [
        of_sale(),
        of_payment(),
        of_return(),
        offers::of_offer(),
        offers::of_team(),
        offers::of_dues(),
        offers::of_line(),
        of_saga(),
    ]
    .concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// A book with an order in each of three states, as a snapshot.
fn snapshot() -> Vec<u8> {
    let mut book = Book::new();
    let commands = [
        create(plan(vec![sku("cup", 5, Some(3))], Some(4))),
        turn("open", Turn::Open),
        place("ann", "a", &[1]),
        pay(0, "pay"),
        captured(0, 1, 100),
        place("bob", "b", &[1, 1]),
        pay(1, "pay 1"),
        place("cy", "c", &[1]),
        pay(2, "pay 2"),
        cancel(2, "cancel"),
        captured(2, 1, 100),
    ];
    for command in &commands {
        let outcome = book.execute(Time(1_000), command, &mut Vec::new());
        outcome.unwrap().decision.unwrap();
    }
    book.to_snapshot().unwrap()
}

#[test]
fn every_kind_of_entry_has_the_bytes_that_version_1_gave_it() {
    let record = |entry: &Entry| {
        let mut payload = Vec::new();
        record::put(entry, &mut payload).unwrap();
        payload
    };
    let mut now: Vec<String> = entries()
        .iter()
        .map(|(name, entry)| format!("{name}: {}", hex(&record(entry))))
        .collect();
    now.push(format!("snapshot: {}", hex(&snapshot())));
    let golden: Vec<&str> = GOLDEN
        .lines()
        .filter(|line| !line.starts_with(OLD))
        .collect();
    assert_eq!(now, golden, "now:\n{}\n", now.join("\n"));
}

#[test]
fn what_version_1_wrote_is_read_as_what_was_meant() {
    let mut kinds = std::collections::BTreeSet::new();
    for ((name, entry), line) in entries().into_iter().zip(GOLDEN.lines()) {
        let record = bytes(line.rsplit(' ').next().unwrap());
        let read = Records::new(&record).read::<Entry>().unwrap();
        assert_eq!(read, Some(entry), "{name}");
        // After length and version comes the number of the kind.
        kinds.insert(record[5]);
    }
    assert!(kinds.into_iter().eq(0..36), "an entry of each kind");
    let last = bytes(GOLDEN.lines().last().unwrap().rsplit(' ').next().unwrap());
    let book = Book::from_snapshot(&last).unwrap();
    book.check().unwrap();
    assert_eq!(book.to_snapshot().unwrap(), last);
}

#[test]
fn a_snapshot_of_version_1_is_left_aside_for_the_journal() {
    let line = GOLDEN.lines().find(|line| line.starts_with(OLD)).unwrap();
    let error = Book::from_snapshot(&bytes(line.rsplit(' ').next().unwrap())).unwrap_err();
    assert!(
        matches!(error, SnapshotError::Version { found: 1 }),
        "{error}"
    );
}
