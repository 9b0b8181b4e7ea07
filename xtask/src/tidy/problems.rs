//! Error codes and their help pages: each code of the `api` has a page, each page has its code.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

const TABLE: &str = "crates/api/src/code.rs";
const PAGES: &str = "docs/errors/";
const INDEX: &str = "docs/errors/README.md";
const CONTRACT: &str = "docs/openapi.json";

/// Compares the table with the pages; that the contract equals the code is a test of `edge`.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let codes = codes(tree.text(TABLE).unwrap_or_default());
    let mut findings = Vec::new();
    if codes.is_empty() {
        let what = "the table of codes is empty or not there";
        findings.push(Finding::new(TABLE, what, "correct its path in xtask"));
    }
    findings.extend(both_ways(&codes, tree));
    findings.extend(heads(tree));
    findings.extend(indexed(&codes, tree));
    if !tree.exists(CONTRACT) {
        let mend = "generate it as CONTRIBUTING.md says";
        findings.push(Finding::new(
            CONTRACT,
            "the contract is not checked in",
            mend,
        ));
    }
    findings
}

/// The pages, each with the code in its name.
fn pages(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.below(PAGES, ".md").filter(|(path, _)| *path != INDEX)
}

fn code_of(path: &str) -> &str {
    path.trim_start_matches(PAGES).trim_end_matches(".md")
}

fn both_ways(codes: &BTreeSet<String>, tree: &Tree) -> Vec<Finding> {
    let pages: BTreeSet<String> = pages(tree)
        .map(|(path, _)| code_of(path).to_owned())
        .collect();
    let missing = codes.difference(&pages).map(|code| {
        let mend = "write it: what happened, why, how to mend it, an example";
        Finding::new(format!("{PAGES}{code}.md"), "the code has no page", mend)
    });
    let stray = pages.difference(codes).map(|page| {
        let mend = format!("remove it, or restore the code in {TABLE}");
        Finding::new(format!("{PAGES}{page}.md"), "the page has no code", mend)
    });
    missing.chain(stray).collect()
}

fn heads(tree: &Tree) -> Vec<Finding> {
    let odd = pages(tree).filter(|(path, text)| !text.starts_with(&format!("# {}", code_of(path))));
    odd.map(|(path, _)| {
        let mend = format!("open it with `# {}: …`", code_of(path));
        Finding::new(path, "the page does not open with its code", mend)
    })
    .collect()
}

fn indexed(codes: &BTreeSet<String>, tree: &Tree) -> Vec<Finding> {
    let index = tree.text(INDEX).unwrap_or_default();
    let absent = codes
        .iter()
        .filter(|code| !index.contains(&format!("[{code}]({code}.md)")));
    absent
        .map(|code| Finding::new(INDEX, format!("it does not name {code}"), "add its row"))
        .collect()
}

/// The codes that a source names in string literals.
fn codes(source: &str) -> BTreeSet<String> {
    let product = source.split("#[cfg(test)]").next().unwrap_or_default();
    let literals = product.split('"').skip(1).step_by(2);
    literals
        .filter(|text| is_code(text))
        .map(str::to_owned)
        .collect()
}

fn is_code(text: &str) -> bool {
    text.strip_prefix("TG-")
        .is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: (&str, &str) = (
        TABLE,
        "MalformedJson \"TG-1001\" 400 Never \"Malformed JSON\";",
    );
    const PAGE: (&str, &str) = ("docs/errors/TG-1001.md", "# TG-1001: malformed JSON\n");
    const OPENAPI: (&str, &str) = (CONTRACT, "{}");
    const LISTED: (&str, &str) = (INDEX, "| [TG-1001](TG-1001.md) | 400 |");

    #[test]
    fn every_code_has_its_page() {
        assert_eq!(check(&Tree::of(&[API, PAGE, OPENAPI, LISTED])), []);
        assert_eq!(check(&Tree::of(&[API, OPENAPI, LISTED])).len(), 1);
    }

    #[test]
    fn a_page_without_a_code_or_with_another_head_is_found() {
        let stray = ("docs/errors/TG-9999.md", "# TG-9999\n");
        assert_eq!(
            check(&Tree::of(&[API, PAGE, stray, OPENAPI, LISTED])).len(),
            1
        );
        let wrong = ("docs/errors/TG-1001.md", "# TG-1002\n");
        assert_eq!(check(&Tree::of(&[API, wrong, OPENAPI, LISTED])).len(), 1);
    }

    #[test]
    fn an_index_that_leaves_out_a_code_is_found() {
        assert_eq!(check(&Tree::of(&[API, PAGE, OPENAPI])).len(), 1);
    }

    #[test]
    fn a_missing_table_or_contract_is_found() {
        assert_eq!(check(&Tree::of(&[OPENAPI])).len(), 1);
        assert_eq!(check(&Tree::of(&[API, PAGE, LISTED])).len(), 1);
    }
}
