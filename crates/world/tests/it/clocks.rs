//! Clocks.

use std::time::Duration;

use tidegate_world::{BootStamp, Clock, ManualClock, SystemClock};

#[test]
fn the_system_clock_reads_this_century_and_never_goes_back() {
    let clock = SystemClock::new();
    assert!(clock.wall_ms() > 1_700_000_000_000);
    let first = clock.monotonic();
    assert!(clock.monotonic() >= first);
}

#[cfg(target_os = "linux")]
#[test]
fn two_clocks_of_one_boot_agree_on_it() {
    let (first, second) = (SystemClock::new().boot(), SystemClock::new().boot());
    let (first, second) = (first.expect("a boot id"), second.expect("a boot id"));
    assert_eq!(first.boot_id, second.boot_id);
    assert!(second.boottime_ms >= first.boottime_ms);
}

#[test]
fn a_manual_clock_moves_only_when_told() {
    let clock = ManualClock::new(1_000);
    clock.set_boot(Some(BootStamp {
        boot_id: 7,
        boottime_ms: 10,
    }));
    clock.advance(Duration::from_millis(250));
    assert_eq!(clock.wall_ms(), 1_250);
    assert_eq!(clock.monotonic(), Duration::from_millis(250));
    assert_eq!(clock.boot().map(|stamp| stamp.boottime_ms), Some(260));
    clock.set_wall_ms(5);
    clock.advance_monotonic(Duration::from_secs(1));
    assert_eq!(clock.wall_ms(), 5);
    assert_eq!(clock.monotonic(), Duration::from_millis(1_250));
}
