//! The Tidegate binary: the composition root and nothing else.
//!
//! Why it exists: somebody has to read the command line and the environment, choose what stands behind each contract,
//! and put the rooms together. That happens here and nowhere below.
//!
//! ```text
//!   command line ──▶ command::{serve, drill, replay, …} ──▶ Server = storage + shop + edge
//!   file, environment, flags ──▶ Settings ────────────────────┘
//! ```
//!
//! Start with [`command`], then [`settings`].
//!
//! Invariant: exit code 0 is fine, 1 a finding in the data or the drill, 2 a command that could not be done as asked.
//!
//! Not here: any rule about a sale, any route, any byte on disk.

mod audit;
mod command;
mod demo;
mod failure;
mod interrupt;
mod outside;
mod reload;
mod remote;
mod rules;
mod scratch;
mod server;
mod settings;
mod terminal;

use clap::Parser;
use std::process::ExitCode;

/// Many threads make and drop what each request needs; this allocator holds up under that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match command::Line::parse().run() {
        Ok(code) => code,
        Err(error) => failure::tell(&error),
    }
}
