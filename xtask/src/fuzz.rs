//! The readers against bytes that went wrong, for longer than the gate has time: the same tests with
//! a larger budget, or one single input of theirs again.

use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::Args;

use crate::command::{cargo, succeed};

/// The variable that the tests read their budget from.
const VARIABLE: &str = "FUZZ_BUDGET";

/// How long, what, and which inputs.
#[derive(Args)]
pub(crate) struct Options {
    /// Minutes for each corpus.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_080))]
    minutes: u64,
    /// One corpus only, by the name of its directory.
    #[arg(long)]
    only: Option<String>,
    /// Where the mutations come from; another one each time when it is left out.
    #[arg(long)]
    seed: Option<u64>,
    /// One mutation alone, as a failure names it.
    #[arg(long, requires = "seed", requires = "only")]
    step: Option<u64>,
}

/// Runs every test below a module `fuzz`.
pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    let budget = budget(options, fresh_seed());
    println!("{VARIABLE}=\"{budget}\"");
    let arguments = [
        "test",
        "--workspace",
        "--locked",
        "--no-fail-fast",
        "--",
        "fuzz::",
        "--nocapture",
    ];
    succeed(cargo(root, &arguments).env(VARIABLE, budget))?;
    Ok(ExitCode::SUCCESS)
}

fn budget(options: &Options, fresh: u64) -> String {
    let mut words = vec![format!("seed={}", options.seed.unwrap_or(fresh))];
    words.extend(
        options
            .only
            .as_ref()
            .map(|corpus| format!("corpus={corpus}")),
    );
    words.push(match options.step {
        Some(step) => format!("step={step}"),
        None => format!("seconds={}", options.minutes * 60),
    });
    words.join(" ")
}

/// Another seed each second: a night must not try what the last one tried.
fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(1, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(only: Option<&str>, seed: Option<u64>, step: Option<u64>) -> Options {
        Options {
            minutes: 2,
            only: only.map(str::to_owned),
            seed,
            step,
        }
    }

    #[test]
    fn a_long_run_has_time_and_a_fresh_seed() {
        assert_eq!(budget(&options(None, None, None), 9), "seed=9 seconds=120");
        assert_eq!(
            budget(&options(Some("books"), Some(4), None), 9),
            "seed=4 corpus=books seconds=120"
        );
    }

    #[test]
    fn a_replay_is_one_step_of_one_corpus() {
        assert_eq!(
            budget(&options(Some("books"), Some(4), Some(77)), 9),
            "seed=4 corpus=books step=77"
        );
    }
}
