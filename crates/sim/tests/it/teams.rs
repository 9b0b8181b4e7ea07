//! Faults of others with teams, dues and lines, done on purpose to a desk: many clients at once, crashes, a slow bank.
//!
//! Each offer is built by hand; the judges of whole lives look at the record and at the bank's ledger, and each test asks
//! that the attack took place.

use std::ops::RangeInclusive;

use commerce::deal::{Settled, TeamEnd};
use commerce::entry::{Fate, RefundBegun};
use commerce::offer::{
    AfterFinish, Alone, GroupRule, HoldPolicy, Lapse, Leave, LinePolicy, Pays, Presale,
};
use commerce::price::Cut;
use commerce::record::Records;
use commerce::{Entry, Offer, Time};
use tidegate_sim::clock::DAWN_MS;
use tidegate_sim::desk::{DeskLived, DeskSize, Trade, Weather, live_with};

/// Four lives of one offer, all of them sound.
fn lives(offer: &Offer, stock: u32) -> Vec<DeskLived> {
    lives_of(1..=4, offer, stock)
}

/// Lives of one offer, all of them sound; of more seeds where what is attacked is rare.
fn lives_of(seeds: RangeInclusive<u64>, offer: &Offer, stock: u32) -> Vec<DeskLived> {
    let lived = seeds.map(|seed| {
        let size = DeskSize {
            clients: 8,
            asks: 25,
            batch_max: 2,
            orders_per_mille: 400,
            trade: Trade::Offers,
            stock,
            hold_ms: 5_000,
            pause_ms: 400,
            crashes: 3,
            weather: Weather::Rough,
            ..DeskSize::draw_offers(seed)
        };
        let lived = live_with(seed, size, Some(offer.clone()));
        assert_eq!(lived.findings, [], "seed {seed}");
        lived
    });
    lived.collect()
}

fn entries(lived: &[DeskLived]) -> Vec<Entry> {
    let batches = lived.iter().flat_map(|lived| &lived.journal);
    let read = |payload: &[u8]| {
        let mut records = Records::new(payload);
        let read = std::iter::from_fn(|| records.read::<Entry>().unwrap());
        read.collect::<Vec<_>>()
    };
    batches.flat_map(|batch| read(&batch.payload)).collect()
}

fn count(lived: &[DeskLived], like: impl Fn(&Entry) -> bool) -> usize {
    entries(lived).iter().filter(|entry| like(entry)).count()
}

fn settled(lived: &[DeskLived], like: impl Fn(&Settled) -> bool) -> usize {
    let orders = entries(lived).into_iter().filter_map(|entry| match entry {
        Entry::TeamSettled { orders, .. } => Some(orders),
        _ => None,
    });
    orders.flatten().filter(|one| like(one)).count()
}

fn rule(size: u16) -> GroupRule {
    GroupRule {
        sku: "s0".into(),
        size,
        least: size,
        lifetime_ms: 60_000,
        stretch_ms: 5_000,
        tiers: Vec::new(),
        pays: Pays::Reached,
        seats_per_buyer: 1,
        teams_per_buyer: None,
        open_to: Vec::new(),
        join_to: Vec::new(),
        leader: None,
        leave: Leave::Free,
        after: AfterFinish::Buyer,
        fill: 0,
        alone: Alone::TeamsOnly,
        prizes: None,
    }
}

fn groups(rule: GroupRule) -> Offer {
    Offer {
        groups: vec![rule],
        ..Offer::default()
    }
}

// Others: two last joiners each count "2 of 3", the full team stays open, expires and refunds everybody; or nobody
// completes it, since completion is tested on a value that was read before the transaction.
#[test]
fn two_last_joiners_complete_their_team_and_nobody_is_refunded() {
    let lived = lives(&groups(rule(2)), 400);
    let complete = settled(&lived, |one| matches!(one, Settled::Stands { .. }));
    assert!(complete > 10, "{complete} seats of finished teams");
}

// Others: expiry marks "refund", and a human refunds.
#[test]
fn a_failed_team_refunds_everybody_by_itself_whatever_dies() {
    let short = GroupRule {
        lifetime_ms: 3_000,
        ..rule(5)
    };
    let lived = lives(&groups(short), 400);
    let back = settled(&lived, |one| {
        matches!(
            one,
            Settled::GivenUp {
                refund: Some(_),
                ..
            }
        )
    });
    let crashes: u64 = lived.iter().map(|lived| lived.crashes).sum();
    assert!(back > 5 && crashes > 3, "{back} refunds, {crashes} crashes");
}

