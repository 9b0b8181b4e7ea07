//! What lives of the simulation found in teams, dues and the line, each kept from coming back.

use super::dues_tests::presale;
use super::line_tests::{line, wait};
use super::*;

// A seed's life: the first members of a filled team were settled before the house had taken the seats that were given up
// with the end, and got a smaller difference back than the last.
#[test]
fn a_team_that_the_house_fills_has_one_price_for_all_its_members() {
    let tier = |seats, price| Tier {
        seats,
        price: UnitPrice(price),
    };
    let mut sale = Sale::open(
        10,
        groups(GroupRule {
            fill: 2,
            tiers: vec![tier(1, 10_000), tier(4, 6_000)],
            pays: Pays::Top,
            ..rule(4)
        }),
    );
    let (first, team) = sale.open_team("ann");
    sale.pay(first);
    sale.now += u64::from(LIFETIME_MS) - 30_000;
    let unpaid = sale.join("cy", team).unwrap();
    let last = sale.join("bob", team).unwrap();
    sale.pay(last);
    sale.tick(1_000 + u64::from(LIFETIME_MS));
    assert_eq!(sale.status(unpaid), OrderStatus::Cancelled);
    for order in [first, last] {
        let difference = sale.book.order(order).unwrap().difference();
        assert_eq!(difference, Minor(40), "order {order}");
    }
}

// A seed's life: the offer had become a pre-sale, a seat of an older team was paid by its deposit only, and the end of the
// team voided the order and kept the money.
#[test]
fn a_seat_taken_after_the_offer_became_a_presale_is_paid_whole() {
    let mut sale = Sale::open(10, groups(rule(2)));
    let (_, team) = sale.open_team("ann");
    let offer = Box::new(presale(Lapse::Refund));
    sale.merchant(Action::AlterOffer(offer)).unwrap();
    let second = sale.join("bob", team).unwrap();
    assert!(sale.book.order(second).unwrap().dues().is_none());
    sale.pay(second);
    assert_eq!(sale.status(second), OrderStatus::Paid);
    let alone = sale.place("cy", None).unwrap();
    assert!(sale.book.order(alone).unwrap().dues().is_some());
}

// A seed's life: the merchant took the line out of the offer while people waited. Nobody served them, and newcomers were
// sent behind them for ever.
#[test]
fn who_waits_is_served_also_when_the_line_is_no_longer_offered() {
    let mut sale = Sale::open(1, line());
    let order = sale.place("ann", None).unwrap();
    sale.buyer("bob", wait(1)).unwrap();
    let offer = Box::default();
    sale.merchant(Action::AlterOffer(offer)).unwrap();
    sale.merchant(Action::Cancel { order }).unwrap();
    let TicketState::Offered { order } = sale.book.ticket(0).unwrap().state else {
        panic!("bob is next");
    };
    sale.pay(order);
    assert!(matches!(
        sale.place("cy", None),
        Err(Refusal::SoldOut { .. })
    ));
}

// Reading, while the oracle of the line was written: the line sold to single buyers what is sold to teams only.
#[test]
fn a_sku_that_is_sold_to_teams_only_has_no_line() {
    let only = GroupRule {
        alone: Alone::TeamsOnly,
        ..rule(2)
    };
    let mut sale = Sale::open(
        2,
        Offer {
            groups: vec![only],
            ..line()
        },
    );
    let (_, team) = sale.open_team("ann");
    sale.join("bob", team).unwrap();
    assert!(matches!(
        sale.buyer("cy", wait(1)),
        Err(Refusal::Teams { .. })
    ));
}

// A seed's life: a deposit that the buyer's bank had taken back was shown as forfeited, though the rule gives deposits
// back and nothing had stayed.
#[test]
fn a_deposit_that_the_bank_took_back_is_not_called_forfeited() {
    let mut sale = Sale::open(10, presale(Lapse::Refund));
    let order = sale.place("ann", None).unwrap();
    sale.pay(order);
    let taken = Report::Chargeback {
        order,
        amount: Minor(30),
        reference: "bank".into(),
    };
    sale.merchant(Action::Report(taken)).unwrap();
    sale.tick(300_000);
    assert_eq!(sale.status(order), OrderStatus::Expired);
    let (_, _, forfeited) = sale.book.order(order).unwrap().dues().unwrap();
    assert!(!forfeited);
}

