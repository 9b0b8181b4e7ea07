//! The outside that this process runs on: the real disk, clock and randomness, chosen here and nowhere below.

use crate::failure::Failure;
use crate::settings::Settings;
use api::Code;
use edge::identity::{Bytes, Fetch, FetchError, Fetching, PlainFetch};
use shop::provider::{Documents as Secure, Line, ProviderError, Tls};
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
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

    /// What gets the published keys of issuers: over TLS, over plain HTTP, and from files. Believed is whom a provider's
    /// client believes.
    ///
    /// # Errors
    /// `TG-5001`: TLS cannot be set up.
    pub(crate) fn fetch(&self) -> Result<Arc<dyn Fetch>, Failure> {
        let tls = Tls::of_the_web(&self.clock).map_err(|error| {
            Failure::new(Code::Internal, error, "report it; no option changes this")
        })?;
        Ok(Arc::new(self.documents(tls)))
    }

    fn documents(&self, tls: Tls) -> Documents {
        Documents {
            plain: PlainFetch::new(Arc::clone(&self.network), self.tasks.clone()),
            secure: Secure::new(&self.line(), tls, DOCUMENT_TIME),
            tasks: self.tasks.clone(),
        }
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
/// For a whole document over TLS; the door gives up after as long.
const DOCUMENT_TIME: Duration = Duration::from_secs(5);

/// Gets documents over HTTP, with TLS or without, and from files.
struct Documents {
    plain: PlainFetch,
    secure: Secure,
    tasks: Tasks,
}

impl Fetch for Documents {
    fn fetch(&self, url: &str) -> Fetching<'_> {
        if url.starts_with("https://") {
            let url = url.to_owned();
            return Box::pin(async move { self.secure.get(&url).await.map_err(|e| not_had(&e)) });
        }
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

/// Why a document could not be had over TLS. Whose certificate is not believed is said, so that people find out.
fn not_had(error: &ProviderError) -> FetchError {
    match error {
        ProviderError::Timeout => FetchError::TooSlow,
        ProviderError::Unavailable(status) => FetchError::Refused(format!("answered {status}")),
        ProviderError::Unreachable(why) | ProviderError::Lost(why) => {
            FetchError::Refused(why.clone())
        }
        other => FetchError::Refused(other.to_string()),
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

#[cfg(test)]
mod tests;
