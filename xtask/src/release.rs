//! The release binary, built so that the same commit gives the same bytes in any directory: paths are
//! mapped away in Rust and in C, the time of the build is the time of the commit. Beside it lie its
//! SHA-256 and the sorted list of everything that is in it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::command::{cargo, output, succeed};
use crate::{machine, snapshot};

/// How to build the release.
#[derive(Args)]
pub(crate) struct Options {
    /// Build a second time from a fresh clone in another directory and compare the bytes.
    #[arg(long)]
    twice: bool,
}

/// Builds into `target/dist`.
pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    if options.twice && machine::commit(root)?.ends_with("+changes") {
        bail!(
            "there are changes that are not committed: the second build, a clone, would lack them"
        );
    }
    let built = build(root)?;
    let dist = root.join("target").join("dist");
    std::fs::create_dir_all(&dist)?;
    let binary = dist.join("tidegate");
    std::fs::copy(&built, &binary).context("the binary could not be copied")?;
    let sum = sha256(&binary)?;
    std::fs::write(dist.join("tidegate.sha256"), format!("{sum}  tidegate\n"))?;
    std::fs::write(dist.join("tidegate.dependencies.txt"), dependencies(root)?)?;
    let bytes = binary.metadata()?.len();
    println!("{}\n{sum}\n{bytes} bytes", binary.display());
    if options.twice {
        compare(root, &sum)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds a clone of this commit elsewhere and holds its sum against the first.
fn compare(root: &Path, sum: &str) -> Result<()> {
    let again = root.join("target").join("again");
    if again.exists() {
        std::fs::remove_dir_all(&again)?;
    }
    succeed(
        Command::new("git")
            .args(["clone", "--quiet", "--no-hardlinks"])
            .arg(root)
            .arg(&again),
    )?;
    let second = sha256(&build(&again)?)?;
    if second != sum {
        bail!("not reproducible: the second build's SHA-256 is {second}");
    }
    println!("built twice, in two directories: the same bytes");
    std::fs::remove_dir_all(&again).context("the second build could not be removed")
}

/// Builds in a target directory of its own, since other flags would rebuild the everyday one.
fn build(root: &Path) -> Result<PathBuf> {
    let target = root.join("target").join("dist-build");
    let cargo_home = cargo_home()?;
    let mapped = [(root, "/tidegate"), (cargo_home.as_path(), "/cargo")];
    let time = output(
        Command::new("git")
            .current_dir(root)
            .args(["log", "-1", "--format=%ct"]),
    )?;
    let words = [
        "build",
        "--release",
        "--locked",
        "--package",
        "tidegate",
        "--target-dir",
    ];
    succeed(
        cargo(root, &words)
            .arg(&target)
            .env(
                "CARGO_ENCODED_RUSTFLAGS",
                flags("--remap-path-prefix=", &mapped, "\u{1f}"),
            )
            .env("CFLAGS", flags("-ffile-prefix-map=", &mapped, " "))
            .env("SOURCE_DATE_EPOCH", time.trim()),
    )?;
    Ok(target.join("release").join("tidegate"))
}

/// One flag for each directory whose name must not reach the binary.
fn flags(flag: &str, mapped: &[(&Path, &str)], separator: &str) -> String {
    let flags = mapped
        .iter()
        .map(|(from, to)| format!("{flag}{}={to}", from.display()));
    flags.collect::<Vec<_>>().join(separator)
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(Path::new(&home).join(".cargo"))
}

fn sha256(file: &Path) -> Result<String> {
    let text = output(Command::new("sha256sum").arg(file))?;
    let sum = text
        .split_whitespace()
        .next()
        .context("sha256sum printed nothing")?;
    Ok(sum.trim_start_matches('\\').to_owned())
}

fn dependencies(root: &Path) -> Result<String> {
    let parts = snapshot::parts(root)?;
    Ok(parts
        .iter()
        .map(|part| format!("{} {} {}\n", part.name, part.version, part.licence))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directory_gets_its_flag() {
        let mapped = [
            (Path::new("/home/a/tide"), "/tidegate"),
            (Path::new("/home/a/.cargo"), "/cargo"),
        ];
        let text = flags("--remap-path-prefix=", &mapped, "\u{1f}");
        assert_eq!(
            text,
            "--remap-path-prefix=/home/a/tide=/tidegate\u{1f}--remap-path-prefix=/home/a/.cargo=/cargo"
        );
    }
}
