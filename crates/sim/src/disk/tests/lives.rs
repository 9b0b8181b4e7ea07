//! Ends of lives: what is left, and that the dead stay dead.

use std::collections::BTreeSet;
use std::io;

use world::disk::{Access, Disk};

use super::super::{Moment, Outage, SimDisk};
use super::{bytes, content, durable, fresh, open, path};

const SECTOR: usize = 512;

#[test]
fn what_was_synced_is_left_whatever_happens() {
    for seed in 0..200 {
        let disk = fresh(seed);
        let file = durable(&disk, "/d/a", &[1; 3000]);
        file.write_at(3000, &[2; 5000]).expect("a write");
        file.sync_data().expect("a sync");
        file.write_at(8000, &[3; 2000]).expect("a write");
        let left = bytes(&disk.crash(Outage::Power(seed)), "/d/a").expect("the file");
        assert_eq!(left[..3000], [1; 3000]);
        assert_eq!(left[3000..8000], [2; 5000]);
    }
}

#[test]
fn an_unsynced_write_is_whole_or_lost_or_torn_at_sectors() {
    let mut seen = BTreeSet::new();
    for seed in 0..2_000 {
        let disk = fresh(1);
        let file = durable(&disk, "/d/a", &[1; 4 * SECTOR]);
        file.write_at(100, &[2; 3 * SECTOR]).expect("a write");
        let left = bytes(&disk.crash(Outage::Power(seed)), "/d/a").expect("the file");
        let mut picked = Vec::new();
        for (from, to) in [(100, 512), (512, 1024), (1024, 1536), (1536, 1636)] {
            let piece = &left[from..to];
            assert!(piece.iter().all(|byte| *byte == piece[0]), "seed {seed}");
            picked.push(piece[0] == 2);
        }
        assert_eq!((left[99], left[1636], left.len()), (1, 1, 4 * SECTOR));
        seen.insert(picked);
    }
    assert_eq!(seen.len(), 16, "any sectors may be left");
}

#[test]
fn a_later_write_may_be_left_without_an_earlier_one() {
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let disk = fresh(1);
        let file = durable(&disk, "/d/a", &[0; 3 * SECTOR]);
        for number in 0..3_u8 {
            file.write_at(u64::from(number) * 512, &[1; 10])
                .expect("a write");
        }
        let left = bytes(&disk.crash(Outage::Power(seed)), "/d/a").expect("the file");
        seen.insert([left[0], left[SECTOR], left[2 * SECTOR]]);
    }
    assert_eq!(seen.len(), 8, "any subset may be left");
}

#[test]
fn an_unsynced_length_is_kept_or_lost() {
    let mut lengths = BTreeSet::new();
    for seed in 0..100 {
        let disk = fresh(1);
        let file = durable(&disk, "/d/a", &[1; 3000]);
        file.set_len(1000).expect("a length");
        assert_eq!(content(&*file).len(), 1000);
        lengths.insert(
            bytes(&disk.crash(Outage::Power(seed)), "/d/a")
                .expect("the file")
                .len(),
        );
    }
    assert_eq!(lengths, BTreeSet::from([1000, 3000]));
}

#[test]
fn a_process_that_dies_loses_nothing_and_makes_nothing_durable() {
    let disk = fresh(1);
    durable(&disk, "/d/a", b"old");
    open(&disk, "/d/a").write_at(0, b"new").expect("a write");
    let second = disk.crash(Outage::Process);
    assert_eq!(bytes(&second, "/d/a"), Some(b"new".to_vec()));
    assert_eq!(
        bytes(&second.fork().crash(Outage::Forgets), "/d/a"),
        Some(b"old".to_vec())
    );
    open(&second, "/d/a").sync_all().expect("a sync");
    assert_eq!(
        bytes(&second.crash(Outage::Forgets), "/d/a"),
        Some(b"new".to_vec())
    );
}

