//! Callers who hang up in the middle: at every step of a change of the house.

use std::path::PathBuf;
use std::sync::Arc;

use shop::house::House;
use shop::open::{Place, doors};
use tidegate_sim::clock::HostClock;
use tidegate_sim::disk::SimDisk;
use tidegate_sim::scheduler::{Host, World};
use world::{Disk, Entropy, SeededEntropy};

const STEPS_MAX: u64 = 100_000;

fn open(world: &World, host: &Host, disk: &SimDisk) -> House {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(3));
    let place = Place {
        dir: PathBuf::from("/house"),
        doors: doors(&disk, &HostClock::new(world).of_a_run(), &entropy),
        tasks: host.tasks(),
    };
    House::open(place).expect("the house opens").0
}

/// A request that timed out, or whose client was gone, was dropped between the append and the book: the journal had a
/// sale that the book did not know, and its number was given to the next one.
#[test]
fn a_caller_who_hangs_up_leaves_the_house_in_step_with_its_journal() {
    let mut left_behind = 0;
    for patience in 0..30 {
        let world = World::new(patience);
        let host = world.host();
        let disk = SimDisk::new(1);
        let house = Arc::new(open(&world, &host, &disk));
        let asked = house.clone();
        let impatient = host
            .tasks()
            .spawn(async move { asked.register("shop", "first").await.is_ok() });
        world.go_on(patience, || false);
        impatient.abort();
        world.go_on(STEPS_MAX, || false);
        left_behind += u64::from(house.book().sales().count() == 0);
        let asked = house.clone();
        let numbers = world.block_on(STEPS_MAX, &host, async move {
            let second = asked.register("shop", "second").await.expect("a number");
            let first = asked.register("shop", "first").await.expect("a number");
            (first, second)
        });
        let (first, second) = numbers.expect("both are answered");
        assert_ne!(first, second, "each sale has a number of its own");
        drop(house);
        let again = open(&world, &host, &disk);
        assert_eq!(again.book().sales().count(), 2, "after {patience} steps");
    }
    assert!(left_behind > 1, "somebody has to hang up in time");
}
