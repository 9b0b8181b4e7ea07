//! What a person sees: text whose colours vanish when nobody looks at them (`NO_COLOR`, a pipe, a file).

mod progress;

pub(crate) use progress::Progress;

use std::io::{self, Write};

/// Prints to standard output.
///
/// # Errors
/// The output is closed or full.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Prints a report as one JSON object on a line of its own.
///
/// # Errors
/// The output is closed or full.
pub(crate) fn print_json(report: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(report)?))
}

/// Prints to standard error; nobody can be told when that fails.
pub(crate) fn to_stderr(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
    let _ = io::stderr().flush();
}

/// Something is wrong.
pub(crate) fn red(text: &str) -> String {
    format!("\u{1b}[1;31m{text}\u{1b}[0m")
}

/// Something is right.
pub(crate) fn green(text: &str) -> String {
    format!("\u{1b}[1;32m{text}\u{1b}[0m")
}

/// A heading.
pub(crate) fn bold(text: &str) -> String {
    format!("\u{1b}[1m{text}\u{1b}[0m")
}

/// A remark.
pub(crate) fn faint(text: &str) -> String {
    format!("\u{1b}[2m{text}\u{1b}[0m")
}
