//! Rehearsals: crowds that behave like people, replay of recorded sales, and what both prove.
//!
//! Why it exists: a sale that was never rehearsed is rehearsed by its buyers. This crate lets a crowd loose on a real
//! server over HTTP, kills the server in the middle, and then holds the books against everything that anybody was
//! told. It replays real order histories the same way, and carries the textbook rival that the figures are held
//! against.
//!
//! ```text
//!   stampede ─┐                                   ┌─ what every client was told
//!   replay   ─┼─ client ──HTTP──▶ tidegate serve ─┼─ the journal (audit)
//!   benches  ─┘                                   └─ the provider's own ledger
//! ```
//!
//! Start with [`stampede::run`] and [`replay::run`].
//!
//! Invariant: a verdict is `ok` only if every oracle was asked and none disagreed.
//!
//! Not here: how orders are decided or stored (this crate never names `shop`, `edge` or `storage`: it sees what a
//! client sees, and an audit that the binary hands in), the command line, and progress bars.

pub mod audit;
mod chance;
pub mod client;
pub mod machine;
mod plot;
mod problem;
pub mod replay;
pub mod stampede;
pub mod watch;
