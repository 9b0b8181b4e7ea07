//! Disks that refuse: what callers hear, and how the journal goes on.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use tidegate_storage::journal::{Log, prepare};
use world::Disk;
use world::disk::{Access, DiskFile, DiskLock, LockError};
use world::faults::{Effect, Fault, FaultyDisk, Lasting, MemoryDisk, Operation};
use world::journal::{AppendFault, JournalError};

use crate::desk::{batch, dir, fill, open_log, recovered};

type Faulty = FaultyDisk<MemoryDisk>;

fn faulty() -> (Faulty, Arc<dyn Disk>) {
    let disk = FaultyDisk::new(MemoryDisk::new());
    (disk.clone(), Arc::new(disk))
}

fn once(operation: Operation, error: ErrorKind, effect: Effect) -> Fault {
    Fault {
        operation,
        after: 0,
        error,
        effect,
        lasting: Lasting::Once,
    }
}

fn fault_of(log: &mut Log, expected: u64) -> AppendFault {
    match log.append(expected, &batch(expected, 99)) {
        Err(JournalError::Unknown { fault, .. }) => fault,
        other => panic!("expected an unknown outcome, got {other:?}"),
    }
}

#[test]
fn a_full_disk_a_bad_write_and_a_failed_sync_are_told_apart() {
    let cases = [
        (
            Operation::Write,
            ErrorKind::StorageFull,
            AppendFault::NoSpace,
        ),
        (Operation::Write, ErrorKind::Other, AppendFault::Write),
        (Operation::Sync, ErrorKind::Other, AppendFault::Sync),
        (
            Operation::Sync,
            ErrorKind::StorageFull,
            AppendFault::NoSpace,
        ),
    ];
    for (operation, error, expected) in cases {
        let (faults, disk) = faulty();
        let mut log = open_log(&disk, &dir()).expect("a log");
        fill(&mut log, 0, 3);
        faults.plan(once(operation, error, Effect::First(40)));
        assert_eq!(fault_of(&mut log, 3), expected);
        assert!(matches!(
            log.append(3, &batch(3, 1)),
            Err(JournalError::Broken)
        ));
        assert_eq!(log.resume().expect("resuming").sequence, 3);
        fill(&mut log, 3, 20);
        drop(log);
        let (recovery, batches) = recovered(&disk, &dir(), None).expect("a recovery");
        assert!(recovery.torn.is_empty(), "left behind, not torn");
        assert_eq!(batches.len(), 20);
        assert!(
            batches
                .iter()
                .all(|found| found.payload == batch(found.sequence - 1, 1).payload)
        );
    }
}

#[test]
fn a_batch_whose_sync_failed_is_found_after_a_restart_or_not_but_never_twice() {
    let (faults, disk) = faulty();
    let mut log = open_log(&disk, &dir()).expect("a log");
    fill(&mut log, 0, 3);
    faults.plan(once(Operation::Sync, ErrorKind::Other, Effect::None));
    fault_of(&mut log, 3);
    drop(log);
    // The process died before it resumed: the bytes are whole, so the batch counts.
    let (_, batches) = recovered(&disk, &dir(), None).expect("a recovery");
    assert_eq!(batches.len(), 4);
    assert_eq!(batches[3].payload, batch(3, 99).payload);
}

#[test]
fn every_operation_of_a_roll_may_fail_and_the_journal_resumes() {
    for after in 0..12 {
        for effect in [Effect::None, Effect::Whole] {
            let (faults, disk) = faulty();
            let mut log = open_log(&disk, &dir()).expect("a log");
            fill(&mut log, 0, 3);
            faults.plan(Fault {
                after,
                ..once(Operation::Any, ErrorKind::Other, effect)
            });
            let mut number = 3;
            while number < 30 {
                match log.append(number, &batch(number, 1)) {
                    Ok(_) => number += 1,
                    Err(JournalError::Unknown { .. }) => {
                        log.resume().expect("resuming");
                    }
                    Err(error) => panic!("unexpected: {error}"),
                }
            }
            drop(log);
            let (_, batches) = recovered(&disk, &dir(), None).expect("a recovery");
            assert_eq!(batches.len(), 30, "fault after {after}, {effect:?}");
        }
    }
}

#[test]
fn resuming_fails_while_the_disk_refuses_and_works_when_it_is_mended() {
    let (faults, disk) = faulty();
    let mut log = open_log(&disk, &dir()).expect("a log");
    fill(&mut log, 0, 3);
    for after in 0..8 {
        faults.plan(once(Operation::Sync, ErrorKind::Other, Effect::None));
        fault_of(&mut log, 3);
        faults.plan(Fault {
            after,
            lasting: Lasting::UntilHealed,
            ..once(Operation::Any, ErrorKind::StorageFull, Effect::None)
        });
        for _ in 0..3 {
            if log.resume().is_ok() {
                break;
            }
        }
        faults.heal();
        log.resume().expect("resuming on a mended disk");
    }
    fill(&mut log, 3, 10);
    let (_, batches) = recovered(&disk, &dir(), None).expect("a recovery");
    assert_eq!(batches.len(), 10);
}

