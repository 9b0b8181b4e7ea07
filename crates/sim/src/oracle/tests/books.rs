//! Lies in the journal itself.

use commerce::Entry;
use commerce::entry::{Again, By, Fate, PlacedLine, PlacedLines};
use commerce::plan::{Limits, Rule, SaleState, Test, Window};
use commerce::{Plan, Time};
use ledger::{Minor, UnitPrice, Units};

use super::finds;
use super::life::{forged, minor};

type Story = Vec<(u64, Entry)>;

fn at(story: &Story, which: impl Fn(&Entry) -> bool) -> usize {
    story.iter().position(|(_, entry)| which(entry)).unwrap()
}

/// Forges the first entry of a kind.
macro_rules! forge {
    ($pattern:pat => $change:expr) => {
        forged(|story| {
            let change = |entry: &mut Entry| match entry {
                $pattern => {
                    $change;
                    true
                }
                _ => false,
            };
            assert!(story.iter_mut().map(|(_, entry)| entry).any(change));
        })
    };
}

fn planned(change: impl FnOnce(&mut Plan)) -> crate::record::Evidence {
    forged(|story| {
        let Entry::Created { plan, .. } = &mut story[0].1 else {
            panic!("created first")
        };
        change(plan);
    })
}

/// Adds an entry at the end, 10 s later.
fn added(entry: impl FnOnce(&Story) -> Entry) -> crate::record::Evidence {
    forged(|story| {
        let late = story.last().unwrap().0 + 10_000;
        let entry = entry(story);
        story.push((late, entry));
    })
}

fn again(story: &Story, which: impl Fn(&Entry) -> bool) -> Entry {
    story[at(story, which)].1.clone()
}

fn is_placed(entry: &Entry) -> bool {
    matches!(entry, Entry::Placed(_))
}

#[test]
fn what_is_not_there_cannot_be_sold() {
    finds(
        &planned(|plan| plan.skus[0].stock = Units(4)),
        "INV-1",
        "units available",
    );
    let lost = forge!(Entry::WrittenOff { units, .. } => *units = Units(500));
    finds(&lost, "INV-1", "units available");
}

#[test]
fn units_are_not_made_and_do_not_vanish() {
    let twice = added(|story| again(story, |entry| matches!(entry, Entry::Expired { .. })));
    finds(&twice, "INV-9", "a negative part");
    finds(&twice, "INV-9", "but its orders say");
    let other = forge!(Entry::Placed(placed) => {
        let PlacedLines::One(line) = &placed.lines else { panic!("one line") };
        placed.lines = PlacedLines::One(PlacedLine { sku: 9, ..*line });
    });
    finds(&other, "INV-9", "not in the sale");
    let back = forge!(Entry::RefundBegun { refund, .. } => refund.lines = vec![(0, 7)]);
    finds(&back, "INV-9", "come back of a line of");
    let line = forge!(Entry::RefundBegun { refund, .. } => refund.lines = vec![(5, 1)]);
    finds(&line, "INV-9", "a line that is not there");
}

#[test]
fn limits_are_those_of_the_plan() {
    let limits = |per_order, per_buyer| Limits {
        per_order,
        per_buyer,
    };
    finds(
        &planned(|plan| plan.limits = limits(Some(Units(2)), None)),
        "INV-5",
        "in one order",
    );
    finds(
        &planned(|plan| plan.limits = limits(None, Some(Units(2)))),
        "INV-5",
        "gets 3 more",
    );
    let sku = planned(|plan| plan.skus[0].limits = limits(Some(Units(2)), None));
    finds(&sku, "INV-5", "units of one SKU in one order");
    let sku = planned(|plan| plan.skus[0].limits = limits(None, Some(Units(2))));
    finds(&sku, "INV-5", "more of cup than it may have");
}

