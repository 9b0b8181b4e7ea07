//! `tidegate rules`: checks files of rules, and tries them on past orders before they decide about new ones.

mod orders;
mod report;

use crate::failure::{FINDING, Failure, USAGE};
use crate::outside::Outside;
use crate::rules::Rules;
use crate::terminal;
use api::Code;
use report::Report;
use shop::risk::{PastOrder, past_orders};
use std::path::PathBuf;
use std::process::ExitCode;

/// Check rules, or try them on past orders
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Judge files of rules: all that is wrong is told at once, with line and column
    #[command(after_help = "Example: tidegate rules check examples/rules/guard.toml")]
    Check {
        /// Files of rules, TOML
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// Try rules on past orders; nothing is changed
    #[command(after_help = "\
Examples:
  tidegate rules test guard.toml --data shop-data
  tidegate rules test guard.toml --orders orders.jsonl --json

It takes no lock and may run beside a live server. Exit code 1: a rule could not be run on some order.")]
    Test(Options),
}

/// Which rules, and on what.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A file of rules, TOML
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A data directory whose journals hold the orders
    #[arg(
        long,
        alias = "data-dir",
        value_name = "DIR",
        conflicts_with = "orders"
    )]
    data: Option<PathBuf>,
    /// A file with one order on each line, JSON
    #[arg(long, value_name = "FILE")]
    orders: Option<PathBuf>,
    /// The window over which the orders of a buyer are counted, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(1_000..=3_600_000))]
    window_ms: u64,
    /// Orders that are named for each rule
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u16).range(0..=100))]
    examples: u16,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

impl Command {
    /// Checks or tries.
    ///
    /// # Errors
    /// `TG-4004` and `TG-4007`; for a trial also what keeps the orders from being read.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Check { files } => check(&files),
            Self::Test(options) => options.run(),
        }
    }
}

/// Judges all files before it says how to exit, so that one run names everything.
fn check(files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        match Rules::read(file) {
            Ok(rules) => {
                let (rules, formulas) = (rules.set.texts().len(), rules.formulas.len());
                let ok = terminal::green("ok");
                let counted = format!("{rules} rules, {formulas} formulas");
                terminal::print(&format!("{}: {ok}, {counted}\n", file.display()))?;
            }
            Err(failure) => {
                crate::failure::tell(&failure.into());
                code = ExitCode::from(USAGE);
            }
        }
    }
    Ok(code)
}

impl Options {
    fn run(self) -> anyhow::Result<ExitCode> {
        let rules = Rules::read(&self.file)?;
        let mut report = Report::of(&rules, self.examples.into());
        let mut each = |order: &PastOrder| report.see(&rules, order);
        match (&self.data, &self.orders) {
            (Some(data), _) => {
                let disk = Outside::real().disk;
                past_orders(&disk, data, self.window_ms, &mut each).map_err(|error| {
                    let mend =
                        "give a data directory; `tidegate verify` says what is wrong with one";
                    Failure::new(Code::MissingFile, error, mend)
                })?;
                report.warn_of_unknown(&rules);
            }
            (None, Some(orders)) => orders::read(orders, &mut each)?,
            (None, None) => {
                let what = "there are no orders to try the rules on";
                let mend = "give --data with a data directory, or --orders with a file of orders";
                return Err(Failure::new(Code::BadConfiguration, what, mend).into());
            }
        }
        if self.json {
            terminal::print_json(&report)?;
        } else {
            terminal::print(&report.text())?;
        }
        Ok(if report.has_errors() {
            ExitCode::from(FINDING)
        } else {
            ExitCode::SUCCESS
        })
    }
}
