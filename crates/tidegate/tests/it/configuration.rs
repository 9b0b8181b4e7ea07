//! The configuration from outside: precedence, faults, secrets.

use crate::process::{Ended, ended, run, tidegate};
use std::path::Path;

fn show(dir: &Path, words: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut all = vec!["config", "show"];
    all.extend(words);
    let mut command = tidegate(dir, &all);
    command.envs(environment.iter().copied());
    ended(&command.output().unwrap())
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("t.toml"),
        "data = 'file'\n[log]\nlevel = 'warn'\n",
    )
    .unwrap();
    let file = ["--config", "t.toml"];
    let environment = [("TIDEGATE_DATA", "environment")];

    assert!(
        show(dir.path(), &[], &[])
            .out
            .contains("data = \"tidegate-data\"\n")
    );
    let text = show(dir.path(), &file, &[]).out;
    assert!(text.contains("data = \"file\"  # t.toml\n"), "{text}");
    assert!(text.contains("level = \"warn\"  # t.toml\n"), "{text}");
    let text = show(dir.path(), &file, &environment).out;
    assert!(
        text.contains("data = \"environment\"  # the environment\n"),
        "{text}"
    );
    let text = show(
        dir.path(),
        &["--config", "t.toml", "--data", "flag"],
        &environment,
    )
    .out;
    assert!(text.contains("data = \"flag\"  # a flag\n"), "{text}");
}

#[test]
fn what_is_shown_is_a_file_that_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("all.toml"),
        run(dir.path(), &["config", "show"]).out,
    )
    .unwrap();
    let ended = run(dir.path(), &["config", "check", "all.toml"]);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "all.toml: ok\n"),
        "{}",
        ended.err
    );
}

#[test]
fn unknown_options_are_refused_all_at_once_with_what_was_meant() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("t.toml"),
        "dat = 'x'\n[log]\nlevle = 'warn'\nformat = 3\n",
    )
    .unwrap();
    let ended = run(dir.path(), &["config", "check", "t.toml"]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    for part in [
        "error[TG-4004]",
        "in 3 places",
        "did you mean `data`?",
        "did you mean `level`?",
        "log.format: ",
        "(set in t.toml)",
    ] {
        assert!(ended.err.contains(part), "{part} is not in {}", ended.err);
    }
}

#[test]
fn a_missing_file_says_so() {
    let dir = tempfile::tempdir().unwrap();
    for words in [
        &["config", "check", "none.toml"][..],
        &["config", "show", "--config", "."],
    ] {
        let ended = run(dir.path(), words);
        assert_eq!(ended.code, 2);
        assert!(ended.err.contains("error[TG-4007]"), "{}", ended.err);
    }
}

#[test]
fn malformed_toml_names_the_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.toml"), "data = 'x'\nlog = = 1\n").unwrap();
    let ended = run(dir.path(), &["config", "check", "t.toml"]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains("TG-4004") && ended.err.contains("line 2"),
        "{}",
        ended.err
    );
}

const SECRET: &str = "correct-horse-battery-staple-and-more";

#[test]
fn a_secret_comes_from_a_file_of_its_own_or_from_the_environment_and_is_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("s", &format!("{SECRET}\n"));
    let list = "[[edge.token_secrets]]\nid = 'a'\nsecret_file = 's'\n";
    write(
        "file.toml",
        &format!("{list}[edge]\ncallback_secret_file = 's'\n"),
    );
    let tokens = format!(r#"[{{"id": "a", "secret": "{SECRET}"}}]"#);
    let environment = [
        ("TIDEGATE_EDGE__CALLBACK_SECRET", SECRET),
        ("TIDEGATE_EDGE__TOKEN_SECRETS", &tokens),
    ];
    for (words, environment) in [
        (&["--config", "file.toml"][..], &[][..]),
        (&[], &environment),
    ] {
        let shown = show(dir.path(), words, environment);
        assert_eq!(shown.code, 0, "{}", shown.err);
        assert!(
            !shown.out.contains("horse") && shown.out.contains("callback_secret = \"["),
            "{}",
            shown.out
        );
    }
}

