//! Decision records: numbered without repeats, each with its status, date and the four parts.

use std::collections::BTreeMap;

use super::Finding;
use super::headings::sections;
use super::tree::Tree;

const FOLDER: &str = "docs/adr/";
const PARTS: &[&str] = &["Context", "Decision", "Refused", "Consequences"];
const STATES: &[&str] = &["accepted", "superseded"];

/// `docs/adr/NNNN-<what>.md`; the template and the index have other names.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut numbers = BTreeMap::new();
    let mut findings = Vec::new();
    let records = tree
        .below(FOLDER, ".md")
        .filter(|(path, _)| !is_aside(path));
    for (path, text) in records {
        let name = path.trim_start_matches(FOLDER);
        let number = name.split('-').next().unwrap_or_default();
        if number.len() != 4 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            findings.push(Finding::new(
                path,
                "the name has no number",
                "name it NNNN-what-it-decides.md",
            ));
        }
        if let Some(other) = numbers.insert(number, path) {
            let what = format!("the number is also that of {other}");
            findings.push(Finding::new(path, what, "take the next free number"));
        }
        findings
            .extend(wrong(text).map(|what| Finding::new(path, what, "see docs/adr/template.md")));
    }
    findings
}

fn is_aside(path: &str) -> bool {
    path.ends_with("/template.md") || path.ends_with("/README.md")
}

fn wrong(text: &str) -> Option<String> {
    let status = text.lines().find_map(|line| line.strip_prefix("Status: "));
    let Some(status) = status else {
        return Some("it has no line `Status: accepted, <date>`".to_owned());
    };
    if !STATES.iter().any(|state| status.starts_with(state)) {
        return Some(format!("the status is none of {}", STATES.join(", ")));
    }
    let sections = sections(text);
    let part = PARTS.iter().find(|part| {
        !sections
            .iter()
            .any(|section| section.title.starts_with(**part))
    })?;
    Some(format!("it has no part `## {part}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "# 1. X\n\nStatus: accepted, 2026-01-01\n\n## Context\n## Decision\n## Refused\n## Consequences\n";

    fn found(files: &[(&str, &str)]) -> usize {
        check(&Tree::of(files)).len()
    }

    #[test]
    fn a_record_has_number_status_and_parts() {
        assert_eq!(
            found(&[("docs/adr/0001-x.md", RECORD), ("docs/adr/template.md", "")]),
            0
        );
        assert_eq!(found(&[("docs/adr/one-x.md", RECORD)]), 1);
        assert_eq!(
            found(&[("docs/adr/0001-x.md", &RECORD.replace("## Refused\n", ""))]),
            1
        );
        assert_eq!(
            found(&[("docs/adr/0001-x.md", &RECORD.replace("accepted", "maybe"))]),
            1
        );
        assert_eq!(found(&[("docs/adr/0001-x.md", "# 1. X\n")]), 1);
    }

    #[test]
    fn a_number_is_used_once() {
        assert_eq!(
            found(&[
                ("docs/adr/0001-x.md", RECORD),
                ("docs/adr/0001-y.md", RECORD)
            ]),
            1
        );
    }
}
