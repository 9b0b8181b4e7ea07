//! The embedded engine, seen from outside.

mod backup_cuts;
mod backups;
mod bytes;
mod conformance;
mod crashes;
mod data_dirs;
mod desk;
mod directory_reading;
mod faults;
mod formats;
mod fuzz;
mod models;
mod recovery;
mod snapshots;
mod vaults;
