//! Late, double and contradicting reports, and other pairs of events that have gone wrong before.

use ledger::{Minor, UnitPrice, Units};
use tidegate_commerce::book::RefundState;
use tidegate_commerce::command::{ChargeOutcome, RefundOutcome, UnitsBack};
use tidegate_commerce::{
    Action, Actor, Ask, Book, Command, Done, Entry, OrderStatus, Outcome, Patch, Place, Refusal,
    SaleState, Time, Turn, Window,
};

use crate::commands::{
    HOLD_MS, alter, amount, by, cancel, captured, charged, charged_back, create, lines, merchant,
    pay, place, plan, refund, refunded, sku, turn,
};

/// A sale of cups at 1.00 that is open.
struct Sale {
    book: Book,
    now: u64,
    entries: Vec<Entry>,
}

impl Sale {
    fn of(cups: u32, per_buyer: Option<u32>) -> Self {
        let mut sale = Self {
            book: Book::new(),
            now: 1_000,
            entries: Vec::new(),
        };
        sale.does(&create(plan(vec![sku("cup", cups, None)], per_buyer)));
        sale.does(&turn("open", Turn::Open));
        sale
    }

    fn ask(&mut self, command: &Command) -> Outcome {
        self.entries.clear();
        let now = Time(self.now);
        let outcome = self.book.execute(now, command, &mut self.entries);
        self.book.check().unwrap();
        outcome.unwrap()
    }

    fn does(&mut self, command: &Command) -> Done {
        self.ask(command).decision.unwrap()
    }

    fn refuses(&mut self, command: &Command) -> Refusal {
        self.ask(command).decision.unwrap_err()
    }

    fn paid(cups: u32) -> Self {
        let mut sale = Self::of(3, None);
        sale.does(&place("ann", "a", &[cups]));
        sale.does(&pay(0, "pay"));
        sale.does(&captured(0, 1, i64::from(cups) * 100));
        sale
    }

    fn status(&self) -> OrderStatus {
        self.book.order(0).unwrap().status()
    }

    fn refunds(&self) -> Vec<(i64, RefundState)> {
        let order = self.book.order(0).unwrap();
        let refunds = order.refunds();
        refunds
            .map(|refund| (refund.amount.0, refund.state))
            .collect()
    }
}

#[test]
fn a_refused_automatic_refund_after_a_chargeback_asks_for_no_more_than_is_left() {
    let mut sale = Sale::of(1, None);
    sale.does(&place("ann", "a", &[1]));
    sale.does(&pay(0, "pay"));
    sale.does(&cancel(0, "cancel"));
    sale.does(&captured(0, 1, 100));
    sale.does(&charged_back(0, "bank", 60));
    sale.does(&refunded(0, 1, RefundOutcome::Failed));
    assert_eq!(sale.refunds()[1], (40, RefundState::Pending));
    sale.does(&charged_back(0, "bank again", 40));
    sale.does(&refunded(0, 2, RefundOutcome::Failed));
    assert_eq!(sale.refunds().len(), 2, "nothing is left to give back");
}

#[test]
fn a_capture_makes_good_for_what_the_bank_took_before() {
    let mut sale = Sale::of(1, None);
    sale.does(&place("ann", "a", &[1]));
    sale.does(&pay(0, "pay"));
    sale.does(&cancel(0, "cancel"));
    sale.does(&charged_back(0, "bank", 100));
    sale.does(&captured(0, 1, 100));
    assert_eq!(sale.refunds(), [(0, RefundState::Refunded)]);
    assert_eq!(sale.book.open_effects().count(), 0);
}

#[test]
fn a_refused_refund_of_a_cancelled_order_is_tried_again() {
    let mut sale = Sale::paid(1);
    sale.does(&cancel(0, "cancel"));
    sale.does(&refunded(0, 1, RefundOutcome::Failed));
    let again = (100, RefundState::Pending);
    assert_eq!(sale.refunds(), [(100, RefundState::Failed), again]);

    let mut sale = Sale::paid(1);
    sale.does(&refund(0, "some", amount(60)));
    sale.does(&cancel(0, "cancel"));
    sale.does(&refunded(0, 1, RefundOutcome::Failed));
    assert_eq!(sale.refunds()[2], (60, RefundState::Pending));
}

#[test]
fn a_capture_of_an_attempt_that_was_never_begun_moves_nothing() {
    let mut sale = Sale::of(1, None);
    sale.does(&place("ann", "a", &[1]));
    sale.does(&pay(0, "pay"));
    for attempt in [0, 2, u16::MAX] {
        sale.does(&captured(0, attempt, 100));
        assert!(matches!(sale.entries[..], [Entry::Noted { .. }]));
    }
    assert_eq!(sale.status(), OrderStatus::Paying);
}

