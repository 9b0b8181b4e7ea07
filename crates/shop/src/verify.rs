//! Proof on demand (law 7): every journal from its first byte, every decision once more, and everything that was
//! derived held against it.
//!
//! ```text
//!   journal ──chain, checksums──▶ entries ──re-decided, applied──▶ book ──counted anew──▶ invariants
//!                                                                   ▲
//!        snapshots, read models, receipts ──each at its own place───┘
//! ```
//!
//! It takes no lock and changes nothing, so it runs beside a live server; it stops at the end that it finds. What it
//! holds in memory is one book at a time, and one batch.
//!
//! Start with [`verify`]; [`audit`] keeps the orders, for those who have their own account of what happened.

mod audit;
mod compare;
mod entries;
mod house;
mod receipts;
mod report;
mod sale;
mod snapshots;
mod totals;

use std::path::Path;
use std::sync::Arc;

use api::{Position, SaleId};
use storage::models::{Models, View};
use storage::{DataDir, StorageError};
use world::Disk;
use world::journal::JournalError;

pub use audit::{Audit, AuditedSale, audit};
pub use compare::compare;
pub(crate) use compare::{order_difference, shown_row};
pub use report::{
    DivergenceFound, Divergences, DuesTally, Finding, FindingKind, HouseReport, InvariantResult,
    LineTally, Money, OrderTally, ReadModelsReport, Report, SaleReport, TeamTally, Units, Verdict,
};

use crate::projector::rebuild::journal_bytes;
use receipts::Receipts;
use report::Findings;

/// A place in a sale's journal that somebody was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The sale.
    pub sale: SaleId,
    /// The place.
    pub position: Position,
}

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// Bytes of journals done.
    pub bytes: u64,
    /// Bytes of all journals, their unused room included.
    pub bytes_total: u64,
    /// Entries done.
    pub entries: u64,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The data directory cannot be looked into.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A journal cannot be read for a reason that says nothing about its bytes.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What is looked at, and who hears of it.
pub(crate) struct Desk<'a> {
    disk: &'a Arc<dyn Disk>,
    data: &'a DataDir,
    models: Option<View>,
    receipts: Receipts,
    findings: Findings,
    step: Step,
    progress: &'a mut dyn FnMut(Step),
}

/// Verifies a data directory: the house journal, and each sale's journal with its snapshots, read models and the
/// receipts given. `progress` hears how far it is after each batch.
///
/// # Errors
/// [`VerifyError`] when something cannot be read at all; damage and contradictions are findings of the report.
pub fn verify(
    disk: &Arc<dyn Disk>,
    root: &Path,
    receipts: &[Receipt],
    progress: &mut dyn FnMut(Step),
) -> Result<Report, VerifyError> {
    look(disk, root, receipts, progress, &mut |_| {})
}

/// Verifies, and shows each sale once its journal is read.
pub(crate) fn look(
    disk: &Arc<dyn Disk>,
    root: &Path,
    receipts: &[Receipt],
    progress: &mut dyn FnMut(Step),
    keep: &mut dyn FnMut(sale::Seen),
) -> Result<Report, VerifyError> {
    let data = DataDir::inspect(disk, root)?;
    let mut findings = Findings::default();
    // In this order: what is listed or seen first is in the journals that are read later.
    let models = open_models(&data, &mut findings);
    let numbers = sale_numbers(disk, &data)?;
    let bytes_total = journal_bytes(&**disk, &data.house())
        + numbers
            .iter()
            .map(|&sale| journal_bytes(&**disk, &data.sale(sale.into())))
            .sum::<u64>();
    let step = Step {
        bytes_total,
        ..Step::default()
    };
    let receipts = Receipts::new(receipts);
    let mut desk = Desk {
        disk,
        data: &data,
        models,
        receipts,
        findings,
        step,
        progress,
    };
    let house = house::pass(&mut desk, &numbers)?;
    let mut sales = Vec::new();
    for &number in &numbers {
        let seen = sale::pass(&mut desk, number)?;
        sales.push(seen.report.clone());
        keep(seen);
    }
    desk.receipts.report_lost(&mut desk.findings);
    desk.step.bytes = bytes_total;
    (desk.progress)(desk.step);
    Ok(Report::new(
        house,
        sales,
        desk.receipts.checked(),
        desk.findings,
    ))
}

/// The read models as they are now; `None` if there are none.
fn open_models(data: &DataDir, findings: &mut Findings) -> Option<View> {
    let path = data.models();
    if !path.exists() {
        return None;
    }
    match Models::new(&path, 1).view() {
        Ok(view) => Some(view),
        Err(error) => {
            findings.add(Finding::read_models(
                None,
                format!("{}: {error}", path.display()),
            ));
            None
        }
    }
}

fn sale_numbers(disk: &Arc<dyn Disk>, data: &DataDir) -> Result<Vec<u32>, VerifyError> {
    let numbers = data.sale_numbers(&**disk)?;
    Ok(numbers
        .into_iter()
        .filter_map(|number| u32::try_from(number).ok())
        .filter(|&number| number <= SaleId::MAX)
        .collect())
}

impl Desk<'_> {
    /// A batch is done.
    fn advance(&mut self, payload_bytes: usize, entries: u64) {
        self.step.bytes += payload_bytes as u64;
        self.step.entries += entries;
        (self.progress)(self.step);
    }
}
