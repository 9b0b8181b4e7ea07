//! Rules: what they say, what is refused when they are saved, and what goes wrong when they run.

use proptest::prelude::*;

use super::*;
use crate::{Facts, SaleState, Time};

fn facts() -> Facts {
    Facts {
        tags: vec!["vip".into(), "staff".into()],
        level: 3,
        points: 6_000,
        region: Some("shanghai".into()),
        ..Facts::default()
    }
}

fn ground(facts: &Facts) -> Ground<'_> {
    Ground {
        now: Time(1_700_000_000_000),
        buyer: Some("ann"),
        facts,
        past: PastGround {
            units: 4,
            lapses: Some(1),
            orders: Some(2),
        },
        order: OrderGround {
            units: 2,
            total_minor: 5_000,
            lines: 1,
            team: true,
            opens: false,
        },
        sale: SaleGround {
            title: "Spring tea",
            state: SaleState::Open,
            sold: 10,
            available: 90,
        },
        counters: Counters::default(),
    }
}

fn gives(text: &str, gives: Gives) -> Result<Given, RunError> {
    let formula = Formula::compile(text, gives).unwrap_or_else(|error| panic!("{text}: {error}"));
    formula.run(&ground(&facts()))
}

fn holds(text: &str) -> Result<bool, RunError> {
    gives(text, Gives::Bool).map(|given| given == Given::Bool(true))
}

fn refused(text: &str) -> String {
    Formula::compile(text, Gives::Bool)
        .map(|formula| panic!("{text} was taken: {formula:?}"))
        .unwrap_or_else(|error| error.to_string())
}

#[test]
fn rules_say_what_cel_says() {
    let truths = [
        "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9",
        "7 / 2 == 3 && -7 / 2 == -3 && -7 % 2 == -1",
        "buyer.level >= 3 && buyer.points > 5000",
        "'vip' in buyer.tags && !('new' in buyer.tags)",
        "buyer.tags.exists(tag, tag.startsWith('st')) && buyer.tags.all(t, size(t) < 6)",
        "buyer.tags.exists_one(t, t == 'vip') && buyer.tags.filter(t, t != 'vip') == ['staff']",
        "buyer.tags.map(t, t.size()) == [3, 5] && buyer.tags.map(t, t == 'vip', 1) == [1]",
        "buyer.region == 'shanghai' && has(buyer.region) && !has(buyer.device)",
        "order.team && !order.opens && order.total_minor == 5000 && order.units == 2 && order.lines == 1",
        "sale.state == 'open' && sale.title.contains('tea') && sale.sold + sale.available == 100",
        "buyer.name == 'ann' && buyer.units == 4 && buyer.lapses == 1 && buyer.orders == 2",
        "now == 1700000000000 && counters.buyer + counters.device + counters.address == 0",
        "(buyer.level > 2 ? 'a' : 'b') + \"c\" == 'ac'",
        "size('\\u4e2d\\u6587') == 2 && '\\x41\\n' == \"A\\n\" && r'\\n' != '\\n'",
        "[1, 2] + [3] == [1, 2, 3] && [1, 2][1] == 2 && [] == [] && !(1 in [])",
        "-9223372036854775808 < 0 && 0x10 == 16 // the least number, and a comment",
        "'a' < 'b' && 'b' >= 'ab' && true != false",
        "false ? 1 / 0 == 1 : true",
    ];
    for text in truths {
        assert_eq!(holds(text), Ok(true), "{text}");
    }
}

#[test]
fn one_side_that_decides_is_enough_even_if_the_other_goes_wrong() {
    assert_eq!(holds("true || 1 / 0 == 1"), Ok(true));
    assert_eq!(holds("1 / 0 == 1 || true"), Ok(true));
    assert_eq!(holds("1 / 0 == 1 && false"), Ok(false));
    assert_eq!(holds("1 / 0 == 1 && true"), Err(RunError::ByZero));
    assert_eq!(holds("[0, 1].exists(x, 1 / x == 1)"), Ok(true));
    assert_eq!(holds("[0, 1].all(x, 1 / x == 1)"), Err(RunError::ByZero));
}

#[test]
fn what_goes_wrong_in_a_run_is_named_and_never_admits() {
    let wrong = [
        ("buyer.points * 9223372036854775807 > 0", RunError::Overflow),
        ("9223372036854775807 + buyer.level > 0", RunError::Overflow),
        ("-9223372036854775808 / -1 > 0", RunError::Overflow),
        ("-9223372036854775808 % -1 == 0", RunError::Overflow),
        ("-(-9223372036854775808) > 0", RunError::Overflow),
        ("order.units / (buyer.level - 3) == 0", RunError::ByZero),
        ("order.units % 0 == 0", RunError::ByZero),
        ("buyer.device == 'x'", RunError::Missing("buyer.device")),
        ("buyer.tags[2] == 'x'", RunError::Index),
        ("buyer.tags[-1] == 'x'", RunError::Index),
    ];
    for (text, error) in wrong {
        assert_eq!(holds(text), Err(error), "{text}");
        for then in [Then::Admit, Then::Block, Then::Review, Then::Allow] {
            let set = RuleSet::compile(&[rule("r", text, then)]).expect("fine");
            let verdict = set.judge(&ground(&facts()));
            let error = Some(error);
            assert_eq!(
                verdict,
                Verdict::Refuse { rule: 0, error },
                "{text} {then:?}"
            );
        }
    }
}

