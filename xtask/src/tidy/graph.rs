//! Crates and what they depend on, from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand};

/// Why one crate depends on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// To run, or to build what runs.
    Build,
    /// For tests, examples and benches only.
    Test,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) to: String,
    pub(crate) need: Need,
}

/// One crate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: Option<String>,
    /// Whether it is one of our own.
    pub(crate) ours: bool,
    pub(crate) edges: BTreeSet<Edge>,
}

/// All crates that cargo resolved, by cargo's id.
#[derive(Default)]
pub(crate) struct Graph {
    packages: BTreeMap<String, Package>,
}

impl Graph {
    /// Asks cargo, with every feature of ours switched on.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let metadata = MetadataCommand::new()
            .current_dir(root)
            .features(CargoOpt::AllFeatures)
            .other_options(vec!["--locked".to_owned()])
            .exec()
            .context("cargo metadata --locked")?;
        Self::of_metadata(&metadata)
    }

    fn of_metadata(metadata: &Metadata) -> Result<Self> {
        let ours: BTreeSet<_> = metadata.workspace_members.iter().collect();
        let mut packages: BTreeMap<String, Package> = metadata
            .packages
            .iter()
            .map(|package| {
                let known = Package {
                    name: package.name.to_string(),
                    version: package.version.to_string(),
                    licence: package.license.clone(),
                    ours: ours.contains(&package.id),
                    edges: BTreeSet::new(),
                };
                (package.id.repr.clone(), known)
            })
            .collect();
        let resolve = metadata
            .resolve
            .as_ref()
            .context("cargo metadata resolved nothing")?;
        for node in &resolve.nodes {
            let package = packages
                .get_mut(&node.id.repr)
                .context("a node without a package")?;
            for dependency in &node.deps {
                let kinds = dependency.dep_kinds.iter().map(|info| need(info.kind));
                let to = &dependency.pkg.repr;
                package.edges.extend(kinds.map(|need| Edge {
                    to: to.clone(),
                    need,
                }));
            }
        }
        Ok(Self { packages })
    }

    /// Every crate.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    /// Our own crates.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages().filter(|package| package.ours)
    }

    /// What a crate names directly, with the reason of each edge.
    pub(crate) fn direct<'a>(
        &'a self,
        package: &'a Package,
    ) -> impl Iterator<Item = (&'a Package, Need)> {
        package
            .edges
            .iter()
            .filter_map(|edge| Some((self.packages.get(&edge.to)?, edge.need)))
    }

    /// Everything that a crate reaches when it is built and run, with the crate through which each was
    /// found first: follow it back for the way.
    pub(crate) fn reached<'a>(&'a self, from: &'a Package) -> BTreeMap<&'a str, &'a str> {
        let mut found = BTreeMap::new();
        let mut open = vec![from];
        while let Some(package) = open.pop() {
            for (next, need) in self.direct(package) {
                if need == Need::Build && !found.contains_key(next.name.as_str()) {
                    found.insert(next.name.as_str(), package.name.as_str());
                    open.push(next);
                }
            }
        }
        found
    }

    /// A graph made by hand, for tests: `tidegate` crates are ours, a target with `?` is a test's need.
    #[cfg(test)]
    pub(crate) fn of(crates: &[(&str, &[&str])]) -> Self {
        let mut graph = Self::default();
        for (name, needs) in crates {
            graph.add(name);
            for need in *needs {
                let (to, why) = need
                    .strip_suffix('?')
                    .map_or((*need, Need::Build), |to| (to, Need::Test));
                graph.add(to);
                graph.add(name).edges.insert(Edge {
                    to: to.to_owned(),
                    need: why,
                });
            }
        }
        graph
    }

    #[cfg(test)]
    fn add(&mut self, name: &str) -> &mut Package {
        self.packages
            .entry(name.to_owned())
            .or_insert_with(|| Package {
                name: name.to_owned(),
                ours: name.starts_with("tidegate") || name == "xtask",
                ..Package::default()
            })
    }

    /// Sets a crate's licence in a graph made by hand.
    #[cfg(test)]
    pub(crate) fn licensed(mut self, name: &str, licence: &str) -> Self {
        self.add(name).licence = Some(licence.to_owned());
        self
    }
}

/// A build script's needs count as the crate's own: what runs during the build runs on our machines.
fn need(kind: DependencyKind) -> Need {
    match kind {
        DependencyKind::Development => Need::Test,
        _ => Need::Build,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tests_need_is_not_reached() {
        let graph = Graph::of(&[
            ("tidegate-ledger", &["thiserror", "proptest?"]),
            ("thiserror", &["syn"]),
            ("proptest", &["rand"]),
        ]);
        let ledger = graph.ours().next().unwrap();
        let reached: Vec<_> = graph.reached(ledger).into_keys().collect();
        assert_eq!(reached, ["syn", "thiserror"]);
    }
}
