//! Deliberate bugs: the table and the code name the same ones, no witness has any, and nothing but a
//! simulation can be built with them.

use std::collections::BTreeMap;

use super::Finding;
use super::tree::Tree;

const TABLE: &str = "crates/stdx/src/mutants/table.rs";
/// The one manifest that may switch them on, and the switch that it has.
const SWITCH: (&str, &str) = ("crates/sim/Cargo.toml", "features.mutants");
/// Who judges or stands for the outside, and so stays honest; and the home of the table itself.
const HONEST: &[&str] = &[
    "crates/stdx/",
    "crates/api/",
    "crates/world/",
    "crates/telemetry/",
    "crates/drill/",
    "crates/sim/",
    "crates/tidegate/",
    "crates/shop/src/provider/",
    "crates/shop/src/verify",
];
/// What a release is built by.
const RELEASE: &[&str] = &["xtask/src/release.rs", "xtask/src/ci.rs"];

/// Both ways between the table and the code, then the switch.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let rows = rows(tree.text(TABLE).unwrap_or_default());
    let mut findings = twice(&rows);
    let mut asked = BTreeMap::new();
    for (path, text) in tree.below("crates/", ".rs") {
        for name in names(text) {
            findings.extend(question(path, name, &rows));
            asked.insert(name, path);
        }
    }
    findings.extend(unasked(&rows, &asked));
    findings.extend(switches(tree));
    findings.extend(release(tree));
    findings
}

/// The names of the table with their rooms, in its order.
fn rows(table: &str) -> Vec<(&str, &str)> {
    let field = |line: &'_ str, name: &str| -> Option<(usize, usize)> {
        let start = line.find(&format!("{name}: \""))? + name.len() + 3;
        Some((start, start + line[start..].find('"')?))
    };
    let mut rows = Vec::new();
    let mut name = "";
    for line in table.lines().map(str::trim) {
        if let Some((from, to)) = field(line, "name") {
            name = &line[from..to];
        }
        if let Some((from, to)) = field(line, "room") {
            rows.push((name, &line[from..to]));
        }
    }
    rows
}

fn twice(rows: &[(&str, &str)]) -> Vec<Finding> {
    let again = rows.iter().enumerate().filter(|(at, (name, _))| {
        let mut before = rows[..*at].iter();
        before.any(|(other, _)| other == name)
    });
    again
        .map(|(_, (name, _))| {
            let what = format!("the mutant `{name}` stands twice");
            Finding::new(TABLE, what, "give one of them another name")
        })
        .collect()
}

/// Whom a text asks about; an empty name where no literal stands.
fn names(text: &str) -> Vec<&str> {
    let questions = text.split("mutants::is(").skip(1);
    questions
        .map(|rest| {
            let literal = rest.trim_start().strip_prefix('"');
            let name = literal.and_then(|rest| rest.split_once('"'));
            name.map_or("", |(name, _)| name)
        })
        .collect()
}

fn question(path: &str, name: &str, rows: &[(&str, &str)]) -> Option<Finding> {
    if HONEST.iter().any(|honest| path.starts_with(honest)) {
        let what = "a deliberate bug in code that judges, or stands for the outside";
        return Some(Finding::new(
            path,
            what,
            "put it into the code that is judged",
        ));
    }
    match rows.iter().find(|(known, _)| *known == name) {
        None => Some(Finding::new(
            path,
            format!("it asks about a mutant `{name}` that {TABLE} does not have"),
            "give it a row, or name it by a literal",
        )),
        Some((_, room)) if !path.starts_with(&format!("crates/{room}/src/")) => Some(Finding::new(
            path,
            format!("the mutant `{name}` belongs to the room `{room}`"),
            format!("correct its room in {TABLE}"),
        )),
        Some(_) => None,
    }
}

fn unasked(rows: &[(&str, &str)], asked: &BTreeMap<&str, &str>) -> Vec<Finding> {
    let silent = rows.iter().filter(|(name, _)| !asked.contains_key(name));
    silent
        .map(|(name, _)| {
            let what = format!("no code asks about the mutant `{name}`");
            Finding::new(
                TABLE,
                what,
                "ask at the place where it would stand, or remove its row",
            )
        })
        .collect()
}

/// Every place of every manifest that switches mutants on, the one that may aside.
fn switches(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.below("", "Cargo.toml") {
        let manifest: toml::Table = text.parse().unwrap_or_default();
        let mut places = Vec::new();
        walk(&toml::Value::Table(manifest), "", &mut places);
        places.retain(|place| (path, place.as_str()) != SWITCH);
        findings.extend(places.into_iter().map(|place| {
            let what = format!("`{place}` switches the deliberate bugs on");
            Finding::new(
                path,
                what,
                "only the feature `mutants` of the simulation does that",
            )
        }));
    }
    findings
}

