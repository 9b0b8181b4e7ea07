//! Rules at the command line and in a running server.

use crate::process::{Server, ask, run};
use serde_json::Value as Json;
use std::path::Path;

const RULES: &str = "\
[[rule]]
name = 'small'
when = 'order.units > 2'
then = 'block'
reason = 'two are enough'

[[rule]]
name = 'shares'
when = '6 / order.units > 1'
then = 'admit'

[[formula]]
name = 'badge'
gives = 'text'
value = 'buyer.level > 2 ? \"silver\" : \"bronze\"'
";

const ORDERS: &str = "\
{\"id\": \"one\", \"order\": {\"units\": 1}, \"buyer\": {\"name\": \"ann\", \"level\": 3}}
{\"id\": \"three\", \"order\": {\"units\": 3}}

{\"id\": \"none\", \"sale\": {\"state\": \"open\"}}
";

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

#[test]
fn rules_are_tried_on_orders_of_a_file_and_each_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "r.toml", RULES);
    write(dir.path(), "o.jsonl", ORDERS);
    let words = ["rules", "test", "r.toml", "--orders", "o.jsonl", "--json"];
    let ended = run(dir.path(), &words);
    assert_eq!(ended.code, 1, "a rule could not be run: {}", ended.err);
    let report: Json = serde_json::from_str(&ended.out).unwrap();
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(
        ["orders", "admitted", "reviewed", "refused"].map(count),
        [3, 1, 0, 2]
    );
    let (small, shares) = (&report["rules"][0], &report["rules"][1]);
    assert_eq!((&small["holds"], &small["fails"]), (&1.into(), &2.into()));
    assert_eq!(small["examples"], serde_json::json!(["three"]));
    assert_eq!(shares["refuses"], 1);
    let errors = serde_json::json!({"division by zero": 1});
    assert_eq!(shares["errors"], errors);
    let values = serde_json::json!({"bronze": 2, "silver": 1});
    assert_eq!(report["formulas"][0]["values"], values);
    let text = run(dir.path(), &words[..5]).out;
    assert!(
        text.starts_with("3 orders: 1 admitted, 0 for review, 2 refused\n"),
        "{text}"
    );
    assert!(
        text.contains("small (block): true 1, false 2, refuses 1\n  for example three\n"),
        "{text}"
    );
}

#[test]
fn a_trial_without_orders_or_with_bad_ones_says_what_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "r.toml", RULES);
    write(dir.path(), "o.jsonl", "{}\n{\"ordr\": 1}\n");
    let none = run(dir.path(), &["rules", "test", "r.toml"]);
    assert_eq!(none.code, 2);
    assert!(
        none.err
            .contains("give --data with a data directory, or --orders"),
        "{}",
        none.err
    );
    let bad = run(
        dir.path(),
        &["rules", "test", "r.toml", "--orders", "o.jsonl"],
    );
    assert_eq!(bad.code, 2);
    assert!(
        bad.err.contains("o.jsonl, line 2: unknown field `ordr`"),
        "{}",
        bad.err
    );
    let gone = run(
        dir.path(),
        &["rules", "test", "r.toml", "--data", "nowhere"],
    );
    assert_eq!(gone.code, 2, "{}", gone.err);
}

#[test]
fn a_check_names_every_wrong_rule_of_every_file_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "good.toml", RULES);
    write(
        dir.path(),
        "bad.toml",
        "[[rule]]\nname = 'a'\nwhen = 'buyer.lvl > 1'\nthen = 'block'\n\
         [[rule]]\nname = 'b'\nwhen = 'order.units >'\nthen = 'block'\n",
    );
    let good = run(dir.path(), &["rules", "check", "good.toml"]);
    assert_eq!(
        (good.code, &*good.out),
        (0, "good.toml: ok, 2 rules, 1 formulas\n")
    );
    let both = run(dir.path(), &["rules", "check", "bad.toml", "good.toml"]);
    assert_eq!(both.code, 2);
    assert!(
        both.out.contains("good.toml: ok"),
        "the good one is looked at too"
    );
    for part in [
        "error[TG-4004]",
        "rule a: line 1, column 7: there is no field `lvl`",
        "rule b: line 1, column 14: wanted a value, found the end",
    ] {
        assert!(both.err.contains(part), "{part} is not in {}", both.err);
    }
}

