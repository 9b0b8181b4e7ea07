//! One sale: its journal from the first byte, and everything that was derived from it.

use std::path::Path;

use api::{Position, SaleId};
use commerce::entry::RefundBegun;
use commerce::{Book, Entry};
use storage::journal::read_dir;
use storage::models::PositionRow;
use world::journal::{Batch, BatchReader, JournalError};

use super::compare::compare;
use super::entries::Replay;
use super::report::{Finding, ReadModelsReport, SaleReport};
use super::snapshots::Snapshots;
use super::{Desk, VerifyError, totals};
use crate::wire;

/// How often a journal is read again whose last batch was taken back while it was read.
const WITHDRAWALS_MAX: u32 = 8;

/// A sale whose journal was read.
pub(crate) struct Seen {
    pub(super) report: SaleReport,
    pub(super) book: Book,
    /// The first 16 bytes of the chain after each batch.
    pub(super) chain: Vec<[u8; 16]>,
    /// Units of lines that went back into stock.
    pub(super) restocked: Vec<Restocked>,
}

/// Units of an order's line that went back into stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Restocked {
    pub(super) order: u32,
    pub(super) line: u16,
    pub(super) units: u32,
}

/// Reads a sale.
pub(super) fn pass(desk: &mut Desk<'_>, number: u32) -> Result<Seen, VerifyError> {
    let dir = desk.data.sale(number.into());
    let mut withdrawals = 0;
    loop {
        let mut pass = Pass::new(desk, number, &dir)?;
        match pass.read(desk, &dir) {
            Ok(()) => return Ok(pass.finish(desk)),
            // A live server's append failed after its bytes were read: they never counted.
            Err(JournalError::Withdrawn { .. }) if withdrawals < WITHDRAWALS_MAX => {
                withdrawals += 1
            }
            Err(error) => return Err(error.into()),
        }
    }
}

struct Pass {
    sale: SaleId,
    number: u32,
    replay: Replay,
    snapshots: Snapshots,
    models: Option<PositionRow>,
    compared: bool,
    end: Position,
    chain: Vec<[u8; 16]>,
    restocked: Vec<Restocked>,
}

impl Pass {
    fn new(desk: &mut Desk<'_>, number: u32, dir: &Path) -> Result<Self, VerifyError> {
        let sale = wire::sale_id(number);
        let position = desk
            .models
            .as_ref()
            .map(|view| view.position(number))
            .transpose();
        let models = position.unwrap_or_else(|error| {
            desk.findings
                .add(Finding::read_models(Some(sale), error.to_string()));
            None
        });
        Ok(Self {
            sale,
            number,
            replay: Replay::default(),
            snapshots: Snapshots::list(&**desk.disk, dir),
            models: models.flatten(),
            compared: false,
            end: Position {
                sequence: 0,
                chain: [0; 16],
            },
            chain: Vec::new(),
            restocked: Vec::new(),
        })
    }

