//! An order in memory: 72 bytes, and a box beside it once something unusual happens.

use std::num::NonZeroU32;

use ledger::{Currency, Funds, Hold, Minor, UnitPrice, Violation};
use serde::{Deserialize, Serialize};

use crate::Time;
use crate::deal::Dues;
use crate::entry::RefundBegun;
use crate::price::{PriceLine, PriceWhat};

/// Where an order stands, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Its units are held; it waits for payment.
    Held,
    /// A charge is under way.
    Paying,
    /// Paid: its units are sold.
    Paid,
    /// The goods left.
    Shipped,
    /// The goods arrived.
    Delivered,
    /// Given up.
    Cancelled,
    /// Not paid in time.
    Expired,
    /// All its money went back.
    Refunded,
    /// The deposit is paid; its units are held until the balance is due.
    Deposited,
}

/// Where an order stands, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    Held,
    Paid,
    Shipped,
    Delivered,
    Cancelled,
    Expired,
}

/// What is known of the latest charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Charge {
    None,
    InFlight,
    Unknown,
    Failed,
    Captured,
    /// Collected elsewhere.
    Elsewhere,
    /// Nothing to pay.
    Free,
    /// The money is set aside at the bank; its capture follows, or not.
    Authorised,
}

/// A seat in a team, or none, in four bytes: the team, and whether the order has no goods of its own (lottery).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SeatIn(u32);

impl SeatIn {
    pub(crate) const NONE: Self = Self(u32::MAX);
    const BARE: u32 = 1 << 31;

    pub(crate) fn new(team: u32) -> Self {
        Self(team)
    }

    pub(crate) fn team(self) -> Option<u32> {
        (self != Self::NONE).then_some(self.0 & !Self::BARE)
    }

    /// Without goods until the draw.
    pub(crate) fn bare(self) -> Self {
        Self(self.0 | Self::BARE)
    }

    pub(crate) fn with_goods(self) -> Self {
        Self(self.0 & !Self::BARE)
    }

    pub(crate) fn has_goods(self) -> bool {
        self == Self::NONE || self.0 & Self::BARE == 0
    }
}

/// One line of an order.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) price: UnitPrice,
    pub(crate) sku: u32,
    pub(crate) units: NonZeroU32,
    /// Units refunded by line.
    pub(crate) returned: u32,
    /// Units of those that went back into stock.
    pub(crate) restocked: u32,
    /// Present while the order is held; taken once (INV-3).
    pub(crate) hold: Option<Hold>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Lines {
    One(Line),
    Many(Box<[Line]>),
}

impl Lines {
    pub(crate) fn as_slice(&self) -> &[Line] {
        match self {
            Self::One(line) => std::slice::from_ref(line),
            Self::Many(lines) => lines,
        }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [Line] {
        match self {
            Self::One(line) => std::slice::from_mut(line),
            Self::Many(lines) => lines,
        }
    }
}

/// How far a refund is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefundState {
    /// On its way.
    Pending,
    /// The money went back.
    Refunded,
    /// The provider refused.
    Failed,
}

/// A refund of an order; its number is its place in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefundRecord {
    pub(crate) amount: Minor,
    pub(crate) charge: u16,
    pub(crate) state: RefundState,
    pub(crate) automatic: bool,
    pub(crate) restocked: bool,
    pub(crate) units: u32,
}

/// What an order needs once it leaves the plain path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Extra {
    pub(crate) funds: Funds,
    /// Attempts whose money was captured.
    pub(crate) captured: Vec<u16>,
    /// The attempt that pays the order; 0 for none.
    pub(crate) kept: u16,
    pub(crate) refunds: Vec<RefundRecord>,
    /// How much longer its hold lives, since a payment was in flight.
    pub(crate) extended_ms: u32,
    pub(crate) dues: Option<DuesKept>,
    /// Its price line by line, where something came off.
    pub(crate) price: Vec<PriceLine>,
    /// What went back of its price since, as its team ended in a better tier.
    pub(crate) difference: Minor,
    /// What is off the price of its lines since then; before, `price` says it.
    pub(crate) off: Option<Minor>,
}

/// Two dues and how far they are paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DuesKept {
    pub(crate) dues: Dues,
    /// The attempt that paid the deposit; 0 for none.
    pub(crate) paid: u16,
    /// The last attempt that was begun for the deposit.
    pub(crate) split: u16,
    /// The deposit stays with the merchant.
    pub(crate) forfeited: bool,
}

/// An order.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) lines: Lines,
    pub(crate) total: Minor,
    pub(crate) placed: Time,
    pub(crate) extra: Option<Box<Extra>>,
    pub(crate) hold_ms: u32,
    /// Place in the list of buyers, [`super::buyers::NOBODY`] for none.
    pub(crate) buyer: u32,
    pub(crate) attempt: u16,
    pub(crate) phase: Phase,
    pub(crate) charge: Charge,
    pub(crate) seat: SeatIn,
}

