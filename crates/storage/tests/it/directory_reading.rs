//! Readers beside a live owner, above all one that knows only the files.

use std::io::ErrorKind;
use std::sync::Arc;
use std::thread;

use tidegate_storage::journal::{FileJournal, read_dir};
use world::disk::OsDisk;
use world::faults::{Effect, Fault, FaultyDisk, Lasting, MemoryDisk, Operation};
use world::journal::{Batch, BatchReader, Journal, JournalError};
use world::{Disk, Tasks};

use crate::desk::{self, SMALL, batch, dir, fill, open_log};

fn drain(reader: &mut dyn BatchReader) -> Vec<u64> {
    std::iter::from_fn(|| reader.next().expect("reading"))
        .map(|batch| batch.sequence)
        .collect()
}

#[test]
fn a_reader_in_another_process_follows_through_segments_and_archiving() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let mut early = read_dir(&disk, &dir(), 0).expect("an empty directory reads as empty");
    assert!(drain(&mut *early).is_empty());
    let mut log = open_log(&disk, &dir()).expect("a log");
    let mut next = 1;
    for number in 0..80 {
        fill(&mut log, number, number + 1);
        if number % 3 == 0 {
            let read = drain(&mut *early);
            assert_eq!(read, (next..=number + 1).collect::<Vec<_>>());
            next = number + 2;
        }
        if number == 50 {
            log.archive(45).expect("archiving");
        }
    }
    let mut late = read_dir(&disk, &dir(), 70).expect("a reader");
    assert_eq!(drain(&mut *late), (71..=80).collect::<Vec<_>>());
    let beyond = read_dir(&disk, &dir(), 81).map(|_| ());
    assert!(matches!(
        beyond,
        Err(JournalError::WrongPosition {
            expected: 81,
            found: 80
        })
    ));
}

#[test]
fn a_reader_in_another_process_passes_by_what_a_failed_append_left() {
    let faults = FaultyDisk::new(MemoryDisk::new());
    let disk: Arc<dyn Disk> = Arc::new(faults.clone());
    let mut log = open_log(&disk, &dir()).expect("a log");
    fill(&mut log, 0, 5);
    let mut reader = read_dir(&disk, &dir(), 0).expect("a reader");
    assert_eq!(drain(&mut *reader).len(), 5);
    for effect in [Effect::First(100), Effect::None] {
        faults.plan(Fault {
            operation: Operation::Write,
            after: 0,
            error: ErrorKind::Other,
            effect,
            lasting: Lasting::Once,
        });
        log.append(5, &batch(5, 9)).expect_err("a failed append");
        assert!(drain(&mut *reader).is_empty());
        log.resume().expect("resuming");
    }
    fill(&mut log, 5, 9);
    assert_eq!(drain(&mut *reader), [6, 7, 8, 9]);
}

#[test]
fn a_batch_seen_before_its_sync_failed_is_withdrawn() {
    let faults = FaultyDisk::new(MemoryDisk::new());
    let disk: Arc<dyn Disk> = Arc::new(faults.clone());
    let mut log = open_log(&disk, &dir()).expect("a log");
    fill(&mut log, 0, 3);
    faults.plan(Fault {
        operation: Operation::Sync,
        after: 0,
        error: ErrorKind::Other,
        effect: Effect::None,
        lasting: Lasting::Once,
    });
    log.append(3, &batch(3, 9)).expect_err("a failed sync");
    let mut reader = read_dir(&disk, &dir(), 0).expect("a reader");
    assert_eq!(drain(&mut *reader).len(), 4);
    log.resume().expect("resuming");
    fill(&mut log, 3, 4);
    assert!(matches!(
        reader.next(),
        Err(JournalError::Withdrawn { sequence: 4 })
    ));
    let mut again = read_dir(&disk, &dir(), 0).expect("a new reader");
    assert_eq!(drain(&mut *again).len(), 4);
}

const BATCHES: u64 = 600;

/// Reads until the last batch has come, checking each.
fn follow(mut reader: Box<dyn BatchReader>) -> Vec<Batch> {
    let mut read: Vec<Batch> = Vec::new();
    while (read.len() as u64) < BATCHES {
        match reader.next().expect("reading beside the writer") {
            Some(found) => read.push(found),
            None => thread::yield_now(),
        }
    }
    read
}

#[tokio::test]
async fn readers_beside_the_writer_see_each_batch_once_and_in_order() {
    let temporary = tempfile::tempdir().expect("a directory");
    let dir = temporary.path().join("house");
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let (recovery, _) = desk::recovered(&disk, &dir, None).expect("a recovery");
    let (doors, tasks) = (desk::doors(disk.clone()), Tasks::of_the_machine());
    let mut journal = FileJournal::open(recovery, doors, &tasks, SMALL).expect("a journal");
    let live = journal.read(0).expect("a live reader");
    let apart = read_dir(&disk, &dir, 0).expect("a reader apart");
    let followers = [live, apart].map(|reader| thread::spawn(move || follow(reader)));
    let mut positions = Vec::new();
    for number in 0..BATCHES {
        let appended = journal.append(number, batch(number % 50, 1)).await;
        positions.push(appended.expect("an append").position);
        if number % 40 == 39 {
            journal.archive(number - 10).await.expect("archiving");
        }
    }
    for follower in followers {
        let read = follower.join().expect("a reader that does not panic");
        let seen: Vec<_> = read.iter().map(Batch::position).collect();
        assert_eq!(seen, positions);
    }
}
