//! A journal that cannot be read for a while: after a failed append, and while read models follow.

use tidegate_sim::disk::{Fault, FaultKind, FaultPlan};
use tidegate_sim::life::Lived;
use tidegate_sim::plan::{Guest, Habit, LifePlan};

use crate::plans::{lived, ms, quiet};

fn guest(number: u32, habit: Habit) -> Guest {
    Guest {
        number: 100 + number,
        at: ms(u64::from(number) * 40),
        sale: 0,
        habit,
    }
}

/// A crowd that buys and looks while the disk has these faults.
fn crowd(seed: u64, faults: Vec<Fault>) -> Lived {
    let mut plan: LifePlan = quiet(seed, 40);
    plan.shop.desk.resume_ms = 100;
    plan.shop.desk.snapshot_entries = 5;
    plan.shop.desk.snapshot_idle_ms = 5;
    plan.disk = FaultPlan { faults };
    plan.guests = (0..24)
        .map(|number| match number % 3 {
            0 => guest(number, Habit::Look),
            1 => guest(number, Habit::Cancel),
            _ => guest(number, Habit::Plain),
        })
        .collect();
    lived(&plan, Vec::new())
}

fn on_sales(kind: FaultKind, at: std::ops::Range<u64>) -> Fault {
    Fault {
        files: "sales".to_owned(),
        ..Fault::during(kind, at)
    }
}

/// The append failed and the book could not be built anew: the desk stopped for good, and answered questions from a
/// book that had in it what was not durable.
#[test]
fn a_book_that_cannot_be_built_anew_answers_nothing_until_it_can() {
    let mut met = 0;
    for seed in 1..13 {
        let from = 60 + seed * 9;
        let life = crowd(
            seed,
            vec![
                on_sales(FaultKind::SyncError, from..from + 2),
                on_sales(FaultKind::ReadError, from..from + 5),
            ],
        );
        met += u64::from(
            life.disk.met.contains_key(&FaultKind::SyncError)
                && life.disk.met.contains_key(&FaultKind::ReadError),
        );
    }
    assert!(met > 6, "only {met} of 12 lives met both faults");
}

/// One read that failed left the read models of its sale behind until the next start.
#[test]
fn read_models_follow_on_after_a_disk_that_could_not_be_read() {
    let mut met = 0;
    for seed in 1..13 {
        let from = 50 + seed * 7;
        let life = crowd(seed, vec![on_sales(FaultKind::ReadError, from..from + 6)]);
        met += u64::from(life.disk.met.contains_key(&FaultKind::ReadError));
    }
    assert!(met > 6, "only {met} of 12 lives met the fault");
}
