//! `tidegate sandbox-psp`: the payment provider without money, as a process of its own.

use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::outside::{Outside, runtime};
use crate::terminal;
use anyhow::Context;
use api::Code;
use serde::{Deserialize, Serialize};
use shop::provider::callback::HttpCallbacks;
use shop::provider::sandbox::{self, KeepError, Outage, Sandbox, Script, Scripted};
use shop::provider::{Provider, signature::Secret};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A script is written by a person, or by a small program.
const SCRIPT_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How long one callback may take.
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(5);
const SECRET_VARIABLE: &str = "TIDEGATE_EDGE__CALLBACK_SECRET";

/// Run a payment provider without money, with the bad days of real ones
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate sandbox-psp --set decline_per_mille=50 --set lost_answer_per_mille=10
  tidegate sandbox-psp --callbacks http://127.0.0.1:8080/v1/providers/sandbox/callbacks \\
    --callback-secret-file secret.txt --script bad-day.toml
  tidegate serve --set provider.url=http://127.0.0.1:9000
  curl -X POST 'http://127.0.0.1:9001/outage?ms=60000'
  curl http://127.0.0.1:9001/settlement.csv > day.csv && tidegate reconcile day.csv --data shop-data

A script is TOML, or JSON when its name ends so:
  [behaviour]                              # as --set; every option of provider.sandbox
  decline_per_mille = 20
  [[charge]]                               # the third charge is declined, and captured later
  nth = 3
  does = \"fickle\"                          # done, declined, fickle, pending, lost_answer, slow
  [[outage]]                               # at 10 s nobody is answered for 60 s
  at_ms = 10000
  for_ms = 60000

The operators' port has GET /ledger, /settlement.csv, /healthz and POST /outage?ms=N. Without --data the ledger is in
memory: after a restart the provider knows nothing of what it did before, and a reconciler will say so. With it each
charge and refund is on disk before it is answered, and a kill loses none.")]
pub(crate) struct Options {
    /// Address that shops ask; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Address of the operators' port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9001")]
    admin_listen: SocketAddr,
    /// Where callbacks go, the whole URL; without it nobody is called back
    #[arg(long, value_name = "URL")]
    callbacks: Option<String>,
    /// File with the secret that signs callbacks, 32 bytes or more; else TIDEGATE_EDGE__CALLBACK_SECRET
    #[arg(long, value_name = "FILE", requires = "callbacks")]
    callback_secret_file: Option<PathBuf>,
    /// File of the ledger, made if need be; without it a restart forgets every charge and refund
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// What happens, line by line
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Every habit that real providers have, each now and then
    #[arg(long)]
    lively: bool,
    /// Sets one habit, like decline_per_mille=50; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = habit)]
    set: Vec<(String, u64)>,
}

/// A script's file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ScriptFile {
    behaviour: toml::Table,
    charge: Vec<Scripted>,
    refund: Vec<Scripted>,
    outage: Vec<Outage>,
}

