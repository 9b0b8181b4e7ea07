//! Rows of Markdown tables, and the code spans in their cells.

/// One row of a table, the head and the rule under it left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    /// Line in the file, from 1.
    pub(crate) line: usize,
    pub(crate) cells: Vec<&'a str>,
}

/// Every row of every table in a document.
pub(crate) fn rows(text: &str) -> Vec<Row<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_row = |index: usize| lines.get(index).is_some_and(|line| line.starts_with('|'));
    let is_rule = |index: usize| {
        lines
            .get(index)
            .is_some_and(|line| line.starts_with("|-") || line.starts_with("| -"))
    };
    let wanted = |index: usize| is_row(index) && !is_rule(index) && !is_rule(index + 1);
    (0..lines.len())
        .filter(|index| wanted(*index))
        .map(|index| Row {
            line: index + 1,
            cells: cells(lines[index]),
        })
        .collect()
}

fn cells(line: &str) -> Vec<&str> {
    line.trim()
        .trim_matches('|')
        .split('|')
        .map(str::trim)
        .collect()
}

/// What stands between backquotes in a cell.
pub(crate) fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_and_rules_are_no_rows() {
        let found = rows("| id | place |\n|---|---|\n| A2 | `a`, `b` |\n\nwords\n");
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].line, found[0].cells.as_slice()),
            (3, ["A2", "`a`, `b`"].as_slice())
        );
        assert_eq!(code(found[0].cells[1]), ["a", "b"]);
    }
}
