//! The readers against bytes that went wrong: files of a journal, snapshots, the directory's format.
//!
//! `bytes.rs` tries every single bit and every cut; here several things go wrong at once, and the
//! checksums are mended afterwards, so that what lies behind them is tried too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_storage::journal::{Log, read_dir};
use tidegate_storage::{DataDir, StorageError, snapshot};
use world::Disk;
use world::faults::MemoryDisk;
use world::journal::{Batch, JournalError};
use world::mangle::{Corpus, Trial};

use crate::desk::{SMALL, batch, dir, doors, file_bytes, put_file, recovered};

/// Bytes of a segment's header.
const SEGMENT: usize = 128;

/// Bytes of a batch's header.
const FRAME: usize = 72;

fn corpus(format: &str) -> Corpus {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    Corpus::read(dir.join(format)).expect("a corpus")
}

fn disk_with<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Arc<dyn Disk> {
    let disk = MemoryDisk::new();
    disk.create_dir_all(&dir()).expect("a directory");
    for (name, bytes) in files {
        put_file(&disk, &dir().join(name), bytes);
    }
    Arc::new(disk)
}

/// Mends the checksums of a segment's header and of every batch in it that still looks like one, as
/// somebody who wants to be believed would.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if bytes.len() < SEGMENT {
        return bytes;
    }
    let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..SEGMENT]);
    bytes[12..16].copy_from_slice(&sum.to_le_bytes());
    let seal = crc32c::crc32c_append(crc32c::crc32c(&bytes[16..32]), &bytes[32..40]);
    for at in (SEGMENT..bytes.len().saturating_sub(FRAME)).step_by(8) {
        if bytes[at..].starts_with(b"TGB1") {
            seal_batch(&mut bytes, at, seal);
        }
    }
    bytes
}

fn seal_batch(bytes: &mut [u8], at: usize, seal: u32) {
    let mut length = [0; 4];
    length.copy_from_slice(&bytes[at + 8..at + 12]);
    let end = (at + FRAME).saturating_add(u32::from_le_bytes(length) as usize);
    if let Some(payload) = bytes.get(at + FRAME..end) {
        let sum = crc32c::crc32c(payload).to_le_bytes();
        bytes[at + 12..at + 16].copy_from_slice(&sum);
    }
    let sum = crc32c::crc32c_append(seal, &bytes[at + 8..at + FRAME]);
    bytes[at + 4..at + 8].copy_from_slice(&sum.to_le_bytes());
}

fn read_on(disk: &Arc<dyn Disk>, into: &mut Vec<Batch>) -> Result<(), JournalError> {
    let mut reader = read_dir(disk, &dir(), 0)?;
    while let Some(batch) = reader.next()? {
        into.push(batch);
    }
    Ok(())
}

/// The journal with one file replaced: nothing but a prefix of the batches may come out of it, and
/// less than all only where the end was hit.
fn try_journal(corpus: &Corpus, original: &[Batch], name: &str, bytes: &[u8]) {
    let last = corpus.files().last().expect("a segment").0;
    let files = corpus.files();
    let disk = disk_with(files.map(|(file, old)| (file, if file == name { bytes } else { old })));
    let mut read = Vec::new();
    let end = read_on(&disk, &mut read);
    assert!(original.starts_with(&read), "the reader shows {read:?}");
    match recovered(&disk, &dir(), None) {
        Ok((recovery, batches)) => {
            assert!(end.is_ok(), "the reader says {end:?}");
            assert_eq!(read, batches);
            assert!(name == last || batches.len() == original.len());
            let next = batches.len() as u64;
            let mut log = Log::open(recovery, doors(disk.clone()), SMALL).expect("a log");
            log.append(next, &batch(next, 9)).expect("an append");
            let (_, after) = recovered(&disk, &dir(), None).expect("a second recovery");
            assert!(after.starts_with(&batches) && after.len() == batches.len() + 1);
        }
        Err(JournalError::Damaged { .. } | JournalError::Version { .. }) => {
            assert!(end.is_err(), "the reader sees nothing wrong");
        }
        Err(other) => panic!("neither batches nor damage: {other}"),
    }
}

fn is_odd(trial: &Trial<'_>) -> bool {
    trial.number() % 2 == 1
}

#[test]
fn journal() {
    let corpus = corpus("journal").with_words(&[&b"TGB1"[..], b"TGJOURNL", &[0; 72], &[0; 8]]);
    let disk = disk_with(corpus.files());
    let (recovery, original) = recovered(&disk, &dir(), None).expect("a journal");
    assert!(original.len() > 10 && recovery.torn.is_empty());
    for trial in corpus.trials(3_000) {
        if is_odd(&trial) {
            try_journal(&corpus, &original, trial.file(), &sealed(&trial));
        } else {
            try_journal(&corpus, &original, trial.file(), &trial);
        }
    }
}

