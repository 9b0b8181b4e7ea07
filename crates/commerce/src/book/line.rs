//! The waiting line of a sold-out SKU: first in, first out, each with an order of his own.
//!
//! While somebody waits, every unit that becomes free goes to the line in the same batch, so newcomers find none: there
//! is no second stampede. An offer is an order with a short hold, made for the next in line; he pays it, gives it up, or
//! lets it run out, and then it is the next one's turn.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use ledger::{UnitPrice, Units, Violation};
use serde::{Deserialize, Serialize};
use stdx::chunks::Chunks;

use super::keys::Question;
use super::order::{Charge, Lines, Order, Phase, SeatIn};
use super::place::{Asked, Stop};
use super::sale::accept;
use super::{Book, Done, FixedState, ORDERS_MOST, Terms, Verdict};
use crate::command::{Actor, Place};
use crate::deal::{DealAsk, LineOffer, Waits};
use crate::entry::{Entry, PlacedLine};
use crate::plan::{Rule, SaleState, check_name, check_tags};
use crate::refusal::LimitOf;
use crate::{Facts, Refusal, Time};

/// How a place in the line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TicketState {
    /// Somebody waits.
    Waiting,
    /// He got this order.
    Offered {
        /// Its number.
        order: u32,
    },
    /// He left.
    Left,
}

/// A place in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub(crate) buyer: u32,
    pub(crate) sku: u32,
    pub(crate) units: u32,
    pub(crate) since: Time,
    pub(crate) state: TicketState,
}

/// All lines of a sale.
#[derive(Debug, Default)]
pub(crate) struct WaitingLine {
    pub(crate) tickets: Chunks<Ticket>,
    /// Waiting tickets by SKU, in order; no SKU stands here without one.
    queues: BTreeMap<u32, VecDeque<u32>>,
    waiting: HashMap<(u32, u32), u32, FixedState>,
}

impl WaitingLine {
    /// How many wait for a SKU.
    pub(crate) fn length(&self, sku: u32) -> u32 {
        let queue = self.queues.get(&sku);
        queue.map_or(0, |queue| u32::try_from(queue.len()).unwrap_or(u32::MAX))
    }

    /// How many wait before a ticket.
    pub(crate) fn ahead(&self, ticket: u32) -> Option<u32> {
        let queue = self.queues.get(&self.tickets.get(ticket)?.sku)?;
        let at = queue.binary_search(&ticket).ok()?;
        u32::try_from(at).ok()
    }

    pub(crate) fn restore(&mut self, ticket: Ticket) {
        let number = self.tickets.push(ticket);
        if ticket.state == TicketState::Waiting {
            self.enter(number, ticket);
        }
    }

    fn enter(&mut self, number: u32, ticket: Ticket) {
        self.queues.entry(ticket.sku).or_default().push_back(number);
        self.waiting.insert((ticket.buyer, ticket.sku), number);
    }

    /// Takes a ticket out of its line.
    fn leave(&mut self, number: u32, state: TicketState) -> Result<Ticket, Violation> {
        let lost = || Violation::new("INV-3", format!("ticket {number} does not wait"));
        let ticket = self.tickets.get_mut(number).ok_or_else(lost)?;
        if ticket.state != TicketState::Waiting {
            return Err(lost());
        }
        ticket.state = state;
        let ticket = *ticket;
        let queue = self.queues.get_mut(&ticket.sku).ok_or_else(lost)?;
        let at = queue.binary_search(&number).map_err(|_| lost())?;
        queue.remove(at);
        if queue.is_empty() {
            self.queues.remove(&ticket.sku);
        }
        self.waiting.remove(&(ticket.buyer, ticket.sku));
        Ok(ticket)
    }

    /// Whether every waiting ticket stands in its line, in order, and no other.
    pub(crate) fn is_sound(&self) -> bool {
        let waits = |ticket: &&Ticket| ticket.state == TicketState::Waiting;
        let waiting = self.tickets.iter().filter(waits).count();
        let queued: usize = self.queues.values().map(VecDeque::len).sum();
        let mut queues = self.queues.iter();
        waiting == queued
            && waiting == self.waiting.len()
            && queues.all(|(sku, queue)| {
                let of_sku =
                    |ticket: &u32| self.tickets.get(*ticket).is_some_and(|t| t.sku == *sku);
                queue.iter().all(of_sku) && queue.iter().is_sorted()
            })
    }
}

/// Who wants to wait for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// For whom, where a merchant asks.
    pub(crate) buyer: Option<&'a Arc<str>>,
    /// For which SKU.
    pub(crate) code: &'a Arc<str>,
    /// How many units.
    pub(crate) units: u32,
    /// The buyer's tags.
    pub(crate) tags: &'a [Box<str>],
    /// What else is known of the buyer.
    pub(crate) facts: Option<&'a Facts>,
}

