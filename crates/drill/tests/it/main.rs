//! Integration tests of the drill, against small servers of their own.

mod client;
mod fuzz;
mod replay;
mod shelf;
