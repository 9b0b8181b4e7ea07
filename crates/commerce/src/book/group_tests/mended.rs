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
