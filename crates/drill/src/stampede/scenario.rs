//! Scenarios beyond the plain stampede: a group buy, a pre-sale, a lottery, and a provider at its worst. The same server,
//! the same kills, the same verdict; the crowd and the oracles are smaller, since they look at teams and money.

mod accounts;
mod sale;
mod visitor;

use super::child::Server;
use super::door::{Door, body};
use super::fault::Fault;
use super::memory::Receipts;
use super::outcome::{Account, Outage, Outcome};
use super::tally::{Tally, count, read};
use super::{Settings, StampedeError, Tools};
use crate::chance::Chance;
use crate::client::{Patience, Pool, Request};
use crate::watch::Watcher;
pub(super) use accounts::{Accounts, Books};
use api::order::{Order, OrderState};
use api::team::{Team, TeamPage, TeamState};
use api::{OrderId, SaleId};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use visitor::Visitor;
use world::{Clock, SystemClock};

/// Pause between two kills.
const KILL_EVERY: Duration = Duration::from_secs(2);
/// How long loose ends may take.
const SETTLE_MAX: Duration = Duration::from_secs(120);
/// Pause between two looks at them.
const LOOK: Duration = Duration::from_millis(250);

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
    let mut told = Vec::new();
    while let Some(orders) = crowd.join_next().await {
        told.extend(orders.unwrap_or_default());
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
    let accounts = Accounts::of(&audit, &*tools.provider, &seen.teams);
    let mut findings = accounts.judge(&audit, &*tools.provider, &told, &seen);
    let (receipts, forks) = door.receipts.all();
    for words in forks.into_iter().chain(unclean) {
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
        books: accounts.books,
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

/// What was seen last of orders and teams.
#[derive(Debug, Default)]
struct Seen {
    orders: BTreeMap<OrderId, Order>,
    teams: Vec<Team>,
}

impl Seen {
    /// Orders and teams that are not at their end.
    fn loose(&self) -> u64 {
        let orders = self.orders.values().filter(|order| is_loose(order));
        let teams = self.teams.iter().filter(|team| {
            let settlement = team.settlement.as_ref();
            let unsettled = settlement.is_some_and(|of| of.settled < of.orders);
            team.state == TeamState::Open || unsettled
        });
        (orders.count() + teams.count()) as u64
    }
}

fn is_loose(order: &Order) -> bool {
    let open = matches!(
        order.state,
        OrderState::Held | OrderState::Paying | OrderState::Deposited
    );
    open || order.refund_pending_minor > 0
}

/// Looks until nothing is loose, or the time is over.
async fn settle(door: &Arc<Door>, tools: &Tools, sale: SaleId, told: &[OrderId]) -> Seen {
    let until = door.clock.monotonic() + SETTLE_MAX;
    let mut seen = Seen::default();
    loop {
        for id in told {
            if seen.orders.get(id).is_none_or(is_loose)
                && let Some(order) = look(door, tools, &format!("/v1/orders/{id}")).await
            {
                seen.orders.insert(*id, order);
            }
        }
        seen.teams = teams(door, tools, sale).await;
        if seen.loose() == 0 || door.clock.monotonic() >= until {
            return seen;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn look<T: serde::de::DeserializeOwned>(door: &Door, tools: &Tools, path: &str) -> Option<T> {
    let request = Request::get(path, &tools.merchant_key);
    let heard = door.insist(&request, &Chance::new(0, 0)).await;
    heard.ok().as_ref().and_then(body)
}

/// All teams of the sale.
async fn teams(door: &Door, tools: &Tools, sale: SaleId) -> Vec<Team> {
    let mut all = Vec::new();
    let mut path = format!("/v1/sales/{sale}/teams?limit=200");
    while let Some(page) = look::<TeamPage>(door, tools, &path).await {
        all.extend(page.teams);
        let Some(cursor) = page.next_cursor else {
            break;
        };
        path = format!("/v1/sales/{sale}/teams?limit=200&cursor={cursor}");
    }
    all
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
