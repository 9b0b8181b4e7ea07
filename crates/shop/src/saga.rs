//! The runner of sagas: makes the attempts that the books have on record, and brings back what became of them.
//!
//! ```text
//!   desk ──a batch is durable──▶ wakes ──▶ runner ──asks the book──▶ attempts under way
//!     ▲                                       │ one at a time for each step, each within its time
//!     └── what the participant said ◀── participant ◀── status first, when it may have been asked before
//! ```
//!
//! Nothing that is held here is needed to be right: which step is tried when, under which key and how often is in the
//! book. After a crash the runner finds what was under way in the books, and asks before it acts.

mod http;
mod inside;
mod participant;
mod run;
mod settings;
mod wakes;

pub use http::HttpParticipant;
pub use participant::{Asking, Heard, Participant, StepAsk};
pub use run::Runner;
pub use settings::{Choice, Hidden, Settings, SettingsError};
pub(crate) use wakes::Wakes;
