//! Teams, the line, and who lets holds lapse, as the clerk writes them down: seats by their orders, places by their
//! numbers. Nothing is asked about whether it may; the judges of teams, dues, the line and holds do that.

use std::collections::BTreeMap;

use commerce::deal::{Dealt, LineOffer, Seat, Settled, TeamEnd, Waits};
use commerce::entry::{Placed, PlacedLine, PlacedLines};
use commerce::offer::{GroupRule, Offer};

use super::company::TeamLook;
use super::fold::{Spot, place};
use super::rows::{OrderRow, Phase, Rows, name_of};

/// A seat, by the order that took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeatIs {
    Held,
    Paid,
    Gone,
}

/// How a team stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TeamIs {
    Open,
    Complete,
    Failed,
}

/// A team.
#[derive(Debug)]
pub(super) struct TeamRow {
    pub(super) rule: usize,
    pub(super) opened: u64,
    pub(super) ends: u64,
    pub(super) is: TeamIs,
    pub(super) seats: BTreeMap<usize, SeatIs>,
    /// Seats that the house took; it takes every one that is given up since.
    pub(super) house: i64,
    pub(super) fills: bool,
    /// Prize units that it holds.
    pub(super) prizes: i64,
    /// The hash of the seed that was promised.
    pub(super) promise: Option<[u8; 32]>,
    pub(super) winners: Option<Vec<u32>>,
    pub(super) settled: usize,
    /// How it looked after each batch that touched it.
    pub(super) looks: Vec<(u64, TeamLook)>,
}

impl TeamRow {
    fn count(&self, like: SeatIs) -> i64 {
        let seats = self.seats.values().filter(|seat| **seat == like);
        i64::try_from(seats.count()).unwrap_or(i64::MAX)
    }

    /// Held and not paid.
    pub(super) fn held(&self) -> i64 {
        self.count(SeatIs::Held)
    }

    /// Paid, the house's own included.
    pub(super) fn filled(&self) -> i64 {
        self.count(SeatIs::Paid) + self.house
    }
}

/// Where a place in the line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlaceIs {
    Waiting,
    Offered,
    Left,
}

/// A place in the line.
#[derive(Debug)]
pub(super) struct PlaceRow {
    pub(super) sku: usize,
    pub(super) units: i64,
    pub(super) buyer: String,
    pub(super) is: PlaceIs,
    /// The batch and the time of its beginning.
    pub(super) since: (u64, u64),
    /// The batch in which it waited no longer.
    pub(super) until: Option<u64>,
    /// The order that it was offered.
    pub(super) order: Option<usize>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) offer: Option<Offer>,
    /// Every group rule that the sale ever had.
    pub(super) rules: Vec<GroupRule>,
    pub(super) teams: Vec<TeamRow>,
    pub(super) places: Vec<PlaceRow>,
    /// Teams that the entry under way has touched.
    pub(super) touched: Vec<usize>,
    /// Holds that each buyer let lapse.
    pub(super) lapses: BTreeMap<String, i64>,
}

impl Gathered {
    pub(super) const fn new() -> Self {
        Self {
            offer: None,
            rules: Vec::new(),
            teams: Vec::new(),
            places: Vec::new(),
            touched: Vec::new(),
            lapses: BTreeMap::new(),
        }
    }

    /// A rule that is known keeps its place.
    pub(super) fn set(&mut self, offer: &Offer) {
        for rule in &offer.groups {
            if !self.rules.contains(rule) {
                self.rules.push(rule.clone());
            }
        }
        self.offer = Some(offer.clone());
    }

    /// The rule of a seat that is taken.
    pub(super) fn rule_of(&self, seat: &Seat) -> Option<&GroupRule> {
        let rule = match &seat.opens {
            Some(opening) => place(opening.rule),
            None => self.teams.get(place(seat.team))?.rule,
        };
        self.rules.get(rule)
    }

    /// The rule of a team.
    pub(super) fn rule(&self, team: &TeamRow) -> Option<&GroupRule> {
        self.rules.get(team.rule)
    }

    /// Whether the goods of a seat are prizes.
    pub(super) fn draws(&self, seat: Option<&Seat>) -> bool {
        let rule = seat.and_then(|seat| self.rule_of(seat));
        rule.is_some_and(|rule| rule.prizes.is_some())
    }

    /// Places that wait for a SKU, the first one first.
    pub(super) fn line(&self, sku: usize) -> impl Iterator<Item = (usize, &PlaceRow)> {
        let places = self.places.iter().enumerate();
        places.filter(move |(_, row)| row.sku == sku && row.is == PlaceIs::Waiting)
    }
}

