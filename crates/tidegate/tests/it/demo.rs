//! The demo of a group buy, as somebody sees it who has just installed the binary.

use crate::process::{Ended, run};
use serde_json::{Value as Json, json};

fn play(words: &[&str]) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let all = [&["demo", "group", "--lifetime", "6"], words].concat();
    let ended = run(dir.path(), &all);
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!((ended.code, left), (0, 0), "{}{}", ended.err, ended.out);
    ended
}

#[test]
fn one_team_comes_about_another_has_its_money_back_and_no_money_is_open() {
    let report: Json = serde_json::from_str(&play(&["--json"]).out).unwrap();
    for (name, value) in [
        ("teams_complete", json!(1)),
        ("teams_failed", json!(1)),
        ("money_open_minor", json!(0)),
        ("wrong", json!([])),
        ("verify", json!("ok")),
        ("verdict", json!("ok")),
    ] {
        assert_eq!(report[name], value, "{name} of {report}");
    }
    // Three members at the last price, and the opener's cut of 1.00.
    assert_eq!(report["money_kept_minor"], 3 * 14_00 - 1_00, "{report}");
    let kept = report["money_kept_minor"].as_i64().unwrap();
    let (came, went) = (&report["money_in_minor"], &report["money_out_minor"]);
    assert_eq!(came.as_i64().unwrap() - went.as_i64().unwrap(), kept);
}

#[test]
fn a_lifetime_out_of_its_limits_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &["demo", "group", "--lifetime", "1"]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("--lifetime"), "{}", ended.err);
}
