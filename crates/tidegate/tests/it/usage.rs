//! The command line: what is asked wrongly is refused with exit code 2, in words that help.

use crate::process::{run, tidegate};

#[test]
fn no_command_at_all_shows_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &[]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains("config") && ended.err.contains("completions"),
        "{}",
        ended.err
    );
}

#[test]
fn an_unknown_command_or_flag_is_a_usage_error() {
    let dir = tempfile::tempdir().unwrap();
    for words in [
        &["sell"][..],
        &["config", "show", "--jsn"],
        &["config", "check"],
    ] {
        let ended = run(dir.path(), words);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{words:?}");
        assert!(ended.err.contains("--help"), "{}", ended.err);
    }
}

#[test]
fn help_and_version_are_fine() {
    let dir = tempfile::tempdir().unwrap();
    let help = run(dir.path(), &["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.out.contains("Exit codes: 0 fine"), "{}", help.out);
    assert!(run(dir.path(), &["--version"]).out.starts_with("tidegate "));
}

#[test]
fn completions_are_a_script() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &["completions", "bash"]);
    assert_eq!(ended.code, 0);
    assert!(ended.out.contains("complete -F _tidegate"));
}

#[test]
fn a_secret_is_not_taken_from_a_flag() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(
        dir.path(),
        &["config", "show", "--set", "edge.some_secret=x"],
    );
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains("TG-4004") && ended.err.contains("in the environment"),
        "{}",
        ended.err
    );
}

#[test]
fn a_reader_that_left_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = tidegate(dir.path(), &["completions", "zsh"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(command.stdout(writer).status().unwrap().code(), Some(0));
}
