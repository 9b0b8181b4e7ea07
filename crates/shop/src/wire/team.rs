//! Teams and places in the line, from the book onto the wire.

use std::fmt::Write;

use api::line::{Ticket, TicketState};
use api::live::LiveTeam;
use api::team::{NextTier, Team, TeamDraw, TeamMember, TeamSeats, TeamSettlement, TeamState};
use api::{TeamId, TicketId};
use commerce::Book;
use commerce::book::{self, TeamRef};

use super::sale::price;
use super::{order_id, sale_id, time};
use crate::desk::RecentTeam;

/// A team's number on the wire.
pub(crate) fn team_id(sale: u32, number: u32) -> TeamId {
    TeamId::new(sale_id(sale), number.into()).unwrap_or_else(|| unreachable!("32 bits fit into 39"))
}

/// A ticket's number on the wire.
pub(crate) fn ticket_id(sale: u32, number: u32) -> TicketId {
    TicketId::new(sale_id(sale), number.into())
        .unwrap_or_else(|| unreachable!("32 bits fit into 39"))
}

/// How a team stands.
pub(crate) fn team_state(state: book::TeamState) -> TeamState {
    match state {
        book::TeamState::Open => TeamState::Open,
        book::TeamState::Complete => TeamState::Complete,
        book::TeamState::Failed => TeamState::Failed,
    }
}

/// Who looks at a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// The sale's merchant.
    Merchant,
    /// A buyer, who sees seats only as a member, and nobody's name.
    Buyer(std::sync::Arc<str>),
}

/// A team for a list: without members, and without what would take a look at all its orders.
pub(crate) fn listed_team(sale: u32, book: &Book, team: TeamRef<'_>) -> Option<Team> {
    let (rule, (opened, ends, ended)) = (team.rule(), team.times());
    let (total, held, paid, filled) = team.seats();
    let number = team.number();
    let plain = book.find_sku(&rule.sku)?.price();
    let reached = team.tier_price().unwrap_or(plain);
    let next = rule.tiers.iter().find(|tier| {
        let more = u32::from(tier.seats) > paid + filled;
        more && tier.price < reached && team.state() == book::TeamState::Open
    });
    let id = team_id(sale, number);
    Some(Team {
        id,
        sale_id: sale_id(sale),
        sku: (&*rule.sku).into(),
        state: team_state(team.state()),
        joinable: team.is_joinable(),
        seats: TeamSeats {
            total,
            free: total.saturating_sub(held + paid + filled),
            held,
            paid,
            filled_by_house: filled,
        },
        house_seats: house_seats(team.state(), rule.fill, filled),
        price: price(reached),
        next_tier: next.map(|tier| NextTier {
            seats: tier.seats.into(),
            price: price(tier.price),
        }),
        opened_at: time(opened),
        ends_at: time(ends),
        ended_at: ended.map(time),
        link: format!("/v1/teams/{id}").into(),
        leads: false,
        members: None,
        settlement: None,
        draw: draw(sale, team),
    })
}

/// A team as this viewer may see it.
pub(crate) fn team(sale: u32, book: &Book, number: u32, viewer: &Viewer) -> Option<Team> {
    let team = book.team(number)?;
    let mut shown = listed_team(sale, book, team)?;
    let leader = team.leader();
    let name = |order: u32| book.order(order).and_then(|order| order.buyer());
    let is_own = |order: u32| match viewer {
        Viewer::Merchant => false,
        Viewer::Buyer(own) => name(order) == Some(own),
    };
    let is_member = team.members().any(|member| is_own(member.order));
    shown.leads = leader.is_some_and(is_own);
    if is_member || *viewer == Viewer::Merchant {
        let merchants = *viewer == Viewer::Merchant;
        let member = |(place, member): (usize, book::MemberRef)| TeamMember {
            name: format!("member {}", place + 1).into(),
            // A pseudonym may be a name that another shop knows (an openid, a plain subject): strangers do not get it.
            buyer: name(member.order).filter(|_| merchants).map(Into::into),
            you: is_own(member.order),
            order_id: (merchants || is_own(member.order)).then(|| order_id(sale, member.order)),
            paid: member.paid,
            leads: leader == Some(member.order),
        };
        shown.members = Some(team.members().enumerate().map(member).collect());
    }
    if team.state() != book::TeamState::Open {
        let settled = team.settlement();
        shown.settlement = Some(TeamSettlement {
            orders: settled.orders,
            settled: settled.settled,
            refunds_pending: settled.refunds_pending,
            refunds_done: settled.refunds_done,
            pending_minor: settled.pending.0,
            refunded_minor: settled.refunded.0,
        });
    }
    Some(shown)
}

/// What buyers are told of seats that no buyer has.
fn house_seats(state: book::TeamState, fill: u16, filled: u32) -> Option<Box<str>> {
    let said = match (state, fill, filled) {
        (_, _, filled) if filled > 0 => {
            format!("{filled} of the seats were filled by the house, without buyers behind them")
        }
        (book::TeamState::Open, fill, _) if fill > 0 => {
            format!("when the time is over, the house may fill up to {fill} seats without buyers")
        }
        _ => return None,
    };
    Some(said.into())
}

fn draw(sale: u32, team: TeamRef<'_>) -> Option<TeamDraw> {
    let draw = team.draw()?;
    let opened = draw.opened;
    Some(TeamDraw {
        prizes: team.rule().prizes.unwrap_or(0).into(),
        commitment: hex(&draw.commit.hash),
        seed: opened.map(|(seed, ..)| hex(seed)),
        entries_hash: opened.map(|(_, entries, _)| hex(entries)),
        winners: opened
            .map(|(.., winners)| winners.iter().map(|&order| order_id(sale, order)).collect()),
    })
}

fn hex(bytes: &[u8; 32]) -> Box<str> {
    let mut text = String::with_capacity(64);
    for byte in bytes {
        // Writing into a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}

/// A place in the line as it stands.
pub(crate) fn ticket(sale: u32, book: &Book, number: u32) -> Option<Ticket> {
    let ticket = book.ticket(number)?;
    let (state, order) = match ticket.state {
        book::TicketState::Waiting => (TicketState::Waiting, None),
        book::TicketState::Offered { order } => (TicketState::Offered, Some(order)),
        book::TicketState::Left => (TicketState::Left, None),
    };
    Some(Ticket {
        id: ticket_id(sale, number),
        sale_id: sale_id(sale),
        sku: (&**book.sku_at(ticket.sku)?.sku()).into(),
        quantity: ticket.units,
        buyer: ticket.buyer.into(),
        state,
        position: ticket.ahead.map(|ahead| ahead.saturating_add(1)),
        order_id: order.map(|order| order_id(sale, order)),
        since: time(ticket.since),
    })
}

/// A team for watchers.
pub(crate) fn live_team(sale: u32, team: &RecentTeam) -> LiveTeam {
    LiveTeam {
        id: team_id(sale, team.team),
        state: team_state(team.state),
        filled: team.filled,
        seats: team.seats,
    }
}
