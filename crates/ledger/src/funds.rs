//! Money of one order: captured, refunded, on its way back, charged back.

use serde::{Deserialize, Serialize};

use crate::{Minor, Violation};

/// A refund asks for more than the order still has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only {left} of the captured money is left to give back")]
pub struct OverBudget {
    /// What may still be given back.
    pub left: Minor,
}

/// The money of one order. A refund takes its budget before it is sent, and only while
/// `refunded + held + charged_back + amount <= captured` (INV-2). Reports from outside always book: what they take
/// beyond the captured money is a loss, derived and never negative (INV-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Funds {
    captured: Minor,
    refunded: Minor,
    held: Minor,
    charged_back: Minor,
}

impl Funds {
    /// The funds of an order whose whole price was captured once and nothing else happened.
    pub fn captured_once(amount: Minor) -> Self {
        Self {
            captured: amount,
            ..Self::default()
        }
    }

    /// All money ever captured.
    pub fn captured(&self) -> Minor {
        self.captured
    }

    /// Money given back.
    pub fn refunded(&self) -> Minor {
        self.refunded
    }

    /// Money on its way back: budget taken, outcome not known yet.
    pub fn held(&self) -> Minor {
        self.held
    }

    /// Money taken back by the buyer's bank.
    pub fn charged_back(&self) -> Minor {
        self.charged_back
    }

    /// What may still be given back.
    pub fn left(&self) -> Minor {
        Minor((self.captured.0 - self.out()).max(0))
    }

    /// What went out beyond what came in.
    pub fn loss(&self) -> Minor {
        Minor((self.out() - self.captured.0).max(0))
    }

    /// Books a capture.
    ///
    /// # Errors
    /// When the amount is negative or the sum overflows.
    pub fn capture(&mut self, amount: Minor) -> Result<(), Violation> {
        self.captured = self.sum(self.captured, amount)?;
        Ok(())
    }

    /// Takes the budget of a refund before it is sent.
    ///
    /// # Errors
    /// [`OverBudget`] with what is left (INV-2); nothing changes then.
    pub fn hold(&mut self, amount: Minor) -> Result<(), OverBudget> {
        if amount.0 < 0 || amount > self.left() {
            return Err(OverBudget { left: self.left() });
        }
        self.held.0 += amount.0;
        Ok(())
    }

    /// The provider gave the money back.
    ///
    /// # Errors
    /// When no such budget was held.
    pub fn refund(&mut self, amount: Minor) -> Result<(), Violation> {
        self.release(amount)?;
        self.refunded = self.sum(self.refunded, amount)?;
        Ok(())
    }

    /// The provider refused the refund: its budget is free again.
    ///
    /// # Errors
    /// When no such budget was held.
    pub fn release(&mut self, amount: Minor) -> Result<(), Violation> {
        if amount.0 < 0 || amount > self.held {
            return Err(self.broken("no such refund is on its way"));
        }
        self.held.0 -= amount.0;
        Ok(())
    }

    /// Takes the budget of a refund that was thought failed and turned out to be paid. A report is never refused, so
    /// this may exceed the captured money; the excess is a loss.
    ///
    /// # Errors
    /// When the amount is negative or the sum overflows.
    pub fn refund_after_all(&mut self, amount: Minor) -> Result<(), Violation> {
        self.refunded = self.sum(self.refunded, amount)?;
        Ok(())
    }

    /// A refund that was paid came back: the buyer has not got it.
    ///
    /// # Errors
    /// When so much was not refunded.
    pub fn come_back(&mut self, amount: Minor) -> Result<(), Violation> {
        if amount.0 < 0 || amount > self.refunded {
            return Err(self.broken("no such refund was paid"));
        }
        self.refunded.0 -= amount.0;
        Ok(())
    }

