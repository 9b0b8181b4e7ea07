//! Each kind of fault, alone.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use world::disk::{Access, Disk};

use super::super::{Fault, FaultKind, OpKind, Outage, SimDisk};
use super::{bytes, content, durable, fresh, open, path};

/// Lets the fault strike the next operations, as many as `ops`.
fn plan(disk: &SimDisk, kind: FaultKind, ops: u64) {
    plan_amount(disk, kind, ops, 0);
}

fn plan_amount(disk: &SimDisk, kind: FaultKind, ops: u64, amount: u32) {
    let now = disk.ops();
    disk.set_plan(
        Fault {
            amount,
            ..Fault::during(kind, now..now + ops)
        }
        .into(),
    );
}

#[test]
fn without_room_a_part_of_the_bytes_is_written_for_a_while() {
    let disk = fresh(1);
    let file = open(&disk, "/d/a");
    plan(&disk, FaultKind::NoSpace, 3);
    let full = file.write_at(0, &[1; 4096]).expect_err("no space");
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert!(content(&*file).len() < 4096);
    let full = disk
        .open(&path("/d/b"), Access::Create)
        .expect_err("no space");
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    disk.create_dir_all(&path("/d/c")).expect_err("no space");
    file.write_at(0, &[1; 4096]).expect("room again");
    assert_eq!(disk.met(FaultKind::NoSpace), 3);
}

#[test]
fn a_write_error_does_nothing() {
    let disk = fresh(1);
    let file = durable(&disk, "/d/a", b"old");
    plan(&disk, FaultKind::WriteError, 1);
    file.write_at(0, b"new").expect_err("an error");
    assert_eq!(content(&*file), b"old");
    file.write_at(0, b"new").expect("a write");
    assert_eq!(disk.met(FaultKind::WriteError), 1);
}

#[test]
fn a_torn_write_has_written_its_first_bytes() {
    let disk = fresh(1);
    let file = durable(&disk, "/d/a", b"......");
    plan_amount(&disk, FaultKind::TornWrite, 1, 2);
    file.write_at(1, b"abcd").expect_err("an error");
    assert_eq!(content(&*file), b".ab...");
    let last = disk.story().pop().expect("an operation");
    assert_eq!(
        (last.fault, last.error),
        (Some(FaultKind::TornWrite), Some(io::ErrorKind::Other))
    );
}

#[test]
fn a_failed_sync_can_be_tried_again() {
    let disk = fresh(1);
    let file = durable(&disk, "/d/a", b"old");
    file.write_at(0, b"new").expect("a write");
    plan(&disk, FaultKind::SyncError, 1);
    file.sync_data().expect_err("an error");
    assert_eq!(
        bytes(&disk.fork().crash(Outage::Forgets), "/d/a"),
        Some(b"old".to_vec())
    );
    file.sync_data().expect("a sync");
    assert_eq!(
        bytes(&disk.crash(Outage::Forgets), "/d/a"),
        Some(b"new".to_vec())
    );
}

/// The fsync surprise of PostgreSQL, 2018: the error is told once, and the pages count as clean.
#[test]
fn what_a_forgetful_sync_lost_no_later_sync_saves() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let disk = fresh(seed);
        let file = durable(&disk, "/d/a", b"old");
        file.write_at(0, b"new").expect("a write");
        open(&disk, "/d/b");
        plan(&disk, FaultKind::SyncForgets, 2);
        file.sync_data().expect_err("an error");
        disk.sync_dir(&path("/d")).expect_err("an error");
        file.sync_data().expect("a sync");
        disk.sync_dir(&path("/d")).expect("a sync");
        assert_eq!(content(&*file), b"new", "the page cache still has it");
        let left = disk.crash(Outage::Power(1));
        assert_eq!(left.stats().promises_broken, 0, "it said so");
        assert!(
            bytes(&left, "/d/b").is_some(),
            "a name that a later sync was told of is there"
        );
        seen.insert(bytes(&left, "/d/a"));
    }
    assert_eq!(seen.len(), 2, "the bytes may have been lost, or not");
}

#[test]
fn reading_fails_for_a_while() {
    let disk = fresh(1);
    let file = durable(&disk, "/d/a", b"here");
    plan(&disk, FaultKind::ReadError, 1);
    file.read_at(0, &mut [0; 4]).expect_err("an error");
    file.read_at(0, &mut [0; 4]).expect_err("an error");
    file.sync_data().expect("a sync");
    assert_eq!(content(&*file), b"here");
    assert_eq!(disk.met(FaultKind::ReadError), 2);
    assert!(disk.story().iter().any(|op| op.kind == OpKind::Read));
}

#[test]
fn a_slow_disk_takes_longer() {
    let disk = fresh(1);
    let file = open(&disk, "/d/a");
    let _ = disk.take_latency();
    plan_amount(&disk, FaultKind::SlowWrite, 2, 700);
    file.write_at(0, b"x").expect("a write");
    file.sync_data().expect("a sync");
    let took = disk.take_latency();
    assert!((700..750).contains(&took.as_millis()), "{took:?}");
    plan_amount(&disk, FaultKind::SlowSync, 2, 900);
    file.write_at(0, b"x").expect("a write");
    assert!(disk.take_latency() < Duration::from_millis(1));
    file.sync_data().expect("a sync");
    assert!(disk.take_latency() > Duration::from_millis(900));
}

