//! Teams: seats as an account, completion in the transition that posts the last one, one end for each team.
//!
//! ```text
//!            last seat paid
//!   Open ───────────────────▶ Complete ──┐
//!    │  time over: enough paid, or filled ▲   │ settled: differences go back (lottery: after the draw)
//!    └── time over: too few ──▶ Failed ───┴──▶ settled: everything goes back
//! ```
//!
//! Others counted members in one transaction and decided in the next: two last joiners each saw "2 of 3", and a full
//! team stayed open, expired and was refunded. Here a seat is a unit of the team's account, held with the order and
//! posted with its payment, and whoever posts the last one completes the team (INV-6).

mod count;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::num::NonZeroU32;
use std::sync::Arc;

use ledger::{Hold, UnitAccount, Units, Violation};
use serde::{Deserialize, Serialize};

use super::Book;
use super::order::{Order, SeatIn};
use super::seats::SeatsOf;
use crate::Time;
use crate::deal::{Commit, Opening, Seed, TeamEnd};
use crate::entry::Entry;
use crate::offer::GroupRule;

/// Teams of one sale, at most.
pub(crate) const TEAMS_MOST: u32 = 1 << 30;
const ONE: NonZeroU32 = NonZeroU32::MIN;
/// Members that are looked through one by one as fast as a list of them would be searched.
const FEW: usize = 16;

/// How a team stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TeamState {
    /// It takes members, or waits for their payments.
    Open,
    /// It came about.
    Complete,
    /// It did not.
    Failed,
}

/// One seat that was ever taken.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SeatState {
    Held(Hold),
    Paid,
    Gone,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) order: u32,
    pub(crate) seat: SeatState,
    /// Whose; the order says so when a snapshot is read.
    #[serde(skip)]
    pub(crate) buyer: u32,
}

/// The draw of a lottery team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Draw {
    pub(crate) commit: Commit,
    pub(crate) opened: Option<Opened>,
}

/// What a draw showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) seed: Seed,
    pub(crate) entries: [u8; 32],
    /// Orders, sorted.
    pub(crate) winners: Vec<u32>,
}

/// A team.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Team {
    pub(crate) rule: u32,
    pub(crate) opened: Time,
    pub(crate) ends: Time,
    pub(crate) ended: Option<Time>,
    pub(crate) state: TeamState,
    /// Available: free; held: not paid yet; sold: paid; written off: filled by the house.
    pub(crate) seats: UnitAccount,
    /// In the order of their orders.
    pub(crate) members: Vec<Member>,
    /// Members with a payment in flight.
    pub(crate) charging: u32,
    /// Members settled since the end.
    pub(crate) settled: u32,
    /// The house takes what is free since the end.
    pub(crate) house_fills: bool,
    pub(crate) prizes: Option<Hold>,
    pub(crate) draw: Option<Box<Draw>>,
    /// Kept for teams of more members than are looked through quickly; counted anew when a snapshot is read.
    #[serde(skip)]
    seats_of: Option<SeatsOf>,
}

impl Team {
    pub(crate) fn member(&self, order: u32) -> Option<usize> {
        let found = self
            .members
            .binary_search_by_key(&order, |member| member.order);
        found.ok()
    }

    /// Seats of this buyer.
    fn seats_by(&self, buyer: u32) -> u16 {
        if let Some(seats) = &self.seats_of {
            return seats.get(buyer);
        }
        let own = |member: &&Member| member.buyer == buyer && member.seat != SeatState::Gone;
        u16::try_from(self.members.iter().filter(own).count()).unwrap_or(u16::MAX)
    }

    /// Counts a seat that was just taken; whether it is the buyer's first one.
    fn seat_taken(&mut self, buyer: u32) -> bool {
        if let Some(seats) = &mut self.seats_of {
            return seats.count(buyer);
        }
        self.list_seats();
        self.seats_by(buyer) == 1
    }

