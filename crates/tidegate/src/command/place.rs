//! Where a command finds its shop: at a running server, or in a data directory that no server has.

use super::Configuration;
use crate::failure::Failure;
use crate::outside::Outside;
use crate::remote::Remote;
use crate::server::Backroom;
use crate::settings::{API_KEY, Settings, api_key, load};
use api::{Code, SaleId};
use std::path::{Path, PathBuf};

/// Where the shop is.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    #[command(flatten)]
    configuration: Configuration,
    /// Ask the running server at this address instead, like http://127.0.0.1:8080
    #[arg(long, conflicts_with = "data")]
    url: Option<String>,
    /// File that holds the API key for --url; TIDEGATE_API_KEY may hold it instead
    #[arg(long, value_name = "FILE", requires = "url")]
    key_file: Option<PathBuf>,
}

/// Who is asked.
pub(super) enum Found {
    /// A running server.
    Remote(Remote),
    /// A data directory that this process has.
    Local(Backroom),
}

impl Place {
    /// Connects, or takes the directory.
    ///
    /// # Errors
    /// `TG-4001` when a server has the directory; what keeps it from being opened.
    pub(super) async fn open(&self, outside: &Outside) -> anyhow::Result<Found> {
        self.find(|settings| Backroom::at_rest(settings, outside))
            .await
    }

    /// The same; in a directory the lists of this sale are brought up to its journal first.
    ///
    /// # Errors
    /// As [`Place::open`], and what keeps the journal from being read.
    pub(super) async fn open_lists(
        &self,
        outside: &Outside,
        sale: SaleId,
    ) -> anyhow::Result<Found> {
        self.find(|settings| Backroom::at_rest_with_lists(settings, outside, sale))
            .await
    }

    async fn find(
        &self,
        take: impl FnOnce(&Settings) -> anyhow::Result<Backroom>,
    ) -> anyhow::Result<Found> {
        let Some(url) = &self.url else {
            let settings = load(&self.configuration.layers())?.settings;
            return Ok(Found::Local(take(&settings)?));
        };
        let key = presented(self.key_file.as_deref())?;
        Ok(Found::Remote(Remote::connect(url, key).await?))
    }
}

/// The API key for a running server.
///
/// # Errors
/// There is none, or its file cannot be read.
pub(super) fn presented(file: Option<&Path>) -> anyhow::Result<String> {
    let mend = format!("put it into a file and give --key-file, or into {API_KEY}");
    let Some(path) = file else {
        let missing = || Failure::new(Code::NotAuthenticated, "--url needs an API key", mend);
        return Ok(api_key().ok_or_else(missing)?);
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = format!("cannot read {}: {error}", path.display());
        Failure::new(Code::MissingFile, what, mend)
    })?;
    Ok(text.trim().to_owned())
}
