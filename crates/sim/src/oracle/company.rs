//! INV-7 for teams, places in the line, and what an order has of them: each is shown as the journal has it at the position
//! that the receipt names, and the names of members to members and the merchant alone.

use std::fmt::Write as _;

use api::deal::{Lottery, OrderDues, OrderTeam};
use api::line::{Ticket, TicketState};
use api::order::{Order, OrderState};
use api::refund::RefundState;
use api::team::{Team, TeamDraw, TeamState};
use commerce::offer::GroupRule;

use super::gather::{PlaceIs, SeatIs, TeamIs, TeamRow};
use super::order::{DealLook, DuesRow, OrderLook};
use super::provider::Books;
use super::rows::{OrderRow, Rows, seen_at};
use super::tiers;
use crate::record::Who;

/// How a team looked after a batch had touched it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TeamLook {
    pub(super) is: TeamIs,
    pub(super) held: i64,
    pub(super) paid: i64,
    pub(super) house: i64,
    /// Orders that have a seat, in the order in which they took it, and whether it is paid.
    pub(super) members: Vec<(usize, bool)>,
    pub(super) drawn: bool,
    /// Orders that ever had a seat, and those that are settled.
    pub(super) orders: (usize, usize),
    /// Refunds on their way and done, by count and by amount.
    pub(super) refunds: [i64; 4],
}

impl Rows {
    /// Keeps how the teams look that the entry has touched, by themselves or by one of these orders.
    pub(super) fn look_at_teams(&mut self, sequence: u64, orders: &[usize]) {
        let mut touched = std::mem::take(&mut self.gathered.touched);
        let seats = orders.iter().filter_map(|at| self.orders.get(*at)?.seat);
        touched.extend(seats);
        touched.sort_unstable();
        touched.dedup();
        for at in touched {
            let Some(look) = self.gathered.teams.get(at).map(|team| self.look(team)) else {
                continue;
            };
            self.gathered.teams[at].looks.push((sequence, look));
        }
    }

    fn look(&self, team: &TeamRow) -> TeamLook {
        let mut look = TeamLook {
            is: team.is,
            held: team.held(),
            paid: team.filled() - team.house,
            house: team.house,
            members: Vec::new(),
            drawn: team.winners.is_some(),
            orders: (team.seats.len(), team.settled),
            refunds: [0; 4],
        };
        for (at, seat) in &team.seats {
            let Some(order) = self.orders.get(*at) else {
                continue;
            };
            if *seat != SeatIs::Gone && order.counts() {
                look.members.push((*at, *seat == SeatIs::Paid));
            }
            for refund in &order.refunds {
                match refund.state {
                    RefundState::Pending => look.refunds[0] += 1,
                    RefundState::Refunded => look.refunds[1] += 1,
                    RefundState::Failed => {}
                }
            }
            look.refunds[2] += order.pending;
            look.refunds[3] += order.refunded;
        }
        look
    }

    fn buyer(&self, order: usize) -> Option<&str> {
        self.orders.get(order)?.buyer.as_deref()
    }
}

