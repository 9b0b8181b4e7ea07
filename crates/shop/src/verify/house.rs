//! The house journal, and whether every sale that has a journal is in its registry.

use std::collections::BTreeSet;

use api::Position;
use commerce::Time;
use commerce::house::{HouseBook, HouseEntry};
use commerce::record::Records;
use storage::journal::read_dir;
use world::journal::{Batch, BatchReader, JournalError};

use super::report::{Finding, Findings, HouseReport};
use super::{Desk, VerifyError};
use crate::wire;

/// Reads the house journal and holds the journals of sales against its registry.
pub(super) fn pass(desk: &mut Desk<'_>, journals: &[u32]) -> Result<HouseReport, VerifyError> {
    let mut house = House::default();
    let read = read_dir(desk.disk, &desk.data.house(), 0)
        .and_then(|mut reader| house.batches(desk, &mut *reader));
    if let Err(error) = read {
        desk.findings
            .add(Finding::of_journal(None, error)?.at(house.end.sequence + 1));
    }
    let registered: BTreeSet<u32> = house.book.sales().map(|(number, _)| number).collect();
    for &journal in journals
        .iter()
        .filter(|journal| !registered.contains(journal))
    {
        // A sale is registered before its journal begins, so the registry has lost it.
        let detail = "it has a journal, and the house journal does not know of it".to_owned();
        desk.findings
            .add(Finding::registry(Some(wire::sale_id(journal)), detail));
    }
    Ok(house.report())
}

struct House {
    book: HouseBook,
    entries: u64,
    end: Position,
    stopped: bool,
}

impl Default for House {
    fn default() -> Self {
        let end = Position {
            sequence: 0,
            chain: [0; 16],
        };
        Self {
            book: HouseBook::default(),
            entries: 0,
            end,
            stopped: false,
        }
    }
}

impl House {
    fn batches(
        &mut self,
        desk: &mut Desk<'_>,
        reader: &mut dyn BatchReader,
    ) -> Result<(), JournalError> {
        loop {
            let batch = match reader.next() {
                Ok(Some(batch)) => batch,
                // A live server's append failed after its bytes were read; what came before stands.
                Ok(None) | Err(JournalError::Withdrawn { .. }) => return Ok(()),
                Err(error) => return Err(error),
            };
            self.end = Position::new(batch.sequence, &batch.chain);
            let before = self.entries;
            if !self.stopped {
                self.batch(&batch, &mut desk.findings);
            }
            desk.advance(batch.payload.len(), self.entries - before);
        }
    }

    fn batch(&mut self, batch: &Batch, findings: &mut Findings) {
        let mut records = Records::new(&batch.payload);
        loop {
            let finding = match records.read::<HouseEntry>() {
                Ok(None) => return,
                Ok(Some(entry)) => {
                    self.entries += 1;
                    match self.book.apply(Time(batch.time_ms), &entry) {
                        Ok(()) => continue,
                        Err(violation) => Finding::violation(None, &violation),
                    }
                }
                Err(error) => Finding::record(None, error.to_string()),
            };
            self.stopped = true;
            return findings.add(finding.at(batch.sequence));
        }
    }

    fn report(&self) -> HouseReport {
        HouseReport {
            batches: self.end.sequence,
            entries: self.entries,
            position: self.end,
            sales: self.book.sales().count() as u64,
            keys: self.book.keys().count() as u64,
            unmatched: self.book.unmatched(),
        }
    }
}
