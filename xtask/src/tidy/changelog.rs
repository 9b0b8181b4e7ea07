//! Fragments of the change log: a file a change in `changelog.d/`, so that two changes never meet in
//! one line; a release gathers them into CHANGELOG.md.

use super::Finding;
use super::tree::Tree;

const FOLDER: &str = "changelog.d/";
const KINDS: &[&str] = &["added", "changed", "fixed", "removed", "security"];
const BYTES_MAX: usize = 600;

/// `changelog.d/<what>.<kind>.md`, one sentence or a few in a single paragraph.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.below(FOLDER, "")
        .filter(|(path, _)| *path != "changelog.d/README.md")
        .filter_map(|(path, text)| {
            let what = wrong(path.strip_prefix(FOLDER)?, text)?;
            Some(Finding::new(path, what, "see changelog.d/README.md"))
        })
        .collect()
}

fn wrong(name: &str, text: &str) -> Option<String> {
    let mut parts = name.split('.');
    let (slug, kind, ending, rest) = (parts.next()?, parts.next(), parts.next(), parts.next());
    let slug_fits = !slug.is_empty()
        && slug
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !slug_fits || ending != Some("md") || rest.is_some() {
        return Some("the name is not `<what-it-is>.<kind>.md`".to_owned());
    }
    if !kind.is_some_and(|kind| KINDS.contains(&kind)) {
        return Some(format!("the kind is none of {}", KINDS.join(", ")));
    }
    let text = text.trim();
    if text.is_empty() || text.contains("\n\n") || !text.ends_with('.') {
        return Some("it is not one paragraph that ends with a full stop".to_owned());
    }
    (text.len() > BYTES_MAX).then(|| format!("{} bytes, {BYTES_MAX} at most", text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, text: &str) -> usize {
        check(&Tree::of(&[(&format!("{FOLDER}{name}"), text)])).len()
    }

    #[test]
    fn a_fragment_is_one_paragraph_of_a_known_kind() {
        assert_eq!(found("flash-sale.added.md", "A sale on one machine.\n"), 0);
        assert_eq!(found("README.md", ""), 0);
        assert_eq!(found("flash-sale.new.md", "A sale.\n"), 1);
        assert_eq!(found("Flash Sale.added.md", "A sale.\n"), 1);
        assert_eq!(found("flash-sale.added.txt", "A sale.\n"), 1);
        assert_eq!(found("flash-sale.added.md", "\n"), 1);
        assert_eq!(found("flash-sale.added.md", "One.\n\nTwo.\n"), 1);
        assert_eq!(
            found("flash-sale.added.md", &format!("{}.", "long ".repeat(200))),
            1
        );
    }
}
