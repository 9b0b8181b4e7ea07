//! Full lottery teams are drawn by the desk itself.

use commerce::{Action, Actor, Book, Command, Entry, Report, Time};
use ledger::Violation;

use super::Seeds;

/// Opens the seeds of full lottery teams, until there are so many entries. What completed a team stands before its draw
/// in the journal, so no seed is on record unless that is; and a team that filled before a crash is drawn after it.
///
/// Gives the teams whose seed nobody can make: they wait, with their money, until somebody brings the secret back.
pub(super) fn due(
    book: &mut Book,
    (sale, seeds): (u32, &dyn Seeds),
    (now, most): (Time, usize),
    entries: &mut Vec<Entry>,
) -> Result<Vec<u32>, Violation> {
    let due: Vec<_> = book.draws_due().collect();
    let mut stuck = Vec::new();
    for (team, commit) in due {
        if entries.len() >= most {
            break;
        }
        let Some(seed) = seeds.seed(sale, &commit) else {
            stuck.push(team);
            continue;
        };
        let command = Command {
            actor: Actor::House,
            key: None,
            action: Action::Report(Report::Seed { team, seed }),
        };
        book.execute(now, &command, entries)?;
    }
    Ok(stuck)
}
