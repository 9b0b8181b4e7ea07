//! Integration tests of the drill, against small servers of their own.

mod client;
mod replay;
mod shelf;
