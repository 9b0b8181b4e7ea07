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
