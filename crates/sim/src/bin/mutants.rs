//! `mutants`: shows that the simulation notices. Each deliberate bug of `stdx::mutants` is chosen in turn, and lives
//! are lived until one of them finds something.
//!
//! Prints the table that `docs/simulation.md` holds, and ends with 1 when a bug was not noticed. A process has one bug at
//! a time, so several are hunted at once by several processes.

use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

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
  cargo run --release -p tidegate-sim --features mutants --bin mutants -- --only answer-before-sync
  cargo run --release -p tidegate-sim --features mutants --bin mutants -- --from append-without-sync --jobs 2")]
struct Options {
    /// Only this bug; may be given several times
    #[arg(long)]
    only: Vec<String>,
    /// This bug and those behind it in the table
    #[arg(long)]
    from: Option<String>,
    /// Seeds for each bug, at most
    #[arg(long, default_value_t = 250)]
    seeds: u64,
    /// Bugs that are hunted at once, each by a process of its own
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// No whole lives: for bugs that only a desk with offers can meet, ten times as fast
    #[arg(long)]
    desks: bool,
}

const HEAD: &str = "| bug | room | what it breaks | noticed after seeds | by | promise broken |\n|---|---|---|---|---|---|";

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
    let chosen = chosen(&options)?;
    let rows = match options.jobs {
        0 | 1 => one_by_one(&chosen, &options)?,
        _ => at_once(&chosen, &options)?,
    };
    anstream::println!("{HEAD}");
    let mut unnoticed = Vec::new();
    for (mutant, row) in chosen.iter().zip(&rows) {
        match row {
            Some(row) => anstream::println!("{row}"),
            None => unnoticed.push(mutant.name),
        }
    }
    if chosen.len() > 1 {
        let (all, not) = (chosen.len(), unnoticed.len());
        anstream::eprintln!("{all} bugs, {not} not noticed: {unnoticed:?}");
    }
    Ok(ExitCode::from(u8::from(!unnoticed.is_empty())))
}

/// The bugs to hunt, in the order of the table.
fn chosen(options: &Options) -> anyhow::Result<Vec<&'static Mutant>> {
    for name in options.only.iter().chain(&options.from) {
        let known = TABLE.iter().any(|mutant| mutant.name == name);
        anyhow::ensure!(known, "there is no bug named {name}");
    }
    let from = options.from.as_deref();
    let from = from.and_then(|name| TABLE.iter().position(|mutant| mutant.name == name));
    let only = |mutant: &&Mutant| {
        options.only.is_empty() || options.only.iter().any(|name| name == mutant.name)
    };
    let mutants = TABLE.iter().skip(from.unwrap_or(0));
    Ok(mutants.filter(only).collect())
}

/// A row of the table for each bug that was noticed.
fn one_by_one(chosen: &[&Mutant], options: &Options) -> anyhow::Result<Vec<Option<String>>> {
    let mut rows = Vec::with_capacity(chosen.len());
    for mutant in chosen {
        anyhow::ensure!(choose(Some(mutant.name)), "{} is not there", mutant.name);
        let noticed = hunt(options)?;
        rows.push(noticed.map(|Noticed { seeds, by, promise }| {
            let Mutant {
                name, room, breaks, ..
            } = mutant;
            anstream::eprintln!("{name:<40} {seeds:>3} {by}: {promise}");
            format!("| `{name}` | {room} | {breaks} | {seeds} | {by} | {promise} |")
        }));
        if let Some(None) = rows.last() {
            anstream::eprintln!("{:<40}   - NOT NOTICED", mutant.name);
        }
    }
    Ok(rows)
}

/// The same by several processes at once.
fn at_once(chosen: &[&'static Mutant], options: &Options) -> anyhow::Result<Vec<Option<String>>> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(vec![None; chosen.len()]);
    let work = || {
        while let Some(mutant) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            let row = in_a_process(mutant, options)?;
            let place = chosen.iter().position(|other| other.name == mutant.name);
            let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = place {
                rows[place] = row;
            }
        }
        anyhow::Ok(())
    };
    std::thread::scope(|threads| {
        let workers: Vec<_> = (0..options.jobs).map(|_| threads.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| anyhow::anyhow!("a hunt died"))?)
    })?;
    Ok(rows.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The row of a bug that is hunted by a process of its own; what that says on the way is seen.
fn in_a_process(mutant: &Mutant, options: &Options) -> anyhow::Result<Option<String>> {
    let own = std::env::current_exe().context("where this program is")?;
    let output = Command::new(own)
        .args(["--only", mutant.name])
        .args(["--seeds", &options.seeds.to_string()])
        .args(options.desks.then_some("--desks"))
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("hunting {}", mutant.name))?;
    let said = String::from_utf8(output.stdout).context("a row is text")?;
    let begins = format!("| `{}` |", mutant.name);
    let mut lines = said.lines();
    let row = lines.find(|line| line.starts_with(&begins));
    // A process that notices nothing ends with 1, like one that could not hunt; only the first says so in a table.
    anyhow::ensure!(said.starts_with(HEAD), "{} was not hunted", mutant.name);
    Ok(row.map(str::to_owned))
}

fn hunt(options: &Options) -> anyhow::Result<Option<Noticed>> {
    for seed in 1..=options.seeds {
        if !options.desks {
            let lived = live_for(&LifePlan::draw(seed, Size::default()), STEPS_MAX)?;
            if let Some(finding) = lived.findings.first() {
                let promise = finding.promise.to_owned();
                return Ok(Some(Noticed {
                    seeds: seed,
                    by: "a life",
                    promise,
                }));
            }
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
