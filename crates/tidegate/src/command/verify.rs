//! `tidegate verify`: reads every journal from its first byte and says whether the books hold.

mod table;

use crate::failure::{FINDING, Failure};
use crate::outside::{Outside, storage_failure};
use crate::settings::Settings;
use crate::terminal::{self, Progress};
use anyhow::Context;
use api::{Code, Position, SaleId};
use drill::watch::Watcher;
use shop::verify::{Receipt, Report, Verdict, VerifyError};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

/// A file of receipts is a list of short lines.
const RECEIPTS_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Read every journal from its first byte and prove the books
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate verify --data shop-data
  tidegate verify --data shop-data --receipt 'sale_00001 42-0f3a…' --json

It takes no lock, changes nothing and may run beside a live server. Exit code 1: a finding.")]
pub(crate) struct Options {
    /// The data directory
    #[arg(long, value_name = "DIR", default_value_os_t = Settings::default().data)]
    data: PathBuf,
    /// A receipt that a client was given, as in the header Tidegate-Position; may be repeated
    #[arg(long = "receipt", value_name = "SALE POSITION", value_parser = receipt)]
    receipts: Vec<Receipt>,
    /// A file with one receipt on each line
    #[arg(long = "receipts", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Verifies.
    ///
    /// # Errors
    /// There is no data directory, or it cannot be read.
    pub(crate) fn run(mut self) -> anyhow::Result<ExitCode> {
        self.read_receipts()?;
        let report = self.verify().map_err(|error| explained(&error))?;
        if self.json {
            terminal::print_json(&report)?;
        } else {
            terminal::print(&table::of(&report))?;
        }
        Ok(match report.verdict {
            Verdict::Ok => ExitCode::SUCCESS,
            Verdict::Finding => ExitCode::from(FINDING),
        })
    }

    fn verify(&self) -> Result<Report, VerifyError> {
        let progress = Progress::begin();
        progress.stage("reading journals, bytes");
        let disk = Outside::real().disk;
        shop::verify::verify(&disk, &self.data, &self.receipts, &mut |step| {
            progress.progress(step.bytes, step.bytes_total);
        })
    }

    fn read_receipts(&mut self) -> anyhow::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let cannot = || format!("cannot read {}", file.display());
        if std::fs::metadata(file).with_context(cannot)?.len() > RECEIPTS_BYTES_MAX {
            anyhow::bail!(
                "{} is larger than {RECEIPTS_BYTES_MAX} bytes",
                file.display()
            );
        }
        let text = std::fs::read_to_string(file).with_context(cannot)?;
        for (place, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let read = receipt(line).map_err(|error| {
                let what = format!("{}, line {}: {error}", file.display(), place + 1);
                Failure::new(
                    Code::BadConfiguration,
                    what,
                    "write one receipt on each line",
                )
            });
            self.receipts.push(read?);
        }
        Ok(())
    }
}

/// Reads `sale_… 42-…`, as the header says it; a colon between the two is fine too.
fn receipt(text: &str) -> Result<Receipt, String> {
    let parts = text.trim().split_once([' ', ':']);
    let (sale, position) =
        parts.ok_or("a receipt is a sale and a position, like `sale_00001 42-0f3a…`")?;
    let sale = SaleId::from_str(sale).map_err(|error| error.to_string())?;
    let position = Position::from_str(position.trim()).map_err(|error| error.to_string())?;
    Ok(Receipt { sale, position })
}

/// Why nothing can be said, and what to do about it.
pub(super) fn explained(error: &VerifyError) -> Failure {
    match error {
        VerifyError::Storage(error) => storage_failure(error),
        VerifyError::Journal(_) => {
            let mend = "look at the disk: rights, and the system's log";
            let source =
                std::error::Error::source(error).map(|source| format!("because: {source}"));
            Failure::new(Code::NotWritable, error, mend).with_details(source.into_iter().collect())
        }
    }
}
