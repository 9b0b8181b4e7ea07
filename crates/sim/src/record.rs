//! What was asked, what was said, and what was found afterwards: everything that a judge gets to see.
//!
//! Nothing in here comes from the book. Calls are written down by the clients as they saw them; journals are read from
//! the disk, batch by batch; charges and refunds come from the provider's own ledger.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use api::order::Order;
use api::provider::{ProviderCharge, ProviderRefund};
use api::{Position, SaleId};
use storage::models::{TeamRow, TicketRow};
use world::journal::Batch;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The merchant, with an API key for everything.
    Merchant,
    /// A buyer, with a token of its own.
    Buyer(String),
    /// Nobody in particular: health, metrics, malformed requests.
    Anybody,
}

/// One request as its client saw it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which client: one client waits for each answer before it asks again.
    pub client: u32,
    /// In whose name.
    pub who: Who,
    /// HTTP method.
    pub method: &'static str,
    /// Path with query.
    pub path: String,
    /// The idempotency key.
    pub key: Option<String>,
    /// The JSON body, empty when there is none.
    pub body: String,
    /// World time when it was sent.
    pub asked_at: Duration,
    /// World time when its outcome was seen.
    pub ended_at: Duration,
    /// What the client saw.
    pub outcome: Outcome,
}

/// What a client saw of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet: the life ended before.
    Open,
    /// No answer: the connection could not be made, broke, or the client gave up. What became of it is not known.
    Unheard(&'static str),
    /// An answer.
    Said(Said),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// HTTP status.
    pub status: u16,
    /// It said that the key was known and nothing was done again.
    pub repeated: bool,
    /// The receipt: the journal position that the answer stands on.
    pub position: Option<(SaleId, Position)>,
    /// The body.
    pub body: String,
}

impl Said {
    /// Whether it said yes.
    #[must_use]
    pub const fn is_yes(&self) -> bool {
        matches!(self.status, 200..300)
    }

    /// The code of a problem document, like `TG-2103`.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        let document: serde_json::Value = serde_json::from_str(&self.body).ok()?;
        Some(document.get("code")?.as_str()?.to_owned())
    }
}

/// How one run of the server ended, and what the next one found.
#[derive(Clone, Debug)]
pub struct Restart {
    /// World time.
    pub at: Duration,
    /// How it ended.
    pub ended: Ended,
    /// The next start refused, with this reason; `None` when it opened.
    pub refused: Option<String>,
}

/// How a run of the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// It was asked to stop, and drained.
    Drained,
    /// Its process was killed; the machine went on.
    Killed,
    /// The machine lost power.
    PowerLost,
}

/// Rows of the read models that no list shows whole.
#[derive(Clone, Debug, Default)]
pub struct Modelled {
    /// Teams, by their numbers.
    pub teams: Vec<TeamRow>,
    /// Places in the line, by their numbers.
    pub places: Vec<TicketRow>,
}

/// All that can be known of a life once it is over and everything has settled.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Every call, in the order in which they were sent.
    pub calls: Vec<Call>,
    /// Each sale's journal, read from the disk after the last stop.
    pub journals: BTreeMap<u32, Vec<Batch>>,
    /// The house journal, likewise.
    pub house: Vec<Batch>,
    /// The id of each journal by sale, the house journal's under 0: with it the hash of the first batch is judged too.
    pub journal_ids: BTreeMap<u32, [u8; 16]>,
    /// The provider's own ledger.
    pub charges: Vec<ProviderCharge>,
    /// The provider's own ledger.
    pub refunds: Vec<ProviderRefund>,
    /// All orders of each sale as the read models list them, caught up.
    pub listed: BTreeMap<u32, Vec<Order>>,
    /// Teams and places in line of each sale as the read models have them, caught up.
    pub modelled: BTreeMap<u32, Modelled>,
    /// Restarts in order.
    pub restarts: Vec<Restart>,
    /// Effects that no outcome is known of, after everything had time to heal, for each sale.
    pub open_effects: BTreeMap<u32, u64>,
    /// What `verify` said about the data afterwards; empty when it found nothing.
    pub verify: Vec<String>,
    /// What is wrong with a backup that was made in the middle.
    pub backup: Vec<String>,
    /// Doors that opened to forgers.
    pub broken_in: Vec<String>,
    /// Panics of any task.
    pub panics: Vec<String>,
    /// What did not come to an end although the faults were over.
    pub unhealed: Vec<String>,
    /// The life did not come to its end, so that nothing was read from the disk: only what was seen by then can be
    /// judged.
    pub cut_short: bool,
    /// The disk lost what it had called durable: then nothing is expected but that it is noticed.
    pub disk_lied: bool,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Which: `INV-7`, or a word for a promise without a number.
    pub promise: &'static str,
    /// What was seen, so that a person can look it up.
    pub what: String,
}

impl Finding {
    /// A broken promise.
    #[must_use]
    pub fn new(promise: &'static str, what: impl Into<String>) -> Self {
        Self {
            promise,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.what)
    }
}