fn place(server: &Server, bearer: &str, sale: &str, key: &str, units: u32) -> (u16, Json) {
    let body = format!(
        r#"{{"sale_id": "{sale}", "buyer": "ann", "lines": [{{"sku": "CUP", "quantity": {units}}}]}}"#
    );
    let key = format!("Idempotency-Key: {key}");
    ask(&server.public, "POST /v1/orders", &[bearer, &key], &body)
}

#[test]
fn rules_guard_a_server_are_swapped_by_sighup_and_are_tried_on_its_orders() {
    let dir = tempfile::tempdir().unwrap();
    let bearer = crate::server::key(dir.path());
    write(dir.path(), "r.toml", RULES);
    write(dir.path(), "t.toml", "[risk]\nrules = 'r.toml'\n");
    let words = ["--data", "data", "--config", "t.toml"];
    let mut server = Server::start(dir.path(), &words);
    let sale = crate::server::sale(&server, &bearer);
    assert_eq!(place(&server, &bearer, &sale, "two", 2).0, 201);
    let (status, problem) = place(&server, &bearer, &sale, "three", 3);
    assert_eq!((status, &problem["code"]), (403, &"TG-2120".into()));
    assert_eq!(problem["detail"], "blocked by risk policy: two are enough");
    assert_eq!(server.told("risk spoke up")["rule"], "small");
    let metrics = ask(&server.admin, "GET /metrics", &[], "").1.to_string();
    assert!(
        metrics.contains("tidegate_risk_verdicts_total"),
        "{metrics}"
    );

    write(dir.path(), "r.toml", "[[rule]]\nname = 'broken'\n");
    server.signal("HUP");
    let refused = server.told("the new configuration is not valid; the old one stays");
    assert!(
        refused["reason"].as_str().unwrap().contains("r.toml"),
        "{refused}"
    );
    assert_eq!(
        place(&server, &bearer, &sale, "three", 3).0,
        403,
        "the old rules stay"
    );

    write(dir.path(), "r.toml", &RULES.replace("> 2'", "> 3'"));
    write(
        dir.path(),
        "t.toml",
        "[risk]\nrules = 'r.toml'\nbuyer_max = 1000\n",
    );
    server.signal("HUP");
    assert_eq!(server.told("setting changed")["option"], "risk.buyer_max");
    assert_eq!(place(&server, &bearer, &sale, "three", 3).0, 201);

    let rules = "[[rule]]\nname = 'second'\nwhen = 'buyer.orders > 0 || buyer.level > 5'\nthen = 'review'\n";
    write(dir.path(), "second.toml", rules);
    let words = ["rules", "test", "second.toml", "--data", "data"];
    let tried = run(dir.path(), &words);
    assert_eq!(tried.code, 0, "beside a live server: {}", tried.err);
    for part in [
        "2 orders: 1 admitted, 1 for review, 0 refused",
        "true 1, false 1, refuses 0",
        "Of 2 orders the journals do not hold buyer.level",
    ] {
        assert!(tried.out.contains(part), "{part} is not in {}", tried.out);
    }
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
}

/// The name of the file says nothing of what it held when.
#[test]
fn rules_that_change_under_the_same_name_are_on_record_with_what_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let bearer = crate::server::key(dir.path());
    write(dir.path(), "r.toml", RULES);
    write(dir.path(), "t.toml", "[risk]\nrules = 'r.toml'\n");
    let server = Server::start(dir.path(), &["--data", "data", "--config", "t.toml"]);
    let sale = crate::server::sale(&server, &bearer);
    assert_eq!(place(&server, &bearer, &sale, "three", 3).0, 403);
    write(dir.path(), "r.toml", &RULES.replace("> 2'", "> 3'"));
    server.signal("HUP");
    // Nothing is logged where no option changed its value, so what counts is asked for.
    while place(&server, &bearer, &sale, "three", 3).0 != 201 {
        std::thread::yield_now();
    }
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    let listed = run(dir.path(), &["audit", "list", "--data", "data", "--json"]);
    let acts: Vec<Json> = listed
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|act: &Json| act["subject"] == "risk.rules.content")
        .collect();
    assert_eq!(acts.len(), 2, "{}", listed.out);
    let digest = |value: &Json| {
        value
            .as_str()
            .is_some_and(|text| text.starts_with("blake3:"))
    };
    assert!(
        acts[0]["before"].is_null() && digest(&acts[0]["after"]),
        "{acts:?}"
    );
    assert_eq!(acts[1]["before"], acts[0]["after"]);
    assert!(digest(&acts[1]["after"]) && acts[1]["after"] != acts[1]["before"]);
}
