//! The embedded engine, seen from outside.

mod bytes;
mod conformance;
mod crashes;
mod data_dirs;
mod desk;
mod directory_reading;
mod faults;
mod fuzz;
mod models;
mod recovery;
mod snapshots;