#[test]
fn a_secret_in_a_configuration_file_or_a_flag_is_refused_also_inside_of_lists() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "place.toml",
        &format!("[edge]\ncallback_secret = '{SECRET}'\n"),
    );
    write(
        "list.toml",
        &format!("[[shop.vault.secrets]]\nid = 'a'\nsecret = '{SECRET}'\n"),
    );
    let list = format!(r#"=[{{"id": "a", "secret": "{SECRET}"}}]"#);
    let (vault, tokens) = ("shop.vault.secrets", "edge.token_secrets");
    let flag = |name: &str, value: &str| format!("{name}{value}");
    let cases = [
        (
            ["--config", "place.toml"].map(str::to_owned),
            "edge.callback_secret",
        ),
        (["--config", "list.toml"].map(str::to_owned), vault),
        (["--set".to_owned(), flag(vault, &list)], vault),
        (["--set".to_owned(), flag(tokens, &list)], tokens),
        (
            ["--set".to_owned(), flag(tokens, &list[..list.len() - 1])],
            tokens,
        ),
        (
            ["--set".to_owned(), flag("edge.carrier_secret=", SECRET)],
            "edge.carrier_secret",
        ),
    ];
    for (words, name) in cases {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let shown = show(dir.path(), &words, &[]);
        assert_eq!(shown.code, 2, "{words:?}");
        assert!(
            shown.err.contains("TG-4004") && shown.err.contains(name),
            "{}",
            shown.err
        );
        assert!(!shown.err.contains("horse"), "{}", shown.err);
    }
}

#[test]
fn a_secret_that_is_wrong_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    for (name, value, code) in [
        ("TIDEGATE_EDGE__TOKEN_SECRETS", "horse", "TG-4004"),
        ("TIDEGATE_EDGE__CALLBACK_SECRET", "horse", "TG-4004"),
        ("TIDEGATE_EDGE__CALLBACK_SECRET_FILE", "none", "TG-4007"),
    ] {
        let shown = show(dir.path(), &[], &[(name, value)]);
        assert_eq!(shown.code, 2);
        assert!(
            shown.err.contains(code) && !shown.err.contains("horse"),
            "{}",
            shown.err
        );
    }
}

#[test]
fn values_that_do_not_fit_are_told_with_their_limits() {
    let dir = tempfile::tempdir().unwrap();
    let words = [
        "--set",
        "edge.body_ms=0",
        "--set",
        "shop.cashier.workers=0",
        "--set",
        "provider.url=ftp://x",
        "--set",
        "shop.desk.batch_commands_max=0",
    ];
    let shown = show(dir.path(), &words, &[]);
    assert_eq!(shown.code, 2);
    for part in [
        "edge.body_ms: must be from 1",
        "shop.cashier.workers: is 0, must be from 1",
        "provider.url: ",
        "shop.desk.batch_commands_max: is 0, must be from 1 to 65536",
    ] {
        assert!(shown.err.contains(part), "{part} is not in {}", shown.err);
    }
}

#[test]
fn a_provider_that_is_chosen_is_judged_as_a_whole_and_one_that_is_not_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    for (kind, parts) in [
        (
            "stripe",
            &[
                "provider.stripe.api_secret: ",
                "provider.stripe.webhook_secret: ",
            ][..],
        ),
        (
            "wechat",
            &[
                "provider.wechat.appid: ",
                "provider.wechat.mchid: ",
                "provider.wechat.key_secret: ",
                "provider.wechat.api_v3_secret: ",
                "provider.wechat.notify_url: ",
            ],
        ),
        ("http", &["provider.url: is needed"]),
        ("paypal", &["provider.kind: "]),
    ] {
        let shown = show(dir.path(), &[], &[("TIDEGATE_PROVIDER__KIND", kind)]);
        assert_eq!(shown.code, 2, "{kind}");
        for part in parts {
            assert!(shown.err.contains(part), "{part} is not in {}", shown.err);
        }
    }
    assert_eq!(
        show(dir.path(), &[], &[("TIDEGATE_PROVIDER__KIND", "sandbox")]).code,
        0
    );
}

#[test]
fn a_secret_of_a_provider_stands_in_a_file_of_its_own_or_in_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("key", "rk_test_horse0123456789\n");
    let group = "[provider]\nkind = 'stripe'\n[provider.stripe]\n";
    let hook = (
        "TIDEGATE_PROVIDER__STRIPE__WEBHOOK_SECRET",
        "whsec_horse0123",
    );
    write("file.toml", &format!("{group}api_secret_file = 'key'\n"));
    let shown = show(dir.path(), &["--config", "file.toml"], &[hook]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(!shown.out.contains("horse"), "{}", shown.out);
    write(
        "place.toml",
        &format!("{group}api_secret = 'rk_test_horse0123456789'\n"),
    );
    let flag = [
        "--set",
        "provider.stripe.api_secret=rk_test_horse0123456789",
    ];
    for words in [&["--config", "place.toml"], &flag] {
        let shown = show(dir.path(), words, &[hook]);
        assert_eq!(shown.code, 2);
        assert!(
            shown.err.contains("TG-4004") && shown.err.contains("api_secret_file"),
            "{}",
            shown.err
        );
        assert!(!shown.err.contains("horse"), "{}", shown.err);
    }
}
