//! What an order costs, and why: integers only, explained line by line.
//!
//! The order of application is fixed:
//!
//! ```text
//!   each line      units × unit price            Line
//!   team's tier    the lines at the tier's price Tier     (below the lines, or nothing)
//!   buyer's level  a share of what is left       Level    (the highest level that the buyer reaches)
//!   leader's cut   of what is left               Leader   (who opens a team)
//!   coupons        of what is left, as asked     Coupon   (thresholds look at the sum before all coupons)
//!   = total
//! ```
//!
//! Each line of the explanation is rounded once, half to even. Their sum is the total, always; the total is never
//! below zero and never above the lines. A coupon gives what it says or is refused: a budget that holds less than the
//! whole reduction is exhausted, so nobody pays more than was shown.

mod discounts;
mod share;
#[cfg(test)]
mod tests;

use ledger::{Currency, Minor, UnitPrice};
use serde::{Deserialize, Serialize};

use crate::{Facts, Time};

pub use discounts::{
    COUPONS_MOST, Coupon, CouponKind, Cut, Discounts, LEVELS_MOST, LevelDiscount, SHARE_WHOLE_BP,
};
pub use share::{line_shares, share_of};

/// Coupons of one order, at most.
pub const CODES_MOST: usize = 4;

/// One line to price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinePrice {
    /// Units, at least 1.
    pub units: u32,
    /// The price of one unit by the plan, or the merchant's own.
    pub price: UnitPrice,
    /// The price of one unit in the team's tier; it counts where it is lower.
    pub tier: Option<UnitPrice>,
}

/// A coupon that the buyer asks for, with what it was used for before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CouponAsk<'a> {
    /// Its code, as the buyer typed it.
    pub code: &'a str,
    /// How often this buyer used it.
    pub uses: u32,
    /// What it gave to all buyers so far.
    pub spent: Minor,
}

/// All that a price depends on.
#[derive(Debug, Clone, Copy)]
pub struct Pricing<'a> {
    /// When.
    pub now: Time,
    /// The currency of the sale.
    pub currency: Currency,
    /// The lines, at least one.
    pub lines: &'a [LinePrice],
    /// Seats that the team's tier stands for, if the order belongs to a team.
    pub seats: Option<u32>,
    /// What is known of the buyer.
    pub facts: &'a Facts,
    /// The sale's discounts.
    pub discounts: &'a Discounts,
    /// The coupons asked for, at most [`CODES_MOST`].
    pub coupons: &'a [CouponAsk<'a>],
    /// What the leader gets off: given where the buyer opens a team.
    pub leader: Option<Cut>,
}

/// What a line of the explanation stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PriceWhat {
    /// A line of the order at its own price.
    Line {
        /// Which, from 0.
        line: u16,
    },
    /// What the team's tier takes off.
    Tier {
        /// Seats that the tier stands for.
        seats: u32,
    },
    /// What the buyer's level takes off.
    Level {
        /// The level that the discount begins at.
        level: u32,
    },
    /// What the leader of a team gets off.
    Leader,
    /// What a coupon takes off.
    Coupon {
        /// Its place in [`Discounts::coupons`].
        coupon: u16,
    },
}

/// A line of the explanation: above zero for goods, below zero for what is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceLine {
    /// What it stands for.
    pub what: PriceWhat,
    /// How much.
    pub amount: Minor,
}

/// A price and why it is so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priced {
    /// What the order costs: the sum of `lines`, and of `shares`.
    pub total: Minor,
    /// The explanation, in order of application.
    pub lines: Vec<PriceLine>,
    /// The part of the total that each line of the order bears, for refunds of a part.
    pub shares: Vec<Minor>,
}

/// Why there is no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// An amount does not fit, or is below zero.
    #[error("an amount is out of range")]
    Range,
    /// More coupons than an order may carry.
    #[error("an order carries at most {CODES_MOST} coupons")]
    TooMany,
    /// A coupon is asked for twice.
    #[error("coupon {code} is asked for twice")]
    Twice {
        /// Its code.
        code: Box<str>,
    },
    /// The sale has no such coupon.
    #[error("the sale has no coupon {code}")]
    Unknown {
        /// The code asked for.
        code: Box<str>,
    },
    /// The coupon does not stand beside another one.
    #[error("coupon {code} does not combine with others")]
    Alone {
        /// Its code.
        code: Box<str>,
    },
    /// The coupon does not count at this moment.
    #[error("coupon {code} is not valid now")]
    NotNow {
        /// Its code.
        code: Box<str>,
    },
    /// The coupon is for other buyers.
    #[error("coupon {code} is not for this buyer")]
    NotForBuyer {
        /// Its code.
        code: Box<str>,
    },
    /// The order is too small for the coupon.
    #[error("coupon {code} needs an order of {threshold}, and this one is {sum}")]
    Below {
        /// Its code.
        code: Box<str>,
        /// What it needs, in minor units.
        threshold: Minor,
        /// What the order has before coupons.
        sum: Minor,
    },
    /// The buyer used the coupon as often as allowed.
    #[error("coupon {code} was used {most} times by this buyer")]
    Used {
        /// Its code.
        code: Box<str>,
        /// How often one buyer may.
        most: u32,
    },
    /// The coupon's budget does not hold what it would give.
    #[error("the budget of coupon {code} is exhausted")]
    Exhausted {
        /// Its code.
        code: Box<str>,
    },
}

