//! The waiting line, and holds.

use super::*;

pub(super) fn line() -> Offer {
    Offer {
        line: Some(LinePolicy {
            hold_ms: 10_000,
            units_most: 5,
            places_most: 3,
        }),
        ..Offer::default()
    }
}

pub(super) fn wait(units: u32) -> Action {
    Action::Wait {
        buyer: None,
        sku: "cup".into(),
        units,
        tags: Arc::from([]),
        facts: None,
    }
}

#[test]
fn a_unit_that_comes_back_goes_to_the_first_in_line_and_to_no_newcomer() {
    let mut sale = Sale::open(1, line());
    let left = Units(1);
    let early = sale.buyer("bob", wait(1));
    let sku = Arc::from("cup");
    assert_eq!(early, Err(Refusal::NothingToWaitFor { sku, left }));
    let order = sale.place("ann", None).unwrap();
    let tickets = ["bob", "cy"].map(|buyer| sale.buyer(buyer, wait(1)).unwrap());
    assert_eq!(tickets, [Done::Ticket(0), Done::Ticket(1)]);
    assert_eq!(sale.book.ticket(1).unwrap().ahead, Some(1));
    sale.merchant(Action::Cancel { order }).unwrap();
    assert_eq!(sale.available(), 0);
    assert!(matches!(
        sale.place("dee", None),
        Err(Refusal::LineFirst { ahead: 1, .. })
    ));
    let TicketState::Offered { order: offered } = sale.book.ticket(0).unwrap().state else {
        panic!("bob is next");
    };
    assert_eq!(sale.book.order(offered).unwrap().buyer(), Some("bob"));
    sale.tick(sale.now + 10_000);
    let TicketState::Offered { order: offered } = sale.book.ticket(1).unwrap().state else {
        panic!("cy is next");
    };
    sale.pay(offered);
    assert_eq!(sale.status(offered), OrderStatus::Paid);
}

#[test]
fn a_part_is_offered_and_leaving_costs_nothing() {
    let mut sale = Sale::open(3, line());
    let order = sale.place("ann", None).unwrap();
    let rest = sale.place("bob", None).unwrap();
    sale.place("eve", None).unwrap();
    sale.buyer("cy", wait(1)).unwrap();
    sale.buyer("dee", wait(4)).unwrap();
    sale.buyer("cy", Action::LeaveLine { ticket: 0 }).unwrap();
    let stranger = sale.buyer("cy", Action::LeaveLine { ticket: 1 });
    assert_eq!(stranger, Err(Refusal::NoTicket));
    assert_eq!(sale.book.ticket(1).unwrap().ahead, Some(0));
    sale.merchant(Action::Cancel { order }).unwrap();
    let TicketState::Offered { order: offered } = sale.book.ticket(1).unwrap().state else {
        panic!("dee is next");
    };
    assert_eq!(sale.book.order(offered).unwrap().units(), 1);
    sale.merchant(Action::Cancel { order: rest }).unwrap();
    assert_eq!(sale.available(), 1, "nobody waits any more");
}

// Paid after expiry: the units are taken again only if nobody waits for them.
#[test]
fn a_late_payment_does_not_pass_the_line() {
    let mut sale = Sale::open(1, line());
    let order = sale.place("ann", None).unwrap();
    sale.begin(order).unwrap();
    sale.buyer("bob", wait(1)).unwrap();
    sale.tick(1_000 + u64::from(HOLD_MS));
    sale.hear(order, 1, ChargeOutcome::Captured(Minor(100)));
    sale.refund_all();
    assert_eq!(
        (sale.status(order), sale.left(order)),
        (OrderStatus::Expired, Minor::ZERO)
    );
    assert!(matches!(
        sale.book.ticket(0).unwrap().state,
        TicketState::Offered { .. }
    ));
}

#[test]
fn a_hold_lives_longer_once_while_a_payment_is_in_flight() {
    let holds = HoldPolicy {
        grace_ms: 5_000,
        ..HoldPolicy::default()
    };
    let offer = Offer {
        holds,
        ..Offer::default()
    };
    let mut sale = Sale::open(1, offer);
    let order = sale.place("ann", None).unwrap();
    sale.begin(order).unwrap();
    let due = 1_000 + u64::from(HOLD_MS);
    sale.tick(due);
    assert_eq!(sale.status(order), OrderStatus::Paying);
    sale.tick(due + 4_999);
    assert_eq!(sale.status(order), OrderStatus::Paying);
    sale.tick(due + 5_000);
    assert_eq!(sale.status(order), OrderStatus::Expired);
}

