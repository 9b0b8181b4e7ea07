//! The binary as a stranger meets it: as a process, by its exit codes, its words and its answers.
#![allow(clippy::unwrap_used)]

mod backup;
mod configuration;
mod keys;
mod people;
mod process;
mod proof;
mod reference;
mod server;
mod usage;
