//! Backups and restores: what they hold, and what they refuse.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_storage::backup::{
    BackedUp, BackupError, Cut, Meaning, Restored, Spot, Step, back_up, check, restore,
};
use tidegate_storage::journal::Log;
use tidegate_storage::{DataDir, StorageError, snapshot};
use world::disk::Access;
use world::faults::{Effect, Fault, FaultyDisk, Lasting, MemoryDisk, Operation};
use world::journal::{Batch, JournalError, Position};
use world::{Disk, ManualClock};

use crate::desk::{batch, file_bytes, fill, open_log, put_file, recovered};

pub(crate) fn data() -> PathBuf {
    PathBuf::from("/data")
}

pub(crate) fn place() -> PathBuf {
    PathBuf::from("/backup")
}

pub(crate) fn memory() -> Arc<dyn Disk> {
    Arc::new(MemoryDisk::new())
}

/// The first batch of the house registers sale 1, the fifth sale 2.
#[derive(Default)]
pub(crate) struct Words {
    left_out: BTreeMap<Option<u64>, u64>,
}

impl Meaning for Words {
    fn registers(&mut self, house: &Batch) -> Vec<u64> {
        match house.sequence {
            1 => vec![1],
            5 => vec![2],
            _ => Vec::new(),
        }
    }

    fn left_out(&mut self, sale: Option<u64>, _: &Batch) {
        *self.left_out.entry(sale).or_default() += 1;
    }
}

/// A shop with a house, a sale with an archive, a failed append and snapshots, and a small sale; all still open.
pub(crate) struct Shop {
    _data: DataDir,
    pub(crate) house: Log,
    pub(crate) first: Log,
    _second: Log,
}

fn sale_dir(number: u64) -> PathBuf {
    data().join(format!("sales/{number:08}"))
}

pub(crate) fn open_shop(faults: &FaultyDisk<MemoryDisk>) -> Shop {
    let disk: Arc<dyn Disk> = Arc::new(faults.clone());
    let dir = DataDir::open(&disk, &data(), 1).expect("a data directory");
    tidegate_storage::replace_file(&*disk, &dir.clock(), &[b"5 6 7\n"]).expect("a clock note");
    let mut house = open_log(&disk, &dir.house()).expect("a house");
    fill(&mut house, 0, 6);
    let mut first = open_log(&disk, &dir.sale(1)).expect("a sale");
    fill(&mut first, 0, 12);
    // Two appends fail: the second leaves a segment without a batch in the middle of the record.
    for _ in 0..2 {
        faults.plan(fault(Operation::Sync, 0, Lasting::Once));
        let failed = first.append(12, &batch(12, 9));
        assert!(matches!(failed, Err(JournalError::Unknown { .. })));
        first.resume().expect("another segment");
    }
    for number in 12..40 {
        fill(&mut first, number, number + 1);
        if [14, 24, 33].contains(&number) {
            snapshot::write(&*disk, &dir.sale(1), first.position(), 1, &[7; 50]).expect("written");
        }
    }
    first.archive(20).expect("archiving");
    let mut second = open_log(&disk, &dir.sale(2)).expect("a sale");
    fill(&mut second, 0, 5);
    Shop {
        _data: dir,
        house,
        first,
        _second: second,
    }
}

fn fault(operation: Operation, after: u64, lasting: Lasting) -> Fault {
    Fault {
        operation,
        after,
        error: ErrorKind::StorageFull,
        effect: Effect::Whole,
        lasting,
    }
}

pub(crate) fn spot<'a>(disk: &'a Arc<dyn Disk>, dir: &'a Path) -> Spot<'a> {
    Spot { disk, dir }
}

pub(crate) fn backed_up(
    from: &Arc<dyn Disk>,
    to: &Arc<dyn Disk>,
    progress: &mut dyn FnMut(Step),
) -> Result<BackedUp, BackupError> {
    let clock = ManualClock::new(77);
    back_up(spot(from, &data()), spot(to, &place()), &clock, 1, progress)
}

pub(crate) fn restored(
    from: &Arc<dyn Disk>,
    to: &Arc<dyn Disk>,
    cut: Cut,
) -> Result<(Restored, Words), BackupError> {
    let mut words = Words::default();
    let (from_dir, to_dir) = (place(), data());
    let (from, to) = (spot(from, &from_dir), spot(to, &to_dir));
    restore(from, to, cut, &mut words, &mut |_| {}).map(|done| (done, words))
}

