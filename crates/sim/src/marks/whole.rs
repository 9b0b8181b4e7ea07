//! Marks of whole lives with offers: what became of teams, dues and the line when people came for them through HTTP.

use std::collections::BTreeSet;

use api::TeamId;
use api::line::{Ticket, TicketState};
use api::order::Order;
use api::team::{Team, TeamPage};
use commerce::Entry;
use commerce::deal::{Settled, TeamEnd};
use commerce::entry::Fate;
use serde_json::Value;

use super::offers::{Tale, fate, goes_back, is_seated, lapses, settles};
use super::signs::{Signs, answer, changed};
use super::{Mark, mark};
use crate::record::{Call, Said, Who};

pub(super) const MARKS: &[Mark] = &[
    mark!(
        "shop-team-complete",
        "people who came through HTTP paid for all seats of a team",
        |signs| signs.tales.iter().any(|tale| tale.full)
    ),
    mark!(
        "shop-team-failed-and-refunded",
        "a team failed in a whole life, and the provider gave a member's money back",
        |signs| some(signs, |tale| tale.ends.contains(&TeamEnd::Failed)
            && tale
                .then(is_seated, |entry| matches!(entry, Entry::Refunded { .. })))
    ),
    mark!(
        "shop-team-filled-by-the-house",
        "the house took the seats that were left, and buyers were told so",
        |signs| shown::<Team>(signs)
            .any(|(_, team)| team.seats.filled_by_house > 0 && team.house_seats.is_some())
    ),
    mark!(
        "shop-tier-difference",
        "a team ended in a better tier than a member had paid, in a whole life",
        |signs| some(signs, |tale| tale.entry(|entry| settles(
            entry,
            |one| matches!(one, Settled::Difference(_))
        )))
    ),
    mark!(
        "shop-settled-after-a-crash",
        "the process died between a team's last payment and its settlement",
        |signs| signs.tales.iter().any(|tale| tale.full_then_crash)
    ),
    mark!(
        "shop-late-money-of-a-seat",
        "money came through the provider for a seat that was gone, and went back",
        |signs| some(signs, |tale| tale.then(is_seated, goes_back))
    ),
    mark!(
        "shop-lottery-drawn",
        "a lottery was drawn in a whole life, and somebody was shown its seed",
        |signs| shown::<Team>(signs).any(|(_, team)| {
            let draw = team.draw.as_ref();
            draw.is_some_and(|draw| draw.seed.is_some())
        })
    ),
    mark!(
        "joined-by-link",
        "somebody joined a team whose link he was shown, and that he had seen in no list",
        |signs| joins(signs, |listed, linked| linked && !listed)
    ),
    mark!(
        "joined-from-a-list",
        "somebody joined a team that he had found in a list",
        |signs| joins(signs, |listed, _| listed)
    ),
    mark!(
        "last-seat-gone",
        "somebody wanted a seat of a team that was full by then",
        |signs| signs.said("TG-2131")
    ),
    mark!(
        "team-over-refused",
        "somebody wanted a seat of a team that was over",
        |signs| signs.said("TG-2130")
    ),
    mark!(
        "team-rule-refused",
        "somebody wanted what the rule of his team forbids",
        |signs| signs.said("TG-2132")
    ),
    mark!(
        "another-leads",
        "the leader left, and the next member was told that he leads",
        another_leads
    ),
    mark!(
        "members-hidden",
        "a buyer looked at a team of others, and was told no names",
        |signs| shown::<Team>(signs)
            .any(|(call, team)| team.members.is_none() && matches!(call.who, Who::Buyer(_)))
    ),
    mark!(
        "ticket-served",
        "who waited in line looked at his place, was offered an order, and paid it",
        ticket_served
    ),
    mark!(
        "place-moved-up",
        "who waited in line saw that fewer were before him",
        place_moved_up
    ),
    mark!(
        "shop-place-given-up",
        "somebody gave his place in the line up",
        |signs| signs.calls().iter().any(|call| call.method == "DELETE"
            && call.path.contains("/tickets/")
            && changed(call))
    ),
    mark!(
        "nothing-to-wait-for",
        "somebody wanted to wait for what he could buy",
        |signs| signs.said("TG-2135")
    ),
    mark!(
        "newcomer-behind-the-line",
        "somebody wanted to buy what others waited for",
        |signs| signs.said("TG-2134")
    ),
    mark!(
        "deposit-then-balance",
        "somebody paid a deposit, and the balance in its window",
        |signs| signs.then(
            |entry| fate(entry) == Some(Fate::Deposit),
            |entry| fate(entry) == Some(Fate::Kept)
        )
    ),
    mark!(
        "balance-too-early",
        "somebody wanted to pay the balance before its window",
        |signs| signs.said("TG-2137")
    ),
    mark!(
        "shop-balance-lapsed",
        "a balance was not paid, in a whole life",
        |signs| signs.entry(|entry| lapses(entry, true) || lapses(entry, false))
    ),
    mark!(
        "shop-hold-extended",
        "a hold lived longer since its payment was in flight, in a whole life",
        |signs| signs.entry(|entry| matches!(entry, Entry::HoldsExtended { .. }))
    ),
    mark!(
        "shop-offer-altered",
        "a merchant changed what a sale offers, while people bought",
        |signs| signs.entry(|entry| matches!(entry, Entry::OfferAltered { .. }))
    ),
];