/// Where a list names the feature `mutants`, by the keys that lead there.
fn walk(value: &toml::Value, place: &str, places: &mut Vec<String>) {
    match value {
        toml::Value::Table(table) => {
            // What a target asks for switches nothing on.
            for (key, value) in table.iter().filter(|(key, _)| *key != "required-features") {
                let dot = if place.is_empty() { "" } else { "." };
                walk(value, &format!("{place}{dot}{key}"), places);
            }
        }
        toml::Value::Array(list) => {
            for item in list {
                match item.as_str() {
                    Some(text) if text == "mutants" || text.ends_with("/mutants") => {
                        places.push(place.to_owned());
                    }
                    _ => walk(item, place, places),
                }
            }
        }
        _ => {}
    }
}

/// A release is built with no feature that could bring them.
fn release(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in RELEASE {
        let text = tree.text(path).unwrap_or_default();
        let builds = text.split("\"--release\"").skip(1);
        let command = |rest: &str| rest.split(']').next().unwrap_or_default().to_owned();
        if builds.map(command).any(|words| words.contains("features")) {
            let what = "a release build names features";
            findings.push(Finding::new(
                *path,
                what,
                "a release has the default features",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str =
        "    Mutant {\n        name: \"sold-twice\",\n        room: \"ledger\",\n    },\n";
    const ASKS: (&str, &str) = (
        "crates/ledger/src/units.rs",
        "if stdx::mutants::is(\n    \"sold-twice\",\n) {}",
    );
    const SIM: (&str, &str) = (
        "crates/sim/Cargo.toml",
        "[features]\nmutants = [\"stdx/mutants\"]\n",
    );

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let findings = check(&Tree::of(files));
        findings.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_mutant_with_its_row_and_its_place_is_fine() {
        assert_eq!(found(&[(TABLE, ROW), ASKS, SIM]), Vec::<String>::new());
    }

    #[test]
    fn a_row_without_a_question_and_a_question_without_a_row_are_found() {
        assert_eq!(
            found(&[(TABLE, ROW)]),
            ["no code asks about the mutant `sold-twice`"]
        );
        assert!(found(&[ASKS])[0].contains("`sold-twice` that"));
        let computed = ("crates/ledger/src/units.rs", "stdx::mutants::is(name)");
        assert_eq!(found(&[(TABLE, ROW), ASKS, computed]).len(), 2);
    }

    #[test]
    fn a_row_that_stands_twice_or_in_another_room_is_found() {
        assert_eq!(found(&[(TABLE, &format!("{ROW}{ROW}")), ASKS]).len(), 1);
        let moved = ("crates/shop/src/desk.rs", ASKS.1);
        assert!(found(&[(TABLE, ROW), moved])[0].contains("belongs to the room `ledger`"));
    }

    #[test]
    fn a_witness_with_a_bug_is_found() {
        let liar = ("crates/shop/src/provider/sandbox.rs", ASKS.1);
        assert_eq!(found(&[(TABLE, ROW), ASKS, liar]).len(), 1);
    }

    #[test]
    fn every_other_switch_is_found() {
        let manifests = [
            "[dependencies]\nstdx = { workspace = true, features = [\"mutants\"] }",
            "[dev-dependencies.stdx]\nworkspace = true\nfeatures = [\"mutants\"]",
            "[features]\nmutants = [\"stdx/mutants\"]",
            "[target.'cfg(unix)'.dependencies]\nstdx = { path = \"x\", features = [\"mutants\"] }",
        ];
        for manifest in manifests {
            let product = ("crates/tidegate/Cargo.toml", manifest);
            assert_eq!(found(&[product]).len(), 1, "{manifest}");
        }
        let default = "[features]\ndefault = [\"mutants\"]\nmutants = [\"stdx/mutants\"]\n";
        assert_eq!(found(&[(SIM.0, default)]).len(), 1);
        let workspace =
            "[workspace.dependencies]\nstdx = { path = \"x\", features = [\"mutants\"] }";
        assert_eq!(found(&[("Cargo.toml", workspace)]).len(), 1);
    }

    #[test]
    fn a_release_with_features_is_found() {
        let plain = "[\"build\", \"--release\", \"--package\", \"tidegate\"]; // features";
        assert_eq!(found(&[(RELEASE[0], plain)]), Vec::<String>::new());
        let odd = "[\"build\", \"--release\", \"--all-features\"]";
        assert_eq!(found(&[(RELEASE[0], odd)]).len(), 1);
    }
}
