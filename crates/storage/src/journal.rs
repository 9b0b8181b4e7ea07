//! The segmented journal: group commit into zero-filled files, a chain over everything.
//!
//! ```text
//!   recover ──▶ Recovery ──▶ Log ──▶ FileJournal    a thread that writes and syncs
//!   (reads)     (findings)   (core)  InlineJournal  the same core without a thread
//!
//!   read_dir ──▶ reader for another process, beside a live owner, without the lock
//! ```
//!
//! A segment names the last batch of its predecessor and where it ends; what lies behind that place
//! in the predecessor is never read again. So torn tails and failed appends are left behind without
//! rewriting an old file, and the record says itself which bytes belong to it.

mod copying;
mod damage;
mod driver;
mod frame;
pub(crate) mod header;
mod inline;
mod log;
mod prepare;
mod reader;
mod recover;
mod scan;
mod segments;
mod settings;
mod shared;
mod tail;
mod tails;
mod walker;
mod window;

pub(crate) use copying::{Kept, KeptReader, Next, Piece, SegmentWriter, Source};
pub use driver::FileJournal;
pub use frame::chain_after;
pub(crate) use header::VERSION as SEGMENT_VERSION;
pub use inline::InlineJournal;
pub use log::Log;
pub use prepare::{Prepared, prepare};
pub use reader::read_dir;
pub use recover::{RecoverError, Recovery, recover};
pub(crate) use segments::file_name as segment_name;
pub use settings::{Doors, JournalSettings};
pub use tails::TornTail;
