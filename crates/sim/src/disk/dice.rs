//! What is drawn from the seed: how a power cut treats changes, and when a fault strikes.

use world::SeededEntropy;

/// Odds are given in parts of this.
const ODDS: u64 = 256;

/// What a power cut or a failed sync does to one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Lost,
    Whole,
    Torn,
}

/// The luck of one power cut. It has a mood: a cut that spares nearly everything finds other bugs
/// than one that spares nearly nothing, and a fair coin for each change finds neither.
#[derive(Debug)]
pub(super) struct Dice {
    entropy: SeededEntropy,
    whole: u64,
    torn: u64,
}

/// Which sectors of a torn write there are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sectors {
    /// The first ones.
    First(usize),
    /// Any.
    Any,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        let entropy = SeededEntropy::new(seed);
        let (whole, torn) = match entropy.next_u64() % 6 {
            0 => (0, 0),
            1 => (ODDS, 0),
            2 => (16, 16),
            3 => (208, 32),
            4 => (0, ODDS),
            _ => (96, 64),
        };
        Self {
            entropy,
            whole,
            torn,
        }
    }

    /// Luck that spares nothing.
    pub(super) fn worst() -> Self {
        Self {
            entropy: SeededEntropy::new(0),
            whole: 0,
            torn: 0,
        }
    }

    pub(super) fn fate(&self) -> Fate {
        let throw = self.entropy.next_u64() % ODDS;
        if throw < self.whole {
            Fate::Whole
        } else if throw < self.whole + self.torn {
            Fate::Torn
        } else {
            Fate::Lost
        }
    }

    /// Whether a change that cannot be torn has happened.
    pub(super) fn keeps(&self) -> bool {
        match self.fate() {
            Fate::Whole => true,
            Fate::Torn => self.coin(),
            Fate::Lost => false,
        }
    }

    pub(super) fn coin(&self) -> bool {
        self.entropy.next_u64().is_multiple_of(2)
    }

    /// How a write of `count` sectors is torn.
    pub(super) fn sectors(&self, count: usize) -> Sectors {
        if self.coin() {
            return Sectors::Any;
        }
        let first = self.entropy.next_u64() % (count as u64).max(1);
        Sectors::First(usize::try_from(first).unwrap_or(0))
    }
}

impl Sectors {
    pub(super) fn takes(self, dice: &Dice, number: usize) -> bool {
        match self {
            Self::First(count) => number < count,
            Self::Any => dice.coin(),
        }
    }
}

/// A number that belongs to these three and depends on nothing drawn before: taking one fault out
/// of a plan leaves the luck of all others as it was.
pub(super) fn drawn(seed: u64, what: u64, when: u64) -> u64 {
    let first = SeededEntropy::new(seed ^ what.rotate_left(32)).next_u64();
    SeededEntropy::new(first ^ when).next_u64()
}