#[test]
fn amounts_out_of_range_are_written_down_and_break_nothing() {
    let mut sale = Sale::paid(1);
    sale.does(&charged_back(0, "bank", i64::MAX));
    assert!(matches!(sale.entries[..], [Entry::Noted { .. }]));
    let mut sale = Sale::of(1, None);
    sale.does(&place("ann", "a", &[1]));
    sale.does(&pay(0, "pay"));
    for minor in [i64::MIN, -1, i64::MAX] {
        sale.does(&captured(0, 1, minor));
        assert!(matches!(sale.entries[..], [Entry::Noted { .. }]));
    }
    sale.does(&captured(0, 1, 100));
    assert_eq!(sale.status(), OrderStatus::Paid);
}

#[test]
fn nothing_leaves_whose_money_or_units_are_on_their_way_back() {
    let ship = merchant("ship", Action::Ship { order: 0 });
    let mut sale = Sale::paid(2);
    sale.does(&refund(0, "all", amount(200)));
    assert!(matches!(sale.refuses(&ship), Refusal::OrderState { .. }));
    let mut sale = Sale::paid(2);
    sale.does(&refund(0, "lines", lines(&[(0, 2)], UnitsBack::Restock)));
    assert!(matches!(sale.refuses(&ship), Refusal::OrderState { .. }));
    let mut sale = Sale::paid(2);
    sale.does(&refund(0, "line", lines(&[(0, 1)], UnitsBack::Restock)));
    sale.does(&ship);
}

#[test]
fn what_left_arrives_whatever_became_of_its_money() {
    let mut sale = Sale::paid(1);
    sale.does(&merchant("ship", Action::Ship { order: 0 }));
    sale.does(&refund(0, "all", amount(100)));
    sale.does(&refunded(0, 1, RefundOutcome::Refunded));
    assert_eq!(sale.status(), OrderStatus::Refunded);
    sale.does(&merchant("deliver", Action::Deliver { order: 0 }));
}

#[test]
fn a_free_order_is_given_back_with_its_last_unit() {
    let mut sale = Sale::of(2, None);
    let lines = vec![Ask {
        sku: "cup".into(),
        units: 2,
        price: Some(UnitPrice(0)),
    }];
    let place = Place {
        buyer: None,
        tags: [].into(),
        lines,
        paid: None,
        deal: None,
    };
    sale.does(&merchant("gift", Action::Place(place)));
    assert_eq!(sale.status(), OrderStatus::Paid);
    sale.does(&refund(0, "all", tidegate_commerce::RefundAsk::default()));
    assert_eq!(sale.status(), OrderStatus::Refunded);
    assert_eq!(
        sale.book.open_effects().count(),
        0,
        "there is nothing to send"
    );
}

#[test]
fn a_buyer_shops_on_his_own_limit_only() {
    let order = |key: &str, buyer: Option<&str>| {
        let mut command = place("ann", key, &[1]);
        if let Action::Place(place) = &mut command.action {
            place.buyer = buyer.map(Into::into);
        }
        command
    };
    let mut sale = Sale::of(9, Some(1));
    sale.does(&order("unnamed", None));
    assert_eq!(sale.book.order(0).unwrap().buyer(), Some("ann"));
    assert!(matches!(
        sale.refuses(&order("again", None)),
        Refusal::Limit { .. }
    ));
    assert!(matches!(
        sale.refuses(&order("as bob", Some("bob"))),
        Refusal::Invalid(_)
    ));
}

#[test]
fn a_buyer_of_more_units_than_a_number_holds_breaks_nothing() {
    let most = u32::MAX;
    let mut sale = Sale::of(most, None);
    let more = Patch {
        skus: vec![tidegate_commerce::plan::SkuPatch {
            sku: "mug".into(),
            title: None,
            price: Some(UnitPrice(1)),
            limits: None,
            stock: Some(Units(most)),
        }],
        ..Patch::default()
    };
    sale.does(&alter("mug", more));
    let lines = ["cup", "mug"].map(|sku| Ask {
        sku: sku.into(),
        units: most,
        price: None,
    });
    let place = Place {
        buyer: Some("ann".into()),
        tags: [].into(),
        lines: lines.into(),
        paid: Some("till".into()),
        deal: None,
    };
    sale.does(&merchant("all", Action::Place(place)));
    sale.does(&cancel(0, "cancel"));
    let cup = sale.book.find_sku("cup").unwrap();
    assert_eq!(cup.units().available(), Units(most));
}

#[test]
fn the_window_binds_even_between_two_ticks() {
    let window = |opens: Option<u64>, closes: Option<u64>| Patch {
        window: Some(Window {
            opens: opens.map(Time),
            closes: closes.map(Time),
        }),
        ..Patch::default()
    };
    let mut sale = Sale::of(9, None);
    sale.does(&alter("soon over", window(None, Some(5_000))));
    sale.now = 4_999;
    sale.does(&place("ann", "in time", &[1]));
    sale.now = 5_000;
    let late = sale.refuses(&place("ann", "late", &[1]));
    let (state, opens) = (SaleState::Closed, None);
    assert_eq!(late, Refusal::NotOpen { state, opens });
    assert!(matches!(sale.entries[..], [Entry::Turned { .. }]));

    let mut sale = Sale::of(9, None);
    sale.does(&alter("not yet", window(Some(5_000), None)));
    let early = sale.refuses(&place("ann", "early", &[1]));
    let (state, opens) = (SaleState::Scheduled, Some(Time(5_000)));
    assert_eq!(early, Refusal::NotOpen { state, opens });
    sale.does(&alter("after all", window(Some(500), None)));
    assert_eq!(sale.book.state(), SaleState::Open);
}

