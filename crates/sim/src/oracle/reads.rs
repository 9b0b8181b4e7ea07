//! Monotonic reads: what one client has seen of a sale never goes back, not even across a restart.

use std::collections::BTreeMap;

use api::line::{Ticket, TicketState};
use api::order::OrderState;
use api::team::{Team, TeamState};
use api::{OrderId, Position, SaleId, TeamId, TicketId};

use super::deeds::{Deed, Heard, Shown};
use crate::record::Finding;

/// What one client has seen.
#[derive(Default)]
struct Memory {
    at: BTreeMap<SaleId, u64>,
    /// The state of each order, and whether its deposit was paid.
    orders: BTreeMap<OrderId, (OrderState, bool)>,
    teams: BTreeMap<TeamId, TeamState>,
    /// Places in the line, and how many were before them; nobody for one that has ended.
    tickets: BTreeMap<TicketId, (TicketState, Option<u32>)>,
}

impl Memory {
    /// What is wrong with a team that is seen now: what has come about, or failed, stays so.
    fn sees_team(&mut self, team: &Team) -> Option<String> {
        let before = self.teams.insert(team.id, team.state)?;
        let undone = before != TeamState::Open && before != team.state;
        let (from, to) = (before.name(), team.state.name());
        undone.then(|| format!("{} went back from {from} to {to}", team.id))
    }

    /// What is wrong with a place in the line that is seen now: nobody gets before it, and it never waits again.
    fn sees_ticket(&mut self, ticket: &Ticket) -> Option<String> {
        let now = (ticket.state, ticket.position);
        let (state, position) = self.tickets.insert(ticket.id, now)?;
        if state != TicketState::Waiting && state != ticket.state {
            return Some(format!(
                "{} was {state:?} and is {:?}",
                ticket.id, ticket.state
            ));
        }
        let back = position.zip(ticket.position).filter(|(was, is)| is > was);
        back.map(|(was, is)| format!("{} went back from {was} to {is} in line", ticket.id))
    }

    /// The teams and places of an answer.
    fn sees(&mut self, shown: &Shown) -> Option<String> {
        match shown {
            Shown::Team(team) => self.sees_team(team),
            Shown::Teams(page) => page.teams.iter().find_map(|team| self.sees_team(team)),
            Shown::Ticket(ticket) => self.sees_ticket(ticket),
            _ => None,
        }
    }
}

/// Everything that went back under a client's eyes.
pub(super) fn judge(deeds: &[Deed<'_>], findings: &mut Vec<Finding>) {
    let mut memories: BTreeMap<u32, Memory> = BTreeMap::new();
    for deed in deeds {
        let Heard::Yes { shown, .. } = &deed.heard else {
            continue;
        };
        let memory = memories.entry(deed.call.client).or_default();
        for (sale, position) in of_the_book(deed) {
            let seen = memory.at.entry(sale).or_default();
            if position.sequence < *seen {
                let what = format!(
                    "{sale} went back from batch {seen} to {}: {}",
                    position.sequence,
                    deed.name()
                );
                findings.push(Finding::new("monotonic reads", what));
            }
            *seen = position.sequence.max(*seen);
        }
        if let Some(what) = memory.sees(shown) {
            let what = format!("{what}: {}", deed.name());
            findings.push(Finding::new("monotonic reads", what));
        }
        // Lists of orders come from the read models, which may lag behind the book.
        if let Shown::Order(order) = shown {
            let deposit = order.dues.is_some_and(|dues| dues.deposit_paid);
            let before = memory.orders.insert(order.id, (order.state, deposit));
            // A deposit that came late, and took the units again, makes an order wait anew.
            let anew = |had: bool| deposit && !had;
            let back = before.filter(|(state, had)| !anew(*had) && goes_back(*state, order.state));
            if let Some((before, _)) = back {
                let (from, to) = (before.name(), order.state.name());
                let what = format!(
                    "{} went back from {from} to {to}: {}",
                    order.id,
                    deed.name()
                );
                findings.push(Finding::new("monotonic reads", what));
            }
        }
    }
}

/// Positions that an answer took from the book itself.
fn of_the_book(deed: &Deed<'_>) -> Vec<(SaleId, Position)> {
    match &deed.heard {
        Heard::Yes {
            shown: Shown::Page(_),
            ..
        } => Vec::new(),
        _ => super::answer::receipts(deed),
    }
}

/// No machine of states leads from the one to the other. Money may go back and come again, and what ran out may be
/// paid late, but what is paid is never merely held again.
fn goes_back(before: OrderState, now: OrderState) -> bool {
    use OrderState::{
        Cancelled, Delivered, Deposited, Expired, Held, Paid, Paying, Refunded, Shipped,
    };
    match before {
        Held | Paying | Deposited => false,
        Expired => matches!(now, Held | Paying),
        Paid | Refunded => matches!(now, Held | Paying | Expired),
        Shipped => matches!(now, Held | Paying | Expired | Paid | Cancelled),
        Delivered => matches!(now, Held | Paying | Expired | Paid | Cancelled | Shipped),
        Cancelled => now != Cancelled,
    }
}
