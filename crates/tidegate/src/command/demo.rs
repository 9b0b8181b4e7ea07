//! `tidegate demo`: something that a sale can do, played in the terminal on a real server.

mod cast;
mod drawing;
mod ending;
mod group;
mod script;

use clap::Subcommand;
use std::process::ExitCode;

/// Watch what a sale can do, played on a real server in a scratch directory
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Group(group::Options),
}

impl Command {
    /// Plays.
    ///
    /// # Errors
    /// It cannot be played, or somebody ended it.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Group(options) => options.run(),
        }
    }
}
