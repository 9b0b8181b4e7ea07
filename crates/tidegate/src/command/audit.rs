//! `tidegate audit`: who did what to the house.

use super::place::{Found, Place};
use crate::outside::{Outside, runtime};
use crate::server::{Backroom, house_call};
use crate::terminal;
use api::Time;
use api::audit::{AuditEntry, AuditPage, AuditQuery};
use api::check::Check;
use api::service::Audits;
use std::process::ExitCode;

/// Look at the record of administrative acts
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  tidegate audit list --data shop-data
  tidegate audit list --what sale --after 2026-11-11T00:00:00Z --url http://127.0.0.1:8080 --key-file auditor.key")]
pub(crate) enum Command {
    /// List acts, oldest first; in a data directory those of all accounts
    List {
        /// Acts of this key, like key_…; `house` for commands on the machine itself
        #[arg(long)]
        who: Option<String>,
        /// Acts of this kind, like sale.pause, or of a group, like sale
        #[arg(long)]
        what: Option<String>,
        /// Acts on this, like sale_00001
        #[arg(long)]
        subject: Option<String>,
        /// Acts at or after this time, in RFC 3339
        #[arg(long)]
        after: Option<Time>,
        /// Acts before this time
        #[arg(long)]
        before: Option<Time>,
        #[command(flatten)]
        place: Place,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    /// Lists.
    ///
    /// # Errors
    /// `TG-4001` when a server has the directory, or what the server refuses.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self::List {
            who,
            what,
            subject,
            after,
            before,
            place,
            json,
        } = self;
        let query = AuditQuery {
            who: who.map(Into::into),
            what: what.map(Into::into),
            subject: subject.map(Into::into),
            after,
            before,
            cursor: None,
            limit: Some(api::limits::PAGE_MAX),
        };
        query.checked()?;
        let outside = Outside::real();
        runtime()?.block_on(async {
            let found = place.open(&outside).await?;
            list(found, query, json).await
        })
    }
}

async fn list(mut found: Found, mut query: AuditQuery, json: bool) -> anyhow::Result<ExitCode> {
    loop {
        let page = match &mut found {
            Found::Remote(server) => server.get(&path(&query)).await,
            Found::Local(shop) => local(shop, query.clone()).await,
        };
        let page: AuditPage = match page {
            Ok(page) => page,
            Err(error) => {
                close(found).await;
                return Err(error);
            }
        };
        for act in &page.acts {
            if json {
                terminal::print(&format!("{}\n", serde_json::to_string(act)?))?;
            } else {
                terminal::print(&line(act))?;
            }
        }
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            close(found).await;
            return Ok(ExitCode::SUCCESS);
        }
    }
}

async fn close(found: Found) {
    if let Found::Local(shop) = found {
        shop.stop().await;
    }
}

/// An account without a name is the house's own, and sees everything.
async fn local(shop: &Backroom, query: AuditQuery) -> anyhow::Result<AuditPage> {
    let handle = shop.handle();
    Ok(Audits::acts(&*handle, house_call("", ""), query)
        .await?
        .body)
}

fn path(query: &AuditQuery) -> String {
    let mut pairs = vec![("limit", api::limits::PAGE_MAX.to_string())];
    let texts = [
        ("who", &query.who),
        ("what", &query.what),
        ("subject", &query.subject),
        ("cursor", &query.cursor),
    ];
    let texts = texts.into_iter();
    pairs.extend(texts.filter_map(|(name, text)| Some((name, escaped(text.as_deref()?)))));
    let times = [("after", query.after), ("before", query.before)].into_iter();
    pairs.extend(times.filter_map(|(name, time)| Some((name, escaped(&time?.to_string())))));
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("/v1/audit?{}", pairs.join("&"))
}

/// A text in a query.
pub(super) fn escaped(text: &str) -> String {
    let letter = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(letter).collect()
}

fn line(act: &AuditEntry) -> String {
    let change = |name: &str, value: &Option<serde_json::Value>| {
        value
            .as_ref()
            .map(|value| format!("  {name} {value}"))
            .unwrap_or_default()
    };
    format!(
        "{}  {}  {}  {}  {}{}{}{}\n",
        act.at,
        if act.account.is_empty() {
            "-"
        } else {
            &act.account
        },
        act.who,
        act.what,
        act.subject,
        change("before", &act.before),
        change("after", &act.after),
        act.trace_id
            .as_ref()
            .map(|trace| format!("  trace {trace}"))
            .unwrap_or_default()
    )
}
