//! Error codes and their help pages: each code of the `api` has a page, each page has its code.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

const TABLE: &str = "crates/api/src/code.rs";
const PAGES: &str = "docs/errors/";
const CONTRACT: &str = "docs/openapi.json";

/// Compares the table with the pages; that the contract equals the code is a test of `edge`.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let codes = codes(tree.text(TABLE).unwrap_or_default());
    let pages: BTreeSet<String> = tree
        .below(PAGES, ".md")
        .filter_map(|(path, _)| path.strip_prefix(PAGES)?.strip_suffix(".md"))
        .filter(|name| *name != "README")
        .map(str::to_owned)
        .collect();
    let mut findings = Vec::new();
    if codes.is_empty() {
        findings.push(Finding::new(
            TABLE,
            "the table of codes is empty or not there",
            "correct its path in xtask",
        ));
    }
    for code in codes.difference(&pages) {
        let page = format!("{PAGES}{code}.md");
        findings.push(Finding::new(
            page,
            "the code has no page",
            "write it: what happened, why, how to mend it, an example",
        ));
    }
    for page in pages.difference(&codes) {
        let place = format!("{PAGES}{page}.md");
        findings.push(Finding::new(
            place,
            "the page has no code",
            format!("remove it, or restore the code in {TABLE}"),
        ));
    }
    for (path, text) in tree
        .below(PAGES, ".md")
        .filter(|(path, _)| !path.ends_with("README.md"))
    {
        let code = path.trim_start_matches(PAGES).trim_end_matches(".md");
        if !text.starts_with(&format!("# {code}")) {
            findings.push(Finding::new(
                path,
                "the page does not open with its code",
                format!("open it with `# {code}: …`"),
            ));
        }
    }
    if !tree.exists(CONTRACT) {
        findings.push(Finding::new(
            CONTRACT,
            "the contract is not checked in",
            "generate it as CONTRIBUTING.md says",
        ));
    }
    findings
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

    #[test]
    fn every_code_has_its_page() {
        assert_eq!(
            check(&Tree::of(&[
                API,
                PAGE,
                OPENAPI,
                ("docs/errors/README.md", "")
            ])),
            []
        );
        assert_eq!(check(&Tree::of(&[API, OPENAPI])).len(), 1);
    }

    #[test]
    fn a_page_without_a_code_or_with_another_head_is_found() {
        let stray = ("docs/errors/TG-9999.md", "# TG-9999\n");
        assert_eq!(check(&Tree::of(&[API, PAGE, stray, OPENAPI])).len(), 1);
        let wrong = ("docs/errors/TG-1001.md", "# TG-1002\n");
        assert_eq!(check(&Tree::of(&[API, wrong, OPENAPI])).len(), 1);
    }

    #[test]
    fn a_missing_table_or_contract_is_found() {
        assert_eq!(check(&Tree::of(&[OPENAPI])).len(), 1);
        assert_eq!(check(&Tree::of(&[API, PAGE])).len(), 1);
    }
}
