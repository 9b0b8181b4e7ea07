//! Which room may depend on which: lower layers only. The table is the house's floor plan; a new room
//! gets its line here in the commit that brings it.

use super::Finding;
use super::graph::{Graph, Package};

/// Every room with its layer.
pub(crate) const ROOMS: &[(&str, u8)] = &[
    ("stdx", 0),
    ("ledger", 1),
    ("commerce", 1),
    ("api", 1),
    ("world", 1),
    ("telemetry", 2),
    ("resilience", 3),
    ("storage", 3),
    ("coordination", 4),
    ("bus", 4),
    ("cache", 4),
    ("series", 4),
    ("search", 4),
    ("engines", 4),
    ("shop", 5),
    ("edge", 5),
    ("drill", 5),
    ("ops", 5),
    ("cloud", 5),
    ("sim", 6),
    ("tidegate", 6),
];

/// The one edge inside a layer.
const SAME_LAYER: (&str, &str) = ("commerce", "ledger");

/// These meet in the traits of `api` and `world`, never by name.
const STRANGERS: &[&str] = &["shop", "edge", "drill", "ops", "cloud"];

const FLOOR_PLAN: &str = "depend on a lower layer, or let the two meet in a trait of `api` or `world`; \
    the plan is in xtask/src/tidy/layers.rs and ARCHITECTURE.md";

/// Edges between our crates, those of tests and benches too.
pub(crate) fn check(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for from in graph.ours() {
        if from.name != "xtask" && layer(room(&from.name)).is_none() {
            findings.push(Finding::new(
                format!("crates/{}", room(&from.name)),
                "this room has no layer",
                "give it one in xtask/src/tidy/layers.rs",
            ));
        }
        let edges = graph
            .direct(from)
            .filter(|(to, _)| to.ours && to.name != from.name);
        findings.extend(edges.filter_map(|(to, _)| edge(from, to)));
    }
    findings
}

/// The room of a package: its directory and dependency key.
pub(crate) fn room(package: &str) -> &str {
    package.strip_prefix("tidegate-").unwrap_or(package)
}

fn layer(room: &str) -> Option<u8> {
    ROOMS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|(_, layer)| *layer)
}

fn edge(from: &Package, to: &Package) -> Option<Finding> {
    let (from, to) = (room(&from.name), room(&to.name));
    let what = forbidden(from, to)?;
    let manifest = if from == "xtask" {
        "xtask"
    } else {
        &format!("crates/{from}")
    };
    Some(Finding::new(
        format!("{manifest}/Cargo.toml"),
        what,
        FLOOR_PLAN,
    ))
}

fn forbidden(from: &str, to: &str) -> Option<String> {
    if from == "xtask" {
        return Some(format!("xtask names `{to}`; tools name no room"));
    }
    if STRANGERS.contains(&from) && STRANGERS.contains(&to) {
        return Some(format!(
            "`{from}` names `{to}`; these rooms never name one another"
        ));
    }
    if from == "api" && to != "stdx" {
        return Some(format!("`api` names `{to}`; the wire depends on stdx only"));
    }
    if to == "engines" && from != "tidegate" {
        return Some(format!(
            "`{from}` names `engines`; only the composition root does"
        ));
    }
    let (high, low) = (layer(from)?, layer(to)?);
    if low < high || (from, to) == SAME_LAYER {
        return None;
    }
    Some(format!(
        "`{from}` (layer {high}) names `{to}` (layer {low})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(crates: &[(&str, &[&str])]) -> Vec<String> {
        check(&Graph::of(crates))
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn the_floor_plan_holds() {
        let plan: &[(&str, &[&str])] = &[
            (
                "tidegate",
                &["tidegate-shop", "tidegate-edge", "tidegate-engines"],
            ),
            (
                "tidegate-shop",
                &["tidegate-commerce", "tidegate-storage", "serde"],
            ),
            ("tidegate-commerce", &["tidegate-ledger", "tidegate-stdx"]),
        ];
        assert_eq!(found(plan), Vec::<String>::new());
    }

    #[test]
    fn upward_and_sideways_edges_are_found() {
        assert_eq!(
            found(&[("tidegate-ledger", &["tidegate-commerce"])]).len(),
            1
        );
        assert_eq!(found(&[("tidegate-world", &["tidegate-storage"])]).len(), 1);
        assert_eq!(
            found(&[("tidegate-telemetry", &["tidegate-shop"])]).len(),
            1
        );
    }

    #[test]
    fn rooms_that_must_not_meet_are_found_even_in_tests() {
        let what = found(&[("tidegate-edge", &["tidegate-shop?"])]);
        assert!(what[0].contains("never name one another"), "{what:?}");
    }

    #[test]
    fn the_wire_the_tools_and_the_engines_have_rules_of_their_own() {
        assert_eq!(found(&[("tidegate-api", &["tidegate-world"])]).len(), 1);
        assert_eq!(found(&[("xtask", &["tidegate-stdx"])]).len(), 1);
        assert_eq!(found(&[("tidegate-sim", &["tidegate-engines"])]).len(), 1);
    }

    #[test]
    fn a_room_without_a_layer_is_found() {
        assert_eq!(
            found(&[("tidegate-attic", &[])]),
            ["this room has no layer"]
        );
    }
}
