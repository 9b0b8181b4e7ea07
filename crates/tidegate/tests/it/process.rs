//! Runs the binary in a directory of its own, without the environment of whoever runs the tests.

use std::path::Path;
use std::process::{Command, Output};

/// A command line in `dir`, with no `TIDEGATE_…` variable but those that the test gives.
pub(crate) fn tidegate(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(words).current_dir(dir).env_clear();
    command
}

/// What a finished command left behind.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command to its end.
pub(crate) fn run(dir: &Path, words: &[&str]) -> Ended {
    ended(&tidegate(dir, words).output().unwrap())
}

/// Reads what a finished command left behind.
pub(crate) fn ended(output: &Output) -> Ended {
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout.clone()).unwrap(),
        err: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}
