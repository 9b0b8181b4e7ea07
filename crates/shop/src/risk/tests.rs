//! What evaluators say, and how counts slide.

use std::time::Duration;

use commerce::rules::{Counters, OrderGround, PastGround, RuleSet, RuleText, SaleGround, Then};
use commerce::{Facts, SaleState, Time};

use super::rates::{Counts, NAMES_MOST, network};
use super::*;

fn judged(evaluator: &dyn RiskEvaluator, total_minor: i64, counters: Counters) -> Risk {
    let facts = Facts::default();
    evaluator.evaluate(&RiskFacts {
        at: RiskAt::Order,
        sale: SaleId::new(1).expect("a number"),
        ground: Ground {
            now: Time(1),
            buyer: Some("ann"),
            facts: &facts,
            past: PastGround::default(),
            order: OrderGround {
                total_minor,
                ..OrderGround::default()
            },
            sale: SaleGround {
                title: "tea",
                state: SaleState::Open,
                sold: 0,
                available: 1,
            },
            counters,
        },
    })
}

fn rules(rules: &[(&str, &str, Then)]) -> RuleSet {
    let texts: Vec<_> = rules
        .iter()
        .map(|(name, when, then)| RuleText {
            name: (*name).into(),
            when: (*when).into(),
            then: *then,
            reason: format!("because of {name}").into(),
        })
        .collect();
    RuleSet::compile(&texts).expect("rules")
}

fn rule_of(risk: &Risk) -> (&'static str, &str) {
    match risk {
        Risk::Allow => ("allow", ""),
        Risk::Block(reason) => ("block", &reason.rule),
        Risk::Review(reason) => ("review", &reason.rule),
    }
}

#[test]
fn a_chain_takes_the_first_block_else_the_first_review() {
    let text = |rule| Arc::new(TextRules::new(rules(&[rule]))) as Arc<dyn RiskEvaluator>;
    let chain = Chain(vec![
        text(("large", "order.total_minor > 100", Then::Review)),
        text(("larger", "order.total_minor > 200", Then::Review)),
        text(("too large", "order.total_minor > 300", Then::Block)),
    ]);
    let said = |total| {
        let risk = judged(&chain, total, Counters::default());
        let (what, rule) = rule_of(&risk);
        format!("{what} {rule}")
    };
    assert_eq!(said(100), "allow ");
    assert_eq!(said(250), "review large");
    assert_eq!(said(301), "block too large");
}

#[test]
fn a_rule_that_cannot_be_run_blocks_and_says_that_it_is_broken() {
    let broken = TextRules::new(rules(&[("b", "1 / order.total_minor == 9", Then::Review)]));
    let Risk::Block(reason) = judged(&broken, 0, Counters::default()) else {
        panic!("a rule that cannot be run lets nobody pass");
    };
    assert!(reason.broken);
    assert_eq!(&*reason.text, "division by zero");
}

#[test]
fn rates_block_above_their_limit_and_not_at_it() {
    let rates = RateRules {
        device: Some(3),
        ..RateRules::default()
    };
    let seen = |device| Counters {
        buyer: 99,
        device,
        address: 99,
    };
    assert_eq!(judged(&rates, 1, seen(3)), Risk::Allow);
    let over = judged(&rates, 1, seen(4));
    assert_eq!(rule_of(&over), ("block", "rate of the device"));
}

#[test]
fn counts_slide_with_the_window_and_go_by_buyer_device_and_address() {
    let mut counts = Counts::default();
    let mut see = |ms, who| counts.see(Duration::from_millis(ms), 1_000, who);
    let ann = [Some("ann"), Some("phone"), None];
    for count in 1..=10 {
        let seen = see(500, ann);
        assert_eq!((seen.buyer, seen.device, seen.address), (count, count, 0));
    }
    let bob = see(500, [Some("bob"), Some("phone"), Some("::1")]);
    assert_eq!((bob.buyer, bob.device, bob.address), (1, 11, 1));
    assert_eq!(
        see(1_200, ann).buyer,
        9,
        "eight tenths of ten, and this one"
    );
    assert_eq!(see(1_900, ann).buyer, 3, "a tenth of ten, and two");
    assert_eq!(see(3_000, ann).buyer, 1, "a whole window without a sign");
}

#[test]
fn an_address_of_ipv6_counts_as_its_network_in_every_spelling() {
    for (one, other) in [
        ("2001:db8:0:7::1", "2001:0DB8:0000:0007:ffff::2"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ] {
        assert_eq!(network(one), network(other));
    }
    assert_ne!(network("2001:db8:0:7::1"), network("2001:db8:0:8::1"));
    assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
}

#[test]
fn a_crowd_of_new_names_does_not_fill_the_memory() {
    let mut counts = Counts::default();
    for name in 0..NAMES_MOST + 1_000 {
        counts.see(Duration::ZERO, 1_000, [Some(&name.to_string()), None, None]);
    }
    assert_eq!(counts.names(), NAMES_MOST);
    let known = counts.see(Duration::ZERO, 1_000, [Some("1"), None, None]);
    assert_eq!(known.buyer, 2, "who is known is counted on");
}

#[test]
fn a_policy_does_not_build_on_what_nobody_counts() {
    let built = |when| Policy::new(&Settings::default(), rules(&[("r", when, Then::Block)]));
    assert!(built("buyer.units > 5 && buyer.lapses > 2").is_ok());
    let said = built("buyer.orders > 2")
        .err()
        .map(|error| error.to_string());
    assert_eq!(
        said.as_deref(),
        Some("rule r: buyer.orders is not known when risk is judged")
    );
}

#[test]
fn risk_settings_out_of_their_limits_are_named() {
    assert_eq!(Settings::default().faults(), []);
    let bad = Settings {
        window_ms: 1,
        buyer_max: 1_000_001,
        ..Settings::default()
    };
    let options: Vec<_> = bad.faults().iter().map(|fault| fault.option).collect();
    assert_eq!(options, ["window_ms", "buyer_max"]);
}
