//! Reading teams, dues and the line.

use std::sync::Arc;

use ledger::{Minor, UnitPrice};

use super::order::{DuesKept, OrderStatus};
use super::team::{SeatState, Team};
use super::{Book, OrderRef, TeamState, TicketState};
use crate::Time;
use crate::deal::{Commit, Dues, Seed};
use crate::offer::{GroupRule, Offer};
use crate::price::PriceLine;

/// A team, to read.
#[derive(Debug, Clone, Copy)]
pub struct TeamRef<'a> {
    number: u32,
    team: &'a Team,
    rule: &'a Arc<GroupRule>,
    book: &'a Book,
}

/// One member of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberRef {
    /// Its order.
    pub order: u32,
    /// Whether the seat is paid.
    pub paid: bool,
}

/// A draw, to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawRef<'a> {
    /// The promise, known since the team was opened.
    pub commit: Commit,
    /// Seed, hash of the entries and the orders that won, once drawn.
    pub opened: Option<(&'a Seed, &'a [u8; 32], &'a [u32])>,
}

/// How far an ended team is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settlement {
    /// Orders that ever had a seat.
    pub orders: u32,
    /// Of those, settled.
    pub settled: u32,
    /// Refunds on their way.
    pub refunds_pending: u32,
    /// Refunds that arrived.
    pub refunds_done: u32,
    /// Money on its way back.
    pub pending: Minor,
    /// Money back.
    pub refunded: Minor,
}

/// A place in the line, to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TicketRef<'a> {
    /// Its number.
    pub number: u32,
    /// Who waits.
    pub buyer: &'a str,
    /// For which SKU.
    pub sku: u32,
    /// How many units.
    pub units: u32,
    /// Since when.
    pub since: Time,
    /// How it stands.
    pub state: TicketState,
    /// How many wait before it, while it waits.
    pub ahead: Option<u32>,
}

impl<'a> TeamRef<'a> {
    /// Its number in the sale.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The rule under which it was opened.
    pub fn rule(&self) -> &'a GroupRule {
        self.rule
    }

    /// How it stands.
    pub fn state(&self) -> TeamState {
        self.team.state
    }

    /// When it was opened, when its time is over, and when it ended.
    pub fn times(&self) -> (Time, Time, Option<Time>) {
        (self.team.opened, self.team.ends, self.team.ended)
    }

    /// Whether it takes members now.
    pub fn is_joinable(&self) -> bool {
        let free = self.team.seats.available().0 > 0;
        self.team.state == TeamState::Open && self.book.time < self.team.ends && free
    }

    /// Seats in all, held, paid, and filled by the house, which are no orders.
    pub fn seats(&self) -> (u32, u32, u32, u32) {
        let seats = self.team.seats;
        let filled = seats.written_off().0;
        (seats.stocked().0, seats.held().0, seats.sold().0, filled)
    }

    /// The unit price of the tier reached so far, where the rule has tiers.
    pub fn tier_price(&self) -> Option<UnitPrice> {
        let first = self.rule.tiers.first()?;
        Some(self.rule.price_at(self.team.filled(), first.price))
    }

    /// Those who have a seat, in the order in which they took it; the first one leads.
    pub fn members(&self) -> impl Iterator<Item = MemberRef> + use<'a> {
        let seated = self.team.members.iter().filter(|member| {
            let gone = self
                .book
                .orders
                .get(member.order)
                .is_none_or(|order| !order.counts());
            member.seat != SeatState::Gone && !gone
        });
        seated.map(|member| MemberRef {
            order: member.order,
            paid: member.seat == SeatState::Paid,
        })
    }

    /// The seat of one order, if it has one now.
    pub fn member(&self, order: u32) -> Option<MemberRef> {
        let member = self.team.members.get(self.team.member(order)?)?;
        let counts = self.book.orders.get(order)?.counts();
        let seated = counts && member.seat != SeatState::Gone;
        seated.then_some(MemberRef {
            order,
            paid: member.seat == SeatState::Paid,
        })
    }

    /// The order that leads: the opener's, and once he left the next one's.
    pub fn leader(&self) -> Option<u32> {
        self.members().next().map(|member| member.order)
    }

    /// Its draw, if it is a lottery team.
    pub fn draw(&self) -> Option<DrawRef<'a>> {
        self.team.draw.as_ref().map(|draw| DrawRef {
            commit: draw.commit,
            opened: draw
                .opened
                .as_ref()
                .map(|opened| (&opened.seed, &opened.entries, &opened.winners[..])),
        })
    }

    /// How far it is settled; looks at all its orders.
    pub fn settlement(&self) -> Settlement {
        let mut sum = Settlement {
            orders: u32::try_from(self.team.members.len()).unwrap_or(u32::MAX),
            settled: self.team.settled,
            ..Settlement::default()
        };
        for member in &self.team.members {
            let Some(order) = self.book.order(member.order) else {
                continue;
            };
            sum.pending.0 += order.funds().held().0;
            sum.refunded.0 += order.funds().refunded().0;
            for refund in order.refunds() {
                match refund.state {
                    super::RefundState::Pending => sum.refunds_pending += 1,
                    super::RefundState::Refunded => sum.refunds_done += 1,
                    super::RefundState::Failed => {}
                }
            }
        }
        sum
    }
}