pub(crate) fn batches(disk: &Arc<dyn Disk>, dir: &Path) -> Vec<Batch> {
    let newest = snapshot::newest(&**disk, dir).expect("a search");
    assert_eq!(newest.skipped, [], "snapshots can be trusted");
    let start = newest.snapshot.map(|found| found.position);
    recovered(disk, dir, start).expect("a start from the snapshot");
    let (recovery, batches) = recovered(disk, dir, None).expect("a recovery");
    assert_eq!(recovery.torn, [], "nothing behind the last batch");
    batches
}

/// Everything on a disk below a directory.
pub(crate) fn files(disk: &dyn Disk, dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in disk.list(dir).unwrap_or_default() {
        let path = dir.join(name);
        match disk.open(&path, Access::Read) {
            Ok(_) => drop(found.insert(path.clone(), file_bytes(disk, &path))),
            Err(_) => found.extend(files(disk, &path)),
        }
    }
    found
}

pub(crate) fn assert_whole(from: &Arc<dyn Disk>, to: &Arc<dyn Disk>, case: &str) {
    DataDir::open(to, &data(), 2).unwrap_or_else(|error| panic!("{case}: {error}"));
    for dir in [data().join("house"), sale_dir(1), sale_dir(2)] {
        let (own, copy) = (batches(from, &dir), batches(to, &dir));
        assert_eq!(own, copy, "{case}: {}", dir.display());
    }
}

#[test]
fn what_was_backed_up_beside_a_live_owner_is_restored_whole() {
    let faults = FaultyDisk::new(MemoryDisk::new());
    let shop = open_shop(&faults);
    let from: Arc<dyn Disk> = Arc::new(faults.clone());
    let (backup, to) = (memory(), memory());
    let before = files(&*from, &data());
    let done = backed_up(&from, &backup, &mut |_| {}).expect("a backup");
    assert_eq!(files(&*from, &data()), before, "the source is as it was");
    assert_eq!(done.manifest.journals.len(), 3);
    assert_eq!((done.skipped.len(), done.manifest.begun_ms), (0, 77));
    let sale = done.manifest.journal(Some(1)).expect("sale 1");
    assert_eq!(sale.position(), shop.first.position());
    assert_eq!(sale.snapshots.len(), 2);
    let (told, words) = restored(&backup, &to, Cut::End).expect("a restore");
    assert_eq!(words.left_out, BTreeMap::new());
    assert_eq!(told.journals[0].position, Some(shop.house.position()));
    assert_eq!(file_bytes(&*to, &data().join("clock")), b"5 6 7\n");
    assert_whole(&from, &to, "all");
    let mut log = open_log(&to, &sale_dir(1)).expect("the restored sale");
    fill(&mut log, 40, 60);
}

#[test]
fn a_sale_goes_back_to_any_batch_and_goes_on_from_there() {
    let faults = FaultyDisk::new(MemoryDisk::new());
    let _shop = open_shop(&faults);
    let from: Arc<dyn Disk> = Arc::new(faults);
    let backup = memory();
    backed_up(&from, &backup, &mut |_| {}).expect("a backup");
    let all = batches(&from, &sale_dir(1));
    for sequence in 0..=40 {
        let to = memory();
        let cut = Cut::Sale {
            sale: 1,
            sequence,
            chain: None,
        };
        let (told, words) = restored(&backup, &to, cut).expect("a restore");
        let left_out = words.left_out.get(&Some(1)).copied().unwrap_or_default();
        assert_eq!(
            (left_out, told.journals[1].left_out),
            (40 - sequence, 40 - sequence)
        );
        let count = usize::try_from(sequence).expect("small");
        assert_eq!(batches(&to, &sale_dir(1)), all[..count]);
        assert_eq!(batches(&to, &sale_dir(2)).len(), 5);
        assert_eq!(batches(&to, &data().join("house")).len(), 6);
        let mut log = open_log(&to, &sale_dir(1)).expect("the restored sale");
        fill(&mut log, sequence, sequence + 9);
        drop(log);
        assert_eq!(batches(&to, &sale_dir(1)).len(), count + 9);
    }
}

