//! Who comes, when, and with which habits: all of it follows from the seed.

use super::Settings;
use crate::chance::Chance;
use std::time::Duration;

/// Units that one buyer may have, in all its orders.
pub(super) const UNITS_PER_BUYER: u32 = 4;
/// Units that one order may have.
pub(super) const UNITS_PER_ORDER: u32 = 3;
/// How long units are held: short, so that abandoned ones are sold again within the drill.
pub(super) const HOLD_MS: u64 = 2_500;
/// A death waits at most this long; by then held units expire and those who come back are there.
const DIES_LATER_US: u64 = 1_500_000;
/// Buyers of a wave arrive within this time; hoarders are among the first tenth.
const ARRIVALS_MS: u64 = 400;
/// Names and prices of what is sold; the first is what everybody wants.
pub(super) const SKUS: [(&str, &str, &str); 3] = [
    ("CUP-TIDE", "Tide cup, blue glaze", "24.90"),
    ("CUP-GATE", "Gate cup, raw clay", "19.50"),
    ("POT-LOCK", "Lock pot, one litre", "61.25"),
];

/// What a buyer does besides buying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Habit {
    /// Orders and pays.
    Plain,
    /// Sends every request twice at the same time, with the same key.
    DoubleClick,
    /// Loses the connection right after ordering and asks again with the same key.
    HangUp,
    /// Orders and never pays.
    Abandon,
    /// Orders and gives the order up.
    Cancel,
    /// Pays, and then wants the money back.
    Return,
    /// Orders again and again until the limit stops it.
    Hoard,
    /// Pays after its time is over.
    Late,
    /// Uses the key of an accepted order for another one.
    Forge,
}

/// Habits and in how many of 100 buyers they are found.
const HABITS: [(Habit, u64); 9] = [
    (Habit::Plain, 50),
    (Habit::DoubleClick, 12),
    (Habit::HangUp, 8),
    (Habit::Abandon, 8),
    (Habit::Cancel, 5),
    (Habit::Return, 6),
    (Habit::Hoard, 4),
    (Habit::Late, 4),
    (Habit::Forge, 3),
];

impl Habit {
    fn draw(chance: &Chance) -> Self {
        let mut left = chance.below(100);
        for (habit, share) in HABITS {
            if left < share {
                return habit;
            }
            left -= share;
        }
        Self::Plain
    }
}

/// One buyer.
#[derive(Debug)]
pub(super) struct Visitor {
    /// Its pseudonym.
    pub(super) name: Box<str>,
    /// What it does besides buying.
    pub(super) habit: Habit,
    /// When it arrives, after its wave begins.
    pub(super) arrives: Duration,
    /// What it decides on the way.
    pub(super) chance: Chance,
}

impl Visitor {
    fn new(seed: u64, number: u32) -> Self {
        let chance = Chance::new(seed, u64::from(number));
        let habit = Habit::draw(&chance);
        let within = match habit {
            Habit::Hoard => ARRIVALS_MS / 10,
            _ => ARRIVALS_MS,
        };
        Self {
            name: format!("buyer-{number:06}").into(),
            habit,
            arrives: Duration::from_millis(chance.below(within)),
            chance,
        }
    }

    /// The SKU that it wants: mostly what everybody wants.
    pub(super) fn wish(&self) -> usize {
        match self.chance.below(100) {
            0..70 => 0,
            70..85 => 1,
            _ => 2,
        }
    }
}

/// Buyers, stock and one death, repeated as often as the server is to be killed; and once more to live on.
#[derive(Debug)]
pub(super) struct Wave {
    /// Units that come in at its start, SKU by SKU.
    pub(super) stock: [u32; 3],
    /// Who comes.
    pub(super) visitors: std::ops::Range<u32>,
    /// The server dies when so many requests of the wave were answered; never in the last.
    pub(super) dies_after: Option<u64>,
    /// And then so much later: in the middle of orders, payments, expiries or refunds.
    pub(super) dies_later: Duration,
}

/// The waves of a stampede.
pub(super) fn waves(settings: &Settings) -> Vec<Wave> {
    let count = settings.kills + 1;
    // Far away from the numbers of the buyers.
    let chance = Chance::new(settings.seed, u64::MAX);
    let stock = shelves(settings.stock);
    (0..count)
        .map(|nth| {
            let visitors = part_start(settings.buyers, nth, count)
                ..part_start(settings.buyers, nth + 1, count);
            let crowd = u64::from(visitors.end - visitors.start);
            Wave {
                stock: stock
                    .map(|units| part_start(units, nth + 1, count) - part_start(units, nth, count)),
                dies_after: (nth + 1 < count).then(|| 1 + crowd * chance.between(5, 120) / 100),
                dies_later: Duration::from_micros(chance.below(DIES_LATER_US)),
                visitors,
            }
        })
        .collect()
}

/// Units of each SKU: three fifths of what everybody wants.
fn shelves(stock: u32) -> [u32; 3] {
    let other = stock / 5;
    [stock - 2 * other, other, other]
}

/// Where part `nth` of `whole` begins when it is cut into `count` parts.
fn part_start(whole: u32, nth: u32, count: u32) -> u32 {
    let start = u64::from(whole) * u64::from(nth) / u64::from(count);
    u32::try_from(start).unwrap_or(whole)
}

/// The visitor with this number.
pub(super) fn visitor(settings: &Settings, number: u32) -> Visitor {
    Visitor::new(settings.seed, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_make_up_the_whole_crowd() {
        assert_eq!(HABITS.iter().map(|(_, share)| share).sum::<u64>(), 100);
        let settings = Settings::default();
        let seen: std::collections::BTreeSet<Habit> = (0..1000)
            .map(|number| visitor(&settings, number).habit)
            .collect();
        assert_eq!(seen.len(), HABITS.len());
    }

    #[test]
    fn nobody_and_nothing_is_lost_between_waves() {
        for (buyers, stock, kills) in [(1, 1, 5), (20_000, 1_000, 5), (7, 3, 100), (10, 10, 0)] {
            let settings = Settings {
                buyers,
                stock,
                kills,
                ..Settings::default()
            };
            let waves = waves(&settings);
            let units: u32 = waves.iter().flat_map(|wave| wave.stock).sum();
            let crowd: u32 = waves
                .iter()
                .map(|wave| wave.visitors.end - wave.visitors.start)
                .sum();
            assert_eq!(
                (units, crowd, waves.len()),
                (stock, buyers, kills as usize + 1)
            );
            let deaths = waves
                .iter()
                .filter(|wave| wave.dies_after.is_some())
                .count();
            assert_eq!(deaths, kills as usize);
        }
    }

    #[test]
    fn the_same_seed_is_the_same_crowd() {
        let plan = |seed| {
            let settings = Settings {
                seed,
                ..Settings::default()
            };
            (0..50)
                .map(|number| visitor(&settings, number))
                .map(|visitor| (visitor.habit, visitor.arrives, visitor.wish()))
                .collect::<Vec<_>>()
        };
        assert_eq!(plan(3), plan(3));
        assert_ne!(plan(3), plan(4));
    }
}