// Others: virtual members are written into the real order table.
#[test]
fn seats_of_the_house_are_in_no_list_of_orders() {
    let filled = GroupRule {
        lifetime_ms: 3_000,
        fill: 4,
        ..rule(5)
    };
    let lived = lives(&groups(filled), 400);
    let ends = count(&lived, |entry| {
        matches!(
            entry,
            Entry::TeamEnded {
                how: TeamEnd::Filled { .. },
                ..
            }
        )
    });
    let placed = count(&lived, |entry| {
        matches!(
            entry,
            Entry::Placed(_) | Entry::Dealt(_) | Entry::LineOffered(_)
        )
    });
    let orders: u64 = lived.iter().map(|lived| lived.orders).sum();
    assert!(ends > 3, "{ends} teams were filled");
    assert_eq!(u64::try_from(placed).unwrap(), orders);
}

// Others: one member of a finished team refunds and the team stays shown; here it stays finished, and only his money goes.
#[test]
fn a_finished_team_stays_finished_when_a_member_is_refunded() {
    let lived = lives_of(1..=12, &groups(rule(2)), 400);
    let mut given_up = 0;
    for life in &lived {
        let mut full = std::collections::BTreeSet::new();
        for entry in entries(std::slice::from_ref(life)) {
            match entry {
                Entry::TeamSettled { orders, .. } => {
                    let seats = orders
                        .iter()
                        .filter(|one| matches!(one, Settled::Stands { .. }));
                    full.extend(seats.map(Settled::order));
                }
                Entry::Cancelled {
                    order,
                    refund: Some(_),
                    ..
                }
                | Entry::RefundBegun {
                    refund: RefundBegun { order, .. },
                    ..
                } => given_up += usize::from(full.contains(&order)),
                _ => {}
            }
        }
    }
    assert!(given_up > 0, "nobody gave a finished seat up");
}

// Others: money is taken and there is no seat, since a seat is taken only after payment.
#[test]
fn money_that_comes_after_its_team_has_ended_goes_back() {
    let short = GroupRule {
        lifetime_ms: 1_500,
        stretch_ms: 0,
        ..rule(3)
    };
    let lived = lives(&groups(short), 400);
    let back = count(&lived, |entry| {
        matches!(
            entry,
            Entry::Captured {
                fate: Fate::GoesBack { .. },
                ..
            }
        )
    });
    assert!(back > 3, "{back} payments came too late");
}

#[test]
fn a_deposit_is_forfeited_only_once_its_balance_is_known_or_the_wait_is_over() {
    let presale = Presale {
        deposit: Cut::Share(5_000),
        from: Time(DAWN_MS + 3_000),
        until: Time(DAWN_MS + 9_000),
        lapse: Lapse::Forfeit,
        grace_ms: 4_000,
    };
    let lived = lives(
        &Offer {
            presale: Some(presale),
            ..Offer::default()
        },
        400,
    );
    let lapsed = count(&lived, |entry| matches!(entry, Entry::BalanceLapsed { .. }));
    let waited = count(&lived, |entry| matches!(entry, Entry::HoldsExtended { .. }));
    assert!(
        lapsed > 0 && waited > 0,
        "{lapsed} lapsed, {waited} waited for"
    );
}

// Others: every unit that expires starts another stampede.
#[test]
fn units_that_come_back_go_to_the_line_and_to_no_newcomer() {
    let line = LinePolicy {
        hold_ms: 1_000,
        units_most: 3,
        places_most: 100,
    };
    let lived = lives_of(
        1..=12,
        &Offer {
            line: Some(line),
            ..Offer::default()
        },
        3,
    );
    let offered = count(&lived, |entry| matches!(entry, Entry::LineOffered(_)));
    assert!(offered > 20, "{offered} were offered");
}

// Others (dujiao-next#105): one buyer holds the whole shop.
#[test]
fn who_lets_holds_lapse_gets_fewer_of_them() {
    let holds = HoldPolicy {
        grace_ms: 0,
        open_most: Some(2),
        steps: vec![commerce::offer::Shrink {
            lapses: 2,
            hold_ms: 1_000,
            open_most: 1,
        }],
    };
    let lived = lives_of(
        1..=12,
        &Offer {
            holds,
            ..Offer::default()
        },
        400,
    );
    let short = count(
        &lived,
        |entry| matches!(entry, Entry::Placed(placed) if placed.hold_ms == 1_000),
    );
    assert!(short > 5, "{short} shrunk holds");
}
