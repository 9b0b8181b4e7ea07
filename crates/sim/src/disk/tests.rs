//! The disk, promise by promise.

mod faults;
mod journal;
mod lives;
mod names;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use world::disk::{Access, Disk, DiskFile, LockError, OsDisk};

use super::{FaultKind, FaultPlan, Moment, OpKind, Outage, SimDisk};

pub(super) fn path(text: &str) -> PathBuf {
    PathBuf::from(text)
}

/// A disk with a durable directory `/d`.
pub(super) fn fresh(seed: u64) -> SimDisk {
    let disk = SimDisk::new(seed);
    disk.create_dir_all(&path("/d")).expect("a directory");
    disk.sync_dir(&path("/")).expect("a synced directory");
    disk
}

/// Makes a file with a durable name and durable bytes.
pub(super) fn durable(disk: &SimDisk, name: &str, bytes: &[u8]) -> Box<dyn DiskFile> {
    let file = open(disk, name);
    file.write_at(0, bytes).expect("a write");
    file.sync_all().expect("a sync");
    disk.sync_dir(path(name).parent().expect("a parent"))
        .expect("a synced directory");
    file
}

pub(super) fn open(disk: &SimDisk, name: &str) -> Box<dyn DiskFile> {
    disk.open(&path(name), Access::OpenOrCreate)
        .expect("a file")
}