// A seed's life: a paid deposit left its first place in the heap of deadlines, behind an earlier one of another order. When
// both were due in one sweep, the order was let go twice, and the sale stopped.
#[test]
fn an_order_with_two_places_among_the_deadlines_ends_once() {
    let mut sale = Sale::open(2, presale(Lapse::Refund));
    let unpaid = sale.place("ann", None).unwrap();
    sale.now += 1;
    let order = sale.place("bob", None).unwrap();
    sale.pay(order);
    sale.tick(400_000);
    assert_eq!(sale.status(unpaid), OrderStatus::Expired);
    assert_eq!(sale.status(order), OrderStatus::Expired);
}

// Reading: both places of a deposit's order fell on one moment, and one sweep let it go twice. The sale stopped, and
// stopped again at every start. Whoever saw the end of the pre-sale could aim at it.
#[test]
fn a_hold_that_would_end_with_the_presale_anyway_ends_once() {
    let mut sale = Sale::open(2, presale(Lapse::Refund));
    sale.now = 300_000 - u64::from(HOLD_MS);
    let order = sale.place("ann", None).unwrap();
    sale.pay(order);
    sale.tick(300_000);
    assert_eq!(sale.status(order), OrderStatus::Expired);

    let mut sale = Sale::open(2, presale(Lapse::Refund));
    sale.now = 300_000 - u64::from(HOLD_MS);
    let order = sale.place("ann", None).unwrap();
    sale.pay(order);
    sale.begin(order).unwrap();
    sale.tick(300_000);
    assert_eq!(sale.status(order), OrderStatus::Paying, "a grace later");
    sale.tick(320_000);
    assert_eq!(sale.status(order), OrderStatus::Expired);
}

// Reading: a deposit was taken after the last moment for its balance, and forfeited with the next look at the clock.
#[test]
fn a_deposit_whose_balance_can_no_longer_be_paid_is_not_taken() {
    let mut sale = Sale::open(2, presale(Lapse::Forfeit));
    sale.now = 299_999;
    let (late, in_flight) = (
        sale.place("ann", None).unwrap(),
        sale.place("bob", None).unwrap(),
    );
    sale.begin(in_flight).unwrap();
    sale.now = 310_000;
    assert!(matches!(sale.begin(late), Err(Refusal::Invalid(_))));
    sale.hear(in_flight, 1, ChargeOutcome::Captured(Minor(30)));
    sale.refund_all();
    assert_eq!(sale.left(in_flight), Minor::ZERO);
    sale.tick(400_000);
    assert_eq!(sale.status(in_flight), OrderStatus::Expired);
}

// Reading: the provider declined the refund of what had not left, the goods were back on sale, and nobody asked again.
#[test]
fn what_did_not_leave_is_refunded_until_the_money_is_back() {
    let mut sale = Sale::open(2, Offer::default());
    let order = sale.place_units("ann", 2).unwrap();
    sale.pay(order);
    sale.merchant(Action::ShipPart {
        order,
        lines: vec![(0, 1)],
    })
    .unwrap();
    let declined = Report::Refund {
        order,
        number: 1,
        outcome: RefundOutcome::Failed,
    };
    sale.ask(Actor::House, Action::Report(declined));
    sale.refund_all();
    assert_eq!((sale.left(order), sale.available()), (Minor(100), 1));
}

// Reading: an old code that was paid late put its buyer into the team a second time.
#[test]
fn a_late_payment_takes_no_seat_beyond_its_buyers_share() {
    for (seats, teams) in [(1, None), (2, Some(1))] {
        let mut sale = Sale::open(
            10,
            groups(GroupRule {
                seats_per_buyer: seats,
                teams_per_buyer: teams,
                ..rule(3)
            }),
        );
        let (late, first) = sale.open_team("ann");
        sale.begin(late).unwrap();
        sale.tick(1_000 + u64::from(HOLD_MS));
        assert_eq!(sale.status(late), OrderStatus::Expired);
        let (own, _) = match teams {
            None => (sale.join("ann", first).unwrap(), first),
            Some(_) => sale.open_team("ann"),
        };
        sale.pay(own);
        sale.hear(late, 1, ChargeOutcome::Captured(Minor(100)));
        sale.refund_all();
        assert_eq!(
            (sale.status(late), sale.left(late)),
            (OrderStatus::Expired, Minor::ZERO)
        );
        assert_eq!(sale.status(own), OrderStatus::Paid);
    }
}

