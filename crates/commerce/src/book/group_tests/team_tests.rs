//! Teams.

use super::*;

// Others: two last joiners each count "2 of 3", and the full team stays open, expires and refunds everybody.
#[test]
fn the_payment_of_the_last_seat_completes_the_team() {
    let mut sale = Sale::open(10, groups(rule(3)));
    let (first, team) = sale.open_team("ann");
    let second = sale.join("bob", team).unwrap();
    let third = sale.join("cy", team).unwrap();
    assert_eq!(sale.join("dee", team), Err(Refusal::TeamFull { size: 3 }));
    for order in [third, first] {
        sale.pay(order);
        assert_eq!(sale.team(team), TeamState::Open);
    }
    sale.pay(second);
    assert_eq!(sale.team(team), TeamState::Complete);
    sale.tick(10_000_000);
    assert_eq!(
        sale.team(team),
        TeamState::Complete,
        "completion is never undone"
    );
    assert_eq!(sale.status(first), OrderStatus::Paid);
}

// Others: a seat is taken only after payment; the money is taken and there is no seat.
#[test]
fn a_seat_is_held_with_the_order_and_free_again_with_its_hold() {
    let mut sale = Sale::open(10, groups(rule(2)));
    let (first, team) = sale.open_team("ann");
    let second = sale.join("bob", team).unwrap();
    sale.pay(first);
    sale.tick(1_000 + u64::from(HOLD_MS));
    assert_eq!(sale.status(second), OrderStatus::Expired);
    let third = sale.join("cy", team).unwrap();
    sale.pay(third);
    assert_eq!(sale.team(team), TeamState::Complete);
}

// Others: expiry marks "refund" and a human refunds.
#[test]
fn a_team_that_did_not_fill_refunds_everybody_by_itself() {
    let mut sale = Sale::open(10, groups(rule(3)));
    let (first, team) = sale.open_team("ann");
    sale.pay(first);
    let second = sale.join("bob", team).unwrap();
    sale.pay(second);
    sale.now += u64::from(LIFETIME_MS) - 30_000;
    let unpaid = sale.join("cy", team).unwrap();
    sale.tick(1_000 + u64::from(LIFETIME_MS));
    assert_eq!(sale.team(team), TeamState::Failed);
    let settlement = sale.book.team(team).unwrap().settlement();
    assert_eq!((settlement.settled, settlement.refunds_pending), (3, 2));
    sale.refund_all();
    for order in [first, second, unpaid] {
        assert_eq!(sale.status(order), OrderStatus::Cancelled);
        assert_eq!(sale.left(order), Minor::ZERO);
    }
    assert_eq!(
        (sale.available(), sale.book.open_effects().count()),
        (10, 0)
    );
}

#[test]
fn a_payment_that_comes_after_the_end_of_its_team_goes_back() {
    let mut sale = Sale::open(10, groups(rule(2)));
    let (first, team) = sale.open_team("ann");
    sale.now += u64::from(LIFETIME_MS) - 30_000;
    let second = sale.join("bob", team).unwrap();
    sale.begin(second).unwrap();
    sale.tick(1_000 + u64::from(LIFETIME_MS));
    assert_eq!(sale.team(team), TeamState::Failed);
    sale.hear(second, 1, ChargeOutcome::Captured(Minor(100)));
    sale.refund_all();
    assert_eq!(
        (sale.left(second), sale.status(first)),
        (Minor::ZERO, OrderStatus::Expired)
    );
}

#[test]
fn a_team_waits_for_payments_in_flight_up_to_its_cap() {
    let stretched = GroupRule {
        stretch_ms: 50_000,
        ..rule(2)
    };
    let ends = 1_000 + u64::from(LIFETIME_MS);
    for (heard, state) in [(20_000, TeamState::Complete), (60_000, TeamState::Failed)] {
        let mut offer = groups(stretched.clone());
        offer.holds.grace_ms = 600_000;
        let mut sale = Sale::open(10, offer);
        let (first, team) = sale.open_team("ann");
        sale.pay(first);
        sale.now = ends - 10_000;
        let second = sale.join("bob", team).unwrap();
        sale.begin(second).unwrap();
        sale.tick(ends);
        assert_eq!(sale.team(team), TeamState::Open);
        assert_eq!(
            sale.join("cy", team),
            Err(Refusal::TeamOver {
                state: TeamState::Open
            })
        );
        sale.tick(ends + heard);
        sale.hear(second, 1, ChargeOutcome::Captured(Minor(100)));
        assert_eq!(sale.team(team), state);
        sale.refund_all();
        let left = if state == TeamState::Complete { 100 } else { 0 };
        assert_eq!(
            (sale.left(first), sale.left(second)),
            (Minor(left), Minor(left))
        );
    }
}

