//! Lies about discounts, coupons and rules.

use commerce::command::{Action, Ask, Place};
use commerce::deal::{Dealt, Waits};
use commerce::entry::{Bound, By, Fate};
use commerce::plan::Turn;
use commerce::price::{Coupon, CouponKind, Discounts, LevelDiscount, PriceLine, PriceWhat};
use commerce::rules::{RuleText, Then};
use commerce::{Book, DealAsk, Done, Entry, Facts, Offer, Time};
use ledger::Minor;
use world::journal::Batch;

use super::life::{Life, cups, entries, minor, seal};
use super::{finds, judge};
use crate::record::{Evidence, Who};

fn coupon(code: &str, kind: CouponKind) -> Coupon {
    Coupon {
        code: code.into(),
        kind,
        threshold: minor(1_000),
        per_buyer: Some(1),
        budget: Some(minor(500)),
        tags: Vec::new(),
        level: 0,
        from: None,
        until: None,
        combines: true,
    }
}

fn offer() -> Offer {
    let half = Coupon {
        per_buyer: None,
        budget: None,
        ..coupon("half", CouponKind::Share(5_000, None))
    };
    Offer {
        discounts: Discounts {
            coupons: vec![coupon("off", CouponKind::Off(minor(250))), half],
            levels: vec![LevelDiscount {
                least: 2,
                share_bp: 1_250,
            }],
        },
        rules: vec![RuleText {
            name: "regulars".into(),
            when: "buyer.level >= 1".into(),
            then: Then::Admit,
            reason: "for regular customers".into(),
        }],
        ..Offer::default()
    }
}

fn open() -> Life {
    let mut life = Life {
        book: Book::new(),
        now: 1_000,
        batches: Vec::new(),
        calls: Vec::new(),
        charges: Vec::new(),
        refunds: Vec::new(),
    };
    let create = Action::CreateWith {
        secret: [7; 16],
        plan: Box::new(cups(9)),
        offer: Box::new(offer()),
    };
    for (key, action) in [("create", create), ("open", Action::Turn(Turn::Open))] {
        life.change(Who::Merchant, key, "/v1/sales", "{}", action)
            .unwrap();
    }
    life
}

fn place(life: &mut Life, buyer: &str, key: &str, level: u32, codes: &[&str]) -> Option<u32> {
    let facts = Facts {
        level,
        ..Facts::default()
    };
    let place = Place {
        buyer: None,
        tags: [].into(),
        lines: vec![Ask {
            sku: "cup".into(),
            units: 1,
            price: None,
        }],
        paid: None,
        deal: Some(Box::new(DealAsk {
            coupons: codes.iter().map(|&code| code.into()).collect(),
            facts: Some(Box::new(facts)),
            ..DealAsk::default()
        })),
    };
    let body = r#"{"sale_id":"sale_00001","lines":[{"sku":"cup","quantity":1}]}"#;
    let who = Who::Buyer(buyer.into());
    match life.change(who, key, "/v1/orders", body, Action::Place(place)) {
        Some(Done::Order(order)) => Some(order),
        _ => None,
    }
}

/// A budget that is used up, given back with holds that run out, and used again; late money that finds it gone.
fn bargains() -> Life {
    let mut life = open();
    let ann = place(&mut life, "ann", "a1", 2, &["off"]).unwrap();
    place(&mut life, "bob", "b1", 1, &["off", "half"]).unwrap();
    assert_eq!(place(&mut life, "cid", "c1", 1, &["off"]), None, "spent");
    assert_eq!(place(&mut life, "dan", "d1", 0, &[]), None, "no regular");
    life.pay("ann", "p1", ann);
    life.now += 20_000;
    let cid = place(&mut life, "cid", "c1", 1, &["off"]).unwrap();
    let eve = place(&mut life, "eve", "e1", 5, &["off", "half"]).unwrap();
    life.charge(ann, 1, true);
    life.refunded(ann, 1, true);
    life.cancel("cid", "x1", cid);
    life.cancel("eve", "x1", eve);
    life
}

/// The journal of that life written otherwise, and judged by itself.
fn forged(forge: impl FnOnce(&mut Vec<(u64, Entry)>)) -> Evidence {
    let mut evidence = bargains().evidence();
    let mut story = entries(&evidence);
    forge(&mut story);
    let mut batches: Vec<Batch> = Vec::new();
    for (time, entry) in story {
        let batch = seal(batches.last(), time, &[entry]);
        batches.push(batch);
    }
    evidence.journals.insert(1, batches);
    evidence.calls.clear();
    evidence.listed.clear();
    evidence
}

/// Forges the order of this number.
fn order(number: u32, change: impl FnOnce(&mut Dealt)) -> Evidence {
    forged(|story| {
        let dealt = story.iter_mut().find_map(|(_, entry)| match entry {
            Entry::Dealt(dealt) if dealt.placed.order == number => Some(dealt),
            _ => None,
        });
        change(dealt.unwrap());
    })
}

/// Forges what was offered from the beginning.
fn offered(change: impl FnOnce(&mut Offer)) -> Evidence {
    forged(|story| match &mut story[0].1 {
        Entry::CreatedWith { offer, .. } => change(offer),
        other => panic!("{other:?}"),
    })
}

/// Makes one line of a price another, and the total with it.
fn reckoned(dealt: &mut Dealt, line: usize, amount: i64) {
    let line = &mut dealt.deal.price[line];
    dealt.placed.total.0 += amount - line.amount.0;
    line.amount = minor(amount);
}

#[test]
fn a_sound_life_with_discounts_gives_no_finding() {
    let life = bargains();
    let total = |order| life.book.order(order).unwrap().total();
    // 12.50 less an eighth, 156.25; 12.50 less 2.50, and half of the rest.
    assert_eq!((total(0), total(1)), (Minor(844), Minor(500)));
    assert_eq!(judge(&life.evidence()), []);
}

