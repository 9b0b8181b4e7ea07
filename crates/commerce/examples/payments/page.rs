//! The document: the rows of each family, and the answers to each event with the rows that give them.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::events::From;
use super::state::Row;
use super::walk::Walk;

const HEAD: &str = include_str!("head.md");

/// The whole page.
pub(crate) fn of(walks: &[Walk]) -> String {
    let mut page = HEAD.to_owned();
    for walk in walks {
        family(&mut page, walk);
    }
    page
}

fn family(page: &mut String, walk: &Walk) {
    let rows: BTreeMap<Row, usize> = walk.rows().into_iter().zip(1..).collect();
    let _ = write!(
        page,
        "\n## {}\n\n{}\n\n{} states behind {} rows, {} events, {} cells exercised, {} ends settled.\n\n",
        walk.name,
        walk.about,
        walk.states.len(),
        rows.len(),
        walk.events.len(),
        walk.exercised,
        walk.settled
    );
    page.push_str("| row | the order |\n|---|---|\n");
    for (row, number) in &rows {
        let _ = writeln!(page, "| {}{number} | {} |", walk.letter, row.words());
    }
    for (from, title) in [
        (From::Asked, "Asked for"),
        (From::Outside, "Reported"),
        (From::World, "The clock and other people"),
    ] {
        let _ = write!(page, "\n### {title}: {}\n", lower_first(walk.name));
        for (at, event) in walk.events.iter().enumerate() {
            if event.from == from {
                answers(page, walk, &rows, at);
            }
        }
    }
}

fn answers(page: &mut String, walk: &Walk, rows: &BTreeMap<Row, usize>, at: usize) {
    let mut by_answer = BTreeMap::<String, Vec<usize>>::new();
    for (row, number) in rows {
        let answers = &walk.cells[&(*row, at)];
        let words: Vec<&str> = answers.iter().map(String::as_str).collect();
        by_answer
            .entry(words.join("<br>or "))
            .or_default()
            .push(*number);
    }
    let _ = write!(page, "\n| {} | in |\n|---|---|\n", walk.events[at].name);
    let mut by_answer: Vec<_> = by_answer.into_iter().collect();
    by_answer.sort_by_key(|(_, rows)| rows[0]);
    for (answer, rows) in by_answer {
        let _ = writeln!(page, "| {answer} | {} |", spans(walk.letter, &rows));
    }
}

/// `P1–P3, P7`.
fn spans(letter: char, numbers: &[usize]) -> String {
    let mut spans = Vec::<(usize, usize)>::new();
    for &number in numbers {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => spans.push((number, number)),
        }
    }
    let words: Vec<String> = spans
        .iter()
        .map(|(first, last)| match first == last {
            true => format!("{letter}{first}"),
            false => format!("{letter}{first}–{letter}{last}"),
        })
        .collect();
    words.join(", ")
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
