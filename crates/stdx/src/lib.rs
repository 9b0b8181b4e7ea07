//! Batteries that the standard library lacks. No commerce, no runtime, no IO.
//!
//! Why it exists: a desk needs a queue that is emptied at one stroke, a book needs lists and indexes that grow without
//! a pause, and every room needs the same backoff and the same identifiers. Each part is one file and stands alone:
//! start with [`queue`] for the desk's front, [`chunks`] and [`index`] for the book's memory. [`mutants`] stands here only
//! because every room can name this one: it is the table of deliberate bugs that the simulation has to catch.
//!
//! Not here: anything that knows what a sale is, anything that reads a clock or draws a random number (callers hand
//! both in).

pub mod backoff;
pub mod base62;
pub mod chunks;
pub mod index;
pub mod mutants;
pub mod queue;
pub mod snowflake;
