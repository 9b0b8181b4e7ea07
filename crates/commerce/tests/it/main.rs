//! The book from outside: every interleaving of little, long runs of much, and its bytes.

#![allow(clippy::unwrap_used)]

mod against_model;
mod cel;
mod commands;
mod crash_points;
mod exhaustive;
mod golden;
mod late;
mod model;
mod payments;
mod sagas;
mod teams;