    /// Counts a seat that was just given back; whether it was the buyer's last one.
    fn seat_left(&mut self, buyer: u32) -> bool {
        match &mut self.seats_of {
            Some(seats) => seats.uncount(buyer),
            None => self.seats_by(buyer) == 0,
        }
    }

    fn list_seats(&mut self) {
        self.seats_of = (self.members.len() > FEW).then(|| SeatsOf::of(&self.members));
    }

    /// Paid seats, those of the house included.
    pub(crate) fn filled(&self) -> u16 {
        let filled = self.seats.sold().0 + self.seats.written_off().0;
        u16::try_from(filled).unwrap_or(u16::MAX)
    }

    pub(crate) fn is_full(&self) -> bool {
        u32::from(self.filled()) == self.seats.stocked().0
    }

    /// Whether something of it is still to be done by the book itself.
    pub(crate) fn is_busy(&self) -> bool {
        self.state == TeamState::Open || (self.settled as usize) < self.members.len()
    }
}

/// All teams of a sale.
#[derive(Debug, Default)]
pub(crate) struct Teams {
    pub(crate) all: Vec<Team>,
    /// Every group rule that the sale ever had.
    pub(crate) rules: Vec<Arc<GroupRule>>,
    due: BinaryHeap<Reverse<(Time, u32)>>,
    /// Ended teams with members to settle.
    pub(crate) settling: BTreeSet<u32>,
    /// Full lottery teams whose seed is not known yet.
    pub(crate) undrawn: BTreeSet<u32>,
    pub(crate) open: u32,
    /// Teams by buyer, as far as buyers have teams: their places are dense, and a list needs no hashing.
    teams_of: Vec<u16>,
}

/// What a team's time makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TeamTurn {
    /// Nothing before this moment.
    Wait(Time),
    /// It is over already.
    Over,
    /// It ends now.
    End(TeamEnd),
}

impl Teams {
    pub(crate) fn get(&self, team: u32) -> Option<&Team> {
        self.all.get(team as usize)
    }

    fn get_mut(&mut self, team: u32) -> Result<&mut Team, Violation> {
        self.all.get_mut(team as usize).ok_or_else(|| no_team(team))
    }

