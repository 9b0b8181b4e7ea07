//! Which crates end up in the release binary. `deps/snapshot.txt` lists them by name, so that a newly
//! pulled-in crate, however deep, is a line in a review; versions are the business of Cargo.lock. The
//! list beside a release has versions and licences too.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::command::{cargo, output};

/// Where the checked-in list lies.
pub(crate) const PLACE: &str = "deps/snapshot.txt";

const HEADER: &str = "\
# Every crate in the release binary and in what builds it, on x86-64 Linux. `cargo xtask tidy` holds
# the build against this list; `cargo xtask snapshot` rewrites it after a change that is meant.
";

/// One crate of the release binary.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: String,
}

/// Rewrites `deps/snapshot.txt`.
pub(crate) fn write(root: &Path) -> Result<ExitCode> {
    let names = names(&parts(root)?);
    let place = root.join(PLACE);
    let before = listed(&std::fs::read_to_string(&place).unwrap_or_default());
    for name in names.difference(&before) {
        println!("new:  {name}");
    }
    for name in before.difference(&names) {
        println!("gone: {name}");
    }
    let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
    std::fs::write(&place, format!("{HEADER}{lines}")).context(PLACE)?;
    println!("{PLACE}: {} crates", names.len());
    Ok(ExitCode::SUCCESS)
}

/// The crates of the binary as cargo resolves them for it alone, our own rooms left out.
pub(crate) fn parts(root: &Path) -> Result<BTreeSet<Part>> {
    let words = [
        "tree",
        "--locked",
        "--package",
        "tidegate",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--target",
        "x86_64-unknown-linux-gnu",
        "--format",
        "{p}|{l}",
    ];
    let text = output(&mut cargo(root, &words))?;
    Ok(text
        .lines()
        .filter_map(part)
        .filter(|part| !part.name.starts_with("tidegate"))
        .collect())
}

/// The names alone.
pub(crate) fn names(parts: &BTreeSet<Part>) -> BTreeSet<String> {
    parts.iter().map(|part| part.name.clone()).collect()
}

/// The names that a checked-in list holds.
pub(crate) fn listed(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// A line as `cargo tree` writes it: `name v1.2.3 (proc-macro)|MIT OR Apache-2.0 (*)`.
fn part(line: &str) -> Option<Part> {
    let (crate_, licence) = line.split_once('|')?;
    let mut words = crate_.split_whitespace();
    Some(Part {
        name: words.next()?.to_owned(),
        version: words.next()?.strip_prefix('v')?.to_owned(),
        licence: licence.trim_end_matches("(*)").trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_tree_is_read() {
        let part = part("serde_derive v1.0.228 (proc-macro)|MIT OR Apache-2.0 (*)").unwrap();
        assert_eq!(
            (part.name.as_str(), part.version.as_str()),
            ("serde_derive", "1.0.228")
        );
        assert_eq!(part.licence, "MIT OR Apache-2.0");
    }

    #[test]
    fn comments_are_no_names() {
        assert_eq!(
            listed("# words\n\nbytes\n"),
            BTreeSet::from(["bytes".to_owned()])
        );
    }
}