#[test]
fn rules_keep_buyers_out() {
    let rule = |test| planned(|plan| plan.rules = vec![Rule { test, until: None }]);
    finds(
        &rule(Test::AnyTag(vec!["vip".into()])),
        "INV-5",
        "keeps this buyer out",
    );
    finds(
        &rule(Test::AllTags(vec!["vip".into()])),
        "INV-5",
        "keeps this buyer out",
    );
    let tagged = forged(|story| {
        let Entry::Created { plan, .. } = &mut story[0].1 else {
            panic!("created first")
        };
        plan.rules = vec![Rule {
            test: Test::NoTag(vec!["bot".into()]),
            until: None,
        }];
        let first = at(story, is_placed);
        let Entry::Placed(placed) = &mut story[first].1 else {
            panic!("placed")
        };
        placed.tags = vec!["bot".into()];
    });
    finds(&tagged, "INV-5", "keeps this buyer out");
    let nobody = forge!(Entry::Placed(placed) => placed.key.by = By::House);
    finds(&nobody, "INV-5", "keeps this buyer out");
}

#[test]
fn orders_are_placed_one_after_the_other_while_the_sale_sells() {
    let next = forge!(Entry::Placed(placed) => placed.order = 7);
    finds(&next, "INV-3", "its number is not the next");
    let hold = forge!(Entry::Placed(placed) => placed.hold_ms = 99_000);
    finds(&hold, "INV-3", "its hold is not as long");
    let none = forge!(Entry::Placed(placed) => placed.lines = PlacedLines::Many(Vec::new()));
    finds(&none, "INV-3", "placed without lines");
    let zero = forge!(Entry::Placed(placed) => {
        let PlacedLines::One(line) = &placed.lines else { panic!("one line") };
        placed.lines = PlacedLines::One(PlacedLine { units: 0, ..*line });
    });
    finds(&zero, "INV-3", "a line without units");
    let paused = forge!(Entry::Turned { to, .. } => *to = SaleState::Paused);
    finds(&paused, "INV-3", "placed while the sale did not sell");
    let window = Window {
        opens: Some(Time(1_025)),
        closes: None,
    };
    finds(
        &planned(|plan| plan.window = window),
        "INV-3",
        "became Open",
    );
    let window = Window {
        opens: None,
        closes: Some(Time(1_025)),
    };
    finds(
        &planned(|plan| plan.window = window),
        "INV-3",
        "placed outside of the window",
    );
}

#[test]
fn a_hold_ends_once_and_at_its_time() {
    let early = forged(|story| {
        let place = at(story, |entry| matches!(entry, Entry::Expired { .. }));
        story[place].0 = story[place - 1].0;
    });
    finds(&early, "INV-3", "expired before its time");
    let twice = added(|story| again(story, |entry| matches!(entry, Entry::Expired { .. })));
    finds(&twice, "INV-3", "a hold ended twice: expired");
    let nobody = added(|_| Entry::Expired { orders: vec![77] });
    finds(&nobody, "INV-3", "expired and was never placed");
    let given_up = added(|story| again(story, |entry| matches!(entry, Entry::Cancelled { .. })));
    finds(&given_up, "INV-3", "a hold ended twice: given up");
    let late = forged(|story| {
        let place = at(story, |entry| matches!(entry, Entry::Cancelled { .. }));
        for (time, _) in &mut story[place..] {
            *time += 10_000;
        }
    });
    finds(&late, "INV-3", "given up after it had run out");
    let buyer =
        forge!(Entry::Cancelled { key, refund: Some(_), .. } => key.by = By::Buyer("bob".into()));
    finds(&buyer, "INV-3", "a buyer gave up what was paid");
}

#[test]
fn charges_take_their_steps() {
    let skipped = forge!(Entry::PayBegun { attempt, .. } => *attempt = 4);
    finds(&skipped, "INV-3", "a charge was begun that may not begin");
    let never = forge!(Entry::Captured { attempt, .. } => *attempt = 9);
    finds(&never, "INV-3", "captured that never began");
    let twice = added(|story| again(story, |entry| matches!(entry, Entry::Captured { .. })));
    finds(&twice, "INV-3", "a charge was captured twice");
    let failed = added(|story| again(story, |entry| matches!(entry, Entry::ChargeFailed { .. })));
    finds(&failed, "INV-3", "a charge failed that was not under way");
    let unknown = added(|_| Entry::ChargeUnknown {
        order: 0,
        attempt: 1,
    });
    finds(&unknown, "INV-3", "unknown that was not under way");
    let gone = added(|_| Entry::ChargeFailed {
        order: 70,
        attempt: 1,
    });
    finds(&gone, "INV-3", "no such order");
}

