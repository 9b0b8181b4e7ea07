//! Marks of lives with offers: what became of teams, draws, dues and the line, as a desk's journal shows it.

use std::collections::{BTreeMap, BTreeSet};

use commerce::Entry;
use commerce::deal::{Settled, TeamEnd};
use commerce::entry::{Asked, Fate};
use commerce::price::PriceWhat;
use world::journal::Batch;

use super::bargains::Bargains;
use super::{Mark, desk_mark};
use crate::desk::DeskLived;
use crate::story::{entries, orders_of};

pub(super) const MARKS: &[Mark] = &[
    desk_mark!(
        "team-complete-while-another-pays",
        "the last seat was paid while the money of somebody who had lost his was under way",
        |tale| tale.complete_while_paying
    ),
    desk_mark!(
        "team-stretched",
        "a team's time was over, and a payment in flight still counted",
        |tale| tale.stretched
    ),
    desk_mark!(
        "team-filled-by-the-house",
        "the house took the seats that were left",
        |tale| tale
            .ends
            .iter()
            .any(|how| matches!(how, TeamEnd::Filled { .. }))
    ),
    desk_mark!(
        "team-reached-with-fewer",
        "a team came about with fewer than all seats",
        |tale| tale.ends.contains(&TeamEnd::Reached)
    ),
    desk_mark!(
        "team-failed-while-paying",
        "a team failed and did not know what became of a member's payment",
        |tale| tale.failed_while_paying
    ),
    desk_mark!(
        "late-money-of-a-team-went-back",
        "money came for a seat whose team had ended, and went back",
        |tale| tale.then(is_voided, goes_back)
    ),
    desk_mark!(
        "tier-difference",
        "a team ended in a better tier than a member had paid",
        |tale| tale.entry(|entry| settles(entry, |one| matches!(one, Settled::Difference(_))))
    ),
    desk_mark!(
        "team-settled-in-several-entries",
        "the end of a team was a fan-out over several entries",
        |tale| tale.fan_out
    ),
    desk_mark!(
        "team-settled-after-a-crash",
        "the process died between a team's end and its last member",
        |tale| tale.settled_after_crash
    ),
    desk_mark!(
        "seat-taken-again",
        "a late payment took its seat again",
        |tale| tale.then(is_seated, |entry| fate(entry) == Some(Fate::KeptAgain))
    ),
    desk_mark!(
        "paid-seat-left",
        "a member who had paid gave his seat up",
        |tale| tale.then(is_seated, |entry| matches!(
            entry,
            Entry::Cancelled {
                refund: Some(_),
                ..
            }
        ))
    ),
    desk_mark!(
        "lottery-drawn",
        "prizes were sold to those who were drawn",
        |tale| tale.entry(|entry| settles(entry, |one| matches!(one, Settled::Won { .. })))
    ),
    desk_mark!(
        "lottery-drawn-after-a-crash",
        "the process died between a lottery's last seat and its draw",
        |tale| tale.drawn_after_crash
    ),
    desk_mark!(
        "deposit-forfeited",
        "a balance was not paid, and the deposit stayed",
        |tale| tale.entry(|entry| lapses(entry, false))
    ),
    desk_mark!(
        "deposit-given-back",
        "a balance was not paid, and the deposit went back by itself",
        |tale| tale.entry(|entry| lapses(entry, true))
    ),
    desk_mark!(
        "balance-captured-after-its-lapse",
        "a balance was captured after its deposit was lost, and went back",
        |tale| tale.then(
            |entry| matches!(entry, Entry::BalanceLapsed { .. }),
            goes_back
        )
    ),
    desk_mark!(
        "balance-waited-for",
        "the end of a balance waited for its payment in flight",
        |tale| tale.then(
            |entry| fate(entry) == Some(Fate::Deposit),
            |entry| matches!(entry, Entry::HoldsExtended { .. })
        )
    ),
    desk_mark!(
        "deposit-paid-late",
        "a deposit came after the hold was over, and the units were free still",
        |tale| tale.entry(|entry| fate(entry) == Some(Fate::DepositAgain))
    ),
    desk_mark!(
        "refund-over-two-charges",
        "deposit and balance went back in one refund",
        |tale| {
            tale.entry(|entry| matches!(
            entry,
            Entry::RefundsBegun { refunds, .. } | Entry::GivenUp { refunds, .. } if refunds.len() > 1
        ))
        }
    ),
    desk_mark!(
        "line-offer-lapsed-to-the-next",
        "who was offered units let them lapse, and the next one got them",
        |tale| tale.lapsed_to_the_next
    ),
    desk_mark!(
        "part-offered",
        "the next in line was offered fewer units than he had asked for",
        |tale| tale.part_offered
    ),
    desk_mark!(
        "line-offer-paid",
        "who had waited in line paid what he was offered",
        |tale| tale.then(
            |entry| matches!(entry, Entry::LineOffered(_)),
            |entry| fate(entry) == Some(Fate::Kept)
        )
    ),
    desk_mark!(
        "late-capture-behind-a-line",
        "money came after the hold was over, others waited for the units, and it went back",
        |tale| tale.late_behind_line
    ),
    desk_mark!("place-in-line-given-up", "somebody left the line", |tale| {
        tale.entry(|entry| matches!(entry, Entry::LeftLine { key: Some(_), .. }))
    }),
    desk_mark!(
        "hold-extended-and-paid",
        "a hold lived longer since its payment was in flight, and was paid",
        |tale| tale.then(
            |entry| matches!(entry, Entry::HoldsExtended { .. }),
            |entry| fate(entry) == Some(Fate::Kept)
        )
    ),
    desk_mark!(
        "hold-shrunk",
        "who had let holds lapse got a shorter one",
        |tale| tale.shrunk
    ),
    desk_mark!(
        "offer-altered",
        "the offer changed while people were buying",
        |tale| tale.entry(|entry| matches!(entry, Entry::OfferAltered { .. }))
    ),
    desk_mark!(
        "coupon-used-up-to-the-last",
        "an order took what was left of a coupon's budget, to the last minor unit",
        |tale| tale.bargains.used_up
    ),
    desk_mark!(
        "coupon-given-back-and-used-again",
        "a coupon's budget came back with an order that ended unsold, and without that the next use would not have fitted",
        |tale| tale.bargains.used_again
    ),
    desk_mark!(
        "late-capture-without-its-coupon",
        "money came after the hold was over, others had used its coupon up, and it went back",
        |tale| tale.bargains.late_without
    ),
    desk_mark!(
        "coupon-taken-again",
        "a late payment took its coupon again",
        |tale| tale.then(has_coupon, |entry| matches!(
            fate(entry),
            Some(Fate::KeptAgain | Fate::DepositAgain)
        ))
    ),
    desk_mark!(
        "several-coupons",
        "several coupons came off one order",
        |tale| tale.entry(|entry| off(entry, |what| matches!(what, PriceWhat::Coupon { .. })) > 1)
    ),
    desk_mark!(
        "discount-and-tier",
        "a level or a coupon came off the price of a team's tier",
        |tale| tale.entry(|entry| {
            off(entry, |what| matches!(what, PriceWhat::Tier { .. })) > 0
                && off(entry, |what| {
                    matches!(what, PriceWhat::Level { .. } | PriceWhat::Coupon { .. })
                }) > 0
        })
    ),
    desk_mark!(
        "leader-and-level",
        "the leader's cut came off what the level had left",
        |tale| tale.entry(|entry| {
            off(entry, |what| *what == PriceWhat::Leader) > 0
                && off(entry, |what| matches!(what, PriceWhat::Level { .. })) > 0
        })
    ),
    desk_mark!(
        "discounted-order-refunded-in-part",
        "units of a discounted order came back one by one",
        |tale| tale.then(is_discounted, |entry| matches!(
            entry,
            Entry::RefundBegun {
                asked: Asked::Lines,
                ..
            }
        ))
    ),
    desk_mark!(
        "nothing-left-to-pay",
        "coupons took the whole price",
        |tale| tale
            .entry(|entry| { matches!(entry, Entry::Dealt(dealt) if dealt.placed.total.0 == 0) })
    ),
    desk_mark!(
        "rules-altered",
        "the rules of the offer changed between two orders",
        |tale| tale.bargains.ruled_anew
    ),
    desk_mark!(
        "coupon-altered",
        "a coupon that had been used changed while the sale went on",
        |tale| tale.bargains.altered
    ),
];

