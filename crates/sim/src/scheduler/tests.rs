//! What the rest of the simulation stands on: one order for one seed, time that only waits move, and ends that leave
//! nothing behind.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use world::Tasks;

use super::{Host, Still, World};
use crate::record::Ended;

const STEPS: u64 = 100_000;

type Log = Arc<Mutex<Vec<u32>>>;

fn note(log: &Log, what: u32) {
    log.lock().unwrap().push(what);
}

fn noted(log: &Log) -> Vec<u32> {
    log.lock().unwrap().clone()
}

/// Runs until nobody has anything to do any more.
fn exhaust(world: &World) {
    assert_eq!(world.go_on(STEPS, || false), Still::Dead);
}

/// The order in which ten tasks go that are all ready.
fn order(seed: u64) -> (Vec<u32>, u64) {
    let world = World::new(seed);
    let tasks = world.host().tasks();
    let log = Log::default();
    for number in 0..10 {
        let log = log.clone();
        drop(tasks.spawn(async move { note(&log, number) }));
    }
    exhaust(&world);
    (noted(&log), world.trace())
}

#[test]
fn who_goes_first_belongs_to_the_seed() {
    let orders: Vec<_> = (0..20).map(order).collect();
    for (seed, before) in (0..20).zip(&orders) {
        assert_eq!(order(seed), *before, "seed {seed}");
        let mut sorted = before.0.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10).collect::<Vec<_>>(), "everybody goes once");
    }
    let different: std::collections::BTreeSet<_> = orders.iter().map(|one| &one.0).collect();
    assert!(different.len() > 15, "only {} orders", different.len());
}

#[test]
fn an_hour_of_sleep_takes_no_time_but_the_worlds() {
    let world = World::new(1);
    let host = world.host();
    let tasks = host.tasks();
    let slept = world.block_on(STEPS, &host, async move {
        let before = tasks.now();
        tasks.sleep(Duration::from_secs(3_600)).await;
        tasks.now() - before
    });
    let slept = slept.unwrap();
    assert!(slept >= Duration::from_secs(3_600) && slept < Duration::from_secs(3_601));
    assert!(world.steps() < 10, "{} steps", world.steps());
}

#[test]
fn sleepers_wake_in_the_order_of_their_alarms() {
    let world = World::new(2);
    let tasks = world.host().tasks();
    let log = Log::default();
    for ms in [30_u32, 10, 20, 40] {
        let (log, tasks) = (log.clone(), tasks.clone());
        drop(tasks.clone().spawn(async move {
            tasks.sleep(Duration::from_millis(ms.into())).await;
            note(&log, ms);
        }));
    }
    exhaust(&world);
    assert_eq!(noted(&log), [10, 20, 30, 40]);
}

#[test]
fn time_does_not_run_to_an_alarm_that_nobody_waits_for() {
    let world = World::new(3);
    let host = world.host();
    let tasks = host.tasks();
    let found = world.block_on(STEPS, &host, async move {
        let work = tasks.sleep(Duration::from_millis(5));
        tasks.timeout(Duration::from_secs(3_600), work).await
    });
    assert_eq!(found, Ok(Some(())));
    exhaust(&world);
    assert!(world.now() < Duration::from_secs(1), "{:?}", world.now());
}

/// Says that it was dropped.
struct Held(Log, u32);

impl Drop for Held {
    fn drop(&mut self) {
        note(&self.0, self.1);
    }
}

/// A task that waits three times, and holds something all the while.
fn waits_three_times(tasks: &Tasks, log: &Log) {
    let (held, log, sleeping) = (Held(log.clone(), 99), log.clone(), tasks.clone());
    drop(tasks.spawn(async move {
        let _held = held;
        for number in 0..3 {
            note(&log, number);
            sleeping.sleep(Duration::from_millis(10)).await;
        }
        note(&log, 3);
    }));
}

