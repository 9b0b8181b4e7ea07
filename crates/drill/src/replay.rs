//! Replays a recorded order history through the public door, in order of time, as fast as it goes.
//!
//! An invoice is an order and its number the idempotency key; a `C` invoice gives units back, matched to earlier
//! purchases of that customer and item, newest first; other lines below zero are write-offs; what cannot be booked is
//! rejected with its row and the reason. A naive shop ([`Forecast`]) says beforehand what must happen; the real one is
//! held against it line by line, and against its own book afterwards.

mod book;
mod door;
mod driver;
mod file;
mod forecast;
mod history;
mod sample;
mod share;
mod summary;
mod target;

pub use door::DoorTarget;
pub use file::{BYTES_MAX, ROWS_MAX, Rejection, Row};
pub use forecast::{Forecast, Match, ReturnedLine};
pub use history::{History, Invoice, Item, Line};
pub use sample::{Sample, write_sample};
pub use share::{ShareError, StockShare};
pub use summary::{Buckets, Outcome, Summary};
pub use target::{ReplayTarget, Told};

use crate::client::ClientError;
use crate::watch::Watcher;
use std::path::{Path, PathBuf};
use world::Clock;

/// Why a replay ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("cannot read {0}")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// The file is no order history.
    #[error("the file has no column {0}")]
    ColumnMissing(&'static str),
    /// The file is too long.
    #[error("the file has more than {0} rows")]
    TooManyRows(u32),
    /// The file is too large.
    #[error("the file has more than {0} bytes when unpacked")]
    TooManyBytes(u64),
    /// One sale cannot sell so many items.
    #[error("the file has {0} items, more than one sale may have")]
    TooManyItems(usize),
    /// One item has more units than a sale may hold.
    #[error("too much stock of item {0}")]
    TooMuchStock(Box<str>),
    /// The server cannot be reached, however often it is tried.
    #[error("the server does not answer")]
    Unreachable(#[source] ClientError),
    /// The server refuses what the replay cannot do without.
    #[error("the server refuses to {what}: {status} {answer}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// HTTP status.
        status: u16,
        /// The answer's body.
        answer: String,
    },
    /// The server's answer is not what the contract says.
    #[error("the server's answer cannot be read")]
    Answer(#[source] serde_json::Error),
    /// The server says nothing about an order of a batch.
    #[error("the server answered {answered} of {asked} orders of a batch")]
    AnswerMissing {
        /// Orders asked.
        asked: usize,
        /// Orders answered.
        answered: usize,
    },
}

/// Replays the file against the target and holds the two against one another.
///
/// # Errors
/// The file cannot be read, or the server cannot be reached or refuses what the replay cannot do without. That
/// single rows cannot be booked is no error but part of the outcome.
pub async fn run<T: ReplayTarget>(
    file: &Path,
    share: StockShare,
    target: &mut T,
    clock: &dyn Clock,
    watcher: &dyn Watcher,
) -> Result<Outcome, ReplayError> {
    watcher.stage("reading the history");
    let history = History::read(file)?;
    let mut driver = driver::Driver::begin(&history, share, target, clock, watcher).await?;
    driver.replay().await?;
    let done = driver.finish();
    watcher.stage("holding the book against the file");
    let problems = book::compare(&history, &done, target, watcher).await?;
    Ok(summary::sum_up(&history, done, problems))
}