fn some(signs: &Signs<'_>, like: impl Fn(&Tale) -> bool) -> bool {
    signs.tales.iter().any(like)
}

/// A document that tells of itself where it is found.
trait Page: Sized {
    fn of(call: &Call, said: &Said) -> Option<Self>;
}

impl Page for Team {
    fn of(call: &Call, said: &Said) -> Option<Self> {
        let is = call.method == "GET" && call.path.starts_with("/v1/teams/");
        is.then(|| serde_json::from_str(&said.body).ok())?
    }
}

impl Page for Ticket {
    fn of(call: &Call, said: &Said) -> Option<Self> {
        let is = call.method == "GET" && call.path.starts_with("/v1/tickets/");
        is.then(|| serde_json::from_str(&said.body).ok())?
    }
}

impl Page for TeamPage {
    fn of(call: &Call, said: &Said) -> Option<Self> {
        let (path, _) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let is = call.method == "GET" && path.ends_with("/teams");
        is.then(|| serde_json::from_str(&said.body).ok())?
    }
}

/// All that was shown of a kind, with the calls that asked for it.
fn shown<'a, T: Page + 'a>(signs: &Signs<'a>) -> impl Iterator<Item = (&'a Call, T)> + 'a {
    signs.calls().iter().filter_map(|call| {
        let said = answer(call).filter(|said| said.is_yes())?;
        Some((call, T::of(call, said)?))
    })
}

/// Seats that people got in teams of others: the call, and the team.
fn joined<'a>(signs: &Signs<'a>) -> impl Iterator<Item = (&'a Call, TeamId)> + 'a {
    let placed = |call: &&Call| call.path == "/v1/orders" && changed(call);
    signs.calls().iter().filter(placed).filter_map(|call| {
        let asked: Value = serde_json::from_str(&call.body).ok()?;
        let team = asked.pointer("/team/join")?.as_str()?;
        Some((call, team.parse().ok()?))
    })
}

/// Whether somebody joined a team that he had seen before in a list, or by its link, like this.
fn joins(signs: &Signs<'_>, like: impl Fn(bool, bool) -> bool) -> bool {
    let lists: Vec<_> = shown::<TeamPage>(signs).collect();
    let links: Vec<_> = shown::<Team>(signs).collect();
    joined(signs).any(|(call, team)| {
        let before = |seen: &Call| seen.client == call.client && seen.ended_at <= call.asked_at;
        let mut listed = lists.iter().filter(|(seen, _)| before(seen));
        let listed = listed.any(|(_, page)| page.teams.iter().any(|one| one.id == team));
        let mut linked = links.iter().filter(|(seen, _)| before(seen));
        let linked = linked.any(|(_, one)| one.id == team);
        like(listed, linked)
    })
}

fn another_leads(signs: &Signs<'_>) -> bool {
    let joined: BTreeSet<(&Who, TeamId)> = joined(signs)
        .map(|(call, team)| (&call.who, team))
        .collect();
    let opened: BTreeSet<(&Who, TeamId)> = signs
        .calls()
        .iter()
        .filter(|call| call.path == "/v1/orders" && call.body.contains("\"open\":true"))
        .filter_map(|call| {
            let order: Order = serde_json::from_str(&answer(call)?.body).ok()?;
            Some((&call.who, order.team?.id))
        })
        .collect();
    shown::<Team>(signs).any(|(call, team)| {
        let is = (&call.who, team.id);
        team.leads && joined.contains(&is) && !opened.contains(&is)
    })
}

fn ticket_served(signs: &Signs<'_>) -> bool {
    shown::<Ticket>(signs).any(|(call, ticket)| {
        let Some(order) = ticket.order_id else {
            return false;
        };
        let path = format!("/v1/orders/{order}/pay");
        let mut calls = signs.calls().iter();
        calls.any(|pay| pay.client == call.client && pay.path == path && changed(pay))
    })
}

fn place_moved_up(signs: &Signs<'_>) -> bool {
    let seen: Vec<_> = shown::<Ticket>(signs).collect();
    seen.iter().enumerate().any(|(nth, (_, first))| {
        let mut later = seen[nth + 1..].iter();
        later.any(|(_, then)| {
            then.id == first.id
                && then.state == TicketState::Waiting
                && then.position < first.position
        })
    })
}
