//! The real journal on this disk: a power cut at every operation, and a disk that lies.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use storage::journal::{
    Doors, InlineJournal, JournalSettings, Log, RecoverError, Recovery, prepare, recover,
};
use storage::snapshot;
use world::journal::conformance::{self, Rig};
use world::journal::{Batch, Journal, JournalError, NewBatch, Position};
use world::{Disk, ManualClock, SeededEntropy};

use super::super::{Fault, FaultKind, FaultPlan, Mix, Moment, Outage, SimDisk};

/// Segments so small that a few batches fill one.
const SMALL: JournalSettings = JournalSettings {
    segment_bytes_first: 1024,
    segment_bytes_max: 4096,
};

fn dir() -> PathBuf {
    PathBuf::from("/data/house")
}

fn batch(number: u64) -> NewBatch {
    let bytes = usize::try_from(number * 37 % 300).expect("a small number");
    NewBatch {
        time_ms: 1_000 + number,
        entries: 1,
        payload: vec![number.to_le_bytes()[0] | 1; bytes + 1],
    }
}

fn recovered(
    disk: &SimDisk,
    start: Option<Position>,
) -> Result<(Recovery, Vec<Batch>), JournalError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut batches = Vec::new();
    let recovery = recover::<Infallible>(&disk, &dir(), start, &mut |batch| {
        batches.push(batch.clone());
        Ok(())
    });
    match recovery {
        Ok(recovery) => Ok((recovery, batches)),
        Err(RecoverError::Journal(error)) => Err(error),
        Err(RecoverError::Visit { source, .. }) => match source {},
    }
}

fn open(disk: &SimDisk) -> Result<Log, JournalError> {
    let (recovery, _) = recovered(disk, None)?;
    let doors = Doors {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(ManualClock::new(0)),
        entropy: Arc::new(SeededEntropy::new(7)),
    };
    Log::open(recovery, doors, SMALL)
}

/// What a life has promised.
#[derive(Debug, Default)]
struct Shown {
    positions: Vec<Position>,
    snapshot: Option<u64>,
}

/// A life of a journal up to `batches` of them, with zeros made ahead, snapshots and archiving.
/// Failed appends are resumed until the machine is off.
fn live(disk: &SimDisk, batches: u64, shown: &mut Shown) -> Result<(), JournalError> {
    let mut log = open(disk)?;
    let first = log.position().sequence;
    for number in first..batches {
        append(disk, &mut log, number, shown)?;
        if number % 8 == 5
            && let Some(bytes) = log.wanted()
        {
            let go_on = &mut || ControlFlow::Continue(());
            if let Ok(zeros) = prepare(disk, &log.prepared_path(), bytes, go_on) {
                log.supply(zeros);
            }
        }
        if number % 10 == 7 && snapshot::write(disk, &dir(), log.position(), 1, &[7; 900]).is_ok() {
            shown.snapshot = Some(log.position().sequence);
        }
        if number == 18 {
            log.archive(12)?;
        }
    }
    Ok(())
}

fn append(
    disk: &SimDisk,
    log: &mut Log,
    number: u64,
    shown: &mut Shown,
) -> Result<(), JournalError> {
    loop {
        match log.append(number, &batch(number)) {
            Ok((position, _)) => {
                shown.positions.push(position);
                return Ok(());
            }
            Err(JournalError::Unknown { .. } | JournalError::Broken) if !disk.crashed() => {
                // A disk that still refuses is asked again: each try is an operation, and the
                // plan ends at some operation.
                let _ = log.resume();
            }
            Err(error) => return Err(error),
        }
    }
}

/// Holds what is left against what was shown, works on, and looks again.
fn next_life(disk: &SimDisk, shown: &Shown, case: &str) {
    let (_, found) = recovered(disk, None).unwrap_or_else(|error| panic!("{case}: {error}"));
    let found: Vec<_> = found.iter().map(Batch::position).collect();
    let count = shown.positions.len();
    assert!(
        (count..=count + 1).contains(&found.len()),
        "{case}: {} of {count}",
        found.len()
    );
    assert_eq!(found[..count], shown.positions, "{case}");
    let newest = snapshot::newest(disk, &dir()).expect("a search");
    assert_eq!(newest.skipped, [], "{case}: a snapshot is whole or absent");
    let sequence = newest.snapshot.map(|snapshot| snapshot.position.sequence);
    assert!(sequence >= shown.snapshot, "{case}");
    let mut later = Shown::default();
    let until = found.len() as u64 + 4;
    live(disk, until, &mut later).unwrap_or_else(|error| panic!("{case}: {error}"));
    let (_, batches) = recovered(disk, None).expect("a second recovery");
    assert_eq!(batches.len() as u64, until, "{case}");
    // What an earlier life left unsynced counts as shown, once a later one has built on it.
    let (_, batches) = recovered(&disk.crash(Outage::Forgets), None).expect("a third recovery");
    assert_eq!(batches.len() as u64, until, "{case}");
}

struct Desk(SimDisk);

