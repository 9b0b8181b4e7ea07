//! The measurements. Each is a `[[bench]]` without harness in the room that it measures, prints words
//! for people on standard error and one JSON object of figures on standard output; this dispatcher
//! adds the machine, the commit and the date, which belong to every figure alike.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::command::{cargo, output};
use crate::{engines, machine};

/// Which measurements to run and where their results go.
#[derive(Args)]
pub(crate) struct Options {
    /// The measurements to run; all of them when none is named.
    names: Vec<String>,
    /// Keep each result as `docs/perf/<name>.json`.
    #[arg(long)]
    save: bool,
    /// Show the names and what each one measures.
    #[arg(long)]
    list: bool,
}

pub(crate) struct Bench {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    what: &'static str,
    needs_engines: bool,
    /// Measures the release binary as a process of its own, which has to be built first.
    needs_binary: bool,
}

const fn bench(name: &'static str, package: &'static str, what: &'static str) -> Bench {
    Bench {
        name,
        package,
        what,
        needs_engines: false,
        needs_binary: false,
    }
}

/// Every measurement, in the order in which they run.
pub(crate) const BENCHES: &[Bench] = &[
    bench(
        "tasks",
        "xtask",
        "start-up cost of 100,000 tasks, ten runs and their spread",
    ),
    bench(
        "book",
        "tidegate-commerce",
        "orders a second of the pure book on one core",
    ),
    bench(
        "memory",
        "tidegate-commerce",
        "bytes of heap for an open and a settled order",
    ),
    bench(
        "teams",
        "tidegate-commerce",
        "what a seat of a team costs against a plain order, in the same run",
    ),
    bench(
        "desk",
        "tidegate-shop",
        "orders a second in process, each batch on disk, and the latency of 1 to 1000 callers",
    ),
    bench(
        "recovery",
        "tidegate-shop",
        "replay of 1,000,000 journalled orders",
    ),
    bench(
        "sim",
        "tidegate-sim",
        "simulated orders a wall second of one core, at the desk and through HTTP",
    ),
    Bench {
        needs_binary: true,
        ..bench(
            "startup",
            "tidegate",
            "start without a journal, idle memory, size",
        )
    },
    Bench {
        needs_binary: true,
        ..bench(
            "doors",
            "tidegate-drill",
            "orders a second through POST /v1/orders:batch",
        )
    },
    Bench {
        needs_binary: true,
        needs_engines: true,
        ..bench(
            "rival",
            "tidegate-drill",
            "Tidegate against Redis, Lua and PostgreSQL over HTTP",
        )
    },
];

/// Runs the named measurements, or all.
pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    if options.list {
        for bench in BENCHES {
            println!("{:<10}{:<20}{}", bench.name, bench.package, bench.what);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut failed = false;
    for bench in chosen(&options.names)? {
        if let Err(error) = run_one(root, bench, options) {
            eprintln!("{}: FAILED: {error:#}", bench.name);
            failed = true;
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn chosen(names: &[String]) -> Result<Vec<&'static Bench>> {
    if names.is_empty() {
        return Ok(BENCHES.iter().collect());
    }
    names
        .iter()
        .map(|name| {
            let found = BENCHES.iter().find(|bench| bench.name == name);
            found.with_context(|| format!("no measurement is called {name}; see --list"))
        })
        .collect()
}

fn run_one(root: &Path, bench: &Bench, options: &Options) -> Result<()> {
    eprintln!("==> {}: {}", bench.name, bench.what);
    if bench.needs_engines {
        engines::ensure()?;
    }
    if bench.needs_binary {
        crate::ci::release_build(root)?;
    }
    let words = [
        "bench",
        "--locked",
        "--package",
        bench.package,
        "--bench",
        bench.name,
        "--",
        "--json",
    ];
    let text = output(&mut cargo(root, &words))?;
    let result = framed(bench, figures(&text)?, root)?;
    let shown = serde_json::to_string_pretty(&result)?;
    println!("{shown}");
    if options.save {
        save(root, bench.name, &shown)?;
    }
    Ok(())
}

/// The figures: the last line of the output that opens a JSON object, to the end.
fn figures(text: &str) -> Result<Value> {
    let start = text.rfind("\n{").map_or(0, |at| at + 1);
    let figures: Value = serde_json::from_str(text[start..].trim())
        .with_context(|| format!("the bench printed no JSON object:\n{text}"))?;
    if !figures.is_object() {
        bail!("the bench printed {figures}, not an object of figures");
    }
    Ok(figures)
}

fn framed(bench: &Bench, figures: Value, root: &Path) -> Result<Value> {
    Ok(json!({
        "bench": bench.name,
        "what": bench.what,
        "date": machine::date()?,
        "commit": machine::commit(root)?,
        "machine": machine::describe()?,
        "figures": figures,
    }))
}

fn save(root: &Path, name: &str, text: &str) -> Result<()> {
    let folder = root.join("docs").join("perf");
    std::fs::create_dir_all(&folder)?;
    let place = folder.join(format!("{name}.json"));
    std::fs::write(&place, format!("{text}\n"))?;
    eprintln!("    saved as docs/perf/{name}.json");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_run_when_none_is_named() {
        assert_eq!(chosen(&[]).unwrap().len(), BENCHES.len());
        assert_eq!(
            chosen(&["book".to_owned()]).unwrap()[0].package,
            "tidegate-commerce"
        );
        assert!(chosen(&["bok".to_owned()]).is_err());
    }

    #[test]
    fn figures_may_follow_other_lines_and_span_several() {
        let figures = figures("running\n{\n  \"orders_per_second\": 1\n}\n").unwrap();
        assert_eq!(figures["orders_per_second"], 1);
    }

    #[test]
    fn output_without_figures_is_an_error() {
        assert!(figures("running\n").is_err());
        assert!(figures("[1]").is_err());
    }
}
