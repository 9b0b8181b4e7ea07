//! The anti-corruption table: a carrier's code and what it means here.

use std::collections::BTreeMap;

/// Lines of a table, at most.
const LINES_MOST: usize = 10_000;

/// What a carrier's code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The goods left.
    Shipped,
    /// The goods arrived.
    Delivered,
    /// Known, and nothing changes.
    Moving,
}

/// Codes of carriers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table(BTreeMap<(Box<str>, Box<str>), Meaning>);

/// What is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A line is none.
    #[error("line {line}: expected `carrier code shipped|delivered|moving`")]
    Line {
        /// Which, from 1.
        line: usize,
    },
    /// A code stands there twice.
    #[error("line {line}: {carrier} {code} stands there already")]
    Twice {
        /// Which, from 1.
        line: usize,
        /// The carrier.
        carrier: Box<str>,
        /// The code.
        code: Box<str>,
    },
    /// It is too long.
    #[error("has {lines} lines, at most {LINES_MOST} are allowed")]
    TooLong {
        /// How many lines it has.
        lines: usize,
    },
}

impl Table {
    /// Reads the lines of a table.
    ///
    /// # Errors
    /// [`TableError`] with the first line that is wrong.
    pub fn read(lines: &[String]) -> Result<Self, TableError> {
        if lines.len() > LINES_MOST {
            let lines = lines.len();
            return Err(TableError::TooLong { lines });
        }
        let mut table = BTreeMap::new();
        for (text, line) in lines.iter().zip(1..) {
            let words: Vec<&str> = text.split_whitespace().collect();
            let [carrier, code, means] = words[..] else {
                return Err(TableError::Line { line });
            };
            let meaning = match means {
                "shipped" => Meaning::Shipped,
                "delivered" => Meaning::Delivered,
                "moving" => Meaning::Moving,
                _ => return Err(TableError::Line { line }),
            };
            let (carrier, code): (Box<str>, Box<str>) = (carrier.into(), code.into());
            if table
                .insert((carrier.clone(), code.clone()), meaning)
                .is_some()
            {
                return Err(TableError::Twice {
                    line,
                    carrier,
                    code,
                });
            }
        }
        Ok(Self(table))
    }

    /// What a code means; `None` for one that nobody has written down.
    #[must_use]
    pub fn find(&self, carrier: &str, code: &str) -> Option<Meaning> {
        self.0.get(&(carrier.into(), code.into())).copied()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn the_shipped_table_knows_two_codes_and_guesses_none() {
        let table = Table::read(&Settings::default().codes).unwrap();
        assert_eq!(table.find("sf", "SF001"), Some(Meaning::Shipped));
        assert_eq!(table.find("zto", "ZTO200"), Some(Meaning::Delivered));
        for (carrier, code) in [("sf", "SF002"), ("sf", "sf001"), ("zto", "SF001"), ("", "")] {
            assert_eq!(table.find(carrier, code), None, "{carrier} {code}");
        }
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        let read = |lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            Table::read(&lines).unwrap_err().to_string()
        };
        assert!(read(&["sf SF001 shipped", "sf SF002"]).starts_with("line 2"));
        assert!(read(&["sf SF001 lost"]).starts_with("line 1"));
        assert!(read(&["sf A moving", "sf A shipped"]).contains("sf A stands there already"));
    }
}
