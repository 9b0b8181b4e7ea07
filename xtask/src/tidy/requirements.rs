//! `docs/requirements.md` maps each requirement to the place where it lives and to what shows it. A map
//! to places that are gone is worse than none, so every path and every test in it is looked up.

use std::collections::BTreeSet;

use super::Finding;
use super::table::{Row, code, rows};
use super::tree::Tree;
use crate::bench::BENCHES;

const MAP: &str = "docs/requirements.md";
const TASKS: &[&str] = &["ci", "test", "tidy", "snapshot", "bench", "release"];

/// `| id | promise | place | shown by |`, with paths and tests between backquotes.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(MAP) else {
        return vec![Finding::new(MAP, "there is no such file", "restore it")];
    };
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for row in rows(text) {
        let problems = check_row(&row, tree);
        let twice = row
            .cells
            .first()
            .filter(|id| !seen.insert((*id).to_owned()));
        let problems = problems
            .into_iter()
            .chain(twice.map(|id| format!("{id} stands here twice")));
        findings.extend(problems.map(|what| {
            Finding::new(
                format!("{MAP}:{}", row.line),
                what,
                "correct the row; it says where to look",
            )
        }));
    }
    if seen.is_empty() {
        findings.push(Finding::new(MAP, "it maps nothing", "restore its table"));
    }
    findings
}

fn check_row(row: &Row<'_>, tree: &Tree) -> Vec<String> {
    let [id, promise, places, shown] = row.cells.as_slice() else {
        return vec!["the row has not four cells".to_owned()];
    };
    let mut problems = Vec::new();
    if !is_id(id) {
        problems.push(format!(
            "`{id}` is no requirement id, a letter and a number"
        ));
    }
    if promise.is_empty() {
        problems.push(format!("{id} promises nothing"));
    }
    let (places, shown) = (code(places), code(shown));
    if places.is_empty() || shown.is_empty() {
        problems.push(format!(
            "{id} needs a place and something that shows it, between backquotes"
        ));
    }
    problems.extend(
        places
            .into_iter()
            .filter(|path| !tree.exists(path))
            .map(|path| format!("{id}: no place `{path}`")),
    );
    problems.extend(
        shown
            .into_iter()
            .filter_map(|proof| missing(proof, tree))
            .map(|what| format!("{id}: {what}")),
    );
    problems
}

fn is_id(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|first| first.is_ascii_uppercase())
        && !letters.as_str().is_empty()
        && letters.all(|digit| digit.is_ascii_digit())
}

/// What is wrong with a proof: a test as `path::name`, a command, or a document.
fn missing(proof: &str, tree: &Tree) -> Option<String> {
    if let Some(task) = proof.strip_prefix("cargo xtask ") {
        return (!is_task(task)).then(|| format!("no command `{proof}`"));
    }
    if let Some(command) = proof.strip_prefix("tidegate ") {
        return (!is_command(command, tree)).then(|| format!("no command `{proof}`"));
    }
    match proof.split_once("::") {
        Some((path, test)) => {
            let found = tree
                .text(path)
                .is_some_and(|text| text.contains(&format!("fn {test}(")));
            (!found).then(|| format!("no test `{proof}`"))
        }
        None => (!tree.exists(proof)).then(|| format!("nothing called `{proof}`")),
    }
}

fn is_task(task: &str) -> bool {
    let mut words = task.split_whitespace();
    let known = words.next().is_some_and(|task| TASKS.contains(&task));
    let is_bench = task.starts_with("bench");
    known
        && (!is_bench
            || words.all(|name| {
                name.starts_with('-') || BENCHES.iter().any(|bench| bench.name == name)
            }))
}

/// A command is a variant of the binary's command line, so its name in that form stands in its sources.
fn is_command(command: &str, tree: &Tree) -> bool {
    let Some(name) = command.split_whitespace().next() else {
        return false;
    };
    let variant: String = name[..1].to_uppercase() + &name[1..];
    let forms = [
        format!("{variant}("),
        format!("{variant} {{"),
        format!("{variant},"),
    ];
    tree.below("crates/tidegate/src/", ".rs")
        .any(|(_, text)| forms.iter().any(|form| text.contains(form)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(row: &str) -> Vec<String> {
        let text = format!("| id | promise | place | shown by |\n|---|---|---|---|\n{row}\n");
        let tree = Tree::of(&[
            (MAP, &text),
            ("crates/shop/src/desk.rs", "fn one_cup_one_order() {}"),
            (
                "crates/tidegate/src/main.rs",
                "enum Command { Drill(Drill), Verify { data: PathBuf } }",
            ),
        ]);
        check(&tree)
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn paths_tests_and_commands_are_looked_up() {
        let shown = "`crates/shop/src/desk.rs::one_cup_one_order`, `cargo xtask bench book`, `tidegate drill --kill 5`, \
            `tidegate verify --data D`";
        assert_eq!(
            found(&format!(
                "| D10 | take stock | `crates/shop/src` | {shown} |"
            )),
            Vec::<String>::new()
        );
    }

    #[test]
    fn what_is_gone_is_found() {
        assert_eq!(
            found("| D10 | p | `crates/shop/src/gone.rs` | `crates/shop` |"),
            ["D10: no place `crates/shop/src/gone.rs`"]
        );
        assert_eq!(
            found("| D10 | p | `crates/shop` | `crates/shop/src/desk.rs::two_cups` |").len(),
            1
        );
        assert_eq!(
            found("| D10 | p | `crates/shop` | `cargo xtask bench bok` |").len(),
            1
        );
        assert_eq!(
            found("| D10 | p | `crates/shop` | `cargo xtask cj` |").len(),
            1
        );
        assert_eq!(
            found("| D10 | p | `crates/shop` | `tidegate sing` |").len(),
            1
        );
    }

    #[test]
    fn a_row_says_all_four_things_once() {
        assert_eq!(found("| D10 | p | words | words |").len(), 1);
        assert_eq!(found("| D10 | | `crates/shop` | `crates/shop` |").len(), 1);
        assert_eq!(
            found("| ten | p | `crates/shop` | `crates/shop` |").len(),
            1
        );
        let row = "| D10 | p | `crates/shop` | `crates/shop` |";
        assert_eq!(found(&format!("{row}\n{row}")), ["D10 stands here twice"]);
    }

    #[test]
    fn an_empty_map_is_found() {
        assert_eq!(check(&Tree::of(&[(MAP, "words\n")])).len(), 1);
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
