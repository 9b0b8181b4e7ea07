//! What people want of an offer: to open a team, to join one, to pay what they were offered from the line; and who keeps
//! the seeds of draws.

use std::sync::Arc;
use std::time::Duration;

use commerce::book::TicketState;
use commerce::deal::{Commit, DealAsk, Seed, TeamAsk};
use commerce::offer::Offer;
use commerce::{Action, Actor, Book, Command, OrderStatus, Report};

use super::floor::Floor;
use crate::chance::Chance;

/// From which the seeds of all draws are made.
const SECRET: [u8; 32] = [0x5e; 32];

/// What somebody saw when he looked at the sale.
#[derive(Clone, Debug, Default)]
pub(super) struct Glance {
    /// SKUs with teams, and whether their teams draw.
    pub(super) groups: Vec<(Arc<str>, bool)>,
    /// Teams that may be joined, and what they buy.
    pub(super) open: Vec<(u32, Arc<str>)>,
    /// Orders from the line that nobody has paid yet, and for whom.
    pub(super) offered: Vec<(u32, Arc<str>)>,
    /// SKUs that are sold out or have a line.
    pub(super) scarce: Vec<Arc<str>>,
    /// What is offered.
    pub(super) offer: Offer,
}

/// What a book shows to everybody.
pub(super) fn glance(book: &Book) -> Glance {
    let offer = book.offered().cloned().unwrap_or_default();
    let groups = offer.groups.iter();
    let groups = groups.map(|rule| (rule.sku.clone(), rule.prizes.is_some()));
    let open = book.teams().filter(|team| team.is_joinable());
    let tickets = (0..).map_while(|number| book.ticket(number));
    let offered = tickets.filter_map(|ticket| match ticket.state {
        TicketState::Offered { order } => Some((order, ticket.buyer)),
        TicketState::Waiting | TicketState::Left => None,
    });
    let held = |order: u32| {
        let order = book.order(order);
        order.is_some_and(|order| order.status() == OrderStatus::Held)
    };
    let skus = (0..).map_while(|at| Some((at, book.sku_at(at)?)));
    let scarce =
        skus.filter(|(at, sku)| sku.units().available().0 == 0 || book.line_length(*at) > 0);
    Glance {
        groups: groups.collect(),
        open: open
            .map(|team| (team.number(), team.rule().sku.clone()))
            .collect(),
        offered: offered
            .filter(|(order, _)| held(*order))
            .map(|(order, buyer)| (order, buyer.into()))
            .collect(),
        scarce: scarce.map(|(_, sku)| sku.sku().clone()).collect(),
        offer,
    }
}

impl Glance {
    /// The seat that somebody asks for, and of which SKU.
    pub(super) fn seat(&self, chance: &mut Chance) -> Option<(Arc<str>, bool, DealAsk)> {
        if self.groups.is_empty() || chance.hits(200) {
            return None;
        }
        let draws = |sku: &str| {
            self.groups
                .iter()
                .any(|(own, draws)| **own == *sku && *draws)
        };
        if !self.open.is_empty() && chance.hits(750) {
            let (team, sku) = chance.pick(&self.open).clone();
            let team = match chance.hits(30) {
                true => team + 1,
                false => team,
            };
            let ask = Some(TeamAsk::Join { team });
            return Some((sku.clone(), draws(&sku), seat_of(ask)));
        }
        let (sku, draws) = chance.pick(&self.groups).clone();
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&chance.next().to_le_bytes());
        let commit = draws.then(|| Commit {
            nonce,
            hash: hmac_sha256::Hash::hash(&seed_of(nonce)),
        });
        let ask = Some(TeamAsk::Open { commit });
        Some((sku, draws, seat_of(ask)))
    }
}

fn seat_of(team: Option<TeamAsk>) -> DealAsk {
    DealAsk {
        team,
        ..DealAsk::default()
    }
}

fn seed_of(nonce: [u8; 16]) -> Seed {
    *blake3::keyed_hash(&SECRET, &nonce).as_bytes()
}

/// Opens the seeds of full lottery teams, late, twice, and now and then a wrong one.
pub(super) async fn keep_seeds(floor: Floor, mut chance: Chance) {
    loop {
        let wait = Duration::from_millis(chance.between(50, 4_000));
        floor.street.sleep(wait).await;
        let Some(desk) = floor.desk() else { continue };
        let due = desk.ask(|book: &Book| book.draws_due().collect::<Vec<_>>());
        let Ok(due) = due.await else { continue };
        floor.memory().saw(due.position);
        for (team, commit) in due.value {
            if chance.hits(200) {
                floor.insist(&[opened(team, [9; 32])]).await;
            }
            let tells = 1 + u32::from(chance.hits(200));
            for _ in 0..tells {
                floor.insist(&[opened(team, seed_of(commit.nonce))]).await;
            }
        }
    }
}

fn opened(team: u32, seed: Seed) -> Command {
    Command {
        actor: Actor::House,
        key: None,
        action: Action::Report(Report::Seed { team, seed }),
    }
}