impl Options {
    /// Serves until it is asked to stop.
    ///
    /// # Errors
    /// `TG-4004` for anything that cannot be as it was asked for.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let file = self.script.as_deref().map(read_script).transpose()?;
        let file = file.unwrap_or_default();
        let settings = self.behaviour(file.behaviour)?;
        let script = Script {
            charge: file.charge,
            refund: file.refund,
            outage: file.outage,
        };
        script.check().map_err(|error| bad(&error))?;
        let secret = self.secret()?;
        runtime()?.block_on(self.serve(settings, script, secret))
    }

    /// The habits: defaults or lively ones, then the script's, then the flags'.
    fn behaviour(&self, from_script: toml::Table) -> anyhow::Result<sandbox::Settings> {
        let base = match self.lively {
            true => sandbox::Settings::lively(1),
            false => sandbox::Settings::default(),
        };
        let mut table = toml::Table::try_from(base).context("the habits cannot be written down")?;
        table.extend(from_script);
        for (name, value) in &self.set {
            let value = i64::try_from(*value).context("a habit is a small number")?;
            table.insert(name.clone(), value.into());
        }
        let settings: sandbox::Settings = table.try_into().map_err(|error| bad(&error))?;
        settings.check().map_err(|error| bad(&error))?;
        Ok(settings)
    }

    fn secret(&self) -> anyhow::Result<Option<Secret>> {
        if self.callbacks.is_none() {
            return Ok(None);
        }
        let text = match &self.callback_secret_file {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?,
            None => crate::settings::environment()
                .into_iter()
                .find_map(|(name, value)| (name == SECRET_VARIABLE).then_some(value))
                .unwrap_or_default(),
        };
        let secret = Secret::new(text.trim().as_bytes());
        let what = "callbacks are signed, and there is no secret of 32 bytes or more";
        let mend = format!("give --callback-secret-file, or set {SECRET_VARIABLE}");
        let secret = secret.ok_or_else(|| Failure::new(Code::BadConfiguration, what, mend))?;
        Ok(Some(secret))
    }

    async fn serve(
        self,
        settings: sandbox::Settings,
        script: Script,
        secret: Option<Secret>,
    ) -> anyhow::Result<ExitCode> {
        let outside = Outside::real();
        let mut interrupts = Interrupts::listen()?;
        let (door, office) = (
            self.door(&outside, self.listen)?,
            self.door(&outside, self.admin_listen)?,
        );
        let places = (door.local_addr()?, office.local_addr()?);
        let (clock, tasks) = (Arc::clone(&outside.clock), outside.tasks.clone());
        let (sandbox, ledger) = match &self.data {
            None => {
                let sandbox = Sandbox::with_script(settings, &script, clock, tasks);
                (
                    sandbox,
                    "in memory, a restart forgets it (--data FILE keeps it)".to_owned(),
                )
            }
            Some(path) => {
                let kept = Sandbox::kept((settings, &script), clock, tasks, &outside.disk, path);
                let sandbox = kept.map_err(|error| unkept(&error))?;
                (sandbox, format!("in {}", path.display()))
            }
        };
        if let (Some(url), Some(secret)) = (&self.callbacks, secret) {
            let clock = Arc::clone(&outside.clock);
            let sink = HttpCallbacks::new(url, secret, clock, &outside.line(), CALLBACK_TIMEOUT);
            sandbox.callbacks_to(Arc::new(sink.map_err(|error| bad(&error))?));
        }
        let (stop, stopped) = watch::channel(false);
        let serving = outside
            .tasks
            .spawn(sandbox::serve(door, sandbox.clone(), stopped.clone()));
        let helping = outside
            .tasks
            .spawn(sandbox::serve_admin(office, sandbox, stopped));
        terminal::print(&format!(
            "provider http://{}\noperators http://{}\nledger {ledger}\n",
            places.0, places.1
        ))?;
        interrupts.stop().await;
        stop.send_replace(true);
        serving.await??;
        helping.await??;
        Ok(ExitCode::SUCCESS)
    }

    fn door(
        &self,
        outside: &Outside,
        address: SocketAddr,
    ) -> Result<Box<dyn world::network::Listener>, Failure> {
        outside.network.listen(address).map_err(|error| {
            let what = format!("cannot listen on {address}: {error}");
            let mend = "give a free address of this machine (--listen, --admin-listen); port 0 takes a free one";
            Failure::new(Code::BadConfiguration, what, mend)
        })
    }
}

/// Why there is no ledger, and what to do about it.
fn unkept(error: &KeepError) -> Failure {
    let (code, mend) = match error {
        KeepError::Held { .. } => (
            Code::Locked,
            "stop that sandbox, or give another file (--data)",
        ),
        KeepError::Io { .. } => (
            Code::NotWritable,
            "give a file in a directory that exists and that this user may write (--data)",
        ),
        KeepError::Damaged { .. } => (
            Code::Damaged,
            "keep a copy; give another file (--data), or cut it off before that line and lose what follows",
        ),
    };
    Failure::new(code, error, mend)
}

fn read_script(path: &Path) -> anyhow::Result<ScriptFile> {
    let cannot = || format!("cannot read {}", path.display());
    if std::fs::metadata(path).with_context(cannot)?.len() > SCRIPT_BYTES_MAX {
        anyhow::bail!("{} is larger than {SCRIPT_BYTES_MAX} bytes", path.display());
    }
    let text = std::fs::read_to_string(path).with_context(cannot)?;
    let is_json = path.extension().is_some_and(|end| end == "json");
    let read = match is_json {
        true => serde_json::from_str(&text).map_err(|error| error.to_string()),
        false => toml::from_str(&text).map_err(|error| error.to_string()),
    };
    Ok(read.map_err(|error| bad(&format!("{}: {error}", path.display())))?)
}

fn habit(text: &str) -> Result<(String, u64), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    let value = value
        .trim()
        .parse()
        .map_err(|_| "the value of a habit is a whole number")?;
    Ok((name.trim().to_owned(), value))
}

fn bad(error: &impl std::fmt::Display) -> Failure {
    let mend = "see `tidegate sandbox-psp --help`; the habits are in docs/configuration.md under provider.sandbox";
    Failure::new(Code::BadConfiguration, error, mend)
}
