//! Teams and the waiting line. Lists of teams come from the book and not from the read models: whether a team can still
//! be joined is a matter of milliseconds, and a stale answer sends people to full teams.

use std::sync::Arc;

use api::line::{JoinLine, Ticket};
use api::service::{Answer, Call, Caller};
use api::team::{Team, TeamPage, TeamQuery};
use api::{Code, Problem, SaleId, TeamId, TicketId};
use commerce::book::TeamRef;
use commerce::deal::Commit;
use commerce::{Action, Book, Command, DealAsk, Done, Place, SaleState, TeamAsk};

use super::risk::{facts, says_more};
use super::{Handle, actor};
use crate::desk::{DeskHandle, Durable};
use crate::house::seed;
use crate::wire::{self, Viewer};

/// Teams that one list looks through, at most, so that a filter that few pass does not hold the desk up.
const LOOKED_THROUGH_MOST: u32 = 10_000;

/// The seat and the coupons that a body asks for.
pub(super) fn deal(
    team: Option<api::deal::AskedTeam>,
    coupons: Vec<Box<str>>,
) -> Option<Box<DealAsk>> {
    let team = team.map(|team| match team {
        api::deal::AskedTeam::Open(_) => TeamAsk::Open { commit: None },
        api::deal::AskedTeam::Join(team) => TeamAsk::Join {
            // A number that does not fit is a team that does not exist.
            team: u32::try_from(team.number()).unwrap_or(u32::MAX),
        },
    });
    let asks = team.is_some() || !coupons.is_empty();
    asks.then(|| {
        Box::new(DealAsk {
            team,
            coupons,
            facts: None,
        })
    })
}

impl Handle {
    /// Promises a draw for an order that opens a lottery team: the seed's hash is in the journal before anybody has a
    /// seat, and the seed itself is made again from the house's secret when the team is full.
    pub(super) async fn promise(
        &self,
        desk: &DeskHandle,
        place: &mut Place,
    ) -> Result<(), Problem> {
        let Some(TeamAsk::Open { commit }) = place
            .deal
            .as_deref_mut()
            .and_then(|deal| deal.team.as_mut())
        else {
            return Ok(());
        };
        let skus: Vec<Box<str>> = place.lines.iter().map(|line| line.sku.clone()).collect();
        let draws = Self::ask(desk, move |book| skus.iter().any(|sku| has_draw(book, sku)));
        if !draws.await?.value {
            return Ok(());
        }
        let secret = self.registry.house().secret().await;
        let secret = secret.map_err(|error| super::sales::house_problem(&error))?;
        let mut nonce = [0; 16];
        self.registry.fill(&mut nonce);
        let seed = seed(&secret, desk.sale(), &nonce);
        *commit = Some(Commit::of(nonce, &seed));
        Ok(())
    }

    pub(super) async fn list_teams(
        &self,
        call: Call,
        sale: SaleId,
        query: TeamQuery,
    ) -> Result<Answer<TeamPage>, Problem> {
        let desk = self.desk(&call.caller, sale).await?;
        let before = query.cursor.as_deref().map(|text| cursor(sale, text));
        let before = before.transpose()?;
        let viewer = viewer(&call.caller);
        let look = move |book: &Book| {
            let hidden = book.state() == SaleState::Draft && viewer != Viewer::Merchant;
            (book.exists() && !hidden).then(|| page(sale.get(), book, &query, before, &viewer))
        };
        let seen = Self::ask(&desk, look).await?;
        found(sale, seen, Code::SaleNotFound)
    }

    pub(super) async fn show_team(&self, call: Call, id: TeamId) -> Result<Answer<Team>, Problem> {
        let sale = id.sale();
        let missing = |problem| missing(problem, Code::TeamNotFound);
        let number = u32::try_from(id.number()).map_err(|_| Problem::new(Code::TeamNotFound))?;
        let desk = self.desk(&call.caller, sale).await.map_err(missing)?;
        let viewer = viewer(&call.caller);
        let look = move |book: &Book| wire::team(sale.get(), book, number, &viewer);
        let seen = Self::ask(&desk, look).await?;
        found(sale, seen, Code::TeamNotFound)
    }

    pub(super) async fn join_a_line(
        &self,
        call: Call,
        sale: SaleId,
        body: JoinLine,
    ) -> Result<Answer<Ticket>, Problem> {
        let told = body.buyer.is_some() || body.tags.is_some() || body.facts.is_some();
        if matches!(call.caller, Caller::Buyer { .. }) && told {
            let detail = "a buyer waits for itself: buyer, tags and facts belong to merchants";
            return Err(Problem::because(Code::ScopeMissing, detail));
        }
        let told = body.tags.unwrap_or_default();
        let tags = match &call.caller {
            Caller::Buyer { tags, .. } => tags.clone(),
            Caller::Merchant { .. } | Caller::Provider => told.into(),
        };
        let facts = facts(&call, &tags, body.facts);
        let action = Action::Wait {
            facts: says_more(&facts).then(|| Box::new(facts)),
            tags,
            buyer: body.buyer.map(Arc::from),
            sku: body.sku.into(),
            units: body.quantity,
        };
        self.change_ticket(call, sale, action).await
    }

