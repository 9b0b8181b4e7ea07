//! The embedded engine: what Tidegate stores on when nobody gave it anything else.
//!
//! A sale's journal is its record, so this crate exists to make one promise cheap: what an append
//! has acknowledged is found again, or its absence is noticed and said.
//!
//! ```text
//!   DataDir            one directory, one process        lock, format version, layout
//!     └─ journal       00000001.journal, 00000002…       segments, each batch checked and chained
//!     └─ snapshot      snapshot-….snap                   only makes a start short
//!   vault              personal data, encrypted, outside of every journal
//!   backup             copies of all that beside a live owner, and the way back
//! ```
//!
//! Start reading at [`journal`]; the bytes are described in `docs/journal-format.md`.
//!
//! Invariant: bytes that were once durable in a segment are never written again.
//! Invariant: every file operation here goes through [`world::Disk`], so each can be failed.
//!
//! Deliberately not here: what the payloads mean, and any decision about when to write.

pub mod backup;
mod data_dir;
mod error;
mod files;
pub mod journal;
pub mod models;
pub mod snapshot;
pub mod vault;

pub use data_dir::DataDir;
pub use error::StorageError;
pub use files::replace_file;
