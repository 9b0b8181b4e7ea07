//! `docs/invariants.md` states each invariant once in words, and its table names the three places where
//! it exists: an assertion in the code, an oracle that judges from outside, a metric that counts
//! violations. Each place must name the invariant by its number.

use std::collections::BTreeSet;

use super::Finding;
use super::headings::sections;
use super::table::{Row, code, rows};
use super::tree::Tree;

const PAGE: &str = "docs/invariants.md";
const KINDS: [&str; 3] = ["assertion", "oracle", "metric"];
/// The third cell of a row whose invariant begins with something that is not built.
const RESERVED: &str = "reserved";

/// Headings `INV-n …` against rows `| INV-n | assertion | oracle | metric |`, both ways, and no gaps.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(PAGE) else {
        return vec![Finding::new(PAGE, "there is no such file", "restore it")];
    };
    let stated: BTreeSet<&str> = sections(text)
        .iter()
        .filter_map(|section| section.title.split_whitespace().next())
        .filter(|word| is_number(word))
        .collect();
    let rows = rows(text);
    let tabled: BTreeSet<&str> = rows.iter().map(|row| row.cells[0]).collect();
    let mut findings: Vec<Finding> = rows.iter().flat_map(|row| check_row(row, tree)).collect();
    for id in stated.symmetric_difference(&tabled) {
        let what = format!("{id} needs both a heading with its words and a row with its places");
        findings.push(Finding::new(PAGE, what, "add what is missing"));
    }
    let gaps = (1..=stated.len())
        .map(|number| format!("INV-{number}"))
        .filter(|id| !stated.contains(id.as_str()));
    findings.extend(gaps.map(|id| {
        Finding::new(
            PAGE,
            format!("{id} is left out"),
            "numbers have no gaps and are never reused",
        )
    }));
    findings.extend(unknown(tree, &stated));
    findings
}

fn is_number(word: &str) -> bool {
    word.strip_prefix("INV-").is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn check_row(row: &Row<'_>, tree: &Tree) -> Vec<Finding> {
    let place = format!("{PAGE}:{}", row.line);
    let id = row.cells[0];
    if row.cells.len() != 4 {
        return vec![Finding::new(
            place,
            "the row has not four cells",
            "number, assertion, oracle, metric",
        )];
    }
    if row.cells[1].starts_with(RESERVED) {
        return Vec::new();
    }
    let cells = KINDS.iter().zip(&row.cells[1..]);
    cells
        .filter_map(|(kind, cell)| check_cell(id, kind, cell, tree))
        .map(|what| {
            Finding::new(
                place.clone(),
                what,
                "name the invariant by its number there, or correct the path",
            )
        })
        .collect()
}

fn check_cell(id: &str, kind: &str, cell: &str, tree: &Tree) -> Option<String> {
    let paths = code(cell);
    if paths.is_empty() {
        return Some(format!("{id} has no {kind}"));
    }
    let silent = paths
        .into_iter()
        .find(|path| !tree.text(path).is_some_and(|text| names(text, id)))?;
    Some(format!(
        "the {kind} of {id}, `{silent}`, is not there or does not name it"
    ))
}

/// Whether a text names an invariant: `INV-1` is not in `INV-10`.
fn names(text: &str, id: &str) -> bool {
    text.match_indices(id)
        .any(|(at, _)| !text[at + id.len()..].starts_with(|next: char| next.is_ascii_digit()))
}

/// Numbers that the code names and the page does not know.
fn unknown(tree: &Tree, stated: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.below("crates/", ".rs") {
        for (at, _) in text.match_indices("INV-") {
            let digits = text[at + 4..]
                .bytes()
                .take_while(u8::is_ascii_digit)
                .count();
            let id = &text[at..at + 4 + digits];
            if digits > 0 && !stated.contains(id) {
                findings.push(Finding::new(
                    path,
                    format!("{id} is stated nowhere"),
                    format!("state it in {PAGE}, or correct the number"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "## INV-1 No oversell\nwords\n\n| invariant | assertion | oracle | metric |\n|---|---|---|---|\n";
    const ROW: &str = "| INV-1 | `crates/ledger/src/units.rs` | `crates/drill/src/audit.rs` | `crates/telemetry/src/names.rs` |\n";

    fn found(page: &str, assertion: &str) -> Vec<String> {
        let tree = Tree::of(&[
            (PAGE, page),
            ("crates/ledger/src/units.rs", assertion),
            ("crates/drill/src/audit.rs", "// INV-1"),
            ("crates/telemetry/src/names.rs", "\"INV-1\""),
        ]);
        check(&tree)
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn all_three_places_name_it() {
        assert_eq!(
            found(&format!("{HEAD}{ROW}"), "assert!(true, \"INV-1\")"),
            Vec::<String>::new()
        );
        assert_eq!(found(&format!("{HEAD}{ROW}"), "assert!(true)").len(), 1);
    }

    #[test]
    fn a_longer_number_is_another_invariant() {
        let what = found(&format!("{HEAD}{ROW}"), "INV-12");
        assert!(
            what.iter()
                .any(|what| what.contains("the assertion of INV-1,")),
            "{what:?}"
        );
        assert!(
            what.iter().any(|what| what == "INV-12 is stated nowhere"),
            "{what:?}"
        );
    }

    #[test]
    fn words_without_a_row_and_rows_without_words_are_found() {
        assert_eq!(found(HEAD, "").len(), 1);
        let other = ROW.replace("INV-1 ", "INV-2 ");
        assert!(found(&format!("{HEAD}{ROW}{other}"), "INV-1").len() > 1);
    }

    #[test]
    fn a_gap_in_the_numbers_is_found() {
        let page = format!("{HEAD}{ROW}").replace("INV-1", "INV-2");
        assert!(found(&page, "INV-2").contains(&"INV-1 is left out".to_owned()));
    }

    #[test]
    fn a_reserved_number_has_no_places() {
        let page = format!("{HEAD}| INV-1 | reserved: begins with teams | | |\n");
        assert_eq!(found(&page, ""), Vec::<String>::new());
    }
}
