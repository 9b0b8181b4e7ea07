//! The judges: they share no code with what they judge.
//!
//! Each journal is read once, entry by entry, into plain rows (`rows`, `fold`, `settle`); some judges look before an entry,
//! some after it, some at the end. The others hold against the rows what clients heard (`deeds`), what the provider
//! has, and what the read models list. Only the types and the decoder of entries are the book's own; every sum, limit,
//! step of a state machine, digest and hash is worked out here anew, plainly.
//!
//! | promise | judge |
//! |---|---|
//! | INV-1, INV-9 | `units` |
//! | INV-2, INV-10 | `money`, `price`, `dues`, `provider` |
//! | INV-3 | `outcome`, `turns` |
//! | INV-4 | `keys`, `provider` |
//! | INV-5 | `limits`, `holds`, `coupons`, `ruling` |
//! | INV-6 | `teams`, `draw` |
//! | INV-7 | `shown`, `company`, `facts`, `keys` |
//! | INV-8 | `chain` |
//! | INV-11 | `models` |
//! | the waiting line; monotonic reads, linearizable stock, healing | `line`; `reads`, `history` with `linear`, `healed` |

mod answer;
mod chain;
mod company;
mod coupons;
mod deeds;
mod draw;
mod dues;
mod facts;
mod fold;
mod gather;
mod healed;
mod history;
mod holds;
mod keys;
mod limits;
mod line;
mod linear;
mod models;
mod money;
mod net;
mod order;
mod outcome;
mod price;
mod provider;
mod reads;
mod rows;
mod ruling;
mod settle;
mod shown;
mod teams;
#[cfg(test)]
mod tests;
mod tiers;
mod totals;
mod turns;
mod units;

use commerce::record::Records;
use world::journal::Batch;

use crate::record::{Evidence, Finding};
use provider::Books;
use rows::{Happening, Rows};

/// What the judges came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Broken promises.
    pub findings: Vec<Finding>,
    /// Sales whose history of stock was too long, or too much at once, to be searched for an order.
    pub undecided: u64,
}

/// Everything that is wrong with a life.
#[must_use]
pub fn judge(evidence: &Evidence) -> Vec<Finding> {
    verdict(evidence).findings
}

/// Everything that is wrong with a life, and how much of it could not be judged.
#[must_use]
pub fn verdict(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::default();
    let findings = &mut verdict.findings;
    for panic in &evidence.panics {
        findings.push(Finding::new("no panic", panic.as_str()));
    }
    for break_in in &evidence.broken_in {
        findings.push(Finding::new("no forger comes in", break_in.as_str()));
    }
    if evidence.cut_short {
        for what in &evidence.unhealed {
            findings.push(Finding::new("healing", what.as_str()));
        }
        return verdict;
    }
    if !evidence.disk_lied {
        for what in &evidence.backup {
            findings.push(Finding::new("backup", what.as_str()));
        }
    }
    let deeds = deeds::read(&evidence.calls);
    if evidence.disk_lied {
        let mut ahead = shown::lost_receipts(&deeds, &evidence.journals);
        ahead.extend(listed_ahead(evidence));
        healed::noticed(evidence, &ahead, findings);
        return verdict;
    }
    chain::judge(
        "the house journal",
        evidence.journal_ids.get(&0),
        &evidence.house,
        findings,
    );
    let mut books = Books::new();
    for (sale, batches) in &evidence.journals {
        let name = format!("the journal of sale {sale}");
        chain::judge(&name, evidence.journal_ids.get(sale), batches, findings);
        books.insert(*sale, read(*sale, batches, findings));
    }
    for rows in books.values() {
        units::end(rows, findings);
        teams::end(rows, findings);
        dues::end(rows, findings);
        line::end(rows, findings);
        keys::once(rows, findings);
    }
    provider::judge(evidence, &books, findings);
    let by_key = keys::by_key(&deeds, &books);
    keys::judge(&by_key, &books, findings);
    if !evidence.calls.is_empty() {
        keys::uninvited(&by_key, &books, findings);
    }
    shown::judge(evidence, &deeds, &books, findings);
    reads::judge(&deeds, findings);
    models::judge(evidence, &books, findings);
    healed::judge(evidence, &books, findings);
    for rows in books.values() {
        let decided = history::judge(rows, &deeds, &by_key, findings);
        verdict.undecided += u64::from(!decided);
    }
    verdict
}

/// Reads a journal, with the judges looking on.
fn read(sale: u32, batches: &[Batch], findings: &mut Vec<Finding>) -> Rows {
    let mut rows = Rows::new(sale);
    for batch in batches {
        let mut records = Records::new(&batch.payload);
        let mut entries = 0_u32;
        loop {
            let entry = match records.read() {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                Err(error) => {
                    let what = format!("sale {sale} batch {}: {error}", batch.sequence);
                    findings.push(Finding::new("INV-8", what));
                    break;
                }
            };
            entries += 1;
            let (sequence, time) = (batch.sequence, batch.time_ms);
            let at = Happening {
                sequence,
                time,
                entry,
            };
            outcome::before(&rows, &at, findings);
            limits::before(&rows, &at, findings);
            money::before(&rows, &at, findings);
            teams::before(&rows, &at, findings);
            dues::before(&rows, &at, findings);
            line::before(&rows, &at, findings);
            holds::before(&rows, &at, findings);
            ruling::before(&rows, &at, findings);
            rows.write(at);
            units::after(&rows, findings);
        }
        if entries != batch.entries {
            let what = format!(
                "sale {sale} batch {} has {entries} entries and says {}",
                batch.sequence, batch.entries
            );
            findings.push(Finding::new("INV-8", what));
        }
    }
    rows
}

/// Seats of each team of a journal, counted from its entries: held, paid, and the house's own.
pub(crate) fn seats(batches: &[Batch]) -> Vec<(i64, i64, i64)> {
    let rows = read(1, batches, &mut Vec::new());
    let teams = rows.gathered.teams.iter();
    let seats = teams.map(|team| (team.held(), team.filled() - team.house, team.house));
    seats.collect()
}

/// What each coupon of a journal has given in all, and how often, while its orders are held or sold; by its place.
pub(crate) fn coupons_given(batches: &[Batch]) -> std::collections::BTreeMap<u16, (i64, u32)> {
    coupons::given(&read(1, batches, &mut Vec::new()))
}

/// Orders that the read models list and no journal has any more: witnesses of a loss.
fn listed_ahead(evidence: &Evidence) -> Vec<String> {
    let mut ahead = Vec::new();
    for (sale, orders) in &evidence.listed {
        let batches = evidence
            .journals
            .get(sale)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let rows = read(*sale, batches, &mut Vec::new());
        for order in orders {
            if order.id.number() >= u64::try_from(rows.orders.len()).unwrap_or(u64::MAX) {
                ahead.push(format!("{} is listed and in no journal", order.id));
            }
        }
    }
    ahead
}