    pub(super) async fn leave_a_line(
        &self,
        call: Call,
        id: TicketId,
    ) -> Result<Answer<Ticket>, Problem> {
        let action = Action::LeaveLine {
            ticket: ticket_number(id)?,
        };
        let left = self.change_ticket(call, id.sale(), action).await;
        left.map_err(|problem| missing(problem, Code::TicketNotFound))
    }

    async fn change_ticket(
        &self,
        call: Call,
        sale: SaleId,
        action: Action,
    ) -> Result<Answer<Ticket>, Problem> {
        let desk = self.desk(&call.caller, sale).await?;
        let command = Command {
            actor: actor(&call.caller),
            key: call.key,
            action,
        };
        let told = Self::tell(&desk, command, move |book, done| match done {
            Done::Ticket(number) => wire::ticket(sale.get(), book, number),
            _ => None,
        });
        Ok(told.await?.answer(sale))
    }

    pub(super) async fn show_ticket(
        &self,
        call: Call,
        id: TicketId,
    ) -> Result<Answer<Ticket>, Problem> {
        let (sale, number) = (id.sale(), ticket_number(id)?);
        let desk = self.desk(&call.caller, sale).await;
        let desk = desk.map_err(|problem| missing(problem, Code::TicketNotFound))?;
        let seen = Self::ask(&desk, move |book| wire::ticket(sale.get(), book, number)).await?;
        let answer = found(sale, seen, Code::TicketNotFound)?;
        match &call.caller {
            Caller::Buyer { id, .. } if *answer.body.buyer != **id => {
                Err(Problem::new(Code::TicketNotFound))
            }
            _ => Ok(answer),
        }
    }
}

/// A number that does not fit is a ticket that does not exist.
fn ticket_number(id: TicketId) -> Result<u32, Problem> {
    u32::try_from(id.number()).map_err(|_| Problem::new(Code::TicketNotFound))
}

/// A sale that is unknown makes what is in it unknown.
fn missing(problem: Problem, code: Code) -> Problem {
    match problem.code() {
        Code::SaleNotFound => Problem::new(code),
        _ => problem,
    }
}

fn found<T>(sale: SaleId, seen: Durable<Option<T>>, otherwise: Code) -> Result<Answer<T>, Problem> {
    let body = seen.value.ok_or_else(|| Problem::new(otherwise))?;
    Ok(Answer {
        body,
        repeated: false,
        position: Some((sale, wire::position(seen.position))),
    })
}

fn viewer(caller: &Caller) -> Viewer {
    match caller {
        Caller::Buyer { id, .. } => Viewer::Buyer(id.clone()),
        Caller::Merchant { .. } | Caller::Provider => Viewer::Merchant,
    }
}

/// The number of the last team that was shown.
fn cursor(sale: SaleId, text: &str) -> Result<u32, Problem> {
    let id: Option<TeamId> = text.parse().ok();
    let number = id
        .filter(|id| id.sale() == sale)
        .and_then(|id| u32::try_from(id.number()).ok());
    number.ok_or_else(|| Problem::of_field("cursor", "must be a next_cursor of an earlier page"))
}

fn has_draw(book: &Book, sku: &str) -> bool {
    let mut groups = book.offered().into_iter().flat_map(|offer| &offer.groups);
    groups.any(|group| *group.sku == *sku && group.prizes.is_some())
}

/// Teams before one, newest first.
fn page(
    sale: u32,
    book: &Book,
    query: &TeamQuery,
    before: Option<u32>,
    viewer: &Viewer,
) -> TeamPage {
    let (opened, _) = book.team_counts();
    let from = before.unwrap_or(u32::MAX).min(opened);
    let last = from.saturating_sub(LOOKED_THROUGH_MOST);
    let most = query.page() as usize;
    let (mut teams, mut next) = (Vec::new(), last);
    for number in (last..from).rev() {
        let team = book.team(number).filter(|&team| is_asked_for(team, query));
        let shown = team.and_then(|team| {
            let mut shown = wire::listed_team(sale, book, team)?;
            shown.leads = leads(book, team, viewer);
            Some(shown)
        });
        teams.extend(shown);
        if teams.len() == most {
            next = number;
            break;
        }
    }
    TeamPage {
        teams,
        next_cursor: (next > 0).then(|| wire::team_id(sale, next).to_string().into()),
    }
}

fn is_asked_for(team: TeamRef<'_>, query: &TeamQuery) -> bool {
    let state = query
        .state
        .is_none_or(|state| state == wire::team_state(team.state()));
    let joinable = query
        .joinable
        .is_none_or(|joinable| joinable == team.is_joinable());
    state && joinable
}

fn leads(book: &Book, team: TeamRef<'_>, viewer: &Viewer) -> bool {
    let Viewer::Buyer(own) = viewer else {
        return false;
    };
    let leader = team.leader().and_then(|order| book.order(order));
    leader.and_then(|order| order.buyer()) == Some(&**own)
}