#[test]
fn time_before_the_books_time_counts_as_the_books_time() {
    let mut sale = Sale::of(1, None);
    sale.now = 50_000;
    sale.does(&place("ann", "a", &[1]));
    sale.now = 10;
    sale.does(&pay(0, "pay"));
    let effect = sale.book.open_effects().next().unwrap();
    assert_eq!(effect.since, Time(50_000));
}

#[test]
fn everything_that_people_write_has_a_limit() {
    let long = "x".repeat(201);
    let mut sale = Sale::paid(1);
    let write_off = |reason: &str| {
        let (sku, units) = ("cup".into(), Units(1));
        let reason = Some(reason.into());
        merchant("off", Action::WriteOff { sku, units, reason })
    };
    let mut ask = amount(1);
    ask.reason = Some(long.as_str().into());
    let buyer = "b".repeat(65);
    let too_long = [
        write_off(&long),
        refund(0, "back", ask),
        charged_back(0, &"k".repeat(129), 1),
        pay(0, ""),
        place(&buyer, "a buyer", &[1]),
        by(
            Actor::Merchant(buyer.into()),
            "account",
            Action::Turn(Turn::Pause),
        ),
    ];
    for command in too_long {
        assert!(
            matches!(sale.refuses(&command), Refusal::Invalid(_)),
            "{command:?}"
        );
    }
    sale.does(&write_off(&long[..200]));
}

#[test]
fn a_book_that_was_recovered_has_nothing_due_that_was_paid() {
    let mut recovered = Book::new();
    let commands = [
        create(plan(vec![sku("cup", 2, None)], None)),
        turn("open", Turn::Open),
        place("ann", "a", &[1]),
        place("bob", "b", &[1]),
        pay(0, "pay"),
        captured(0, 1, 100),
    ];
    let mut book = Book::new();
    for command in &commands {
        let mut entries = Vec::new();
        book.execute(Time(1_000), command, &mut entries).unwrap();
        for entry in &entries {
            recovered.apply(Time(1_000), entry).unwrap();
        }
    }
    let due = Time(1_000 + u64::from(HOLD_MS));
    assert_eq!(
        (book.next_due(), recovered.next_due()),
        (Some(due), Some(due))
    );
    recovered
        .apply(due, &Entry::Expired { orders: vec![1] })
        .unwrap();
    assert!(!recovered.has_due(due) && recovered.next_due().is_none());
}

#[test]
fn a_late_unknown_never_reopens_a_charge() {
    let mut sale = Sale::paid(1);
    let repeat = sale.ask(&charged(0, 1, ChargeOutcome::Unknown));
    assert!(repeat.repeated && sale.entries.is_empty());
    assert_eq!(sale.book.order(0).unwrap().funds().captured(), Minor(100));
}

// The door of the cashier tells what it heard; a sum that is not the one of before is no repeat.
#[test]
fn a_capture_told_again_with_another_sum_is_written_down() {
    let mut sale = Sale::paid(1);
    assert!(sale.ask(&captured(0, 1, 100)).repeated);
    for minor in [0, 60, 140] {
        let told = sale.ask(&captured(0, 1, minor));
        assert!(!told.repeated && matches!(sale.entries[..], [Entry::Noted { .. }]));
    }
    let order = sale.book.order(0).unwrap();
    assert_eq!(
        (order.funds().captured(), sale.status()),
        (Minor(100), OrderStatus::Paid)
    );
}

#[test]
fn part_of_the_money_goes_back_whole_and_the_order_may_be_paid_again() {
    let mut sale = Sale::of(1, None);
    sale.does(&place("ann", "a", &[1]));
    sale.does(&pay(0, "pay"));
    sale.does(&captured(0, 1, 60));
    assert_eq!(sale.refunds(), [(60, RefundState::Pending)]);
    assert_eq!(sale.status(), OrderStatus::Held);
    sale.does(&pay(0, "again"));
    sale.does(&captured(0, 2, 100));
    assert_eq!(sale.status(), OrderStatus::Paid);
}

#[test]
fn a_chargeback_after_a_refund_is_a_loss_and_leaves_nothing_to_refund() {
    let mut sale = Sale::paid(1);
    sale.does(&refund(0, "some", amount(60)));
    sale.does(&refunded(0, 1, RefundOutcome::Refunded));
    sale.does(&charged_back(0, "bank", 100));
    let funds = sale.book.order(0).unwrap().funds();
    assert_eq!((funds.left(), funds.loss()), (Minor(0), Minor(60)));
    let left = Minor(0);
    let asked = sale.refuses(&refund(0, "more", amount(1)));
    assert_eq!(asked, Refusal::OverRefund { left });
}
