//! The little of Markdown that the help pages use: headings, paragraphs, fenced code, and `code` in a line.

use maud::{Markup, html};

/// The page as HTML. Everything that is not markup is escaped.
pub(super) fn render(text: &str) -> Markup {
    html! {
        @for block in blocks(text) {
            @match block {
                Block::Title(title) => h1 { (inline(title)) },
                Block::Heading(heading) => h2 { (inline(heading)) },
                Block::Code(code) => pre { code { (code) } },
                Block::Paragraph(text) => p { (inline(text)) },
            }
        }
    }
}

enum Block<'a> {
    Title(&'a str),
    Heading(&'a str),
    Code(&'a str),
    Paragraph(&'a str),
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    for (place, part) in text.split("```").enumerate() {
        if place % 2 == 1 {
            blocks.push(Block::Code(
                part.split_once('\n').map_or(part, |(_language, code)| code),
            ));
            continue;
        }
        let paragraphs = part
            .split("\n\n")
            .map(str::trim)
            .filter(|paragraph| !paragraph.is_empty());
        blocks.extend(paragraphs.map(|paragraph| {
            let heading = paragraph.strip_prefix("## ").map(Block::Heading);
            heading
                .or_else(|| paragraph.strip_prefix("# ").map(Block::Title))
                .unwrap_or(Block::Paragraph(paragraph))
        }));
    }
    blocks
}

fn inline(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_code_and_text_become_html_and_nothing_else_does() {
        let page = render("# A `b`\n\n## C\n\nd <e>\n\n```json\n{\"f\": 1}\n```\n").into_string();
        let expected = "<h1>A <code>b</code></h1><h2>C</h2><p>d &lt;e&gt;</p>\
                        <pre><code>{&quot;f&quot;: 1}\n</code></pre>";
        assert_eq!(page, expected);
    }
}
