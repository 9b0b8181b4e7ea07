//! `tidegate vault`: the personal data of a house whose server is stopped.

use super::Configuration;
use crate::failure::Failure;
use crate::outside::{Outside, runtime};
use crate::server::{Backroom, house_call};
use crate::settings::load;
use crate::terminal;
use api::service::People;
use api::{Code, Time};
use serde::Serialize;
use shop::house::By;
use shop::people::{PeopleError, person_id};
use std::path::PathBuf;
use std::process::ExitCode;

/// Export, erase and re-lock personal data
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  tidegate vault export --buyer ann --config tidegate.toml
  tidegate vault erase --buyer ann --config tidegate.toml
  tidegate vault erased --config tidegate.toml > erased.txt
  tidegate vault erase --list erased.txt --config restored.toml
  tidegate vault rotate --config tidegate.toml

While a server runs, send GET or DELETE /v1/people/{buyer} to it instead.")]
pub(crate) enum Command {
    /// Print all that is kept about a person, as JSON
    Export {
        /// The buyer's pseudonym
        #[arg(long)]
        buyer: String,
        #[command(flatten)]
        configuration: Configuration,
    },
    /// Destroy what is kept about a person, or about everybody on a list; on record, for good
    Erase {
        /// The buyer's pseudonym
        #[arg(long, required_unless_present = "list")]
        buyer: Option<String>,
        /// File with one digest a line, as `vault erased` prints it
        #[arg(long, value_name = "FILE", conflicts_with = "buyer")]
        list: Option<PathBuf>,
        #[command(flatten)]
        configuration: Configuration,
    },
    /// Print the digests of everybody whose data were erased: keep it beside the backups
    Erased {
        #[command(flatten)]
        configuration: Configuration,
    },
    /// Lock everything with the first master key of the settings; older ones are not needed afterwards
    Rotate {
        #[command(flatten)]
        configuration: Configuration,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Serialize)]
struct Rotated {
    records: u64,
    wrapped_anew: usize,
}

#[derive(Debug, Serialize)]
struct ErasedReport {
    people: usize,
    found: usize,
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// `TG-4001` when a server has the directory, `TG-4401`, `TG-2401`, `TG-2402`.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let outside = Outside::real();
        let configuration = match &self {
            Self::Export { configuration, .. }
            | Self::Erase { configuration, .. }
            | Self::Erased { configuration }
            | Self::Rotate { configuration, .. } => configuration,
        };
        let settings = load(&configuration.layers())?.settings;
        runtime()?.block_on(async {
            let shop = Backroom::at_rest(&settings, &outside)?;
            let done = self.at(&shop).await;
            shop.stop().await;
            done.map(|()| ExitCode::SUCCESS)
        })
    }

    async fn at(self, shop: &Backroom) -> anyhow::Result<()> {
        match self {
            Self::Export { buyer, .. } => {
                let call = house_call("", "");
                let handle = shop.handle();
                let person = handle.person(call, buyer.into()).await?;
                terminal::print_json(&person.body)
            }
            Self::Erase { buyer, list, .. } => {
                let people = match (buyer, list) {
                    (Some(buyer), _) => vec![person_id(&buyer)],
                    (None, Some(list)) => read_list(&list)?,
                    (None, None) => Vec::new(),
                };
                erase(shop, people).await
            }
            Self::Erased { .. } => erased(shop),
            Self::Rotate { json, .. } => rotate(shop, json).await,
        }
    }
}

async fn erase(shop: &Backroom, people: Vec<[u8; 32]>) -> anyhow::Result<()> {
    let handle = shop.handle();
    let house = handle.registry().house();
    let mut report = ErasedReport {
        people: people.len(),
        found: 0,
    };
    for person in people {
        let erased = handle.people().erase(house, &By::house(""), person).await;
        let (_, found) = erased.map_err(|error| failure(&error))?;
        report.found += usize::from(found);
    }
    terminal::print_json(&report)
}

fn erased(shop: &Backroom) -> anyhow::Result<()> {
    let book = shop.handle().registry().house().book();
    for (person, at) in book.erased() {
        let digits: String = person.iter().map(|byte| format!("{byte:02x}")).collect();
        terminal::print(&format!("{digits} {}\n", Time::from_ms(at.0)))?;
    }
    Ok(())
}

async fn rotate(shop: &Backroom, json: bool) -> anyhow::Result<()> {
    let handle = shop.handle();
    let people = handle.people();
    let turned = people.rotate(handle.registry().house()).await;
    let report = Rotated {
        wrapped_anew: turned.map_err(|error| failure(&error))?,
        records: people.count().await.map_err(|error| failure(&error))?,
    };
    if json {
        return terminal::print_json(&report);
    }
    terminal::print(&format!(
        "{} of {} records were locked with an older master key and now are with the first one; the older secrets can go\n",
        report.wrapped_anew, report.records
    ))
}

/// Digests, one a line; what stands behind a blank is for people.
fn read_list(path: &std::path::Path) -> anyhow::Result<Vec<[u8; 32]>> {
    let mend = "give a file that `tidegate vault erased` printed";
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = format!("cannot read {}: {error}", path.display());
        Failure::new(Code::MissingFile, what, mend)
    })?;
    let mut people = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let digits = line.split_whitespace().next().unwrap_or_default();
        let person = digest(digits).ok_or_else(|| {
            let what = format!("{}: line {} is no digest", path.display(), number + 1);
            Failure::new(Code::BadConfiguration, what, mend)
        })?;
        people.push(person);
    }
    Ok(people)
}

/// A digest from its 64 hexadecimal digits.
pub(super) fn digest(digits: &str) -> Option<[u8; 32]> {
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut digest = [0; 32];
    for (place, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// What is wrong with the vault, and what to do about it.
pub(crate) fn failure(error: &PeopleError) -> Failure {
    use storage::vault::VaultError;
    let (code, mend) = match error {
        PeopleError::NoVault => (
            Code::NoVault,
            "give a master key in shop.vault.secrets; see docs/howto/personal-data.md",
        ),
        PeopleError::Vault(
            VaultError::WrongKey { .. } | VaultError::MissingKey { .. } | VaultError::NoKey,
        ) => (
            Code::VaultKey,
            "give the secret that the message names in shop.vault.secrets; nothing was written and nothing is lost",
        ),
        PeopleError::Vault(VaultError::Version { .. }) => (
            Code::FormatVersion,
            "use the version of Tidegate that wrote it, or a newer one",
        ),
        PeopleError::Vault(VaultError::Damaged) | PeopleError::Unreadable => (
            Code::Damaged,
            "keep a copy of vault.db, then restore it from a backup",
        ),
        PeopleError::Nobody => (Code::PersonNotFound, "check the pseudonym"),
        _ => (
            Code::NotWritable,
            "look at the disk: space, rights, and the system's log",
        ),
    };
    let source = std::error::Error::source(error).map(|source| format!("because: {source}"));
    Failure::new(code, error, mend).with_details(source.into_iter().collect())
}