/// What a desk's journal tells.
#[derive(Default)]
pub(super) struct Tale {
    entries: Vec<Entry>,
    orders: BTreeMap<u32, Vec<Entry>>,
    pub(super) ends: Vec<TeamEnd>,
    complete_while_paying: bool,
    stretched: bool,
    failed_while_paying: bool,
    fan_out: bool,
    settled_after_crash: bool,
    /// A team was full by a payment.
    pub(super) full: bool,
    /// The process died between a team's last payment and its settlement.
    pub(super) full_then_crash: bool,
    pub(super) drawn_after_crash: bool,
    lapsed_to_the_next: bool,
    part_offered: bool,
    late_behind_line: bool,
    shrunk: bool,
    pub(super) bargains: Bargains,
    reader: Reader,
}

/// What has to be known while the journal is read.
#[derive(Default)]
struct Reader {
    hold_ms: u32,
    /// Lifetimes are over at; seats that are paid; batch of the last payment; by team.
    teams: BTreeMap<u32, Team>,
    /// Sizes by rule, in the order in which rules became known.
    sizes: Vec<commerce::offer::GroupRule>,
    seat: BTreeMap<u32, u32>,
    paying: BTreeSet<u32>,
    expired: BTreeSet<u32>,
    /// Units and SKU of those who wait.
    waiting: BTreeMap<u32, (u32, u32)>,
    /// Orders from the line, and SKUs that one of them let lapse.
    offered: BTreeMap<u32, u32>,
    lapsed: BTreeSet<u32>,
    sku: BTreeMap<u32, u32>,
}

