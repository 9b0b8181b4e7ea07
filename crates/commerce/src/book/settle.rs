//! What a team's end means for its orders: settled in the order of their seats, a bounded number at a time, by the book
//! itself. And the draw of a lottery team.
//!
//! The draw can be repeated by anybody afterwards. Its list of entries is one line `order,buyer\n` for each paid seat, in
//! the order of their orders. Number i of the draw is the first eight bytes, little-endian, of HMAC-SHA256 (RFC 2104)
//! keyed with the seed, whose own SHA-256 hash was journalled before the first entry, over the SHA-256 hash of the list
//! followed by i as eight little-endian bytes. Each prize draws one of the entries that are left by the number modulo
//! their count; numbers at or beyond the last whole multiple of the count are passed over; the last entry takes the drawn
//! one's place.

use ledger::{Minor, UnitPrice, Violation};
use std::num::NonZeroU32;

use super::order::{Order, Phase};
use super::team::{Opened, SeatState, Team, TeamState};
use super::{Book, Done, Verdict};
use crate::deal::{Commit, Seed, Settled};
use crate::entry::{Entry, RefundBegun};
use crate::offer::{Cut, GroupRule};
use crate::price::{CouponKind, PriceWhat};
use crate::{Refusal, Time};

/// Orders of a team that are settled in one entry, at most.
pub(crate) const SETTLE_MOST: usize = 256;

impl Book {
    /// The next orders of an ended team, settled.
    pub(crate) fn settling(&self, number: u32, most: usize) -> Result<Entry, Violation> {
        let lost = || Violation::new("INV-6", format!("no team {number} to settle"));
        let team = self.teams.get(number).ok_or_else(lost)?;
        let rule = self.teams.rule(team)?;
        let members = team.members.iter().skip(team.settled as usize).take(most);
        let orders = members
            .map(|member| self.settled(team, rule, member.order))
            .collect();
        Ok(Entry::TeamSettled {
            team: number,
            orders,
        })
    }

    fn settled(&self, team: &Team, rule: &GroupRule, number: u32) -> Settled {
        let nothing = Settled::Nothing { order: number };
        let Some(order) = self.orders.get(number) else {
            return nothing;
        };
        match order.phase {
            Phase::Held => Settled::Voided { order: number },
            Phase::Paid
                if team.state == TeamState::Failed
                    && !stdx::mutants::is("failed-team-keeps-the-money") =>
            {
                given_up(order, number)
            }
            Phase::Paid if rule.prizes.is_some() => {
                let opened = team.draw.as_ref().and_then(|draw| draw.opened.as_ref());
                let won = |opened: &Opened| opened.winners.binary_search(&number).is_ok();
                match opened.is_some_and(won) {
                    true => Settled::Won { order: number },
                    false if stdx::mutants::is("losers-are-not-refunded") => nothing,
                    false => given_up(order, number),
                }
            }
            Phase::Paid | Phase::Shipped | Phase::Delivered => {
                let last = self.last_price(team, rule);
                match difference(self, rule, order, number, last) {
                    Some(refund) => Settled::Difference(refund),
                    None if order.may_leave() => Settled::Stands { order: number },
                    None => nothing,
                }
            }
            Phase::Cancelled | Phase::Expired => nothing,
        }
    }

    /// The unit price of the tier at the end.
    fn last_price(&self, team: &Team, rule: &GroupRule) -> Option<UnitPrice> {
        let first = rule.tiers.first()?;
        // The house takes what is given up since the end too, so that a team that it fills is full whoever is settled first.
        let filled = match team.house_fills {
            true => rule.size,
            false => team.filled(),
        };
        Some(rule.price_at(filled, first.price))
    }

    pub(crate) fn apply_team_settled(
        &mut self,
        now: Time,
        number: u32,
        orders: &[Settled],
    ) -> Result<(), Violation> {
        for settled in orders {
            self.settle(now, number, settled)?;
        }
        let lost = || Violation::new("INV-6", format!("team {number} is not to be settled"));
        let team = self.teams.all.get_mut(number as usize).ok_or_else(lost)?;
        let next = team.members.iter().skip(team.settled as usize);
        let same = next
            .zip(orders)
            .filter(|(member, settled)| member.order == settled.order());
        if same.count() != orders.len() || orders.is_empty() {
            return Err(lost());
        }
        team.settled += u32::try_from(orders.len()).unwrap_or(u32::MAX);
        if team.settled as usize >= team.members.len() {
            // What no winner took, since he was gone before the draw, is free again.
            let prizes = team.prizes.take();
            self.teams.settling.remove(&number);
            if let Some(prizes) = prizes {
                let sku = self.team_sku(number)?;
                self.sku_mut(sku)?.units.release(prizes)?;
            }
        }
        Ok(())
    }

