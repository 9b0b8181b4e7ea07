//! Disks that fail on purpose, for tests and simulations.
//!
//! [`MemoryDisk`] keeps what was written apart from what was synced, and can be cut off between
//! any two operations: [`MemoryDisk::crashed`] is the disk that the next start would find.
//! [`FaultyDisk`] stands before any disk and lets chosen operations fail.

mod faulty;
mod memory;

pub use faulty::{Effect, Fault, FaultyDisk, Lasting, Operation};
pub use memory::{Crash, MemoryDisk};
