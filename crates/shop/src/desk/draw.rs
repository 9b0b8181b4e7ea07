//! Full lottery teams are drawn by the desk itself.

use commerce::{Action, Actor, Book, Command, Entry, Report, Time};
use ledger::Violation;

use super::Seeds;

/// Opens the seeds of full lottery teams, until there are so many entries. What completed a team stands before its draw
/// in the journal, so no seed is on record unless that is; and a team that filled before a crash is drawn after it.
pub(super) fn due(
    book: &mut Book,
    (sale, seeds): (u32, &dyn Seeds),
    (now, most): (Time, usize),
    entries: &mut Vec<Entry>,
) -> Result<(), Violation> {
    let due: Vec<_> = book.draws_due().collect();
    for (team, commit) in due {
        let seed = seeds.seed(sale, &commit.nonce);
        let Some(seed) = seed.filter(|_| entries.len() < most) else {
            continue;
        };
        let command = Command {
            actor: Actor::House,
            key: None,
            action: Action::Report(Report::Seed { team, seed }),
        };
        book.execute(now, &command, entries)?;
    }
    Ok(())
}
