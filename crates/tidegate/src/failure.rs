//! Failures as a person reads them: a code, what is wrong, where, how to mend it, and the page that says more.

use crate::terminal;
use api::{Code, Problem};
use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// A command that could not be done, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    what: String,
    details: Vec<String>,
    mend: String,
}

impl Failure {
    /// A failure with a sentence about this very case and one about how to mend it.
    pub(crate) fn new(code: Code, what: impl fmt::Display, mend: impl Into<String>) -> Self {
        Self {
            code,
            what: what.to_string(),
            details: Vec::new(),
            mend: mend.into(),
        }
    }

    /// The same with a line for each single fault.
    pub(crate) fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// Everything that is wrong, for a log line.
    pub(crate) fn on_one_line(&self) -> String {
        let details = self.details.iter().map(String::as_str);
        let all = std::iter::once(self.what.as_str()).chain(details);
        all.collect::<Vec<_>>().join("; ")
    }

    /// Damage and loss are findings; everything else is a command that cannot be done as asked.
    fn exit_code(&self) -> u8 {
        match self.code {
            Code::Damaged | Code::Lost => FINDING,
            _ => USAGE,
        }
    }
}

/// Exit code of a command that ran and found something wrong.
pub(crate) const FINDING: u8 = 1;
/// Exit code of a command that could not be done as asked.
pub(crate) const USAGE: u8 = 2;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)
    }
}

impl Error for Failure {}

/// Prints the failure to standard error and says how to exit.
pub(crate) fn tell(error: &anyhow::Error) -> ExitCode {
    if reader_left(error) {
        return ExitCode::SUCCESS;
    }
    let known = error.downcast_ref::<Failure>();
    let refused = error.downcast_ref::<Problem>();
    let code = known
        .map(|failure| failure.code)
        .or(refused.map(Problem::code));
    let code = code.unwrap_or(Code::Internal);
    let mut text = format!(
        "{}: {error}\n",
        terminal::red(&format!("error[{}]", code.as_str()))
    );
    for cause in error.chain().skip(1) {
        text.push_str(&format!("  because: {cause}\n"));
    }
    if let Some(failure) = known {
        for detail in &failure.details {
            text.push_str(&format!("  - {detail}\n"));
        }
        text.push_str(&format!("  mend: {}\n", failure.mend));
    }
    text.push_str(&format!("  more: docs/errors/{}.md\n", code.as_str()));
    terminal::to_stderr(&text);
    ExitCode::from(known.map_or(USAGE, Failure::exit_code))
}

/// Whether whoever read our output has enough of it, as `head` does: no reason to complain.
fn reader_left(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
