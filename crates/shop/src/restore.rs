//! Restoring a shop: what `storage` copies without knowing what it means, and what its operator has to know afterwards.
//!
//! A shop that went back to an earlier point has forgotten what came after: orders that buyers hold receipts for, and
//! money that a payment provider has moved. [`Report`] counts what the backup still knows of that; what came after the
//! backup nobody here can know. `docs/howto/back-up-and-restore.md` says what to do about it.

use std::collections::BTreeMap;

use api::{Position, SaleId, Time};
use commerce::Entry;
use commerce::house::HouseEntry;
use commerce::record::Records;
use serde::Serialize;
use storage::backup::{self, BackupError, Cut, Meaning, Restored, RestoredJournal, Spot, Step};
use world::journal::Batch;

use crate::wire;

/// What was restored, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// When the backup began; what was acknowledged before is in it.
    pub backup_begun: Time,
    /// When it was complete.
    pub backup_ended: Time,
    /// Version of the program that made it.
    pub backup_by: String,
    /// Whether the shop goes back behind the backup's end.
    pub cut: bool,
    /// The house journal.
    pub house: HouseReport,
    /// Each sale of the backup.
    pub sales: Vec<SaleReport>,
    /// Snapshots that cannot be trusted and were left out; the journals do without them.
    pub snapshots_skipped: Vec<String>,
}

/// The house journal, restored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HouseReport {
    /// Its last batch; nothing if it has none.
    pub position: Option<Position>,
    /// That batch's time.
    pub time: Option<Time>,
    /// Batches of the backup behind the cut.
    pub batches_left_out: u64,
    /// Names of API keys that were made behind the cut, and do not work.
    pub keys_forgotten: Vec<String>,
    /// Numbers of API keys that were revoked behind the cut, and work again.
    pub keys_valid_again: Vec<u64>,
    /// Sales that were registered behind the cut; their numbers will be given out again.
    pub sales_forgotten: Vec<SaleId>,
    /// Digests of people whose data were erased behind the cut; the vault's copy must not bring them back.
    pub people_erased: Vec<String>,
}

/// A sale, restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SaleReport {
    /// Which.
    pub sale: SaleId,
    /// Its last batch; nothing if it had none at the cut.
    pub position: Option<Position>,
    /// That batch's time.
    pub time: Option<Time>,
    /// Batches of the backup behind the cut.
    pub batches_left_out: u64,
    /// What was in them.
    pub left_out: LeftOut,
}

/// What batches behind a cut did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LeftOut {
    /// Orders that were placed. Their numbers will be given out again.
    pub orders_placed: u64,
    /// Charges that were begun: the provider may have been asked.
    pub charges_begun: u64,
    /// Charges that the provider captured.
    pub charges_captured: u64,
    /// Their sum, in minor units.
    pub captured_minor: i64,
    /// Refunds that were begun: the provider may have been asked.
    pub refunds_begun: u64,
    /// Refunds that the provider made.
    pub refunds_done: u64,
    /// Chargebacks.
    pub charged_back: u64,
    /// Batches that do not decode, of a later version perhaps: what they did is not counted.
    pub unread: u64,
}

/// Restores a backup into a new directory, as [`backup::restore`] says.
///
/// # Errors
/// As there.
pub fn restore(
    from: Spot<'_>,
    to: Spot<'_>,
    cut: Cut,
    progress: &mut dyn FnMut(Step),
) -> Result<Report, BackupError> {
    let mut reading = Reading::default();
    let restored = backup::restore(from, to, cut, &mut reading, progress)?;
    Ok(reading.report(&restored))
}

/// Checks all of a backup and says what a restore would do; writes nothing.
///
/// # Errors
/// As [`backup::check`].
pub fn check(
    from: Spot<'_>,
    cut: Cut,
    progress: &mut dyn FnMut(Step),
) -> Result<Report, BackupError> {
    let mut reading = Reading::default();
    let restored = backup::check(from, cut, &mut reading, progress)?;
    Ok(reading.report(&restored))
}

/// What the batches meant that were looked into.
#[derive(Debug, Default)]
struct Reading {
    house: HouseReport,
    sales: BTreeMap<u64, LeftOut>,
}

impl Meaning for Reading {
    fn registers(&mut self, house: &Batch) -> Vec<u64> {
        let mut sales = Vec::new();
        each(house, |entry: HouseEntry| {
            if let HouseEntry::SaleRegistered { sale, .. } = entry {
                sales.push(sale.into());
            }
        });
        sales
    }

