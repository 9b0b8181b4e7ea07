//! `tidegate notices`: looks at notices that were given up, and tries them again.

use super::keys::Server;
use crate::outside::{Outside, runtime};
use crate::terminal;
use api::sending::{DeadNotice, DeadNotices, NoticesRetried};
use std::process::ExitCode;

/// Look at notices that were given up, and try them again
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  tidegate notices dead --url http://127.0.0.1:8080 --key-file admin.key
  tidegate notices retry --url http://127.0.0.1:8080 --key-file admin.key --json")]
pub(crate) enum Command {
    /// List the notices that were given up
    Dead {
        #[command(flatten)]
        server: Server,
    },
    /// Try them again
    Retry {
        #[command(flatten)]
        server: Server,
    },
}

impl Command {
    /// Looks or tries again.
    ///
    /// # Errors
    /// What the server refuses, or that none answers.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        runtime()?.block_on(async {
            match self {
                Self::Dead { server } => {
                    let mut remote = server.open().await?;
                    let dead: DeadNotices = remote.get("/v1/notices/dead").await?;
                    match server.json {
                        true => terminal::print_json(&dead)?,
                        false => {
                            terminal::print(&dead.notices.iter().map(line).collect::<String>())?
                        }
                    }
                }
                Self::Retry { server } => {
                    let mut remote = server.open().await?;
                    let key = Outside::real().name();
                    let path = "/v1/notices/retry";
                    let again: NoticesRetried = remote.change("POST", path, &key, b"").await?;
                    match server.json {
                        true => terminal::print_json(&again)?,
                        false => terminal::print(&format!("{} are tried again\n", again.notices))?,
                    }
                }
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

fn line(notice: &DeadNotice) -> String {
    format!(
        "{}  {}  {}  {} after {} tries: {}\n",
        notice.at, notice.order_id, notice.event, notice.channel, notice.attempts, notice.reason
    )
}
