//! `tidegate-sim`: lives of a shop, by seed.

use std::process::ExitCode;

use clap::Parser;
use tidegate_sim::life::live;
use tidegate_sim::plan::{LifePlan, Size};

/// Lives whole lives of a shop in a simulated world.
#[derive(Debug, Parser)]
struct Options {
    /// The seed of the first life.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many lives.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let mut failed = 0;
    let start = std::time::SystemTime::UNIX_EPOCH;
    let _ = start;
    for seed in options.seed..options.seed + options.seeds {
        let lived = live(&LifePlan::draw(seed, Size::default()))?;
        println!(
            "seed {seed}: {} calls, {} restarts, {:?}, {} steps, trace {:016x}",
            lived.evidence.calls.len(),
            lived.evidence.restarts.len(),
            lived.lasted,
            lived.steps,
            lived.trace
        );
        for finding in &lived.findings {
            println!("  {finding}");
        }
        for (at, what) in &lived.story {
            println!("    {at:?} {what}");
        }
        failed += u64::from(!lived.findings.is_empty());
    }
    println!("{failed} failed");
    Ok(ExitCode::from(u8::from(failed > 0)))
}
