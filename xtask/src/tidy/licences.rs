//! Licences of the whole graph, against the list in `deny.toml`.

use serde::Deserialize;
use spdx::{Expression, ParseMode};

use super::Finding;
use super::graph::{Graph, Package};
use super::outside::{DENY, parse};
use super::tree::Tree;

#[derive(Deserialize)]
struct Deny {
    licenses: Licences,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

/// Licences that one crate may have besides.
#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

impl Licences {
    fn allow(&self, package: &Package, licence: &str) -> bool {
        let mine = self
            .exceptions
            .iter()
            .filter(|exception| exception.name == package.name);
        let besides = mine.flat_map(|exception| &exception.allow);
        self.allow.iter().chain(besides).any(|one| one == licence)
    }
}

/// Each crate's expression must be satisfied by allowed licences.
pub(crate) fn check(graph: &Graph, tree: &Tree) -> Vec<Finding> {
    let deny: Deny = match parse(tree, DENY) {
        Ok(deny) => deny,
        Err(finding) => return vec![finding],
    };
    graph
        .packages()
        .filter_map(|package| judge(package, &deny.licenses))
        .collect()
}

fn judge(package: &Package, licences: &Licences) -> Option<Finding> {
    let finding = |what: String| {
        let place = format!("{} {}", package.name, package.version);
        Finding::new(
            place,
            what,
            "take another crate, or an exception in deny.toml with its reason",
        )
    };
    let Some(licence) = &package.licence else {
        return Some(finding("states no licence".to_owned()));
    };
    match Expression::parse_mode(licence, ParseMode::LAX) {
        Err(error) => Some(finding(format!(
            "its licence `{licence}` cannot be read: {}",
            error.reason
        ))),
        Ok(expression) => {
            let allowed = expression.evaluate(|asked| licences.allow(package, &asked.to_string()));
            (!allowed).then(|| finding(format!("its licence `{licence}` is not allowed")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(licence: &str) -> usize {
        let tree = Tree::of(&[(
            DENY,
            "[licenses]\nallow = ['MIT', 'Apache-2.0', 'Unicode-3.0']\n",
        )]);
        check(&Graph::of(&[]).licensed("one", licence), &tree).len()
    }

    #[test]
    fn any_allowed_side_of_an_or_is_enough() {
        assert_eq!(judged("MIT OR GPL-3.0-only"), 0);
        assert_eq!(judged("Unlicense/MIT"), 0, "the old notation for OR");
    }

    #[test]
    fn an_exception_is_for_one_crate_only() {
        let text =
            "[licenses]\nallow = ['MIT']\nexceptions = [{ allow = ['BSL-1.0'], crate = 'one' }]\n";
        let tree = Tree::of(&[(DENY, text)]);
        let graph = Graph::of(&[])
            .licensed("one", "BSL-1.0")
            .licensed("two", "BSL-1.0");
        let findings = check(&graph, &tree);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].place.starts_with("two"));
    }

    #[test]
    fn both_sides_of_an_and_are_needed() {
        assert_eq!(judged("(MIT OR Apache-2.0) AND Unicode-3.0"), 0);
        assert_eq!(judged("MIT AND GPL-3.0-only"), 1);
    }

    #[test]
    fn what_is_not_allowed_not_stated_or_not_readable_is_found() {
        assert_eq!(judged("AGPL-3.0-only"), 1);
        assert_eq!(judged("free as in beer"), 1);
        let tree = Tree::of(&[(DENY, "[licenses]\nallow = ['MIT']\n")]);
        assert_eq!(check(&Graph::of(&[("one", &[])]), &tree).len(), 1);
    }
}
