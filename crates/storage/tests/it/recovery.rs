//! What a start makes of the files it finds.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_storage::journal::Log;
use world::faults::MemoryDisk;
use world::journal::{JournalError, Position};
use world::{Disk, SeededEntropy};

use crate::desk::{
    SMALL, batch, dir, doors, file_bytes, fill, open_inline, open_log, put_file, read_all,
    recovered,
};

fn memory() -> Arc<dyn Disk> {
    Arc::new(MemoryDisk::new())
}

fn segment(ordinal: u64) -> PathBuf {
    dir().join(format!("{ordinal:08}.journal"))
}

fn newest(disk: &Arc<dyn Disk>) -> PathBuf {
    let names = disk.list(&dir()).expect("a directory");
    let last = names.iter().rfind(|name| name.ends_with(".journal"));
    dir().join(last.expect("a segment"))
}

/// Where the zeros of the newest segment begin.
fn end_of(bytes: &[u8]) -> usize {
    let last = bytes.iter().rposition(|byte| *byte != 0).expect("bytes");
    (last + 1).next_multiple_of(8)
}

#[test]
fn recovery_shows_every_batch_once_and_in_order() {
    let disk = memory();
    let positions = fill(&mut open_log(&disk, &dir()).expect("a log"), 0, 60);
    let (recovery, batches) = recovered(&disk, &dir(), None).expect("a recovery");
    assert_eq!(recovery.position, positions[59]);
    assert_eq!(recovery.time_ms, Some(1_059));
    assert!(recovery.torn.is_empty());
    assert!(recovery.segments > 3);
    let found: Vec<_> = batches.iter().map(|batch| batch.position()).collect();
    assert_eq!(found, positions);
}

#[test]
fn recovery_starts_behind_any_snapshot_and_reads_only_the_rest() {
    let disk = memory();
    let positions = fill(&mut open_log(&disk, &dir()).expect("a log"), 0, 60);
    for (index, start) in positions.iter().enumerate() {
        let (recovery, batches) = recovered(&disk, &dir(), Some(*start)).expect("a recovery");
        assert_eq!(batches.len(), 59 - index);
        assert_eq!(recovery.position, positions[59]);
    }
}

#[test]
fn a_snapshot_ahead_of_the_journal_is_loss() {
    let disk = memory();
    let positions = fill(&mut open_log(&disk, &dir()).expect("a log"), 0, 5);
    let witness = Position {
        sequence: 9,
        chain: [3; 32],
    };
    match recovered(&disk, &dir(), Some(witness)) {
        Err(JournalError::Lost { witness: w, found }) => {
            assert_eq!((w, found), (witness, positions[4]));
        }
        other => panic!("expected a loss, got {other:?}"),
    }
    let nothing = recovered(&disk, &dir().join("none"), Some(witness));
    assert!(matches!(nothing, Err(JournalError::Lost { found, .. }) if found.sequence == 0));
}

#[test]
fn a_snapshot_of_another_history_is_loss() {
    let disk = memory();
    let positions = fill(&mut open_log(&disk, &dir()).expect("a log"), 0, 40);
    for found in positions {
        let witness = Position {
            chain: [9; 32],
            ..found
        };
        match recovered(&disk, &dir(), Some(witness)) {
            Err(JournalError::Lost { found: here, .. }) => assert_eq!(here, found),
            other => panic!("expected a loss, got {other:?}"),
        }
    }
}

#[test]
fn a_torn_tail_is_set_aside_and_the_journal_goes_on_in_a_new_segment() {
    let disk = memory();
    let positions = fill(&mut open_log(&disk, &dir()).expect("a log"), 0, 20);
    let path = newest(&disk);
    let mut bytes = file_bytes(&*disk, &path);
    let end = end_of(&bytes);
    bytes.resize(bytes.len().max(end + 100), 0);
    bytes[end..end + 50].fill(0xA5);
    put_file(&*disk, &path, &bytes);

    let (recovery, batches) = recovered(&disk, &dir(), None).expect("a recovery");
    assert_eq!(batches.len(), 20);
    let torn = recovery.torn[0].clone();
    assert_eq!(
        (torn.offset, torn.bytes, torn.sequence),
        (end as u64, 50, 21)
    );
    assert_eq!(torn.file, path);
    assert_eq!(torn.set_aside, dir().join(format!("torn-21-{end}.bytes")));

    let mut log = open_log(&disk, &dir()).expect("a log");
    assert_eq!(log.position(), positions[19]);
    assert_eq!(file_bytes(&*disk, &torn.set_aside), vec![0xA5; 50]);
    assert_eq!(
        file_bytes(&*disk, &path),
        bytes,
        "the old file is untouched"
    );
    assert_ne!(newest(&disk), path);
    fill(&mut log, 20, 30);
    let (recovery, batches) = recovered(&disk, &dir(), None).expect("a recovery");
    assert!(recovery.torn.is_empty());
    assert_eq!(batches.len(), 30);
}

