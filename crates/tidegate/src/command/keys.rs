//! `tidegate keys`: makes, lists and revokes the API keys of merchants.
//!
//! Offline in a data directory that no server has, which is how the first key is made; or at a running server with a
//! key that may.

use super::Configuration;
use super::place::presented;
use crate::outside::{Outside, runtime};
use crate::remote::Remote;
use crate::server::{Backroom, house_call};
use crate::settings::load;
use crate::terminal;
use api::check::Check;
use api::key::{ApiKey, ApiKeys, CreateKey, CreatedKey};
use api::service::Keys;
use api::{KeyId, Problem, Role, Scope, Scopes};
use serde::Serialize;
use shop::Handle;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

/// Make, list and revoke the API keys of merchants
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  tidegate keys create --name till --account shop --data shop-data
  tidegate keys list --url http://127.0.0.1:8080 --key-file admin.key")]
pub(crate) enum Command {
    /// Make a key; its secret is shown this once
    Create {
        /// A name for people
        #[arg(long)]
        name: String,
        /// The merchant account that the key acts for
        #[arg(long)]
        account: String,
        /// What it may do, separated by commas [default: everything but people:read and people:write,
        /// without a role]
        #[arg(long, value_delimiter = ',', value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// A named set of scopes: owner, operator, cashier, support or auditor; added to --scopes
        #[arg(long)]
        role: Option<Role>,
        #[command(flatten)]
        place: Place,
    },
    /// List all keys, revoked ones too
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Revoke a key, at once and for good
    Revoke {
        /// Which, like key_…
        id: KeyId,
        #[command(flatten)]
        place: Place,
    },
}

/// Where the keys are.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    #[command(flatten)]
    configuration: Configuration,
    /// Ask the running server at this address instead, like http://127.0.0.1:8080
    #[arg(long, conflicts_with = "data")]
    url: Option<String>,
    /// File that holds the API key for --url; TIDEGATE_API_KEY may hold it instead
    #[arg(long, value_name = "FILE", requires = "url")]
    key_file: Option<PathBuf>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

impl Command {
    /// Makes, lists or revokes.
    ///
    /// # Errors
    /// `TG-4001` when a server has the directory, or what the server refuses.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let outside = Outside::real();
        runtime()?.block_on(async {
            match self {
                Self::Create {
                    name,
                    account,
                    scopes,
                    role,
                    place,
                } => {
                    let scopes = if scopes.is_empty() && role.is_none() {
                        Scopes::WITHOUT_PEOPLE
                    } else {
                        scopes.into_iter().collect()
                    };
                    let body = CreateKey {
                        name: name.into(),
                        account: account.into(),
                        scopes,
                        role,
                        idempotency_key: None,
                    };
                    let made = place
                        .open(&outside)
                        .await?
                        .create(body, outside.name())
                        .await?;
                    tell(place.json, &made, || created(&made))
                }
                Self::List { place } => {
                    let keys = place.open(&outside).await?.list().await?;
                    tell(place.json, &keys, || keys.keys.iter().map(line).collect())
                }
                Self::Revoke { id, place } => {
                    let key = place
                        .open(&outside)
                        .await?
                        .revoke(id, outside.name())
                        .await?;
                    tell(place.json, &key, || line(&key))
                }
            }
        })
    }
}

fn tell(
    json: bool,
    report: &impl Serialize,
    text: impl FnOnce() -> String,
) -> anyhow::Result<ExitCode> {
    if json {
        terminal::print_json(report)?;
    } else {
        terminal::print(&text())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn created(key: &CreatedKey) -> String {
    let secret = key
        .secret
        .as_deref()
        .unwrap_or("was shown when it was made");
    let people = match key.scopes.has(Scope::PeopleRead) || key.scopes.has(Scope::PeopleWrite) {
        true => "",
        false => {
            "It reads and erases no personal data; --scopes people:read,people:write or --role owner would.\n"
        }
    };
    format!(
        "id      {}\nsecret  {secret}\n\n{people}The secret is not kept and not shown again: send it as `Authorization: Bearer …`.\n",
        key.id
    )
}

fn line(key: &ApiKey) -> String {
    let scopes: Vec<&str> = key.scopes.iter().map(Scope::name).collect();
    let state = match key.revoked_at {
        Some(at) => format!("revoked {at}"),
        None => format!("made {}", key.created_at),
    };
    format!(
        "{}  {state}  {}  {}  {}\n",
        key.id,
        key.account,
        key.name,
        scopes.join(",")
    )
}

impl Place {
    async fn open(&self, outside: &Outside) -> anyhow::Result<Ring> {
        if let Some(url) = &self.url {
            return Ok(Ring::Remote(
                Remote::connect(url, presented(self.key_file.as_deref())?).await?,
            ));
        }
        let settings = load(&self.configuration.layers())?.settings;
        Ok(Ring::Local(Backroom::at_rest(&settings, outside)?))
    }
}

/// A running server, for the commands that ask nobody else.
#[derive(Debug, clap::Args)]
pub(crate) struct Server {
    /// The running server, like http://127.0.0.1:8080
    #[arg(long)]
    url: String,
    /// File that holds the API key; TIDEGATE_API_KEY may hold it instead
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// As one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

impl Server {
    pub(super) async fn open(&self) -> anyhow::Result<Remote> {
        Remote::connect(&self.url, presented(self.key_file.as_deref())?).await
    }
}

/// Who is asked about keys.
enum Ring {
    /// A running server.
    Remote(Remote),
    /// A data directory that this process has.
    Local(Backroom),
}

impl Ring {
    async fn create(self, body: CreateKey, idempotency: String) -> anyhow::Result<CreatedKey> {
        match self {
            Self::Remote(mut server) => {
                let body = serde_json::to_vec(&body)?;
                server.change("POST", "/v1/keys", &idempotency, &body).await
            }
            Self::Local(shop) => {
                body.checked()?;
                let call = house_call(&body.account, &idempotency);
                let made = Keys::create(&*shop.handle(), call, body).await;
                shop.stop().await;
                Ok(made?.body)
            }
        }
    }

    async fn list(self) -> anyhow::Result<ApiKeys> {
        match self {
            Self::Remote(mut server) => server.get("/v1/keys").await,
            Self::Local(shop) => {
                let keys = every_key(&shop.handle()).await;
                shop.stop().await;
                Ok(ApiKeys { keys: keys? })
            }
        }
    }

    async fn revoke(self, id: KeyId, idempotency: String) -> anyhow::Result<ApiKey> {
        match self {
            Self::Remote(mut server) => {
                let path = format!("/v1/keys/{id}");
                server.change("DELETE", &path, &idempotency, b"").await
            }
            Self::Local(shop) => {
                let book = shop.handle().registry().house().book();
                // A key that does not exist belongs to no account, and the shop says so.
                let account = book
                    .key(id.0)
                    .map(|key| key.account.clone())
                    .unwrap_or_default();
                let call = house_call(&account, &idempotency);
                let revoked = Keys::revoke(&*shop.handle(), call, id).await;
                shop.stop().await;
                Ok(revoked?.body)
            }
        }
    }
}

/// The keys of all accounts; over HTTP a key sees only those of its own.
async fn every_key(handle: &Handle) -> Result<Vec<ApiKey>, Problem> {
    let book = handle.registry().house().book();
    let accounts: BTreeSet<&str> = book.keys().map(|key| &*key.account).collect();
    let mut keys = Vec::new();
    for account in accounts {
        keys.extend(Keys::list(handle, house_call(account, "")).await?.body.keys);
    }
    Ok(keys)
}
