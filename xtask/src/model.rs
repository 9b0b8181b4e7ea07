//! The models: code whose threads meet at a lock or an atomic, run by loom through every order in which they may meet.
//!
//! A package takes part by a development dependency on `loom` under `cfg(loom)`, and by unit tests in modules named
//! `model`. Such a build replaces the locks of std, so it has a target directory of its own and nothing else is built
//! with it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use cargo_metadata::{Metadata, MetadataCommand};

use crate::command::{cargo, output};

/// Runs all models, for a person.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    check(root)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs all models; each package that takes part has at least one.
pub(crate) fn check(root: &Path) -> Result<()> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .context("cargo metadata")?;
    let packages = modelled(&metadata);
    ensure!(!packages.is_empty(), "no package depends on loom");
    packages.iter().try_for_each(|name| models(root, name))
}

/// The packages that name loom.
fn modelled(metadata: &Metadata) -> Vec<String> {
    let packages = metadata.packages.iter().filter(|package| {
        let mut needs = package.dependencies.iter();
        needs.any(|need| need.name == "loom")
    });
    packages.map(|package| package.name.to_string()).collect()
}

fn models(root: &Path, package: &str) -> Result<()> {
    let words = [
        "test",
        "--locked",
        "--lib",
        "--package",
        package,
        "--target-dir",
        "target/loom",
    ];
    let mut command = cargo(root, &words);
    command.args(["model::", "--", "--show-output"]);
    command.env("RUSTFLAGS", "--cfg loom");
    // Unoptimized, the search itself takes several times as long as building it.
    command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    let said = output(&mut command)?;
    println!("{said}");
    ensure!(ran(&said) > 0, "{package} depends on loom and has no model");
    Ok(())
}

/// How many tests cargo says it ran.
fn ran(said: &str) -> usize {
    said.lines()
        .filter(|line| line.starts_with("test ") && line.ends_with(" ... ok"))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_a_model_counts_none() {
        let none = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed\n";
        assert_eq!(ran(none), 0);
        let two = "test a::model::b ... ok\ntest a::model::c ... ok\ntest result: ok. 2 passed\n";
        assert_eq!(ran(two), 2);
    }
}