// Reading: somebody whose deposit is paid keeps nothing from others that he would not pay for, and was refused a second
// order for as long as the pre-sale ran.
#[test]
fn a_paid_deposit_is_no_open_hold() {
    let mut offer = presale(Lapse::Forfeit);
    offer.holds.open_most = Some(1);
    let mut sale = Sale::open(3, offer);
    let order = sale.place("ann", None).unwrap();
    assert!(matches!(
        sale.place("ann", None),
        Err(Refusal::OpenHolds { .. })
    ));
    sale.pay(order);
    let second = sale.place("ann", None).unwrap();
    sale.merchant(Action::Cancel { order }).unwrap();
    assert!(matches!(
        sale.place("ann", None),
        Err(Refusal::OpenHolds { .. })
    ));
    sale.merchant(Action::Cancel { order: second }).unwrap();
    sale.place("ann", None).unwrap();
}

fn refund_told(sale: &mut Sale, number: u16, outcome: RefundOutcome) {
    let report = Report::Refund {
        order: 0,
        number,
        outcome,
    };
    sale.ask(Actor::House, Action::Report(report))
        .decision
        .unwrap();
}

fn open_refunds(sale: &Sale) -> Vec<(EffectKind, i64)> {
    let open = sale.book.open_effects();
    open.map(|effect| (effect.kind, effect.amount.0)).collect()
}

// Reading: Stripe tells weeks later that a refund which had succeeded failed. It was written down, and the buyer never had
// his money.
#[test]
fn a_refund_that_fails_after_it_was_paid_is_made_again() {
    let mut sale = Sale::open(2, Offer::default());
    let order = sale.place("ann", None).unwrap();
    sale.pay(order);
    sale.merchant(Action::Cancel { order }).unwrap();
    refund_told(&mut sale, 1, RefundOutcome::Refunded);
    assert_eq!(sale.left(order), Minor::ZERO);
    refund_told(&mut sale, 1, RefundOutcome::Failed);
    let again = EffectKind::Refund {
        number: 2,
        charge: 1,
    };
    assert_eq!(open_refunds(&sale), [(again, 100)]);
    let effect = sale.book.open_effect(order, again).unwrap();
    assert_eq!(effect.not_before.0, sale.now + 3_600_000);
    sale.refund_all();
    let funds = sale.book.order(order).unwrap().funds();
    assert_eq!((funds.refunded(), funds.loss()), (Minor(100), Minor::ZERO));
}

// Reading: a refused refund turned out paid, and its next try, hours away, was sent all the same.
#[test]
fn the_next_try_is_withdrawn_when_the_first_was_paid_after_all() {
    for outcomes in [
        &[RefundOutcome::Failed][..],
        &[RefundOutcome::Refunded, RefundOutcome::Failed],
    ] {
        let mut sale = Sale::open(2, Offer::default());
        let order = sale.place("ann", None).unwrap();
        sale.pay(order);
        sale.merchant(Action::Cancel { order }).unwrap();
        for outcome in outcomes {
            refund_told(&mut sale, 1, *outcome);
        }
        assert_eq!(open_refunds(&sale).len(), 1);
        refund_told(&mut sale, 1, RefundOutcome::Refunded);
        assert_eq!(open_refunds(&sale), []);
        let funds = sale.book.order(order).unwrap().funds();
        assert_eq!((funds.refunded(), funds.loss()), (Minor(100), Minor::ZERO));
    }
}