    fn settle(&mut self, now: Time, team: u32, settled: &Settled) -> Result<(), Violation> {
        match settled {
            Settled::Nothing { .. } | Settled::Stands { .. } => Ok(()),
            Settled::Voided { order } => {
                self.release(*order, Phase::Cancelled)?;
                self.tally.cancelled += 1;
                self.tidy_due();
                Ok(())
            }
            Settled::GivenUp { order, refund } => {
                if let Some(refund) = refund {
                    self.begin_own_refund(now, refund)?;
                }
                self.give_up_sold(*order)?;
                self.tally.cancelled += 1;
                Ok(())
            }
            Settled::Difference(refund) => {
                self.begin_own_refund(now, refund)?;
                let lost = || Violation::new("INV-6", format!("team {team} has no last price"));
                let currency = self.currency().ok_or_else(lost)?;
                let found = self.teams.get(team).ok_or_else(lost)?;
                let last = self.last_price(found, self.teams.rule(found)?);
                let order = self.order_mut(refund.order)?;
                order.reprice(last.ok_or_else(lost)?, refund.amount, currency);
                Ok(())
            }
            Settled::Won { order } => self.win(team, *order),
        }
    }

    /// Sells a prize unit to an order.
    fn win(&mut self, number: u32, order: u32) -> Result<(), Violation> {
        let lost = || Violation::new("INV-6", format!("no prize is left for order {order}"));
        let sku = self.team_sku(number)?;
        let team = self.teams.all.get_mut(number as usize).ok_or_else(lost)?;
        let prizes = team.prizes.take().ok_or_else(lost)?;
        let rest = self
            .sku_mut(sku)?
            .units
            .post_part(prizes, NonZeroU32::MIN)?;
        self.teams
            .all
            .get_mut(number as usize)
            .ok_or_else(lost)?
            .prizes = rest;
        let order = self.order_mut(order)?;
        order.seat = order.seat.with_goods();
        Ok(())
    }

    /// Lottery teams that are full and wait for their seed, with what makes it again.
    pub fn draws_due(&self) -> impl Iterator<Item = (u32, Commit)> {
        self.teams.undrawn.iter().filter_map(|&number| {
            let draw = self.teams.get(number)?.draw.as_ref()?;
            Some((number, draw.commit))
        })
    }

    pub(crate) fn decide_seed(&self, number: u32, seed: &Seed) -> Verdict {
        let team = self.teams.get(number);
        let Some((team, draw)) = team.and_then(|team| Some((team, team.draw.as_ref()?))) else {
            return Refusal::NoTeam.into();
        };
        if draw.opened.is_some() {
            return Verdict::Repeat(Done::Team(number));
        }
        if !self.teams.undrawn.contains(&number) {
            return Refusal::TeamOver { state: team.state }.into();
        }
        let same = Commit::of(draw.commit.nonce, seed) == draw.commit;
        if !same && !stdx::mutants::is("seed-of-a-draw-unchecked") {
            return Refusal::Invalid("the seed is not the one that was promised".into()).into();
        }
        let paid: Vec<u32> = team
            .members
            .iter()
            .filter(|member| member.seat == SeatState::Paid && self.is_in_draw(member.order))
            .map(|member| member.order)
            .collect();
        let entries = self.entries_hash(&paid);
        let prizes = team
            .prizes
            .as_ref()
            .map_or(0, |hold| hold.units().0 as usize);
        Verdict::Accept(Entry::Drawn {
            team: number,
            seed: *seed,
            entries,
            winners: drawn(seed, &entries, paid, prizes),
        })
    }

    /// Whoever has his money back, or on its way, is not drawn.
    fn is_in_draw(&self, order: u32) -> bool {
        let order = self.orders.get(order);
        order.is_some_and(|order| order.phase == Phase::Paid && order.may_leave())
            || stdx::mutants::is("given-up-entry-is-drawn")
    }

    fn entries_hash(&self, orders: &[u32]) -> [u8; 32] {
        let mut hasher = hmac_sha256::Hash::new();
        for &order in orders {
            let buyer = self
                .orders
                .get(order)
                .and_then(|order| self.buyers.name(order.buyer));
            hasher.update(format!("{order},{}\n", buyer.unwrap_or_default()).as_bytes());
        }
        hasher.finalize()
    }

    pub(crate) fn apply_drawn(
        &mut self,
        number: u32,
        seed: &Seed,
        entries: &[u8; 32],
        winners: &[u32],
    ) -> Result<(), Violation> {
        let lost = || Violation::new("INV-6", format!("team {number} waits for no draw"));
        if !self.teams.undrawn.remove(&number) {
            return Err(lost());
        }
        let team = self.teams.all.get_mut(number as usize).ok_or_else(lost)?;
        team.draw.as_mut().ok_or_else(lost)?.opened = Some(Opened {
            seed: *seed,
            entries: *entries,
            winners: winners.to_vec(),
        });
        self.teams.settling.insert(number);
        Ok(())
    }
}

