//! Power cuts between every two operations: what was shown is there afterwards (INV-7), on an
//! unbroken chain (INV-8).

use std::io::ErrorKind;
use std::sync::Arc;

use tidegate_storage::journal::{Log, prepare};
use tidegate_storage::snapshot;
use world::Disk;
use world::faults::{Crash, Effect, Fault, FaultyDisk, Lasting, MemoryDisk, Operation};
use world::journal::{Batch, JournalError, Position};

use crate::desk::{SMALL, batch, dir, doors, fill, recovered};

/// What a run has promised before its disk died.
#[derive(Debug, Default)]
struct Shown {
    positions: Vec<Position>,
    snapshot: Option<u64>,
}

/// A life of a journal: opening, appends, zeros made ahead, a failed append with its resumption,
/// archiving and snapshots, until the disk answers nothing any more.
fn live(faults: &FaultyDisk<MemoryDisk>, shown: &mut Shown) -> Result<(), Stop> {
    let disk: Arc<dyn Disk> = Arc::new(faults.clone());
    let (recovery, _) = recovered(&disk, &dir(), None)?;
    let mut log = Log::open(recovery, doors(disk.clone()), SMALL)?;
    for number in 0..32 {
        append(&mut log, number, shown)?;
        if number % 8 == 5
            && let Some(bytes) = log.wanted()
        {
            let path = log.prepared_path();
            let go_on = &mut || std::ops::ControlFlow::Continue(());
            if let Ok(zeros) = prepare(&*disk, &path, bytes, go_on) {
                log.supply(zeros);
            }
        }
        if number % 10 == 7 {
            let position = log.position();
            if snapshot::write(&*disk, &dir(), position, 1, &[7; 900]).is_ok() {
                shown.snapshot = Some(position.sequence);
            }
        }
        if number == 18 {
            log.archive(12)?;
        }
    }
    Ok(())
}

fn append(log: &mut Log, number: u64, shown: &mut Shown) -> Result<(), Stop> {
    match log.append(number, &batch(number, 1)) {
        Ok((position, _)) => {
            shown.positions.push(position);
            Ok(())
        }
        Err(JournalError::Unknown { .. }) => {
            log.resume()?;
            append(log, number, shown)
        }
        Err(error) => Err(error.into()),
    }
}

/// The disk is dead.
#[derive(Debug)]
struct Stop;

impl From<JournalError> for Stop {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Io { .. } => Self,
            other => panic!("only the disk may fail here: {other}"),
        }
    }
}

fn dead_after(after: u64, effect: Effect) -> Fault {
    Fault {
        operation: Operation::Any,
        after,
        error: ErrorKind::Other,
        effect,
        lasting: Lasting::UntilHealed,
    }
}

/// Starts on what the power cut left, holds it against what was shown, and works on.
fn next_start(left: MemoryDisk, shown: &Shown, case: &str) {
    let disk: Arc<dyn Disk> = Arc::new(left);
    let (recovery, batches) = match recovered(&disk, &dir(), None) {
        Ok(found) => found,
        Err(error) => panic!("{case}: {error}"),
    };
    let found: Vec<_> = batches.iter().map(Batch::position).collect();
    let count = shown.positions.len();
    assert!(found.len() >= count, "{case}: {} < {count}", found.len());
    assert!(found.len() <= count + 1, "{case}: out of thin air");
    assert_eq!(found[..count], shown.positions, "{case}");
    let newest = snapshot::newest(&*disk, &dir()).expect("a search");
    assert_eq!(newest.skipped, [], "{case}: a snapshot is whole or absent");
    if let Some(sequence) = shown.snapshot {
        let snapshot = newest.snapshot.expect("the snapshot that was shown");
        assert!(snapshot.position.sequence >= sequence, "{case}");
        recovered(&disk, &dir(), Some(snapshot.position)).expect("a start from the snapshot");
    }
    let expected = recovery.position.sequence;
    let mut log = Log::open(recovery, doors(disk.clone()), SMALL).expect("opening");
    assert_eq!(log.position().sequence, expected);
    fill(&mut log, expected, expected + 6);
    drop(log);
    let (_, batches) = recovered(&disk, &dir(), None).expect("a second recovery");
    assert_eq!(batches.len() as u64, expected + 6, "{case}");
}

fn crashes(seed: u64) -> [Crash; 5] {
    [
        Crash::Forgets,
        Crash::Keeps,
        Crash::Tears(seed),
        Crash::Tears(seed ^ 0xFFFF),
        Crash::TearsUnderOldNames(seed),
    ]
}

#[test]
fn what_was_shown_survives_a_power_cut_between_any_two_operations() {
    let whole = FaultyDisk::new(MemoryDisk::new());
    live(&whole, &mut Shown::default()).expect("a life without faults");
    let operations = whole.changes();
    assert!(operations > 100, "{operations}");
    for after in 0..=operations {
        for effect in [Effect::None, Effect::First(77), Effect::Whole] {
            let faults = FaultyDisk::new(MemoryDisk::new());
            faults.plan(dead_after(after, effect));
            let mut shown = Shown::default();
            let _ = live(&faults, &mut shown);
            for crash in crashes(after) {
                let case = format!("after {after}, {effect:?}, {crash:?}");
                next_start(faults.inner().crashed(crash), &shown, &case);
            }
        }
    }
}

#[test]
fn what_was_shown_survives_a_failed_operation_and_then_a_power_cut() {
    let whole = FaultyDisk::new(MemoryDisk::new());
    live(&whole, &mut Shown::default()).expect("a life without faults");
    let operations = whole.changes();
    for fault in (0..operations).step_by(3) {
        let faults = FaultyDisk::new(MemoryDisk::new());
        faults.plan(Fault {
            lasting: Lasting::Once,
            ..dead_after(fault, Effect::First(30))
        });
        let mut shown = Shown::default();
        let _ = live(&faults, &mut shown);
        for crash in crashes(fault) {
            let case = format!("fault at {fault}, {crash:?}");
            next_start(faults.inner().crashed(crash), &shown, &case);
        }
    }
}

#[test]
fn what_a_new_process_found_survives_a_power_cut_even_if_the_old_one_never_synced_it() {
    let whole = FaultyDisk::new(MemoryDisk::new());
    live(&whole, &mut Shown::default()).expect("a life without faults");
    let effects = [Effect::None, Effect::Whole];
    for case in 0..whole.changes() * 2 {
        let (after, effect) = (case / 2, effects[usize::from(case % 2 == 1)]);
        let faults = FaultyDisk::new(MemoryDisk::new());
        faults.plan(dead_after(after, effect));
        let _ = live(&faults, &mut Shown::default());
        // The process died, the machine did not: what it wrote is seen, but not yet durable.
        faults.heal();
        let disk: Arc<dyn Disk> = Arc::new(faults.clone());
        let (recovery, batches) = recovered(&disk, &dir(), None).expect("a recovery");
        let mut log = Log::open(recovery, doors(disk), SMALL).expect("opening");
        let mut positions: Vec<_> = batches.iter().map(Batch::position).collect();
        let found = positions.len() as u64;
        positions.extend(fill(&mut log, found, found + 1));
        let shown = Shown {
            positions,
            snapshot: None,
        };
        drop(log);
        let left = faults.inner().crashed(Crash::Forgets);
        next_start(left, &shown, &format!("after {after}, {effect:?}"));
    }
}