#[test]
fn one_bit_of_a_durable_file_of_the_class_turns_over() {
    for seed in 0..50 {
        let disk = fresh(seed);
        durable(&disk, "/d/spared", &[7; 5000]);
        durable(&disk, "/d/struck", &[7; 5000]);
        let fault = Fault::once(FaultKind::BitFlip, disk.ops());
        let files = "struck".to_owned();
        disk.set_plan(Fault { files, ..fault }.into());
        open(&disk, "/d/other");
        let flipped = |disk: &SimDisk, name: &str| -> u32 {
            let bytes = bytes(disk, name).expect("the file");
            bytes.iter().map(|byte| (byte ^ 7).count_ones()).sum()
        };
        assert_eq!(
            (flipped(&disk, "/d/spared"), flipped(&disk, "/d/struck")),
            (0, 1)
        );
        let left = disk.crash(Outage::Forgets);
        assert_eq!(flipped(&left, "/d/struck"), 1);
        assert_eq!(
            (left.met(FaultKind::BitFlip), left.stats().promises_broken),
            (1, 1)
        );
    }
}

#[test]
fn a_misdirected_write_is_missing_in_its_place_and_durable_in_another() {
    let mut elsewhere = BTreeSet::new();
    for seed in 0..60 {
        let disk = fresh(seed);
        let file = durable(&disk, "/d/a", &[1; 8192]);
        durable(&disk, "/d/b", &[2; 8192]);
        plan(&disk, FaultKind::Misdirected, 1);
        file.write_at(4096, &[9; 512])
            .expect("the disk is sure of itself");
        assert_eq!(
            content(&*file)[4096..4608],
            [9; 512],
            "the page cache has it"
        );
        file.sync_all().expect("a sync");
        let left = disk.crash(Outage::Forgets);
        let (a, b) = (
            bytes(&left, "/d/a").expect("a"),
            bytes(&left, "/d/b").expect("b"),
        );
        assert_eq!(a[4096..4608], [1; 512]);
        assert_eq!((a.len(), b.len()), (8192, 8192));
        let struck: Vec<usize> = [a, b]
            .concat()
            .chunks(512)
            .enumerate()
            .filter(|(_, sector)| sector[0] == 9)
            .map(|(number, sector)| {
                assert_eq!(sector, [9; 512]);
                number
            })
            .collect();
        assert_eq!(struck.len(), 1);
        assert_eq!(left.stats().promises_broken, 1);
        elsewhere.insert(struck[0] < 16);
    }
    assert_eq!(elsewhere.len(), 2, "this file and the other");
}

#[test]
fn a_lying_sync_is_found_out_by_a_power_cut_and_counted() {
    let disk = fresh(1);
    let file = durable(&disk, "/d/a", b"old");
    plan(&disk, FaultKind::LyingSync, 3);
    file.write_at(0, b"new").expect("a write");
    file.sync_all().expect("so it says");
    let fork = disk.fork();
    file.write_at(3, b"er").expect("a write");
    file.sync_all()
        .expect("the plan is over, and this one is true");
    let left = disk.crash(Outage::Forgets);
    assert_eq!(bytes(&left, "/d/a"), Some(b"newer".to_vec()));
    assert_eq!(
        (left.met(FaultKind::LyingSync), left.stats().promises_broken),
        (1, 0)
    );
    let left = fork.crash(Outage::Forgets);
    assert_eq!(bytes(&left, "/d/a"), Some(b"old".to_vec()));
    assert_eq!(left.stats().promises_broken, 1);
}

#[test]
fn a_lying_sync_of_a_directory_is_counted_too() {
    let disk = fresh(1);
    plan(&disk, FaultKind::LyingSync, 5);
    open(&disk, "/d/a");
    disk.sync_dir(&path("/d")).expect("so it says");
    let left = disk.crash(Outage::Forgets);
    assert_eq!(bytes(&left, "/d/a"), None);
    assert_eq!(left.stats().promises_broken, 1);
}

#[test]
fn a_fault_strikes_only_the_files_of_its_class() {
    let disk = fresh(1);
    let (house, sale) = (open(&disk, "/d/house"), open(&disk, "/d/sale"));
    disk.set_plan("write-error@0..100:house".parse().expect("a plan"));
    house.write_at(0, b"x").expect_err("an error");
    sale.write_at(0, b"x").expect("a write");
}

#[test]
fn one_fault_less_leaves_the_luck_of_the_others() {
    let struck = |plan: &str| -> Vec<u64> {
        let disk = fresh(11);
        let file = open(&disk, "/d/a");
        disk.set_plan(plan.parse().expect("a plan"));
        for _ in 0..200 {
            let _ = file.write_at(0, &[1; 100]);
        }
        let story = disk.story().into_iter();
        story
            .filter(|op| op.fault == Some(FaultKind::TornWrite))
            .map(|op| op.op)
            .collect()
    };
    let both = struck("write-error@150..160,torn-write=9@0..140/5");
    assert!((10..60).contains(&both.len()));
    assert_eq!(both, struck("torn-write=9@0..140/5"));
}

#[test]
fn after_healing_nothing_goes_wrong() {
    let disk = fresh(1);
    let file = open(&disk, "/d/a");
    let all: Vec<Fault> = FaultKind::ALL
        .map(|kind| Fault::during(kind, 0..u64::MAX))
        .into();
    disk.set_plan(super::super::FaultPlan { faults: all });
    disk.set_capacity(Some(1));
    file.write_at(0, &[1; 600]).expect_err("much");
    disk.heal();
    file.write_at(0, &[1; 600]).expect("a write");
    file.sync_all().expect("a sync");
    disk.sync_dir(&path("/d")).expect("a sync");
    assert_eq!(
        bytes(&disk.crash(Outage::Forgets), "/d/a"),
        Some(vec![1; 600])
    );
}
