//! The price of an order, by example and by property.

use proptest::prelude::*;

use super::*;

fn coupon(code: &str, kind: CouponKind) -> Coupon {
    Coupon {
        code: code.into(),
        kind,
        threshold: Minor::ZERO,
        per_buyer: None,
        budget: None,
        tags: Vec::new(),
        level: 0,
        from: None,
        until: None,
        combines: true,
    }
}

fn asked(code: &str) -> CouponAsk<'_> {
    CouponAsk {
        code,
        uses: 0,
        spent: Minor::ZERO,
    }
}

fn line(units: u32, price: i64) -> LinePrice {
    LinePrice {
        units,
        price: UnitPrice(price),
        tier: None,
    }
}

#[derive(Debug)]
struct Case {
    lines: Vec<LinePrice>,
    facts: Facts,
    discounts: Discounts,
    seats: Option<u32>,
    leader: Option<Cut>,
}

impl Case {
    /// Two lines, 10.00 and 5.00.
    fn plain() -> Self {
        Self {
            lines: vec![line(2, 50_000), line(1, 50_000)],
            facts: Facts::default(),
            discounts: Discounts::default(),
            seats: None,
            leader: None,
        }
    }

    fn price(&self, coupons: &[CouponAsk<'_>]) -> Result<Priced, PriceError> {
        price(&Pricing {
            now: Time(1_000),
            currency: Currency::new("EUR").expect("known"),
            lines: &self.lines,
            seats: self.seats,
            facts: &self.facts,
            discounts: &self.discounts,
            coupons,
            leader: self.leader,
        })
    }

    fn with(mut self, coupons: Vec<Coupon>) -> Self {
        self.discounts.coupons = coupons;
        assert_eq!(self.discounts.check(), Ok(()));
        self
    }
}

#[test]
fn a_price_is_explained_in_the_order_in_which_it_came_about() {
    let mut case = Case::plain().with(vec![
        coupon("TWO", CouponKind::Off(Minor(200))),
        coupon("HALF", CouponKind::Share(5_000, Some(Minor(300)))),
    ]);
    case.lines[0].tier = Some(UnitPrice(40_000));
    case.lines[1].tier = Some(UnitPrice(60_000));
    case.seats = Some(3);
    case.leader = Some(Cut::Off(Minor(50)));
    case.facts.level = 5;
    for (least, share_bp) in [(1, 100), (4, 1_000), (6, 9_000)] {
        case.discounts
            .levels
            .push(LevelDiscount { least, share_bp });
    }
    let priced = case.price(&[asked("HALF"), asked("TWO")]).expect("fine");
    let said: Vec<_> = priced
        .lines
        .iter()
        .map(|line| (line.what, line.amount.0))
        .collect();
    let expected = [
        (PriceWhat::Line { line: 0 }, 1_000),
        (PriceWhat::Line { line: 1 }, 500),
        (PriceWhat::Tier { seats: 3 }, -200),
        (PriceWhat::Level { level: 4 }, -130),
        (PriceWhat::Leader, -50),
        (PriceWhat::Coupon { coupon: 1 }, -300),
        (PriceWhat::Coupon { coupon: 0 }, -200),
    ];
    assert_eq!(said, expected, "a dearer tier changes nothing");
    assert_eq!(priced.total, Minor(620));
    assert_eq!(priced.shares, [Minor(381), Minor(239)]);
}

#[test]
fn each_reason_against_a_coupon_has_its_own_answer() {
    let code = || Box::from("C");
    type Bend = fn(&mut Coupon);
    let bad: [(Bend, PriceError); 8] = [
        (
            |own| own.from = Some(Time(1_001)),
            PriceError::NotNow { code: code() },
        ),
        (
            |own| own.until = Some(Time(1_000)),
            PriceError::NotNow { code: code() },
        ),
        (
            |own| own.tags = vec!["vip".into()],
            PriceError::NotForBuyer { code: code() },
        ),
        (
            |own| own.level = 1,
            PriceError::NotForBuyer { code: code() },
        ),
        (
            |own| own.threshold = Minor(1_501),
            PriceError::Below {
                code: code(),
                threshold: Minor(1_501),
                sum: Minor(1_500),
            },
        ),
        (
            |own| own.per_buyer = Some(2),
            PriceError::Used {
                code: code(),
                most: 2,
            },
        ),
        (
            |own| own.budget = Some(Minor(899)),
            PriceError::Exhausted { code: code() },
        ),
        (
            |own| own.code = "OTHER".into(),
            PriceError::Unknown { code: code() },
        ),
    ];
    let ask = CouponAsk {
        code: "C",
        uses: 2,
        spent: Minor(800),
    };
    for (bend, expected) in bad {
        let mut own = coupon("C", CouponKind::Off(Minor(100)));
        bend(&mut own);
        assert_eq!(Case::plain().with(vec![own]).price(&[ask]), Err(expected));
    }
    let fine = coupon("C", CouponKind::Off(Minor(100)));
    assert!(Case::plain().with(vec![fine]).price(&[ask]).is_ok());
}

#[test]
fn a_coupon_at_the_edge_of_window_threshold_use_and_budget_counts() {
    let own = Coupon {
        from: Some(Time(1_000)),
        until: Some(Time(1_001)),
        threshold: Minor(1_500),
        per_buyer: Some(1),
        budget: Some(Minor(100)),
        ..coupon("C", CouponKind::Off(Minor(100)))
    };
    let priced = Case::plain().with(vec![own]).price(&[asked("C")]);
    assert_eq!(priced.map(|priced| priced.total), Ok(Minor(1_400)));
}

#[test]
fn coupons_that_do_not_combine_stand_alone_and_none_counts_twice() {
    let alone = Coupon {
        combines: false,
        ..coupon("A", CouponKind::Off(Minor(1)))
    };
    let case = Case::plain().with(vec![alone, coupon("B", CouponKind::Off(Minor(1)))]);
    assert!(case.price(&[asked("A")]).is_ok());
    let two = case.price(&[asked("B"), asked("A")]);
    assert_eq!(two, Err(PriceError::Alone { code: "A".into() }));
    let twice = case.price(&[asked("B"), asked("B")]);
    assert_eq!(twice, Err(PriceError::Twice { code: "B".into() }));
    let many = case.price(&[asked("B"); CODES_MOST + 1]);
    assert_eq!(many, Err(PriceError::TooMany));
}

#[test]
fn a_share_is_rounded_half_to_even() {
    let half = |amount| share_of(Minor(amount), 5_000).map(|share| share.0);
    let got: Vec<_> = [1, 3, 5, 7].map(half).into_iter().flatten().collect();
    assert_eq!(got, [0, 2, 2, 4]);
    assert_eq!(
        share_of(Minor(i64::MAX), SHARE_WHOLE_BP),
        Some(Minor(i64::MAX))
    );
}

#[test]
fn an_amount_that_does_not_fit_gives_no_price() {
    let mut case = Case::plain();
    case.lines = vec![line(u32::MAX, i64::MAX); 2];
    assert_eq!(case.price(&[]), Err(PriceError::Range));
    case.lines = vec![line(1, -1_000)];
    assert_eq!(case.price(&[]), Err(PriceError::Range), "below zero");
}

#[test]
fn discounts_out_of_bounds_are_refused_in_words() {
    let share = |bp| Discounts {
        levels: vec![LevelDiscount {
            least: 1,
            share_bp: bp,
        }],
        ..Discounts::default()
    };
    assert!(share(10_000).check().is_ok());
    assert!(
        share(10_001)
            .check()
            .is_err_and(|said| said.contains("10000"))
    );
    assert!(share(0).check().is_err());
    let twice = Discounts {
        coupons: vec![coupon("A", CouponKind::Off(Minor(1))); 2],
        ..Discounts::default()
    };
    assert!(twice.check().is_err_and(|said| said.contains("once")));
    assert!(Cut::Off(Minor(0)).check().is_err());
    assert!(Cut::Share(10_001).check().is_err());
}

fn kinds() -> impl Strategy<Value = CouponKind> {
    prop_oneof![
        (1_i64..5_000).prop_map(|off| CouponKind::Off(Minor(off))),
        (1_u32..=10_000, proptest::option::of(1_i64..2_000))
            .prop_map(|(bp, most)| CouponKind::Share(bp, most.map(Minor))),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    let lines = proptest::collection::vec((1_u32..20, 0_i64..200_000, 0_i64..200_000), 1..8);
    let coupons = proptest::collection::vec((kinds(), proptest::option::of(0_i64..3_000)), 0..4);
    let level = proptest::option::of(1_u32..=10_000);
    let leader = proptest::option::of(1_u32..=10_000);
    (lines, coupons, level, leader).prop_map(|(lines, coupons, level, leader)| {
        let mut case = Case::plain();
        case.lines = lines
            .into_iter()
            .map(|(units, price, tier)| LinePrice {
                tier: Some(UnitPrice(tier)),
                ..line(units, price)
            })
            .collect();
        case.leader = leader.map(Cut::Share);
        case.discounts.levels = level
            .map(|share_bp| LevelDiscount { least: 0, share_bp })
            .into_iter()
            .collect();
        for (index, (kind, budget)) in coupons.into_iter().enumerate() {
            case.discounts.coupons.push(Coupon {
                budget: budget.map(Minor),
                ..coupon(&format!("C{index}"), kind)
            });
        }
        case
    })
}

fn sum(amounts: impl Iterator<Item = Minor>) -> i64 {
    amounts.map(|amount| amount.0).sum()
}

proptest! {
    #[test]
    fn the_explanation_adds_up_and_no_price_leaves_its_bounds(case in cases()) {
        let codes: Vec<String> = (0..case.discounts.coupons.len()).map(|index| format!("C{index}")).collect();
        let asked: Vec<_> = codes.iter().map(|code| asked(code)).collect();
        let mut most = i64::MAX;
        for count in 0..=asked.len() {
            let Ok(priced) = case.price(&asked[..count]) else { break };
            let gross = sum(priced.lines.iter().map(|line| line.amount).filter(|amount| amount.is_positive()));
            prop_assert_eq!(sum(priced.lines.iter().map(|line| line.amount)), priced.total.0);
            prop_assert_eq!(sum(priced.shares.iter().copied()), priced.total.0);
            prop_assert!((0..=gross).contains(&priced.total.0));
            prop_assert!(priced.total.0 <= most, "one more coupon never costs more");
            most = priced.total.0;
            for (share, line) in priced.shares.iter().zip(&priced.lines) {
                prop_assert!((0..=line.amount.0).contains(&share.0), "no line bears more than its own price");
            }
            for line in &priced.lines {
                if let PriceWhat::Coupon { coupon } = line.what {
                    let budget = case.discounts.coupons[usize::from(coupon)].budget;
                    prop_assert!(budget.is_none_or(|budget| -line.amount.0 <= budget.0));
                }
            }
        }
    }

    #[test]
    fn a_budget_is_never_exceeded_however_many_buyers_come(kind in kinds(), budget in 0_i64..10_000, orders in proptest::collection::vec(1_u32..40, 1..30)) {
        let own = Coupon { budget: Some(Minor(budget)), ..coupon("C", kind) };
        let mut case = Case::plain().with(vec![own]);
        let mut spent = 0;
        for units in orders {
            case.lines = vec![line(units, 12_345)];
            let ask = CouponAsk { spent: Minor(spent), ..asked("C") };
            if let Ok(priced) = case.price(&[ask]) {
                spent -= priced.lines.iter().map(|line| line.amount.0).filter(|amount| *amount < 0).sum::<i64>();
            }
            prop_assert!(spent <= budget);
        }
    }

    #[test]
    fn one_more_unit_never_costs_less_without_a_threshold(kind in kinds(), units in 1_u32..200, price in 0_i64..500_000) {
        let mut case = Case::plain().with(vec![coupon("C", kind)]);
        let mut total = |units| {
            case.lines = vec![line(units, price)];
            case.price(&[asked("C")]).map(|priced| priced.total).ok()
        };
        let (fewer, more) = (total(units), total(units + 1));
        prop_assert!(fewer.is_some() && fewer <= more);
    }

    #[test]
    fn parts_of_a_total_add_up_and_stay_within_their_lines(lines in proptest::collection::vec(0_i64..1_000_000, 1..40), bp in 0_u32..=10_000) {
        let all: i64 = lines.iter().sum();
        let total = share_of(Minor(all), bp).expect("fits");
        let lines: Vec<_> = lines.into_iter().map(Minor).collect();
        let parts = line_shares(total, &lines);
        prop_assert_eq!(sum(parts.iter().copied()), total.0);
        for (part, line) in parts.iter().zip(&lines) {
            prop_assert!(*part >= Minor::ZERO && part <= line);
        }
    }
}