#[test]
fn a_team_that_only_waited_for_a_payment_ends_when_it_fails() {
    let stretched = GroupRule {
        stretch_ms: 3_000_000,
        ..rule(2)
    };
    let mut sale = Sale::open(10, groups(stretched));
    let (_, team) = sale.open_team("ann");
    let ends = 1_000 + u64::from(LIFETIME_MS);
    sale.now = ends - 10_000;
    let second = sale.join("bob", team).unwrap();
    sale.begin(second).unwrap();
    sale.tick(ends + 1_000);
    assert_eq!(sale.team(team), TeamState::Open);
    sale.hear(second, 1, ChargeOutcome::Failed);
    sale.tick(ends + 2_000);
    assert_eq!(sale.team(team), TeamState::Failed);
}

#[test]
fn each_pays_his_tier_and_gets_the_difference_when_the_team_ends() {
    let tiers = [(1, 10_000), (2, 9_000), (4, 7_000)];
    let mut tiered = rule(4);
    tiered.tiers = tiers
        .map(|(seats, price)| Tier {
            seats,
            price: UnitPrice(price),
        })
        .into();
    tiered.leader = Some(Cut::Off(Minor(5)));
    let mut sale = Sale::open(10, groups(tiered));
    let (first, team) = sale.open_team("ann");
    sale.pay(first);
    let second = sale.join("bob", team).unwrap();
    sale.pay(second);
    let third = sale.join("cy", team).unwrap();
    sale.pay(third);
    let paid = |sale: &Sale, order| sale.book.order(order).unwrap().total().0;
    assert_eq!(
        [first, second, third].map(|order| paid(&sale, order)),
        [95, 100, 90]
    );
    let fourth = sale.join("dee", team).unwrap();
    sale.pay(fourth);
    sale.tick(sale.now + 1);
    sale.refund_all();
    let left = [first, second, third, fourth].map(|order| sale.left(order).0);
    assert_eq!(left, [65, 70, 70, 70]);
    // What comes back later is counted by the price that stayed.
    let all = RefundAsk {
        lines: vec![(0, 1)],
        ..RefundAsk::default()
    };
    sale.merchant(Action::Refund {
        order: first,
        ask: all,
    })
    .unwrap();
    sale.refund_all();
    assert_eq!(sale.left(first), Minor::ZERO);
}

#[test]
fn the_leader_leaves_and_the_next_member_leads() {
    let mut sale = Sale::open(10, groups(rule(3)));
    let (first, team) = sale.open_team("ann");
    sale.pay(first);
    let second = sale.join("bob", team).unwrap();
    assert_eq!(sale.book.team(team).unwrap().leader(), Some(first));
    sale.buyer("ann", Action::Cancel { order: first }).unwrap();
    assert_eq!(sale.book.team(team).unwrap().leader(), Some(second));
    sale.refund_all();
    assert_eq!(
        (sale.left(first), sale.team(team)),
        (Minor::ZERO, TeamState::Open)
    );
    assert!(
        sale.join("ann", team).is_ok(),
        "his seat is free, and so is he"
    );
}

// Others: one member of a finished team refunds and the team stays shown.
#[test]
fn a_member_of_a_finished_team_is_refunded_by_policy_and_no_longer_shown() {
    for (after, buyer, merchant) in [
        (AfterFinish::Nobody, false, false),
        (AfterFinish::Merchant, false, true),
        (AfterFinish::Buyer, true, true),
    ] {
        for (by_buyer, may) in [(true, buyer), (false, merchant)] {
            let mut sale = Sale::open(10, groups(GroupRule { after, ..rule(2) }));
            let (first, team) = sale.open_team("ann");
            sale.pay(first);
            let second = sale.join("bob", team).unwrap();
            sale.pay(second);
            let cancel = Action::Cancel { order: first };
            let done = match by_buyer {
                true => sale.buyer("ann", cancel),
                false => sale.merchant(cancel),
            };
            assert_eq!(done.is_ok(), may, "{after:?}");
            let shown = sale.book.team(team).unwrap();
            assert_eq!(shown.members().count(), if may { 1 } else { 2 });
            assert!(!shown.is_joinable() && shown.state() == TeamState::Complete);
        }
    }
}

#[test]
fn goods_of_a_team_leave_only_once_it_is_complete() {
    let mut sale = Sale::open(10, groups(rule(2)));
    let (first, team) = sale.open_team("ann");
    sale.pay(first);
    assert!(sale.merchant(Action::Ship { order: first }).is_err());
    let second = sale.join("bob", team).unwrap();
    sale.pay(second);
    sale.merchant(Action::Ship { order: first }).unwrap();
}

