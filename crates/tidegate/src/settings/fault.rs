//! What is wrong with one option.

use shop::cashier::SettingsError;
use std::fmt;

/// One option that is wrong: which, where it was set, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Its full name, like `edge.listen`.
    pub(crate) option: String,
    /// Where its value came from, when that is known.
    pub(crate) origin: Option<String>,
    /// What is wrong, and what is allowed.
    pub(crate) detail: String,
}

impl Fault {
    /// A fault whose origin is not known yet.
    pub(crate) fn new(option: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            option: option.into(),
            origin: None,
            detail: detail.into(),
        }
    }

    /// An option of this group that is out of its limits.
    pub(crate) fn out_of_limits(group: &str, error: &SettingsError) -> Self {
        let detail = format!(
            "is {}, must be from {} to {}",
            error.value, error.least, error.most
        );
        Self::new(format!("{group}.{}", error.option), detail)
    }

    /// The same with its origin.
    pub(crate) fn from(mut self, origin: &str) -> Self {
        self.origin = Some(origin.to_owned());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option, self.detail)?;
        match &self.origin {
            Some(origin) => write!(f, " (set in {origin})"),
            None => Ok(()),
        }
    }
}

/// The known name that was probably meant.
pub(crate) fn meant<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    let near = known.map(|other| (distance(name, other), other));
    let (steps, nearest) = near.min()?;
    (steps <= 2.max(name.len() / 4)).then_some(nearest.as_str())
}

/// Letters to insert, remove or replace to get from one name to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_keyboard_finds_what_was_meant() {
        let known = ["listen", "level", "connections_max"].map(str::to_owned);
        assert_eq!(meant("lisen", known.iter()), Some("listen"));
        assert_eq!(
            meant("conections_max", known.iter()),
            Some("connections_max")
        );
        assert_eq!(meant("colour", known.iter()), None);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
