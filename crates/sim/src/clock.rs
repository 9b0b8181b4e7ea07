//! Clocks that may be wrong: each host's wall clock drifts and is set, while its monotonic time passes as it should.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use world::{BootStamp, Clock};

use crate::scheduler::World;

/// When the world begins, by a wall clock that is right: 2027-01-15 08:00:00 UTC.
pub const DAWN_MS: u64 = 1_800_000_000_000;

/// The clock of a host; survives the runs of its process.
#[derive(Clone, Debug)]
pub struct HostClock {
    world: World,
    wall: Arc<Mutex<Wall>>,
}

#[derive(Clone, Copy, Debug)]
struct Wall {
    /// How far it was set away from what is right.
    step_ms: i64,
    /// Parts in a million by which it runs too fast.
    drift_ppm: i64,
    boots: u64,
    booted_at: Duration,
}

impl HostClock {
    /// A clock that is right.
    #[must_use]
    pub fn new(world: &World) -> Self {
        Self {
            world: world.clone(),
            wall: Arc::new(Mutex::new(Wall {
                step_ms: 0,
                drift_ppm: 0,
                boots: 1,
                booted_at: world.now(),
            })),
        }
    }

    /// Somebody sets it, by so much.
    pub fn step(&self, by_ms: i64) {
        self.wall().step_ms += by_ms;
    }

    /// It runs too fast by so many parts in a million.
    pub fn drift(&self, ppm: i64) {
        self.wall().drift_ppm = ppm;
    }

    /// The machine booted anew.
    pub fn boot_anew(&self) {
        let now = self.world.now();
        let mut wall = self.wall();
        wall.boots += 1;
        wall.booted_at = now;
    }

    /// What a process on the host is given; its monotonic time begins now.
    #[must_use]
    pub fn of_a_run(&self) -> Arc<dyn Clock> {
        Arc::new(RunClock {
            clock: self.clone(),
            began: self.world.now(),
        })
    }

    fn wall(&self) -> MutexGuard<'_, Wall> {
        self.wall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct RunClock {
    clock: HostClock,
    began: Duration,
}

impl Clock for RunClock {
    fn wall_ms(&self) -> u64 {
        let wall = *self.clock.wall();
        let passed = i64::try_from(self.clock.world.now().as_millis()).unwrap_or(i64::MAX);
        let drifted = passed.saturating_add(passed.saturating_mul(wall.drift_ppm) / 1_000_000);
        DAWN_MS.saturating_add_signed(drifted.saturating_add(wall.step_ms))
    }

    fn monotonic(&self) -> Duration {
        self.clock.world.now().saturating_sub(self.began)
    }

    fn boot(&self) -> Option<BootStamp> {
        let wall = *self.clock.wall();
        let since = self.clock.world.now().saturating_sub(wall.booted_at);
        Some(BootStamp {
            boot_id: u128::from(wall.boots),
            boottime_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::World;

    fn passes(world: &World, how_long: Duration) {
        let wait = world.sleep(how_long);
        world.block_on(100, &world.host(), wait).unwrap();
    }

    #[test]
    fn a_wall_clock_is_set_and_drifts_while_monotonic_time_passes_as_it_should() {
        let world = World::new(1);
        let clock = HostClock::new(&world);
        let run = clock.of_a_run();
        clock.step(-3_600_000);
        clock.drift(1_000);
        passes(&world, Duration::from_secs(1_000));
        let passed = run.monotonic();
        assert!(passed >= Duration::from_secs(1_000) && passed < Duration::from_secs(1_001));
        assert_eq!(run.wall_ms(), DAWN_MS - 3_600_000 + 1_000_000 + 1_000);
    }

    #[test]
    fn monotonic_time_begins_with_a_run_and_boot_time_with_the_machine() {
        let world = World::new(2);
        let clock = HostClock::new(&world);
        passes(&world, Duration::from_secs(10));
        let run = clock.of_a_run();
        assert_eq!(run.monotonic(), Duration::ZERO);
        let first = run.boot().unwrap();
        assert_eq!((first.boot_id, first.boottime_ms), (1, 10_000));
        clock.boot_anew();
        let second = run.boot().unwrap();
        assert_eq!((second.boot_id, second.boottime_ms), (2, 0));
    }
}
