//! Backups and restores cut off at any operation, by a disk that fails or by the power: whole, or recognisably not.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use tidegate_storage::backup::{BackupError, Cut, Manifest};
use tidegate_storage::{DataDir, StorageError};
use world::Disk;
use world::faults::{Crash, Effect, Fault, FaultyDisk, Lasting, MemoryDisk, Operation};

use crate::backups::{assert_whole, backed_up, data, files, memory, open_shop, place, restored};
use crate::desk::fill;

fn dead_after(after: u64, error: ErrorKind, effect: Effect) -> Fault {
    Fault {
        operation: Operation::Any,
        after,
        error,
        effect,
        lasting: Lasting::UntilHealed,
    }
}

/// A backup is whole, or says that it is none.
fn assert_backup(left: MemoryDisk, from: &Arc<dyn Disk>, whole: bool, case: &str) {
    let backup: Arc<dyn Disk> = Arc::new(left);
    let to = memory();
    match restored(&backup, &to, Cut::End) {
        Ok(_) => assert_whole(from, &to, case),
        Err(BackupError::Incomplete { .. } | BackupError::NoBackup { .. }) => {
            assert!(!whole, "{case}: what was reported done is there");
            assert!(!to.exists(&data()).expect("looking"), "{case}");
            backed_up(from, &backup, &mut |_| {}).unwrap_or_else(|error| panic!("{case}: {error}"));
            restored(&backup, &to, Cut::End).unwrap_or_else(|error| panic!("{case}: {error}"));
        }
        Err(error) => panic!("{case}: {error}"),
    }
}

fn crashes(seed: u64) -> [Crash; 4] {
    [
        Crash::Forgets,
        Crash::Keeps,
        Crash::Tears(seed),
        Crash::TearsUnderOldNames(seed),
    ]
}

#[test]
fn a_backup_cut_off_at_any_operation_is_whole_or_says_that_it_is_not() {
    let source = FaultyDisk::new(MemoryDisk::new());
    let _shop = open_shop(&source);
    let from: Arc<dyn Disk> = Arc::new(source);
    let before = files(&*from, &data());
    let counted = FaultyDisk::new(MemoryDisk::new());
    let to: Arc<dyn Disk> = Arc::new(counted.clone());
    backed_up(&from, &to, &mut |_| {}).expect("a backup");
    assert!(counted.changes() > 60, "{}", counted.changes());
    for after in 0..=counted.changes() {
        for (error, effect) in [
            (ErrorKind::StorageFull, Effect::First(60)),
            (ErrorKind::Other, Effect::Whole),
        ] {
            let faults = FaultyDisk::new(MemoryDisk::new());
            faults.plan(dead_after(after, error, effect));
            let to: Arc<dyn Disk> = Arc::new(faults.clone());
            let whole = backed_up(&from, &to, &mut |_| {}).is_ok();
            for crash in crashes(after) {
                let case = format!("after {after}, {error:?}, {crash:?}");
                assert_backup(faults.inner().crashed(crash), &from, whole, &case);
            }
        }
    }
    assert_eq!(files(&*from, &data()), before, "the source is as it was");
}

#[test]
fn a_second_backup_cut_off_at_any_operation_leaves_the_first_or_the_second() {
    let source = FaultyDisk::new(MemoryDisk::new());
    let mut shop = open_shop(&source);
    let from: Arc<dyn Disk> = Arc::new(source);
    let old = MemoryDisk::new();
    let first: Arc<dyn Disk> = Arc::new(old.clone());
    let earlier = backed_up(&from, &first, &mut |_| {})
        .expect("a backup")
        .manifest;
    fill(&mut shop.first, 40, 55);
    let mut after = 0;
    loop {
        let faults = FaultyDisk::new(old.crashed(Crash::Keeps));
        faults.plan(dead_after(after, ErrorKind::StorageFull, Effect::First(60)));
        let to: Arc<dyn Disk> = Arc::new(faults.clone());
        let done = backed_up(&from, &to, &mut |_| {});
        let over = faults.changes() < after;
        for crash in crashes(after) {
            let left: Arc<dyn Disk> = Arc::new(faults.inner().crashed(crash));
            let (told, _) = restored(&left, &memory(), Cut::End)
                .unwrap_or_else(|error| panic!("after {after}, {crash:?}: {error}"));
            let expected = match &done {
                Ok(done) => vec![&done.manifest],
                Err(_) => vec![&earlier],
            };
            let batch = |manifest: &Manifest| manifest.journal(Some(1)).map(|copy| copy.batch);
            let found = batch(&told.manifest);
            let new = done.is_err() && found == Some(55);
            assert!(
                new || expected.iter().any(|one| batch(one) == found),
                "after {after}, {crash:?}"
            );
        }
        if over {
            return assert!(after > 20, "{after}");
        }
        after += 1;
    }
}

#[test]
fn a_restore_cut_off_at_any_operation_is_whole_or_no_data_directory() {
    let source = FaultyDisk::new(MemoryDisk::new());
    let _shop = open_shop(&source);
    let from: Arc<dyn Disk> = Arc::new(source);
    let backup = memory();
    backed_up(&from, &backup, &mut |_| {}).expect("a backup");
    let before = files(&*backup, &place());
    let counted = FaultyDisk::new(MemoryDisk::new());
    let to: Arc<dyn Disk> = Arc::new(counted.clone());
    restored(&backup, &to, Cut::End).expect("a restore");
    for after in 0..=counted.changes() {
        for (error, effect) in [
            (ErrorKind::StorageFull, Effect::First(60)),
            (ErrorKind::Other, Effect::Whole),
        ] {
            let faults = FaultyDisk::new(MemoryDisk::new());
            faults.plan(dead_after(after, error, effect));
            let to: Arc<dyn Disk> = Arc::new(faults.clone());
            let whole = restored(&backup, &to, Cut::End).is_ok();
            for crash in crashes(after) {
                let case = format!("after {after}, {error:?}, {crash:?}");
                let left: Arc<dyn Disk> = Arc::new(faults.inner().crashed(crash));
                assert_restore(&left, &from, whole, &case);
            }
        }
    }
    assert_eq!(files(&*backup, &place()), before, "the backup is as it was");
}

/// A restored directory is whole, or no process takes it for one.
fn assert_restore(left: &Arc<dyn Disk>, from: &Arc<dyn Disk>, whole: bool, case: &str) {
    match DataDir::inspect(left, &data()) {
        Ok(_) => assert_whole(from, left, case),
        Err(StorageError::Unfinished { .. }) => {
            assert!(!whole, "{case}");
            let opened = DataDir::open(left, &data(), 1).map(|_| ());
            assert!(
                matches!(opened, Err(StorageError::Unfinished { .. })),
                "{case}: {opened:?}"
            );
        }
        Err(StorageError::Missing { .. }) => {
            assert!(!whole, "{case}");
            assert_eq!(
                files(&**left, &data()),
                BTreeMap::new(),
                "{case}: nothing at all"
            );
        }
        Err(error) => panic!("{case}: {error}"),
    }
}