#[test]
fn a_place_that_the_backup_does_not_have_is_refused_and_nothing_is_written() {
    let faults = FaultyDisk::new(MemoryDisk::new());
    let shop = open_shop(&faults);
    let from: Arc<dyn Disk> = Arc::new(faults);
    let backup = memory();
    backed_up(&from, &backup, &mut |_| {}).expect("a backup");
    let mut head = [0; 16];
    head.copy_from_slice(&shop.first.position().chain[..16]);
    let cut = |sale, sequence, chain| Cut::Sale {
        sale,
        sequence,
        chain,
    };
    for cut in [
        cut(3, 1, None),
        cut(1, 41, None),
        cut(1, 39, Some(head)),
        Cut::Time(999),
    ] {
        let to = memory();
        let refused = restored(&backup, &to, cut).map(|_| ());
        assert!(
            matches!(refused, Err(BackupError::NotThere { .. })),
            "{cut:?}"
        );
        assert!(!to.exists(&data()).expect("looking"), "{cut:?}");
    }
    restored(&backup, &memory(), cut(1, 40, Some(head))).expect("the receipt fits");
}

#[test]
fn going_back_to_a_moment_cuts_every_journal_and_keeps_the_house_that_the_sales_need() {
    let faults = FaultyDisk::new(MemoryDisk::new());
    let _shop = open_shop(&faults);
    let from: Arc<dyn Disk> = Arc::new(faults);
    let backup = memory();
    backed_up(&from, &backup, &mut |_| {}).expect("a backup");
    // A batch's time is 1,000 and the number of batches before it.
    for (moment, house, first, second) in [(1_000, 5, 1, 1), (1_002, 5, 3, 3), (1_030, 6, 31, 5)] {
        let to = memory();
        let (_, words) = restored(&backup, &to, Cut::Time(moment)).expect("a restore");
        let counts =
            [data().join("house"), sale_dir(1), sale_dir(2)].map(|dir| batches(&to, &dir).len());
        assert_eq!(counts, [house, first, second], "{moment}");
        let left_out: u64 = words.left_out.values().sum();
        assert_eq!(left_out, 51 - (house + first + second) as u64);
    }
}

#[test]
fn a_second_backup_copies_only_what_is_new_and_removes_what_it_replaced() {
    let faults = FaultyDisk::new(MemoryDisk::new());
    let mut shop = open_shop(&faults);
    let from: Arc<dyn Disk> = Arc::new(faults);
    let backup = memory();
    let first = backed_up(&from, &backup, &mut |_| {}).expect("a backup");
    fill(&mut shop.first, 40, 60);
    let second = backed_up(&from, &backup, &mut |_| {}).expect("another backup");
    assert_eq!(first.bytes_kept, 0);
    assert!(second.bytes_kept > first.bytes_written / 2, "{second:?}");
    let to = memory();
    restored(&backup, &to, Cut::End).expect("a restore");
    assert_whole(&from, &to, "the second");
    let fresh = memory();
    backed_up(&from, &fresh, &mut |_| {}).expect("a backup elsewhere");
    assert_eq!(files(&*backup, &place()), files(&*fresh, &place()));
}

#[test]
fn a_backup_that_has_more_than_the_shop_is_not_replaced() {
    let faults = FaultyDisk::new(MemoryDisk::new());
    let shop = open_shop(&faults);
    let from: Arc<dyn Disk> = Arc::new(faults);
    let backup = memory();
    backed_up(&from, &backup, &mut |_| {}).expect("a backup");
    drop(shop);
    let before = files(&*backup, &place());
    let cut = Cut::Sale {
        sale: 1,
        sequence: 35,
        chain: None,
    };
    // One shop lost batches, one has other batches of the same number, one has no such sale, one is another shop.
    for case in 0..4 {
        let other = memory();
        restored(&backup, &other, cut).expect("a restore");
        match case {
            0 => {}
            1 => {
                let mut log = open_log(&other, &sale_dir(1)).expect("the sale");
                for number in 35..45 {
                    log.append(number, &batch(number, 2)).expect("an append");
                }
            }
            2 => {
                for path in files(&*other, &sale_dir(1)).into_keys() {
                    other.remove(&path).expect("removed");
                }
            }
            _ => {
                for path in files(&*other, &data().join("house")).into_keys() {
                    other.remove(&path).expect("removed");
                }
                let mut log = open_log(&other, &data().join("house")).expect("a house");
                log.append(0, &batch(0, 3)).expect("an append");
            }
        }
        let refused = backed_up(&other, &backup, &mut |_| {}).map(|_| ());
        assert!(
            matches!(refused, Err(BackupError::Ahead { .. })),
            "{case}: {refused:?}"
        );
        let after = files(&*backup, &place());
        for (path, bytes) in &before {
            assert_eq!(after.get(path), Some(bytes), "{case}: {}", path.display());
        }
    }
}

