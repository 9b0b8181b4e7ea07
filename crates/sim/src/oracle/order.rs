//! An order as a row of the clerk's.

use api::order::{OrderState, PaymentState};
use commerce::price::PriceWhat;

/// A line of an order.
#[derive(Debug)]
pub(super) struct LineRow {
    pub(super) sku: usize,
    pub(super) units: i64,
    pub(super) price: i64,
    /// What it cost before its team ended in a better tier.
    pub(super) first_price: i64,
    pub(super) returned: i64,
    pub(super) restocked: i64,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Held,
    Paid,
    Shipped,
    Delivered,
    Cancelled,
    Expired,
}

/// What is known of one attempt to charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    Charging,
    Authorised,
    Unknown,
    Failed,
    Captured {
        amount: i64,
        kept: bool,
    },
    /// It paid the deposit.
    Deposit {
        amount: i64,
    },
}

impl Attempt {
    /// Nobody knows yet what becomes of it.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self, Self::Charging | Self::Authorised | Self::Unknown)
    }
}

/// What an attempt was begun for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Whole,
    Deposit,
    Balance,
}

/// Deposit and balance.
#[derive(Debug)]
pub(super) struct DuesRow {
    pub(super) deposit: i64,
    pub(super) from: u64,
    pub(super) until: u64,
    pub(super) forfeits: bool,
    pub(super) grace_ms: u64,
    /// The attempt that paid the deposit; 0 for none.
    pub(super) paid: u16,
    /// The deposit stayed with the merchant.
    pub(super) forfeited: bool,
}

/// A refund.
#[derive(Debug)]
pub(super) struct RefundRow {
    pub(super) amount: i64,
    pub(super) charge: u16,
    pub(super) state: api::refund::RefundState,
    pub(super) automatic: bool,
    pub(super) elsewhere: bool,
    pub(super) units_restocked: i64,
}

/// How an order looked after a batch had touched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OrderLook {
    pub(super) state: OrderState,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    pub(super) pending: i64,
    pub(super) charged_back: i64,
    pub(super) deal: DealLook,
}

/// What an order looked like beyond plain ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DealLook {
    /// What a unit of its first line cost.
    pub(super) price: i64,
    /// What went back as its team ended in a better tier.
    pub(super) difference: i64,
    /// What the next payment is for; nothing where none is.
    pub(super) due: i64,
    /// Until when its units are held; nothing where they are not.
    pub(super) deadline: u64,
    pub(super) deposit_paid: bool,
    pub(super) balance_paid: bool,
    pub(super) forfeited: bool,
    /// It has goods.
    pub(super) goods: bool,
}

/// An order.
#[derive(Debug)]
pub(super) struct OrderRow {
    pub(super) buyer: Option<String>,
    pub(super) lines: Vec<LineRow>,
    pub(super) total: i64,
    pub(super) placed: u64,
    pub(super) hold_ms: u32,
    pub(super) elsewhere: bool,
    pub(super) phase: Phase,
    pub(super) attempts: Vec<Attempt>,
    /// What each attempt was begun for.
    pub(super) begun_for: Vec<Due>,
    pub(super) dues: Option<DuesRow>,
    /// What came off the price of its lines.
    pub(super) off: i64,
    /// What took it off, in order.
    pub(super) cuts: Vec<(PriceWhat, i64)>,
    /// Its coupons by their places, and what each gave.
    pub(super) coupons: Vec<(u16, i64)>,
    /// How much longer its hold lives.
    pub(super) extended_ms: u64,
    /// Its team.
    pub(super) seat: Option<usize>,
    /// Its goods are a prize that is not drawn.
    pub(super) bare: bool,
    /// What went back as its team ended in a better tier.
    pub(super) difference: i64,
    pub(super) refunds: Vec<RefundRow>,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    pub(super) pending: i64,
    pub(super) charged_back: i64,
    pub(super) looks: Vec<(u64, OrderLook)>,
}

impl OrderRow {
    /// The first moment at which it can no longer be paid.
    pub(super) fn deadline(&self) -> u64 {
        let plain = self.placed.saturating_add(u64::from(self.hold_ms));
        let until = self.dues.as_ref().filter(|dues| dues.paid != 0);
        let end = until.map_or(plain, |dues| dues.until);
        end.saturating_add(self.extended_ms)
    }

    /// The deposit is paid, and the balance is not.
    pub(super) fn has_deposit(&self) -> bool {
        self.kept() == 0 && self.dues.as_ref().is_some_and(|dues| dues.paid != 0)
    }

    /// What the next attempt is for.
    pub(super) fn next_due(&self) -> Due {
        match &self.dues {
            None => Due::Whole,
            Some(dues) if dues.paid == 0 => Due::Deposit,
            Some(_) => Due::Balance,
        }
    }

    /// How much a due is.
    pub(super) fn amount_of(&self, due: Due) -> i64 {
        match (due, &self.dues) {
            (Due::Deposit, Some(dues)) => dues.deposit,
            (Due::Balance, Some(dues)) => self.total - dues.deposit,
            _ => self.total,
        }
    }

