//! `tidegate backup`: copies the data directory of a shop that may go on selling meanwhile.

use super::vault::failure as people_failure;
use crate::failure::Failure;
use crate::outside::{Outside, storage_failure};
use crate::settings::Settings;
use crate::terminal::{self, Progress};
use api::{Code, Position, SaleId, Time};
use drill::watch::Watcher;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use storage::backup::{BackedUp, BackupError, JournalCopy, Spot};
use world::journal::JournalError;

/// Copy the data directory of a shop, which may go on selling
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate backup --data shop-data --to backups/tuesday
  tidegate backup --data shop-data --to backups/nightly --json

It takes no lock and changes nothing in the data directory. What was acknowledged before it began is in it. Into a
directory with an earlier backup of the same shop only what is new is copied; cut off at any moment, the earlier one or
the new one is whole. Read models are not copied: they are built from the journals. Restore it with `tidegate restore`.")]
pub(crate) struct Options {
    /// The data directory
    #[arg(long, value_name = "DIR", default_value_os_t = Settings::default().data)]
    data: PathBuf,
    /// Where the backup goes: a new or empty directory, or one with an earlier backup of this shop
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// What was backed up.
#[derive(Debug, Serialize)]
struct Report {
    begun: Time,
    ended: Time,
    house: Option<Position>,
    sales: Vec<SaleReport>,
    bytes_written: u64,
    bytes_kept: u64,
    snapshots: u64,
    snapshots_skipped: Vec<String>,
    /// Whether personal data are in it, locked with the master key.
    vault: bool,
    elapsed_s: f64,
}

#[derive(Debug, Serialize)]
struct SaleReport {
    sale: Option<SaleId>,
    position: Position,
    time: Time,
    bytes: u64,
}

impl Options {
    /// Backs up.
    ///
    /// # Errors
    /// `TG-4001` while another backup goes to the same place; `TG-4002`, `TG-4003`, `TG-4005` to `TG-4007`, `TG-4010`;
    /// `TG-4004` if something else is there.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let outside = Outside::real();
        let begun = outside.clock.monotonic();
        let progress = Progress::begin();
        progress.stage("copying journals, bytes");
        let disk = &outside.disk;
        let from = Spot {
            disk,
            dir: &self.data,
        };
        let to = Spot {
            disk,
            dir: &self.to,
        };
        let pid = std::process::id();
        let done = storage::backup::back_up(from, to, &*outside.clock, pid, &mut |step| {
            progress.progress(step.bytes, step.bytes_total);
        })
        .map_err(|error| explained(&error))?;
        // After the house journal: whoever was erased in between is in neither, or on the list that each start goes
        // through.
        let vault = storage::vault::copy(&self.data, &self.to);
        let vault = vault.map_err(vault_failure)?;
        storage::backup::copy_marks(from, to).map_err(|error| explained(&error))?;
        drop(progress);
        let elapsed = outside.clock.monotonic().saturating_sub(begun);
        let mut report = Report::new(&done, elapsed.as_secs_f64());
        report.vault = vault;
        if self.json {
            terminal::print_json(&report)?;
        } else {
            terminal::print(&self.told(&report))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn told(&self, report: &Report) -> String {
        let mut text = format!(
            "backed up the house and {} sales into {} in {:.1} s: {} bytes written, {} were there already\n",
            report.sales.len(),
            self.to.display(),
            report.elapsed_s,
            report.bytes_written,
            report.bytes_kept
        );
        for sale in &report.sales {
            let name = sale.sale.map(|sale| sale.to_string()).unwrap_or_default();
            text.push_str(&format!("  {name}  {}  {}\n", sale.position, sale.time));
        }
        if report.vault {
            text.push_str(
                "  the vault with personal data, locked; keep `tidegate vault erased` beside it\n",
            );
        }
        for skipped in &report.snapshots_skipped {
            text.push_str(&format!(
                "  left out a snapshot that cannot be trusted: {skipped}\n"
            ));
        }
        text
    }
}

impl Report {
    fn new(done: &BackedUp, elapsed_s: f64) -> Self {
        let manifest = &done.manifest;
        let position = |copy: &JournalCopy| Position::new(copy.batch, &copy.chain.0);
        let sale = |copy: &JournalCopy| {
            let number = u32::try_from(copy.sale?).ok()?;
            Some(SaleReport {
                sale: SaleId::new(number),
                position: position(copy),
                time: Time::from_ms(copy.time_ms),
                bytes: copy.bytes,
            })
        };
        let snapshots = manifest
            .journals
            .iter()
            .map(|copy| copy.snapshots.len() as u64);
        let skipped = done.skipped.iter();
        Self {
            begun: Time::from_ms(manifest.begun_ms),
            ended: Time::from_ms(manifest.ended_ms),
            house: manifest.journal(None).map(position),
            sales: manifest.journals.iter().filter_map(sale).collect(),
            bytes_written: done.bytes_written,
            bytes_kept: done.bytes_kept,
            snapshots: snapshots.sum(),
            snapshots_skipped: skipped
                .map(|skipped| format!("{}: {}", skipped.path.display(), skipped.reason))
                .collect(),
            vault: false,
            elapsed_s,
        }
    }
}

/// What went wrong with the vault's copy.
pub(super) fn vault_failure(error: storage::vault::VaultError) -> Failure {
    people_failure(&error.into())
}

/// What went wrong with a backup or a restore, and what to do about it.
pub(super) fn explained(error: &BackupError) -> Failure {
    let (code, mend) = match error {
        BackupError::Storage(error) => return storage_failure(error),
        BackupError::Journal(cause) => of_journal(cause),
        BackupError::NoBackup { .. } => (
            Code::MissingFile,
            "give a directory that `tidegate backup` wrote",
        ),
        BackupError::Incomplete { .. } => (
            Code::Incomplete,
            "back up into it once more, or use another backup",
        ),
        BackupError::NotEmpty { .. } => (
            Code::BadConfiguration,
            "give an empty or a new directory; nothing in this one was touched",
        ),
        BackupError::Ahead { .. } => (
            Code::BackupAhead,
            "find out what the shop has lost before anything else; back up into a new directory, and keep this one",
        ),
        BackupError::NotThere { .. } => (
            Code::NotInBackup,
            "look at what it has with `tidegate restore --from BACKUP --check`",
        ),
    };
    let source = std::error::Error::source(error).map(|source| format!("because: {source}"));
    Failure::new(code, error, mend).with_details(source.into_iter().collect())
}

fn of_journal(cause: &JournalError) -> (Code, &'static str) {
    match cause {
        JournalError::Damaged { .. } => (
            Code::Damaged,
            "the message says where; `tidegate verify` shows what still holds",
        ),
        JournalError::Lost { .. } => (Code::Lost, "find the missing segments first"),
        JournalError::Version { .. } => (
            Code::FormatVersion,
            "use the version of Tidegate that wrote it, or a newer one",
        ),
        _ => (
            Code::NotWritable,
            "look at the disk: space, rights, and the system's log",
        ),
    }
}
