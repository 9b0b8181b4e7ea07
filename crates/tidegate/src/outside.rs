//! The outside that this process runs on: the real disk, clock and randomness, chosen here and nowhere below.

use crate::failure::Failure;
use crate::settings::Settings;
use api::Code;
use edge::identity::{Bytes, Fetch, FetchError, Fetching, PlainFetch};
use shop::provider::Line;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use storage::{DataDir, StorageError};
use telemetry::Telemetry;
use telemetry::log::LogGuard;
use tokio::runtime::{Builder, Runtime};
use world::{Clock, Disk, Entropy, Network, OsDisk, OsNetwork, SystemClock, SystemEntropy, Tasks};

/// What the rooms are given.
#[derive(Debug, Clone)]
pub(crate) struct Outside {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) tasks: Tasks,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) telemetry: Telemetry,
}

impl Outside {
    /// The machine itself.
    pub(crate) fn real() -> Self {
        Self {
            disk: Arc::new(OsDisk),
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy),
            tasks: Tasks::of_the_machine(),
            network: Arc::new(OsNetwork),
            telemetry: Telemetry::new(),
        }
    }

    /// What calls to others go over.
    pub(crate) fn line(&self) -> Line {
        Line {
            network: Arc::clone(&self.network),
            tasks: self.tasks.clone(),
        }
    }

    /// What gets the published keys of issuers: over HTTP, and from files.
    pub(crate) fn fetch(&self) -> Arc<dyn Fetch> {
        Arc::new(Documents {
            plain: PlainFetch::new(Arc::clone(&self.network), self.tasks.clone()),
            tasks: self.tasks.clone(),
        })
    }

    /// Starts the log of the process.
    ///
    /// # Errors
    /// The levels cannot be read.
    pub(crate) fn log(&self, settings: &Settings) -> anyhow::Result<LogGuard> {
        let log = &settings.log;
        Ok(telemetry::log::start(
            log,
            Arc::clone(&self.clock),
            self.telemetry.clone(),
        )?)
    }

    /// Takes the data directory, or makes it.
    ///
    /// # Errors
    /// `TG-4001`, `TG-4002`, `TG-4005`, `TG-4006`.
    pub(crate) fn open(&self, root: &Path) -> Result<Arc<DataDir>, Failure> {
        let opened = DataDir::open(&self.disk, root, std::process::id());
        opened
            .map(Arc::new)
            .map_err(|error| storage_failure(&error))
    }

    /// Sixteen random characters, for names that must not meet.
    pub(crate) fn name(&self) -> String {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes);
        format!("{:016x}", u64::from_le_bytes(bytes))
    }
}

/// Documents of at most 256 KiB, as an issuer's keys are.
const DOCUMENT_BYTES_MAX: u64 = 256 * 1024;

/// Gets documents over HTTP and from files.
struct Documents {
    plain: PlainFetch,
    tasks: Tasks,
}

impl Fetch for Documents {
    fn fetch(&self, url: &str) -> Fetching<'_> {
        let Some(path) = url.strip_prefix("file://") else {
            return self.plain.fetch(url);
        };
        let path = path.to_owned();
        Box::pin(async move {
            let read = self.tasks.blocking(move || document(Path::new(&path)));
            read.await.map_err(|_| FetchError::Unreachable)?
        })
    }
}

fn document(path: &Path) -> Result<Bytes, FetchError> {
    let refused = |error: std::io::Error| FetchError::Refused(error.to_string());
    if std::fs::metadata(path).map_err(refused)?.len() > DOCUMENT_BYTES_MAX {
        return Err(FetchError::TooLarge);
    }
    std::fs::read(path).map(Bytes::from).map_err(refused)
}

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// A runtime with one worker for each core.
///
/// # Errors
/// The operating system gives no threads.
pub(crate) fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(cores())
        .thread_name("tidegate")
        .enable_all()
        .build()
}

/// What went wrong with a data directory, and what to do about it.
pub(crate) fn storage_failure(error: &StorageError) -> Failure {
    let (code, mend) = match error {
        StorageError::Locked { .. } => (
            Code::Locked,
            "stop that process, ask it over HTTP (--url), or give another directory (--data)",
        ),
        StorageError::ReadOnly { .. } => (
            Code::NotWritable,
            "give this user the right to write there, or give another directory (--data)",
        ),
        StorageError::Missing { .. } => {
            (Code::MissingFile, "give the directory of a server (--data)")
        }
        StorageError::Unfinished { .. } => (
            Code::Incomplete,
            "delete it and run `tidegate restore` again, or give another directory (--data)",
        ),
        StorageError::Foreign { .. } => (
            Code::BadConfiguration,
            "give an empty or a new directory (--data); nothing in this one was touched",
        ),
        StorageError::Version { .. } => (
            Code::FormatVersion,
            "use the version of Tidegate that wrote it, or a newer one",
        ),
        StorageError::Damaged { .. } => (
            Code::Damaged,
            "keep a copy, then restore the file from a backup; `tidegate verify` shows what still holds",
        ),
        StorageError::Io { .. } | StorageError::TooLarge { .. } => (
            Code::NotWritable,
            "look at the disk: space, rights, and the system's log",
        ),
    };
    let source = std::error::Error::source(error).map(|source| format!("because: {source}"));
    Failure::new(code, error, mend).with_details(source.into_iter().collect())
}
