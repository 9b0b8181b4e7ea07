//! Teams as a child would keep them: who holds a seat, who has paid, when it is over. No account, no heap, no order
//! book; only what the rule says in words.

use std::collections::{BTreeMap, BTreeSet};

use crate::commands::HOLD_MS;

/// What a team was opened under.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub(super) size: usize,
    pub(super) least: usize,
    pub(super) fill: usize,
    pub(super) lifetime_ms: u64,
    pub(super) stretch_ms: u64,
    /// The price of a seat, and from half of the seats on.
    pub(super) prices: (i64, i64),
    /// What the leader pays less.
    pub(super) leader: i64,
}

impl Rule {
    pub(super) fn price(&self, paid: usize) -> i64 {
        match paid >= self.half() {
            true => self.prices.1,
            false => self.prices.0,
        }
    }

    pub(super) fn half(&self) -> usize {
        (self.size / 2).max(2)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Open,
    Complete,
    Failed,
}

#[derive(Debug)]
pub(super) struct Team {
    pub(super) rule: Rule,
    pub(super) ends: u64,
    pub(super) how: How,
    pub(super) held: BTreeSet<u32>,
    pub(super) paid: BTreeSet<u32>,
    /// Seats of the house.
    pub(super) house: usize,
}

impl Team {
    pub(super) fn taken(&self) -> usize {
        self.held.len() + self.paid.len() + self.house
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    Held,
    Expired,
    Paid,
    Gone,
}

#[derive(Debug)]
pub(super) struct Order {
    pub(super) team: usize,
    pub(super) until: u64,
    pub(super) seat: Seat,
    pub(super) charging: bool,
    /// The price of the tier it was placed under, and what it had to pay.
    pub(super) tier: i64,
    pub(super) total: i64,
}

/// All teams.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) teams: Vec<Team>,
    pub(super) orders: Vec<Order>,
    /// Teams that are open.
    pub(super) open: BTreeSet<usize>,
    holds: BTreeMap<u64, Vec<u32>>,
    ends: BTreeMap<u64, Vec<usize>>,
    /// Teams whose time is over, some of which wait for payments.
    over: Vec<usize>,
}

impl Model {
    pub(super) fn opens(&mut self, now: u64, rule: Rule) {
        let team = self.teams.len();
        let ends = now + rule.lifetime_ms;
        self.teams.push(Team {
            rule,
            ends,
            how: How::Open,
            held: BTreeSet::new(),
            paid: BTreeSet::new(),
            house: 0,
        });
        self.open.insert(team);
        self.ends.entry(ends).or_default().push(team);
        self.takes(now, team, rule.leader);
    }

    /// Whether somebody may join, and then he does.
    pub(super) fn joins(&mut self, now: u64, team: usize) -> bool {
        let may = self.has_place(now, team);
        if may {
            self.takes(now, team, 0);
        }
        may
    }

    fn has_place(&self, now: u64, team: usize) -> bool {
        let team = &self.teams[team];
        team.how == How::Open && now < team.ends && team.taken() < team.rule.size
    }

    fn takes(&mut self, now: u64, at: usize, off: i64) {
        let number = u32::try_from(self.orders.len()).unwrap();
        let team = &mut self.teams[at];
        let tier = team.rule.price(team.paid.len());
        team.held.insert(number);
        let until = now + u64::from(HOLD_MS);
        self.holds.entry(until).or_default().push(number);
        self.orders.push(Order {
            team: at,
            until,
            seat: Seat::Held,
            charging: false,
            tier,
            total: tier - off,
        });
    }

    pub(super) fn pays(&mut self, now: u64, number: u32) -> bool {
        let order = &mut self.orders[number as usize];
        let team = &self.teams[order.team];
        let may =
            order.seat == Seat::Held && !order.charging && team.how == How::Open && now < team.ends;
        order.charging |= may;
        may
    }

    pub(super) fn fails(&mut self, number: u32) {
        self.orders[number as usize].charging = false;
    }

    /// The money came: whether it stays.
    pub(super) fn captured(&mut self, now: u64, number: u32) -> bool {
        let order = &self.orders[number as usize];
        let (at, seat) = (order.team, order.seat);
        let team = &self.teams[at];
        let waits = team.how == How::Open && now < team.ends + team.rule.stretch_ms;
        let stays = match seat {
            Seat::Held => waits,
            Seat::Expired => self.has_place(now, at),
            Seat::Paid | Seat::Gone => false,
        };
        let order = &mut self.orders[number as usize];
        order.charging = false;
        if !stays {
            return false;
        }
        order.seat = Seat::Paid;
        let team = &mut self.teams[at];
        team.held.remove(&number);
        team.paid.insert(number);
        if team.paid.len() == team.rule.size {
            self.ends(at, How::Complete);
        }
        true
    }

    /// Its buyer gives it up, if he may.
    pub(super) fn leaves(&mut self, number: u32) -> bool {
        let order = &mut self.orders[number as usize];
        let team = &mut self.teams[order.team];
        let may = match order.seat {
            Seat::Held => true,
            Seat::Paid => team.how == How::Open,
            Seat::Expired | Seat::Gone => false,
        };
        if may {
            order.seat = Seat::Gone;
            team.held.remove(&number);
            team.paid.remove(&number);
        }
        may
    }

    /// The clock: holds run out, then teams end.
    pub(super) fn tick(&mut self, now: u64) {
        while let Some(due) = self.holds.first_entry().filter(|due| *due.key() <= now) {
            for number in due.remove() {
                let order = &mut self.orders[number as usize];
                if order.seat == Seat::Held && order.until <= now {
                    order.seat = Seat::Expired;
                    self.teams[order.team].held.remove(&number);
                }
            }
        }
        while let Some(due) = self.ends.first_entry().filter(|due| *due.key() <= now) {
            self.over.extend(due.remove());
        }
        let over = std::mem::take(&mut self.over);
        for at in over
            .into_iter()
            .filter(|at| self.open.contains(at))
            .collect::<Vec<_>>()
        {
            let team = &self.teams[at];
            let charging = |number: &&u32| self.orders[**number as usize].charging;
            let waits = team.held.iter().any(|number| charging(&number))
                && now < team.ends + team.rule.stretch_ms;
            match waits {
                true => self.over.push(at),
                false => self.is_over(at),
            }
        }
    }

    fn is_over(&mut self, at: usize) {
        let team = &mut self.teams[at];
        let (paid, size) = (team.paid.len(), team.rule.size);
        let filled = paid > 0 && size - paid <= team.rule.fill;
        if paid >= team.rule.least {
            self.ends(at, How::Complete);
        } else if filled {
            team.house = size - paid;
            self.ends(at, How::Complete);
        } else {
            self.ends(at, How::Failed);
        }
    }

    /// Whoever has not paid has no seat any more; in a failed team nobody has.
    fn ends(&mut self, at: usize, how: How) {
        let team = &mut self.teams[at];
        team.how = how;
        let mut gone = std::mem::take(&mut team.held);
        if how == How::Failed {
            gone.append(&mut team.paid);
        }
        for number in gone {
            self.orders[number as usize].seat = Seat::Gone;
        }
        self.open.remove(&at);
    }

    /// What of an order's money the merchant keeps in the end.
    pub(super) fn keeps(&self, number: u32) -> i64 {
        let order = &self.orders[number as usize];
        let team = &self.teams[order.team];
        if order.seat != Seat::Paid {
            return 0;
        }
        let last = team.rule.price(team.paid.len() + team.house);
        order.total - (order.tier - last).max(0)
    }
}
