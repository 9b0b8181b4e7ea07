//! What can be wrong with a rule: when it is saved, with its place, and when it runs.

use std::fmt;

use super::{DEPTH_MOST, LOOPS_MOST, NODES_MOST, STEPS_MOST, TEXT_BYTES_MOST};

/// A place in a text: line and column, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The place of a byte of a text.
    pub(super) fn of(text: &str, at: usize) -> Self {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &text[..at];
        let line = before.matches('\n').count() + 1;
        let last = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line,
            column: last.chars().count() + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It is no expression.
    #[error("{at}: {what}")]
    Syntax {
        /// Where.
        at: Place,
        /// What was found or wanted.
        what: String,
    },
    /// A variable, field or function that does not exist.
    #[error("{at}: there is no {what} `{name}`{hint}")]
    Unknown {
        /// Where.
        at: Place,
        /// Variable, field or function.
        what: &'static str,
        /// As it was written.
        name: Box<str>,
        /// What there is instead.
        hint: String,
    },
    /// A value of the wrong type.
    #[error("{at}: {what}")]
    Type {
        /// Where.
        at: Place,
        /// What is wanted and what is there.
        what: String,
    },
    /// A run could take too long.
    #[error("it could take {steps} steps, and {STEPS_MOST} are allowed")]
    Cost {
        /// The most steps that a run could take.
        steps: u64,
    },
    /// The text is too long.
    #[error("a rule has at most {TEXT_BYTES_MOST} bytes")]
    Long,
    /// The expression has too many parts.
    #[error("a rule has at most {NODES_MOST} parts")]
    Large,
    /// The expression is nested too deeply.
    #[error("{at}: a rule is nested at most {DEPTH_MOST} deep, and {LOOPS_MOST} loops")]
    Deep {
        /// Where.
        at: Place,
    },
    /// Name or reason are out of bounds; the sentence says how.
    #[error("{0}")]
    Bounds(String),
}

/// Why a run gave no value. Whoever asked is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RunError {
    /// A number left its range.
    #[error("a number is out of range")]
    Overflow,
    /// Something was divided by zero.
    #[error("division by zero")]
    ByZero,
    /// A fact is not known; `has()` asks first.
    #[error("{0} is not known")]
    Missing(&'static str),
    /// A list has no such element.
    #[error("a list has no such element")]
    Index,
    /// The run took too many steps.
    #[error("more than {STEPS_MOST} steps")]
    Steps,
    /// A text grew too long.
    #[error("a text grew too long")]
    TooLong,
    /// An older version of this program took the text, and this one does not understand it.
    #[error("the rule is written for another version: set the offer again")]
    Unreadable,
    /// A value was not of the type that was checked: a fault of Tidegate.
    #[error("a value of another type than was checked")]
    Shape,
}
