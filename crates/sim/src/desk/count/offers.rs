//! The count of teams, dues and the line: whose units are whose, and which refunds are intended.

use std::collections::BTreeMap;

use commerce::Entry;
use commerce::deal::{Dealt, LineOffer, Settled, TeamEnd};
use commerce::entry::{Bound, By, Placed, PlacedLine, PlacedLines};
use commerce::offer::GroupRule;
use commerce::price::PriceWhat;

use super::super::wish::sku_number;
use super::{Count, Phase};

/// Prize units of a team.
#[derive(Clone, Debug, Default)]
struct Prizes {
    sku: u32,
    left: i64,
    members: usize,
    settled: usize,
}

/// Rules, teams and places in line, as far as units need them.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    rules: Vec<GroupRule>,
    teams: BTreeMap<u32, (usize, Prizes)>,
    waiting: BTreeMap<u32, (u32, String)>,
}

impl Count {
    /// The rules of an offer; one that is known keeps its place.
    pub(super) fn offer(&mut self, entry: &Entry) {
        let (Entry::CreatedWith { offer, .. } | Entry::OfferAltered { offer, .. }) = entry else {
            return;
        };
        for rule in &offer.groups {
            if !self.gathered.rules.contains(rule) {
                self.gathered.rules.push(rule.clone());
            }
        }
    }

    pub(super) fn of_offer(&mut self, sequence: u64, entry: &Entry) {
        match entry {
            Entry::OfferAltered { .. } => self.offer(entry),
            Entry::Dealt(dealt) => self.dealt(sequence, dealt),
            Entry::TeamEnded { team, how } if *how == TeamEnd::Failed => self.free_prizes(*team),
            Entry::TeamSettled { team, orders } => self.settled(*team, orders),
            Entry::BalanceLapsed { orders } => {
                for lapsed in orders {
                    self.turn(lapsed.order, Phase::Held, Phase::Expired);
                    lapsed.refund.iter().for_each(|refund| self.refund(refund));
                }
            }
            Entry::RefundsBegun { refunds, .. } => {
                refunds.iter().for_each(|refund| self.refund(refund));
            }
            Entry::GivenUp { order, refunds, .. } => {
                refunds.iter().for_each(|refund| self.refund(refund));
                self.cancel(*order);
            }
            Entry::Waits(waits) | Entry::WaitsKnown { waits, .. } => {
                let named = waits.buyer.as_deref();
                let by = match &waits.key.by {
                    By::Buyer(name) | By::Merchant(name) => name,
                    By::House => "",
                };
                let buyer = named.unwrap_or(by).to_owned();
                self.gathered
                    .waiting
                    .insert(waits.ticket, (waits.sku, buyer));
            }
            Entry::LineOffered(offer) => self.line_offered(sequence, offer),
            _ => {}
        }
    }

    fn cancel(&mut self, order: u32) {
        let sold = self.orders.get(order as usize);
        let sold = sold.is_some_and(|order| order.phase == Phase::Sold);
        let from = if sold { Phase::Sold } else { Phase::Held };
        self.turn(order, from, Phase::Cancelled);
    }

    fn dealt(&mut self, sequence: u64, dealt: &Dealt) {
        let seat = dealt.deal.seat.as_ref();
        if let Some((seat, opening)) = seat.and_then(|seat| Some((seat, seat.opens.as_ref()?))) {
            let rule = self.gathered.rules.get(opening.rule as usize);
            let sku = rule.map_or(u32::MAX, |rule| sku_number(&rule.sku));
            let left = rule.and_then(|rule| rule.prizes).map_or(0, i64::from);
            let prizes = Prizes {
                sku,
                left,
                ..Prizes::default()
            };
            let at = opening.rule as usize;
            self.gathered.teams.insert(seat.team, (at, prizes));
            if left > 0 {
                self.move_units(sku, |of| {
                    of.available -= left;
                    of.held += left;
                });
            }
        }
        let mut bare = false;
        if let Some((rule, prizes)) = seat.and_then(|seat| self.gathered.teams.get_mut(&seat.team))
        {
            prizes.members += 1;
            let rule = self.gathered.rules.get(*rule);
            bare = rule.is_some_and(|rule| rule.prizes.is_some());
        }
        self.placed(sequence, &dealt.placed, bare);
        let price = dealt.deal.price.iter();
        let coupons = price.filter_map(|line| match line.what {
            PriceWhat::Coupon { coupon } => Some(usize::from(coupon)),
            _ => None,
        });
        if let Some(order) = self.orders.last_mut() {
            order.coupons = coupons.collect();
        }
    }

    fn free_prizes(&mut self, team: u32) {
        let Some((_, prizes)) = self.gathered.teams.get_mut(&team) else {
            return;
        };
        let (sku, left) = (prizes.sku, std::mem::take(&mut prizes.left));
        if left > 0 {
            self.move_units(sku, |of| {
                of.held -= left;
                of.available += left;
            });
        }
    }

    fn settled(&mut self, team: u32, orders: &[Settled]) {
        for settled in orders {
            settled
                .refund()
                .into_iter()
                .for_each(|refund| self.refund(refund));
            match settled {
                Settled::Nothing { .. } | Settled::Stands { .. } | Settled::Difference(_) => {}
                Settled::Voided { order } => self.turn(*order, Phase::Held, Phase::Cancelled),
                Settled::GivenUp { order, .. } => self.turn(*order, Phase::Sold, Phase::Cancelled),
                Settled::Won { order } => self.won(team, *order),
            }
        }
        let Some((_, prizes)) = self.gathered.teams.get_mut(&team) else {
            return;
        };
        prizes.settled += orders.len();
        if prizes.settled >= prizes.members {
            self.free_prizes(team);
        }
    }

    fn won(&mut self, team: u32, order: u32) {
        if let Some(order) = self.orders.get_mut(order as usize) {
            order.bare = false;
        }
        let Some((_, prizes)) = self.gathered.teams.get_mut(&team) else {
            return;
        };
        prizes.left -= 1;
        let sku = prizes.sku;
        self.move_units(sku, |of| {
            of.held -= 1;
            of.sold += 1;
        });
    }

    fn line_offered(&mut self, sequence: u64, offer: &LineOffer) {
        let (sku, buyer) = self
            .gathered
            .waiting
            .remove(&offer.ticket)
            .unwrap_or_default();
        let line = PlacedLine {
            sku,
            units: offer.units,
            price: offer.price,
            own_price: false,
        };
        let placed = Placed {
            order: offer.order,
            key: Bound {
                by: By::House,
                digest: [0; 16],
                body: 0,
            },
            buyer: Some(buyer.into()),
            tags: Vec::new(),
            lines: PlacedLines::One(line),
            total: offer.total,
            hold_ms: offer.hold_ms,
            paid: None,
        };
        self.placed(sequence, &placed, false);
    }
}
