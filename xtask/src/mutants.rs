//! The deliberate bugs, each hunted by the simulation, and the table of it in docs/simulation.md.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::command::{cargo, output};

const PAGE: &str = "docs/simulation.md";
const BEGIN: &str = "<!-- mutants -->\n";
const END: &str = "<!-- /mutants -->";

/// Builds the simulation with every deliberate bug, hunts each, and writes down how it was noticed. A bug that is not
/// noticed is an error, and the page stays as it was.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let arguments = [
        "run",
        "--release",
        "--locked",
        "--package",
        "tidegate-sim",
        "--features",
        "mutants",
        "--bin",
        "mutants",
        "--",
        "--jobs",
        "2",
    ];
    let table = output(&mut cargo(root, &arguments))?;
    let page = root.join(PAGE);
    let text = std::fs::read_to_string(&page).context(PAGE)?;
    std::fs::write(&page, with_table(&text, &table)?).context(PAGE)?;
    println!("{PAGE} has the table");
    Ok(ExitCode::SUCCESS)
}

/// The page with this table between its marks.
fn with_table(page: &str, table: &str) -> Result<String> {
    let (before, rest) = page
        .split_once(BEGIN)
        .with_context(|| format!("{PAGE} has no line {BEGIN}"))?;
    let (_, after) = rest
        .split_once(END)
        .with_context(|| format!("{PAGE} has no {END}"))?;
    let table = table.trim();
    Ok(format!("{before}{BEGIN}\n{table}\n\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_table_takes_the_place_of_the_old_one() {
        let page = "a\n<!-- mutants -->\nold\n<!-- /mutants -->\nb\n";
        let new = with_table(page, "| new |\n").unwrap();
        assert_eq!(
            new,
            "a\n<!-- mutants -->\n\n| new |\n\n<!-- /mutants -->\nb\n"
        );
        assert_eq!(with_table(&new, "| new |").unwrap(), new);
        assert!(with_table("no marks", "| new |").is_err());
    }
}