    pub(crate) fn rule(&self, team: &Team) -> Result<&Arc<GroupRule>, Violation> {
        let rule = self.rules.get(team.rule as usize);
        rule.ok_or_else(|| Violation::new("INV-6", "a team without a rule"))
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn seats_of(&self, team: u32, buyer: u32) -> u16 {
        self.get(team).map_or(0, |team| team.seats_by(buyer))
    }

    pub(crate) fn teams_of(&self, buyer: u32) -> u16 {
        self.teams_of.get(buyer as usize).copied().unwrap_or(0)
    }

    fn count_team(&mut self, buyer: u32) {
        let at = buyer as usize;
        if at >= self.teams_of.len() {
            self.teams_of.resize(at + 1, 0);
        }
        self.teams_of[at] = self.teams_of[at].saturating_add(1);
    }

    fn uncount_team(&mut self, buyer: u32) {
        if let Some(teams) = self.teams_of.get_mut(buyer as usize) {
            *teams = teams.saturating_sub(1);
        }
    }

    /// When the teams next have something to do by themselves.
    pub(crate) fn next_due(&self, now: Time) -> Option<Time> {
        if !self.settling.is_empty() {
            return Some(now);
        }
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    pub(crate) fn push_due(&mut self, at: Time, team: u32) {
        self.due.push(Reverse((at, team)));
    }

    fn pop_due(&mut self, now: Time) -> Option<u32> {
        let &Reverse((at, team)) = self.due.peek()?;
        if at > now {
            return None;
        }
        self.due.pop();
        Some(team)
    }

    /// Puts a team back that was read from a snapshot, whose members know their buyers.
    pub(crate) fn restore(&mut self, mut team: Team) {
        let number = self.len();
        team.list_seats();
        let seats = SeatsOf::of(&team.members);
        seats.buyers().for_each(|buyer| self.count_team(buyer));
        if team.state == TeamState::Open {
            self.open += 1;
            self.push_due(team.ends, number);
        } else if team.is_busy() {
            let drawn = team.draw.as_ref().is_none_or(|draw| draw.opened.is_some());
            let waits = !drawn && team.state == TeamState::Complete;
            let list = if waits {
                &mut self.undrawn
            } else {
                &mut self.settling
            };
            list.insert(number);
        }
        self.all.push(team);
    }
}

impl Book {
    /// What the time makes of a team.
    pub(crate) fn team_turn(&self, now: Time, number: u32) -> TeamTurn {
        let Some(team) = self.teams.get(number) else {
            return TeamTurn::Over;
        };
        let Ok(rule) = self.teams.rule(team) else {
            return TeamTurn::Over;
        };
        if team.state != TeamState::Open {
            return TeamTurn::Over;
        }
        let last = team.ends.after_ms(u64::from(rule.stretch_ms));
        if now < team.ends {
            TeamTurn::Wait(team.ends)
        } else if team.charging > 0 && now < last && !stdx::mutants::is("team-never-waits") {
            TeamTurn::Wait(last)
        } else {
            TeamTurn::End(end_of(team, rule))
        }
    }

    /// Whether a payment that is in flight still counts for the team.
    pub(crate) fn team_takes_money(&self, now: Time, number: u32) -> bool {
        let Some(team) = self.teams.get(number) else {
            return false;
        };
        let stretch = self.teams.rule(team).map_or(0, |rule| rule.stretch_ms);
        team.state == TeamState::Open && now < team.ends.after_ms(u64::from(stretch))
    }

    /// Ends teams whose time is over, and settles at most `most` of their orders.
    pub(crate) fn tick_teams(
        &mut self,
        now: Time,
        most: usize,
        out: &mut Vec<Entry>,
    ) -> Result<(), Violation> {
        while let Some(team) = self.teams.pop_due(now) {
            match self.team_turn(now, team) {
                TeamTurn::Over => {}
                TeamTurn::Wait(until) => self.teams.push_due(until, team),
                TeamTurn::End(how) => {
                    let entry = Entry::TeamEnded { team, how };
                    self.apply(now, &entry)?;
                    out.push(entry);
                }
            }
        }
        let mut left = most;
        while left > 0 {
            let Some(&team) = self.teams.settling.first() else {
                break;
            };
            let entry = self.settling(team, left.min(super::settle::SETTLE_MOST))?;
            if let Entry::TeamSettled { orders, .. } = &entry {
                left = left.saturating_sub(orders.len().max(1));
            }
            self.apply(now, &entry)?;
            out.push(entry);
        }
        Ok(())
    }

    pub(crate) fn apply_team_ended(
        &mut self,
        now: Time,
        number: u32,
        how: TeamEnd,
    ) -> Result<(), Violation> {
        let team = self.teams.get_mut(number)?;
        if team.state != TeamState::Open {
            return Err(Violation::new(
                "INV-6",
                format!("team {number} ended twice"),
            ));
        }
        if let TeamEnd::Filled { seats } = how {
            team.house_fills = true;
            let filled = team.seats.write_off(Units(u32::from(seats)));
            filled.map_err(|short| Violation::new("INV-6", short.to_string()))?;
        }
        let state = match how {
            TeamEnd::Failed => TeamState::Failed,
            TeamEnd::Reached | TeamEnd::Filled { .. } => TeamState::Complete,
        };
        self.end_team(now, number, state)
    }

    /// The one place where a team leaves [`TeamState::Open`], in constant time whatever its size.
    fn end_team(&mut self, now: Time, number: u32, state: TeamState) -> Result<(), Violation> {
        let team = self.teams.get_mut(number)?;
        team.state = state;
        team.ended = Some(now);
        let prizes = match state {
            TeamState::Failed => team.prizes.take(),
            TeamState::Open | TeamState::Complete => None,
        };
        let draws = state == TeamState::Complete && team.draw.is_some();
        self.teams.open -= 1;
        if draws {
            self.teams.undrawn.insert(number);
        } else {
            self.teams.settling.insert(number);
        }
        if let Some(prizes) = prizes {
            let sku = self.team_sku(number)?;
            self.sku_mut(sku)?.units.release(prizes)?;
        }
        Ok(())
    }

    pub(crate) fn team_sku(&self, number: u32) -> Result<u32, Violation> {
        let team = self.teams.get(number).ok_or_else(|| no_team(number))?;
        let code = &self.teams.rule(team)?.sku;
        let sku = self.sku_places.get(code).copied();
        sku.ok_or_else(|| Violation::new("INV-6", "a team without a SKU"))
    }

    /// Begins a team; a lottery team takes its prize units.
    pub(crate) fn open_team(
        &mut self,
        now: Time,
        number: u32,
        opening: &Opening,
    ) -> Result<(), Violation> {
        if number != self.teams.len() || number >= TEAMS_MOST {
            return Err(Violation::new(
                "INV-6",
                format!("team {number} is not the next"),
            ));
        }
        let rule = self.teams.rules.get(opening.rule as usize).cloned();
        let rule = rule.ok_or_else(|| Violation::new("INV-6", "a team without a rule"))?;
        let mut seats = UnitAccount::default();
        seats.stock(Units(u32::from(rule.size)))?;
        self.teams.all.push(Team {
            rule: opening.rule,
            opened: now,
            ends: opening.ends,
            ended: None,
            state: TeamState::Open,
            seats,
            members: Vec::with_capacity(usize::from(rule.size.min(16))),
            charging: 0,
            settled: 0,
            house_fills: false,
            prizes: None,
            draw: opening.commit.as_deref().map(|commit| {
                Box::new(Draw {
                    commit: *commit,
                    opened: None,
                })
            }),
            seats_of: None,
        });
        self.teams.open += 1;
        self.teams.push_due(opening.ends, number);
        if let Some(prizes) = rule.prizes.and_then(|n| NonZeroU32::new(u32::from(n))) {
            let sku = self.team_sku(number)?;
            let hold = self.sku_mut(sku)?.units.hold(prizes);
            let hold = hold.map_err(|short| Violation::new("INV-1", short.to_string()))?;
            self.teams.get_mut(number)?.prizes = Some(hold);
        }
        Ok(())
    }

    /// Holds a seat for an order, which may have had one before.
    pub(crate) fn take_seat(&mut self, number: u32) -> Result<(), Violation> {
        let order = self.order_mut(number)?;
        let (Some(at), buyer) = (order.seat.team(), order.buyer) else {
            return Ok(());
        };
        let team = self.teams.get_mut(at)?;
        if team.state != TeamState::Open {
            return Err(Violation::new("INV-6", format!("team {at} takes nobody")));
        }
        let hold = team.seats.hold(ONE);
        let hold = hold.map_err(|short| Violation::new("INV-6", short.to_string()))?;
        let seat = SeatState::Held(hold);
        // Most orders come after all others of their team.
        let fresh = team.members.last().is_none_or(|last| last.order < number);
        let known = if fresh { None } else { team.member(number) };
        match known.and_then(|at| team.members.get_mut(at)) {
            Some(member) if member.seat == SeatState::Gone => member.seat = seat,
            Some(_) => return Err(Violation::new("INV-6", "one order, two seats")),
            None => team.members.push(Member {
                order: number,
                seat,
                buyer,
            }),
        }
        if team.seat_taken(buyer) {
            self.teams.count_team(buyer);
        }
        Ok(())
    }

    /// The order is paid, and so is its seat; the last one completes the team.
    pub(crate) fn post_seat(&mut self, now: Time, number: u32) -> Result<(), Violation> {
        let Some(at) = self.order_mut(number)?.seat.team() else {
            return Ok(());
        };
        let team = self.teams.get_mut(at)?;
        let member = team.member(number).and_then(|at| team.members.get_mut(at));
        let member = member.ok_or_else(|| no_seat(number))?;
        match std::mem::replace(&mut member.seat, SeatState::Paid) {
            SeatState::Held(hold) => team.seats.post(hold)?,
            SeatState::Paid | SeatState::Gone => return Err(no_seat(number)),
        }
        let missed = stdx::mutants::is("full-team-stays-open");
        if team.state == TeamState::Open && team.is_full() && !missed {
            return self.end_team(now, at, TeamState::Complete);
        }
        Ok(())
    }

    /// Gives an order's seat back, where the team is not complete: completion is never undone.
    pub(crate) fn leave_seat(&mut self, number: u32) -> Result<(), Violation> {
        let order = self.order_mut(number)?;
        let (Some(at), buyer) = (order.seat.team(), order.buyer) else {
            return Ok(());
        };
        let team = self.teams.get_mut(at)?;
        let complete = team.state == TeamState::Complete;
        let member = team.member(number).and_then(|at| team.members.get_mut(at));
        let member = member.ok_or_else(|| no_seat(number))?;
        match std::mem::replace(&mut member.seat, SeatState::Gone) {
            SeatState::Held(hold) => {
                team.seats.release(hold)?;
                if team.house_fills {
                    let filled = team.seats.write_off(Units(1));
                    filled.map_err(|short| Violation::new("INV-6", short.to_string()))?;
                }
            }
            SeatState::Paid if complete && !stdx::mutants::is("finished-team-loses-a-seat") => {
                member.seat = SeatState::Paid;
                return Ok(());
            }
            SeatState::Paid => team.seats.give_back(Units(1))?,
            SeatState::Gone => return Ok(()),
        }
        if team.seat_left(buyer) {
            self.teams.uncount_team(buyer);
        }
        Ok(())
    }

    /// A payment of a member began or ended; a team that only waited for it is looked at again.
    pub(crate) fn count_charging(
        &mut self,
        seat: SeatIn,
        was: bool,
        is: bool,
    ) -> Result<(), Violation> {
        let Some(at) = seat.team().filter(|_| was != is) else {
            return Ok(());
        };
        let now = self.time;
        let team = self.teams.get_mut(at)?;
        let changed = match is {
            true => team.charging.checked_add(1),
            false => team.charging.checked_sub(1),
        };
        team.charging = changed
            .ok_or_else(|| Violation::new("INV-6", "payments in flight of a team do not add up"))?;
        if team.charging == 0 && team.state == TeamState::Open && now >= team.ends {
            let ends = team.ends;
            self.teams.push_due(ends, at);
        }
        Ok(())
    }

    /// Whether goods may leave as far as the order's team is concerned.
    pub(crate) fn team_lets_go(&self, order: &Order) -> bool {
        let Some(at) = order.seat.team() else {
            return true;
        };
        let complete = |team: &Team| team.state == TeamState::Complete;
        order.seat.has_goods() && self.teams.get(at).is_some_and(complete)
    }
}

fn end_of(team: &Team, rule: &GroupRule) -> TeamEnd {
    let paid = team.filled();
    let missing = rule.size.saturating_sub(paid);
    if paid >= rule.least {
        TeamEnd::Reached
    } else if paid > 0 && (missing <= rule.fill || stdx::mutants::is("house-fills-any-gap")) {
        // Seats that are held and not paid follow: they are voided with the end, and filled then.
        let free = team.seats.available().0;
        TeamEnd::Filled {
            seats: u16::try_from(free).unwrap_or(missing),
        }
    } else {
        TeamEnd::Failed
    }
}

fn no_team(number: u32) -> Violation {
    Violation::new("INV-6", format!("no team {number}"))
}

fn no_seat(number: u32) -> Violation {
    Violation::new("INV-6", format!("order {number} has no such seat"))
}
