//! Notices: what a buyer is told, and over which channel.
//!
//! ```text
//!   journal, durable ──▶ events (table) ──▶ letters, kept in a file ──▶ template ──▶ channel
//!                                               │      ▲ later, the same key │ no
//!                                               └──────┴─── too often: dead, until an operator says retry
//! ```
//!
//! What is to be told follows from the journal alone, so nothing is told that is not durable and nothing is forgotten. A
//! letter's key is made of sale, position and event: whoever gets it twice sees that. How a buyer wants to hear of things is
//! asked of the vault each time, and never kept here. Who puts an
//! older file of letters in place has them delivered again, under the same keys; without one they begin where the journals
//! end. Nothing here can hold a sale up.

mod channel;
mod event;
mod follow;
mod keep;
mod mail;
mod run;
mod settings;
mod template;
mod wish;

pub use channel::{Channel, ChannelError, Message};
pub use event::Event;
pub use keep::Letter;
pub(crate) use run::Parts as NoticeParts;
pub use run::{Notices, NoticesHandle};
pub use settings::{ChannelName, Locale, MailTls, Settings};
pub use template::{TemplateError, Templates};
