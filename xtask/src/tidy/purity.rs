//! The pure rooms, and those that a simulation has to hold.
//!
//! The pure rooms: no task, no IO, no randomness, no clock, neither through a crate nor through std.
//! A book that reads anything but its commands cannot be replayed.

use super::Finding;
use super::graph::Graph;
use super::layers::room;
use super::tree::Tree;

const PURE: &[&str] = &["stdx", "ledger", "commerce", "resilience"];

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

/// Rooms whose tasks, timers, threads and sockets come from `world`, so that a seed decides who goes next.
const HELD: &[&str] = &["storage", "shop", "edge"];

/// Doors that would let a held room escape the simulation.
const ESCAPES: &[&str] = &[
    "spawn_blocking",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::thread",
    "tokio::net",
    "tokio::runtime",
    "tokio::spawn",
    "tokio::task",
    "tokio::time",
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
    for name in HELD {
        let folder = format!("crates/{name}/src/");
        let sources = tree.below(&folder, ".rs");
        findings.extend(sources.flat_map(|(path, text)| escaped(path, text)));
    }
    findings
}

/// The lines of the product, without words and tests, from 1.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let product = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = (1..).zip(product.lines());
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn escaped(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut lines = code(text).peekable();
    while let Some((number, line)) = lines.next() {
        if let Some(door) = ESCAPES.iter().find(|door| line.contains(**door)) {
            findings.push(Finding::new(
                format!("{path}:{number}"),
                format!("a room that a simulation holds names `{door}`"),
                "use `world::Tasks` or `world::Network`",
            ));
        }
        let next = lines.peek().map_or("", |(_, line)| line.trim());
        if line.contains("select! {") && next != "biased;" {
            findings.push(Finding::new(
                format!("{path}:{number}"),
                "this select! lets chance choose, and no seed knows which",
                "begin it with `biased;`, and think about the order",
            ));
        }
    }
    findings
}

fn opened(path: &str, text: &str) -> Vec<Finding> {
    code(text).filter_map(|(number, line)| {
        let door = PATHS.iter().find(|door| line.contains(**door))?;
        Some(Finding::new(
            format!("{path}:{number}"),
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
    fn a_room_that_escapes_the_simulation_is_found() {
        let source = "// tokio::spawn is not for here.\nlet a = tokio::spawn(work);\ntokio::select! {\n    // Why.\n    biased;\n}\ntokio::select! {\n    _ = a => {}\n}\n";
        let tree = |path| Tree::of(&[(path, source)]);
        let findings = check(&Graph::of(&[]), &tree("crates/shop/src/lib.rs"));
        let places: Vec<&str> = findings.iter().map(|found| &*found.place).collect();
        assert_eq!(
            places,
            ["crates/shop/src/lib.rs:2", "crates/shop/src/lib.rs:7"]
        );
        assert_eq!(check(&Graph::of(&[]), &tree("crates/drill/src/a.rs")), []);
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