/// Prices an order.
///
/// # Errors
/// [`PriceError`] names the coupon that cannot be given, or an amount out of range. Nothing is given in part.
pub fn price(ask: &Pricing<'_>) -> Result<Priced, PriceError> {
    let mut bill = Bill::default();
    let base = lines(ask, &mut bill)?;
    if let Some(level) = ask.discounts.level_for(ask.facts.level) {
        let off = share_of(bill.total, level.share_bp).ok_or(PriceError::Range)?;
        let what = PriceWhat::Level { level: level.least };
        bill.take(what, off)?;
    }
    if let Some(cut) = ask.leader {
        let off = cut.of(bill.total).ok_or(PriceError::Range)?;
        bill.take(PriceWhat::Leader, off)?;
    }
    coupons(ask, &mut bill)?;
    Ok(Priced {
        total: bill.total,
        shares: line_shares(bill.total, &base),
        lines: bill.lines,
    })
}

/// The running sum and its explanation.
#[derive(Default)]
struct Bill {
    total: Minor,
    lines: Vec<PriceLine>,
}

impl Bill {
    fn put(&mut self, what: PriceWhat, amount: Minor) -> Result<(), PriceError> {
        self.total = self.total.plus(amount).ok_or(PriceError::Range)?;
        self.lines.push(PriceLine { what, amount });
        Ok(())
    }

    /// Takes off so much, but never more than there is, and leaves no line that says nothing.
    fn take(&mut self, what: PriceWhat, off: Minor) -> Result<(), PriceError> {
        let off = off.clamp(Minor::ZERO, self.total);
        if off.is_positive() {
            self.put(what, Minor(-off.0))?;
        }
        Ok(())
    }
}

/// The lines and what the tier takes off them; gives each line's amount after the tier.
fn lines(ask: &Pricing<'_>, bill: &mut Bill) -> Result<Vec<Minor>, PriceError> {
    let mut base = Vec::with_capacity(ask.lines.len());
    let mut off = Minor::ZERO;
    for (index, line) in ask.lines.iter().enumerate() {
        let own = amount(line.price, line.units, ask.currency)?;
        let tier = match line.tier {
            Some(price) => amount(price, line.units, ask.currency)?.min(own),
            None => own,
        };
        let line = u16::try_from(index).map_err(|_| PriceError::Range)?;
        bill.put(PriceWhat::Line { line }, own)?;
        let less = own.minus(tier).ok_or(PriceError::Range)?;
        off = off.plus(less).ok_or(PriceError::Range)?;
        base.push(tier);
    }
    let seats = ask.seats.unwrap_or_default();
    bill.take(PriceWhat::Tier { seats }, off)?;
    Ok(base)
}

fn amount(price: UnitPrice, units: u32, currency: Currency) -> Result<Minor, PriceError> {
    let amount = price.times(units, currency).ok_or(PriceError::Range)?;
    if amount < Minor::ZERO {
        return Err(PriceError::Range);
    }
    Ok(amount)
}

fn coupons(ask: &Pricing<'_>, bill: &mut Bill) -> Result<(), PriceError> {
    if ask.coupons.len() > CODES_MOST {
        return Err(PriceError::TooMany);
    }
    let before = bill.total;
    for (index, asked) in ask.coupons.iter().enumerate() {
        let code = || Box::from(asked.code);
        if ask.coupons[..index]
            .iter()
            .any(|other| other.code == asked.code)
        {
            return Err(PriceError::Twice { code: code() });
        }
        let (place, coupon) = ask
            .discounts
            .coupon(asked.code)
            .ok_or_else(|| PriceError::Unknown { code: code() })?;
        let alone = !coupon.combines && !stdx::mutants::is("coupon-beside-any-other");
        if alone && ask.coupons.len() > 1 {
            return Err(PriceError::Alone { code: code() });
        }
        may_use(coupon, asked, ask, before)?;
        let off = coupon.kind.of(bill.total).ok_or(PriceError::Range)?;
        let off = off.clamp(Minor::ZERO, bill.total);
        if !coupon.affords(asked.spent, off) {
            return Err(PriceError::Exhausted { code: code() });
        }
        bill.take(PriceWhat::Coupon { coupon: place }, off)?;
    }
    Ok(())
}

/// Whether the coupon counts for this buyer, now, and for an order of this sum.
fn may_use(
    coupon: &Coupon,
    asked: &CouponAsk<'_>,
    ask: &Pricing<'_>,
    sum: Minor,
) -> Result<(), PriceError> {
    let code = coupon.code.clone();
    if !coupon.counts_at(ask.now) {
        return Err(PriceError::NotNow { code });
    }
    if !coupon.is_for(ask.facts) {
        return Err(PriceError::NotForBuyer { code });
    }
    if sum < coupon.threshold {
        let threshold = coupon.threshold;
        return Err(PriceError::Below {
            code,
            threshold,
            sum,
        });
    }
    match coupon.per_buyer {
        Some(most) if asked.uses >= most && !stdx::mutants::is("coupon-uses-uncounted") => {
            Err(PriceError::Used { code, most })
        }
        _ => Ok(()),
    }
}