#[derive(Default)]
struct Team {
    size: usize,
    ends: u64,
    paid: BTreeSet<u32>,
    members: usize,
    settled: usize,
    full_at: Option<u64>,
    ended_at: Option<u64>,
}

impl Tale {
    /// Reads what a desk's life left.
    pub(super) fn read(lived: &DeskLived) -> Self {
        Self::of(&lived.journal, &lived.crashed_at)
    }

    /// Reads a journal, with the batches after which the process died.
    pub(super) fn of(journal: &[Batch], crashes: &[u64]) -> Self {
        let mut tale = Self::default();
        for batch in journal {
            for entry in entries(&batch.payload) {
                tale.take(&entry, batch.sequence, batch.time_ms, crashes);
                for order in orders_of(&entry) {
                    tale.orders.entry(order).or_default().push(entry.clone());
                }
                tale.entries.push(entry);
            }
        }
        tale
    }

    pub(super) fn entry(&self, like: impl Fn(&Entry) -> bool) -> bool {
        self.entries.iter().any(like)
    }

    pub(super) fn then(
        &self,
        first: impl Fn(&Entry) -> bool,
        second: impl Fn(&Entry) -> bool,
    ) -> bool {
        self.orders.values().any(|entries| {
            let begun = entries.iter().position(&first);
            begun.is_some_and(|at| entries[at + 1..].iter().any(&second))
        })
    }

    fn take(&mut self, entry: &Entry, sequence: u64, time: u64, crashes: &[u64]) {
        self.bargains.take(entry);
        let died = |since: u64| crashes.iter().any(|at| (since..sequence).contains(at));
        match entry {
            Entry::CreatedWith { plan, offer, .. } => {
                self.reader.hold_ms = plan.hold_ms;
                self.reader.learn(&offer.groups);
            }
            Entry::OfferAltered { offer, .. } => self.reader.learn(&offer.groups),
            Entry::Dealt(dealt) => {
                self.shrunk |= dealt.placed.hold_ms < self.reader.hold_ms;
                self.reader.dealt(dealt);
            }
            Entry::Placed(placed) => {
                self.shrunk |= placed.hold_ms < self.reader.hold_ms;
                self.reader.placed(placed);
            }
            Entry::TeamEnded { team, how } => {
                self.ends.push(*how);
                let paying = self.reader.pays_in(*team);
                self.failed_while_paying |= *how == TeamEnd::Failed && paying;
                if let Some(team) = self.reader.teams.get_mut(team) {
                    team.ended_at = Some(sequence);
                }
            }
            Entry::TeamSettled { team, orders } => {
                if let Some(team) = self.reader.teams.get_mut(team) {
                    self.fan_out |= team.settled > 0;
                    team.settled += orders.len();
                    let since = team.ended_at.or(team.full_at);
                    self.settled_after_crash |= since.is_some_and(died);
                    let full = team.full_at.filter(|_| team.ended_at.is_none());
                    self.full_then_crash |= full.is_some_and(died);
                }
            }
            Entry::Drawn { team, .. } => {
                let full = self.reader.teams.get(team).and_then(|team| team.full_at);
                self.drawn_after_crash |= full.is_some_and(died);
            }
            entry => {
                self.pay(entry, sequence, time);
                self.stand_in_line(entry);
            }
        }
    }

    fn pay(&mut self, entry: &Entry, sequence: u64, time: u64) {
        let reader = &mut self.reader;
        match entry {
            Entry::PayBegun { order, .. } => {
                reader.paying.insert(*order);
            }
            Entry::ChargeFailed { order, .. } => {
                reader.paying.remove(order);
            }
            Entry::Captured { order, fate, .. } => {
                reader.paying.remove(order);
                let late = reader.expired.contains(order);
                if let Fate::GoesBack { .. } = fate {
                    let sku = reader.sku.get(order);
                    let line = reader.waiting.values().any(|(_, of)| Some(of) == sku);
                    self.late_behind_line |= late && line;
                    return;
                }
                let Some(at) = reader.seat.get(order).copied() else {
                    return;
                };
                let others = reader.pays_in(at);
                let Some(team) = reader.teams.get_mut(&at) else {
                    return;
                };
                self.stretched |= time >= team.ends;
                team.paid.insert(*order);
                if team.paid.len() >= team.size && team.full_at.is_none() {
                    team.full_at = Some(sequence);
                    self.full = true;
                    self.complete_while_paying |= others;
                }
            }
            Entry::Cancelled { order, .. } => {
                if let Some(at) = reader.seat.get(order)
                    && let Some(team) = reader.teams.get_mut(at)
                {
                    team.paid.remove(order);
                }
            }
            Entry::Expired { orders } => reader.expired.extend(orders),
            _ => {}
        }
    }