// dujiao-next#105: one buyer holds the whole shop.
#[test]
fn who_lets_holds_lapse_gets_fewer_and_shorter_ones_and_is_told() {
    let holds = HoldPolicy {
        grace_ms: 0,
        open_most: Some(3),
        steps: vec![Shrink {
            lapses: 3,
            hold_ms: 5_000,
            open_most: 1,
        }],
    };
    let offer = Offer {
        holds,
        ..Offer::default()
    };
    let mut sale = Sale::open(100, offer);
    for _ in 0..3 {
        sale.place("ann", None).unwrap();
    }
    let refused = |open, most, lapses| Err(Refusal::OpenHolds { open, most, lapses });
    assert_eq!(sale.place("ann", None), refused(3, 3, 0));
    sale.tick(1_000 + u64::from(HOLD_MS));
    let order = sale.place("ann", None).unwrap();
    assert_eq!(
        sale.book.order(order).unwrap().deadline(),
        Time(sale.now + 5_000)
    );
    assert_eq!(sale.place("ann", None), refused(1, 1, 3));
    assert!(sale.place("bob", None).is_ok());
}

#[test]
fn nobody_waits_for_what_only_teams_buy() {
    let only = GroupRule {
        alone: Alone::TeamsOnly,
        ..rule(2)
    };
    let offer = Offer {
        line: line().line,
        ..groups(only)
    };
    let mut sale = Sale::open(0, offer);
    assert!(matches!(
        sale.buyer("ann", wait(1)),
        Err(Refusal::Teams { .. })
    ));
    assert!(matches!(
        sale.place("ann", None),
        Err(Refusal::Teams { .. })
    ));
}

#[test]
fn who_may_not_buy_may_not_wait() {
    let offer = Offer {
        rules: vec![RuleText {
            name: "members".into(),
            when: "'gold' in buyer.tags".into(),
            then: Then::Admit,
            reason: "for members".into(),
        }],
        ..line()
    };
    let mut sale = Sale::open(0, offer);
    assert!(matches!(
        sale.buyer("ann", wait(1)),
        Err(Refusal::Rule { .. })
    ));
    let member = Action::Wait {
        buyer: None,
        sku: "cup".into(),
        units: 1,
        tags: Arc::from(["gold".into()]),
        facts: None,
    };
    assert_eq!(sale.buyer("ann", member), Ok(Done::Ticket(0)));
}

#[test]
fn what_is_known_of_a_buyer_lets_him_wait_as_it_would_let_him_buy() {
    let offer = Offer {
        rules: vec![RuleText {
            name: "members".into(),
            when: "buyer.level >= 2 || buyer.new_customer".into(),
            then: Then::Admit,
            reason: "for members".into(),
        }],
        ..line()
    };
    let mut sale = Sale::open(0, offer);
    let known = |level| Action::Wait {
        buyer: None,
        sku: "cup".into(),
        units: 1,
        tags: Arc::from([]),
        facts: Some(Box::new(Facts {
            level,
            ..Facts::default()
        })),
    };
    let low = sale.buyer("ann", known(1));
    assert!(matches!(low, Err(Refusal::Rule { .. })), "{low:?}");
    // Each entry of this stage is decided again from what the journal holds: it holds the level.
    assert_eq!(sale.buyer("ann", known(2)), Ok(Done::Ticket(0)));
}

#[test]
fn the_same_key_with_a_newer_token_is_the_same_order() {
    let place = |facts: Option<Facts>| {
        let deal = facts.map(|facts| DealAsk {
            facts: Some(Box::new(facts)),
            ..DealAsk::default()
        });
        Action::Place(Place {
            buyer: None,
            tags: Arc::from([]),
            lines: vec![Ask {
                sku: "cup".into(),
                units: 1,
                price: None,
            }],
            paid: None,
            deal: deal.map(Box::new),
        })
    };
    let new = Facts {
        new_customer: true,
        ..Facts::default()
    };
    let secret = [7; 16];
    let print = |facts| place(facts).fingerprint(&secret);
    assert_eq!(print(Some(new)), print(None));
}

// Reading: whoever let one offer of the line after the other lapse got each time the full hold again.
#[test]
fn who_lets_offers_of_the_line_lapse_gets_shorter_ones_there_too() {
    let mut offer = line();
    offer.holds.steps = vec![Shrink {
        lapses: 1,
        hold_ms: 10_000,
        open_most: 1,
    }];
    let mut sale = Sale::open(1, offer);
    let first = sale.place("ann", None).unwrap();
    sale.pay(first);
    for hold_ms in [
        sale.book.offer().unwrap().line.as_ref().unwrap().hold_ms,
        10_000,
    ] {
        sale.buyer("bob", wait(1)).unwrap();
        let before = sale.entries.len();
        sale.merchant(Action::AddStock {
            sku: "cup".into(),
            units: Units(1),
        })
        .unwrap();
        let offered = sale.entries[before..].iter().find_map(|entry| match entry {
            Entry::LineOffered(offer) => Some(offer.hold_ms),
            _ => None,
        });
        assert_eq!(offered, Some(hold_ms));
        sale.tick(sale.now + u64::from(hold_ms));
        sale.merchant(Action::WriteOff {
            sku: "cup".into(),
            units: Units(1),
            reason: None,
        })
        .unwrap();
    }
}