/// Each text is refused with words that hold these.
fn all_refused(faults: &[(&str, &str)]) {
    for (text, expected) in faults {
        let said = refused(text);
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn what_is_wrong_when_a_rule_is_saved_is_named_with_its_place() {
    all_refused(&[
        ("", "line 1, column 1: wanted a value, found the end"),
        ("1 +\n  * 2", "line 2, column 3: wanted a value, found `*`"),
        ("(1 == 1", "line 1, column 8: wanted `)`, found the end"),
        (
            "true true",
            "line 1, column 6: wanted the end, or an operator, found `true`",
        ),
        ("'abc", "line 1, column 1: the text has no end"),
        ("'中' == '\\q'", "line 1, column 9: an escape"),
        ("1.5 > 1", "line 1, column 1: numbers are whole"),
        ("1u == 1", "`1u` is no whole number"),
        ("9223372036854775808 > 0", "out of range"),
        ("a = 1", "line 1, column 3: `=` means nothing here"),
        ("null == 1", "`null` is a reserved word"),
    ]);
}

#[test]
fn a_name_that_does_not_exist_and_a_value_of_the_wrong_type_are_found_when_a_rule_is_saved() {
    all_refused(&[
        (
            "buyr.level > 1",
            "there is no variable `buyr`; there are buyer, order, sale, counters and now",
        ),
        (
            "buyer.levle > 1",
            "there is no field `levle`; `buyer` has name, level",
        ),
        (
            "sqrt(4) == 2",
            "there is no function `sqrt`; there are has, size",
        ),
        (
            "buyer.name.matches('a+')",
            "there is no function `matches`; regular expressions are not allowed",
        ),
        (
            "buyer.level",
            "the whole expression has to be a bool, and is an int",
        ),
        (
            "buyer.level > 'a'",
            "`>` does not stand between an int and a string",
        ),
        (
            "buyer.tags == 'a'",
            "`==` does not stand between a list of strings and a string",
        ),
        (
            "1 in buyer.tags",
            "`in` does not stand between an int and a list of strings",
        ),
        ("buyer", "`buyer` is no value"),
        ("!buyer.level", "what `!` turns round has to be a bool"),
        ("-buyer.name == 'a'", "what `-` negates has to be an int"),
        (
            "[1, 'a'] == []",
            "each element has to be an int, and is a string",
        ),
        ("[[1]] == []", "a list holds no lists"),
        ("true ? 1 : 'a'", "both sides of `:` have one type"),
        (
            "buyer.tags.all(buyer, true)",
            "`buyer` is a name of Tidegate's",
        ),
        ("buyer.tags.all(t, t)", "a loop's test has to be a bool"),
        (
            "buyer.tags.all(t, true) && t == 'a'",
            "there is no variable `t`",
        ),
        ("buyer.name.all(t, true)", "a loop goes over a list"),
        ("has(1)", "`has` asks for a field"),
        ("size(1) == 1", "only strings and lists have a size"),
        (
            "buyer.tags.size(1) == 1",
            "`size` is not called in this way",
        ),
        ("now.year == 1", "`now` has no field `year`"),
    ]);
}

#[test]
fn a_rule_that_is_too_long_too_deep_or_too_dear_is_refused_before_it_runs() {
    let long = format!("'{}' == ''", "a".repeat(TEXT_BYTES_MOST));
    assert_eq!(refused(&long), RuleError::Long.to_string());
    let brackets = format!("{}true{}", "(".repeat(900), ")".repeat(900));
    let nots = format!("{}true", "!".repeat(2_000));
    let chain = format!("1{} == 1", "+1".repeat(500));
    let lists = format!("{}1{} == 1", "[".repeat(500), "][0]".repeat(300));
    for text in [brackets, nots, chain, lists] {
        assert!(refused(&text).contains("deep"), "{}", &text[..20]);
    }
    let wide = format!("1 in [{}1]", "1,".repeat(600));
    assert_eq!(refused(&wide), RuleError::Large.to_string());
    let loops = "buyer.tags.all(a, buyer.tags.all(b, buyer.tags.all(c, a + b == c)))";
    assert!(refused(loops).contains("steps"), "{}", refused(loops));
    let five = "[1].all(a, [1].all(b, [1].all(c, [1].all(d, [1].all(e, true)))))";
    assert!(refused(five).contains("4 loops"), "{}", refused(five));
    let two = "buyer.tags.all(a, buyer.tags.all(b, a == b))";
    assert_eq!(holds(two), Ok(false), "what is bounded is taken");
}

#[test]
fn texts_do_not_grow_and_steps_do_not_run_without_bound() {
    let huge = Facts {
        tags: vec!["x".repeat(60_000).into(); 16],
        region: Some("r".repeat(4_000).into()),
        ..Facts::default()
    };
    let run = |text: &str| {
        let formula = Formula::compile(text, Gives::Bool).expect("fine");
        formula.run(&ground(&huge))
    };
    let doubled = run("buyer.region + buyer.region == ''");
    assert_eq!(doubled, Err(RunError::TooLong));
    let dear = run("buyer.tags.all(a, buyer.tags.all(b, a.contains(b)))");
    assert_eq!(dear, Err(RunError::Steps));
    let hidden = run("true || buyer.tags.all(a, buyer.tags.all(b, a.contains(b)))");
    assert_eq!(hidden, Ok(Given::Bool(true)), "never looked at");
    let spent = run("buyer.tags.all(a, buyer.tags.all(b, a.contains(b))) || true");
    assert_eq!(
        spent,
        Err(RunError::Steps),
        "nothing makes good for a spent budget"
    );
}

fn rule(name: &str, when: &str, then: Then) -> RuleText {
    RuleText {
        name: name.into(),
        when: when.into(),
        then,
        reason: "because".into(),
    }
}

#[test]
fn a_set_asks_its_rules_in_order() {
    let judge = |rules: &[RuleText]| {
        let set = RuleSet::compile(rules).expect("fine");
        set.judge(&ground(&facts()))
    };
    let refuse = |rule| Verdict::Refuse { rule, error: None };
    let (yes, no) = ("buyer.level == 3", "buyer.level == 4");
    assert_eq!(judge(&[]), Verdict::Admit);
    assert_eq!(judge(&[rule("a", yes, Then::Admit)]), Verdict::Admit);
    assert_eq!(judge(&[rule("a", no, Then::Admit)]), refuse(0));
    let blocked = [rule("a", yes, Then::Review), rule("b", yes, Then::Block)];
    assert_eq!(judge(&blocked), refuse(1), "a block goes before a review");
    let known = [rule("a", yes, Then::Allow), rule("b", yes, Then::Block)];
    assert_eq!(
        judge(&known),
        Verdict::Admit,
        "what is allowed is asked no more"
    );
    let looked = [rule("a", yes, Then::Review), rule("b", yes, Then::Allow)];
    assert_eq!(judge(&looked), Verdict::Review { rule: 0 });
    let lapses = [rule("a", "true || buyer.lapses > 1", Then::Block)];
    let lapses = RuleSet::compile(&lapses).expect("fine");
    assert!(
        lapses
            .asking_for("buyer.lapses")
            .is_some_and(|rule| &*rule.name == "a")
    );
    assert!(lapses.asking_for("buyer.orders").is_none());
    let each = RuleSet::compile(&[
        rule("a", yes, Then::Block),
        rule("b", "1 / 0 == 1", Then::Block),
    ]);
    let each = each.expect("fine").each(&ground(&facts()));
    assert_eq!(each, [Ok(true), Err(RunError::ByZero)]);
}

#[test]
fn every_wrong_rule_of_a_set_is_named_at_once() {
    let rules = [
        rule("fine", "true", Then::Block),
        rule("first", "tru", Then::Block),
        rule("fine", "true", Then::Block),
        rule("", "true", Then::Block),
    ];
    let faults = RuleSet::compile(&rules).expect_err("wrong");
    let said: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].starts_with("rule first: line 1, column 1: there is no variable `tru`"));
    assert!(said[1].contains("another rule has this name"));
    assert!(said[2].contains("1 to 64 bytes"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_text_whatsoever_panics(text in ".{0,200}") {
        if let Ok(formula) = Formula::compile(&text, Gives::Bool) {
            let _ = formula.run(&ground(&facts()));
        }
    }

    #[test]
    fn no_text_made_of_words_of_the_language_panics(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40)) {
        let text = words.join(" ");
        for gives in [Gives::Bool, Gives::Int, Gives::Text] {
            if let Ok(formula) = Formula::compile(&text, gives) {
                let first = formula.run(&ground(&facts()));
                prop_assert_eq!(first, formula.run(&ground(&facts())), "the same facts give the same answer");
                prop_assert!(formula.steps() <= STEPS_MOST);
            }
        }
    }
}

const WORDS: &[&str] = &[
    "buyer.level",
    "buyer.tags",
    "buyer.region",
    "buyer.device",
    "order.units",
    "now",
    "1",
    "0",
    "-1",
    "'a'",
    "\"",
    "'",
    "true",
    "false",
    "(",
    ")",
    "[",
    "]",
    ",",
    "?",
    ":",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    ">=",
    "in",
    "&&",
    "||",
    ".all(t,",
    ".exists(t,",
    ".map(t,",
    "t",
    "size(",
    "has(",
    ".contains(",
    "9223372036854775807",
    "\\",
    "//",
    "\n",
    "中",
];