#[test]
fn late_money_is_settled_one_way_or_the_other() {
    let back = Fate::GoesBack {
        refund: 1,
        amount: minor(3_752),
    };
    let refused = forge!(Entry::Captured { fate: fate @ Fate::Kept, .. } => *fate = back);
    finds(&refused, "INV-3", "money goes back that pays the order");
    let refused = forge!(Entry::Captured { fate: fate @ Fate::KeptAgain, .. } => *fate = back);
    finds(&refused, "INV-3", "money goes back that pays the order");
    let kept = forge!(Entry::Captured { fate: fate @ Fate::KeptAgain, .. } => *fate = Fate::Kept);
    finds(&kept, "INV-3", "money was kept that pays nothing");
    let again = forge!(Entry::Captured { order: 2, fate: fate @ Fate::GoesBack { .. }, .. } => *fate = Fate::KeptAgain);
    finds(&again, "INV-3", "units were taken again that were not free");
    let swept = forged(|story| story.retain(|(_, entry)| !matches!(entry, Entry::Expired { .. })));
    finds(&swept, "INV-3", "money goes back before the hold ran out");
}

#[test]
fn goods_leave_when_they_are_paid_for() {
    let key = |story: &Story| match &story
        [at(story, |entry| matches!(entry, Entry::PayBegun { .. }))]
    .1
    {
        Entry::PayBegun { key, .. } => key.clone(),
        other => panic!("{other:?}"),
    };
    let shipped = added(|story| Entry::Shipped {
        order: 4,
        key: key(story),
    });
    finds(&shipped, "INV-3", "shipped and not paid");
    let delivered = added(|story| Entry::Delivered {
        order: 0,
        key: key(story),
    });
    finds(&delivered, "INV-3", "delivered and never shipped");
    let refunded = forged(|story| {
        let place = at(story, |entry| matches!(entry, Entry::RefundBegun { .. }));
        let Entry::RefundBegun { refund, .. } = &mut story[place].1 else {
            panic!("refund")
        };
        (refund.amount, refund.lines) = (minor(3_752), vec![(0, 3)]);
        let entry = Entry::Shipped {
            order: 0,
            key: key(story),
        };
        story.insert(place + 1, (story[place].0, entry));
    });
    finds(&refunded, "INV-3", "its money or its goods went back");
    let unpaid = forge!(Entry::RefundBegun { refund, .. } => refund.order = 4);
    finds(&unpaid, "INV-3", "a refund of what is not sold");
}

#[test]
fn the_sale_takes_its_steps() {
    finds(
        &forge!(Entry::Turned { to, .. } => *to = SaleState::Retired),
        "INV-3",
        "became Retired",
    );
    finds(
        &forge!(Entry::Turned { key, .. } => *key = None),
        "INV-3",
        "asked for: false",
    );
    finds(&added(|story| story[0].1.clone()), "INV-3", "created twice");
    finds(
        &forged(|story| drop(story.remove(0))),
        "INV-3",
        "before the sale was created",
    );
    let closed = forge!(Entry::Turned { to, .. } => *to = SaleState::Closed);
    finds(&closed, "INV-3", "the sale is Closed and was changed");
    let stock = forge!(Entry::StockAdded { sku, .. } => *sku = 3);
    finds(&stock, "INV-3", "stock moved that is not there");
}

#[test]
fn prices_are_the_plans_and_lines_are_rounded_to_even() {
    finds(
        &planned(|plan| plan.skus[0].price = UnitPrice(125_000)),
        "INV-10",
        "where the plan says",
    );
    // 3 x 12.505 is 37.515: half a cent more than 37.51, and rounded to the even 37.52.
    let down = forge!(Entry::Placed(placed) => placed.total = Minor(3_751));
    finds(&down, "INV-10", "its lines come to 3752");
}