#[test]
fn a_first_segment_that_begins_in_the_middle_is_damage() {
    // Found by the mutations above: without a predecessor the header's word was taken for where the
    // record begins, so a journal cut off at its front was read as a shorter one without a trace.
    let corpus = corpus("journal");
    let (name, bytes) = corpus.files().last().expect("a segment");
    let mut bytes = bytes.to_vec();
    bytes[40..56].fill(0);
    let disk = disk_with([(name, &sealed(&bytes)[..])].into_iter());
    let found = recovered(&disk, &dir(), None);
    assert!(
        matches!(found, Err(JournalError::Damaged { .. })),
        "{found:?}"
    );
    assert!(read_on(&disk, &mut Vec::new()).is_err());
}

#[test]
fn a_reader_stops_where_the_next_segment_says_that_the_record_ends() {
    // Found by the mutations above, at step 109: the reader crossed by number alone, and read on
    // where the recovery said damage.
    let corpus = corpus("journal");
    let (name, bytes) = corpus.files().last().expect("a segment");
    let mut bytes = bytes.to_vec();
    bytes[48] ^= 8;
    let bytes = sealed(&bytes);
    let files = corpus.files();
    let disk =
        disk_with(files.map(|(file, old)| (file, if file == name { &bytes[..] } else { old })));
    let mut read = Vec::new();
    let end = read_on(&disk, &mut read);
    assert!(
        matches!(end, Err(JournalError::Damaged { .. })),
        "{end:?} after {} batches",
        read.len()
    );
}

#[test]
fn an_archived_segment_with_the_greatest_number_is_damage_and_no_overflow() {
    let disk = MemoryDisk::new();
    let archive = dir().join("archive");
    disk.create_dir_all(&archive).expect("a directory");
    let name = format!("{}.journal", u64::MAX);
    put_file(&disk, &archive.join(name), b"nothing");
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let found = recovered(&disk, &dir(), None);
    assert!(
        matches!(found, Err(JournalError::Damaged { .. })),
        "{found:?}"
    );
}

#[test]
fn a_format_is_written_in_one_way_only() {
    // Found by the corpus: a sign, a zero in front, and whatever stood behind the 64th byte.
    let corpus = corpus("format");
    let good = corpus.files().filter(|(_, bytes)| {
        let disk = disk_with([("format", *bytes)].into_iter());
        DataDir::inspect(&disk, &dir()).is_ok()
    });
    let names: Vec<_> = good.map(|(name, _)| name).collect();
    assert_eq!(names, ["version-1"]);
}

/// The file's own name says which position it has.
fn snapshot_path(name: &str) -> PathBuf {
    dir().join(name)
}

#[test]
fn snapshots() {
    let corpus = corpus("snapshots").with_words(&[&b"TGSNAPSH"[..], &[0; 32]]);
    for trial in corpus.trials(5_000) {
        let whole = corpus.files().find(|(name, _)| *name == trial.file());
        let whole = whole.expect("its file").1;
        let disk = disk_with([(trial.file(), &trial[..])].into_iter());
        let newest = snapshot::newest(&*disk, &dir()).expect("a directory");
        match newest.snapshot {
            Some(found) => {
                assert_eq!(&trial[..], whole, "a changed snapshot is believed");
                let again = MemoryDisk::new();
                again.create_dir_all(&dir()).expect("a directory");
                let (at, time_ms) = (found.position, found.time_ms);
                snapshot::write(&again, &dir(), at, time_ms, &found.payload).expect("written");
                let bytes = file_bytes(&again, &snapshot_path(trial.file()));
                assert_eq!(bytes, whole, "the same snapshot has the same bytes");
            }
            None => {
                assert_eq!(newest.skipped.len(), 1);
                assert_ne!(&trial[..], whole, "{:?}", newest.skipped);
            }
        }
    }
}

#[test]
fn format() {
    let corpus = corpus("format").with_words(&["tidegate data ", "\n", "1", "2"]);
    let root = dir();
    for trial in corpus.trials(6_000) {
        let disk = disk_with([("format", &trial[..])].into_iter());
        match DataDir::inspect(&disk, &root) {
            Ok(_) => assert_eq!(trial.trim_ascii_end(), b"tidegate data 1"),
            Err(StorageError::Damaged { .. } | StorageError::Version { .. }) => {
                assert_ne!(&trial[..], b"tidegate data 1\n");
            }
            Err(other) => panic!("{other}"),
        }
    }
}