impl Rows {
    /// The team of an order.
    pub(super) fn team_of(&self, order: &OrderRow) -> Option<&TeamRow> {
        self.gathered.teams.get(order.seat?)
    }

    pub(super) fn dealt(&mut self, time: u64, dealt: &Dealt) {
        if let Some((seat, opening)) =
            (dealt.deal.seat.as_ref()).and_then(|seat| Some((seat, seat.opens.as_ref()?)))
        {
            let rule = self.gathered.rules.get(place(opening.rule));
            let prizes = rule.and_then(|rule| rule.prizes).map_or(0, i64::from);
            self.gathered.teams.push(TeamRow {
                rule: place(opening.rule),
                opened: time,
                ends: opening.ends.0,
                is: TeamIs::Open,
                seats: BTreeMap::new(),
                house: 0,
                fills: false,
                prizes,
                promise: opening.commit.as_deref().map(|commit| commit.hash),
                winners: None,
                settled: 0,
                looks: Vec::new(),
            });
            self.move_prizes(place(seat.team), prizes, Spot::Free, Spot::Held);
        }
        self.placed(time, &dealt.placed, &dealt.deal);
        let Some(order) = self.orders.len().checked_sub(1) else {
            return;
        };
        self.put_seat(order, SeatIs::Held);
        if self.orders[order].phase == Phase::Paid {
            self.seat_paid(time, order);
        }
    }

    fn put_seat(&mut self, order: usize, is: SeatIs) {
        let team = self.orders.get(order).and_then(|row| row.seat);
        if let Some(team) = team.and_then(|team| self.gathered.teams.get_mut(team)) {
            team.seats.insert(order, is);
        }
    }

    fn move_prizes(&mut self, team: usize, units: i64, from: Spot, to: Spot) {
        let Gathered { teams, rules, .. } = &self.gathered;
        let rule = teams.get(team).and_then(|team| rules.get(team.rule));
        let sku = rule.and_then(|rule| {
            let mut skus = self.skus.iter();
            skus.position(|sku| *sku.code == *rule.sku)
        });
        if let Some(sku) = sku.filter(|_| units != 0) {
            self.shift(sku, units, from, to);
        }
    }

    /// The order is paid, and so is its seat; the last seat completes the team.
    pub(super) fn seat_paid(&mut self, _time: u64, order: usize) {
        self.put_seat(order, SeatIs::Paid);
        let team = self.orders.get(order).and_then(|row| row.seat);
        let Some(at) = team else { return };
        let Gathered { teams, rules, .. } = &mut self.gathered;
        let Some(team) = teams.get_mut(at) else {
            return;
        };
        let size = rules.get(team.rule).map_or(0, |rule| i64::from(rule.size));
        if team.is == TeamIs::Open && team.filled() >= size {
            team.is = TeamIs::Complete;
        }
    }

    /// The order has ended; a paid seat of a team that came about stays taken.
    pub(super) fn seat_gone(&mut self, order: usize) {
        let team = self.orders.get(order).and_then(|row| row.seat);
        let Some(team) = team.and_then(|team| self.gathered.teams.get_mut(team)) else {
            return;
        };
        let complete = team.is == TeamIs::Complete;
        let Some(seat) = team.seats.get_mut(&order) else {
            return;
        };
        match *seat {
            SeatIs::Gone => {}
            SeatIs::Paid if complete => {}
            SeatIs::Paid => *seat = SeatIs::Gone,
            SeatIs::Held => {
                *seat = SeatIs::Gone;
                team.house += i64::from(team.fills);
            }
        }
    }

    /// Who has given all units back has no seat in a team that is open.
    pub(super) fn seat_given_back(&mut self, order: usize) {
        let empty = |row: &OrderRow| row.units_left() == 0;
        if self.orders.get(order).is_some_and(empty) {
            self.seat_gone(order);
        }
    }

    pub(super) fn team_ended(&mut self, _time: u64, at: usize, how: TeamEnd) {
        self.gathered.touched.push(at);
        let Some(team) = self.gathered.teams.get_mut(at) else {
            return;
        };
        team.is = match how {
            TeamEnd::Failed => TeamIs::Failed,
            TeamEnd::Reached | TeamEnd::Filled { .. } => TeamIs::Complete,
        };
        if let TeamEnd::Filled { seats } = how {
            team.house += i64::from(seats);
            team.fills = true;
        }
        if how == TeamEnd::Failed {
            let prizes = std::mem::take(&mut team.prizes);
            self.move_prizes(at, prizes, Spot::Held, Spot::Free);
        }
    }