#[test]
fn handles_of_a_life_that_is_over_do_nothing() {
    let disk = fresh(1);
    let file = durable(&disk, "/d/a", b"old");
    let lock = disk.try_lock(&path("/d/lock"), "1").expect("the lock");
    let next = disk.crash(Outage::Process);
    let _held = next
        .try_lock(&path("/d/lock"), "2")
        .expect("the lock is free again");
    let a = path("/d/a");
    let answers = [
        file.write_at(0, b"new"),
        file.sync_all(),
        file.set_len(0),
        file.read_at(0, &mut [0]).map(drop),
        file.len().map(drop),
        disk.remove(&a),
        disk.rename(&a, &path("/d/b")),
        disk.sync_dir(&path("/d")),
        disk.create_dir_all(&path("/e")),
        disk.list(&path("/d")).map(drop),
        disk.exists(&a).map(drop),
        disk.open(&a, Access::OpenOrCreate).map(drop),
    ];
    for answer in answers {
        let error = answer.expect_err("a dead handle");
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (io::ErrorKind::Other, "the machine is off")
        );
    }
    drop((file, lock));
    assert!(
        next.try_lock(&path("/d/lock"), "3").is_err(),
        "the old guard freed the new lock"
    );
    assert_eq!(bytes(&next, "/d/a"), Some(b"old".to_vec()));
    assert!(disk.crashed() && !next.crashed());
}

/// Nine operations: a directory, its sync, and a file written, synced and renamed.
fn life(disk: &SimDisk) -> io::Result<()> {
    disk.create_dir_all(&path("/d"))?;
    disk.sync_dir(&path("/"))?;
    let file = disk.open(&path("/d/new"), Access::Create)?;
    file.write_at(0, b"content")?;
    file.set_len(4)?;
    file.sync_data()?;
    disk.rename(&path("/d/new"), &path("/d/name"))?;
    disk.sync_dir(&path("/d"))?;
    disk.remove(&path("/d/name"))
}

#[test]
fn the_power_goes_at_any_operation_on_either_side_of_it() {
    let whole = SimDisk::new(1);
    life(&whole).expect("a life without an outage");
    assert_eq!(whole.ops(), 9);
    for op in 0..9 {
        for (moment, done) in [(Moment::Before, op), (Moment::After, op + 1)] {
            let disk = SimDisk::new(1);
            disk.crash_at(op, moment);
            assert!(!disk.crashed());
            let off = life(&disk).expect_err("an outage");
            assert_eq!(off.to_string(), "the machine is off");
            assert!(disk.crashed());
            assert_eq!(disk.ops(), done);
            let left = disk.crash(Outage::Process);
            assert_eq!(
                left.exists(&path("/d/name")).expect("a look"),
                (7..9).contains(&done)
            );
            assert!(!left.crashed());
            left.create_dir_all(&path("/d"))
                .expect("the next life works");
        }
    }
}

#[test]
fn a_machine_that_is_off_stays_as_it_was_at_that_moment() {
    let disk = fresh(1);
    let file = durable(&disk, "/d/a", b"old");
    file.write_at(0, b"new").expect("a write");
    disk.crash_at(disk.ops(), Moment::Before);
    file.sync_all().expect_err("off");
    file.sync_all().expect_err("off");
    file.write_at(0, b"xxx").expect_err("off");
    assert_eq!(
        bytes(&disk.crash(Outage::Forgets), "/d/a"),
        Some(b"old".to_vec())
    );
}

#[test]
fn lives_follow_one_another_on_one_disk() {
    let mut disk = fresh(9);
    for number in 0..20_u64 {
        let file = open(&disk, "/d/a");
        assert_eq!(file.len().expect("a length"), number * 8);
        file.write_at(number * 8, &number.to_le_bytes())
            .expect("a write");
        file.sync_data().expect("a sync");
        disk.sync_dir(&path("/d")).expect("a sync");
        disk = disk.crash(Outage::Power(number));
    }
    assert_eq!(disk.stats().crashes, 20);
    assert_eq!(disk.story().last().expect("an operation").life, 19);
}
