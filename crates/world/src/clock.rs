//! Time: what the calendar says, and how much of it has passed.
//!
//! The wall clock may jump (an operator, a time server, a suspended machine); the monotonic clock
//! may not. Callers that order events use the monotonic one and only slew towards the wall.

// This is the one approved door to the clocks of the operating system.
#![allow(clippy::disallowed_methods)]

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where time comes from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Milliseconds since 1970-01-01 UTC; a clock set before that reads 0.
    fn wall_ms(&self) -> u64;

    /// Time since the process started; never goes back, and need not run while the machine sleeps.
    fn monotonic(&self) -> Duration;

    /// How long this boot of the machine has lasted, if the platform can say.
    ///
    /// Two stamps with the same boot id tell a stepped wall clock from honest downtime.
    fn boot(&self) -> Option<BootStamp>;
}

/// A point within one boot of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootStamp {
    /// Random number that the kernel draws at each boot.
    pub boot_id: u128,
    /// Milliseconds since that boot, suspended time included.
    pub boottime_ms: u64,
}

/// The clocks of this machine.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    boot_id: Option<u128>,
}

impl SystemClock {
    /// Starts the monotonic clock at zero and looks up the boot id once.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            boot_id: read_boot_id(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall_ms(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, whole_ms)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn boot(&self) -> Option<BootStamp> {
        Some(BootStamp {
            boot_id: self.boot_id?,
            boottime_ms: boottime_ms()?,
        })
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(target_os = "linux")]
fn read_boot_id() -> Option<u128> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()
}

#[cfg(target_os = "linux")]
fn boottime_ms() -> Option<u64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    Some(whole_ms(Duration::new(seconds, nanoseconds)))
}

#[cfg(not(target_os = "linux"))]
fn read_boot_id() -> Option<u128> {
    None
}

#[cfg(not(target_os = "linux"))]
fn boottime_ms() -> Option<u64> {
    None
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct ManualClock {
    wall_ms: AtomicU64,
    monotonic_ns: AtomicU64,
    boot: Mutex<Option<BootStamp>>,
}

impl ManualClock {
    /// A clock whose wall shows `wall_ms` and whose monotonic time is zero.
    #[must_use]
    pub fn new(wall_ms: u64) -> Self {
        Self {
            wall_ms: AtomicU64::new(wall_ms),
            monotonic_ns: AtomicU64::new(0),
            boot: Mutex::new(None),
        }
    }

    /// Lets time pass: wall, monotonic and boot time move together.
    pub fn advance(&self, by: Duration) {
        self.advance_monotonic(by);
        self.wall_ms.fetch_add(whole_ms(by), Ordering::SeqCst);
    }

    /// Lets time pass while the wall clock stands still.
    pub fn advance_monotonic(&self, by: Duration) {
        let nanoseconds = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.monotonic_ns.fetch_add(nanoseconds, Ordering::SeqCst);
        if let Some(stamp) = self.boot_stamp().as_mut() {
            stamp.boottime_ms += whole_ms(by);
        }
    }

    /// Steps the wall clock, forwards or back, while no time passes.
    pub fn set_wall_ms(&self, wall_ms: u64) {
        self.wall_ms.store(wall_ms, Ordering::SeqCst);
    }

    /// Sets what [`Clock::boot`] answers from now on.
    pub fn set_boot(&self, stamp: Option<BootStamp>) {
        *self.boot_stamp() = stamp;
    }

    fn boot_stamp(&self) -> std::sync::MutexGuard<'_, Option<BootStamp>> {
        self.boot
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn wall_ms(&self) -> u64 {
        self.wall_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.monotonic_ns.load(Ordering::SeqCst))
    }

    fn boot(&self) -> Option<BootStamp> {
        *self.boot_stamp()
    }
}
