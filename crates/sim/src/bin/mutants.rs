//! `mutants`: shows that the simulation notices. Each deliberate bug of `stdx::mutants` is chosen in turn, and lives
//! are lived until one of them finds something.
//!
//! Prints the table that `docs/simulation.md` holds, and ends with 1 when a bug was not noticed.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use stdx::mutants::{Mutant, TABLE, choose};
use tidegate_sim::desk::{self, DeskSize};
use tidegate_sim::life::live_for;
use tidegate_sim::plan::{LifePlan, Size};

/// Steps of one life; a bug that runs in circles is noticed by that.
const STEPS_MAX: u64 = 1_000_000;

/// Live lives with each deliberate bug until one is noticed
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  cargo run --release -p tidegate-sim --features mutants --bin mutants
  cargo run --release -p tidegate-sim --features mutants --bin mutants -- --only answer-before-sync")]
struct Options {
    /// Only this bug
    #[arg(long)]
    only: Option<String>,
    /// Seeds for each bug, at most
    #[arg(long, default_value_t = 250)]
    seeds: u64,
}

/// How a bug was noticed.
struct Noticed {
    seeds: u64,
    by: &'static str,
    promise: String,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    // Bugs panic, on purpose; what they say is in the findings.
    std::panic::set_hook(Box::new(|_| ()));
    let chosen = |mutant: &&Mutant| {
        options
            .only
            .as_deref()
            .is_none_or(|only| only == mutant.name)
    };
    let mut table = String::from(
        "| bug | room | what it breaks | noticed after seeds | by | promise broken |\n|---|---|---|---|---|---|\n",
    );
    let mut unnoticed = Vec::new();
    for mutant in TABLE.iter().filter(chosen) {
        let known = choose(Some(mutant.name));
        anyhow::ensure!(known, "there is no bug named {}", mutant.name);
        match hunt(options.seeds)? {
            Some(Noticed { seeds, by, promise }) => {
                anstream::eprintln!("{:<40} {seeds:>3} {by}: {promise}", mutant.name);
                let (name, room, breaks) = (mutant.name, mutant.room, mutant.breaks);
                writeln!(
                    table,
                    "| `{name}` | {room} | {breaks} | {seeds} | {by} | {promise} |"
                )
                .context("a table is text")?;
            }
            None => {
                anstream::eprintln!("{:<40}   - NOT NOTICED", mutant.name);
                unnoticed.push(mutant.name);
            }
        }
    }
    anstream::println!("{table}");
    anstream::eprintln!(
        "{} bugs, {} not noticed: {unnoticed:?}",
        TABLE.len(),
        unnoticed.len()
    );
    Ok(ExitCode::from(u8::from(!unnoticed.is_empty())))
}

fn hunt(seeds: u64) -> anyhow::Result<Option<Noticed>> {
    for seed in 1..=seeds {
        let lived = live_for(&LifePlan::draw(seed, Size::default()), STEPS_MAX)?;
        if let Some(finding) = lived.findings.first() {
            let promise = finding.promise.to_owned();
            return Ok(Some(Noticed {
                seeds: seed,
                by: "a life",
                promise,
            }));
        }
        let offers = desk::seeds(seed).map(|seed| {
            let size = DeskSize::draw_offers(seed);
            ("a desk with offers", seed, size)
        });
        let plain = ("a desk", seed, DeskSize::draw(seed));
        for (by, own, size) in std::iter::once(plain).chain(offers) {
            if let Some(promise) = at_a_desk(own, size) {
                return Ok(Some(Noticed {
                    seeds: seed,
                    by,
                    promise,
                }));
            }
        }
    }
    Ok(None)
}

/// The promise that a desk's life found broken.
fn at_a_desk(seed: u64, size: DeskSize) -> Option<String> {
    let lived = std::panic::catch_unwind(|| desk::live(seed, size));
    let Ok(lived) = lived else {
        return Some("no panic".to_owned());
    };
    let finding = lived.findings.first()?;
    Some(finding.promise.to_owned())
}