// hyperswitch PR#10533, by the way of a try that waits: what the buyer's bank took back is not refunded once more.
#[test]
fn the_next_try_is_cut_to_what_a_chargeback_leaves() {
    for (taken, left) in [(40, 60), (100, 0)] {
        let mut sale = Sale::open(2, Offer::default());
        let order = sale.place("ann", None).unwrap();
        sale.pay(order);
        sale.merchant(Action::Cancel { order }).unwrap();
        refund_told(&mut sale, 1, RefundOutcome::Failed);
        let report = Report::Chargeback {
            order,
            amount: Minor(taken),
            reference: "bank".into(),
        };
        sale.merchant(Action::Report(report)).unwrap();
        let open: i64 = open_refunds(&sale).iter().map(|(_, amount)| amount).sum();
        assert_eq!(open, left);
        sale.refund_all();
        let funds = sale.book.order(order).unwrap().funds();
        assert_eq!((funds.refunded(), funds.loss()), (Minor(left), Minor::ZERO));
    }
}

// Reading: who had a share off paid nothing at all once the tier had sunk by as much, and a part of such an order could
// neither be refunded nor shipped.
#[test]
fn a_share_off_is_taken_of_the_price_that_the_team_ends_in() {
    let tier = |seats, price| Tier {
        seats,
        price: UnitPrice(price),
    };
    for (leader, paid, due) in [
        (Cut::Share(5_000), 50, 25),
        (Cut::Share(2_000), 80, 40),
        (Cut::Off(Minor(5)), 95, 45),
    ] {
        let mut sale = Sale::open(
            10,
            groups(GroupRule {
                tiers: vec![tier(1, 10_000), tier(2, 5_000)],
                pays: Pays::Top,
                leader: Some(leader),
                ..rule(2)
            }),
        );
        let (first, team) = sale.open_team("ann");
        sale.pay(first);
        assert_eq!(sale.left(first), Minor(paid), "{leader:?}");
        let last = sale.join("bob", team).unwrap();
        sale.pay(last);
        sale.tick(2_000);
        sale.refund_all();
        assert_eq!(sale.left(first), Minor(due), "{leader:?}");
        assert_eq!(sale.left(last), Minor(50), "{leader:?}");
    }

    let mut sale = Sale::open(
        10,
        groups(GroupRule {
            tiers: vec![tier(1, 10_000), tier(2, 5_000)],
            pays: Pays::Top,
            leader: Some(Cut::Share(6_000)),
            ..rule(2)
        }),
    );
    let open = Some(TeamAsk::Open { commit: None });
    let first = sale.place_so("ann", open, 5).unwrap();
    let team = sale.book.order(first).unwrap().team().unwrap();
    sale.pay(first);
    let last = sale.join("bob", team).unwrap();
    sale.pay(last);
    sale.tick(2_000);
    sale.refund_all();
    assert_eq!(sale.left(first), Minor(100), "two fifths of 250");
    sale.merchant(Action::ShipPart {
        order: first,
        lines: vec![(0, 3)],
    })
    .unwrap();
    sale.refund_all();
    assert_eq!(sale.left(first), Minor(60));
}

// Reading: a text that today's compiler refuses made the journal of an older version unreadable, and the shop did not start.
#[test]
fn a_rule_of_another_version_refuses_new_orders_and_keeps_the_journal_readable() {
    let mut sale = Sale::open(2, Offer::default());
    let order = sale.place("ann", None).unwrap();
    let rule = RuleText {
        name: "old".into(),
        when: "words of another version".into(),
        then: Then::Admit,
        reason: "no".into(),
    };
    let offer = Offer {
        rules: vec![rule],
        ..Offer::default()
    };
    let refused = sale.merchant(Action::AlterOffer(Box::new(offer.clone())));
    assert!(matches!(refused, Err(Refusal::Invalid(_))));

    let entries = std::mem::take(&mut sale.entries);
    let older = entries.into_iter().map(|entry| match entry {
        Entry::CreatedWith {
            secret, plan, key, ..
        } => Entry::CreatedWith {
            secret,
            plan,
            offer: Box::new(offer.clone()),
            key,
        },
        other => other,
    });
    sale.book = Book::new();
    for entry in older {
        sale.book.apply(Time(1_000), &entry).unwrap();
    }
    sale.pay(order);
    assert_eq!(sale.status(order), OrderStatus::Paid);
    assert!(matches!(sale.place("bob", None), Err(Refusal::Rule { .. })));
    sale.merchant(Action::AlterOffer(Box::default())).unwrap();
    sale.place("bob", None).unwrap();
}

