//! One directory, one process, one format.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use tidegate_storage::{DataDir, StorageError, replace_file};
use world::disk::OsDisk;
use world::faults::{Crash, Effect, Fault, FaultyDisk, Lasting, MemoryDisk, Operation};
use world::{Disk, ErrorKind as Kind};

fn memory() -> Arc<dyn Disk> {
    Arc::new(MemoryDisk::new())
}

#[test]
fn a_second_process_is_told_who_has_the_directory() {
    let temporary = tempfile::tempdir().expect("a directory");
    let root = temporary.path().join("data");
    for disk in [memory(), Arc::new(OsDisk)] {
        let first = DataDir::open(&disk, &root, 4_711).expect("the first");
        match DataDir::open(&disk, &root, 4_712) {
            Err(error @ StorageError::Locked { pid, .. }) => {
                assert_eq!(pid, Some(4_711));
                assert_eq!(error.kind(), Kind::Conflict);
                assert!(error.to_string().contains("process 4711"), "{error}");
            }
            other => panic!("expected a lock, got {other:?}"),
        }
        DataDir::inspect(&disk, &root).expect("looking needs no lock");
        drop(first);
        DataDir::open(&disk, &root, 4_712).expect("the lock is free again");
    }
}

#[test]
fn the_layout_has_a_place_for_everything() {
    let disk = memory();
    let root = Path::new("/data");
    let dir = DataDir::open(&disk, root, 1).expect("a directory");
    assert_eq!(dir.root(), root);
    assert_eq!(dir.house(), root.join("house"));
    assert_eq!(dir.sale(42), root.join("sales/00000042"));
    assert_eq!(dir.models(), root.join("models.sqlite"));
    assert_eq!(dir.clock(), root.join("clock"));
    assert!(dir.sale_numbers(&*disk).expect("a list").is_empty());
    for number in [42, 7] {
        disk.create_dir_all(&dir.sale(number)).expect("a sale");
    }
    assert_eq!(dir.sale_numbers(&*disk).expect("a list"), [7, 42]);
}

#[test]
fn a_directory_of_something_else_is_left_as_it_was() {
    let disk = memory();
    let root = Path::new("/home");
    disk.create_dir_all(&root.join("photos")).expect("photos");
    assert!(matches!(
        DataDir::open(&disk, root, 1),
        Err(StorageError::Foreign { found, .. }) if found == "photos"
    ));
    assert_eq!(disk.list(root).expect("a list"), ["photos"]);
}

#[test]
fn a_directory_from_the_future_or_without_sense_is_refused() {
    for (text, future) in [("tidegate data 2\n", true), ("hello", false), ("", false)] {
        let disk = memory();
        let root = Path::new("/data");
        drop(DataDir::open(&disk, root, 1).expect("a directory"));
        replace_file(&*disk, &root.join("format"), &[text.as_bytes()]).expect("a file");
        let opened = DataDir::open(&disk, root, 1).expect_err("a refusal");
        let looked = DataDir::inspect(&disk, root).expect_err("a refusal");
        for error in [opened, looked] {
            let is_future = matches!(error, StorageError::Version { found: 2, .. });
            assert_eq!(is_future, future, "{error}");
        }
    }
}

#[test]
fn looking_at_nothing_says_so_and_makes_nothing() {
    let disk = memory();
    let missing = DataDir::inspect(&disk, Path::new("/none"));
    assert!(matches!(missing, Err(StorageError::Missing { .. })));
    assert!(!disk.exists(Path::new("/none")).expect("looking"));
}

#[test]
fn a_read_only_disk_is_named_as_the_reason() {
    let faults = FaultyDisk::new(MemoryDisk::new());
    faults.plan(Fault {
        operation: Operation::Any,
        after: 0,
        error: ErrorKind::ReadOnlyFilesystem,
        effect: Effect::None,
        lasting: Lasting::UntilHealed,
    });
    let disk: Arc<dyn Disk> = Arc::new(faults);
    let error = DataDir::open(&disk, Path::new("/data"), 1).expect_err("a refusal");
    assert!(matches!(error, StorageError::ReadOnly { .. }), "{error}");
    assert_eq!(error.kind(), Kind::Fix);
}

#[test]
fn a_crash_while_the_directory_is_made_leaves_one_that_can_be_opened() {
    let root = Path::new("/srv/data");
    for after in 0..30 {
        let faults = FaultyDisk::new(MemoryDisk::new());
        faults.plan(Fault {
            operation: Operation::Any,
            after,
            error: ErrorKind::Other,
            effect: Effect::None,
            lasting: Lasting::UntilHealed,
        });
        let made: Arc<dyn Disk> = Arc::new(faults.clone());
        let opened = DataDir::open(&made, root, 1).is_ok();
        for crash in [Crash::Forgets, Crash::Keeps, Crash::Tears(after)] {
            let left: Arc<dyn Disk> = Arc::new(faults.inner().crashed(crash));
            let there = left.exists(&root.join("format")).expect("looking");
            assert!(there || !opened, "what was opened is there");
            DataDir::open(&left, root, 2).expect("opening after the crash");
        }
    }
}
