//! Links between our own documents lead somewhere, and the index of `docs/` names every document.

use super::Finding;
use super::tree::Tree;

const INDEX: &str = "docs/README.md";

/// Relative links of every Markdown file, and the completeness of the index.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tree
        .below("", ".md")
        .flat_map(|(path, text)| broken(path, text, tree))
        .collect();
    let linked: Vec<String> = targets(tree.text(INDEX).unwrap_or_default())
        .filter_map(|target| resolved(INDEX, target))
        .collect();
    for (path, _) in tree
        .below("docs/", ".md")
        .filter(|(path, _)| in_index(path))
    {
        if !linked.iter().any(|link| link == path) {
            findings.push(Finding::new(
                INDEX,
                format!("it does not name {path}"),
                "add a line with a link",
            ));
        }
    }
    findings
}

/// Pages in bulk have an index of their own: the error pages, the decisions, the reports.
fn in_index(path: &str) -> bool {
    let bulk = ["docs/errors/", "docs/adr/", "docs/perf/"];
    path != INDEX
        && (!bulk.iter().any(|folder| path.starts_with(folder)) || path.ends_with("/README.md"))
}

fn broken(path: &str, text: &str, tree: &Tree) -> Vec<Finding> {
    targets(text)
        .filter_map(|target| Some((target, resolved(path, target)?)))
        .filter(|(_, place)| !tree.exists(place))
        .map(|(target, _)| {
            Finding::new(
                path,
                format!("the link to {target} leads nowhere"),
                "correct or remove it",
            )
        })
        .collect()
}

/// What stands in `](…)`, titles and anchors cut off.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let cut = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    cut.filter_map(|target| target.split(['#', ' ']).next())
        .filter(|target| !target.is_empty())
}

/// The path from the root that a link means; `None` for other sites and for paths that a server serves.
fn resolved(from: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") || target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_somewhere() {
        let guide = (
            "docs/howto/drill.md",
            "See [the map](../requirements.md#d10) and [a site](https://example.org).\n",
        );
        let index = (INDEX, "[drill](howto/drill.md) [map](requirements.md)");
        assert_eq!(
            check(&Tree::of(&[guide, index, ("docs/requirements.md", "")])),
            []
        );
        let findings = check(&Tree::of(&[guide, (INDEX, "[drill](howto/drill.md)")]));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].what.contains("../requirements.md"));
    }

    #[test]
    fn the_index_names_every_document_but_pages_in_bulk() {
        let tree = Tree::of(&[
            (INDEX, ""),
            ("docs/invariants.md", ""),
            ("docs/errors/TG-1001.md", ""),
        ]);
        let findings = check(&tree);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].what.contains("docs/invariants.md"));
    }
}
