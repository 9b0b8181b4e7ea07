//! `tidegate completions`: a script that makes the shell complete our commands and flags.

use super::Line;
use crate::terminal;
use clap::CommandFactory;
use clap_complete::Shell;
use std::process::ExitCode;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: tidegate completions bash > ~/.local/share/bash-completion/completions/tidegate"
)]
pub(crate) struct Options {
    /// Which shell
    shell: Shell,
}

impl Options {
    /// Prints the script.
    ///
    /// # Errors
    /// The output is closed.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Line::command(), "tidegate", &mut script);
        terminal::print(&String::from_utf8(script)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