    /// Books a chargeback, always; the excess is a loss.
    ///
    /// # Errors
    /// When the amount is negative or the sum overflows.
    pub fn charge_back(&mut self, amount: Minor) -> Result<(), Violation> {
        let booked = match stdx::mutants::is("chargeback-capped") {
            true => amount.min(self.left()),
            false => amount,
        };
        self.charged_back = self.sum(self.charged_back, booked)?;
        Ok(())
    }

    /// INV-10: `captured + loss = left + refunded + held + charged back`, and no part is negative.
    ///
    /// # Errors
    /// When it does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        let parts = [self.captured, self.refunded, self.held, self.charged_back];
        let balanced = self.captured.0 + self.loss().0 == self.left().0 + self.out();
        if balanced && parts.iter().all(|part| part.0 >= 0) {
            return Ok(());
        }
        Err(self.broken("money does not add up"))
    }

    fn out(&self) -> i64 {
        let held = match stdx::mutants::is("refund-budget-not-held") {
            true => 0,
            false => self.held.0,
        };
        self.refunded
            .0
            .saturating_add(held)
            .saturating_add(self.charged_back.0)
    }

    fn sum(&self, a: Minor, b: Minor) -> Result<Minor, Violation> {
        // A quarter of the range keeps the sum of all four parts from overflowing.
        let sum = a.plus(b).filter(|sum| b.0 >= 0 && sum.0 <= i64::MAX / 4);
        sum.ok_or_else(|| self.broken("an amount is negative or too large"))
    }

    fn broken(&self, what: &str) -> Violation {
        Violation::new("INV-10", format!("{what}: {self:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // hyperswitch#13182: two refunds of 60 on a payment of 100 both succeed.
    #[test]
    fn two_refunds_of_60_on_100_give_one_refund() {
        let mut funds = Funds::captured_once(Minor(100));
        funds.hold(Minor(60)).expect("within the budget");
        assert_eq!(funds.hold(Minor(60)), Err(OverBudget { left: Minor(40) }));
        funds.refund(Minor(60)).expect("was held");
        assert_eq!(funds.hold(Minor(60)), Err(OverBudget { left: Minor(40) }));
        funds.check().expect("adds up");
    }

    // hyperswitch PR#10533: a refund after a chargeback pays twice.
    #[test]
    fn nothing_is_left_to_refund_after_a_chargeback() {
        let mut funds = Funds::captured_once(Minor(100));
        funds.charge_back(Minor(100)).expect("always books");
        assert_eq!(funds.hold(Minor(1)), Err(OverBudget { left: Minor(0) }));
    }

    #[test]
    fn a_chargeback_against_a_refund_on_its_way_is_a_loss_until_the_refund_fails() {
        let mut funds = Funds::captured_once(Minor(100));
        funds.hold(Minor(60)).expect("within the budget");
        funds.charge_back(Minor(100)).expect("always books");
        assert_eq!(funds.loss(), Minor(60));
        funds.check().expect("adds up");
        funds.release(Minor(60)).expect("was held");
        assert_eq!((funds.loss(), funds.left()), (Minor(0), Minor(0)));
        funds
            .refund_after_all(Minor(60))
            .expect("a report always books");
        assert_eq!(funds.loss(), Minor(60));
        funds.check().expect("adds up");
    }

    #[test]
    fn a_refund_that_comes_back_may_be_made_again() {
        let mut funds = Funds::captured_once(Minor(100));
        funds.hold(Minor(60)).expect("within the budget");
        funds.refund(Minor(60)).expect("was held");
        assert!(funds.come_back(Minor(61)).is_err());
        funds.come_back(Minor(60)).expect("was refunded");
        assert_eq!((funds.refunded(), funds.left()), (Minor(0), Minor(100)));
        funds.check().expect("adds up");
    }

    #[test]
    fn a_refund_ends_once() {
        let mut funds = Funds::captured_once(Minor(100));
        funds.hold(Minor(60)).expect("within the budget");
        funds.refund(Minor(60)).expect("was held");
        assert!(funds.refund(Minor(60)).is_err());
        assert!(funds.release(Minor(60)).is_err());
    }
}
