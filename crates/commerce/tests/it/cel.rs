//! Our rules against another implementation of CEL: what both can say, both say alike.

use cel::{Context, Program, Value};
use proptest::prelude::*;
use tidegate_commerce::rules::{
    Counters, Formula, Given, Gives, Ground, OrderGround, PastGround, SaleGround,
};
use tidegate_commerce::{Facts, SaleState, Time};

fn facts() -> Facts {
    Facts {
        tags: vec!["vip".into(), "staff".into()],
        ..Facts::default()
    }
}

fn ours(text: &str) -> Option<Result<Given, String>> {
    let facts = facts();
    let ground = Ground {
        now: Time(7),
        buyer: Some("ann"),
        facts: &facts,
        past: PastGround::default(),
        order: OrderGround::default(),
        sale: SaleGround {
            title: "tea",
            state: SaleState::Open,
            sold: 0,
            available: 0,
        },
        counters: Counters::default(),
    };
    let formula = Formula::compile(text, Gives::Bool).ok()?;
    Some(formula.run(&ground).map_err(|error| error.to_string()))
}

fn theirs(text: &str) -> Result<Value, String> {
    let program = Program::compile(text).map_err(|error| format!("no program: {error}"))?;
    let mut context = Context::default();
    context
        .add_variable("now", 7_i64)
        .map_err(|error| error.to_string())?;
    program.execute(&context).map_err(|error| error.to_string())
}

fn ints() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("now".to_owned()),
        (-9_i64..10).prop_map(|number| number.to_string()),
        Just("9223372036854775807".to_owned()),
        Just("-9223372036854775808".to_owned()),
        Just("size('中a')".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let op = proptest::sample::select(&["+", "-", "*", "/", "%"][..]);
        prop_oneof![
            (inner.clone(), op, inner.clone())
                .prop_map(|(one, op, two)| format!("({one} {op} {two})")),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("[{one}, {two}][1]")),
            inner.prop_map(|one| format!("-({one})")),
        ]
    })
}

fn bools() -> impl Strategy<Value = String> {
    let compare = proptest::sample::select(&["==", "!=", "<", "<=", ">", ">="][..]);
    let leaf = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        (ints(), compare, ints()).prop_map(|(one, op, two)| format!("{one} {op} {two}")),
        (ints(), ints(), ints()).prop_map(|(one, two, three)| format!("{one} in [{two}, {three}]")),
        ints().prop_map(|one| format!("[1, 2, {one}].exists(x, x > 1)")),
        ints().prop_map(|one| format!("[3, {one}].all(x, x > 1)")),
        ints().prop_map(|one| format!("[3, {one}].map(x, x * 2).filter(x, x != 6) == [4]")),
        Just("'abc'.startsWith('a') && 'abc'.endsWith('c') && 'a' + 'b' < 'b'".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("({one}) && ({two})")),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("({one}) || ({two})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(test, one, two)| format!("({test}) ? ({one}) : ({two})")),
            inner.prop_map(|one| format!("!({one})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_rule_means_what_another_implementation_of_cel_says(text in bools()) {
        let (ours, theirs) = (ours(&text), theirs(&text));
        match (ours, theirs) {
            (Some(Ok(Given::Bool(one))), Ok(Value::Bool(two))) => prop_assert_eq!(one, two, "{}", text),
            (Some(Err(_)), Err(_)) | (None, _) => {}
            (one, two) => prop_assert!(false, "{}: {:?} against {:?}", text, one, two),
        }
    }
}

#[test]
fn most_texts_of_the_comparison_are_rules_that_both_can_run() {
    for text in [
        "now + 1 == 8 && [1, 2].exists(x, x > 1)",
        "-9223372036854775808 < now",
        "!(7 % -2 != 1)",
    ] {
        assert_eq!(ours(text), Some(Ok(Given::Bool(true))), "{text}");
        assert_eq!(theirs(text), Ok(Value::Bool(true)), "{text}");
    }
}
