//! Discounts as data of a sale: coupons, levels, and what the leader of a team gets off.

use ledger::Minor;
use serde::{Deserialize, Serialize};

use super::share::share_of;
use crate::plan::{check_name, check_tags};
use crate::{Facts, Time};

/// Coupons of one sale, at most.
pub const COUPONS_MOST: usize = 1_000;
/// Level discounts of one sale, at most.
pub const LEVELS_MOST: usize = 16;
/// The whole, in basis points.
pub const SHARE_WHOLE_BP: u32 = 10_000;

/// An amount or a share that is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cut {
    /// So many minor units.
    Off(Minor),
    /// A share in basis points, at most 10,000.
    Share(u32),
}

impl Cut {
    /// What is taken off this amount; `None` when it does not fit.
    pub fn of(self, amount: Minor) -> Option<Minor> {
        match self {
            Self::Off(off) => Some(off),
            Self::Share(bp) => share_of(amount, bp),
        }
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// A sentence that names the field and the bound.
    pub fn check(self) -> Result<(), String> {
        match self {
            Self::Off(off) => check_amount("an amount off", off),
            Self::Share(bp) => check_share(bp),
        }
    }
}

/// What a coupon gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CouponKind {
    /// So many minor units off.
    Off(Minor),
    /// A share in basis points, with a cap where one is set.
    Share(u32, Option<Minor>),
}

impl CouponKind {
    /// What it takes off this amount; `None` when it does not fit.
    pub fn of(self, amount: Minor) -> Option<Minor> {
        match self {
            Self::Off(off) => Some(off),
            Self::Share(bp, most) => {
                let off = share_of(amount, bp)?;
                Some(most.map_or(off, |most| off.min(most)))
            }
        }
    }
}

/// A coupon of a sale; its budget belongs to that sale only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupon {
    /// What buyers type, 1 to 64 bytes; different for each coupon of a sale.
    pub code: Box<str>,
    /// What it gives.
    pub kind: CouponKind,
    /// What the order has to come to before coupons, in minor units.
    pub threshold: Minor,
    /// How often one buyer may use it.
    pub per_buyer: Option<u32>,
    /// What it may give to all buyers together, in minor units.
    pub budget: Option<Minor>,
    /// The buyer has one of these tags; with none it is for everybody.
    pub tags: Vec<Box<str>>,
    /// The buyer's level is at least this.
    pub level: u32,
    /// The first moment at which it counts.
    pub from: Option<Time>,
    /// The first moment at which it no longer counts.
    pub until: Option<Time>,
    /// Whether it stands beside other coupons.
    pub combines: bool,
}

impl Coupon {
    /// Whether it counts at this moment.
    pub fn counts_at(&self, now: Time) -> bool {
        self.from.is_none_or(|from| now >= from) && self.until.is_none_or(|until| now < until)
    }

    /// Whether it is for a buyer of whom this is known.
    pub fn is_for(&self, facts: &Facts) -> bool {
        let tagged = self.tags.is_empty() || self.tags.iter().any(|tag| facts.tags.contains(tag));
        tagged && facts.level >= self.level
    }

    /// Whether the budget holds so much more.
    pub fn affords(&self, spent: Minor, off: Minor) -> bool {
        let fits = |budget| spent.plus(off).is_some_and(|sum| sum <= budget);
        self.budget.is_none_or(fits) || stdx::mutants::is("coupon-budget-ignored")
    }

    fn check(&self) -> Result<(), String> {
        check_name("coupon code", &self.code)?;
        match self.kind {
            CouponKind::Off(off) => check_amount("a coupon's amount", off)?,
            CouponKind::Share(bp, most) => {
                check_share(bp)?;
                most.map_or(Ok(()), |most| check_amount("a coupon's cap", most))?;
            }
        }
        if self.threshold < Minor::ZERO || self.budget.is_some_and(|all| all < Minor::ZERO) {
            return Err("a coupon's threshold and budget are not below zero".into());
        }
        if self.per_buyer == Some(0) {
            return Err("a coupon's per_buyer is at least 1".into());
        }
        if let (Some(from), Some(until)) = (self.from, self.until)
            && from >= until
        {
            return Err("a coupon ends before it begins".into());
        }
        check_tags(&self.tags)
    }
}

/// A discount for buyers of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelDiscount {
    /// For buyers of this level and above.
    pub least: u32,
    /// The share that is taken off, in basis points.
    pub share_bp: u32,
}

/// The discounts of a sale.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Discounts {
    /// Coupons, at most 1,000. A coupon keeps its place for ever, since orders name it by that.
    pub coupons: Vec<Coupon>,
    /// By level, at most 16; the highest that a buyer reaches counts.
    pub levels: Vec<LevelDiscount>,
}

impl Discounts {
    /// The coupon with this code and its place.
    pub fn coupon(&self, code: &str) -> Option<(u16, &Coupon)> {
        let place = self.coupons.iter().position(|own| *own.code == *code)?;
        Some((u16::try_from(place).ok()?, &self.coupons[place]))
    }

    /// The discount for a buyer of this level.
    pub fn level_for(&self, level: u32) -> Option<LevelDiscount> {
        let anybody = stdx::mutants::is("level-price-for-everybody");
        let levels = self.levels.iter();
        let reached = levels.filter(|own| own.least <= level || anybody);
        reached.max_by_key(|own| own.least).copied()
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// A sentence that names the field and the bound.
    pub fn check(&self) -> Result<(), String> {
        if self.coupons.len() > COUPONS_MOST || self.levels.len() > LEVELS_MOST {
            return Err(format!(
                "a sale has at most {COUPONS_MOST} coupons and {LEVELS_MOST} level discounts"
            ));
        }
        self.coupons.iter().try_for_each(Coupon::check)?;
        self.levels
            .iter()
            .try_for_each(|level| check_share(level.share_bp))?;
        let mut codes: Vec<_> = self.coupons.iter().map(|coupon| &*coupon.code).collect();
        let mut levels: Vec<_> = self.levels.iter().map(|level| level.least).collect();
        codes.sort_unstable();
        levels.sort_unstable();
        if codes.windows(2).any(|two| two[0] == two[1]) {
            return Err("a coupon code is used once in a sale".into());
        }
        if levels.windows(2).any(|two| two[0] == two[1]) {
            return Err("a level has one discount in a sale".into());
        }
        Ok(())
    }
}

fn check_share(bp: u32) -> Result<(), String> {
    if (1..=SHARE_WHOLE_BP).contains(&bp) {
        return Ok(());
    }
    Err(format!("a share has 1 to {SHARE_WHOLE_BP} basis points"))
}

fn check_amount(what: &str, amount: Minor) -> Result<(), String> {
    if amount.is_positive() {
        Ok(())
    } else {
        Err(format!("{what} is above zero"))
    }
}
