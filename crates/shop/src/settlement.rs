//! A provider's settlement file against the journals: what the provider says it moved, row by row.
//!
//! Three kinds of files are known by their header: our own (also what the sandbox writes), Stripe's balance export, and
//! WeChat Pay's trade bill (交易账单). The file is read as a stream; of the journals each charge and refund whose money
//! moved is kept as a few bytes, so a file of any size may be held against a shop of any size that fits into memory.
//!
//! What may differ is named: a row that the journals do not know (*extra*), money of the journals that no row knows, in
//! the time that the file is about (*missing*), and a row with another amount or currency (*different*). A row that
//! cannot be read is named with its line and is a finding too.

mod expected;
mod formats;
mod rows;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use api::{PaymentId, RefundId};
use serde::Serialize;
use storage::StorageError;
use world::Disk;
use world::journal::JournalError;

pub use formats::Format;

use expected::{Expected, Money};
use rows::{BadRow, Row, Rows};

/// Findings of one kind that are told; all are counted.
const TOLD_MAX: usize = 100;

/// What money moved under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A charge.
    Charge(PaymentId),
    /// A refund.
    Refund(RefundId),
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Charge(key) => key.fmt(f),
            Self::Refund(key) => key.fmt(f),
        }
    }
}

/// Which rows and moments count.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Money moved at this time or later, Unix milliseconds; by default from the first row's time on.
    pub from_ms: Option<u64>,
    /// Money moved before this time; by default until the last row's time.
    pub until_ms: Option<u64>,
}

/// Why no comparison can be made.
#[derive(Debug, thiserror::Error)]
pub enum SettlementError {
    /// The file's first line is none of the headers that are known.
    #[error("line 1: this is none of the known settlement files; its columns are: {0}")]
    Header(String),
    /// The file cannot be read.
    #[error("line {line}: {what}")]
    Unreadable {
        /// Where.
        line: u64,
        /// Why.
        what: String,
    },
    /// The file has more rows than may be compared.
    #[error("the file has more than {0} rows")]
    TooLong(u64),
    /// The data directory cannot be looked into.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A journal's entries make no book.
    #[error("sale {sale}: {what}")]
    Book {
        /// Which.
        sale: u32,
        /// Why.
        what: String,
    },
}

impl SettlementError {
    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> world::ErrorKind {
        match self {
            Self::Header(_) | Self::Unreadable { .. } | Self::TooLong(_) => world::ErrorKind::Fix,
            Self::Storage(error) => error.kind(),
            Self::Journal(error) => error.kind(),
            Self::Book { .. } => world::ErrorKind::Corrupt,
        }
    }
}

/// A finding of one kind, told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Line of the file, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What is wrong.
    pub detail: String,
}

/// Findings of one kind: all counted, the first hundred told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// How many.
    pub total: u64,
    /// The first.
    pub first: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, line: Option<u64>, detail: impl FnOnce() -> String) {
        self.total += 1;
        if self.first.len() < TOLD_MAX {
            let detail = detail();
            self.first.push(Finding { line, detail });
        }
    }
}

/// What came out.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether nothing was found.
    pub ok: bool,
    /// The kind of file.
    pub format: Format,
    /// Rows about money that moved.
    pub rows: u64,
    /// Rows about other things: fees, payouts, other programs' orders.
    pub rows_passed_over: u64,
    /// Rows that say what the journals say.
    pub matched: u64,
    /// Money of the journals that no row knows.
    pub missing: Findings,
    /// Rows that the journals do not know.
    pub extra: Findings,
    /// Rows with another amount or currency, or a second row for the same money.
    pub different: Findings,
    /// Rows that cannot be read.
    pub unreadable: Findings,
}

/// Holds a settlement file against a data directory, beside a live server if there is one.
///
/// # Errors
/// [`SettlementError`]; what differs is in the report.
pub fn reconcile(
    file: &mut dyn Read,
    house: &str,
    window: &Window,
    disk: &Arc<dyn Disk>,
    root: &Path,
) -> Result<Report, SettlementError> {
    let rows = Rows::begin(file, house)?;
    let expected = expected::read(disk, root)?;
    Comparison::new(rows.format(), expected).run(rows, window)
}

/// A comparison under way.
struct Comparison {
    expected: BTreeMap<Key, Money>,
    seen: BTreeMap<Key, u64>,
    /// The first and last time that a row names.
    times: Option<(u64, u64)>,
    report: Report,
}

impl Comparison {
    fn new(format: Format, expected: Expected) -> Self {
        let report = Report {
            ok: true,
            format,
            rows: 0,
            rows_passed_over: 0,
            matched: 0,
            missing: Findings::default(),
            extra: Findings::default(),
            different: Findings::default(),
            unreadable: Findings::default(),
        };
        Self {
            expected,
            seen: BTreeMap::new(),
            times: None,
            report,
        }
    }

    fn run(mut self, mut rows: Rows<'_>, window: &Window) -> Result<Report, SettlementError> {
        while let Some(row) = rows.next()? {
            match row {
                Ok(Some(row)) => self.row(&row),
                Ok(None) => self.report.rows_passed_over += 1,
                Err(BadRow { line, what }) => self.report.unreadable.add(Some(line), || what),
            }
        }
        self.missing(window);
        let report = &mut self.report;
        let kinds = [
            &report.missing,
            &report.extra,
            &report.different,
            &report.unreadable,
        ];
        report.ok = kinds.iter().all(|findings| findings.total == 0);
        Ok(self.report)
    }

    fn row(&mut self, row: &Row) {
        self.report.rows += 1;
        if let Some(at) = row.at_ms {
            let (first, last) = self.times.unwrap_or((at, at));
            self.times = Some((first.min(at), last.max(at)));
        }
        let (key, line) = (row.key, Some(row.line));
        if let Some(before) = self.seen.insert(key, row.line) {
            let what = || format!("{key} stands in line {before} already");
            return self.report.different.add(line, what);
        }
        let Some(money) = self.expected.get(&key) else {
            let (amount, currency) = (row.amount_minor, &row.currency);
            let what = || format!("{key}: {amount} {currency} that no journal knows of");
            return self.report.extra.add(line, what);
        };
        if money.amount_minor == row.amount_minor && *money.currency == *row.currency {
            self.report.matched += 1;
            return;
        }
        self.report.different.add(line, || {
            format!(
                "{key}: {} {} in the file, {} {} in the journal",
                row.amount_minor, row.currency, money.amount_minor, money.currency
            )
        });
    }

    /// What moved in the time that the file is about, and no row knows.
    fn missing(&mut self, window: &Window) {
        let from = window.from_ms.or(self.times.map(|(first, _)| first));
        let until = window.until_ms.or(self.times.map(|(_, last)| last + 1));
        let within =
            |at: u64| from.is_none_or(|from| at >= from) && until.is_none_or(|until| at < until);
        for (key, money) in &self.expected {
            if within(money.at_ms) && !self.seen.contains_key(key) {
                self.report.missing.add(None, || {
                    let (amount, currency) = (money.amount_minor, &money.currency);
                    format!("{key}: {amount} {currency} that the file does not know of")
                });
            }
        }
    }
}
