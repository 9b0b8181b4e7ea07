//! `tidegate saga`: looks at what is under way outside for paid orders, and decides about what is parked.

use super::keys::Server;
use crate::outside::{Outside, runtime};
use crate::terminal;
use api::sending::{Saga, SagaPage};
use api::{OrderId, SaleId};
use std::process::ExitCode;

/// Look at the sagas of paid orders, and decide about parked ones
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  tidegate saga list sale_00001 --url http://127.0.0.1:8080 --key-file admin.key
  tidegate saga list sale_00001 --stage parked --url http://127.0.0.1:8080 --json
  tidegate saga retry ord_00000000001 --url http://127.0.0.1:8080 --key-file admin.key")]
pub(crate) enum Command {
    /// List the sagas of a sale that are not over
    List {
        /// Which sale, like sale_00001
        sale: SaleId,
        /// Only those in this stage, like parked, undo_parked or done
        #[arg(long)]
        stage: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Show the saga of an order, step by step
    Show {
        /// Which order, like ord_…
        order: OrderId,
        #[command(flatten)]
        server: Server,
    },
    /// Try the parked or waiting step again, now
    Retry {
        /// Which order, like ord_…
        order: OrderId,
        #[command(flatten)]
        server: Server,
    },
    /// Take the parked step as settled outside
    Skip {
        /// Which order, like ord_…
        order: OrderId,
        #[command(flatten)]
        server: Server,
    },
    /// Take everything back, as long as the pivot is not done
    Compensate {
        /// Which order, like ord_…
        order: OrderId,
        #[command(flatten)]
        server: Server,
    },
}

impl Command {
    /// Looks or decides.
    ///
    /// # Errors
    /// What the server refuses, or that none answers.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        runtime()?.block_on(async {
            match self {
                Self::List {
                    sale,
                    stage,
                    server,
                } => list(sale, stage, &server).await,
                Self::Show { order, server } => {
                    let mut remote = server.open().await?;
                    let saga: Saga = remote.get(&format!("/v1/sagas/{order}")).await?;
                    server.tell(&saga, || shown(&saga))
                }
                Self::Retry { order, server } => decide(order, "retry", &server).await,
                Self::Skip { order, server } => decide(order, "skip", &server).await,
                Self::Compensate { order, server } => decide(order, "compensate", &server).await,
            }
        })
    }
}

async fn list(sale: SaleId, stage: Option<String>, server: &Server) -> anyhow::Result<ExitCode> {
    let mut remote = server.open().await?;
    let stage = stage.map_or_else(String::new, |stage| format!("&stage={stage}"));
    let path = format!("/v1/sagas?sale_id={sale}{stage}");
    let page: SagaPage = remote.get(&path).await?;
    server.tell(&page, || {
        let mut text: String = page.sagas.iter().map(line).collect();
        if page.more {
            text.push_str("there are more; --stage narrows the list\n");
        }
        let age = page.oldest_unfinished_ms;
        text.push_str(&format!("oldest unfinished step: {age} ms\n"));
        text
    })
}

async fn decide(order: OrderId, verb: &str, server: &Server) -> anyhow::Result<ExitCode> {
    let mut remote = server.open().await?;
    let path = format!("/v1/sagas/{order}/{verb}");
    let key = Outside::real().name();
    let saga: Saga = remote.change("POST", &path, &key, b"").await?;
    server.tell(&saga, || shown(&saga))
}

fn line(saga: &Saga) -> String {
    format!(
        "{}  {}  {}  step {}, attempt {}, since {}\n",
        saga.order_id, saga.kind, saga.stage, saga.step, saga.attempt, saga.since
    )
}

fn shown(saga: &Saga) -> String {
    let mut text = line(saga);
    for step in &saga.steps {
        let pivot = if step.pivot { "  pivot" } else { "" };
        text.push_str(&format!(
            "  {:<8} {:<8} {}{pivot}\n",
            step.step, step.state, step.key
        ));
    }
    text
}

impl Server {
    fn tell(
        &self,
        report: &impl serde::Serialize,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<ExitCode> {
        if self.json {
            terminal::print_json(report)?;
        } else {
            terminal::print(&text())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