const fn name_of(is: TeamIs) -> TeamState {
    match is {
        TeamIs::Open => TeamState::Open,
        TeamIs::Complete => TeamState::Complete,
        TeamIs::Failed => TeamState::Failed,
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    let mut text = String::with_capacity(64);
    for byte in bytes {
        // A text in memory takes every letter.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// How a team that was shown differs from the journal's; with a position it must have looked just like that there.
pub(super) fn of_team(
    books: &Books,
    who: &Who,
    team: &Team,
    at: Option<u64>,
    listed: bool,
) -> Option<String> {
    let Some((rows, row, rule)) = find(books, team) else {
        return Some(format!("{} is gone", team.id));
    };
    let differs = |what: &str| Some(format!("{} has {what}: {team:?}, it is {row:?}", team.id));
    if *team.sku != *rule.sku || u64::from(team.seats.total) != u64::from(rule.size) {
        return differs("another rule");
    }
    if (team.opened_at.ms(), team.ends_at.ms()) != (row.opened, row.ends) {
        return differs("other times");
    }
    let seats = team.seats;
    let parts = [seats.free, seats.held, seats.paid, seats.filled_by_house].map(u64::from);
    if u64::from(seats.total) != parts.iter().sum::<u64>() {
        return differs("seats that do not add up");
    }
    if listed && (team.members.is_some() || team.settlement.is_some()) {
        return differs("in a list what belongs to its own page");
    }
    let looks: Vec<&TeamLook> = match at {
        Some(at) => seen_at(&row.looks, at).collect(),
        None => row.looks.iter().map(|(_, look)| look).collect(),
    };
    let prices = prices(rows, rule, at);
    let so = looks.iter().any(|look| {
        is_so(look, team)
            && priced(rule, look, team, &prices)
            && drawn(row, look, team)
            && (listed || (named(rows, look, who, team) && settled(look, team)))
            && team.leads == leads(rows, look, who)
    });
    (!so).then(|| format!("{} was not like this: {team:?}, but {looks:?}", team.id))
}

fn find<'a>(books: &'a Books, team: &Team) -> Option<(&'a Rows, &'a TeamRow, &'a GroupRule)> {
    let rows = books.get(&team.id.sale().get())?;
    let at = usize::try_from(team.id.number()).ok()?;
    let row = rows.gathered.teams.get(at)?;
    let rule = rows.gathered.rule(row)?;
    (team.sale_id == team.id.sale()).then_some((rows, row, rule))
}

fn is_so(look: &TeamLook, team: &Team) -> bool {
    let seats = team.seats;
    let shown = [seats.held, seats.paid, seats.filled_by_house].map(i64::from);
    let over = team.state != TeamState::Open;
    name_of(look.is) == team.state
        && shown == [look.held, look.paid, look.house]
        && team.ended_at.is_some() == over
        && !(team.joinable && (over || seats.free == 0))
}

/// What its SKU cost without a team, at that moment.
fn prices(rows: &Rows, rule: &GroupRule, at: Option<u64>) -> Vec<i64> {
    let sku = rows.skus.iter().find(|sku| *sku.code == *rule.sku);
    let looks = sku.map(|sku| &sku.looks[..]).unwrap_or_default();
    match at {
        Some(at) => seen_at(looks, at).map(|look| look.price).collect(),
        None => looks.iter().map(|(_, look)| look.price).collect(),
    }
}

fn priced(rule: &GroupRule, look: &TeamLook, team: &Team, plain: &[i64]) -> bool {
    let filled = look.paid + look.house;
    let shown = team.price.ten_thousandths();
    let so = plain
        .iter()
        .any(|plain| tiers::price_at(rule, filled, *plain) == shown);
    let next = team.next_tier.is_none_or(|next| {
        let price = next.price.ten_thousandths();
        let known = rule
            .tiers
            .iter()
            .any(|tier| (u32::from(tier.seats), tier.price.0) == (next.seats, price));
        known && i64::from(next.seats) > filled && price < shown && look.is == TeamIs::Open
    });
    so && next
}

fn drawn(row: &TeamRow, look: &TeamLook, team: &Team) -> bool {
    let Some(promise) = &row.promise else {
        return team.draw.is_none();
    };
    let Some(draw) = &team.draw else { return false };
    let opened = draw.seed.is_some();
    *draw.commitment == *hex(promise)
        && opened == look.drawn
        && draw.winners.is_some() == opened
        && draw.entries_hash.is_some() == opened
        && (!opened || as_drawn(row, draw))
}

/// The seed is the promised one, and the winners are the journal's.
fn as_drawn(row: &TeamRow, draw: &TeamDraw) -> bool {
    let seed = draw.seed.as_deref().and_then(bytes);
    let promised = seed.is_some_and(|seed| row.promise == Some(hmac_sha256::Hash::hash(&seed)));
    let winners = draw.winners.iter().flatten();
    let winners: Vec<u64> = winners.map(|order| order.number()).collect();
    let is = row.winners.iter().flatten().copied().map(u64::from);
    promised && winners == is.collect::<Vec<_>>()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let byte = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn leads(rows: &Rows, look: &TeamLook, who: &Who) -> bool {
    let Who::Buyer(name) = who else { return false };
    let leader = look.members.first();
    leader.is_some_and(|(order, _)| rows.buyer(*order) == Some(name))
}

/// Names are for members and the merchant, and orders for those whose they are.
fn named(rows: &Rows, look: &TeamLook, who: &Who, team: &Team) -> bool {
    let own = |order: usize| match who {
        Who::Merchant => true,
        Who::Buyer(name) => rows.buyer(order) == Some(name),
        Who::Anybody => false,
    };
    let may = *who == Who::Merchant || look.members.iter().any(|(order, _)| own(*order));
    let Some(members) = &team.members else {
        return !may;
    };
    may && members.len() == look.members.len()
        && members
            .iter()
            .zip(&look.members)
            .enumerate()
            .all(|(nth, (shown, (order, paid)))| {
                let number = u64::try_from(*order).ok();
                // Members see seats; names of people are for the merchant.
                let merchant = *who == Who::Merchant;
                *shown.name == *format!("member {}", nth + 1)
                    && shown.buyer.as_deref() == rows.buyer(*order).filter(|_| merchant)
                    && shown.you == (own(*order) && !merchant)
                    && shown.paid == *paid
                    && shown.leads == (nth == 0)
                    && shown.order_id.map(|id| id.number()) == number.filter(|_| own(*order))
            })
}

fn settled(look: &TeamLook, team: &Team) -> bool {
    let Some(shown) = team.settlement else {
        return look.is == TeamIs::Open;
    };
    let counts = (shown.orders, shown.settled);
    let is = (
        u32::try_from(look.orders.0).unwrap_or(u32::MAX),
        u32::try_from(look.orders.1).unwrap_or(u32::MAX),
    );
    let refunds = [
        shown.refunds_pending.into(),
        shown.refunds_done.into(),
        shown.pending_minor,
        shown.refunded_minor,
    ];
    look.is != TeamIs::Open && counts == is && refunds == look.refunds
}

/// How a place in the line that was shown differs from the journal's.
pub(super) fn of_ticket(
    books: &Books,
    who: &Who,
    ticket: &Ticket,
    at: Option<u64>,
) -> Option<String> {
    let number = usize::try_from(ticket.id.number()).unwrap_or(usize::MAX);
    let rows = books.get(&ticket.id.sale().get());
    let Some((rows, row)) = rows.and_then(|rows| Some((rows, rows.gathered.places.get(number)?)))
    else {
        return Some(format!("{} is gone", ticket.id));
    };
    let differs = |what: &str| {
        Some(format!(
            "{} has {what}: {ticket:?}, it is {row:?}",
            ticket.id
        ))
    };
    let sku = rows.skus.get(row.sku).map_or("", |sku| &sku.code);
    if *ticket.sku != *sku || i64::from(ticket.quantity) != row.units {
        return differs("other goods");
    }
    if *ticket.buyer != *row.buyer || ticket.since.ms() != row.since.1 {
        return differs("another buyer or beginning");
    }
    if matches!(who, Who::Buyer(name) if **name != *row.buyer) {
        return differs("been shown to somebody else");
    }
    let at = at?;
    let waited = row.until.is_none_or(|until| at <= until) && row.since.0 <= at;
    let over = row.until.is_some_and(|until| until <= at);
    let order = ticket.order_id.map(|order| order.number());
    let so = match ticket.state {
        TicketState::Waiting => waited && order.is_none(),
        TicketState::Offered => {
            let offered = row.order.and_then(|order| u64::try_from(order).ok());
            over && row.is == PlaceIs::Offered && order == offered
        }
        TicketState::Left => over && row.is == PlaceIs::Left && order.is_none(),
    };
    if !so {
        return differs("another state there");
    }
    let waits = ticket.state == TicketState::Waiting;
    let Some(position) = ticket.position else {
        return waits.then(|| format!("{} waits and has no position", ticket.id));
    };
    let (fewest, most) = ahead(rows, number, at);
    let so = waits && (fewest..=most).contains(&(i64::from(position) - 1));
    (!so).then(|| {
        format!(
            "{} is number {position}, and {fewest} to {most} are before it",
            ticket.id
        )
    })
}

/// How many waited before a place within a batch: after all of it, and before all of it.
fn ahead(rows: &Rows, number: usize, at: u64) -> (i64, i64) {
    let places = &rows.gathered.places;
    let Some(own) = places.get(number) else {
        return (0, 0);
    };
    let earlier = places[..number].iter().filter(|row| row.sku == own.sku);
    earlier.fold((0, 0), |(fewest, most), row| {
        let after = row.until.is_none_or(|until| until > at);
        let before = row.until.is_none_or(|until| until >= at);
        (fewest + i64::from(after), most + i64::from(before))
    })
}

/// How the seat, the dues and the price of an order that was shown differ from all that the journal has of them.
pub(super) fn of_order(rows: &Rows, row: &OrderRow, order: &Order) -> Option<String> {
    let differs = |what: &str| Some(format!("{} has {what}: {order:?}, it is {row:?}", order.id));
    let seat = order
        .team
        .map(|team| (team.id.sale().get(), team.id.number()));
    let is = row
        .seat
        .and_then(|seat| Some((rows.sale, u64::try_from(seat).ok()?)));
    if seat != is {
        return differs("another seat");
    }
    let dues = |dues: &OrderDues, is: &DuesRow| {
        let shown = (dues.deposit_minor, dues.balance_minor);
        shown == (is.deposit, row.total - is.deposit)
            && (dues.from.ms(), dues.until.ms()) == (is.from, is.until)
    };
    let same = match (&order.dues, &row.dues) {
        (None, None) => true,
        (Some(shown), Some(is)) => dues(shown, is),
        _ => false,
    };
    if !same {
        return differs("other dues");
    }
    let off: i64 = order.off.iter().map(|off| off.amount_minor).sum();
    let taken: i64 = row.cuts.iter().map(|(_, off)| off).sum();
    (off != taken).then(|| format!("{} has {off} taken off, it is {taken}", order.id))
}

/// Whether an order looked like this, in what it has beyond plain ones.
pub(super) fn looked(look: &OrderLook, order: &Order) -> bool {
    let DealLook {
        price,
        difference,
        due,
        deadline,
        deposit_paid,
        balance_paid,
        forfeited,
        goods,
    } = look.deal;
    let line = order.lines.first();
    let dues = order.dues.is_none_or(|dues| {
        (dues.deposit_paid, dues.balance_paid, dues.forfeited)
            == (deposit_paid, balance_paid, forfeited)
    });
    let waits = matches!(
        order.state,
        OrderState::Held | OrderState::Paying | OrderState::Deposited
    );
    let (due, deadline) = if waits { (due, deadline) } else { (0, 0) };
    line.is_none_or(|line| line.price.ten_thousandths() == price)
        && order.difference_minor == difference
        && order.due_minor == due
        && order.hold_expires_at.map_or(0, api::Time::ms) == deadline
        && dues
        && lottery(order).is_none_or(|lottery| lottery == drawn_for(order.state, goods))
}

fn lottery(order: &Order) -> Option<Lottery> {
    order.team?.lottery
}

const fn drawn_for(state: OrderState, goods: bool) -> Lottery {
    match state {
        _ if goods => Lottery::Won,
        OrderState::Held | OrderState::Paying | OrderState::Paid => Lottery::Pending,
        _ => Lottery::Lost,
    }
}

/// Whether the team of an order looked like this, to the order, at a position or at any.
pub(super) fn seated(rows: &Rows, number: u64, team: &OrderTeam, at: Option<u64>) -> bool {
    let row = usize::try_from(team.id.number()).ok();
    let row = row.and_then(|at| rows.gathered.teams.get(at));
    let Some((row, number)) = row.zip(usize::try_from(number).ok()) else {
        return false;
    };
    let draws = rows
        .gathered
        .rule(row)
        .is_some_and(|rule| rule.prizes.is_some());
    let like = |look: &TeamLook| {
        let mut members = look.members.iter();
        name_of(look.is) == team.state
            && team.seat_paid == members.any(|seat| *seat == (number, true))
    };
    let so = match at {
        Some(at) => seen_at(&row.looks, at).any(like),
        None => row.looks.iter().any(|(_, look)| like(look)),
    };
    so && draws == team.lottery.is_some()
}

/// Whether the team of an order is, at the end, what a list says of it.
pub(super) fn seated_at_last(rows: &Rows, number: u64, team: &OrderTeam) -> bool {
    let row = usize::try_from(team.id.number()).ok();
    let last = row.and_then(|at| rows.gathered.teams.get(at)?.looks.last());
    last.is_some_and(|(at, _)| seated(rows, number, team, Some(*at + 1)))
}