// Others: virtual members written into the real order table.
#[test]
fn seats_that_the_house_fills_are_on_its_own_account_and_no_orders() {
    let mut sale = Sale::open(10, groups(GroupRule { fill: 2, ..rule(4) }));
    let (first, team) = sale.open_team("ann");
    sale.pay(first);
    let second = sale.join("bob", team).unwrap();
    sale.pay(second);
    sale.now += u64::from(LIFETIME_MS) - 30_000;
    let unpaid = sale.join("cy", team).unwrap();
    sale.tick(1_000 + u64::from(LIFETIME_MS));
    assert_eq!(sale.team(team), TeamState::Complete);
    assert_eq!(sale.book.team(team).unwrap().seats(), (4, 0, 2, 2));
    assert_eq!(sale.book.tally().placed, 3);
    assert_eq!(sale.status(unpaid), OrderStatus::Cancelled);
    let filled = |entry: &&Entry| {
        matches!(
            entry,
            Entry::TeamEnded {
                how: TeamEnd::Filled { seats: 1 },
                ..
            }
        )
    };
    assert_eq!(sale.entries.iter().filter(filled).count(), 1);
}

#[test]
fn seats_and_teams_of_one_buyer_are_limited() {
    let limited = GroupRule {
        teams_per_buyer: Some(1),
        ..rule(3)
    };
    let mut sale = Sale::open(10, groups(limited));
    let (_, team) = sale.open_team("ann");
    let refused = |what, most| Err(Refusal::SeatLimit { what, most });
    assert_eq!(sale.join("ann", team), refused("seats in one team", 1));
    let again = sale.place("ann", Some(TeamAsk::Open { commit: None }));
    assert_eq!(again, refused("teams", 1));
    sale.tick(1_000 + u64::from(HOLD_MS));
    sale.place("ann", Some(TeamAsk::Open { commit: None }))
        .unwrap();
}

// A member who has his money back must not complete a team.
#[test]
fn a_seat_of_an_open_team_is_given_up_whole_or_not_at_all() {
    let mut sale = Sale::open(10, groups(rule(2)));
    let (order, team) = sale.open_team("ann");
    sale.pay(order);
    let amount = RefundAsk {
        amount: Some(Minor(100)),
        ..RefundAsk::default()
    };
    let refused = sale.merchant(Action::Refund { order, ask: amount });
    assert!(matches!(refused, Err(Refusal::TeamRule(_))));
    sale.merchant(Action::Cancel { order }).unwrap();
    assert_eq!(sale.book.team(team).unwrap().seats(), (2, 0, 0, 0));
}

fn lottery(seats: u16, prizes: u16) -> Offer {
    groups(GroupRule {
        prizes: Some(prizes),
        ..rule(seats)
    })
}

fn promise(seed: [u8; 32]) -> TeamAsk {
    TeamAsk::Open {
        commit: Some(Commit::of([3; 16], &seed)),
    }
}

#[test]
fn a_lottery_sells_its_prizes_to_those_drawn_and_refunds_the_others() {
    let (seed, mut sale) = ([9; 32], Sale::open(2, lottery(5, 2)));
    let first = sale.place("b0", Some(promise(seed))).unwrap();
    assert_eq!(sale.available(), 0, "the team holds its prizes");
    let mut orders = vec![first];
    for n in 1..5 {
        orders.push(sale.join(&format!("b{n}"), 0).unwrap());
    }
    orders.iter().for_each(|&order| sale.pay(order));
    assert_eq!(sale.book.draws_due().count(), 1);
    let draw = |seed| Action::Report(Report::Seed { team: 0, seed });
    assert!(
        sale.ask(Actor::House, draw([8; 32])).decision.is_err(),
        "another seed"
    );
    sale.ask(Actor::House, draw(seed)).decision.unwrap();
    assert!(sale.ask(Actor::House, draw(seed)).repeated);
    sale.tick(sale.now + 1);
    sale.refund_all();
    let won: Vec<u32> = orders
        .iter()
        .copied()
        .filter(|&order| sale.left(order) == Minor(100))
        .collect();
    let shown = sale.book.team(0).unwrap().draw().unwrap().opened.unwrap();
    assert_eq!((won.len(), shown.2), (2, &won[..]));
    let units = sale.book.find_sku("cup").unwrap().units();
    assert_eq!((units.sold(), units.held()), (Units(2), Units(0)));
    sale.merchant(Action::Ship { order: won[0] }).unwrap();
}

#[test]
fn a_lottery_that_does_not_fill_gives_prizes_and_money_back() {
    let mut sale = Sale::open(2, lottery(5, 2));
    let first = sale.place("b0", Some(promise([1; 32]))).unwrap();
    sale.pay(first);
    sale.tick(10_000_000);
    sale.refund_all();
    assert_eq!((sale.available(), sale.left(first)), (2, Minor::ZERO));
}