    fn left_out(&mut self, sale: Option<u64>, batch: &Batch) {
        match sale {
            None => {
                each(batch, |entry| self.house.count(entry));
            }
            Some(sale) => {
                let left_out = self.sales.entry(sale).or_default();
                if !each(batch, |entry| left_out.count(&entry)) {
                    left_out.unread += 1;
                }
            }
        }
    }
}

/// Shows each entry of a batch; says whether all could be read.
fn each<T: serde::de::DeserializeOwned>(batch: &Batch, mut see: impl FnMut(T)) -> bool {
    let mut records = Records::new(&batch.payload);
    loop {
        match records.read::<T>() {
            Ok(Some(entry)) => see(entry),
            end => return end.is_ok(),
        }
    }
}

impl HouseReport {
    fn count(&mut self, entry: HouseEntry) {
        match entry {
            HouseEntry::KeyMade(key) => self.keys_forgotten.push(key.name.into()),
            HouseEntry::KeyRevoked { id, .. } => self.keys_valid_again.push(id),
            HouseEntry::SaleRegistered { sale, .. } => {
                self.sales_forgotten.push(wire::sale_id(sale));
            }
            HouseEntry::PersonErased { person, .. } => {
                let digits = person.iter().map(|byte| format!("{byte:02x}"));
                self.people_erased.push(digits.collect());
            }
            HouseEntry::Unmatched { .. }
            | HouseEntry::Setting { .. }
            | HouseEntry::Audited(_)
            | HouseEntry::SecretDrawn { .. }
            | HouseEntry::SaleRetired { .. }
            | HouseEntry::SaleReopened { .. } => {}
        }
    }
}

impl LeftOut {
    fn count(&mut self, entry: &Entry) {
        match entry {
            Entry::Placed(_) | Entry::Dealt(_) | Entry::LineOffered(_) => self.orders_placed += 1,
            Entry::PayBegun { .. } => self.charges_begun += 1,
            Entry::Captured { amount, .. } => {
                self.charges_captured += 1;
                self.captured_minor += amount.0;
            }
            Entry::RefundBegun { .. }
            | Entry::ShippedInPart { .. }
            | Entry::Cancelled {
                refund: Some(_), ..
            } => self.refunds_begun += 1,
            Entry::RefundsBegun { refunds, .. } | Entry::GivenUp { refunds, .. } => {
                self.refunds_begun += refunds.len() as u64;
            }
            Entry::TeamSettled { orders, .. } => {
                let begun = orders.iter().filter(|settled| settled.refund().is_some());
                self.refunds_begun += begun.count() as u64;
            }
            Entry::BalanceLapsed { orders } => {
                let begun = orders.iter().filter(|lapsed| lapsed.refund.is_some());
                self.refunds_begun += begun.count() as u64;
            }
            Entry::Refunded { .. } => self.refunds_done += 1,
            Entry::ChargedBack { .. } => self.charged_back += 1,
            _ => {}
        }
    }
}

impl Reading {
    fn report(mut self, restored: &Restored) -> Report {
        let mut report = Report {
            backup_begun: Time::from_ms(restored.manifest.begun_ms),
            backup_ended: Time::from_ms(restored.manifest.ended_ms),
            backup_by: restored.manifest.written_by.clone(),
            cut: restored.journals.iter().any(|journal| journal.left_out > 0),
            house: self.house,
            sales: Vec::new(),
            snapshots_skipped: Vec::new(),
        };
        for journal in &restored.journals {
            let (position, time) = end(journal);
            let Some(sale) = journal.sale else {
                report.house.position = position;
                report.house.time = time;
                report.house.batches_left_out = journal.left_out;
                continue;
            };
            report.sales.push(SaleReport {
                sale: wire::sale_id(u32::try_from(sale).unwrap_or(u32::MAX)),
                position,
                time,
                batches_left_out: journal.left_out,
                left_out: self.sales.remove(&sale).unwrap_or_default(),
            });
        }
        let skipped = restored.skipped.iter();
        report.snapshots_skipped = skipped
            .map(|skipped| format!("{}: {}", skipped.path.display(), skipped.reason))
            .collect();
        report
    }
}

fn end(journal: &RestoredJournal) -> (Option<Position>, Option<Time>) {
    let position = journal.position.map(wire::position);
    (position, position.map(|_| Time::from_ms(journal.time_ms)))
}
