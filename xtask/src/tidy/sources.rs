//! The shape of every Rust file: it opens with what it is for, and it stays short enough to read.
//! The length of functions is clippy's part.

use super::Finding;
use super::tree::Tree;

/// Looked at again from 250.
const LINES_MAX: usize = 600;

/// Every `.rs` file, tests included.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.below("", ".rs")
        .flat_map(|(path, text)| check_file(path, text))
        .collect()
}

fn check_file(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        findings.push(Finding::new(
            format!("{path}:1"),
            "the file does not open with `//!`",
            "say in the first line what the file is for",
        ));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        findings.push(Finding::new(
            path,
            format!("{lines} lines, {LINES_MAX} at most"),
            "split it along its nouns",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opens_with_what_it_is_for() {
        assert_eq!(check(&Tree::of(&[("a.rs", "//! Stock.\nuse x;\n")])), []);
        assert_eq!(
            check(&Tree::of(&[("a.rs", "use x;\n//! Stock.\n")])).len(),
            1
        );
        assert_eq!(check(&Tree::of(&[("a.rs", "")])).len(), 1);
    }

    #[test]
    fn a_long_file_is_found_on_its_first_line_too_many() {
        let text = |lines: usize| format!("//!{}", "\n".repeat(lines));
        assert_eq!(check(&Tree::of(&[("a.rs", &text(LINES_MAX))])), []);
        assert_eq!(
            check(&Tree::of(&[("a.rs", &format!("{}x", text(LINES_MAX)))])).len(),
            1
        );
    }
}
