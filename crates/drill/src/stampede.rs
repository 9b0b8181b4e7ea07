//! A stampede: thousands of buyers with habits, a real server that is killed under load, and the proof afterwards.
//!
//! The buyers speak HTTP and remember everything that they were told. When all have gone home the server is stopped, and
//! three accounts are held against one another: the buyers' memories, the journal as an auditor reads it, and the
//! payment provider's own ledger.

mod buyer;
mod child;
mod crowd;
mod disk;
mod door;
mod fault;
mod lists;
mod memory;
mod outcome;
mod plan;
mod probe;
mod report;
mod sampler;
mod scenario;
mod settings;
mod settle;
mod strike;
mod tally;
mod verify;

pub use fault::{Fault, Storm, UnknownFault};
pub use outcome::{Outage, Outcome, StormSummary, Summary};
pub use scenario::{Scenario, UnknownScenario};
pub use settings::{Settings, SettingsError};

use crate::audit::AuditReport;
use crate::watch::Watcher;
use api::provider::ProviderLedger;
use std::ffi::OsString;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Makes a token for a buyer's pseudonym.
pub type TokenMaker = Box<dyn Fn(&str) -> String + Send + Sync>;
/// Reads the journals of a stopped server.
pub type Auditor = Box<dyn Fn(&Path) -> Result<AuditReport, String> + Send + Sync>;

/// What a stampede needs from whoever knows servers, secrets and journals.
pub struct Tools {
    /// The program.
    pub exe: PathBuf,
    /// Its whole command line: serves on `public` with `data`, takes `merchant_key`, and charges at a provider whose
    /// ledger is `provider`.
    pub arguments: Vec<OsString>,
    /// The data directory, new and empty but for the key.
    pub data: PathBuf,
    /// Where a file system is mounted that `data` lies on and that nobody else uses, to be filled, frozen and spoiled.
    pub disk: Option<PathBuf>,
    /// Where the server's output goes.
    pub log: PathBuf,
    /// The address that the server will listen on, the same after each start.
    pub public: SocketAddr,
    /// An API key with every scope.
    pub merchant_key: Arc<str>,
    /// Signs buyers' tokens with a secret that the server accepts; they last as long as the drill.
    pub buyer_token: TokenMaker,
    /// The provider's own ledger; it outlives every kill.
    pub provider: Arc<dyn ProviderLedger>,
    /// Reads the journals once the server has stopped.
    pub audit: Auditor,
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tools")
            .field("exe", &self.exe)
            .field("data", &self.data)
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// Why a stampede ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum StampedeError {
    /// A setting is out of bounds.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The server cannot be started or stopped.
    #[error("cannot run the server")]
    Spawn(#[source] std::io::Error),
    /// The server's output has no place.
    #[error("cannot write the server's log")]
    Log(#[source] std::io::Error),
    /// The server ended by itself.
    #[error("the server ended by itself with {0}")]
    Died(String),
    /// The server does not answer.
    #[error("the server does not answer within {} s", .0.as_secs())]
    NotReady(Duration),
    /// The server refuses what the drill cannot do without.
    #[error("cannot {what}: {answer}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// What it said.
        answer: String,
    },
    /// A fault of the disk could not be brought about or undone.
    #[error("the storm cannot reach the disk")]
    Disk(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A fault of the disk was asked for, and no disk was given for it.
    #[error("a storm on the disk of {} needs a file system of its own", .0.display())]
    NoDisk(PathBuf),
    /// The journals cannot be read.
    #[error("the journals cannot be read: {0}")]
    Audit(String),
    /// Somebody asked to stop.
    #[error("stopped before the end; the server's data is left in {}", .0.display())]
    Stopped(PathBuf),
    /// The histogram's bounds are wrong.
    #[error("cannot count times")]
    Histogram(#[from] hdrhistogram::CreationError),
}

/// Lets the crowd loose and verifies what is left.
///
/// Ends early, with the server stopped, when `stop` resolves.
///
/// # Errors
/// The server cannot be run or refuses to sell, or `stop` came first. What the oracles find is no error but part of the
/// outcome.
pub async fn run(
    settings: Settings,
    tools: &Tools,
    watcher: &dyn Watcher,
    stop: impl Future<Output = ()> + Send,
) -> Result<Outcome, StampedeError> {
    let settings = settings.checked()?;
    if settings.storm.needs_disk() && tools.disk.is_none() {
        return Err(StampedeError::NoDisk(tools.data.clone()));
    }
    let rehearsal = async {
        match settings.scenario {
            Scenario::Flash => crowd::rehearse(settings, tools, watcher).await,
            _ => scenario::rehearse(settings, tools, watcher).await,
        }
    };
    tokio::select! {
        outcome = rehearsal => outcome,
        // Dropping the rehearsal drops the server with it.
        () = stop => Err(StampedeError::Stopped(tools.data.clone())),
    }
}
