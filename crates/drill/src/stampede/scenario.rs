//! Scenarios beyond the plain stampede: a group buy, a pre-sale, a lottery, and a provider at its worst. The same server,
//! the same kills, the same verdict; the crowd and the oracles are smaller, since they look at teams and money.

mod accounts;
mod ending;
mod sale;
mod visitor;

use super::child::Server;
use super::door::Door;
use super::fault::Fault;
use super::memory::Receipts;
use super::outcome::{Account, Outage, Outcome};
use super::tally::{Tally, count, read};
use super::verify::Findings;
use super::{Settings, StampedeError, Tools};
use crate::client::{Patience, Pool};
use crate::watch::Watcher;
pub(super) use accounts::Books;
use accounts::judge;
pub(super) use ending::Seen;
use ending::settle;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use visitor::Visitor;
use world::{Clock, SystemClock};

/// Pause between two kills.
const KILL_EVERY: Duration = Duration::from_secs(2);

/// What is rehearsed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scenario {
    /// A stampede for a few units.
    #[default]
    Flash,
    /// Teams of five with tiers, some of which fail.
    Group,
    /// A deposit at once, the balance in a window.
    Presale,
    /// Teams of five that are drawn for two prizes.
    Lottery,
    /// Plain orders, and a provider that declines, delays, forgets and says things twice.
    PaymentsFromHell,
}

/// No scenario has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no scenario is called {0}; there are flash, group, presale, lottery and payments-from-hell"
)]
pub struct UnknownScenario(String);

impl Scenario {
    const ALL: [Self; 5] = [
        Self::Flash,
        Self::Group,
        Self::Presale,
        Self::Lottery,
        Self::PaymentsFromHell,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flash => "flash",
            Self::Group => "group",
            Self::Presale => "presale",
            Self::Lottery => "lottery",
            Self::PaymentsFromHell => "payments-from-hell",
        }
    }
}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|one| one.name() == name);
        found.ok_or_else(|| UnknownScenario(name.to_owned()))
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The rehearsal, from the first start to the verdict.
pub(super) async fn rehearse(
    settings: Settings,
    tools: &Tools,
    watcher: &dyn Watcher,
) -> Result<Outcome, StampedeError> {
    watcher.stage("starting the server");
    let mut server = Server::start(tools).await?;
    let door = door(&settings, tools)?;
    let sale = sale::open(&door, tools, &settings).await?;
    watcher.stage(settings.scenario.name());
    let started = door.clock.monotonic();
    let mut crowd = JoinSet::new();
    for number in 0..settings.buyers {
        crowd.spawn(Visitor::new(number, &settings, &door, tools, sale).visit());
    }
    let outages = kill(&settings, &mut server, tools, watcher, (&door, started)).await?;
    let (mut told, mut broken) = (Vec::new(), Vec::new());
    while let Some(visited) = crowd.join_next().await {
        match visited {
            Ok(orders) => told.extend(orders),
            Err(error) => broken.push(format!("a buyer broke: {error}")),
        }
        count(&door.tally.gone);
        watcher.progress(read(&door.tally.gone), settings.buyers.into());
    }
    let elapsed = door.clock.monotonic().saturating_sub(started);
    watcher.stage("waiting for loose ends");
    let gone = door.clock.monotonic();
    let seen = settle(&door, tools, sale, &told).await;
    let settled = door.clock.monotonic().saturating_sub(gone);
    watcher.stage("stopping the server");
    let unclean = server.stop().await?;
    watcher.stage("verifying");
    let audit = (tools.audit)(&tools.data).map_err(StampedeError::Audit)?;
    let books = Books::of(&audit, &*tools.provider, &seen);
    let (receipts, forks) = door.receipts.all();
    let mut findings = Findings::default();
    judge(
        &mut findings,
        (&audit, &*tools.provider),
        (&told, &receipts),
        &seen,
    );
    findings.lost += forks.len() as u64;
    for words in forks.into_iter().chain(unclean).chain(broken) {
        findings.say(words);
    }
    Ok(Outcome::new(Account {
        settings,
        tally: &door.tally,
        audit: &audit,
        findings,
        outages,
        elapsed,
        settled,
        requests: read(&door.tally.requests),
        receipts: receipts.len() as u64,
        samples: Vec::new(),
        books,
    }))
}

fn door(settings: &Settings, tools: &Tools) -> Result<Arc<Door>, StampedeError> {
    let clock = Arc::new(SystemClock::new());
    let connections = usize::try_from(settings.connections).unwrap_or(usize::MAX);
    let patience = Patience::default();
    Ok(Arc::new(Door {
        pool: Pool::new(tools.public, connections, patience, Arc::clone(&clock)),
        tally: Tally::new()?,
        receipts: Receipts::default(),
        clock,
    }))
}

/// Kills the server now and then while the crowd is in it.
async fn kill(
    settings: &Settings,
    server: &mut Server,
    tools: &Tools,
    watcher: &dyn Watcher,
    (door, started): (&Door, Duration),
) -> Result<Vec<Outage>, StampedeError> {
    let mut outages = Vec::new();
    for nth in 1..=settings.kills {
        tokio::time::sleep(KILL_EVERY).await;
        let from = door.clock.monotonic();
        server.kill().await?;
        *server = Server::start(tools).await?;
        let lasted = door.clock.monotonic().saturating_sub(from);
        watcher.note(&format!(
            "killed for the {nth}. time, back after {} ms",
            lasted.as_millis()
        ));
        outages.push(Outage {
            fault: Fault::Kill,
            from: from.saturating_sub(started),
            lasted,
            healed: lasted,
        });
    }
    Ok(outages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_found_by_its_name_and_no_other() {
        for scenario in Scenario::ALL {
            assert_eq!(scenario.name().parse(), Ok(scenario));
        }
        let unknown = "flush".parse::<Scenario>();
        assert!(unknown.is_err_and(|error| error.to_string().contains("flush")));
    }
}
