//! Coupons, levels and rules.

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

pub(super) fn discounts() -> Offer {
    let once = Coupon {
        per_buyer: Some(1),
        budget: Some(Minor(25)),
        ..coupon("TEN", CouponKind::Off(Minor(10)))
    };
    Offer {
        discounts: Discounts {
            coupons: vec![once, coupon("HALF", CouponKind::Share(5_000, None))],
            levels: vec![LevelDiscount {
                least: 3,
                share_bp: 1_000,
            }],
        },
        ..Offer::default()
    }
}

impl Sale {
    pub(super) fn with(
        &mut self,
        buyer: &str,
        units: u32,
        codes: &[&str],
        level: u32,
    ) -> Result<u32, Refusal> {
        let facts = Facts {
            level,
            address: Some("192.0.2.1".into()),
            ..Facts::default()
        };
        let place = Place {
            buyer: None,
            tags: Arc::from([]),
            lines: vec![Ask {
                sku: "cup".into(),
                units,
                price: None,
            }],
            paid: None,
            deal: Some(Box::new(DealAsk {
                team: None,
                coupons: codes.iter().map(|&code| code.into()).collect(),
                facts: Some(Box::new(facts)),
            })),
        };
        match self.buyer(buyer, Action::Place(place))? {
            Done::Order(order) => Ok(order),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_price_is_explained_line_by_line_and_parts_of_a_refund_sum_up_to_it() {
    let mut sale = Sale::open(10, discounts());
    let order = sale.with("ann", 3, &["TEN", "HALF"], 4).unwrap();
    let shown = sale.book.order(order).unwrap();
    let lines: Vec<i64> = shown.price().iter().map(|line| line.amount.0).collect();
    assert_eq!(
        (lines, shown.total()),
        (vec![300, -30, -10, -130], Minor(130))
    );
    sale.pay(order);
    for _ in 0..3 {
        let ask = RefundAsk {
            lines: vec![(0, 1)],
            ..RefundAsk::default()
        };
        sale.merchant(Action::Refund { order, ask }).unwrap();
    }
    sale.refund_all();
    assert_eq!(sale.left(order), Minor::ZERO);
    let journalled = sale.entries.iter().find_map(|entry| match entry {
        Entry::Dealt(dealt) => dealt.deal.facts.clone(),
        _ => None,
    });
    assert_eq!(journalled.unwrap().address, None, "no address in a journal");
}

#[test]
fn a_coupon_ends_with_its_budget_and_its_uses_and_comes_back_with_the_hold() {
    let mut sale = Sale::open(10, discounts());
    let first = sale.with("ann", 1, &["TEN"], 0).unwrap();
    let used = |code: &str| {
        Err(Refusal::Price(PriceError::Used {
            code: code.into(),
            most: 1,
        }))
    };
    assert_eq!(sale.with("ann", 1, &["TEN"], 0), used("TEN"));
    sale.with("bob", 1, &["TEN"], 0).unwrap();
    let exhausted = Refusal::Price(PriceError::Exhausted { code: "TEN".into() });
    assert_eq!(sale.with("cy", 1, &["TEN"], 0), Err(exhausted));
    sale.merchant(Action::Cancel { order: first }).unwrap();
    sale.with("cy", 1, &["TEN"], 0).unwrap();
    assert!(matches!(
        sale.with("dee", 1, &["NONE"], 0),
        Err(Refusal::Price(PriceError::Unknown { .. }))
    ));
}

// A late payment takes its coupon again only if the budget still has it.
#[test]
fn a_late_payment_does_not_exceed_the_budget_of_its_coupon() {
    let mut sale = Sale::open(10, discounts());
    let late = sale.with("ann", 1, &["TEN"], 0).unwrap();
    sale.begin(late).unwrap();
    sale.tick(1_000 + u64::from(HOLD_MS));
    sale.with("bob", 1, &["TEN"], 0).unwrap();
    sale.with("cy", 1, &["TEN"], 0).unwrap();
    sale.hear(late, 1, ChargeOutcome::Captured(Minor(90)));
    sale.refund_all();
    assert_eq!(
        (sale.status(late), sale.left(late)),
        (OrderStatus::Expired, Minor::ZERO)
    );
}

#[test]
fn a_rule_of_the_offer_refuses_by_name_and_a_failing_one_never_admits() {
    let rule = |when: &str| RuleText {
        name: "regulars".into(),
        when: when.into(),
        then: Then::Admit,
        reason: "for regular customers".into(),
    };
    let with = |when: &str| Offer {
        rules: vec![rule(when)],
        ..Offer::default()
    };
    let mut sale = Sale::open(10, with("buyer.level >= 2 && order.units <= 2"));
    assert!(sale.with("ann", 2, &[], 2).is_ok());
    let refused = Err(Refusal::Rule {
        rule: "regulars".into(),
        reason: "for regular customers".into(),
    });
    assert_eq!(sale.with("ann", 3, &[], 2), refused);
    assert_eq!(sale.with("bob", 1, &[], 1), refused);
    let overflow = with("buyer.level * 9223372036854775807 > 1");
    sale.merchant(Action::AlterOffer(Box::new(overflow)))
        .unwrap();
    assert!(matches!(
        sale.with("bob", 1, &[], 2),
        Err(Refusal::Rule { .. })
    ));
    for bad in [
        "buyer.lvl > 1",
        "buyer.address == 'x'",
        "1 + 1",
        "buyer.level >",
    ] {
        let offer = Action::AlterOffer(Box::new(with(bad)));
        assert!(
            matches!(sale.merchant(offer), Err(Refusal::Invalid(_))),
            "{bad}"
        );
    }
}