impl Book {
    fn has_rules(&self) -> bool {
        self.offer().is_some_and(|offer| !offer.rules.is_empty())
    }

    pub(crate) fn has_line(&self, sku: u32) -> bool {
        self.line.queues.contains_key(&sku)
    }

    /// A newcomer does not pass those who wait.
    pub(crate) fn check_line(&self, lines: &[PlacedLine]) -> Result<(), Stop> {
        if self.line.queues.is_empty() || stdx::mutants::is("newcomer-passes-the-line") {
            return Ok(());
        }
        for line in lines {
            let (sku, ahead) = (self.skus.get(line.sku as usize), self.line.length(line.sku));
            if let Some(sku) = sku.filter(|_| ahead > 0) {
                let sku = sku.sku.clone();
                return Err(Refusal::LineFirst { sku, ahead }.into());
            }
        }
        Ok(())
    }

    pub(crate) fn decide_wait(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        wanted: Wanted<'_>,
    ) -> Verdict {
        match self.waits(now, terms, question, wanted) {
            Ok((waits, None)) => accept(Entry::Waits(waits)),
            Ok((waits, Some(facts))) => accept(Entry::WaitsKnown { waits, facts }),
            Err(Stop::Short(_)) if self.has_due(now) => Verdict::SweepFirst,
            Err(Stop::Refuse(refusal) | Stop::Short(refusal)) => refusal.into(),
        }
    }

    fn waits(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        wanted: Wanted<'_>,
    ) -> Result<(Waits, Option<Box<Facts>>), Stop> {
        let (buyer, code) = (wanted.buyer, wanted.code);
        let (units, tags) = (wanted.units, wanted.tags);
        let selling = matches!(terms.state, SaleState::Open | SaleState::Paused);
        let policy = self.offer().and_then(|offer| offer.line.as_ref());
        let Some(policy) = policy.filter(|_| selling) else {
            let (state, why) = (terms.state, "it has no waiting line now");
            return Err(Refusal::SaleState { state, why }.into());
        };
        let buyer = waiter(question, buyer)?;
        let Some(&at) = self.sku_places.get(code) else {
            return Err(Refusal::NoSku { sku: code.clone() }.into());
        };
        let alone = [PlacedLine {
            sku: at,
            units,
            price: self
                .sku_at(at)
                .map_or(UnitPrice::default(), |sku| sku.price()),
            own_price: false,
        }];
        if let Some(offered) = &self.offered {
            self.check_alone(offered, &alone)?;
        }
        if units == 0 || units > policy.units_most {
            let bound = format!("units lies between 1 and {}", policy.units_most);
            return Err(Refusal::Invalid(bound).into());
        }
        let known = self.buyers.find(&terms.secret, buyer);
        let facts = self.check_waiter(now, terms, (buyer, known, wanted), &alone)?;
        if known.is_none() && self.buyers.is_full() {
            return Err(Refusal::Full("buyers of one sale").into());
        }
        if let Some(&ticket) = known.and_then(|known| self.line.waiting.get(&(known, at))) {
            return Err(Refusal::WaitsAlready { ticket }.into());
        }
        self.check_room(terms, known, at, units)?;
        let left = self
            .sku_at(at)
            .map_or(Units::ZERO, |sku| sku.units().available());
        if !self.has_line(at) && left.0 >= units {
            let sku = code.clone();
            return Err(Refusal::NothingToWaitFor { sku, left }.into());
        }
        if self.line.length(at) >= policy.places_most || self.line.tickets.len() >= ORDERS_MOST {
            return Err(Refusal::Full("places in the line").into());
        }
        let waits = Waits {
            ticket: self.line.tickets.len(),
            sku: at,
            units,
            buyer: Some(buyer.clone()).filter(|_| question.buyer().is_none()),
            tags: match terms.rules.is_empty() && !self.has_rules() {
                true => Vec::new(),
                false => tags.to_vec(),
            },
            key: question.bound(&terms.secret)?,
        };
        // A place whose buyer has nothing but tags is the entry that it always was.
        let facts = facts.filter(|facts| **facts != Facts::of_tags(tags));
        Ok((waits, facts))
    }