#[test]
fn bytes_behind_the_end_that_look_like_older_batches_are_not_taken_for_new_ones() {
    let disk = memory();
    fill(&mut open_log(&disk, &dir()).expect("a log"), 0, 40);
    let path = newest(&disk);
    let mut bytes = file_bytes(&*disk, &path);
    let end = end_of(&bytes);
    // What a recycled file would hold: batches of an earlier segment of the same journal.
    let recycled = file_bytes(&*disk, &segment(1));
    bytes.truncate(end);
    bytes.extend_from_slice(&recycled[128..]);
    put_file(&*disk, &path, &bytes);
    let (recovery, batches) = recovered(&disk, &dir(), None).expect("a recovery");
    assert_eq!(batches.len(), 40);
    assert_eq!(recovery.torn.len(), 1);
}

#[test]
fn batches_of_another_journal_behind_the_end_prove_no_damage() {
    // A payload may hold anything, the bytes of another journal's batches too.
    let other = memory();
    let (recovery, _) = recovered(&other, &dir(), None).expect("a recovery");
    let mut doors = doors(other.clone());
    doors.entropy = Arc::new(SeededEntropy::new(8));
    let mut log = Log::open(recovery, doors, SMALL).expect("a log");
    fill(&mut log, 0, 40);
    let foreign = file_bytes(&*other, &newest(&other));

    let disk = memory();
    fill(&mut open_log(&disk, &dir()).expect("a log"), 0, 3);
    let mut bytes = file_bytes(&*disk, &segment(1));
    bytes.truncate(end_of(&bytes));
    bytes.extend_from_slice(&foreign[128..]);
    put_file(&*disk, &segment(1), &bytes);
    let (recovery, batches) = recovered(&disk, &dir(), None).expect("a recovery");
    assert_eq!((batches.len(), recovery.torn.len()), (3, 1));
}

#[test]
fn a_newest_file_without_a_header_is_set_aside_and_never_written_over() {
    let disk = memory();
    let positions = fill(&mut open_log(&disk, &dir()).expect("a log"), 0, 3);
    put_file(&*disk, &segment(2), &[0xA5; 300]);
    put_file(&*disk, &segment(3), &[0; 300]);
    let mut log = open_log(&disk, &dir()).expect("a log");
    assert_eq!(log.position(), positions[2]);
    assert_eq!(newest(&disk), segment(4));
    assert_eq!(file_bytes(&*disk, &segment(2)), [0xA5; 300]);
    let aside = dir().join("torn-4-0.bytes");
    assert_eq!(file_bytes(&*disk, &aside), [0xA5; 300]);
    fill(&mut log, 3, 9);
    let (_, batches) = recovered(&disk, &dir(), None).expect("a recovery");
    assert_eq!(batches.len(), 9);
}

#[test]
fn bad_bytes_before_a_later_batch_are_damage_with_file_and_offset() {
    let disk = memory();
    let mut log = open_log(&disk, &dir()).expect("a log");
    fill(&mut log, 0, 2);
    let offset = end_of(&file_bytes(&*disk, &segment(1)));
    fill(&mut log, 2, 40);
    let whole = file_bytes(&*disk, &segment(1));
    let mut bytes = whole.clone();
    bytes[offset + 80] ^= 1;
    put_file(&*disk, &segment(1), &bytes);
    match recovered(&disk, &dir(), None) {
        Err(JournalError::Damaged {
            file,
            offset: found,
            remedy,
            ..
        }) => {
            assert_eq!((file, found), (segment(1), offset as u64));
            assert!(remedy.contains("give up batch 3"), "{remedy}");
        }
        other => panic!("expected damage, got {other:?}"),
    }
    // The remedy does what it says.
    put_file(&*disk, &segment(1), &whole[..offset]);
    for name in disk.list(&dir()).expect("a directory") {
        if name.ends_with(".journal") && dir().join(&name) != segment(1) {
            disk.remove(&dir().join(name)).expect("removing");
        }
    }
    let mut log = open_log(&disk, &dir()).expect("a log");
    assert_eq!(log.position().sequence, 2);
    fill(&mut log, 2, 4);
}

