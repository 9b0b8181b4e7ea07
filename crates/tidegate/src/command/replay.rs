//! `tidegate replay`: sends a recorded order history through the public door, and holds the book against the file.

use super::Configuration;
use crate::failure::{FINDING, Failure, USAGE};
use crate::interrupt::Interrupts;
use crate::outside::{Outside, runtime};
use crate::scratch::Scratch;
use crate::server::{Backroom, house_call};
use crate::settings::{Settings, load};
use crate::terminal::{self, Progress};
use anyhow::Context;
use api::key::CreateKey;
use api::service::Keys;
use api::{Code, Scopes};
use drill::replay::{DoorTarget, Outcome, ReplayError, StockShare};
use shop::Handle;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

/// The merchant that the history belongs to. The same one in every run, so that a second run repeats the first.
const ACCOUNT: &str = "replay";

/// Send a recorded order history through the public door
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate replay orders.csv.gz
  tidegate replay orders.csv.gz --stock-share 0.8 --data shop-data --json

Exit code 1: the book and the file do not agree. A second run on the same data changes nothing.")]
pub(crate) struct Options {
    /// The history: CSV, plain or gzipped, with the columns
    /// InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Stock of each item, as a share of its total demand in the file
    #[arg(long, value_name = "SHARE", default_value_t = StockShare::ALL)]
    stock_share: StockShare,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configuration: Configuration,
}

impl Options {
    /// Replays.
    ///
    /// # Errors
    /// The file cannot be read, or no server can be started.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let outside = Outside::real();
        let mut loaded = load(&self.configuration.layers())?;
        let _scratch = Scratch::unless_given(&mut loaded, &outside);
        let mut settings = loaded.settings;
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        (settings.edge.listen, settings.edge.admin_listen) = (free, free);
        let outcome = runtime()?.block_on(self.replay(&settings, &outside))?;
        let Some(outcome) = outcome else {
            terminal::to_stderr(
                "interrupted; a run on the same --data goes on where this one ended\n",
            );
            return Ok(ExitCode::from(USAGE));
        };
        if self.json {
            terminal::print_json(&outcome.summary)?;
        } else {
            terminal::print(&outcome.to_string())?;
        }
        Ok(if outcome.summary.verdict == "ok" {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(FINDING)
        })
    }

    /// The outcome; `None` when somebody stopped it.
    async fn replay(
        &self,
        settings: &Settings,
        outside: &Outside,
    ) -> anyhow::Result<Option<Outcome>> {
        let (file, data) = (self.file.display(), settings.data.display());
        terminal::to_stderr(&format!(
            "replaying {file} with a stock share of {} on {data}\n",
            self.stock_share
        ));
        let mut interrupts = Interrupts::listen()?;
        let server = Backroom::at_rest(settings, outside)?
            .listen(settings, outside, None)
            .await?;
        let key = key(&server.handle(), outside).await?;
        let mut target = DoorTarget::new(server.place.local_addr, &key);
        let progress = Progress::begin();
        let run = drill::replay::run(
            &self.file,
            self.stock_share,
            &mut target,
            &*outside.clock,
            &progress,
        );
        let outcome = tokio::select! {
            outcome = run => Some(outcome.map_err(explained)),
            _ = interrupts.stop() => None,
        };
        drop(progress);
        server.stop().await?;
        outcome.transpose()
    }
}

/// A key for this run. It dies with nothing: the next run makes its own.
async fn key(handle: &Handle, outside: &Outside) -> anyhow::Result<Box<str>> {
    let body = CreateKey {
        name: "replay".into(),
        account: ACCOUNT.into(),
        scopes: Scopes::ALL,
        role: None,
        idempotency_key: None,
    };
    let made = Keys::create(handle, house_call(ACCOUNT, &outside.name()), body).await?;
    made.body.secret.context("a new key has a secret")
}

fn explained(error: ReplayError) -> anyhow::Error {
    let (code, mend) = match &error {
        ReplayError::Unreadable(..) => (
            Code::MissingFile,
            "give the path of a CSV file, plain or gzipped",
        ),
        ReplayError::ColumnMissing(_)
        | ReplayError::TooManyRows(_)
        | ReplayError::TooManyBytes(_)
        | ReplayError::TooManyItems(_)
        | ReplayError::TooMuchStock(_) => (
            Code::BadConfiguration,
            "`tidegate replay --help` says what the file has to be",
        ),
        _ => return error.into(),
    };
    let source = std::error::Error::source(&error).map(|source| format!("because: {source}"));
    Failure::new(code, &error, mend)
        .with_details(source.into_iter().collect())
        .into()
}