    pub(super) fn drawn(&mut self, at: usize, winners: &[u32]) {
        self.gathered.touched.push(at);
        if let Some(team) = self.gathered.teams.get_mut(at) {
            team.winners = Some(winners.to_vec());
        }
    }

    pub(super) fn team_settled(&mut self, at: usize, orders: &[Settled]) {
        self.gathered.touched.push(at);
        for settled in orders {
            let order = place(settled.order());
            match settled {
                Settled::Nothing { .. } | Settled::Stands { .. } => {}
                Settled::Voided { .. } => self.end_hold(order, Phase::Cancelled),
                Settled::GivenUp { refund, .. } => {
                    if let Some(refund) = refund {
                        self.own_refund(order, refund);
                    }
                    self.give_all_back(order);
                }
                Settled::Difference(refund) => {
                    self.own_refund(order, refund);
                    self.reprice(at, order, refund.amount.0);
                }
                Settled::Won { .. } => self.won(at, order),
            }
        }
        let Some(team) = self.gathered.teams.get_mut(at) else {
            return;
        };
        team.settled += orders.len();
        if team.settled >= team.seats.len() {
            let prizes = std::mem::take(&mut team.prizes);
            self.move_prizes(at, prizes, Spot::Held, Spot::Free);
        }
    }

    fn won(&mut self, at: usize, order: usize) {
        self.move_prizes(at, 1, Spot::Held, Spot::Sold);
        if let Some(team) = self.gathered.teams.get_mut(at) {
            team.prizes -= 1;
        }
        if let Some(row) = self.orders.get_mut(order) {
            row.bare = false;
            self.touched.0.push(order);
        }
    }

    fn reprice(&mut self, at: usize, order: usize, back: i64) {
        let last = super::tiers::last_price(self, at);
        let currency = self.terms.as_ref().map_or("", |terms| &terms.currency);
        let (Some(row), Some(last)) = (self.orders.get_mut(order), last) else {
            return;
        };
        row.difference += back;
        row.off = super::net::off_after(row, currency, last, back);
        if let Some(line) = row.lines.first_mut() {
            line.price = last;
        }
    }

    pub(super) fn extend(&mut self, order: usize, by_ms: u64) {
        if let Some(row) = self.orders.get_mut(order) {
            row.extended_ms = by_ms;
            self.touched.0.push(order);
        }
    }

    /// A hold lapsed, or was paid after all.
    pub(super) fn lapse(&mut self, order: usize, by: i64) {
        let buyer = self.orders.get(order).and_then(|row| row.buyer.clone());
        if let Some(buyer) = buyer {
            *self.gathered.lapses.entry(buyer).or_default() += by;
        }
    }

    pub(super) fn waits(&mut self, since: (u64, u64), waits: &Waits) {
        let named = waits.buyer.as_deref();
        let buyer = named.unwrap_or_else(|| name_of(&waits.key.by)).to_owned();
        self.gathered.places.push(PlaceRow {
            sku: place(waits.sku),
            units: i64::from(waits.units),
            buyer,
            is: PlaceIs::Waiting,
            since,
            until: None,
            order: None,
        });
    }

    pub(super) fn left_line(&mut self, sequence: u64, ticket: usize) {
        if let Some(row) = self.gathered.places.get_mut(ticket) {
            row.is = PlaceIs::Left;
            row.until = Some(sequence);
        }
    }

    /// The next in line gets an order of his own.
    pub(super) fn line_offered(&mut self, (sequence, time): (u64, u64), offer: &LineOffer) {
        let Some(row) = self.gathered.places.get_mut(place(offer.ticket)) else {
            return;
        };
        row.is = PlaceIs::Offered;
        row.until = Some(sequence);
        row.order = Some(place(offer.order));
        let (buyer, sku) = (row.buyer.clone(), row.sku);
        let line = PlacedLine {
            sku: u32::try_from(sku).unwrap_or(u32::MAX),
            units: offer.units,
            price: offer.price,
            own_price: false,
        };
        let placed = Placed {
            order: offer.order,
            key: super::line::nobody(),
            buyer: Some(buyer.into()),
            tags: Vec::new(),
            lines: PlacedLines::One(line),
            total: offer.total,
            hold_ms: offer.hold_ms,
            paid: None,
        };
        self.placed(time, &placed, &commerce::deal::Deal::default());
    }
}
