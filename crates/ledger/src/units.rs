//! Units of one SKU: double entry between available, held, sold and written off.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::Violation;

/// A number of units, 0 to 4,294,967,295.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Units(pub u32);

impl Units {
    /// No units.
    pub const ZERO: Self = Self(0);

    /// The sum, unless it exceeds what a number of units can hold.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, unless it would be negative.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Units set aside for one line of one order. It has exactly one outcome: posted, or released. It cannot be copied, so
/// the compiler refuses a second outcome (INV-3).
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a hold that is dropped would lose its units"]
pub struct Hold {
    units: NonZeroU32,
}

impl Hold {
    /// How many units the hold sets aside.
    pub fn units(&self) -> Units {
        Units(self.units.get())
    }
}

/// There are not as many units as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only {available} units are available")]
pub struct Shortage {
    /// What is available now.
    pub available: Units,
}

/// The units of one SKU. At every moment `stocked = available + held + sold + written_off` (INV-9), and what is held or
/// sold was available before (INV-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UnitAccount {
    stocked: Units,
    available: Units,
    held: Units,
    sold: Units,
    written_off: Units,
}

impl UnitAccount {
    /// All units ever brought in.
    pub fn stocked(&self) -> Units {
        self.stocked
    }

    /// Units that a buyer may take now.
    pub fn available(&self) -> Units {
        self.available
    }

    /// Units set aside for unpaid orders.
    pub fn held(&self) -> Units {
        self.held
    }

    /// Units sold and not given back.
    pub fn sold(&self) -> Units {
        self.sold
    }

    /// Units taken out of stock unsold.
    pub fn written_off(&self) -> Units {
        self.written_off
    }

    /// Brings units in.
    ///
    /// # Errors
    /// When the stock would exceed what [`Units`] can hold.
    pub fn stock(&mut self, units: Units) -> Result<(), Violation> {
        let stocked = self
            .stocked
            .plus(units)
            .ok_or_else(|| self.broken("stock overflows"))?;
        self.stocked = stocked;
        self.available = self
            .available
            .plus(units)
            .ok_or_else(|| self.broken("stock overflows"))?;
        self.check()
    }

    /// Takes units out of stock unsold, never below what is available.
    ///
    /// # Errors
    /// [`Shortage`] when fewer are available; nothing changes then.
    pub fn write_off(&mut self, units: Units) -> Result<(), Shortage> {
        let available = self.available.minus(units).ok_or(Shortage {
            available: self.available,
        })?;
        if stdx::mutants::is("write-off-takes-held") && self.held >= units {
            self.held.0 -= units.0;
        } else {
            self.available = available;
        }
        self.written_off.0 += units.0;
        Ok(())
    }

    /// Sets units aside.
    ///
    /// # Errors
    /// [`Shortage`] when fewer are available (INV-1); nothing changes then.
    pub fn hold(&mut self, units: NonZeroU32) -> Result<Hold, Shortage> {
        let shortage = Shortage {
            available: self.available,
        };
        let left = self.available.minus(Units(units.get())).ok_or(shortage)?;
        if !stdx::mutants::is("hold-leaves-available") {
            self.available = left;
        }
        self.held.0 += units.get();
        Ok(Hold { units })
    }

    /// Sells what a hold set aside.
    ///
    /// # Errors
    /// When the account holds fewer units than the hold says: the hold belongs to another account.
    pub fn post(&mut self, hold: Hold) -> Result<(), Violation> {
        self.take_held(hold.units())?;
        self.sold.0 += hold.units.get();
        self.check()
    }

    /// Sells a part of what a hold set aside; the rest stays held.
    ///
    /// # Errors
    /// As [`UnitAccount::post`].
    pub fn post_part(&mut self, hold: Hold, units: NonZeroU32) -> Result<Option<Hold>, Violation> {
        let Some(rest) = hold.units.get().checked_sub(units.get()) else {
            return Err(self.broken("a part exceeds its hold"));
        };
        self.post(Hold { units })?;
        Ok(NonZeroU32::new(rest).map(|units| Hold { units }))
    }

    /// Gives up a hold (voided by its buyer, or expired): its units are available again.
    ///
    /// # Errors
    /// As [`UnitAccount::post`].
    pub fn release(&mut self, hold: Hold) -> Result<(), Violation> {
        self.take_held(hold.units())?;
        self.available.0 += hold.units.get();
        if stdx::mutants::is("release-gives-twice") {
            self.available.0 += hold.units.get();
        }
        self.check()
    }

    /// Takes sold units back into stock.
    ///
    /// # Errors
    /// When fewer were sold.
    pub fn give_back(&mut self, units: Units) -> Result<(), Violation> {
        self.sold = self
            .sold
            .minus(units)
            .ok_or_else(|| self.broken("more given back than sold"))?;
        match stdx::mutants::is("returned-units-are-written-off") {
            true => self.written_off.0 += units.0,
            false => self.available.0 += units.0,
        }
        self.check()
    }

    /// INV-9: the units add up.
    ///
    /// # Errors
    /// When they do not.
    pub fn check(&self) -> Result<(), Violation> {
        let parts = [self.available, self.held, self.sold, self.written_off];
        let sum: u64 = parts.iter().map(|part| u64::from(part.0)).sum();
        if sum == u64::from(self.stocked.0) {
            Ok(())
        } else {
            Err(self.broken("units do not add up"))
        }
    }

    fn take_held(&mut self, units: Units) -> Result<(), Violation> {
        self.held = self
            .held
            .minus(units)
            .ok_or_else(|| self.broken("a hold of another account"))?;
        Ok(())
    }

    fn broken(&self, what: &str) -> Violation {
        Violation::new("INV-9", format!("{what}: {self:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("not zero")
    }

    fn account(stock: u32) -> UnitAccount {
        let mut account = UnitAccount::default();
        account.stock(Units(stock)).expect("fits");
        account
    }

    #[test]
    fn two_holds_of_the_last_unit_give_one_hold() {
        let mut account = account(1);
        let first = account.hold(units(1)).expect("there is one");
        assert_eq!(
            account.hold(units(1)),
            Err(Shortage {
                available: Units(0)
            })
        );
        account.post(first).expect("held");
        assert_eq!((account.sold(), account.available()), (Units(1), Units(0)));
    }

    #[test]
    fn a_released_hold_can_be_held_again() {
        let mut account = account(2);
        let hold = account.hold(units(2)).expect("there are two");
        account.release(hold).expect("held");
        assert_eq!(account.available(), Units(2));
        let hold = account.hold(units(2)).expect("free again");
        let rest = account
            .post_part(hold, units(1))
            .expect("part")
            .expect("one stays");
        assert_eq!((account.held(), account.sold()), (Units(1), Units(1)));
        account.release(rest).expect("held");
        account.check().expect("adds up");
    }

    #[test]
    fn a_write_off_never_touches_what_is_held_or_sold() {
        let mut account = account(3);
        let _hold = account.hold(units(2)).expect("three are there");
        assert_eq!(
            account.write_off(Units(2)),
            Err(Shortage {
                available: Units(1)
            })
        );
        account.write_off(Units(1)).expect("one is free");
        account.check().expect("adds up");
    }

    #[test]
    fn more_cannot_come_back_than_was_sold() {
        let mut account = account(3);
        let hold = account.hold(units(2)).expect("there");
        account.post(hold).expect("held");
        assert!(account.give_back(Units(3)).is_err());
    }

    #[test]
    fn a_hold_takes_four_bytes_in_an_order() {
        assert_eq!(size_of::<Option<Hold>>(), 4);
    }
}