#[test]
fn what_comes_off_is_what_the_offer_says_to_the_last_minor_unit() {
    let level = order(0, |dealt| reckoned(dealt, 1, -157));
    finds(&level, "INV-10", "line 1 of its price is Level");
    let half = order(1, |dealt| reckoned(dealt, 2, -499));
    finds(&half, "INV-10", "it should be Coupon { coupon: 1 } -500");
    let off = order(1, |dealt| reckoned(dealt, 1, -251));
    finds(&off, "INV-10", "it should be Coupon { coupon: 0 } -250");
    let own = order(1, |dealt| reckoned(dealt, 0, 1_249));
    finds(&own, "INV-10", "it should be Line { line: 0 } 1250");
    let everybody = order(1, |dealt| {
        let (what, amount) = (PriceWhat::Level { level: 2 }, minor(-156));
        dealt.deal.price.insert(1, PriceLine { what, amount });
        dealt.placed.total = minor(422);
    });
    finds(
        &everybody,
        "INV-10",
        "is Level { level: 2 } -156, it should be Coupon",
    );
    let nobody = order(0, |dealt| {
        dealt.deal.price.remove(1);
        dealt.placed.total = minor(1_000);
    });
    finds(&nobody, "INV-10", "it should be Level { level: 2 } -156");
    let silent = order(0, |dealt| {
        dealt.deal.price.clear();
        dealt.placed.total = minor(1_250);
    });
    finds(&silent, "INV-10", "line 0 of its price is nothing");
    let total = order(0, |dealt| dealt.placed.total = minor(845));
    finds(&total, "INV-10", "its total is 845");
}

#[test]
fn a_coupon_gives_no_more_than_its_budget_and_no_buyer_more_than_his_uses() {
    let budget = offered(|offer| offer.discounts.coupons[0].budget = Some(minor(499)));
    finds(&budget, "INV-5", "more than its budget");
    let again = order(1, |dealt| dealt.placed.key.by = By::Buyer("ann".into()));
    finds(&again, "INV-5", "has used coupon 0 1 times");
    let held = forged(|story| story.retain(|(_, entry)| !matches!(entry, Entry::Expired { .. })));
    finds(
        &held,
        "INV-5",
        "has given 500 and gives 250 more: more than its budget",
    );
    let late = forged(|story| {
        let fates = story.iter_mut().filter_map(|(_, entry)| match entry {
            Entry::Captured { fate, .. } => Some(fate),
            _ => None,
        });
        fates.for_each(|fate| *fate = Fate::KeptAgain);
    });
    finds(&late, "INV-3", "units were taken again that were not free");
}

#[test]
fn a_coupon_is_for_its_buyers_its_time_and_its_orders() {
    type Bend = fn(&mut Coupon);
    let bends: [(&str, Bend); 6] = [
        ("does not count now", |coupon| {
            coupon.until = Some(Time(1_025))
        }),
        ("does not count now", |coupon| {
            coupon.from = Some(Time(90_000))
        }),
        ("is not for this buyer", |coupon| coupon.level = 3),
        ("is not for this buyer", |coupon| {
            coupon.tags = vec!["new".into()]
        }),
        ("is not for an order of 1094", |coupon| {
            coupon.threshold = minor(1_095)
        }),
        ("stands beside another one", |coupon| {
            coupon.combines = false
        }),
    ];
    for (words, bend) in bends {
        finds(
            &offered(|offer| bend(&mut offer.discounts.coupons[0])),
            "INV-5",
            words,
        );
    }
    let gone = offered(|offer| offer.discounts.coupons.truncate(1));
    finds(&gone, "INV-5", "coupon 1 is not in the offer");
    let twice = order(1, |dealt| {
        dealt.deal.price[2].what = PriceWhat::Coupon { coupon: 0 };
    });
    finds(&twice, "INV-5", "coupon 0 is used twice in one order");
}

#[test]
fn a_rule_that_refuses_lets_nobody_in() {
    let rule = |when: &str, then| {
        let when: Box<str> = when.into();
        offered(move |offer| (offer.rules[0].when, offer.rules[0].then) = (when, then))
    };
    let others = rule("buyer.level >= 3", Then::Admit);
    finds(&others, "INV-5", "rule regulars keeps this order out");
    let block = rule("order.units == 1", Then::Block);
    finds(&block, "INV-5", "rule regulars keeps this order out");
    let broken = rule("buyer.region == 'north'", Then::Block);
    finds(&broken, "INV-5", "rule regulars has no answer");
    let unread = rule("size(buyer.tags) >= 0", Then::Admit);
    finds(&unread, "INV-5", "the judge cannot read rule regulars");
    let unseen = order(1, |dealt| dealt.deal.facts = None);
    finds(&unseen, "INV-5", "nobody looked at its buyer");
    let plain = forged(|story| {
        let last = story
            .iter()
            .rposition(|(_, entry)| matches!(entry, Entry::Dealt(_)));
        let entry = &mut story[last.unwrap()].1;
        let Entry::Dealt(dealt) = entry else {
            panic!("{entry:?}")
        };
        *entry = Entry::Placed(dealt.placed.clone());
    });
    finds(&plain, "INV-5", "nobody looked at its buyer");
    let waits = forged(|story| {
        let waits = Waits {
            ticket: 0,
            sku: 0,
            units: 1,
            buyer: None,
            tags: Vec::new(),
            key: Bound {
                by: By::Buyer("zoe".into()),
                digest: [9; 16],
                body: 0,
            },
        };
        story.push((90_000, Entry::Waits(waits)));
    });
    finds(&waits, "INV-5", "rule regulars keeps this order out");
}