impl Order {
    /// No line gives back more than it took, nor puts back more than came back.
    ///
    /// # Errors
    /// A line that was never written by a book (INV-9).
    pub(crate) fn check_returns(&self) -> Result<(), Violation> {
        let sound =
            |line: &Line| line.restocked <= line.returned && line.returned <= line.units.get();
        if self.lines.as_slice().iter().all(sound) {
            return Ok(());
        }
        Err(Violation::new(
            "INV-9",
            "a line gave back more units than it had",
        ))
    }

    pub(crate) fn deadline(&self) -> Time {
        let plain = self.placed.after_ms(u64::from(self.hold_ms));
        let Some(extra) = &self.extra else {
            return plain;
        };
        let dues = extra.dues.as_ref().filter(|dues| dues.paid != 0);
        let until = dues.map_or(plain, |dues| dues.dues.until);
        until.after_ms(u64::from(extra.extended_ms))
    }

    pub(crate) fn dues(&self) -> Option<&DuesKept> {
        self.extra.as_ref()?.dues.as_ref()
    }

    /// Whether the deposit is paid and the balance is not.
    pub(crate) fn has_deposit(&self) -> bool {
        self.kept() == 0 && self.dues().is_some_and(|dues| dues.paid != 0)
    }

    /// How much an attempt is for: the deposit, the balance, or all.
    pub(crate) fn due_of(&self, attempt: u16) -> Minor {
        match self.dues() {
            None => self.total,
            Some(kept) if kept.paid == 0 || attempt <= kept.split => kept.dues.deposit,
            Some(kept) => Minor(self.total.0 - kept.dues.deposit.0),
        }
    }

    /// Whether an attempt is for a due that nothing has paid yet.
    pub(crate) fn awaits(&self, attempt: u16) -> bool {
        match self.dues() {
            Some(kept) if kept.paid != 0 && attempt <= kept.split => false,
            _ => self.kept() == 0,
        }
    }

    /// Whether the latest charge is under way or its outcome unknown.
    pub(crate) fn is_charging(&self) -> bool {
        matches!(
            self.charge,
            Charge::InFlight | Charge::Unknown | Charge::Authorised
        )
    }

