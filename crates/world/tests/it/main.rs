//! The doors of this crate, seen from outside.

mod clocks;
mod disks;
mod entropy;
mod power_cuts;