impl Rig for Desk {
    fn open(&mut self) -> Box<dyn Journal> {
        // The journal before has been dropped, as if its process had died.
        self.0 = self.0.crash(Outage::Process);
        Box::new(InlineJournal::new(
            open(&self.0).expect("a journal that opens"),
        ))
    }

    fn break_disk(&mut self) {
        self.0
            .set_plan(Fault::during(FaultKind::SyncError, 0..u64::MAX).into());
    }

    fn mend_disk(&mut self) {
        self.0.heal();
    }
}

#[test]
fn the_journal_keeps_its_contract_on_this_disk() {
    let mut suite = std::pin::pin!(conformance::all(|| Desk(SimDisk::new(5))));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    // The journal without a thread is done with each call when it returns.
    assert!(suite.as_mut().poll(&mut context).is_ready());
}

#[test]
fn what_was_shown_survives_the_power_going_at_any_operation() {
    let whole = SimDisk::new(1);
    live(&whole, 32, &mut Shown::default()).expect("a life without an outage");
    assert!(whole.ops() > 100, "{}", whole.ops());
    for op in 0..whole.ops() {
        for moment in [Moment::Before, Moment::After] {
            let disk = SimDisk::new(1);
            disk.crash_at(op, moment);
            let mut shown = Shown::default();
            live(&disk, 32, &mut shown).expect_err("an outage");
            let seeds = (0..4).map(|seed| Outage::Power(op * 64 + seed));
            for outage in seeds.chain([Outage::Forgets, Outage::Process]) {
                let case = format!("{moment:?} {op}, {outage:?}");
                next_life(&disk.fork().crash(outage), &shown, &case);
            }
        }
    }
}

#[test]
fn what_was_shown_survives_all_that_an_honest_disk_does() {
    let mix = Mix {
        ops: 150,
        per_thousand: 40,
        ..Mix::default()
    };
    let mut met = 0;
    for seed in 0..400 {
        let plan = FaultPlan::draw(seed, &mix);
        let disk = SimDisk::with_plan(seed, plan.clone());
        disk.crash_at(40 + seed % 120, Moment::After);
        let mut shown = Shown::default();
        let _ = live(&disk, 32, &mut shown);
        let left = disk.crash(Outage::Power(seed));
        left.heal();
        met += left.stats().met.values().sum::<u64>();
        next_life(&left, &shown, &format!("seed {seed}, {plan}"));
    }
    assert!(met > 400, "{met}");
}

#[test]
fn a_lying_disk_is_found_out_by_whoever_saw_more() {
    let mut lost = 0;
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let mut shown = Shown::default();
        live(&disk, 6, &mut shown).expect("an honest life");
        disk.set_plan(Fault::during(FaultKind::LyingSync, 0..u64::MAX).into());
        live(&disk, 8, &mut shown).expect("the lies go unnoticed");
        let witness = shown.positions[7];
        let left = disk.crash(Outage::Power(seed));
        let found = recovered(&left, None).map(|(recovery, _)| recovery.position);
        let held = recovered(&left, Some(witness));
        match (found, held) {
            (Ok(found), Ok(_)) => assert_eq!(found, witness, "seed {seed}"),
            (Ok(found), Err(JournalError::Lost { .. })) => {
                assert!(found.sequence < witness.sequence && left.stats().promises_broken > 0);
                lost += 1;
            }
            // Batch 7 is gone and batch 8 is there: seen without a witness too.
            (Err(JournalError::Damaged { .. }), Err(_)) => {
                assert!(left.stats().promises_broken > 0)
            }
            other => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!((20..100).contains(&lost), "{lost}");
}

#[test]
fn wrong_bytes_are_never_taken_for_right_ones() {
    let mut noticed = 0;
    for seed in 0..300 {
        let disk = SimDisk::new(seed);
        let mut shown = Shown::default();
        live(&disk, 12, &mut shown).expect("a life");
        let kind = [FaultKind::BitFlip, FaultKind::Misdirected][usize::from(seed % 2 == 1)];
        let now = disk.ops();
        let fault = Fault::during(kind, now..now + 1 + seed % 5);
        let files = "journal".to_owned();
        disk.set_plan(Fault { files, ..fault }.into());
        let _ = live(&disk, 14, &mut shown);
        let left = disk.crash(Outage::Forgets);
        // A last batch that was struck before the second life is taken for torn and written anew.
        shown.positions.dedup();
        let witness = shown.positions.last().copied();
        match (recovered(&left, None), recovered(&left, witness)) {
            (Ok((_, batches)), held) => {
                let found: Vec<_> = batches.iter().map(Batch::position).collect();
                assert!(shown.positions.starts_with(&found), "seed {seed}");
                let whole = found.len() == shown.positions.len();
                assert_eq!(held.is_ok(), whole, "seed {seed}: {held:?}");
                noticed += u64::from(!whole);
            }
            // A start from the witness does not read what is before it, and may well succeed.
            (Err(JournalError::Damaged { .. } | JournalError::Version { .. }), _) => noticed += 1,
            (Err(error), _) => panic!("seed {seed}: {error}"),
        }
    }
    assert!(noticed > 50, "{noticed}");
}
