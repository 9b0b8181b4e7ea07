//! Markdown cut at its headings.

/// A heading and what stands under it, up to the next heading of any level.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section<'a> {
    pub(crate) title: &'a str,
    pub(crate) body: String,
}

/// The sections of a document, in order; what stands before the first heading is left out.
pub(crate) fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        if line.starts_with('#') && !fenced {
            sections.push(Section {
                title: line.trim_start_matches('#').trim(),
                body: String::new(),
            });
        } else if let Some(section) = sections.last_mut() {
            section.body.push_str(line);
            section.body.push('\n');
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_hides_its_hash_signs() {
        let found = sections("words\n# One\na\n```\n# no\n```\n## Two\n");
        let titles: Vec<_> = found.iter().map(|section| section.title).collect();
        assert_eq!(titles, ["One", "Two"]);
        assert_eq!(found[0].body, "a\n```\n# no\n```\n");
    }
}
