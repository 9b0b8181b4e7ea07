//! `tidegate rebuild`: builds the read models anew from the journals.

use crate::outside::Outside;
use crate::settings::Settings;
use crate::terminal::{self, Progress};
use drill::watch::Watcher;
use serde::Serialize;
use shop::projector;
use std::path::PathBuf;
use std::process::ExitCode;

/// Build the read models anew from the journals
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate rebuild --data shop-data

The server must be stopped: the data directory is locked meanwhile. Lists and histories come from the read
models; they can be thrown away at any time, the journals are the record.")]
pub(crate) struct Options {
    /// The data directory
    #[arg(long, value_name = "DIR", default_value_os_t = Settings::default().data)]
    data: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// What was built.
#[derive(Debug, Serialize)]
struct Report {
    sales: u64,
    batches: u64,
    elapsed_s: f64,
}

impl Options {
    /// Rebuilds.
    ///
    /// # Errors
    /// `TG-4001` while a server has the directory; a journal cannot be read, or the models not be written.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let outside = Outside::real();
        let begun = outside.clock.monotonic();
        // A mistyped path is said, not made into a data directory.
        storage::DataDir::inspect(&outside.disk, &self.data)
            .map_err(|error| crate::outside::storage_failure(&error))?;
        let data = outside.open(&self.data)?;
        let progress = Progress::begin();
        progress.stage("building read models, bytes of journals");
        let settings = projector::Settings::default();
        let built = projector::rebuild(&outside.disk, &data, &settings, &mut |step| {
            progress.progress(step.bytes, step.bytes_total);
        })?;
        drop(progress);
        let elapsed_s = outside
            .clock
            .monotonic()
            .saturating_sub(begun)
            .as_secs_f64();
        let report = Report {
            sales: built.sales,
            batches: built.batches,
            elapsed_s,
        };
        if self.json {
            terminal::print_json(&report)?;
        } else {
            terminal::print(&format!(
                "built the read models of {} sales from {} batches in {elapsed_s:.1} s\n",
                report.sales, report.batches
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