/// All bytes of a file; `None` if there is none.
pub(super) fn bytes(disk: &dyn Disk, name: &str) -> Option<Vec<u8>> {
    match disk.open(Path::new(name), Access::Read) {
        Ok(file) => Some(content(&*file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => panic!("{name}: {error}"),
    }
}

pub(super) fn content(file: &dyn DiskFile) -> Vec<u8> {
    let len = usize::try_from(file.len().expect("a length")).expect("a small file");
    let mut bytes = vec![0xAA; len + 3];
    let count = file.read_at(0, &mut bytes).expect("reading");
    assert_eq!(count, len);
    bytes.truncate(count);
    bytes
}

#[test]
fn what_was_written_is_read_before_any_sync() {
    let disk = fresh(1);
    let file = open(&disk, "/d/a");
    file.write_at(700, b"late").expect("a write");
    file.set_len(703).expect("a length");
    assert_eq!(content(&*file), [&[0; 700][..], b"lat"].concat());
    assert_eq!(disk.list(&path("/d")).expect("a list"), ["a"]);
    assert!(disk.exists(&path("/d/a")).expect("a look"));
}

#[test]
fn opening_says_what_the_operating_system_would() {
    let disk = fresh(1);
    durable(&disk, "/d/a", b"a");
    let kind = |name: &str, access| disk.open(&path(name), access).expect_err("no file").kind();
    assert_eq!(kind("/d/a", Access::Create), io::ErrorKind::AlreadyExists);
    assert_eq!(kind("/d/b", Access::Read), io::ErrorKind::NotFound);
    assert_eq!(kind("/d/b", Access::Write), io::ErrorKind::NotFound);
    assert_eq!(kind("/e/b", Access::Create), io::ErrorKind::NotFound);
    assert_eq!(kind("/d", Access::Read), io::ErrorKind::IsADirectory);
    let file = disk.open(&path("/d/a"), Access::Read).expect("a file");
    let refused = file.write_at(0, b"x").expect_err("opened for reading");
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn a_removed_file_lives_on_for_those_who_have_it_open() {
    let disk = fresh(1);
    let file = durable(&disk, "/d/a", b"still here");
    disk.remove(&path("/d/a")).expect("a removal");
    disk.sync_dir(&path("/d")).expect("a sync");
    assert_eq!(bytes(&disk, "/d/a"), None);
    assert_eq!(content(&*file), b"still here");
}

#[test]
fn a_file_that_nobody_can_reach_takes_no_memory() {
    let disk = fresh(1);
    for round in 0..50_u8 {
        durable(&disk, "/d/clock.tmp", &[round; 100]);
        disk.rename(&path("/d/clock.tmp"), &path("/d/clock"))
            .expect("a rename");
        disk.sync_dir(&path("/d")).expect("a sync");
    }
    assert_eq!(disk.lock().files.len(), 1);
    assert_eq!(bytes(&disk, "/d/clock"), Some(vec![49; 100]));
}

#[test]
fn the_second_who_wants_the_lock_is_told_who_has_it() {
    let disk = fresh(1);
    let lock = disk.try_lock(&path("/d/lock"), "7\n").expect("the lock");
    match disk.try_lock(&path("/d/lock"), "8\n") {
        Err(LockError::Held { note }) => assert_eq!(note, "7\n"),
        other => panic!("expected a held lock, got {other:?}"),
    }
    assert_eq!(bytes(&disk, "/d/lock"), Some(b"7\n".to_vec()));
    drop(lock);
    disk.try_lock(&path("/d/lock"), "8\n").expect("the lock");
}

#[test]
fn a_full_disk_takes_what_fits_and_still_overwrites_what_is_there() {
    let disk = fresh(1);
    let zeros = durable(&disk, "/d/zeros", &[0; 4096]);
    disk.set_capacity(Some(5000));
    assert_eq!(disk.free_bytes(), Some(904));
    let file = open(&disk, "/d/a");
    let full = file.write_at(0, &[7; 1000]).expect_err("a full disk");
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert_eq!(content(&*file), [7; 904]);
    zeros.write_at(0, &[1; 4096]).expect("room taken before");
    file.set_len(1 << 30).expect("a hole takes no room");
    let refused = disk
        .open(&path("/d/b"), Access::Create)
        .expect_err("no room for a name");
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    disk.remove(&path("/d/zeros")).expect("a removal");
    file.write_at(0, &[8; 1000]).expect("room again");
}

#[test]
fn a_read_only_disk_changes_nothing_and_reads_on() {
    let disk = fresh(1);
    let file = durable(&disk, "/d/a", b"before");
    disk.set_read_only(true);
    let (a, b) = (path("/d/a"), path("/d/b"));
    let refused = [
        file.write_at(0, b"x"),
        file.set_len(0),
        disk.rename(&a, &b),
        disk.remove(&a),
        disk.create_dir_all(&b),
        disk.open(&b, Access::Create).map(drop),
        disk.open(&a, Access::Write).map(drop),
    ];
    for answer in refused {
        let error = answer.expect_err("a read-only disk");
        assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
    }
    assert_eq!(bytes(&disk, "/d/a"), Some(b"before".to_vec()));
    disk.heal();
    file.write_at(0, b"x").expect("a write");
}

#[test]
fn operations_take_time_that_the_seed_decides() {
    let took = |seed| {
        let disk = fresh(seed);
        let file = open(&disk, "/d/a");
        let _ = disk.take_latency();
        let times: Vec<Duration> = (0..2_000)
            .map(|_| {
                file.write_at(0, b"x").expect("a write");
                file.sync_data().expect("a sync");
                disk.take_latency()
            })
            .collect();
        assert_eq!(disk.take_latency(), Duration::ZERO);
        times
    };
    assert_eq!(took(3), took(3));
    assert_ne!(took(3), took(4));
    let slow = |time: &&Duration| **time >= Duration::from_millis(10);
    let times = took(3);
    assert!((1..50).contains(&times.iter().filter(slow).count()));
    assert!(times.iter().all(|time| *time >= Duration::from_micros(90)));
    assert!(times.iter().all(|time| *time <= Duration::from_millis(21)));
}

#[test]
fn the_story_names_the_last_operations_and_how_they_ended() {
    let disk = fresh(1);
    let file = open(&disk, "/d/a");
    file.write_at(512, b"four").expect("a write");
    disk.remove(&path("/d/none")).expect_err("no such name");
    disk.rename(&path("/d/a"), &path("/d/b")).expect("a rename");
    let lines: Vec<String> = disk.story().iter().map(ToString::to_string).collect();
    assert_eq!(
        lines[2..],
        [
            "op 2 of life 0: open or make /d/a",
            "op 3 of life 0: write 4 bytes at 512 of /d/a",
            "op 4 of life 0: remove /d/none: entity not found",
            "op 5 of life 0: rename /d/a to /d/b",
        ]
    );
    assert_eq!(disk.ops(), 6);
    for _ in 0..2_000 {
        file.sync_data().expect("a sync");
    }
    assert_eq!(disk.story().len(), 512);
    assert_eq!(disk.story()[511].kind, OpKind::Sync);
}

#[test]
fn damage_stays_after_everything() {
    let disk = fresh(1);
    durable(&disk, "/d/a", &[2; 600]);
    disk.damage(&path("/d/a"), 599).expect("damage");
    let behind = disk.damage(&path("/d/a"), 600).expect_err("the end");
    assert_eq!(behind.kind(), io::ErrorKind::UnexpectedEof);
    let wrong = [&[2; 599][..], &[3]].concat();
    assert_eq!(bytes(&disk, "/d/a"), Some(wrong.clone()));
    assert_eq!(bytes(&disk.crash(Outage::Forgets), "/d/a"), Some(wrong));
}

#[test]
fn a_copy_on_a_real_disk_has_the_same_bytes() {
    let disk = fresh(1);
    disk.create_dir_all(&path("/d/e")).expect("a directory");
    durable(&disk, "/d/e/a", b"deep");
    open(&disk, "/top").write_at(3, b"high").expect("a write");
    let place = std::env::temp_dir().join(format!("tidegate-sim-copy-{}", std::process::id()));
    disk.copy_to(&OsDisk, &place).expect("a copy");
    let read = |name: &str| std::fs::read(place.join(name)).expect("a file");
    assert_eq!(read("d/e/a"), b"deep");
    assert_eq!(read("top"), b"\0\0\0high");
    std::fs::remove_dir_all(&place).expect("clearing up");
}

#[test]
fn a_file_beyond_all_reason_is_refused() {
    let disk = fresh(1);
    let file = open(&disk, "/d/a");
    let answers = [file.write_at(u64::MAX - 2, b"far"), file.set_len(u64::MAX)];
    for answer in answers {
        assert_eq!(
            answer.expect_err("too far").kind(),
            io::ErrorKind::FileTooLarge
        );
    }
    assert_eq!(file.len().expect("a length"), 0);
}

#[test]
fn a_million_journal_bytes_in_small_synced_pieces_are_all_durable() {
    let disk = fresh(1);
    let file = open(&disk, "/d/a");
    file.write_at(0, &[0; 4 << 20]).expect("zeros");
    file.sync_data().expect("a sync");
    disk.sync_dir(&path("/d")).expect("a sync");
    for number in 0..20_000_u64 {
        file.write_at(number * 80, &[number.to_le_bytes()[0] | 1; 80])
            .expect("a write");
        file.sync_data().expect("a sync");
    }
    let left = bytes(&disk.crash(Outage::Forgets), "/d/a").expect("the file");
    assert_eq!(left.len(), 4 << 20);
    let right = |number: usize| left[number * 80..][..80] == [number.to_le_bytes()[0] | 1; 80];
    assert!((0..20_000).all(right));
    assert!(left[20_000 * 80..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_fork_goes_its_own_way() {
    let disk = fresh(1);
    durable(&disk, "/d/a", b"both");
    let other = disk.fork();
    open(&other, "/d/a").write_at(0, b"one ").expect("a write");
    let other = other.crash(Outage::Process);
    assert_eq!(bytes(&disk, "/d/a"), Some(b"both".to_vec()));
    assert_eq!(bytes(&other, "/d/a"), Some(b"one ".to_vec()));
}

#[test]
fn the_same_seed_and_calls_give_the_same_disk() {
    let mix = super::Mix {
        ops: 300,
        per_thousand: 60,
        faults_max: 30,
        kinds: FaultKind::ALL.into(),
        damaged: Vec::new(),
    };
    for seed in 0..30 {
        let life = || {
            let disk = fresh(seed);
            disk.set_plan(FaultPlan::draw(seed, &mix));
            disk.crash_at(250, Moment::Before);
            while !disk.crashed() {
                let Ok(file) = disk.open(&path("/d/a"), Access::OpenOrCreate) else {
                    continue;
                };
                let _ = file.write_at(disk.ops() * 100, &[5; 900]);
                let _ = file.sync_data();
                let _ = disk.sync_dir(&path("/d"));
            }
            let left = disk.crash(Outage::Power(seed));
            left.heal();
            (bytes(&left, "/d/a"), left.stats(), left.take_latency())
        };
        assert_eq!(life(), life());
    }
}