#[test]
fn a_zeroed_sector_before_a_later_batch_is_damage() {
    let disk = memory();
    let mut log = open_log(&disk, &dir()).expect("a log");
    fill(&mut log, 0, 1);
    let offset = end_of(&file_bytes(&*disk, &segment(1)));
    fill(&mut log, 1, 4);
    let mut bytes = file_bytes(&*disk, &segment(1));
    bytes[offset..offset + 72].fill(0);
    put_file(&*disk, &segment(1), &bytes);
    assert!(matches!(
        recovered(&disk, &dir(), None),
        Err(JournalError::Damaged { offset: found, .. }) if found == offset as u64
    ));
}

#[test]
fn a_missing_segment_is_damage() {
    let disk = memory();
    fill(&mut open_log(&disk, &dir()).expect("a log"), 0, 40);
    disk.remove(&segment(2)).expect("removing");
    assert!(matches!(
        recovered(&disk, &dir(), None),
        Err(JournalError::Damaged { file, offset: 0, .. }) if file == segment(2)
    ));
}

#[test]
fn a_segment_from_the_future_is_refused_by_its_version() {
    let disk = memory();
    fill(&mut open_log(&disk, &dir()).expect("a log"), 0, 1);
    let mut bytes = file_bytes(&*disk, &segment(1));
    bytes[8] = 9;
    let flipped = bytes.clone();
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..128]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    put_file(&*disk, &segment(1), &bytes);
    assert!(matches!(
        recovered(&disk, &dir(), None),
        Err(JournalError::Version {
            found: 9,
            supported: 1,
            ..
        })
    ));
    // The same bytes without the checksum are a flipped bit, not the future.
    put_file(&*disk, &segment(1), &flipped);
    assert!(matches!(
        recovered(&disk, &dir(), None),
        Err(JournalError::Damaged { offset: 0, .. })
    ));
}

#[test]
fn a_last_batch_that_was_changed_on_purpose_is_damage_and_no_torn_tail() {
    let disk = memory();
    let mut log = open_log(&disk, &dir()).expect("a log");
    fill(&mut log, 0, 1);
    let first = file_bytes(&*disk, &segment(1));
    let offset = end_of(&first);
    // Another batch 2, whole and with good checksums, behind another batch 1.
    let other = memory();
    let mut fork = open_log(&other, &dir()).expect("a log");
    fork.append(0, &batch(5, 2)).expect("an append");
    let forged_at = end_of(&file_bytes(&*other, &segment(1)));
    fork.append(1, &batch(1, 2)).expect("an append");
    let mut bytes = first;
    bytes[offset..offset + 120]
        .copy_from_slice(&file_bytes(&*other, &segment(1))[forged_at..forged_at + 120]);
    put_file(&*disk, &segment(1), &bytes);
    assert!(matches!(
        recovered(&disk, &dir(), None),
        Err(JournalError::Damaged { offset: found, .. }) if found == offset as u64
    ));
}

#[test]
fn archived_segments_lie_apart_and_are_still_read() {
    let disk = memory();
    let mut log = open_log(&disk, &dir()).expect("a log");
    let positions = fill(&mut log, 0, 60);
    let archived = log.archive(30).expect("archiving");
    assert!(archived.segments > 1 && archived.bytes > 0);
    let moved = disk.list(&dir().join("archive")).expect("an archive");
    assert_eq!(moved.len() as u64, archived.segments);
    assert!(!disk.exists(&segment(1)).expect("looking"));
    assert_eq!(log.archive(30).expect("again").segments, 0);
    drop(log);
    assert_eq!(read_all(&open_inline(&disk, &dir()), 0).len(), 60);
    let (recovery, batches) =
        recovered(&disk, &dir(), Some(positions[40])).expect("a recovery from a snapshot");
    assert_eq!(batches.len(), 19);
    assert!(recovery.segments < 20);
}
