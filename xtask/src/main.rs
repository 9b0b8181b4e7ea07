//! The house's own tools: the gate (`ci`, `tidy`, `test`), the measurements (`bench`), the long
//! trials of the readers (`fuzz`) and the reproducible release (`release`). Run them as `cargo xtask <command>`.
//!
//! Checks are written as pure functions over a tree of files and a graph of
//! crates, so each one has a test in which it fails: a check that cannot fail proves nothing.
#![expect(
    clippy::disallowed_methods,
    reason = "tools run at a desk, never in a simulation: they may ask the clock and the environment"
)]
#![expect(
    clippy::print_stdout,
    reason = "tools speak to the terminal that called them"
)]

mod bench;
mod ci;
mod command;
mod engines;
mod fuzz;
mod machine;
mod model;
mod mutants;
mod release;
mod smoke;
mod snapshot;
mod tidy;
mod torture;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Tools of the Tidegate workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// The whole gate: format, clippy, tidy, rustdoc, tests, models, release build, smoke runs.
    Ci,
    /// All tests, after making sure that the engines they start are installed.
    Test,
    /// The models: code with threads, run through every order in which they may meet.
    Model,
    /// What a machine can check of the house's rules.
    Tidy,
    /// Rewrite deps/snapshot.txt, the list of every crate in the release binary.
    Snapshot,
    /// Run the measurements, all or one, each as JSON.
    Bench(bench::Options),
    /// Try the readers of outside bytes for long, or one failing input again.
    Fuzz(fuzz::Options),
    /// Hunt every deliberate bug with the simulation, and write the table of it into docs/simulation.md.
    Mutants,
    /// Lives of the release binary in which it is killed and stopped, and its disk is filled, hung, spoiled and slow.
    Torture(torture::Options),
    /// Build the release binary reproducibly, with its dependency list and SHA-256 beside it.
    Release(release::Options),
}

fn main() -> ExitCode {
    match root().and_then(|root| run(&root, Arguments::parse().task)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path, task: Task) -> Result<ExitCode> {
    match task {
        Task::Ci => ci::run(root),
        Task::Test => engines::test(root),
        Task::Model => model::run(root),
        Task::Tidy => tidy::run(root),
        Task::Snapshot => snapshot::write(root),
        Task::Bench(options) => bench::run(root, &options),
        Task::Fuzz(options) => fuzz::run(root, &options),
        Task::Mutants => mutants::run(root),
        Task::Torture(options) => torture::run(root, &options),
        Task::Release(options) => release::run(root, &options),
    }
}

/// The top of the workspace: the directory above this package.
fn root() -> Result<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let top = package
        .parent()
        .context("the package xtask has no directory above it")?;
    Ok(top.to_path_buf())
}