#[test]
fn zeros_that_cannot_be_made_leave_no_file_and_stop_no_append() {
    let (faults, disk) = faulty();
    let mut log = open_log(&disk, &dir()).expect("a log");
    fill(&mut log, 0, 4);
    assert!(log.wanted().is_some());
    faults.plan(Fault {
        after: 2,
        ..once(Operation::Any, ErrorKind::StorageFull, Effect::First(10))
    });
    let path = log.prepared_path();
    let made = prepare(&*disk, &path, 1 << 20, &mut || {
        std::ops::ControlFlow::Continue(())
    });
    assert!(made.is_err());
    assert!(!disk.exists(&path).expect("looking"));
    fill(&mut log, 4, 40);
}

#[test]
fn zeros_made_in_time_are_used_and_leftovers_are_removed() {
    let (_, disk) = faulty();
    let mut log = open_log(&disk, &dir()).expect("a log");
    let mut number = 0;
    let mut supplied = 0;
    while number < 60 {
        fill(&mut log, number, number + 1);
        number += 1;
        if let Some(bytes) = log.wanted() {
            let path = log.prepared_path();
            let made = prepare(&*disk, &path, bytes, &mut || {
                std::ops::ControlFlow::Continue(())
            });
            log.supply(made.expect("zeros"));
            supplied += 1;
        }
    }
    assert!(supplied > 1);
    drop(log);
    assert_eq!(
        open_log(&disk, &dir()).expect("a log").position().sequence,
        60
    );
    let names = disk.list(&dir()).expect("a directory");
    assert!(
        names.iter().all(|name| name.ends_with(".journal")),
        "{names:?}"
    );
}

/// Counts how often each file is synced after its first failure.
#[derive(Debug)]
struct NeverAgain {
    disk: MemoryDisk,
    failing: Arc<std::sync::atomic::AtomicBool>,
}

#[derive(Debug)]
struct NeverAgainFile {
    file: Box<dyn DiskFile>,
    failing: Arc<std::sync::atomic::AtomicBool>,
    failed: std::sync::atomic::AtomicBool,
}

impl NeverAgainFile {
    fn sync(&self) -> std::io::Result<()> {
        use std::sync::atomic::Ordering::SeqCst;
        assert!(!self.failed.load(SeqCst), "a failed sync was tried again");
        if self.failing.load(SeqCst) {
            self.failed.store(true, SeqCst);
            return Err(ErrorKind::Other.into());
        }
        self.file.sync_data()
    }
}

impl DiskFile for NeverAgainFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.file.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        let failed = self.failed.load(std::sync::atomic::Ordering::SeqCst);
        assert!(!failed, "a file was written after its sync failed");
        self.file.write_at(offset, bytes)
    }
    fn sync_data(&self) -> std::io::Result<()> {
        self.sync()
    }
    fn sync_all(&self) -> std::io::Result<()> {
        self.sync()
    }
    fn len(&self) -> std::io::Result<u64> {
        self.file.len()
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.file.set_len(len)
    }
}

impl Disk for NeverAgain {
    fn open(&self, path: &Path, access: Access) -> std::io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(NeverAgainFile {
            file: self.disk.open(path, access)?,
            failing: self.failing.clone(),
            failed: false.into(),
        }))
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.disk.remove(path)
    }
    fn list(&self, dir: &Path) -> std::io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn create_dir_all(&self, dir: &Path) -> std::io::Result<()> {
        self.disk.create_dir_all(dir)
    }
    fn sync_dir(&self, dir: &Path) -> std::io::Result<()> {
        self.disk.sync_dir(dir)
    }
    fn exists(&self, path: &Path) -> std::io::Result<bool> {
        self.disk.exists(path)
    }
    fn try_lock(&self, path: &Path, note: &str) -> Result<Box<dyn DiskLock>, LockError> {
        self.disk.try_lock(path, note)
    }
}

#[test]
fn a_file_whose_sync_failed_is_neither_synced_nor_written_again() {
    let failing = Arc::<std::sync::atomic::AtomicBool>::default();
    let disk: Arc<dyn Disk> = Arc::new(NeverAgain {
        disk: MemoryDisk::new(),
        failing: failing.clone(),
    });
    let mut log = open_log(&disk, &dir()).expect("a log");
    let mut number = 0;
    for _ in 0..5 {
        fill(&mut log, number, number + 7);
        number += 7;
        failing.store(true, std::sync::atomic::Ordering::SeqCst);
        fault_of(&mut log, number);
        assert!(log.resume().is_err());
        failing.store(false, std::sync::atomic::Ordering::SeqCst);
        log.resume().expect("resuming");
    }
    let (_, batches) = recovered(&disk, &dir(), None).expect("a recovery");
    assert_eq!(batches.len(), 35);
}
