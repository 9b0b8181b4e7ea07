//! The entries that came with offers: teams, dues, the waiting line, holds that live longer.

use ledger::{Minor, UnitPrice};
use tidegate_commerce::Facts;
use tidegate_commerce::deal::{
    Commit, Deal, Dealt, Dues, LapsedBalance, LineOffer, Opening, Seat, Settled, TeamEnd, Waits,
};
use tidegate_commerce::entry::{Asked, Bound, By, Entry, Fate, Placed};
use tidegate_commerce::offer::{
    AfterFinish, Alone, Cut, GroupRule, HoldPolicy, Lapse, Leave, LinePolicy, Offer, Pays, Presale,
    Shrink, Tier,
};
use tidegate_commerce::price::{
    Coupon, CouponKind, Discounts, LevelDiscount, PriceLine, PriceWhat,
};
use tidegate_commerce::rules::{RuleText, Then};
use tidegate_commerce::{Rule, Test, Time};

use super::{bound, placed, placed_of_many, planned, refund};

const NOON: Time = Time(1_700_000_000_000);

fn tier(seats: u16, price: i64) -> Tier {
    Tier {
        seats,
        price: UnitPrice(price),
    }
}

fn group() -> GroupRule {
    let rule = |test| Rule { test, until: None };
    GroupRule {
        sku: "CUP-1".into(),
        size: 300,
        least: 20,
        lifetime_ms: 86_400_000,
        stretch_ms: 60_000,
        tiers: vec![tier(1, 125_000), tier(50, 99_999)],
        pays: Pays::Top,
        seats_per_buyer: 2,
        teams_per_buyer: Some(3),
        open_to: vec![rule(Test::Named)],
        join_to: vec![rule(Test::AnyTag(vec!["new".into()]))],
        leader: Some(Cut::Off(Minor(150))),
        leave: Leave::Bound,
        after: AfterFinish::Buyer,
        fill: 5,
        alone: Alone::TeamsOnly,
        prizes: None,
    }
}

fn lottery() -> GroupRule {
    GroupRule {
        tiers: Vec::new(),
        pays: Pays::Reached,
        teams_per_buyer: None,
        leader: Some(Cut::Share(1_250)),
        leave: Leave::Free,
        after: AfterFinish::Nobody,
        fill: 0,
        alone: Alone::Sold,
        prizes: Some(7),
        ..group()
    }
}

fn price(what: PriceWhat, amount: i64) -> PriceLine {
    let amount = Minor(amount);
    PriceLine { what, amount }
}

fn facts() -> Facts {
    Facts {
        tags: vec!["gold".into()],
        level: 4,
        points: 5_100,
        region: Some("Tokyo".into()),
        new_customer: true,
        device: None,
        address: None,
    }
}

fn discounts() -> Discounts {
    let coupon = |code: &str, kind| Coupon {
        code: code.into(),
        kind,
        threshold: Minor(5_000),
        per_buyer: Some(1),
        budget: Some(Minor(100_000)),
        tags: vec!["gold".into()],
        level: 2,
        from: Some(NOON),
        until: None,
        combines: true,
    };
    Discounts {
        coupons: vec![
            coupon("TEN", CouponKind::Off(Minor(1_000))),
            coupon("HALF", CouponKind::Share(5_000, Some(Minor(2_000)))),
        ],
        levels: vec![LevelDiscount {
            least: 3,
            share_bp: 500,
        }],
    }
}

fn offer() -> Offer {
    Offer {
        groups: vec![group(), lottery()],
        presale: None,
        line: Some(LinePolicy {
            hold_ms: 120_000,
            units_most: 2,
            places_most: 10_000,
        }),
        discounts: discounts(),
        rules: vec![RuleText {
            name: "regulars".into(),
            when: "buyer.level >= 2".into(),
            then: Then::Admit,
            reason: "for regular customers".into(),
        }],
        holds: HoldPolicy {
            grace_ms: 30_000,
            open_most: Some(4),
            steps: vec![Shrink {
                lapses: 3,
                hold_ms: 60_000,
                open_most: 1,
            }],
        },
    }
}

fn presale() -> Offer {
    Offer {
        presale: Some(Presale {
            deposit: Cut::Share(3_000),
            from: NOON,
            until: Time(NOON.0 + 86_400_000),
            lapse: Lapse::Forfeit,
            grace_ms: 600_000,
        }),
        ..Offer::default()
    }
}

pub(super) fn of_offer() -> Vec<(&'static str, Entry)> {
    let altered = |offer| Entry::OfferAltered {
        offer: Box::new(offer),
        key: bound(),
    };
    vec![
        (
            "created with an offer",
            Entry::CreatedWith {
                secret: *b"fedcba9876543210",
                plan: Box::new(planned()),
                offer: Box::new(offer()),
                key: bound(),
            },
        ),
        ("offer altered", altered(presale())),
        ("offer altered, nothing offered", altered(Offer::default())),
        (
            "holds extended",
            Entry::HoldsExtended {
                orders: vec![7, 300],
                by_ms: 30_000,
            },
        ),
        (
            "charge authorised",
            Entry::ChargeAuthorised {
                order: 7,
                attempt: 2,
                amount: Minor(2_500),
            },
        ),
    ]
}

