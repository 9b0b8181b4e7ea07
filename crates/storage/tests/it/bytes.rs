//! The readers against bytes that nobody wrote, or that somebody changed.

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use tidegate_storage::journal::read_dir;
use world::Disk;
use world::faults::MemoryDisk;
use world::journal::{Batch, JournalError};

use crate::desk::{dir, file_bytes, fill, open_log, put_file, recovered};

/// A small journal: its files, its batches.
struct Original {
    files: Vec<(String, Vec<u8>)>,
    batches: Vec<Batch>,
}

fn original() -> &'static Original {
    static ORIGINAL: OnceLock<Original> = OnceLock::new();
    ORIGINAL.get_or_init(|| {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        fill(&mut open_log(&disk, &dir()).expect("a log"), 0, 14);
        let names = disk.list(&dir()).expect("a directory");
        let files: Vec<_> = names
            .into_iter()
            .map(|name| {
                let bytes = file_bytes(&*disk, &dir().join(&name));
                (name, bytes)
            })
            .collect();
        assert!(files.len() > 1, "the journal has several segments");
        let (_, batches) = recovered(&disk, &dir(), None).expect("a recovery");
        Original { files, batches }
    })
}

fn disk_with(files: &[(String, Vec<u8>)]) -> Arc<dyn Disk> {
    let disk = MemoryDisk::new();
    disk.create_dir_all(&dir()).expect("a directory");
    for (name, bytes) in files {
        put_file(&disk, &dir().join(name), bytes);
    }
    Arc::new(disk)
}

/// What the recovery says of these files. The reader without an owner must agree on every batch,
/// and on whether there is damage.
fn examine(files: &[(String, Vec<u8>)]) -> Result<(Vec<Batch>, usize), JournalError> {
    let disk = disk_with(files);
    let mut read = Vec::new();
    let end = read_on(&disk, &mut read);
    assert_prefix(&read);
    let (recovery, batches) = match recovered(&disk, &dir(), None) {
        Ok(found) => found,
        Err(error) => {
            let agreed = matches!(end, Err(JournalError::Damaged { .. }));
            assert!(agreed, "the recovery says {error}, the reader {end:?}");
            return Err(error);
        }
    };
    assert!(end.is_ok(), "the reader says {end:?}");
    assert_eq!(read, batches);
    Ok((batches, recovery.torn.len()))
}

fn read_on(disk: &Arc<dyn Disk>, into: &mut Vec<Batch>) -> Result<(), JournalError> {
    let mut reader = read_dir(disk, &dir(), 0)?;
    while let Some(batch) = reader.next()? {
        into.push(batch);
    }
    Ok(())
}

fn assert_prefix(batches: &[Batch]) {
    let whole = &original().batches;
    assert!(batches.len() <= whole.len());
    assert_eq!(batches, &whole[..batches.len()]);
}

/// First byte of the last batch, in the last file.
fn last_batch() -> usize {
    let bytes = &original().files.last().expect("a file").1;
    let magics = (128..bytes.len()).step_by(8);
    let mut starts = magics.filter(|at| bytes[*at..].starts_with(b"TGB1"));
    starts.next_back().expect("a batch in the last file")
}

#[test]
fn every_flipped_bit_is_found_or_makes_no_difference() {
    let original = original();
    let last_file = original.files.len() - 1;
    for (index, (_, bytes)) in original.files.iter().enumerate() {
        for (at, byte) in bytes.iter().enumerate() {
            let mut files = original.files.clone();
            files[index].1[at] ^= 1 << (at % 8);
            match examine(&files) {
                Ok((batches, torn)) if batches.len() == original.batches.len() => {
                    let padding = *byte == 0;
                    assert!(padding, "file {index}, byte {at} is not checked");
                    assert!(torn <= 1);
                }
                Ok((batches, torn)) => {
                    assert_eq!((index, torn), (last_file, 1));
                    assert!(at >= last_batch());
                    assert_eq!(batches.len(), original.batches.len() - 1);
                }
                Err(JournalError::Damaged { file, offset, .. }) => {
                    assert_eq!(file, dir().join(&files[index].0));
                    assert!(offset <= at as u64);
                }
                Err(error) => panic!("file {index}, byte {at}: {error}"),
            }
        }
    }
}

#[test]
fn every_cut_is_a_shorter_journal_or_damage() {
    let original = original();
    let last_file = original.files.len() - 1;
    for (index, (_, bytes)) in original.files.iter().enumerate() {
        for len in 0..bytes.len() {
            let mut files = original.files.clone();
            files[index].1.truncate(len);
            match examine(&files) {
                Ok((batches, _)) if index < last_file => {
                    assert_eq!(batches.len(), original.batches.len());
                }
                Ok((_, torn)) => assert!(torn <= 1),
                Err(JournalError::Damaged { file, .. }) => {
                    assert!(index < last_file, "the end can only be torn");
                    assert_eq!(file, dir().join(&files[index].0));
                }
                Err(error) => panic!("file {index}, length {len}: {error}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_files_never_become_batches(
        bytes in proptest::collection::vec(any::<u8>(), 0..4096),
        ordinal in 1_u64..4,
    ) {
        let name = format!("{ordinal:08}.journal");
        let disk = disk_with(&[(name, bytes)]);
        let found = recovered(&disk, &dir(), None);
        let damaged = matches!(found, Err(JournalError::Damaged { .. }));
        prop_assert!(damaged);
        prop_assert!(read_dir(&disk, &dir(), 0).is_err());
    }

    #[test]
    fn arbitrary_bytes_behind_the_end_are_torn_and_never_batches(
        bytes in proptest::collection::vec(any::<u8>(), 1..4096),
    ) {
        let mut files = original().files.clone();
        let last = files.len() - 1;
        let end = files[last].1.iter().rposition(|byte| *byte != 0).expect("bytes") + 1;
        files[last].1.truncate(end.next_multiple_of(8));
        files[last].1.resize(end.next_multiple_of(8), 0);
        let zeros = bytes.iter().all(|byte| *byte == 0);
        files[last].1.extend_from_slice(&bytes);
        let (batches, torn) = examine(&files).expect("a torn tail");
        prop_assert_eq!(batches.len(), original().batches.len());
        prop_assert_eq!(torn, usize::from(!zeros));
    }

    #[test]
    fn spliced_pieces_of_the_journal_never_make_another_history(
        from in 0_usize..1000, to in 0_usize..1000, len in 1_usize..600,
        file in 0_usize..8, other in 0_usize..8,
    ) {
        let mut files = original().files.clone();
        let (file, other) = (file % files.len(), other % files.len());
        let piece = files[other].1.clone();
        let from = from % piece.len();
        let piece = &piece[from..(from + len).min(piece.len())];
        let to = to % files[file].1.len();
        let end = (to + piece.len()).min(files[file].1.len());
        files[file].1[to..end].copy_from_slice(&piece[..end - to]);
        // Whatever it says, `examine` has compared every batch with the original.
        let _ = examine(&files);
    }
}

#[test]
fn names_that_are_no_segments_are_left_alone() {
    let mut files = original().files.clone();
    for name in [
        "1.journal",
        "00000000.journal",
        "x.journal",
        "00000009.journal.tmp",
        "torn-1-2.bytes",
    ] {
        files.push((name.to_owned(), b"nonsense".to_vec()));
    }
    let (batches, torn) = examine(&files).expect("a journal");
    assert_eq!((batches.len(), torn), (original().batches.len(), 0));
}