    /// Reads to the end, or to the first bad byte.
    fn read(&mut self, desk: &mut Desk<'_>, dir: &Path) -> Result<(), JournalError> {
        let read =
            read_dir(desk.disk, dir, 0).and_then(|mut reader| self.batches(desk, &mut *reader));
        match read {
            Err(error @ JournalError::Withdrawn { .. }) => Err(error),
            Err(error) => {
                let finding = Finding::of_journal(Some(self.sale), error)?;
                desk.findings.add(finding.at(self.end.sequence + 1));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn batches(
        &mut self,
        desk: &mut Desk<'_>,
        reader: &mut dyn BatchReader,
    ) -> Result<(), JournalError> {
        while let Some(batch) = reader.next()? {
            let before = self.replay.entries;
            let restocked = &mut self.restocked;
            self.replay.batch(
                self.sale,
                &batch,
                &mut |entry| note_restocked(restocked, entry),
                &mut desk.findings,
            );
            self.end = Position::new(batch.sequence, &batch.chain);
            self.chain.push(self.end.chain);
            desk.receipts.meet(self.sale, &batch, &mut desk.findings);
            if !self.replay.stopped {
                self.snapshots.meet(
                    &**desk.disk,
                    self.sale,
                    &batch,
                    &mut self.replay.book,
                    &mut desk.findings,
                );
            }
            self.meet_models(desk, &batch);
            desk.advance(batch.payload.len(), self.replay.entries - before);
        }
        Ok(())
    }

    /// Holds the read models against the book at the batch where they stand.
    fn meet_models(&mut self, desk: &mut Desk<'_>, batch: &Batch) {
        let Some(models) = self
            .models
            .filter(|models| models.sequence == batch.sequence)
        else {
            return;
        };
        if models.chain != batch.chain {
            let seen = Position::new(models.sequence, &models.chain);
            let detail = format!(
                "the read models have seen {seen}, the journal has {}",
                self.end
            );
            return desk
                .findings
                .add(Finding::loss(Some(self.sale), detail).at(batch.sequence));
        }
        let Some(view) = desk.models.as_ref().filter(|_| !self.replay.stopped) else {
            return;
        };
        let differences = compare(view, self.number, &self.replay.book)
            .unwrap_or_else(|error| vec![error.to_string()]);
        self.compared = true;
        for difference in differences {
            desk.findings
                .add(Finding::read_models(Some(self.sale), difference).at(batch.sequence));
        }
    }

    fn finish(mut self, desk: &mut Desk<'_>) -> Seen {
        let (sale, end) = (self.sale, self.end.sequence);
        if !self.replay.stopped {
            self.replay.count(sale, end, &mut desk.findings);
        }
        self.snapshots
            .report_lost(&**desk.disk, sale, end, &mut desk.findings);
        if let Some(models) = self.models.filter(|models| models.sequence > end) {
            let seen = Position::new(models.sequence, &models.chain);
            let detail =
                format!("the read models have seen {seen}, the journal ends at batch {end}");
            desk.findings
                .add(Finding::loss(Some(sale), detail).at(models.sequence));
        }
        let report = self.report();
        Seen {
            report,
            book: self.replay.book,
            chain: self.chain,
            restocked: self.restocked,
        }
    }

    fn report(&self) -> SaleReport {
        let book = &self.replay.book;
        let (units, money, orders) = totals::totals(book);
        SaleReport {
            sale: self.sale,
            batches: self.end.sequence,
            entries: self.replay.entries,
            position: self.end,
            time: wire::time(book.time()),
            state: wire::sale_state(book.state()),
            currency: book.currency().map(|currency| currency.code().to_owned()),
            units,
            money,
            orders,
            teams: totals::teams(book),
            line: totals::line(book),
            dues: totals::dues(book),
            divergences: self.replay.divergences.clone(),
            snapshots_compared: self.snapshots.compared,
            read_models: self.models.map(|models| ReadModelsReport {
                position: Position::new(models.sequence, &models.chain),
                behind_batches: self.end.sequence.saturating_sub(models.sequence),
                compared: self.compared,
            }),
        }
    }
}

fn note_restocked(restocked: &mut Vec<Restocked>, entry: &Entry) {
    let several: &[RefundBegun] = match entry {
        Entry::RefundBegun { refund, .. }
        | Entry::ShippedInPart { rest: refund, .. }
        | Entry::Cancelled {
            refund: Some(refund),
            ..
        } => std::slice::from_ref(refund),
        Entry::RefundsBegun { refunds, .. } | Entry::GivenUp { refunds, .. } => refunds,
        _ => &[],
    };
    for refund in several.iter().filter(|refund| refund.restocked) {
        let lines = refund.lines.iter();
        restocked.extend(lines.map(|&(line, units)| Restocked {
            order: refund.order,
            line,
            units,
        }));
    }
}
