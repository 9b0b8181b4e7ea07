//! All money that moved through a provider, as the journals have it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use api::{PaymentId, RefundId};
use commerce::record::Records;
use commerce::{Book, Entry, Time};
use storage::DataDir;
use storage::journal::read_dir;
use world::Disk;
use world::journal::{Batch, JournalError};

use super::{Key, SettlementError};
use crate::provider::share::is_refunded;
use crate::wire;

/// How often a journal is read again whose last batch was taken back while it was read.
const WITHDRAWALS_MAX: u32 = 8;

/// Money that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Money {
    pub(super) amount_minor: i64,
    pub(super) currency: Arc<str>,
    /// When the journal heard of it.
    pub(super) at_ms: u64,
}

/// All of it, by key.
pub(super) type Expected = BTreeMap<Key, Money>;

/// Reads every sale's journal, without a lock.
pub(super) fn read(disk: &Arc<dyn Disk>, root: &Path) -> Result<Expected, SettlementError> {
    let data = DataDir::inspect(disk, root)?;
    let mut expected = Expected::new();
    let numbers = data.sale_numbers(&**disk)?.into_iter();
    for sale in numbers.filter_map(|sale| u32::try_from(sale).ok()) {
        let dir = data.sale(sale.into());
        let mut withdrawals = 0;
        loop {
            match of_sale(disk, &dir, sale) {
                // A live server's append failed after its bytes were read: they never counted.
                Err(SettlementError::Journal(JournalError::Withdrawn { .. }))
                    if withdrawals < WITHDRAWALS_MAX =>
                {
                    withdrawals += 1;
                }
                Err(error) => return Err(error),
                Ok(of_sale) => {
                    expected.extend(of_sale);
                    break;
                }
            }
        }
    }
    Ok(expected)
}

fn of_sale(disk: &Arc<dyn Disk>, dir: &Path, sale: u32) -> Result<Expected, SettlementError> {
    let mut book = Book::new();
    let mut expected = Expected::new();
    let mut reader = read_dir(disk, dir, 0)?;
    while let Some(batch) = reader.next()? {
        let taken = take(&mut book, sale, &batch, &mut expected);
        taken.map_err(|what| SettlementError::Book { sale, what })?;
    }
    Ok(expected)
}

fn take(book: &mut Book, sale: u32, batch: &Batch, expected: &mut Expected) -> Result<(), String> {
    let mut records = Records::new(&batch.payload);
    while let Some(entry) = records.read::<Entry>().map_err(|error| error.to_string())? {
        let applied = book.apply(Time(batch.time_ms), &entry);
        applied.map_err(|error| error.to_string())?;
        let moved = moved(book, sale, &entry).filter(|(_, amount)| *amount > 0);
        let Some((key, amount_minor)) = moved else {
            continue;
        };
        let currency = book.currency().map(|currency| currency.code().into());
        let currency = currency.unwrap_or_default();
        let at_ms = batch.time_ms;
        let money = Money {
            amount_minor,
            currency,
            at_ms,
        };
        expected.insert(key, money);
    }
    Ok(())
}

/// Money that a provider moved, by this entry. Money that went around the provider is no provider's to settle.
fn moved(book: &Book, sale: u32, entry: &Entry) -> Option<(Key, i64)> {
    match entry {
        Entry::Captured {
            order,
            attempt,
            amount,
            ..
        } => {
            let (order, attempt) = (wire::order_id(sale, *order), *attempt);
            Some((Key::Charge(PaymentId { order, attempt }), amount.0))
        }
        Entry::Refunded { order, number } => {
            let known = book.order(*order)?;
            let refund = known.refunds().find(|refund| refund.number == *number)?;
            if !is_refunded(known, refund.amount) {
                return None;
            }
            let (order, number) = (wire::order_id(sale, *order), *number);
            Some((Key::Refund(RefundId { order, number }), refund.amount.0))
        }
        _ => None,
    }
}