    fn stand_in_line(&mut self, entry: &Entry) {
        let reader = &mut self.reader;
        match entry {
            Entry::Waits(waits) | Entry::WaitsKnown { waits, .. } => {
                reader
                    .waiting
                    .insert(waits.ticket, (waits.units, waits.sku));
            }
            Entry::LeftLine { ticket, .. } => {
                reader.waiting.remove(ticket);
            }
            Entry::LineOffered(offer) => {
                let Some((units, sku)) = reader.waiting.remove(&offer.ticket) else {
                    return;
                };
                self.part_offered |= offer.units < units;
                self.lapsed_to_the_next |= reader.lapsed.contains(&sku);
                reader.offered.insert(offer.order, sku);
                reader.sku.insert(offer.order, sku);
            }
            Entry::Expired { orders } => {
                let lapsed = orders.iter().filter_map(|order| reader.offered.get(order));
                reader.lapsed.extend(lapsed);
            }
            _ => {}
        }
    }
}

impl Reader {
    fn learn(&mut self, rules: &[commerce::offer::GroupRule]) {
        for rule in rules {
            if !self.sizes.contains(rule) {
                self.sizes.push(rule.clone());
            }
        }
    }

    fn placed(&mut self, placed: &commerce::entry::Placed) {
        if let [line] = placed.lines.as_slice() {
            self.sku.insert(placed.order, line.sku);
        }
    }

    fn dealt(&mut self, dealt: &commerce::deal::Dealt) {
        self.placed(&dealt.placed);
        let Some(seat) = &dealt.deal.seat else { return };
        self.seat.insert(dealt.placed.order, seat.team);
        let team = self.teams.entry(seat.team).or_default();
        team.members += 1;
        if let Some(opening) = &seat.opens {
            team.ends = opening.ends.0;
            let rule = usize::try_from(opening.rule).ok();
            let rule = rule.and_then(|rule| self.sizes.get(rule));
            team.size = rule.map_or(usize::MAX, |rule| usize::from(rule.size));
        }
        if dealt.placed.paid.is_some() {
            team.paid.insert(dealt.placed.order);
        }
    }

    /// Whether the payment of somebody of the team is under way.
    fn pays_in(&self, team: u32) -> bool {
        let mut paying = self.paying.iter();
        paying.any(|order| self.seat.get(order) == Some(&team))
    }
}

pub(super) fn fate(entry: &Entry) -> Option<Fate> {
    match entry {
        Entry::Captured { fate, .. } => Some(*fate),
        _ => None,
    }
}

fn has_coupon(entry: &Entry) -> bool {
    off(entry, |what| matches!(what, PriceWhat::Coupon { .. })) > 0
}

fn is_discounted(entry: &Entry) -> bool {
    off(entry, |what| {
        !matches!(what, PriceWhat::Line { .. } | PriceWhat::Tier { .. })
    }) > 0
}

/// How many lines like this the price of an order has.
fn off(entry: &Entry, like: impl Fn(&PriceWhat) -> bool) -> usize {
    let Entry::Dealt(dealt) = entry else { return 0 };
    let price = dealt.deal.price.iter();
    price.filter(|line| like(&line.what)).count()
}

pub(super) fn goes_back(entry: &Entry) -> bool {
    matches!(fate(entry), Some(Fate::GoesBack { .. }))
}

pub(super) fn is_seated(entry: &Entry) -> bool {
    matches!(entry, Entry::Dealt(dealt) if dealt.deal.seat.is_some())
}

pub(super) fn settles(entry: &Entry, like: impl Fn(&Settled) -> bool) -> bool {
    matches!(entry, Entry::TeamSettled { orders, .. } if orders.iter().any(like))
}

fn is_voided(entry: &Entry) -> bool {
    settles(entry, |one| matches!(one, Settled::Voided { .. }))
}

pub(super) fn lapses(entry: &Entry, back: bool) -> bool {
    matches!(entry, Entry::BalanceLapsed { orders } if orders.iter().any(|one| one.refund.is_some() == back))
}
