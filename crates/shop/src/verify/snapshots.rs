//! Snapshots: each has to be the book at its place, byte by byte.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use api::SaleId;
use commerce::Book;
use storage::{StorageError, snapshot};
use world::Disk;
use world::journal::Batch;

use super::report::{Finding, Findings};

/// The snapshots of a sale that the journal has not come to yet, by batch.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    open: BTreeMap<u64, PathBuf>,
    pub(super) compared: u64,
}

impl Snapshots {
    /// Lists the snapshots of a journal's directory; none are read before their place comes by.
    pub(super) fn list(disk: &dyn Disk, dir: &Path) -> Self {
        let names = disk.list(dir).unwrap_or_default();
        let sequence = |name: &str| {
            name.strip_prefix("snapshot-")?
                .strip_suffix(".snap")?
                .parse()
                .ok()
        };
        let open = names
            .iter()
            .filter_map(|name| Some((sequence(name)?, dir.join(name))));
        Self {
            open: open.collect(),
            compared: 0,
        }
    }

    /// Holds the snapshot taken after this batch against the book.
    pub(super) fn meet(
        &mut self,
        disk: &dyn Disk,
        sale: SaleId,
        batch: &Batch,
        book: &mut Book,
        findings: &mut Findings,
    ) {
        let Some(path) = self.open.remove(&batch.sequence) else {
            return;
        };
        match snapshot::read(disk, &path) {
            Ok(found) if found.position != batch.position() => {
                let detail = format!(
                    "snapshot of {} was taken, the journal has {}",
                    found.position,
                    batch.position()
                );
                findings.add(Finding::loss(Some(sale), detail).at(batch.sequence));
            }
            Ok(found) if is_book(&found.payload, book) => self.compared += 1,
            Ok(_) => {
                let detail = "it is not the book that the journal gives".to_owned();
                findings.add(Finding::snapshot(Some(sale), path, detail).at(batch.sequence));
            }
            Err(error) if is_gone(&error) => {}
            Err(error) => findings
                .add(Finding::snapshot(Some(sale), path, error.to_string()).at(batch.sequence)),
        }
    }

    /// A snapshot beyond the journal's end has seen what is not there any more.
    pub(super) fn report_lost(
        &mut self,
        disk: &dyn Disk,
        sale: SaleId,
        end: u64,
        findings: &mut Findings,
    ) {
        for (sequence, path) in std::mem::take(&mut self.open)
            .into_iter()
            .filter(|(sequence, _)| *sequence > end)
        {
            match snapshot::read(disk, &path) {
                Ok(found) => {
                    let detail = format!(
                        "a snapshot of {} was taken, the journal ends at batch {end}",
                        found.position
                    );
                    findings.add(Finding::loss(Some(sale), detail).at(sequence));
                }
                Err(error) if is_gone(&error) => {}
                Err(error) => findings
                    .add(Finding::snapshot(Some(sale), path, error.to_string()).at(sequence)),
            }
        }
    }
}

/// Whether the bytes are the book. A snapshot may have been taken later than the batch, and its time is then the only
/// thing that differs; nothing that comes after it is earlier.
fn is_book(bytes: &[u8], book: &mut Book) -> bool {
    let same = |book: &Book| book.to_snapshot().is_ok_and(|own| own == bytes);
    if same(book) {
        return true;
    }
    let Ok(time) = Book::from_snapshot(bytes).map(|found| found.time()) else {
        return false;
    };
    if time <= book.time() {
        return false;
    }
    book.advance(time);
    same(book)
}

/// A live server keeps the newest two and removes the others while this looks.
fn is_gone(error: &StorageError) -> bool {
    matches!(error, StorageError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}
