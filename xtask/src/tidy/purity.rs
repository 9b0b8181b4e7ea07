//! The pure rooms: no task, no IO, no randomness, no clock, neither through a crate nor through std.
//! A book that reads anything but its commands cannot be replayed.

use super::Finding;
use super::graph::Graph;
use super::layers::room;
use super::tree::Tree;

const PURE: &[&str] = &["stdx", "ledger", "commerce"];

const CRATES: &[&str] = &[
    "async-std",
    "fastrand",
    "getrandom",
    "hyper",
    "jiff",
    "libc",
    "mio",
    "polling",
    "rand",
    "rand_core",
    "rustix",
    "smol",
    "socket2",
    "tokio",
    "chrono",
];

/// Paths of std that open a door, and maps whose order differs from run to run: those made without a
/// stated hasher.
const PATHS: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "HashMap::new(",
    "HashSet::new(",
    "HashMap::with_capacity(",
    "HashSet::with_capacity(",
];

/// Looks at the edges and at the sources of the pure rooms, their tests aside.
pub(crate) fn check(graph: &Graph, tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in graph
        .ours()
        .filter(|package| PURE.contains(&room(&package.name)))
    {
        let reached = graph.reached(package);
        for (name, through) in CRATES.iter().filter_map(|name| reached.get_key_value(name)) {
            findings.push(Finding::new(
                format!("crates/{}/Cargo.toml", room(&package.name)),
                format!("this pure room reaches `{name}`, through `{through}`"),
                "switch off the feature that brings it, or do this part in a room above",
            ));
        }
    }
    for name in PURE {
        let folder = format!("crates/{name}/src/");
        findings.extend(
            tree.below(&folder, ".rs")
                .flat_map(|(path, text)| opened(path, text)),
        );
    }
    findings
}

fn opened(path: &str, text: &str) -> Vec<Finding> {
    let product = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code = product
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.filter_map(|(index, line)| {
        let door = PATHS.iter().find(|door| line.contains(**door))?;
        Some(Finding::new(
            format!("{path}:{}", index + 1),
            format!("a pure room names `{door}`"),
            "take the value as an argument, or do this part in a room above; for maps, BTreeMap or a hasher that is stated",
        ))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_deep_in_the_graph_is_found() {
        let graph = Graph::of(&[
            ("tidegate-commerce", &["tidegate-ledger"]),
            ("tidegate-ledger", &["ahash"]),
            ("ahash", &["getrandom"]),
        ]);
        let findings = check(&graph, &Tree::of(&[]));
        assert_eq!(findings.len(), 2, "both rooms reach it: {findings:?}");
        assert!(findings[0].what.contains("`getrandom`, through `ahash`"));
    }

    #[test]
    fn a_room_that_is_not_pure_may_reach_it() {
        let graph = Graph::of(&[("tidegate-world", &["getrandom"])]);
        assert_eq!(check(&graph, &Tree::of(&[])), []);
    }

    #[test]
    fn std_doors_are_found_in_code_but_not_in_words_or_tests() {
        let source = "//! No std::fs here.\nuse std::fs::File;\n#[cfg(test)]\nmod tests { use std::thread; }\n";
        let findings = check(
            &Graph::of(&[]),
            &Tree::of(&[("crates/ledger/src/lib.rs", source)]),
        );
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].place, "crates/ledger/src/lib.rs:2");
    }
}
