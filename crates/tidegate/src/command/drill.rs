//! `tidegate drill`: a real server, a stampede of buyers, SIGKILL in the middle, and the proof afterwards.

mod stage;

use crate::failure::{FINDING, Failure, USAGE};
use crate::interrupt::Interrupts;
use crate::outside::{Outside, runtime};
use crate::terminal::{self, Progress};
use anyhow::Context;
use api::Code;
use drill::machine::Machine;
use drill::stampede::{Fault, Outcome, Scenario, Settings, StampedeError};
use stage::{Ground, Stage};
use std::path::PathBuf;
use std::process::ExitCode;

/// Rehearse a stampede against a real server, and prove the books afterwards
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate drill
  tidegate drill --buyers 20000 --stock 1000 --kill 5 --report drill.html
  tidegate drill --scenario group --buyers 200 --stock 500 --kill 2
  tidegate drill --scenario payments-from-hell --buyers 500 --stock 400 --json
  tidegate drill --kill 1 --storm stop,full,freeze --storm-mount /mnt/small --data /mnt/small/data

Exit code 1: something was oversold, lost or doubled, or an oracle disagrees; the data is kept then.")]
pub(crate) struct Options {
    /// What is rehearsed: flash, group, presale, lottery or payments-from-hell
    #[arg(long, value_name = "NAME", default_value_t = Scenario::Flash)]
    scenario: Scenario,
    /// Buyers that come, 1 to 1000000
    #[arg(long, value_name = "N", default_value_t = Settings::default().buyers)]
    buyers: u32,
    /// Units to sell, 1 to 10000000
    #[arg(long, value_name = "N", default_value_t = Settings::default().stock)]
    stock: u32,
    /// Connections that the buyers share, 1 to 10000
    #[arg(long, value_name = "N", default_value_t = Settings::default().connections)]
    connections: u32,
    /// How often the server is killed under load, 0 to 100
    #[arg(long, value_name = "N", default_value_t = Settings::default().kills)]
    kill: u32,
    /// What else befalls it: stop, full, read-only, freeze, slow; one that is named twice comes twice
    #[arg(long, value_name = "FAULTS", value_delimiter = ',')]
    storm: Vec<Fault>,
    /// The mount point of a small ext4 that nobody else uses, for all faults but stop; they need root
    #[arg(long, value_name = "DIR")]
    storm_mount: Option<PathBuf>,
    /// The server's data directory, which must not exist yet [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What the buyers do and when the server dies follows from this number
    #[arg(long, value_name = "S", default_value_t = Settings::default().seed)]
    seed: u64,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
    /// Write the report as one HTML page with plots
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl Options {
    /// Rehearses.
    ///
    /// # Errors
    /// No server can be started, or somebody stopped the drill.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let settings = self.settings().checked().map_err(|error| {
            let mend = "`tidegate drill --help` names the limits";
            Failure::new(Code::BadConfiguration, error, mend)
        })?;
        let ground = self.ground(&settings)?;
        let outcome = match runtime()?.block_on(rehearse(settings, ground)) {
            Err(error) if is_stopped(&error) => {
                terminal::to_stderr("stopped before its end, without a verdict\n");
                return Ok(ExitCode::from(USAGE));
            }
            outcome => outcome?,
        };
        if let Some(file) = &self.report {
            let machine = Machine::here(concat!("version ", env!("CARGO_PKG_VERSION")));
            let written = std::fs::write(file, outcome.html(&machine));
            written.with_context(|| format!("cannot write {}", file.display()))?;
        }
        if self.json {
            terminal::print_json(&outcome.summary)?;
        } else {
            terminal::print(&outcome.to_string())?;
        }
        Ok(if outcome.is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(FINDING)
        })
    }

    fn settings(&self) -> Settings {
        Settings {
            scenario: self.scenario,
            buyers: self.buyers,
            stock: self.stock,
            connections: self.connections,
            kills: self.kill,
            storm: self.storm.iter().copied().collect(),
            seed: self.seed,
        }
    }

    /// Where the server's data will lie; for a storm on the disk that must be a disk of its own.
    fn ground(&self, settings: &Settings) -> anyhow::Result<Ground> {
        let bad = |what: &str| {
            let mend =
                "name a mounted file system with --storm-mount, and a directory on it with --data";
            Failure::new(Code::BadConfiguration, what, mend)
        };
        let (data, disk) = (self.data.clone(), self.storm_mount.clone());
        if settings.storm.needs_disk() {
            let disk = disk
                .as_deref()
                .ok_or_else(|| bad("--storm needs --storm-mount"))?;
            let on_it = data.as_deref().is_some_and(|data| data.starts_with(disk));
            if !on_it {
                return Err(bad("--data is not on the file system of --storm-mount").into());
            }
        }
        if let Some(data) = data.as_deref().filter(|data| data.exists()) {
            return Err(bad(&format!("{} exists already", data.display())).into());
        }
        Ok(Ground {
            data,
            disk,
            small_segments: settings.storm.total() > 0,
        })
    }
}

/// Whether somebody asked for the end.
fn is_stopped(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StampedeError::Stopped(_)))
}

async fn rehearse(settings: Settings, ground: Ground) -> anyhow::Result<Outcome> {
    let mut interrupts = Interrupts::listen()?;
    let stage = Stage::set(&settings, ground, &Outside::real()).await?;
    let progress = Progress::begin();
    let stop = async {
        interrupts.stop().await;
    };
    let outcome = drill::stampede::run(settings, &stage.tools, &progress, stop).await;
    drop(progress);
    if outcome.as_ref().is_ok_and(Outcome::is_ok) {
        stage.clear().await;
    } else {
        stage.keep();
    }
    Ok(outcome?)
}
