//! An order as a row of the clerk's.

use api::order::{OrderState, PaymentState};

/// A line of an order.
#[derive(Debug)]
pub(super) struct LineRow {
    pub(super) sku: usize,
    pub(super) units: i64,
    pub(super) price: i64,
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
    Unknown,
    Failed,
    Captured { amount: i64, kept: bool },
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
        self.placed.saturating_add(u64::from(self.hold_ms))
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
        latest.is_some_and(|latest| matches!(latest, Attempt::Charging | Attempt::Unknown))
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
        }
    }
}
