//! Coverage marks: rare paths that the search must have been on. A search that never goes there proves nothing about
//! it, so a mark that no life reaches fails the gate.
//!
//! Marks are read from what a life left behind (its journals, calls, restarts and disk); no room knows of them. To add
//! one, add a line to a table: a name, what it means in words, and how to see it.
//!
//! Not here, since no life can come there: a second capture of an order (a provider whose answers belong to their keys
//! never captures what it has called failed, and the book begins no new attempt while it does not know what became of
//! the last; the model tests of `commerce` try it with reports of every kind), and a refusal by a desk that closes
//! (the front door has drained before a desk is closed).

mod answers;
mod bargains;
mod deeds;
mod offers;
mod signs;
mod troubles;
mod whole;

use std::collections::BTreeSet;

use crate::desk::DeskLived;
use crate::life::Lived;
use offers::Tale;
use signs::Signs;

/// A rare path.
#[derive(Clone, Copy)]
pub struct Mark {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub words: &'static str,
    /// In which file it is defined.
    pub file: &'static str,
    /// In which line.
    pub line: u32,
    reached: Reached,
}

/// In which lives it is looked for.
#[derive(Clone, Copy)]
enum Reached {
    Life(fn(&Signs<'_>) -> bool),
    Desk(fn(&Tale) -> bool),
}

impl Mark {
    /// Whether it is reached by lives of a desk with offers, not by whole lives.
    #[must_use]
    pub fn is_of_desks(&self) -> bool {
        matches!(self.reached, Reached::Desk(_))
    }
}

impl std::fmt::Debug for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            name, file, line, ..
        } = self;
        write!(f, "{name} at {file}:{line}")
    }
}

/// A line of a table of marks.
macro_rules! mark {
    ($name:literal, $words:literal, $reached:expr) => {
        crate::marks::Mark {
            name: $name,
            words: $words,
            file: file!(),
            line: line!(),
            reached: crate::marks::Reached::Life($reached),
        }
    };
}
use mark;

/// A line of the table of marks that desks with offers reach.
macro_rules! desk_mark {
    ($name:literal, $words:literal, $reached:expr) => {
        crate::marks::Mark {
            name: $name,
            words: $words,
            file: file!(),
            line: line!(),
            reached: crate::marks::Reached::Desk($reached),
        }
    };
}
use desk_mark;

/// All marks.
pub fn all() -> impl Iterator<Item = &'static Mark> {
    [
        deeds::MARKS,
        answers::MARKS,
        troubles::MARKS,
        offers::MARKS,
        whole::MARKS,
    ]
    .into_iter()
    .flatten()
}

/// The names of the marks that a life reached.
#[must_use]
pub fn of(lived: &Lived) -> BTreeSet<&'static str> {
    let signs = Signs::read(lived);
    let reached = |mark: &&Mark| match mark.reached {
        Reached::Life(reached) => reached(&signs),
        Reached::Desk(_) => false,
    };
    all().filter(reached).map(|mark| mark.name).collect()
}

/// The names of the marks that the life of a desk with offers reached.
#[must_use]
pub fn of_desk(lived: &DeskLived) -> BTreeSet<&'static str> {
    let tale = Tale::read(lived);
    let reached = |mark: &&Mark| match mark.reached {
        Reached::Life(_) => false,
        Reached::Desk(reached) => reached(&tale),
    };
    all().filter(reached).map(|mark| mark.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_different_and_every_mark_says_what_it_means() {
        let names: BTreeSet<&str> = all().map(|mark| mark.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(names.len() >= 30);
        let shaped = |name: &str| {
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        };
        assert!(names.iter().all(|name| shaped(name)));
        assert!(all().all(|mark| mark.words.len() > 10 && mark.line > 0));
    }
}
