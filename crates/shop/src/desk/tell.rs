//! What watchers and metrics are told about a sale.

use std::collections::VecDeque;
use std::sync::Arc;

use commerce::book::TeamState;
use commerce::{Book, OrderStatus, Refusal, SaleState, Time};
use ledger::UnitAccount;

/// SKUs that watchers see, at most.
const SKUS_SHOWN: usize = 200;
/// Orders, and teams, that changed lately, at most.
const RECENT_SHOWN: usize = 16;

/// Refused orders by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refusals {
    /// Not enough units were left.
    pub sold_out: u64,
    /// A purchase limit was reached.
    pub limit: u64,
    /// The sale did not sell.
    pub not_open: u64,
    /// A rule did not admit the buyer.
    pub not_eligible: u64,
    /// Anything else.
    pub other: u64,
}

impl Refusals {
    pub(super) fn count(&mut self, refusal: &Refusal) {
        let counter = match refusal {
            Refusal::SoldOut { .. } => &mut self.sold_out,
            Refusal::Limit { .. } => &mut self.limit,
            Refusal::NotOpen { .. } | Refusal::NoSale => &mut self.not_open,
            Refusal::NotEligible { .. } => &mut self.not_eligible,
            _ => &mut self.other,
        };
        *counter += 1;
    }

    pub(super) fn add(&mut self, more: &Self) {
        self.sold_out += more.sold_out;
        self.limit += more.limit;
        self.not_open += more.not_open;
        self.not_eligible += more.not_eligible;
        self.other += more.other;
    }

    /// All of them.
    pub fn sum(&self) -> u64 {
        self.sold_out + self.limit + self.not_open + self.not_eligible + self.other
    }
}

/// An order that changed lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentOrder {
    /// Its number.
    pub order: u32,
    /// Where it stands.
    pub status: OrderStatus,
    /// Its units.
    pub units: u64,
}

/// A team that changed lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentTeam {
    /// Its number.
    pub team: u32,
    /// How it stands.
    pub state: TeamState,
    /// Seats that are paid, or filled by the house.
    pub filled: u32,
    /// All its seats.
    pub seats: u32,
}

/// A sale as watchers see it: durable always, up to a tenth of a second old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveView {
    /// Book time.
    pub now: Time,
    /// The sale's state.
    pub state: SaleState,
    /// Its first 200 SKUs.
    pub skus: Vec<(Arc<str>, UnitAccount)>,
    /// Orders accepted in the last second.
    pub orders_per_s: u64,
    /// Orders accepted since the desk opened.
    pub accepted: u64,
    /// Orders refused since the desk opened.
    pub refused: Refusals,
    /// Orders that changed lately, newest first.
    pub recent: Vec<RecentOrder>,
    /// Teams that changed lately, newest first.
    pub teams: Vec<RecentTeam>,
}

/// Counts what the desk does, and makes views of it.
#[derive(Debug, Default)]
pub(super) struct Counters {
    accepted: u64,
    refused: Refusals,
    recent: VecDeque<u32>,
    teams: VecDeque<u32>,
    /// Accepted orders so far at moments of the last second.
    pace: VecDeque<(Time, u64)>,
}

impl Counters {
    pub(super) fn add(
        &mut self,
        accepted: u64,
        refused: &Refusals,
        changed: &[u32],
        teams: &[u32],
    ) {
        self.accepted += accepted;
        self.refused.add(refused);
        remember(&mut self.recent, changed);
        remember(&mut self.teams, teams);
    }

    pub(super) fn view(&mut self, book: &Book, now: Time) -> LiveView {
        while self
            .pace
            .front()
            .is_some_and(|(at, _)| at.after_ms(1_000) <= now)
        {
            self.pace.pop_front();
        }
        let before = self
            .pace
            .front()
            .map_or(self.accepted, |(_, accepted)| *accepted);
        self.pace.push_back((now, self.accepted));
        let recent = self.recent.iter().filter_map(|&order| {
            let found = book.order(order)?;
            Some(RecentOrder {
                order,
                status: found.status(),
                units: found.units(),
            })
        });
        LiveView {
            now,
            state: book.state(),
            skus: book
                .skus()
                .take(SKUS_SHOWN)
                .map(|sku| (sku.sku().clone(), sku.units()))
                .collect(),
            orders_per_s: self.accepted - before,
            accepted: self.accepted,
            refused: self.refused,
            recent: recent.collect(),
            teams: self
                .teams
                .iter()
                .filter_map(|&team| recent_team(book, team))
                .collect(),
        }
    }
}

/// The newest first, each once.
fn remember(recent: &mut VecDeque<u32>, changed: &[u32]) {
    for &number in changed {
        recent.retain(|&other| other != number);
        recent.push_front(number);
    }
    recent.truncate(RECENT_SHOWN);
}

fn recent_team(book: &Book, number: u32) -> Option<RecentTeam> {
    let team = book.team(number)?;
    let (seats, _, paid, house) = team.seats();
    Some(RecentTeam {
        team: number,
        state: team.state(),
        filled: paid + house,
        seats,
    })
}