#[test]
fn every_movement_of_money_is_right() {
    let charge = forge!(Entry::PayBegun { amount, .. } => *amount = minor(1));
    finds(&charge, "INV-10", "is charged");
    let less =
        forge!(Entry::Captured { fate: Fate::GoesBack { amount, .. }, .. } => *amount = minor(1));
    finds(&less, "INV-10", "goes back by itself");
    let more = forge!(Entry::Captured { fate: Fate::GoesBack { amount, .. }, .. } => *amount = minor(9_999));
    finds(&more, "INV-2", "goes back by itself");
    let number = forge!(Entry::Captured { fate: Fate::GoesBack { refund, .. }, .. } => *refund = 5);
    finds(&number, "INV-4", "refund 5 is not the next");
    let over = forge!(Entry::RefundBegun { refund, .. } => refund.amount = minor(99_999));
    finds(&over, "INV-2", "a refund of 99999");
    let wrong = forge!(Entry::RefundBegun { refund, .. } => refund.amount = minor(1_252));
    finds(&wrong, "INV-10", "but it is 1250");
    let other = forge!(Entry::RefundBegun { refund, .. } => refund.charge = 7);
    finds(&other, "INV-10", "another charge than the one that paid");
    let number = forge!(Entry::RefundBegun { refund, .. } => refund.number = 7);
    finds(&number, "INV-4", "refund 7 is not the next");
    let back = added(|story| {
        let paid = |entry: &Entry| matches!(entry, Entry::PayBegun { .. });
        let Entry::PayBegun { key, .. } = again(story, paid) else {
            panic!("pay")
        };
        Entry::ChargedBack {
            order: 0,
            amount: minor(-1),
            reference: "x".into(),
            key,
        }
    });
    finds(&back, "INV-10", "a chargeback of -1");
}

#[test]
fn who_gives_up_a_paid_order_gets_all_that_is_left() {
    let none = forge!(Entry::Cancelled { refund: refund @ Some(_), .. } => *refund = None);
    finds(&none, "INV-10", "without a refund");
    let change = |amount| forge!(Entry::Cancelled { refund: Some(refund), .. } => refund.amount = minor(amount));
    finds(&change(1), "INV-10", "given up with a refund of 1");
    finds(&change(99_999), "INV-2", "given up with a refund of 99999");
    let charge = forge!(Entry::Cancelled { refund: Some(refund), .. } => refund.charge = 9);
    finds(
        &charge,
        "INV-10",
        "given up with a refund of another charge",
    );
    let number = forge!(Entry::Cancelled { refund: Some(refund), .. } => refund.number = 9);
    finds(&number, "INV-4", "refund 9 is not the next");
}

#[test]
fn refunds_end_once_and_what_must_go_back_is_tried_again() {
    let never = forge!(Entry::Refunded { number, .. } => *number = 9);
    finds(&never, "INV-4", "ended and never began");
    let twice = added(|story| again(story, |entry| matches!(entry, Entry::Refunded { .. })));
    finds(&twice, "INV-4", "ended twice");
    let given_up = forge!(Entry::RefundFailed { again, .. } => *again = None);
    finds(&given_up, "INV-10", "failed and goes on as None");
    let more = forge!(Entry::RefundFailed { again: Some(again), .. } => {
        *again = Again { amount: minor(99_999), ..*again };
    });
    finds(&more, "INV-2", "failed and goes on as");
}

#[test]
fn a_key_does_one_thing() {
    let twice = forged(|story| {
        let Entry::Turned { key: Some(key), .. } = &story[1].1 else {
            panic!("turned")
        };
        let (bound, first) = (key.clone(), at(story, is_placed));
        let Entry::Placed(placed) = &mut story[first].1 else {
            panic!("placed")
        };
        placed.key = bound;
    });
    finds(&twice, "INV-4", "a key did two things");
}
