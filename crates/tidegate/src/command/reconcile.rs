//! `tidegate reconcile`: a provider's settlement file against the journals.

use crate::failure::{FINDING, Failure};
use crate::outside::{Outside, storage_failure};
use crate::settings::Settings;
use crate::terminal;
use api::{Code, Time};
use shop::settlement::{self, Findings, Report, SettlementError, Window};
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

/// Hold a provider's settlement file against the journals
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate reconcile day.csv --data shop-data
  tidegate reconcile balance.csv --data shop-data --from 2026-11-11T00:00:00Z --until 2026-11-12T00:00:00Z --json
  curl http://127.0.0.1:9001/settlement.csv | tidegate reconcile - --data shop-data

Three kinds of files are known by their first line:
  type,id,key,amount_minor,currency,time   ours; type is charge or refund, key is pay_... or ref_..., amounts are
                                           whole minor units, time is RFC 3339 or empty, id is not read
  Stripe                                   the itemised balance report (reporting_category, gross, currency, created_utc,
                                           payment_metadata[tidegate_payment], refund_metadata[tidegate_refund]) or the
                                           dashboard's balance export with these metadata columns
  WeChat Pay                               the trade bill, with its header in Chinese and its summary at the end

Rows of other programs, fees and payouts are passed over. It takes no lock, changes nothing and may run beside a live
server. Exit code 1: a row or an amount of the journals has no partner, or they differ, or a row cannot be read.")]
pub(crate) struct Options {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The data directory
    #[arg(long, value_name = "DIR", default_value_os_t = Settings::default().data)]
    data: PathBuf,
    /// What stands before our keys in this file, when several houses share one account at the provider
    #[arg(long, value_name = "NAME", default_value = "")]
    house: String,
    /// Money moved at this time or later has to be in the file [default: the time of its first row]
    #[arg(long, value_name = "TIME")]
    from: Option<Time>,
    /// Money moved before this time has to be in the file [default: the time of its last row]
    #[arg(long, value_name = "TIME")]
    until: Option<Time>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Compares.
    ///
    /// # Errors
    /// The file or the data directory cannot be read.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let report = self.compare()?;
        if self.json {
            terminal::print_json(&report)?;
        } else {
            terminal::print(&text(&report))?;
        }
        Ok(match report.ok {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(FINDING),
        })
    }

    fn compare(&self) -> Result<Report, Failure> {
        let window = Window {
            from_ms: self.from.map(Time::ms),
            until_ms: self.until.map(Time::ms),
        };
        let disk = Outside::real().disk;
        let (house, data) = (&self.house, &self.data);
        let compared = if self.file.as_os_str() == "-" {
            let mut input = std::io::stdin().lock();
            settlement::reconcile(&mut input, house, &window, &disk, data)
        } else {
            let file = File::open(&self.file).map_err(|error| {
                let what = format!("cannot read {}: {error}", self.file.display());
                Failure::new(
                    Code::MissingFile,
                    what,
                    "give the path of a settlement file",
                )
            })?;
            settlement::reconcile(&mut BufReader::new(file), house, &window, &disk, data)
        };
        compared.map_err(|error| self.explained(&error))
    }

    fn explained(&self, error: &SettlementError) -> Failure {
        match error {
            SettlementError::Storage(error) => storage_failure(error),
            SettlementError::Journal(_) | SettlementError::Book { .. } => {
                let mend = "run `tidegate verify` on this directory first";
                Failure::new(Code::Damaged, error, mend)
            }
            SettlementError::Header(_)
            | SettlementError::Unreadable { .. }
            | SettlementError::TooLong(_) => {
                let what = format!("{}: {error}", self.file.display());
                let mend = "`tidegate reconcile --help` shows the columns of each kind of file";
                Failure::new(Code::BadConfiguration, what, mend)
            }
        }
    }
}

/// The report for a person.
fn text(report: &Report) -> String {
    let verdict = match report.ok {
        true => terminal::green("every row has its partner"),
        false => terminal::red("there are differences"),
    };
    let mut text = format!(
        "{verdict}\n  {} rows, {} matched, {} passed over\n",
        report.rows, report.matched, report.rows_passed_over
    );
    let kinds: [(&str, &Findings); 4] = [
        ("missing in the file", &report.missing),
        ("extra in the file", &report.extra),
        ("different", &report.different),
        ("unreadable", &report.unreadable),
    ];
    for (name, findings) in kinds.into_iter().filter(|(_, findings)| findings.total > 0) {
        text.push_str(&format!("{}: {}\n", terminal::bold(name), findings.total));
        for finding in &findings.first {
            match finding.line {
                Some(line) => text.push_str(&format!("  line {line}: {}\n", finding.detail)),
                None => text.push_str(&format!("  {}\n", finding.detail)),
            }
        }
    }
    text
}
