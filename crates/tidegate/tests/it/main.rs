//! The binary as a stranger meets it: as a process, by its exit codes, its words and its answers.
#![allow(clippy::unwrap_used)]

mod backup;
mod bank;
mod configuration;
mod demo;
mod keys;
mod limits;
#[path = "../../../shop/tests/it/mailbox.rs"]
mod mailbox;
mod notices;
#[allow(dead_code, reason = "it answers in more ways than are needed here")]
#[path = "../../../shop/tests/it/outsider.rs"]
mod outsider;
mod people;
mod process;
mod proof;
mod reference;
mod rest;
mod rules;
mod saga;
mod server;
mod usage;
