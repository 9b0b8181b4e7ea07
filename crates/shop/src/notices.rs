//! Notices: what a buyer is told, and over which channel.
//!
//! ```text
//!   journal, durable ──▶ events (table) ──▶ letters, kept in a file ──▶ template ──▶ channel
//!                                               │      ▲ later, the same key │ no
//!                                               └──────┴─── too often: dead, until an operator says retry
//! ```
//!
//! What is to be told follows from the journal alone, so nothing is told that is not durable and nothing is forgotten. A
//! letter's key is made of sale, position and event: whoever gets it twice sees that. The file of letters may be lost;
//! then letters are delivered again, under the same keys. Nothing here can hold a sale up.

mod channel;
mod event;
mod follow;
mod keep;
mod mail;
mod run;
mod settings;
mod template;

pub use channel::{Channel, ChannelError, Message};
pub use event::Event;
pub use keep::Letter;
pub(crate) use run::Parts as NoticeParts;
pub use run::{Notices, NoticesHandle};
pub use settings::{ChannelName, Locale, MailTls, Settings};
pub use template::{TemplateError, Templates};

/// How one buyer wants to hear of an event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preference {
    /// In which language; `None` for the shop's.
    pub locale: Option<Locale>,
    /// Over which channel; `None` for the shop's.
    pub channel: Option<ChannelName>,
    /// The address for mail, if one is known.
    pub mail: Option<String>,
    /// The buyer wants to hear nothing of it.
    pub silent: bool,
}

/// Knows how buyers want to hear of things.
pub trait Preferences: Send + Sync {
    /// What a buyer prefers for an event.
    fn of(&self, buyer: &str, event: Event) -> Preference;
}

/// Everybody hears everything as the settings say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Everybody;

impl Preferences for Everybody {
    fn of(&self, _buyer: &str, _event: Event) -> Preference {
        Preference::default()
    }
}
