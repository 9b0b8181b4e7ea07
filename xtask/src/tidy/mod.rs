//! What a machine can check of the house's rules. A check is a pure function from what it looks at
//! (the [`Tree`] of files, the [`Graph`] of crates) to its [`Finding`]s, and says of each where it is,
//! what is wrong and how to mend it.

mod benches;
mod changelog;
mod crates;
mod decisions;
mod graph;
mod headings;
mod invariants;
mod layers;
mod licences;
mod links;
mod mutants;
mod outside;
mod problems;
mod purity;
mod requirements;
mod sources;
mod table;
mod tree;
mod words;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

use graph::Graph;
use tree::Tree;

use crate::snapshot;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    place: String,
    what: String,
    mend: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
            mend: mend.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}: {}\n    mend: {}",
            self.place, self.what, self.mend
        )
    }
}

/// Runs every check; findings go to the terminal.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let findings = findings(root)?;
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} findings", findings.len());
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The same as a step of the gate.
pub(crate) fn check(root: &Path) -> Result<()> {
    match run(root)? {
        ExitCode::SUCCESS => Ok(()),
        _ => bail!("the findings above"),
    }
}

fn findings(root: &Path) -> Result<Vec<Finding>> {
    let tree = Tree::read(root)?;
    let graph = Graph::read(root)?;
    let in_binary = snapshot::names(&snapshot::parts(root)?);
    let mut findings = Vec::new();
    findings.extend(layers::check(&graph));
    findings.extend(purity::check(&graph, &tree));
    findings.extend(outside::direct(&graph, &tree));
    findings.extend(outside::snapshot(&in_binary, &tree));
    findings.extend(outside::banned(&graph, &tree));
    findings.extend(licences::check(&graph, &tree));
    findings.extend(crates::check(&tree));
    findings.extend(sources::check(&tree));
    findings.extend(words::check(&tree));
    findings.extend(requirements::check(&tree));
    findings.extend(invariants::check(&tree));
    findings.extend(problems::check(&tree));
    findings.extend(benches::check(&tree));
    findings.extend(changelog::check(&tree));
    findings.extend(decisions::check(&tree));
    findings.extend(links::check(&tree));
    findings.extend(mutants::check(&tree));
    findings.sort();
    findings.dedup();
    Ok(findings)
}
