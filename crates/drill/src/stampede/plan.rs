//! Who comes, when, and with which habits: all of it follows from the seed.

use super::Settings;
use super::fault::Fault;
use crate::chance::Chance;
use std::time::Duration;

/// Units that one buyer may have, in all its orders.
pub(super) const UNITS_PER_BUYER: u32 = 4;
/// Units that one order may have.
pub(super) const UNITS_PER_ORDER: u32 = 3;
/// How long units are held: short, so that abandoned ones are sold again within the drill.
pub(super) const HOLD_MS: u64 = 2_500;
/// A fault waits at most this long; by then held units expire and those who come back are there.
const STRIKES_LATER_US: u64 = 1_500_000;
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

/// Buyers, stock and one fault, repeated as often as the server is to be struck; and once more to live on.
#[derive(Debug)]
pub(super) struct Wave {
    /// Units that come in at its start, SKU by SKU.
    pub(super) stock: [u32; 3],
    /// Who comes.
    pub(super) visitors: std::ops::Range<u32>,
    /// What befalls the server; nothing in the last.
    pub(super) strike: Option<Strike>,
}

/// A fault and its moment.
#[derive(Debug)]
pub(super) struct Strike {
    /// What it is.
    pub(super) fault: Fault,
    /// It comes when so many requests of the wave were answered.
    pub(super) after: u64,
    /// And then so much later: in the middle of orders, payments, expiries or refunds.
    pub(super) later: Duration,
    /// How long it lasts, and what else about it is left to chance.
    pub(super) chance: Chance,
}

/// The waves of a stampede.
pub(super) fn waves(settings: &Settings) -> Vec<Wave> {
    let faults = shuffled(settings);
    let count = settings.kills + settings.storm.total() + 1;
    // Far away from the numbers of the buyers.
    let chance = Chance::new(settings.seed, u64::MAX);
    let stock = shelves(settings.stock);
    (0..count)
        .zip(faults.into_iter().map(Some).chain([None]))
        .map(|(nth, fault)| {
            let visitors = part_start(settings.buyers, nth, count)
                ..part_start(settings.buyers, nth + 1, count);
            let crowd = u64::from(visitors.end - visitors.start);
            Wave {
                stock: stock
                    .map(|units| part_start(units, nth + 1, count) - part_start(units, nth, count)),
                strike: fault.map(|fault| Strike {
                    fault,
                    after: 1 + crowd * chance.between(5, 120) / 100,
                    later: Duration::from_micros(chance.below(STRIKES_LATER_US)),
                    chance: Chance::new(settings.seed, u64::MAX - 2 - u64::from(nth)),
                }),
                visitors,
            }
        })
        .collect()
}

/// All faults, in an order that follows from the seed.
fn shuffled(settings: &Settings) -> Vec<Fault> {
    let kills = std::iter::repeat_n(Fault::Kill, settings.kills as usize);
    let mut faults: Vec<Fault> = kills.chain(settings.storm.each()).collect();
    let chance = Chance::new(settings.seed, u64::MAX - 1);
    for last in (1..faults.len()).rev() {
        let other = chance.below(last as u64 + 1);
        faults.swap(last, usize::try_from(other).unwrap_or(last));
    }
    faults
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
            let deaths = waves.iter().filter(|wave| wave.strike.is_some()).count();
            assert_eq!(deaths, kills as usize);
        }
    }

    #[test]
    fn every_fault_of_a_storm_comes_once_and_the_seed_says_when() {
        let order = |seed| {
            let settings = Settings {
                seed,
                kills: 2,
                storm: Fault::ALL.into_iter().skip(1).collect(),
                ..Settings::default()
            };
            let strikes = waves(&settings).into_iter().filter_map(|wave| wave.strike);
            strikes.map(|strike| strike.fault).collect::<Vec<_>>()
        };
        let mut sorted = order(1);
        sorted.sort_unstable();
        let all = [Fault::Kill].into_iter().chain(Fault::ALL);
        assert_eq!(sorted, all.collect::<Vec<_>>());
        assert_eq!(order(1), order(1));
        assert!((2..20).any(|seed| order(seed) != order(1)));
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
