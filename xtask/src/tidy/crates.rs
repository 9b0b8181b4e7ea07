//! Each crate's manifest and its paragraph in ARCHITECTURE.md.

use super::Finding;
use super::headings::sections;
use super::tree::Tree;

const PLAN: &str = "ARCHITECTURE.md";

/// Names under which anything could be put, and therefore everything is.
const DRAWERS: &[&str] = &[
    "common", "util", "utils", "helper", "helpers", "misc", "base", "core", "types", "manager",
];

/// Names, lints and the floor plan's paragraph of every crate.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, manifest) in manifests(tree) {
        findings.extend(check_manifest(path, manifest));
        let folder = path.trim_end_matches("/Cargo.toml");
        findings.extend(check_paragraph(folder, tree.text(PLAN).unwrap_or_default()));
    }
    for (path, _) in tree.below("", ".rs") {
        findings.extend(drawer(path));
    }
    findings
}

/// The manifests of the members, not the workspace's own.
fn manifests(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.below("", "/Cargo.toml")
}

fn check_manifest(path: &str, text: &str) -> Option<Finding> {
    let manifest: toml::Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return Some(Finding::new(path, format!("{error}"), "write valid TOML")),
    };
    let lints = manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"));
    if lints.and_then(toml::Value::as_bool) == Some(true) {
        return None;
    }
    Some(Finding::new(
        path,
        "the workspace's lints do not reach this crate",
        "add [lints] workspace = true",
    ))
}

/// The paragraph has to be there and to say what always holds in this room.
fn check_paragraph(folder: &str, plan: &str) -> Option<Finding> {
    let title = format!("`{folder}`");
    let sections = sections(plan);
    let Some(section) = sections
        .iter()
        .find(|section| section.title.contains(&title))
    else {
        let what = format!("no heading names {title}");
        return Some(Finding::new(
            PLAN,
            what,
            "add its paragraph: what it is for, where to start reading, an invariant",
        ));
    };
    if section.body.contains("Invariant:") {
        return None;
    }
    let what = format!("the paragraph of {title} states no invariant");
    Some(Finding::new(
        PLAN,
        what,
        "add a sentence that starts with \"Invariant:\", best about what is absent",
    ))
}

fn drawer(path: &str) -> Option<Finding> {
    let name = path
        .trim_end_matches(".rs")
        .trim_end_matches("/mod")
        .rsplit('/')
        .next()?;
    let folder = path
        .strip_prefix("crates/")
        .and_then(|rest| rest.split('/').next());
    let drawer = [Some(name), folder]
        .into_iter()
        .flatten()
        .find(|name| DRAWERS.contains(name))?;
    let what = format!("`{drawer}` says nothing about what is inside");
    Some(Finding::new(
        path,
        what,
        "name it after the noun of the trade that it holds, or split it",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: (&str, &str) = ("crates/ledger/Cargo.toml", "[lints]\nworkspace = true\n");

    #[test]
    fn a_crate_has_lints_and_a_paragraph() {
        let plan = (PLAN, "### `crates/ledger`\nInvariant: no IO.\n");
        assert_eq!(check(&Tree::of(&[MANIFEST, plan])), []);
        assert_eq!(
            check(&Tree::of(&[
                ("crates/ledger/Cargo.toml", "[lints]\n"),
                plan
            ]))
            .len(),
            1
        );
    }

    #[test]
    fn a_missing_or_empty_paragraph_is_found() {
        assert_eq!(check(&Tree::of(&[MANIFEST])).len(), 1);
        let vague = (
            PLAN,
            "### `crates/ledger`\nIt counts.\n### `crates/shop`\nInvariant: one desk.\n",
        );
        assert_eq!(check(&Tree::of(&[MANIFEST, vague])).len(), 1);
    }

    #[test]
    fn drawers_are_found() {
        let files = [
            ("crates/common/src/lib.rs", ""),
            ("crates/shop/src/utils.rs", ""),
            ("crates/shop/src/types/mod.rs", ""),
        ];
        assert_eq!(check(&Tree::of(&files)).len(), 3);
        assert_eq!(check(&Tree::of(&[("crates/shop/src/desk.rs", "")])), []);
    }
}
