//! What the sales of a life offer beyond plain orders, and who comes for it.
//!
//! All of it is drawn from lots of its own, after everything else: a life without offers is the life that it was, and in
//! one with offers many guests keep the habit that they had.

use std::time::Duration;

use api::Time;
use api::offer::{
    AfterFinish, Alone, Cut, GroupRule, HoldPolicy, Lapse, Leave, LinePolicy, Offer, Pays, Presale,
    Shrink, Tier,
};

use super::{Guest, Habit, LifePlan, SalePlan};
use crate::chance::Chance;
use crate::clock::DAWN_MS;

/// Sales that offer something, of a thousand.
const OFFERS_PER_MILLE: u64 = 500;
/// Guests of such a sale who come for what it offers, of a thousand.
const DRAWN_BY_IT_PER_MILLE: u64 = 650;
/// Prices of tiers, from the first seats on; some of them are rounded.
const TIERS: [&[(u32, &str)]; 5] = [
    &[],
    &[],
    &[(1, "9.00"), (2, "7.5050")],
    &[(1, "3.3333"), (2, "2.1250")],
    &[(2, "0.0150")],
];

/// Gives sales their offers, and guests the habits for them.
pub(super) fn draw(plan: &mut LifePlan) {
    let mut chance = Chance::of(plan.seed, "offers");
    for sale in &mut plan.sales {
        if chance.hits(OFFERS_PER_MILLE) {
            give(&mut chance, sale);
        }
    }
    for guest in &mut plan.guests {
        if let Some(habit) = drawn_by(&mut chance, &plan.sales, guest) {
            guest.habit = habit;
        }
    }
}

/// An offer of a sale: groups or a pre-sale or neither, and a line and a hold policy beside them or not.
pub(crate) fn offer(chance: &mut Chance, skus: usize) -> Offer {
    let mut offer = Offer::default();
    match chance.below(10) {
        0..=5 => {
            let groups = if chance.hits(300) { skus.min(2) } else { 1 };
            offer.groups = (0..groups).map(|sku| group(chance, sku)).collect();
        }
        6 | 7 => offer.presale = Some(presale(chance)),
        _ => {}
    }
    if offer.groups.is_empty() || chance.hits(300) {
        offer.line = Some(LinePolicy {
            hold_ms: *chance.pick(&[1_000, 5_000, 15_000]),
            units_most: *chance.pick(&[1, 3]),
            places_most: *chance.pick(&[3, 1_000]),
        });
    }
    if chance.hits(400) {
        offer.holds = Some(holds(chance));
    }
    offer
}

/// A sale with a line, or with teams of many, has too little for everybody or enough for some teams.
fn give(chance: &mut Chance, sale: &mut SalePlan) {
    let offer = offer(chance, sale.stock.len());
    let stock = match offer.groups.first() {
        Some(_) => chance.between(4, 40),
        None => chance.between(0, 8),
    };
    if let Some(first) = sale.stock.first_mut() {
        *first = u32::try_from(stock).unwrap_or(0);
    }
    sale.offer = Some(offer);
}

fn group(chance: &mut Chance, sku: usize) -> GroupRule {
    let size = *chance.pick(&[2, 2, 2, 3, 3, 4, 5]);
    let lottery = chance.hits(300);
    let tiers = match lottery {
        true => &[],
        false => *chance.pick(&TIERS),
    };
    let tier = |(seats, price): &(u32, &str)| {
        Some(Tier {
            seats: *seats,
            price: price.parse().ok()?,
        })
    };
    GroupRule {
        sku: format!("SKU-{sku}").into(),
        size,
        least: (!lottery && chance.hits(300)).then(|| size.div_ceil(2)),
        lifetime_ms: *chance.pick(&[4_000, 15_000, 30_000, 90_000]),
        stretch_ms: *chance.pick(&[0, 2_000, 20_000]),
        tiers: tiers.iter().filter_map(tier).collect(),
        pays: *chance.pick(&[Pays::Reached, Pays::Top]),
        seats_per_buyer: *chance.pick(&[1, 1, 2]),
        teams_per_buyer: *chance.pick(&[None, None, Some(1), Some(2)]),
        open_to: Vec::new(),
        join_to: Vec::new(),
        leader: *chance.pick(&[None, Some(Cut::OffMinor(150)), Some(Cut::ShareBp(1_250))]),
        leave: *chance.pick(&[Leave::Free, Leave::Free, Leave::Bound]),
        after: *chance.pick(&[
            AfterFinish::Merchant,
            AfterFinish::Buyer,
            AfterFinish::Nobody,
        ]),
        fill: match !lottery && chance.hits(350) {
            true => size / 2,
            false => 0,
        },
        alone: *chance.pick(&[Alone::Sold, Alone::TeamsOnly]),
        prizes: lottery.then(|| u32::try_from(chance.between(1, u64::from(size) - 1)).unwrap_or(1)),
    }
}

fn presale(chance: &mut Chance) -> Presale {
    let from = chance.between(2_000, 60_000);
    let until = from + chance.between(5_000, 60_000);
    Presale {
        deposit: *chance.pick(&[Cut::OffMinor(100), Cut::ShareBp(3_333), Cut::ShareBp(5_000)]),
        from: Time::from_ms(DAWN_MS + from),
        until: Time::from_ms(DAWN_MS + until),
        lapse: *chance.pick(&[Lapse::Refund, Lapse::Forfeit]),
        grace_ms: *chance.pick(&[0, 2_000, 20_000]),
    }
}

fn holds(chance: &mut Chance) -> HoldPolicy {
    let step = |lapses, hold_ms, open_most| Shrink {
        lapses,
        hold_ms,
        open_most,
    };
    HoldPolicy {
        grace_ms: *chance.pick(&[0, 2_000, 20_000]),
        open_most: *chance.pick(&[None, None, Some(3)]),
        steps: match chance.hits(600) {
            true => vec![step(1, 4_000, 2), step(3, 1_000, 1)],
            false => Vec::new(),
        },
    }
}

/// The habit of a guest who comes for what a sale offers; `None` for one who comes as always.
fn drawn_by(chance: &mut Chance, sales: &[SalePlan], guest: &Guest) -> Option<Habit> {
    let offer = sales.get(guest.sale)?.offer.as_ref()?;
    if !chance.hits(DRAWN_BY_IT_PER_MILLE) {
        return None;
    }
    let mut habits = Vec::new();
    if !offer.groups.is_empty() {
        habits.extend([
            Habit::Lead,
            Habit::Join,
            Habit::Join,
            Habit::Join,
            Habit::Join,
        ]);
    }
    if offer.presale.is_some() {
        habits.extend([Habit::Deposit, Habit::Deposit, Habit::Deposit]);
    }
    if offer.line.is_some() {
        habits.extend([Habit::Wait, Habit::Wait]);
    }
    if chance.hits(30) {
        return Some(Habit::Rearrange);
    }
    (!habits.is_empty()).then(|| *chance.pick(&habits))
}

impl SalePlan {
    /// When the balance of its pre-sale may be paid, after the world began; `None` without one.
    #[must_use]
    pub fn balance_window(&self) -> Option<(Duration, Duration)> {
        let presale = self.offer.as_ref()?.presale.as_ref()?;
        let after_dawn = |time: Time| Duration::from_millis(time.ms().saturating_sub(DAWN_MS));
        Some((after_dawn(presale.from), after_dawn(presale.until)))
    }

    /// How it is sold to teams, when it opens.
    #[must_use]
    pub fn team_rules(&self) -> &[GroupRule] {
        self.offer.as_ref().map_or(&[], |offer| &offer.groups)
    }
}
