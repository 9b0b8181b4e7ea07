//! The command line: one file for each command.

mod audit;
mod backup;
mod completions;
mod config;
mod demo;
mod drill;
mod export;
mod keys;
mod notices;
mod place;
mod rebuild;
mod reconcile;
mod replay;
mod restore;
mod rules;
mod saga;
mod sandbox_psp;
mod serve;
pub(crate) mod vault;
mod verify;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::settings::{Layers, environment};

/// Runs flash sales: sells limited stock to a stampede without overselling, and proves its books.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate",
    version,
    about,
    max_term_width = 110,
    arg_required_else_help = true
)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Line {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Exit codes: 0 fine, 1 a finding in the data or the drill, 2 the command cannot be done as asked.
Every error has a code with a help page; a running server serves them under /errors/.";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Options),
    #[command(subcommand)]
    Demo(demo::Command),
    Drill(drill::Options),
    Replay(replay::Options),
    Verify(verify::Options),
    Rebuild(rebuild::Options),
    Reconcile(reconcile::Options),
    Backup(backup::Options),
    Restore(restore::Options),
    SandboxPsp(sandbox_psp::Options),
    #[command(subcommand)]
    Keys(keys::Command),
    #[command(subcommand)]
    Saga(saga::Command),
    #[command(subcommand)]
    Notices(notices::Command),
    #[command(subcommand)]
    Audit(audit::Command),
    #[command(subcommand)]
    Vault(vault::Command),
    #[command(subcommand)]
    Export(export::Command),
    #[command(subcommand)]
    Config(config::Command),
    #[command(subcommand)]
    Rules(rules::Command),
    Completions(completions::Options),
}

impl Line {
    /// Does what the line asks for.
    ///
    /// # Errors
    /// Whatever keeps the command from being done.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(options) => options.run(),
            Command::Demo(command) => command.run(),
            Command::Drill(options) => options.run(),
            Command::Replay(options) => options.run(),
            Command::Verify(options) => options.run(),
            Command::Rebuild(options) => options.run(),
            Command::Reconcile(options) => options.run(),
            Command::Backup(options) => options.run(),
            Command::Restore(options) => options.run(),
            Command::SandboxPsp(options) => options.run(),
            Command::Keys(command) => command.run(),
            Command::Saga(command) => command.run(),
            Command::Notices(command) => command.run(),
            Command::Audit(command) => command.run(),
            Command::Vault(command) => command.run(),
            Command::Export(command) => command.run(),
            Command::Config(command) => command.run(),
            Command::Rules(command) => command.run(),
            Command::Completions(options) => options.run(),
        }
    }
}

/// Where the configuration comes from; the same for every command that reads one.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Configuration {
    /// Configuration file, TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory; made when it is missing [default: tidegate-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Sets one option by its full name, like log.level=debug; may be repeated, never for secrets
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

impl Configuration {
    /// The layers of the configuration, the process's environment included.
    pub(crate) fn layers(&self) -> Layers {
        let mut flags = self.set.clone();
        if let Some(data) = &self.data {
            flags.push(("data".to_owned(), data.display().to_string()));
        }
        Layers {
            file: self.config.clone(),
            environment: environment(),
            flags,
        }
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}