// Reading, while the judge of rules was written: a hold that was due answered for its buyer, and a rule about what he has
// kept him out of what was free.
#[test]
fn a_hold_that_is_due_does_not_make_a_rule_refuse() {
    let rule = RuleText {
        name: "few".into(),
        when: "buyer.units + order.units <= 2".into(),
        then: Then::Admit,
        reason: "two for each".into(),
    };
    let mut sale = Sale::open(
        10,
        Offer {
            rules: vec![rule],
            ..Offer::default()
        },
    );
    sale.with("ann", 2, &[], 0).unwrap();
    assert!(sale.with("ann", 1, &[], 0).is_err());
    sale.now += u64::from(HOLD_MS);
    sale.with("ann", 2, &[], 0).unwrap();
}

// Reading, while the judge of coupons was written: orders without a buyer counted as one buyer's when late money came, and
// as nobody's when they were placed, so that money went back which paid its order.
#[test]
fn late_money_of_an_order_without_a_buyer_takes_its_coupon_again() {
    let mut offer = price_tests::discounts();
    offer.discounts.coupons[0].budget = None;
    let mut sale = Sale::open(10, offer);
    let [late, other] = [(); 2].map(|()| {
        let place = Place {
            buyer: None,
            tags: Arc::from([]),
            lines: vec![Ask {
                sku: "cup".into(),
                units: 1,
                price: None,
            }],
            paid: None,
            deal: Some(Box::new(DealAsk {
                coupons: vec!["TEN".into()],
                ..DealAsk::default()
            })),
        };
        match sale.merchant(Action::Place(place)).unwrap() {
            Done::Order(order) => order,
            other => panic!("{other:?}"),
        }
    });
    sale.merchant(Action::Pay { order: late }).unwrap();
    sale.pay(other);
    sale.tick(1_000 + u64::from(HOLD_MS));
    sale.hear(late, 1, ChargeOutcome::Captured(Minor(90)));
    assert_eq!(sale.status(late), OrderStatus::Paid);
}

// A deliberate bug: a hold that was extended without end kept its deadline, and the book looped over it for ever.
#[test]
fn a_hold_that_is_extended_twice_stops_the_sale_and_not_the_process() {
    let mut sale = Sale::open(
        10,
        Offer {
            holds: HoldPolicy {
                grace_ms: 10_000,
                ..HoldPolicy::default()
            },
            ..Offer::default()
        },
    );
    let order = sale.place("ann", None).unwrap();
    sale.begin(order).unwrap();
    sale.tick(1_000 + u64::from(HOLD_MS));
    let again = Entry::HoldsExtended {
        orders: vec![order],
        by_ms: 10_000,
    };
    assert!(sale.entries.contains(&again));
    let violation = sale.book.apply(Time(sale.now), &again).unwrap_err();
    assert!(violation.to_string().contains("INV-5"), "{violation}");
}

// A seed's life: the next try of a difference was given up when another refund of the same order was paid.
#[test]
fn a_refund_that_is_paid_leaves_the_tries_of_others_alone() {
    let tier = |seats, price| Tier {
        seats,
        price: UnitPrice(price),
    };
    let mut sale = Sale::open(
        10,
        groups(GroupRule {
            tiers: vec![tier(1, 10_000), tier(2, 8_000)],
            pays: Pays::Top,
            after: AfterFinish::Buyer,
            ..rule(2)
        }),
    );
    let (order, team) = sale.open_team("ann");
    sale.pay(order);
    let last = sale.join("bob", team).unwrap();
    sale.pay(last);
    sale.tick(2_000);
    refund_told(&mut sale, 1, RefundOutcome::Failed);
    sale.merchant(Action::Cancel { order }).unwrap();
    refund_told(&mut sale, 3, RefundOutcome::Refunded);
    sale.refund_all();
    assert_eq!(sale.left(order), Minor::ZERO);
}