fn dealt(name: &'static str, placed: Placed, deal: Deal) -> (&'static str, Entry) {
    let deal = Box::new(deal);
    (name, Entry::Dealt(Dealt { placed, deal }))
}

pub(super) fn of_team() -> Vec<(&'static str, Entry)> {
    let opens = |commit| Opening {
        rule: 1,
        ends: NOON,
        commit,
    };
    let seat = |opens| Deal {
        seat: Some(Seat { team: 300, opens }),
        dues: None,
        price: vec![
            price(PriceWhat::Line { line: 0 }, 10_000),
            price(PriceWhat::Tier { seats: 3 }, -1_000),
            price(PriceWhat::Level { level: 4 }, -500),
            price(PriceWhat::Leader, -150),
            price(PriceWhat::Coupon { coupon: 1 }, -300),
        ],
        facts: Some(Box::new(facts())),
    };
    let (nonce, hash) = (*b"a nonce of draws", [9; 32]);
    let commit = Commit { nonce, hash };
    let ended = |how| Entry::TeamEnded { team: 300, how };
    let given_up = |refund| Settled::GivenUp { order: 9, refund };
    vec![
        dealt("dealt, opens a team", placed(), seat(Some(opens(None)))),
        dealt(
            "dealt, opens a lottery team",
            placed(),
            seat(Some(opens(Some(Box::new(commit))))),
        ),
        dealt("dealt, joins a team", placed_of_many(), seat(None)),
        ("team ended, reached", ended(TeamEnd::Reached)),
        ("team ended, filled", ended(TeamEnd::Filled { seats: 5 })),
        ("team ended, failed", ended(TeamEnd::Failed)),
        (
            "team settled",
            Entry::TeamSettled {
                team: 300,
                orders: vec![
                    Settled::Nothing { order: 7 },
                    Settled::Voided { order: 8 },
                    given_up(None),
                    given_up(Some(refund())),
                    Settled::Difference(refund()),
                    Settled::Won { order: 10 },
                    Settled::Stands { order: 11 },
                ],
            },
        ),
        (
            "drawn",
            Entry::Drawn {
                team: 300,
                seed: [3; 32],
                entries: [4; 32],
                winners: vec![7, 300],
            },
        ),
    ]
}

pub(super) fn of_dues() -> Vec<(&'static str, Entry)> {
    let dues = |lapse| Deal {
        dues: Some(Dues {
            deposit: Minor(750),
            from: NOON,
            until: Time(NOON.0 + 86_400_000),
            lapse,
            grace_ms: 600_000,
        }),
        ..Deal::default()
    };
    let captured = |fate| Entry::Captured {
        order: 7,
        attempt: 2,
        amount: Minor(750),
        fate,
    };
    let given_up = |refunds| Entry::GivenUp {
        order: 7,
        refunds,
        key: bound(),
    };
    let lapsed = |order, refund| LapsedBalance { order, refund };
    vec![
        dealt("dealt, deposit refunded", placed(), dues(Lapse::Refund)),
        dealt("dealt, deposit forfeited", placed(), dues(Lapse::Forfeit)),
        ("captured, deposit", captured(Fate::Deposit)),
        ("captured, deposit again", captured(Fate::DepositAgain)),
        (
            "balance lapsed",
            Entry::BalanceLapsed {
                orders: vec![lapsed(7, None), lapsed(300, Some(refund()))],
            },
        ),
        (
            "refunds begun",
            Entry::RefundsBegun {
                refunds: vec![refund(), refund()],
                reason: Some("too small".into()),
                asked: Asked::Amount,
                key: bound(),
            },
        ),
        ("given up, forfeited", given_up(Vec::new())),
        ("given up, refunded", given_up(vec![refund(), refund()])),
    ]
}

pub(super) fn of_line() -> Vec<(&'static str, Entry)> {
    let waits = |buyer: Option<&str>, by| {
        Entry::Waits(Waits {
            ticket: 300,
            sku: 1,
            units: 2,
            buyer: buyer.map(Into::into),
            tags: vec!["gold".into()],
            key: Bound { by, ..bound() },
        })
    };
    let left = |key| Entry::LeftLine { ticket: 300, key };
    vec![
        ("waits", waits(None, By::Buyer("ann".into()))),
        (
            "waits, told by the merchant",
            waits(Some("bob"), By::Merchant("shop".into())),
        ),
        (
            "waits, with what is known of him",
            Entry::WaitsKnown {
                waits: Waits {
                    ticket: 300,
                    sku: 1,
                    units: 2,
                    buyer: None,
                    tags: Vec::new(),
                    key: bound(),
                },
                facts: Box::new(Facts {
                    level: 2,
                    points: -3,
                    region: Some("eu".into()),
                    new_customer: true,
                    ..Facts::default()
                }),
            },
        ),
        ("left the line", left(Some(bound()))),
        ("left the line by itself", left(None)),
        (
            "line offered",
            Entry::LineOffered(LineOffer {
                ticket: 300,
                order: 7,
                units: 1,
                price: UnitPrice(125_000),
                total: Minor(1_250),
                hold_ms: 120_000,
            }),
        ),
    ]
}