    /// Held, and its time is up: it no longer answers for its buyer, whether or not it was swept yet.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        let late = stdx::mutants::is("expiry-strictly-after-deadline") && now == self.deadline();
        self.phase == Phase::Held && now >= self.deadline() && !late
    }

    /// Whether the order's units are sold.
    pub(crate) fn is_sold(&self) -> bool {
        matches!(self.phase, Phase::Paid | Phase::Shipped | Phase::Delivered)
    }

    /// Whether the order's units were ever sold, also if it was given up since.
    pub(crate) fn was_sold(&self) -> bool {
        self.is_sold()
            || self.kept() != 0
            || matches!(self.charge, Charge::Elsewhere | Charge::Free)
    }

    /// Whether the order counts against its buyer's limits.
    pub(crate) fn counts(&self) -> bool {
        self.phase == Phase::Held || self.is_sold()
    }

    pub(crate) fn status(&self, now: Time) -> OrderStatus {
        match self.phase {
            Phase::Held if self.is_due(now) => OrderStatus::Expired,
            Phase::Held if self.is_charging() => OrderStatus::Paying,
            Phase::Held if self.has_deposit() => OrderStatus::Deposited,
            Phase::Held => OrderStatus::Held,
            Phase::Cancelled => OrderStatus::Cancelled,
            Phase::Expired => OrderStatus::Expired,
            Phase::Paid | Phase::Shipped | Phase::Delivered if self.all_given_back() => {
                OrderStatus::Refunded
            }
            Phase::Paid => OrderStatus::Paid,
            Phase::Shipped => OrderStatus::Shipped,
            Phase::Delivered => OrderStatus::Delivered,
        }
    }

    /// All its money went back; where there was none to begin with, all its units did.
    fn all_given_back(&self) -> bool {
        let funds = self.funds();
        let all = funds.refunded() == funds.captured();
        all && (funds.refunded().is_positive() || !self.has_units())
    }

    /// Whether any unit was not refunded yet.
    pub(crate) fn has_units(&self) -> bool {
        let mut lines = self.lines.as_slice().iter();
        lines.any(|line| line.returned < line.units.get())
    }

    /// Whether goods may leave: some were not refunded, and what they cost is not on its way back.
    pub(crate) fn may_leave(&self) -> bool {
        let paid_for = self.total == Minor::ZERO || self.funds().left().is_positive();
        paid_for && self.has_units()
    }

    /// The order's money. On the plain path it follows from the phase.
    pub(crate) fn funds(&self) -> Funds {
        match &self.extra {
            Some(extra) => extra.funds,
            None if self.is_sold() => Funds::captured_once(self.total),
            None => Funds::default(),
        }
    }

    /// Whether this attempt's money was captured.
    pub(crate) fn was_captured(&self, attempt: u16) -> bool {
        match &self.extra {
            Some(extra) => extra.captured.contains(&attempt),
            None => self.charge == Charge::Captured && self.attempt == attempt,
        }
    }

    /// Whether this attempt pays the order or its deposit.
    pub(crate) fn pays(&self, attempt: u16) -> bool {
        let deposit = self.dues().is_some_and(|kept| kept.paid == attempt);
        self.kept() == attempt || deposit
    }

    /// The attempt that pays the order; 0 where none does, or where the money was collected elsewhere.
    pub(crate) fn kept(&self) -> u16 {
        match &self.extra {
            Some(extra) => extra.kept,
            None if self.charge == Charge::Captured => self.attempt,
            None => 0,
        }
    }

    /// What of each charge was not given back, the latest due first, within what is left of all.
    pub(crate) fn charges_left(&self) -> Vec<(u16, Minor)> {
        let Some(kept) = self.dues() else {
            return vec![(self.kept(), self.funds().left())];
        };
        let charges = [
            (self.kept(), Minor(self.total.0 - kept.dues.deposit.0)),
            (kept.paid, kept.dues.deposit),
        ];
        let mut most = self.funds().left().0;
        let mut left = Vec::new();
        for (charge, amount) in charges.into_iter().filter(|(charge, _)| *charge != 0) {
            let back: i64 = self
                .refunds()
                .iter()
                .filter(|refund| refund.charge == charge && refund.state != RefundState::Failed)
                .map(|refund| refund.amount.0)
                .sum();
            let of_this = (amount.0 - back).clamp(0, most);
            most -= of_this;
            left.push((charge, Minor(of_this)));
        }
        left
    }

    /// A refund of the house's own, of the charge that pays the order; `None` when no number is left.
    pub(crate) fn own_refund(&self, number: u32, amount: Minor) -> Option<RefundBegun> {
        Some(RefundBegun {
            order: number,
            number: self.next_refund()?,
            amount,
            lines: Vec::new(),
            restocked: false,
            charge: self.kept(),
            elsewhere: self.charge == Charge::Elsewhere,
        })
    }

    /// All that is left goes back; `None` when nothing is.
    pub(crate) fn refund_left(&self, number: u32) -> Option<RefundBegun> {
        let left = self.funds().left();
        let refund = self.own_refund(number, left)?;
        left.is_positive().then_some(refund)
    }

    /// The price is lower since the team ended: what comes back later is counted by it.
    pub(crate) fn reprice(&mut self, price: UnitPrice, difference: Minor, currency: Currency) {
        let off = self.off();
        if let [line] = self.lines.as_mut_slice() {
            let units = line.units.get();
            let gross = |price: UnitPrice| price.times(units, currency).unwrap_or_default().0;
            // Units that came back before the end were paid back at the old price.
            let all = i128::from(difference.0) * i128::from(units)
                / i128::from((units - line.returned).max(1));
            let net = gross(line.price) - off.0 - i64::try_from(all).unwrap_or_default();
            let left = Minor((gross(price) - net.max(0)).max(0));
            line.price = price;
            if off.is_positive() {
                self.extra_mut().off = Some(left);
            }
        }
        self.extra_mut().difference.0 += difference.0;
    }

    /// What came off the price of the lines, in all. A team's tier is in the lines' own price.
    pub(crate) fn off(&self) -> Minor {
        if let Some(off) = self.extra.as_ref().and_then(|extra| extra.off) {
            return off;
        }
        let whole = |line: &&PriceLine| {
            !matches!(line.what, PriceWhat::Line { .. } | PriceWhat::Tier { .. })
        };
        Minor(
            -self
                .price()
                .iter()
                .filter(whole)
                .map(|line| line.amount.0)
                .sum::<i64>(),
        )
    }

    pub(crate) fn price(&self) -> &[PriceLine] {
        self.extra.as_ref().map_or(&[], |extra| &extra.price)
    }

    /// The coupons that it used, and what each gave.
    pub(crate) fn coupons(&self) -> impl Iterator<Item = (u16, Minor)> {
        coupons_of(self.price())
    }

    pub(crate) fn refunds(&self) -> &[RefundRecord] {
        self.extra.as_ref().map_or(&[], |extra| &extra.refunds)
    }

    pub(crate) fn refund(&self, number: u16) -> Option<&RefundRecord> {
        self.refunds().get(usize::from(number).checked_sub(1)?)
    }

    /// The number that the next refund gets; `None` when there are so many that no number is left.
    pub(crate) fn next_refund(&self) -> Option<u16> {
        u16::try_from(self.refunds().len() + 1).ok()
    }

    /// Leaves the plain path: writes out what was implied until now.
    pub(crate) fn extra_mut(&mut self) -> &mut Extra {
        if self.extra.is_none() {
            let captured = if self.charge == Charge::Captured {
                vec![self.attempt]
            } else {
                Vec::new()
            };
            let extra = Extra {
                funds: self.funds(),
                captured,
                kept: self.kept(),
                ..Extra::default()
            };
            self.extra = Some(Box::new(extra));
        }
        self.extra.get_or_insert_default()
    }
}

/// The coupons of a price, and what each gave.
pub(crate) fn coupons_of(price: &[PriceLine]) -> impl Iterator<Item = (u16, Minor)> {
    price.iter().filter_map(|line| match line.what {
        PriceWhat::Coupon { coupon } => Some((coupon, Minor(-line.amount.0))),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_of_one_line_takes_72_bytes() {
        assert_eq!(size_of::<Order>(), 72);
    }
}