fn given_up(order: &Order, number: u32) -> Settled {
    let refund = order.refund_left(number);
    Settled::GivenUp {
        order: number,
        refund,
    }
}

/// What goes back of an order's price after the tier at the end is known.
fn difference(
    book: &Book,
    rule: &GroupRule,
    order: &Order,
    number: u32,
    last: Option<UnitPrice>,
) -> Option<RefundBegun> {
    let currency = book.currency()?;
    let [line] = order.lines.as_slice() else {
        return None;
    };
    let last = last.filter(|&last| last < line.price)?;
    let units = line.units.get();
    let (then, now) = (
        line.price.times(units, currency)?,
        last.times(units, currency)?,
    );
    let net = book.net_at(rule, order, then, now);
    let back = |price: UnitPrice| price.times(line.returned, currency);
    let left = |net: Minor, gross: Minor, back: Minor| Some(net.0 - share(net, gross, back)?);
    let due = left(net, now, back(last)?)?;
    let paid = left(then.minus(order.off())?, then, back(line.price)?)?;
    let amount = Minor(paid - due).min(order.funds().left());
    if amount <= Minor::ZERO || stdx::mutants::is("difference-is-kept") {
        return None;
    }
    order.own_refund(number, amount)
}

/// The part of a net price that belongs to a part of the gross one.
fn share(net: Minor, gross: Minor, part: Minor) -> Option<i64> {
    let share = i128::from(part.0) * i128::from(net.0) / i128::from(gross.0.max(1));
    i64::try_from(share).ok()
}

impl Book {
    /// What a team's order costs at the price of the last tier: what came off by share takes the same part of it, an
    /// amount stays an amount.
    fn net_at(&self, rule: &GroupRule, order: &Order, then: Minor, now: Minor) -> Minor {
        let coupons = self
            .offer()
            .map_or(&[][..], |offer| &offer.discounts.coupons);
        let (mut then, mut now) = (then.0, now.0);
        for line in order.price() {
            let by_share = match line.what {
                PriceWhat::Line { .. } | PriceWhat::Tier { .. } => continue,
                PriceWhat::Level { .. } => true,
                PriceWhat::Leader => matches!(rule.leader, Some(Cut::Share(_))),
                PriceWhat::Coupon { coupon } => coupons
                    .get(usize::from(coupon))
                    .is_some_and(|coupon| matches!(coupon.kind, CouponKind::Share(..))),
            };
            let off = -line.amount.0;
            let off_now = match by_share {
                true => part_of(off, now, then),
                false => off.min(now),
            };
            then -= off;
            now -= off_now;
        }
        Minor(now)
    }
}

/// `amount × now / then`, rounded half to even.
fn part_of(amount: i64, now: i64, then: i64) -> i64 {
    let (fine, step) = (
        i128::from(amount) * i128::from(now),
        i128::from(then.max(1)),
    );
    let (whole, twice) = (fine.div_euclid(step), fine.rem_euclid(step) * 2);
    let up = twice > step || (twice == step && whole % 2 == 1);
    i64::try_from(whole + i128::from(up))
        .unwrap_or(now)
        .min(now)
}

/// The orders that win, sorted.
fn drawn(seed: &Seed, entries: &[u8; 32], mut left: Vec<u32>, prizes: usize) -> Vec<u32> {
    let seed = match stdx::mutants::is("draw-without-its-seed") {
        true => &[0; 32],
        false => seed,
    };
    let mut numbers = (0_u64..).map(|index| {
        let mut hash = hmac_sha256::HMAC::new(seed);
        hash.update(entries);
        hash.update(index.to_le_bytes());
        let first = hash.finalize().first_chunk().copied();
        u64::from_le_bytes(first.unwrap_or_default())
    });
    let mut winners = Vec::with_capacity(prizes.min(left.len()));
    while winners.len() < prizes && !left.is_empty() {
        let count = left.len() as u64;
        let whole = u64::MAX - u64::MAX % count;
        let number = numbers.next().unwrap_or_default();
        if number < whole {
            winners.push(left.swap_remove(usize::try_from(number % count).unwrap_or(0)));
        }
    }
    winners.sort_unstable();
    winners
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_wins_about_equally_often() {
        let mut wins = [0_u32; 5];
        for round in 0..10_000_u32 {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&round.to_le_bytes());
            for winner in drawn(&seed, &[7; 32], vec![0, 1, 2, 3, 4], 2) {
                wins[winner as usize] += 1;
            }
        }
        // 4,000 each; six standard deviations are 294.
        assert!(wins.iter().all(|&n| n.abs_diff(4_000) < 294), "{wins:?}");
    }

    #[test]
    fn the_list_of_entries_changes_the_draw() {
        let draws = |entries| drawn(&[1; 32], &[entries; 32], (0..1_000).collect(), 10);
        assert_ne!(draws(1), draws(2));
    }
}
