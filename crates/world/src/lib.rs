//! What Tidegate may ask of the outside, as contracts.
//!
//! The rest of Tidegate is deterministic as long as time, randomness and storage come through
//! this crate: production hands in the real doors, a test or a simulation hands in its own, and
//! the same code runs in both. Everything that is not reproducible lives here and nowhere else.
//!
//! ```text
//!   Clock    SystemClock, ManualClock         what time is it, how much time has passed
//!   Entropy  SystemEntropy, SeededEntropy     bytes nobody can guess / bytes everybody can repeat
//!   Disk     OsDisk, MemoryDisk, FaultyDisk   files, as a thing that can fail and be cut off
//!   Tasks    Machine                          what runs beside what, waits, and work that blocks
//!   Network  OsNetwork                        streams of bytes to others, which may never arrive
//!   Journal  (implemented by storage)         the record of a sale, with its conformance suite
//! ```
//!
//! Two modules are for tests and simulations alone: [`faults`], disks that fail, and [`mangle`], bytes
//! that went wrong.
//!
//! Start reading at [`journal`]: it is the contract on which every promise to a buyer rests.
//!
//! Invariant: a contract says when something is durable, and nothing here calls it durable earlier.
//!
//! Deliberately not here: implementations of [`journal::Journal`], anything that knows what a
//! sale is, and the scheduler, disk and network of the simulation, which live in `sim`.

pub mod clock;
pub mod disk;
pub mod entropy;
pub mod faults;
pub mod journal;
mod kind;
pub mod mangle;
pub mod network;
pub mod tasks;

pub use clock::{BootStamp, Clock, ManualClock, SystemClock};
pub use disk::{Disk, DiskFile, OsDisk};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use kind::ErrorKind;
pub use network::{Network, OsNetwork};
pub use tasks::Tasks;
