//! The table of measurements against the benches that the rooms have: a measurement without its bench
//! fails on the day that it is needed, a bench that no table names is never run.

use std::collections::BTreeSet;

use super::Finding;
use super::layers::room;
use super::tree::Tree;
use crate::bench::BENCHES;

const TABLE: &str = "xtask/src/bench.rs";

/// Both ways.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let named: BTreeSet<(String, String)> = BENCHES
        .iter()
        .map(|bench| (manifest(bench.package), bench.name.to_owned()))
        .collect();
    compare(&named, &present(tree))
}

fn manifest(package: &str) -> String {
    match package {
        "xtask" => "xtask/Cargo.toml".to_owned(),
        package => format!("crates/{}/Cargo.toml", room(package)),
    }
}

/// Every `[[bench]]` of every manifest.
fn present(tree: &Tree) -> BTreeSet<(String, String)> {
    let mut present = BTreeSet::new();
    for (path, text) in tree.below("", "/Cargo.toml") {
        let manifest: toml::Table = text.parse().unwrap_or_default();
        let benches = manifest.get("bench").and_then(toml::Value::as_array);
        let names = benches
            .into_iter()
            .flatten()
            .filter_map(|bench| bench.get("name")?.as_str());
        present.extend(names.map(|name| (path.to_owned(), name.to_owned())));
    }
    present
}

fn compare(
    named: &BTreeSet<(String, String)>,
    present: &BTreeSet<(String, String)>,
) -> Vec<Finding> {
    let missing = named.difference(present).map(|(path, name)| {
        let what = format!("{TABLE} names a bench `{name}` that is not here");
        Finding::new(path, what, "write it, or remove its line from the table")
    });
    let stray = present.difference(named).map(|(path, name)| {
        let what = format!("the bench `{name}` is not in the table of {TABLE}");
        Finding::new(path, what, "give it its line")
    });
    missing.chain(stray).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: (&str, &str) = (
        "crates/shop/Cargo.toml",
        "[[bench]]\nname = \"desk\"\nharness = false\n",
    );

    fn named(name: &str) -> BTreeSet<(String, String)> {
        BTreeSet::from([(manifest("tidegate-shop"), name.to_owned())])
    }

    #[test]
    fn the_table_and_the_rooms_agree() {
        let present = present(&Tree::of(&[MANIFEST]));
        assert_eq!(compare(&named("desk"), &present), []);
        assert_eq!(
            compare(&named("counter"), &present).len(),
            2,
            "one missing, one stray"
        );
    }
}
