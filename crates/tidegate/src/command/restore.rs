//! `tidegate restore`: makes a new data directory from a backup, to its end or to an earlier point.

use super::backup::{explained, vault_failure};
use super::vault::digest;
use crate::outside::Outside;
use crate::terminal::{self, Progress};
use api::{Position, SaleId, Time};
use drill::watch::Watcher;
use shop::restore::{LeftOut, Report};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use storage::backup::{BackupError, Cut, Spot};
use storage::vault::VaultError;

/// Make a new data directory from a backup
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate restore --from backups/nightly --data shop-restored
  tidegate restore --from backups/nightly --data before-the-mistake --to-time 2026-11-11T00:05:00Z
  tidegate restore --from backups/nightly --data rewound --sale sale_00001 --to-position 4711
  tidegate restore --from backups/nightly --check

All of the backup is checked before anything is written. The directory must be new or empty; until all is written it is
no data directory. After going back to an earlier point read docs/howto/back-up-and-restore.md before you sell on: the
payment provider knows of charges that the shop has forgotten.")]
pub(crate) struct Options {
    /// The backup
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The data directory to make: new or empty
    #[arg(long, value_name = "DIR", required_unless_present = "check")]
    data: Option<PathBuf>,
    /// Take one sale back to --to-position, and everything else to the end
    #[arg(long, value_name = "SALE", requires = "to_position")]
    sale: Option<SaleId>,
    /// The last batch that the sale keeps: a number, or a receipt like 42-0f3a…
    #[arg(long, value_name = "BATCH", requires = "sale", value_parser = batch)]
    to_position: Option<Batch>,
    /// Take everything back to this moment of book time, in RFC 3339
    #[arg(long, value_name = "TIME", conflicts_with_all = ["sale", "to_position"])]
    to_time: Option<Time>,
    /// Check all of the backup and say what a restore would do, and write nothing
    #[arg(long, conflicts_with = "data")]
    check: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// A batch of a sale, by its number or by a receipt.
#[derive(Debug, Clone, Copy)]
struct Batch {
    sequence: u64,
    chain: Option<[u8; 16]>,
}

fn batch(text: &str) -> Result<Batch, String> {
    if let Ok(sequence) = text.parse() {
        let chain = None;
        return Ok(Batch { sequence, chain });
    }
    let position = Position::from_str(text)
        .map_err(|_| "a batch is a number, or a receipt like `42-0f3a…`".to_owned())?;
    Ok(Batch {
        sequence: position.sequence,
        chain: Some(position.chain),
    })
}

impl Options {
    /// Restores, or only checks.
    ///
    /// # Errors
    /// `TG-4002`, `TG-4004` to `TG-4009`.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let report = self.restore().map_err(|error| explained(&error))?;
        if let Some(data) = &self.data {
            self.restore_vault(data, &report).map_err(vault_failure)?;
            let disk = &Outside::real().disk;
            let from = Spot {
                disk,
                dir: &self.from,
            };
            storage::backup::copy_marks(from, Spot { disk, dir: data })
                .map_err(|error| explained(&error))?;
        }
        if self.json {
            terminal::print_json(&report)?;
        } else {
            terminal::print(&told(&report, self.data.as_deref()))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn restore(&self) -> Result<Report, BackupError> {
        let disk = &Outside::real().disk;
        let progress = Progress::begin();
        progress.stage("checking and copying journals, bytes");
        let mut step =
            |step: storage::backup::Step| progress.progress(step.bytes, step.bytes_total);
        let from = Spot {
            disk,
            dir: &self.from,
        };
        match &self.data {
            Some(dir) => shop::restore::restore(from, Spot { disk, dir }, self.cut(), &mut step),
            None => shop::restore::check(from, self.cut(), &mut step),
        }
    }

    /// The vault comes along, without those who were erased after the point that the shop goes back to.
    fn restore_vault(&self, data: &Path, report: &Report) -> Result<(), VaultError> {
        if !storage::vault::copy(&self.from, data)? {
            return Ok(());
        }
        let people: Vec<[u8; 32]> = report
            .house
            .people_erased
            .iter()
            .filter_map(|digits| digest(digits))
            .collect();
        storage::vault::forget(data, &people).map(|_| ())
    }

    fn cut(&self) -> Cut {
        match (self.sale, self.to_position, self.to_time) {
            (Some(sale), Some(batch), _) => Cut::Sale {
                sale: sale.get().into(),
                sequence: batch.sequence,
                chain: batch.chain,
            },
            (_, _, Some(time)) => Cut::Time(time.ms()),
            _ => Cut::End,
        }
    }
}

fn told(report: &Report, data: Option<&Path>) -> String {
    let mut text = match data {
        Some(dir) => format!("restored {}", dir.display()),
        None => "checked".to_owned(),
    };
    text.push_str(&format!(
        " from a backup of {} (by Tidegate {})\n",
        report.backup_begun, report.backup_by
    ));
    let place = |position: Option<Position>, time: Option<Time>| match (position, time) {
        (Some(position), Some(time)) => format!("{position}  {time}"),
        _ => "nothing of it".to_owned(),
    };
    let house = &report.house;
    text.push_str(&format!(
        "  house       {}\n",
        place(house.position, house.time)
    ));
    for sale in &report.sales {
        let end = place(sale.position, sale.time);
        text.push_str(&format!("  {}  {end}\n", sale.sale));
    }
    for skipped in &report.snapshots_skipped {
        text.push_str(&format!(
            "  left out a snapshot that cannot be trusted: {skipped}\n"
        ));
    }
    text.push_str(&warnings(report));
    if let Some(dir) = data {
        let dir = dir.display();
        text.push_str(&format!(
            "prove it before you sell on: tidegate verify --data {dir}\n"
        ));
    }
    text
}

/// What an operator has to know after going back.
fn warnings(report: &Report) -> String {
    if !report.cut {
        return format!(
            "What was acknowledged after {} may be missing: hold the provider's list of charges from then on against \
             the orders.\n",
            report.backup_begun
        );
    }
    let mut text =
        "This goes back behind the end of the backup. Forgotten, as far as the backup knows:\n"
            .to_owned();
    let house = &report.house;
    for sale in report.sales.iter().filter(|sale| sale.batches_left_out > 0) {
        text.push_str(&format!("  {}: {}\n", sale.sale, of_sale(sale.left_out)));
    }
    let list = |numbers: &[u64]| {
        numbers
            .iter()
            .map(u64::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    for (what, which) in [
        (
            "API keys that do not work any more",
            house.keys_forgotten.join(", "),
        ),
        (
            "API keys that were revoked and work again, by number: revoke them first",
            list(&house.keys_valid_again),
        ),
        (
            "sales that are gone, and whose numbers will be given out again",
            house
                .sales_forgotten
                .iter()
                .map(SaleId::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        ),
    ] {
        if !which.is_empty() {
            text.push_str(&format!("  {what}: {which}\n"));
        }
    }
    text.push_str(
        "Buyers hold receipts for these orders, and the provider may have captured money for them. Numbers of orders,\n\
         and with them the provider's keys, would be given out again: do not sell on in a sale that went back, unless\n\
         the provider never heard of what is forgotten. docs/howto/back-up-and-restore.md says what to do.\n",
    );
    text
}

fn of_sale(left_out: LeftOut) -> String {
    format!(
        "{} orders placed, {} charges begun, {} captured ({} minor units), {} refunds begun, {} made, {} chargebacks",
        left_out.orders_placed,
        left_out.charges_begun,
        left_out.charges_captured,
        left_out.captured_minor,
        left_out.refunds_begun,
        left_out.refunds_done,
        left_out.charged_back
    )
}