    /// Who may not buy may not wait either. Gives back what was known of the buyer where the decision looked at it.
    fn check_waiter(
        &self,
        now: Time,
        terms: &Terms,
        (buyer, at, wanted): (&Arc<str>, Option<u32>, Wanted<'_>),
        lines: &[PlacedLine],
    ) -> Result<Option<Box<Facts>>, Stop> {
        let tags = wanted.tags;
        check_tags(tags).map_err(Refusal::Invalid)?;
        let admits = |rule: &Rule| rule.admits(now, Some(buyer), tags);
        if let Some(rule) = terms.rules.iter().position(|rule| !admits(rule)) {
            return Err(Refusal::NotEligible { rule }.into());
        }
        let place = Place {
            buyer: None,
            tags: tags.into(),
            lines: Vec::new(),
            paid: None,
            deal: wanted.facts.map(|facts| {
                Box::new(DealAsk {
                    facts: Some(Box::new(facts.clone())),
                    ..DealAsk::default()
                })
            }),
        };
        let total = super::place::total(terms, lines)?;
        let asked = Asked {
            now,
            terms,
            place: &place,
            buyer: Some(buyer),
            at,
        };
        self.judged(&asked, total, lines, None)
    }

    /// Whether the buyer's limits leave room for what he wants to wait for.
    fn check_room(
        &self,
        terms: &Terms,
        buyer: Option<u32>,
        at: u32,
        units: u32,
    ) -> Result<(), Stop> {
        let room = self.room(terms, buyer, at);
        if units <= room {
            return Ok(());
        }
        let used = u32::try_from(self.buyers.units(buyer)).unwrap_or(u32::MAX);
        Err(Stop::Short(Refusal::Limit {
            of: LimitOf::Buyer,
            limit: Units(used.saturating_add(room)),
            used: Units(used),
        }))
    }

    /// Units that the limits leave a buyer in one order of this SKU.
    fn room(&self, terms: &Terms, buyer: Option<u32>, at: u32) -> u32 {
        let limits = self.sku_at(at).map(|sku| sku.limits()).unwrap_or_default();
        let most = |limit: Option<Units>, used: u64| {
            limit.map_or(u64::MAX, |limit| u64::from(limit.0).saturating_sub(used))
        };
        let rooms = [
            most(terms.limits.per_order, 0),
            most(limits.per_order, 0),
            most(terms.limits.per_buyer, self.buyers.units(buyer)),
            most(limits.per_buyer, self.buyers.units_of(buyer, at)),
        ];
        let least = rooms.into_iter().min().unwrap_or(0);
        u32::try_from(least).unwrap_or(u32::MAX)
    }

    pub(crate) fn decide_leave_line(
        &self,
        terms: &Terms,
        question: &Question<'_>,
        number: u32,
    ) -> Verdict {
        let ticket = self.line.tickets.get(number);
        let ticket = ticket.filter(|ticket| ticket.state == TicketState::Waiting);
        let own = |buyer: u32| {
            let name = self.buyers.name(buyer);
            question.buyer().is_none_or(|asks| name == Some(asks))
        };
        if !ticket.is_some_and(|ticket| own(ticket.buyer)) {
            return Refusal::NoTicket.into();
        }
        let key = question.bound(&terms.secret);
        key.map_or_else(Verdict::from, |key| {
            accept(Entry::LeftLine {
                ticket: number,
                key: Some(key),
            })
        })
    }

    /// Whether a unit is free that somebody waits for.
    pub(crate) fn line_is_ready(&self) -> bool {
        self.line_step().is_some()
    }

    /// What the line does next by itself.
    pub(crate) fn line_step(&self) -> Option<Entry> {
        if self.line.queues.is_empty() {
            return None;
        }
        let terms = self
            .terms
            .as_ref()
            .filter(|terms| terms.state == SaleState::Open)?;
        // Who waits is served also where the offer has no line any more, with a hold like everybody's.
        let policy = self.offer()?.line.as_ref();
        let hold_ms = policy.map_or(terms.hold_ms, |policy| policy.hold_ms);
        let hold_ms = match stdx::mutants::is("line-offer-held-like-others") {
            true => terms.hold_ms,
            false => hold_ms,
        };
        let free = |sku: u32| self.sku_at(sku).map_or(0, |sku| sku.units().available().0);
        let mut ready = self.line.queues.iter().filter(|(sku, _)| free(**sku) > 0);
        let (&sku, queue) = ready.next()?;
        let number = match stdx::mutants::is("line-serves-the-last-first") {
            true => *queue.back()?,
            false => *queue.front()?,
        };
        let ticket = self.line.tickets.get(number)?;
        let room = match stdx::mutants::is("line-forgets-limits") {
            true => u32::MAX,
            false => self.room(terms, Some(ticket.buyer), sku),
        };
        // Who lets holds lapse gets shorter ones from the line, too.
        let (_, lapses) = self.buyers.holds(Some(ticket.buyer));
        let step = self.offer()?.holds.step(lapses);
        let hold_ms = step.map_or(hold_ms, |step| step.hold_ms.min(hold_ms));
        if free(sku) < ticket.units && stdx::mutants::is("line-waits-for-the-whole") {
            return None;
        }
        let units = ticket.units.min(free(sku)).min(room);
        let price = self.sku_at(sku)?.price();
        let total = price.times(units, terms.currency);
        let total = total.filter(|total| total.0 <= i64::MAX / 16);
        Some(
            match total.filter(|_| units > 0 && self.orders.len() < ORDERS_MOST) {
                Some(total) => Entry::LineOffered(LineOffer {
                    ticket: number,
                    order: self.orders.len(),
                    units,
                    price,
                    total,
                    hold_ms,
                }),
                None => Entry::LeftLine {
                    ticket: number,
                    key: None,
                },
            },
        )
    }

    /// Gives what is free to those who wait: at most `most` of them, the others follow.
    pub(crate) fn tick_line(
        &mut self,
        now: Time,
        most: usize,
        out: &mut Vec<Entry>,
    ) -> Result<(), Violation> {
        if self.line.queues.is_empty() {
            return Ok(());
        }
        for _ in 0..most {
            let Some(entry) = self.line_step() else {
                break;
            };
            self.apply(now, &entry)?;
            out.push(entry);
        }
        Ok(())
    }

    pub(crate) fn apply_line(&mut self, now: Time, entry: &Entry) -> Result<(), Violation> {
        match entry {
            Entry::Waits(waits) | Entry::WaitsKnown { waits, .. } => self.enter_line(now, waits),
            Entry::LeftLine { ticket, key } => {
                self.line.leave(*ticket, TicketState::Left)?;
                key.as_ref()
                    .map_or(Ok(()), |key| self.keys.bind(key, Done::Ticket(*ticket)))
            }
            Entry::LineOffered(offer) => self.offer_next(now, offer),
            _ => Ok(()),
        }
    }

    fn enter_line(&mut self, now: Time, waits: &Waits) -> Result<(), Violation> {
        let secret = self.secret()?;
        let name = match (&waits.buyer, &waits.key.by) {
            (Some(name), _) | (None, crate::entry::By::Buyer(name)) => name,
            _ => return Err(Violation::new("INV-3", "nobody waits")),
        };
        if waits.ticket != self.line.tickets.len() {
            let late = format!("ticket {} is not the next", waits.ticket);
            return Err(Violation::new("INV-3", late));
        }
        let ticket = Ticket {
            buyer: self.buyers.intern(&secret, name)?,
            sku: waits.sku,
            units: waits.units,
            since: now,
            state: TicketState::Waiting,
        };
        self.line.restore(ticket);
        self.keys.bind(&waits.key, Done::Ticket(waits.ticket))
    }

    fn offer_next(&mut self, now: Time, offer: &LineOffer) -> Result<(), Violation> {
        let state = TicketState::Offered { order: offer.order };
        let ticket = self.line.leave(offer.ticket, state)?;
        if offer.order != self.orders.len() {
            let late = format!("order {} is not the next", offer.order);
            return Err(Violation::new("INV-3", late));
        }
        let line = PlacedLine {
            sku: ticket.sku,
            units: offer.units,
            price: offer.price,
            own_price: false,
        };
        let mut lines = Lines::One(self.hold_line(ticket.buyer, &line, SeatIn::NONE)?);
        let free = offer.total.0 == 0;
        if free {
            self.post_lines(&mut lines)?;
            self.tally.paid += 1;
        } else {
            self.tally.held += 1;
            self.buyers.open(ticket.buyer);
            let deadline = now.after_ms(u64::from(offer.hold_ms));
            self.due.push(deadline, offer.order);
        }
        self.tally.placed += 1;
        self.orders.push(Order {
            lines,
            total: offer.total,
            placed: now,
            extra: None,
            hold_ms: offer.hold_ms,
            buyer: ticket.buyer,
            attempt: 0,
            phase: if free { Phase::Paid } else { Phase::Held },
            charge: if free { Charge::Free } else { Charge::None },
            seat: SeatIn::NONE,
        });
        Ok(())
    }
}

/// Who waits: a buyer for himself, a merchant for a buyer whom he names.
fn waiter<'a>(
    question: &Question<'a>,
    buyer: Option<&'a Arc<str>>,
) -> Result<&'a Arc<str>, Refusal> {
    let name = match (question.actor, buyer) {
        (Actor::Buyer(own), Some(other)) if own != other => {
            return Err(Refusal::Invalid("a buyer waits for nobody else".into()));
        }
        (Actor::Buyer(own), _) => Some(own),
        (Actor::Merchant(_) | Actor::House, other) => other,
    };
    let name =
        name.ok_or_else(|| Refusal::Invalid("somebody has to wait: name the buyer".into()))?;
    check_name("buyer", name).map_err(Refusal::Invalid)?;
    Ok(name)
}
