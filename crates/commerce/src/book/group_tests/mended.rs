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