#[test]
fn an_owner_that_appends_fails_and_resumes_during_the_backup_does_no_harm() {
    let faults = FaultyDisk::new(MemoryDisk::new());
    let mut shop = open_shop(&faults);
    let from: Arc<dyn Disk> = Arc::new(faults.clone());
    let backup = memory();
    let before = shop.first.position();
    let (mut step, mut number, mut broken) = (0_u64, 40, false);
    let mut work = |_: Step| {
        step += 1;
        if broken && step % 3 == 0 {
            shop.first.resume().expect("another segment");
            broken = false;
        } else if !broken && step % 7 == 0 && number > 45 && number < 60 {
            faults.plan(fault(Operation::Sync, 0, Lasting::Once));
            shop.first
                .append(number, &batch(number, 4))
                .expect_err("a failed sync");
            broken = true;
        } else if !broken && number < 400 {
            fill(&mut shop.first, number, number + 1);
            number += 1;
        }
    };
    let done = backed_up(&from, &backup, &mut work).expect("a backup");
    let to = memory();
    restored(&backup, &to, Cut::End).expect("a restore");
    let copy = batches(&to, &sale_dir(1));
    let has = |position: Position| copy.iter().any(|batch| batch.position() == position);
    assert!(has(before), "what was durable before is there");
    let sale = done.manifest.journal(Some(1)).expect("sale 1");
    assert_eq!(copy.len() as u64, sale.batch);
    assert!(
        sale.batch < 400,
        "a backup ends although the owner writes on"
    );
}

#[test]
fn every_changed_byte_of_a_backup_is_found_before_anything_is_written() {
    let source = FaultyDisk::new(MemoryDisk::new());
    let _shop = open_shop(&source);
    let from: Arc<dyn Disk> = Arc::new(source);
    let backup = memory();
    backed_up(&from, &backup, &mut |_| {}).expect("a backup");
    for (path, bytes) in files(&*backup, &place()) {
        let kind = path
            .extension()
            .and_then(|end| end.to_str())
            .unwrap_or_default();
        if !["journal", "snap", "json"].contains(&kind) {
            continue;
        }
        for at in (0..bytes.len()).step_by(if kind == "json" { 41 } else { 3 }) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            put_file(&*backup, &path, &changed);
            let found = check(
                spot(&backup, &place()),
                Cut::End,
                &mut Words::default(),
                &mut |_| {},
            );
            let case = format!("{} at {at}", path.display());
            match found {
                Ok(told) if kind == "snap" => assert_eq!(told.skipped.len(), 1, "{case}"),
                // Zeros between batches and spaces between words mean nothing.
                Ok(_) => assert!(bytes[at] == 0 || kind == "json", "{case}"),
                Err(BackupError::Journal(JournalError::Damaged { file, .. })) => {
                    assert_eq!((file, kind), (path.clone(), "journal"), "{case}");
                }
                Err(BackupError::Storage(StorageError::Damaged { .. })) => {
                    assert_eq!(kind, "json", "{case}");
                }
                Err(error) => panic!("{case}: {error}"),
            }
        }
        put_file(&*backup, &path, &bytes);
    }
}

#[test]
fn only_a_new_place_or_an_earlier_backup_is_written_to() {
    let source = FaultyDisk::new(MemoryDisk::new());
    let _shop = open_shop(&source);
    let from: Arc<dyn Disk> = Arc::new(source);
    let used = memory();
    used.create_dir_all(&place().join("photos"))
        .expect("photos");
    used.create_dir_all(&data().join("photos")).expect("photos");
    assert!(matches!(
        backed_up(&from, &used, &mut |_| {}),
        Err(BackupError::NotEmpty { found, .. }) if found == "photos"
    ));
    let backup = memory();
    assert!(matches!(
        restored(&backup, &memory(), Cut::End).map(|_| ()),
        Err(BackupError::NoBackup { .. })
    ));
    backed_up(&from, &backup, &mut |_| {}).expect("a backup");
    assert!(matches!(
        restored(&backup, &used, Cut::End).map(|_| ()),
        Err(BackupError::NotEmpty { found, .. }) if found == "photos"
    ));
    assert_eq!(used.list(&data()).expect("a list"), ["photos"]);
    let _lock = backup
        .try_lock(&place().join("lock"), "9\n")
        .expect("a lock");
    assert!(matches!(
        backed_up(&from, &backup, &mut |_| {}),
        Err(BackupError::Storage(StorageError::Locked {
            pid: Some(9),
            ..
        }))
    ));
}
