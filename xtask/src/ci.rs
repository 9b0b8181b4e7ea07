//! The gate: every step is run even after one failed, since a person mends them all in one go; the
//! table at the end names each with its time, and the last line is the count.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::command::{cargo, succeed};
use crate::{model, smoke, tidy, torture};

struct Step {
    name: &'static str,
    run: fn(&Path) -> Result<()>,
}

/// In the order of how soon they find something.
const STEPS: &[Step] = &[
    Step {
        name: "format",
        run: format,
    },
    Step {
        name: "tidy",
        run: tidy::check,
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "rustdoc",
        run: rustdoc,
    },
    Step {
        name: "tests",
        run: tests,
    },
    Step {
        name: "models",
        run: model::check,
    },
    Step {
        name: "release build",
        run: release_build,
    },
    Step {
        name: "simulation",
        run: simulation,
    },
    Step {
        name: "smoke: drill",
        run: smoke::drill,
    },
    Step {
        name: "smoke: demo",
        run: smoke::demo,
    },
    Step {
        name: "smoke: torture",
        run: torture::brief,
    },
];

struct Done {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

/// Runs the whole gate.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let done: Vec<Done> = STEPS
        .iter()
        .enumerate()
        .map(|(index, step)| {
            println!("\n==> [{}/{}] {}", index + 1, STEPS.len(), step.name);
            run_step(root, step)
        })
        .collect();
    print!("{}", summary(&done));
    let passed = done.iter().all(|step| step.failure.is_none());
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn run_step(root: &Path, step: &Step) -> Done {
    let start = Instant::now();
    let failure = (step.run)(root).err().map(|error| format!("{error:#}"));
    let took = start.elapsed();
    match &failure {
        None => println!("    {}: ok in {:.1} s", step.name, took.as_secs_f64()),
        Some(why) => println!(
            "    {}: FAILED in {:.1} s: {why}",
            step.name,
            took.as_secs_f64()
        ),
    }
    Done {
        name: step.name,
        took,
        failure,
    }
}

/// The table, and the count alone on the last line.
fn summary(done: &[Done]) -> String {
    let mut text = String::from("\n");
    for step in done {
        let verdict = if step.failure.is_none() {
            "ok"
        } else {
            "FAILED"
        };
        text.push_str(&format!(
            "{:<16}{verdict:<8}{:>8.1} s\n",
            step.name,
            step.took.as_secs_f64()
        ));
    }
    let failed = done.iter().filter(|step| step.failure.is_some()).count();
    let total: Duration = done.iter().map(|step| step.took).sum();
    text.push_str(&format!(
        "{:<24}{:>8.1} s\n\n",
        "together",
        total.as_secs_f64()
    ));
    text.push_str(&format!(
        "{} passed, {failed} failed\n",
        done.len() - failed
    ));
    text
}

fn format(root: &Path) -> Result<()> {
    succeed(&mut cargo(root, &["fmt", "--all", "--check"]))
}

fn clippy(root: &Path) -> Result<()> {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    succeed(&mut cargo(root, &arguments))
}

fn rustdoc(root: &Path) -> Result<()> {
    let arguments = ["doc", "--workspace", "--no-deps", "--locked"];
    succeed(cargo(root, &arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Unit, integration and documentation tests of every room, by plain cargo.
pub(crate) fn tests(root: &Path) -> Result<()> {
    succeed(&mut cargo(root, &["test", "--workspace", "--locked"]))
}

/// The binary that smoke runs, benches and people use.
pub(crate) fn release_build(root: &Path) -> Result<()> {
    succeed(&mut cargo(
        root,
        &["build", "--release", "--locked", "--package", "tidegate"],
    ))
}

/// 200 lives of the whole shop in the simulated world, each from its seed; a mark that none of them reaches fails too.
fn simulation(root: &Path) -> Result<()> {
    let arguments = [
        "run",
        "--release",
        "--locked",
        "--package",
        "tidegate-sim",
        "--",
        "--seeds",
        "400",
    ];
    succeed(&mut cargo(root, &arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(name: &'static str, failure: Option<&str>) -> Done {
        Done {
            name,
            took: Duration::from_millis(1500),
            failure: failure.map(str::to_owned),
        }
    }

    #[test]
    fn the_count_stands_alone_on_the_last_line() {
        let text = summary(&[done("format", None), done("tests", Some("one failed"))]);
        assert_eq!(text.lines().last(), Some("1 passed, 1 failed"));
        assert!(
            text.contains("tests           FAILED       1.5 s"),
            "{text}"
        );
    }
}