#[test]
fn a_crash_drops_a_task_at_whichever_await_it_stands() {
    for polls in 1..=4 {
        let world = World::new(4);
        let host = world.host();
        let log = Log::default();
        waits_three_times(&host.tasks(), &log);
        host.end_after(polls, Ended::Killed);
        exhaust(&world);
        let mut expected: Vec<u32> = (0..u32::try_from(polls).unwrap()).collect();
        expected.push(99);
        assert_eq!(noted(&log), expected, "killed after {polls} polls");
        assert!(!host.is_up());
        assert_eq!(world.ended(host.run()), Some(Ended::Killed));
    }
}

#[test]
fn a_task_that_ends_its_own_run_is_not_polled_again() {
    let world = World::new(5);
    let host = world.host();
    let log = Log::default();
    let (ending, tasks, heard) = (host.clone(), host.tasks(), log.clone());
    drop(host.tasks().spawn(async move {
        let _held = Held(heard.clone(), 99);
        ending.end(Ended::Killed);
        tasks.sleep(Duration::from_millis(1)).await;
        note(&heard, 1);
    }));
    exhaust(&world);
    assert_eq!(noted(&log), [99], "it is gone, and nothing came after");
}

#[test]
fn nothing_of_an_ended_run_runs_in_the_next() {
    let world = World::new(6);
    let host = world.host();
    let (old, log) = (host.tasks(), Log::default());
    host.end(Ended::PowerLost);
    host.start();
    let late = log.clone();
    let mut task = old.spawn(async move { note(&late, 1) });
    let mut job = old.blocking(|| 2);
    exhaust(&world);
    assert_eq!(task.over(), Some(Err(world::tasks::Ended)));
    assert_eq!(job.over(), Some(Err(world::tasks::Ended)));
    assert!(noted(&log).is_empty());
}

fn lane_order(seed: u64, host: &Host, world: &World) -> Vec<u32> {
    let lanes = [
        host.tasks().lane("one").unwrap(),
        host.tasks().lane("other").unwrap(),
    ];
    let log = Log::default();
    for number in 0..20_u32 {
        let log = log.clone();
        let lane = &lanes[(number % 2) as usize];
        drop(lane.run(move || note(&log, number)));
    }
    drop(lanes);
    exhaust(world);
    assert_eq!(noted(&log).len(), 20, "seed {seed}");
    noted(&log)
}

#[test]
fn a_lane_keeps_its_order_and_two_lanes_none() {
    let mut mixed = 0;
    for seed in 0..10 {
        let world = World::new(seed);
        let done = lane_order(seed, &world.host(), &world);
        for parity in 0..2 {
            let of_one: Vec<_> = done
                .iter()
                .filter(|number| **number % 2 == parity)
                .collect();
            assert!(of_one.is_sorted(), "seed {seed}: {done:?}");
        }
        mixed += u32::from(!done.is_sorted());
    }
    assert!(mixed > 0, "two lanes never overtook one another");
}

#[test]
fn a_crash_forgets_what_waits_in_a_lane() {
    let world = World::new(7);
    let host = world.host();
    let (lane, log) = (host.tasks().lane("journal").unwrap(), Log::default());
    for number in 0..3 {
        let (log, host) = (log.clone(), host.clone());
        drop(lane.run(move || {
            note(&log, number);
            host.end(Ended::PowerLost);
        }));
    }
    exhaust(&world);
    assert_eq!(noted(&log), [0]);
}

#[test]
fn a_panic_ends_its_task_only_and_is_remembered() {
    let world = World::new(8);
    let host = world.host();
    let mut task = host
        .tasks()
        .spawn::<()>(async { panic!("a task of this test") });
    let log = Log::default();
    let after = log.clone();
    drop(host.tasks().spawn(async move { note(&after, 1) }));
    exhaust(&world);
    assert_eq!(task.over(), Some(Err(world::tasks::Ended)));
    assert_eq!(
        (noted(&log), world.panics()),
        (vec![1], vec!["a task of this test".to_owned()])
    );
}

#[test]
fn whoever_runs_in_circles_is_stopped() {
    let world = World::new(9);
    let host = world.host();
    drop(host.tasks().spawn(std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        std::task::Poll::<()>::Pending
    })));
    assert_eq!(world.go_on(1_000, || false), Still::Endless);
}