impl<'a> OrderRef<'a> {
    /// Its team, if it has a seat.
    pub fn team(&self) -> Option<u32> {
        self.order.seat.team()
    }

    /// Whether it is one of a lottery team that has no goods, or none yet.
    pub fn is_bare(&self) -> bool {
        !self.order.seat.has_goods()
    }

    /// Its price line by line, where something came off it; coupons by their place in the offer.
    pub fn price(&self) -> &'a [PriceLine] {
        self.order.price()
    }

    /// What went back of its price, as its team ended in a better tier.
    pub fn difference(&self) -> Minor {
        let extra = self.order.extra.as_ref();
        extra.map_or(Minor::ZERO, |extra| extra.difference)
    }

    /// Its dues, whether the deposit is paid, and whether it is forfeited.
    pub fn dues(&self) -> Option<(Dues, bool, bool)> {
        let kept: &DuesKept = self.order.dues()?;
        Some((kept.dues, kept.paid != 0, kept.forfeited))
    }

    /// What the next attempt to pay is for.
    pub fn due(&self) -> Minor {
        self.order.due_of(self.order.attempt.saturating_add(1))
    }

    /// Whether goods may leave: paid, not given back, and its team is complete.
    pub fn is_ready(&self) -> bool {
        self.status() == OrderStatus::Paid && self.book.is_ready(self.number())
    }

    /// The attempts whose money was captured.
    pub fn captured(&self) -> Vec<u16> {
        match &self.order.extra {
            Some(extra) => extra.captured.clone(),
            None => Some(self.order.kept())
                .filter(|&kept| kept != 0)
                .into_iter()
                .collect(),
        }
    }
}

impl Book {
    /// What the sale offers beyond plain orders.
    pub fn offered(&self) -> Option<&Offer> {
        self.offer()
    }

    /// What a coupon has given to all buyers so far, and how often, by its place in the offer: of orders that are held or
    /// sold.
    pub fn coupon_given(&self, place: u16) -> (Minor, u32) {
        (self.coupons.spent(place), self.coupons.times(place))
    }

    /// A team by its number.
    pub fn team(&self, number: u32) -> Option<TeamRef<'_>> {
        let team = self.teams.get(number)?;
        Some(TeamRef {
            number,
            team,
            rule: self.teams.rule(team).ok()?,
            book: self,
        })
    }

    /// All teams, in the order in which they were opened.
    pub fn teams(&self) -> impl DoubleEndedIterator<Item = TeamRef<'_>> {
        (0..self.teams.len()).filter_map(|number| self.team(number))
    }

    /// Teams that were ever opened, and those that are open.
    pub fn team_counts(&self) -> (u32, u32) {
        (self.teams.len(), self.teams.open)
    }

    /// A place in the line.
    pub fn ticket(&self, number: u32) -> Option<TicketRef<'_>> {
        let ticket = self.line.tickets.get(number)?;
        Some(TicketRef {
            number,
            buyer: self.buyers.name(ticket.buyer)?,
            sku: ticket.sku,
            units: ticket.units,
            since: ticket.since,
            state: ticket.state,
            ahead: self.line.ahead(number),
        })
    }

    /// How many wait for a SKU.
    pub fn line_length(&self, sku: u32) -> u32 {
        self.line.length(sku)
    }

    /// Orders that a buyer holds unpaid, and holds that he let run out.
    pub fn holds_of(&self, buyer: &str) -> (u16, u16) {
        let secret = self.terms.as_ref().map(|terms| terms.secret);
        let at = secret.and_then(|secret| self.buyers.find(&secret, buyer));
        self.buyers.holds(at)
    }
}
