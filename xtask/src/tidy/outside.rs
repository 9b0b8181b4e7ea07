//! Other people's crates: who may use which, and what may never come in.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Finding;
use super::graph::{Graph, Need};
use super::layers::room;
use super::tree::Tree;
use crate::snapshot as list;

/// Where direct dependencies are listed with their reasons.
pub(crate) const ALLOWED: &str = "deps/allowed.toml";
/// Where banned crates and allowed licences are listed, for us and for cargo-deny.
pub(crate) const DENY: &str = "deny.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The rooms that use it.
    #[serde(default)]
    rooms: BTreeSet<String>,
    /// The rooms that use it in tests, examples and benches.
    #[serde(default)]
    tests: BTreeSet<String>,
    why: String,
}

/// Direct dependencies against the list: a use that is not listed, and a listing without its use.
pub(crate) fn direct(graph: &Graph, tree: &Tree) -> Vec<Finding> {
    let allowed: BTreeMap<String, Entry> = match parse(tree, ALLOWED) {
        Ok(allowed) => allowed,
        Err(finding) => return vec![finding],
    };
    let used = uses(graph);
    let mut findings: Vec<Finding> = used
        .iter()
        .filter_map(|one| unlisted(one, &allowed))
        .collect();
    for (name, entry) in &allowed {
        if entry.why.trim().len() < 10 {
            findings.push(Finding::new(
                ALLOWED,
                format!("`{name}` has no reason"),
                "say why it is needed",
            ));
        }
        let listed = entry.rooms.iter().map(|room| (room, Need::Build));
        let listed = listed.chain(entry.tests.iter().map(|room| (room, Need::Test)));
        for (room, need) in listed {
            if !used.contains(&(name.clone(), room.clone(), need)) {
                findings.push(Finding::new(
                    ALLOWED,
                    format!(
                        "`{name}` is listed for `{room}`{}, which does not use it",
                        for_tests(need)
                    ),
                    "remove the room from the list, or the entry with its last room",
                ));
            }
        }
    }
    findings
}

type Use = (String, String, Need);

fn uses(graph: &Graph) -> BTreeSet<Use> {
    let mut uses = BTreeSet::new();
    for package in graph.ours() {
        for (other, need) in graph.direct(package).filter(|(other, _)| !other.ours) {
            uses.insert((other.name.clone(), room(&package.name).to_owned(), need));
        }
    }
    uses
}

fn unlisted((name, room, need): &Use, allowed: &BTreeMap<String, Entry>) -> Option<Finding> {
    let entry = allowed.get(name);
    let listed = entry.is_some_and(|entry| match need {
        Need::Build => entry.rooms.contains(room),
        Need::Test => entry.tests.contains(room),
    });
    if listed {
        return None;
    }
    Some(Finding::new(
        format!("crates/{room}/Cargo.toml"),
        format!(
            "`{room}` uses `{name}`{}, which {ALLOWED} does not allow",
            for_tests(*need)
        ),
        "do without it, or list it with its reason and say in the commit what it pulls in and what was refused",
    ))
}

fn for_tests(need: Need) -> &'static str {
    match need {
        Need::Build => "",
        Need::Test => " in tests",
    }
}

/// Every crate of the binary against the checked-in list.
pub(crate) fn snapshot(in_binary: &BTreeSet<String>, tree: &Tree) -> Vec<Finding> {
    let listed = list::listed(tree.text(list::PLACE).unwrap_or_default());
    let finding = |what: String| {
        Finding::new(
            list::PLACE,
            what,
            "if it is meant: cargo xtask snapshot, and commit the list",
        )
    };
    let new = in_binary
        .difference(&listed)
        .map(|name| finding(format!("`{name}` is new in the binary")));
    let gone = listed
        .difference(in_binary)
        .map(|name| finding(format!("`{name}` is no longer in the binary")));
    new.chain(gone).collect()
}

