//! The queue under loom: each test runs through every order in which its threads may meet at the lock.
//!
//! `cargo xtask model` runs this. A consumer that nobody wakes is a deadlock, which loom reports; so each test that
//! comes to its end also says that no wake-up was lost. Where a test bounds how often a thread may be interrupted, the
//! bound stands in its call of `orders`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::future::block_on;
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::{Receiver, Rejected, Sender, bounded};

/// Runs a test through all orders with at most so many interruptions of running threads, and checks that there were
/// enough orders for the test to say anything.
fn orders(interruptions: Option<usize>, least: usize, test: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = interruptions;
    let ran = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = ran.clone();
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        test();
    });
    let ran = ran.load(Ordering::Relaxed);
    eprintln!("{ran} orders, interruptions bounded by {interruptions:?}");
    assert!(ran >= least, "only {ran} orders were tried");
}

/// Takes until the queue ends, at most `most` at a time.
fn drain<T>(receiver: &mut Receiver<T>, most: usize) -> Vec<T> {
    let mut got = Vec::new();
    while block_on(receiver.ready()) {
        let moved = receiver.take(&mut got, most);
        assert!(moved > 0, "ready, and nothing was there");
    }
    assert_eq!(receiver.weight(), 0, "weight is left behind");
    assert_eq!(
        receiver.take(&mut got, 1),
        0,
        "something came after the end"
    );
    got
}

/// Pushes an item and says whether it went in.
fn push(sender: &Sender<(u8, u8)>, item: (u8, u8), weight: u32) -> bool {
    match sender.push(item, weight) {
        Ok(()) => true,
        Err(Rejected::Full(back) | Rejected::Closed(back)) => {
            assert_eq!(back, item);
            false
        }
    }
}

/// What each producer's items were, in the order in which they came.
fn by_producer(got: &[(u8, u8)]) -> BTreeMap<u8, Vec<u8>> {
    let mut all = BTreeMap::<u8, Vec<u8>>::new();
    for &(producer, item) in got {
        all.entry(producer).or_default().push(item);
    }
    all
}

#[test]
fn two_producers_and_a_sleeper_lose_nothing_and_keep_each_ones_order() {
    orders(Some(2), 1_000, || {
        let (sender, mut receiver) = bounded(8);
        for producer in [1, 2] {
            let sender = sender.clone();
            thread::spawn(move || {
                assert!(push(&sender, (producer, 1), 1));
                assert!(push(&sender, (producer, 2), 1));
            });
        }
        drop(sender);
        let got = drain(&mut receiver, 8);
        assert_eq!(by_producer(&got), [(1, vec![1, 2]), (2, vec![1, 2])].into());
    });
}

#[test]
fn a_consumer_that_takes_one_at_a_time_gets_all() {
    orders(Some(3), 500, || {
        let (sender, mut receiver) = bounded(8);
        thread::spawn(move || {
            assert!(push(&sender, (1, 1), 1));
            assert!(push(&sender, (1, 2), 2));
            assert!(push(&sender, (1, 3), 0));
        });
        let got = drain(&mut receiver, 1);
        assert_eq!(got, [(1, 1), (1, 2), (1, 3)]);
    });
}

#[test]
fn the_bound_holds_and_only_what_was_taken_in_comes_out() {
    orders(Some(2), 500, || {
        let (sender, mut receiver) = bounded(2);
        let taken_in = Arc::new(Mutex::new(Vec::new()));
        for producer in [1, 2] {
            let (sender, taken_in) = (sender.clone(), taken_in.clone());
            thread::spawn(move || {
                let mut mine = Vec::new();
                for (item, weight) in [(1, 2), (2, 1)] {
                    if push(&sender, (producer, item), weight) {
                        mine.push((producer, item));
                    }
                }
                taken_in.lock().unwrap().extend(mine);
            });
        }
        drop(sender);
        let mut got = Vec::new();
        while block_on(receiver.ready()) {
            let weight = receiver.weight();
            assert!(weight <= 2, "{weight} waits where 2 may");
            assert!(
                receiver.take(&mut got, 8) >= weight,
                "what waited went away"
            );
        }
        assert_eq!(receiver.weight(), 0);
        let mut taken_in = taken_in.lock().unwrap().clone();
        taken_in.sort_unstable();
        assert_eq!(by_producer(&got), by_producer(&taken_in));
    });
}

#[test]
fn what_was_taken_in_before_the_close_is_handed_out_before_the_end() {
    orders(Some(3), 500, || {
        let (sender, mut receiver) = bounded(8);
        let taken_in = Arc::new(Mutex::new(Vec::new()));
        let (producer, kept, mine) = (sender.clone(), sender.clone(), taken_in.clone());
        let pushing = thread::spawn(move || {
            for item in [(1, 1), (1, 2)] {
                if push(&producer, item, 1) {
                    mine.lock().unwrap().push(item);
                }
            }
        });
        let closing = thread::spawn(move || {
            sender.close();
            assert!(
                !push(&sender, (2, 1), 1),
                "a closed queue took something in"
            );
        });
        // `kept` lives on: it is the close that ends the queue, and no producer's goodbye.
        let got = drain(&mut receiver, 1);
        pushing.join().unwrap();
        closing.join().unwrap();
        assert_eq!(
            receiver.take(&mut Vec::new(), 8),
            0,
            "taken in and left behind"
        );
        assert_eq!(got, *taken_in.lock().unwrap());
        drop(kept);
    });
}

#[test]
fn what_waits_when_the_consumer_goes_is_dropped_once_and_nothing_goes_in_later() {
    orders(None, 500, || {
        let (sender, receiver) = bounded(8);
        let item = Arc::new(());
        let (first, second) = (item.clone(), item.clone());
        let other = sender.clone();
        let pushing = thread::spawn(move || {
            let _ = sender.push(first, 1);
        });
        let also = thread::spawn(move || {
            let _ = other.push(second, 1);
            other
        });
        drop(receiver);
        pushing.join().unwrap();
        let sender = also.join().unwrap();
        assert_eq!(Arc::strong_count(&item), 1, "an item was stranded");
        assert_eq!(sender.weight(), 0);
        assert!(matches!(sender.push(item, 1), Err(Rejected::Closed(_))));
    });
}

#[test]
fn the_last_producers_goodbye_wakes_whoever_waits() {
    orders(Some(3), 500, || {
        let (sender, mut receiver) = bounded::<u8>(8);
        let second = sender.clone();
        thread::spawn(move || drop(second));
        thread::spawn(move || drop(sender.clone()));
        assert!(drain(&mut receiver, 8).is_empty());
    });
}

#[test]
fn a_clone_made_while_others_leave_keeps_the_queue_going() {
    orders(Some(3), 500, || {
        let (sender, mut receiver) = bounded(8);
        let second = sender.clone();
        thread::spawn(move || drop(second));
        thread::spawn(move || {
            let late = sender.clone();
            drop(sender);
            assert!(push(&late, (1, 1), 1));
        });
        assert_eq!(drain(&mut receiver, 8), [(1, 1)]);
    });
}
