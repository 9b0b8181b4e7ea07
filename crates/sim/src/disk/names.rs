//! The names on the disk: those that are seen, those that are durable, and the steps between.
//!
//! A step is what one call did: it adds a name, takes one away, or, for a rename, both. Syncing a
//! directory makes the halves in it durable. Until then a power cut keeps each step or not, by
//! itself, except that
//!
//! - a rename never loses a file: the name is taken away only where the new one is there;
//! - a name is there only if its directory is, and if what it was made from is.
//!
//! When only the new name's directory was synced, a rename may leave both names.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::contents::Toll;
use super::dice::Dice;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory,
    File(u64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    seen: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    pending: Vec<Step>,
}

/// What a call did to the names; a half that is durable is gone from here.
#[derive(Clone, Debug)]
struct Step {
    add: Option<(PathBuf, Node)>,
    remove: Option<(PathBuf, Node)>,
    remove_synced: bool,
    promised: bool,
}

pub(super) fn is_root(path: &Path) -> bool {
    path.parent().is_none()
}

impl Names {
    pub(super) fn get(&self, path: &Path) -> Option<Node> {
        self.seen.get(path).copied()
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<u64> {
        match self.get(path) {
            Some(Node::File(id)) => Ok(id),
            Some(Node::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            None if is_root(path) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Path, Node)> {
        self.seen.iter().map(|(path, node)| (path.as_path(), *node))
    }

    /// Files with a name, once each, in the order of their numbers.
    pub(super) fn files(&self) -> BTreeSet<u64> {
        self.seen.values().filter_map(|node| node.file()).collect()
    }

    /// Files that have a name, had one, or may have one after a power cut.
    pub(super) fn reachable(&self) -> BTreeSet<u64> {
        let halves = self
            .pending
            .iter()
            .flat_map(|step| [&step.add, &step.remove]);
        let pending = halves.flatten().map(|(_, node)| node);
        let named = self.seen.values().chain(self.durable.values());
        named
            .chain(pending)
            .filter_map(|node| node.file())
            .collect()
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.require_directory(dir)?;
        Ok(self
            .seen
            .keys()
            .filter(|path| path.parent() == Some(dir))
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    pub(super) fn require_directory(&self, dir: &Path) -> io::Result<()> {
        match self.get(dir) {
            _ if is_root(dir) => Ok(()),
            Some(Node::Directory) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn require_parent(&self, path: &Path) -> io::Result<()> {
        self.require_directory(path.parent().unwrap_or(Path::new("")))
    }

    pub(super) fn add(&mut self, path: &Path, node: Node) {
        self.seen.insert(path.to_owned(), node);
        self.push(Some((path.to_owned(), node)), None);
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let node = Node::File(self.file(path)?);
        self.seen.remove(path);
        self.push(None, Some((path.to_owned(), node)));
        Ok(())
    }

    /// Gives a file its new name and returns its number.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<u64> {
        self.require_parent(to)?;
        let id = match self.get(from) {
            Some(Node::Directory) => return Err(io::ErrorKind::Unsupported.into()),
            Some(Node::File(id)) => id,
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        let node = Node::File(id);
        match self.get(to) {
            Some(Node::Directory) => return Err(io::ErrorKind::IsADirectory.into()),
            // Two names of one file: renaming one to the other does nothing, as POSIX has it.
            Some(there) if there == node => return Ok(id),
            _ => {}
        }
        self.seen.remove(from);
        self.seen.insert(to.to_owned(), node);
        self.push(Some((to.to_owned(), node)), Some((from.to_owned(), node)));
        Ok(id)
    }

    pub(super) fn make_dirs(&mut self, dir: &Path) -> io::Result<()> {
        let mut missing = Vec::new();
        for dir in dir.ancestors().filter(|dir| !is_root(dir)) {
            match self.get(dir) {
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                Some(Node::Directory) => break,
                None => missing.push(dir),
            }
        }
        for dir in missing.into_iter().rev() {
            self.add(dir, Node::Directory);
        }
        Ok(())
    }

    fn push(&mut self, add: Option<(PathBuf, Node)>, remove: Option<(PathBuf, Node)>) {
        self.pending.push(Step {
            add,
            remove,
            remove_synced: false,
            promised: false,
        });
    }

    /// Makes the names in `dir` durable.
    pub(super) fn sync(&mut self, dir: &Path) {
        let durable = &mut self.durable;
        self.pending.retain_mut(|step| step.sync(dir, durable));
    }

    /// A sync that says it has, and has not. Says whether there was anything to do.
    pub(super) fn promise(&mut self, dir: &Path) -> bool {
        let mut any = false;
        for step in self.pending.iter_mut().filter(|step| step.is_in(dir)) {
            step.promised = true;
            any = true;
        }
        any
    }

    /// Decides the steps in `dir`, or all: each is kept or lost, and will not be tried again. What
    /// is seen stays.
    pub(super) fn decide(&mut self, dir: Option<&Path>, dice: &Dice) -> Toll {
        let mut toll = Toll::default();
        let durable = &mut self.durable;
        self.pending.retain(|step| {
            if dir.is_some_and(|dir| !step.is_in(dir)) {
                return true;
            }
            if !(dice.keeps() && step.happen(durable)) {
                toll.lost += 1;
                toll.promised += u64::from(step.promised);
            }
            false
        });
        toll
    }

    /// Only what is durable is left, and of that what can be reached.
    pub(super) fn lose_power(&mut self) {
        self.pending.clear();
        let durable = std::mem::take(&mut self.durable);
        let reachable = |path: &Path| {
            let mut above = path.ancestors().skip(1);
            above.all(|dir| is_root(dir) || durable.get(dir) == Some(&Node::Directory))
        };
        let left: BTreeMap<_, _> = durable
            .iter()
            .filter(|(path, _)| reachable(path))
            .map(|(path, node)| (path.clone(), *node))
            .collect();
        self.seen = left.clone();
        self.durable = left;
    }
}

impl Node {
    fn file(self) -> Option<u64> {
        match self {
            Self::File(id) => Some(id),
            Self::Directory => None,
        }
    }
}

impl Step {
    fn is_in(&self, dir: &Path) -> bool {
        let halves = [&self.add, &self.remove];
        halves
            .into_iter()
            .flatten()
            .any(|(path, _)| path.parent() == Some(dir))
    }

    /// Makes the halves in `dir` durable; says whether a half is left.
    fn sync(&mut self, dir: &Path, durable: &mut BTreeMap<PathBuf, Node>) -> bool {
        let inside = |path: &Path| path.parent() == Some(dir);
        if let Some((path, node)) = self.add.take_if(|(path, _)| inside(path)) {
            durable.insert(path, node);
        }
        self.remove_synced |= self.remove.as_ref().is_some_and(|(path, _)| inside(path));
        if self.add.is_none() && self.remove_synced {
            take_away(durable, self.remove.take());
        }
        self.add.is_some() || self.remove.is_some()
    }

    /// Does the step if what it needs is there.
    fn happen(&self, durable: &mut BTreeMap<PathBuf, Node>) -> bool {
        if let Some((to, node)) = &self.add {
            let from = self.remove.as_ref();
            let parent = to.parent().unwrap_or(Path::new(""));
            let parent_is_there = is_root(parent) || durable.contains_key(parent);
            let from_is_there = from.is_none_or(|(from, node)| durable.get(from) == Some(node));
            if !(parent_is_there && from_is_there) {
                return false;
            }
            durable.insert(to.clone(), *node);
        }
        take_away(durable, self.remove.clone());
        true
    }
}

/// Takes a name away if it still stands for that.
fn take_away(durable: &mut BTreeMap<PathBuf, Node>, name: Option<(PathBuf, Node)>) {
    if let Some((path, node)) = name
        && durable.get(&path) == Some(&node)
    {
        durable.remove(&path);
    }
}