    /// How much an attempt is for.
    pub(super) fn asked_of(&self, attempt: u16) -> i64 {
        let at = usize::from(attempt).wrapping_sub(1);
        let due = self.begun_for.get(at).copied();
        self.amount_of(due.unwrap_or(Due::Whole))
    }

    /// Whether nothing has paid yet what an attempt was begun for.
    pub(super) fn awaits(&self, attempt: u16) -> bool {
        let at = usize::from(attempt).wrapping_sub(1);
        let deposit = self.dues.as_ref().is_some_and(|dues| dues.paid != 0);
        self.kept() == 0 && !(deposit && self.begun_for.get(at) == Some(&Due::Deposit))
    }

    /// What was captured of a charge that pays a due, without what went back of it.
    pub(super) fn left_of(&self, charge: u16) -> i64 {
        use api::refund::RefundState::Failed;
        let back = self.refunds.iter();
        let back = back.filter(|refund| refund.charge == charge && refund.state != Failed);
        let gone: i64 = back.map(|refund| refund.amount).sum();
        self.asked_of(charge) - gone
    }

    /// Its units are sold.
    pub(super) const fn is_sold(&self) -> bool {
        matches!(self.phase, Phase::Paid | Phase::Shipped | Phase::Delivered)
    }

    /// It counts against its buyer's limits.
    pub(super) fn counts(&self) -> bool {
        self.phase == Phase::Held || self.is_sold()
    }

    /// What came in without what went out or is on its way; below zero where a bank took more than there was.
    pub(super) const fn left_raw(&self) -> i64 {
        self.captured - self.refunded - self.pending - self.charged_back
    }

    /// Money that may still be given back.
    pub(super) fn left(&self) -> i64 {
        self.left_raw().max(0)
    }

    /// The latest charge is under way, or nobody knows what became of it.
    pub(super) fn is_charging(&self) -> bool {
        let latest = self.attempts.last();
        latest.is_some_and(|latest| latest.is_open())
    }

    /// The attempt that pays it; 0 for none.
    pub(super) fn kept(&self) -> u16 {
        let pays = |attempt: &Attempt| matches!(attempt, Attempt::Captured { kept: true, .. });
        let at = self.attempts.iter().position(pays);
        at.map_or(0, |at| u16::try_from(at + 1).unwrap_or(u16::MAX))
    }

    /// Units of its lines that were not given back.
    pub(super) fn units_left(&self) -> i64 {
        self.lines
            .iter()
            .map(|line| line.units - line.returned)
            .sum()
    }

    /// Where it stands, as people see it; a hold that is due counts as held here.
    pub(super) fn state(&self) -> OrderState {
        let given_back = self.refunded == self.captured;
        match self.phase {
            Phase::Held if self.is_charging() => OrderState::Paying,
            Phase::Held if self.has_deposit() => OrderState::Deposited,
            Phase::Held => OrderState::Held,
            Phase::Cancelled => OrderState::Cancelled,
            Phase::Expired => OrderState::Expired,
            _ if given_back && (self.refunded > 0 || self.units_left() == 0) => {
                OrderState::Refunded
            }
            Phase::Paid => OrderState::Paid,
            Phase::Shipped => OrderState::Shipped,
            Phase::Delivered => OrderState::Delivered,
        }
    }

    /// What is shown of the latest payment: its attempt and state.
    pub(super) fn payment(&self) -> Option<(u16, PaymentState)> {
        if self.elsewhere {
            return Some((0, PaymentState::External));
        }
        let number = u16::try_from(self.attempts.len()).unwrap_or(u16::MAX);
        let latest = self.attempts.last()?;
        let state = match latest {
            // An order that is paid shows it, whatever becomes of its other attempts.
            _ if self.kept() != 0 => PaymentState::Captured,
            Attempt::Charging => PaymentState::Charging,
            Attempt::Authorised => PaymentState::Authorised,
            // A deposit that is paid is told by the dues; the next payment is the balance's.
            Attempt::Deposit { .. } => return None,
            Attempt::Unknown => PaymentState::Unknown,
            Attempt::Captured { .. } | Attempt::Failed => PaymentState::Failed,
        };
        Some((number, state))
    }

    pub(super) fn look(&self) -> OrderLook {
        OrderLook {
            state: self.state(),
            captured: self.captured,
            refunded: self.refunded,
            pending: self.pending,
            charged_back: self.charged_back,
            deal: self.deal(),
        }
    }

    fn deal(&self) -> DealLook {
        let held = self.phase == Phase::Held;
        let dues = self.dues.as_ref();
        DealLook {
            price: self.lines.first().map_or(0, |line| line.price),
            difference: self.difference,
            due: if held {
                self.amount_of(self.next_due())
            } else {
                0
            },
            deadline: if held { self.deadline() } else { 0 },
            deposit_paid: dues.is_some_and(|dues| dues.paid != 0),
            balance_paid: dues.is_some() && self.kept() != 0,
            forfeited: dues.is_some_and(|dues| dues.forfeited),
            goods: !self.bare,
        }
    }
}