#[derive(Deserialize)]
struct Deny {
    bans: Bans,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    name: String,
    reason: String,
}

/// Crates that must not come in by any way.
pub(crate) fn banned(graph: &Graph, tree: &Tree) -> Vec<Finding> {
    let deny: Deny = match parse(tree, DENY) {
        Ok(deny) => deny,
        Err(finding) => return vec![finding],
    };
    let mut findings = Vec::new();
    for package in graph.packages() {
        for (other, _) in graph.direct(package) {
            if let Some(ban) = deny.bans.deny.iter().find(|ban| ban.name == other.name) {
                findings.push(Finding::new(
                    "Cargo.lock",
                    format!(
                        "`{}` {} brings the banned crate `{}`",
                        package.name, package.version, ban.name
                    ),
                    format!("remove it: {}", ban.reason),
                ));
            }
        }
    }
    findings
}

/// Reads a TOML file of the tree; what is wrong with it is a finding.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(tree: &Tree, path: &str) -> Result<T, Finding> {
    let text = tree
        .text(path)
        .ok_or_else(|| Finding::new(path, "there is no such file", "restore it"))?;
    toml::from_str(text)
        .map_err(|error| Finding::new(path, error.message(), "write it as the file's head says"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str) -> Tree {
        Tree::of(&[(ALLOWED, text)])
    }

    #[test]
    fn a_new_dependency_fails_until_it_is_listed() {
        let graph = Graph::of(&[("tidegate-shop", &["bytes", "proptest?"])]);
        let findings = direct(&graph, &allowed(""));
        assert_eq!(findings.len(), 2);
        assert!(findings[0].what.contains("`shop` uses `bytes`, which"));
        let listed = "[bytes]\nrooms = ['shop']\nwhy = 'cheap slices of a body'\n\
            [proptest]\ntests = ['shop']\nwhy = 'properties of the desk'\n";
        assert_eq!(direct(&graph, &allowed(listed)), []);
    }

    #[test]
    fn a_listing_for_tests_does_not_allow_it_in_the_product() {
        let graph = Graph::of(&[("tidegate-shop", &["rand"])]);
        let listed = "[rand]\ntests = ['shop']\nwhy = 'crowds in tests only'\n";
        assert_eq!(
            direct(&graph, &allowed(listed)).len(),
            2,
            "one unlisted use, one unused listing"
        );
    }

    #[test]
    fn a_listing_without_use_or_reason_is_found() {
        let findings = direct(
            &Graph::of(&[]),
            &allowed("[bytes]\nrooms = ['shop']\nwhy = ''\n"),
        );
        assert_eq!(findings.len(), 2);
        assert_eq!(
            direct(&Graph::of(&[]), &Tree::of(&[])).len(),
            1,
            "and so is a missing list"
        );
    }

    #[test]
    fn a_banned_crate_is_found_however_deep() {
        let tree = Tree::of(&[(
            DENY,
            "[bans]\ndeny = [{ name = 'openssl', reason = 'one provider' }]\n",
        )]);
        let graph = Graph::of(&[("tidegate-edge", &["tls"]), ("tls", &["openssl"])]);
        let findings = banned(&graph, &tree);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].what.contains("`tls`"));
        assert_eq!(
            banned(&Graph::of(&[("tidegate-edge", &["tls"])]), &tree),
            []
        );
    }

    #[test]
    fn a_crate_that_is_new_in_the_binary_or_gone_is_found() {
        let tree = Tree::of(&[(list::PLACE, "# list\nbytes\nold\n")]);
        let binary = BTreeSet::from(["bytes".to_owned(), "new".to_owned()]);
        let what: Vec<_> = snapshot(&binary, &tree)
            .into_iter()
            .map(|finding| finding.what)
            .collect();
        assert_eq!(
            what,
            [
                "`new` is new in the binary",
                "`old` is no longer in the binary"
            ]
        );
    }
}
