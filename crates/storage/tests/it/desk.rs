//! What the tests share: a journal on a disk of their choice.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_storage::journal::{
    Doors, InlineJournal, JournalSettings, Log, RecoverError, Recovery, recover,
};
use world::journal::{Batch, Journal, JournalError, NewBatch, Position};
use world::{Disk, ManualClock, SeededEntropy};

/// Segments so small that a few batches fill one.
pub(crate) const SMALL: JournalSettings = JournalSettings {
    segment_bytes_first: 1024,
    segment_bytes_max: 4096,
};

/// Where the journals of the tests are, on disks in memory.
pub(crate) fn dir() -> PathBuf {
    PathBuf::from("/data/house")
}

pub(crate) fn doors(disk: Arc<dyn Disk>) -> Doors {
    Doors {
        disk,
        clock: Arc::new(ManualClock::new(0)),
        entropy: Arc::new(SeededEntropy::new(7)),
    }
}

/// Recovers everything, and gives the batches too.
pub(crate) fn recovered(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    start: Option<Position>,
) -> Result<(Recovery, Vec<Batch>), JournalError> {
    let mut batches = Vec::new();
    let recovery = recover::<Infallible>(disk, dir, start, &mut |batch| {
        batches.push(batch.clone());
        Ok(())
    });
    match recovery {
        Ok(recovery) => Ok((recovery, batches)),
        Err(RecoverError::Journal(error)) => Err(error),
        Err(RecoverError::Visit { source, .. }) => match source {},
    }
}

pub(crate) fn open_log(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Log, JournalError> {
    let (recovery, _) = recovered(disk, dir, None)?;
    Log::open(recovery, doors(disk.clone()), SMALL)
}

pub(crate) fn open_inline(disk: &Arc<dyn Disk>, dir: &Path) -> InlineJournal {
    InlineJournal::new(open_log(disk, dir).expect("a journal that opens"))
}

/// A batch whose content tells its number and `version`.
pub(crate) fn batch(number: u64, version: u8) -> NewBatch {
    let bytes = usize::try_from(number * 37 % 300).expect("a small number");
    let mut payload = vec![version; bytes];
    payload.extend_from_slice(&number.to_le_bytes());
    // Not zero, so that tests can tell where the zeros behind the last batch begin.
    payload.push(0xEE);
    NewBatch {
        time_ms: 1_000 + number,
        entries: 3,
        payload,
    }
}

/// Appends batches numbered `from..to` (0 is the first) and gives the positions.
pub(crate) fn fill(log: &mut Log, from: u64, to: u64) -> Vec<Position> {
    (from..to)
        .map(|number| log.append(number, &batch(number, 1)).expect("an append").0)
        .collect()
}

/// All bytes of a file.
pub(crate) fn file_bytes(disk: &dyn Disk, path: &Path) -> Vec<u8> {
    let file = disk
        .open(path, world::disk::Access::Read)
        .expect("a file to read");
    let len = usize::try_from(file.len().expect("a length")).expect("a small file");
    let mut bytes = vec![0; len];
    assert_eq!(file.read_at(0, &mut bytes).expect("reading"), len);
    bytes
}

/// Replaces a file.
pub(crate) fn put_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) {
    tidegate_storage::replace_file(disk, path, &[bytes]).expect("a file replaced");
}

/// All batches above `after`.
pub(crate) fn read_all(journal: &dyn Journal, after: u64) -> Vec<Batch> {
    let mut reader = journal.read(after).expect("a reader");
    std::iter::from_fn(|| reader.next().expect("reading")).collect()
}
