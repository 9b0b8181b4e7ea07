//! What lies outside the book: the payment provider with its bank, and money counted from the journal by hand.
//!
//! Nothing here shares code with the book, so that it may judge it.

use std::collections::BTreeMap;

use tidegate_commerce::Entry;
use tidegate_commerce::entry::{EffectKind, Fate};

/// A key at the provider: a charge (order, attempt) or a refund (order, number, the charge it gives back).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Charge(u32, u16),
    Refund(u32, u16, u16),
}

impl Key {
    pub(crate) fn new(order: u32, kind: EffectKind) -> Self {
        match kind {
            EffectKind::Charge { attempt } => Self::Charge(order, attempt),
            EffectKind::Refund { number, charge } => Self::Refund(order, number, charge),
        }
    }
}

/// What the provider did under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) minor: i64,
    /// The money moved; otherwise it was refused.
    pub(crate) moved: bool,
}

/// The provider's own ledger.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Provider {
    records: BTreeMap<Key, Record>,
    /// By order, what the buyer's bank took back.
    taken_back: BTreeMap<u32, i64>,
}

impl Provider {
    pub(crate) fn record(&self, key: Key) -> Option<Record> {
        self.records.get(&key).copied()
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = (Key, Record)> {
        self.records.iter().map(|(key, record)| (*key, *record))
    }

    pub(crate) fn taken_back(&self) -> impl Iterator<Item = (u32, i64)> {
        self.taken_back
            .iter()
            .map(|(order, minor)| (*order, *minor))
    }

    /// A request under a key: the first one counts, and each later one must be the same and hears the same.
    pub(crate) fn request(&mut self, key: Key, minor: i64, moves: bool) -> Record {
        let first = Record {
            minor,
            moved: moves,
        };
        let record = *self.records.entry(key).or_insert(first);
        assert_eq!(record.minor, minor, "{key:?} was sent with another amount");
        self.check(key);
        record
    }

    /// A refund gives back a charge that was captured, and all refunds together no more than it.
    fn check(&self, key: Key) {
        let Key::Refund(order, _, charge) = key else {
            return;
        };
        let captured = self.record(Key::Charge(order, charge));
        let captured = captured
            .filter(|charge| charge.moved)
            .expect("a refund of no charge");
        let refunded = self.sum(
            |other| matches!(other, Key::Refund(of, _, from) if (of, from) == (order, charge)),
        );
        assert!(
            refunded <= captured.minor,
            "{key:?}: {refunded} went back of {}",
            captured.minor
        );
    }

    /// A charge that was refused turns out to be captured.
    pub(crate) fn captures_after_all(&mut self, key: Key) {
        self.records.get_mut(&key).expect("a refused charge").moved = true;
    }

    pub(crate) fn take_back(&mut self, order: u32, minor: i64) {
        self.taken_back.insert(order, minor);
    }

    pub(crate) fn captured(&self, order: u32) -> i64 {
        self.sum(|key| matches!(key, Key::Charge(of, _) if of == order))
    }

    pub(crate) fn refunded(&self, order: u32) -> i64 {
        self.sum(|key| matches!(key, Key::Refund(of, _, _) if of == order))
    }

    fn sum(&self, of: impl Fn(Key) -> bool) -> i64 {
        let moved = self
            .records()
            .filter(|(key, record)| record.moved && of(*key));
        moved.map(|(_, record)| record.minor).sum()
    }
}

/// One order's money and outcome, counted from its entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
    pub(crate) begun: i64,
    pub(crate) charged_back: i64,
    /// The attempt to pay whose outcome is not known; 0 for none.
    pub(crate) charging: u16,
    pub(crate) kept: bool,
    pub(crate) expired: bool,
    pub(crate) cancelled: bool,
    /// Refunded while the buyer keeps the cup: it stays sold.
    pub(crate) given_away: bool,
}

impl Counted {
    pub(crate) fn holds(&self) -> bool {
        !self.kept && !self.expired && !self.cancelled
    }

    pub(crate) fn sold(&self) -> bool {
        self.kept && !self.cancelled
    }

    /// Whether its cup is gone, whoever paid for it.
    pub(crate) fn cup_is_gone(&self) -> bool {
        self.kept && (!self.cancelled || self.given_away)
    }

    pub(crate) fn left(&self) -> i64 {
        self.captured - self.refunded - self.begun - self.charged_back
    }
}

/// Each order's count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count {
    orders: BTreeMap<u32, Counted>,
    refunds: BTreeMap<(u32, u16), i64>,
}

impl Count {
    pub(crate) fn of(&self, order: u32) -> Counted {
        self.orders.get(&order).copied().unwrap_or_default()
    }

    fn order(&mut self, order: u32) -> &mut Counted {
        self.orders.entry(order).or_default()
    }

    /// A refund takes its budget before it is sent (INV-2).
    fn begin(&mut self, order: u32, number: u16, minor: i64) {
        let twice = self.refunds.insert((order, number), minor);
        assert_eq!(twice, None, "refund {number} of order {order} begins twice");
        let of = self.order(order);
        of.begun += minor;
        assert!(
            of.refunded + of.begun + of.charged_back <= of.captured,
            "order {order}: a refund of {minor} beyond its budget: {of:?}"
        );
    }

    fn refund(&self, order: u32, number: u16) -> i64 {
        *self
            .refunds
            .get(&(order, number))
            .expect("a refund that was begun")
    }

    /// Counts an entry in.
    pub(crate) fn enter(&mut self, entry: &Entry) {
        match entry {
            Entry::Captured {
                order,
                attempt,
                amount,
                fate,
            } => {
                self.order(*order).captured += amount.0;
                self.charged(*order, *attempt);
                match fate {
                    Fate::GoesBack { refund, amount } => self.begin(*order, *refund, amount.0),
                    Fate::Kept | Fate::KeptAgain => self.keep(*order, *fate),
                    Fate::Deposit | Fate::DepositAgain => unreachable!("no dues here"),
                }
            }
            Entry::PayBegun { order, attempt, .. } => self.charge(*order, *attempt),
            Entry::ChargeFailed { order, attempt } => self.charged(*order, *attempt),
            Entry::Cancelled { order, refund, .. } => {
                if let Some(refund) = refund {
                    self.begin(*order, refund.number, refund.amount.0);
                }
                let of = self.order(*order);
                assert!(of.holds() || of.sold(), "{order} ends twice: {of:?}");
                of.cancelled = true;
            }
            Entry::Expired { orders } => orders.iter().for_each(|&order| self.expire(order)),
            Entry::RefundBegun { refund, .. } => {
                self.begin(refund.order, refund.number, refund.amount.0);
                let of = self.order(refund.order);
                of.given_away |= !refund.lines.is_empty() && !refund.restocked;
            }
            Entry::Refunded { order, number } => {
                let minor = self.refund(*order, *number);
                let of = self.order(*order);
                of.begun -= minor;
                of.refunded += minor;
            }
            Entry::RefundFailed {
                order,
                number,
                again,
            } => {
                let minor = self.refund(*order, *number);
                self.order(*order).begun -= minor;
                if let Some(again) = again {
                    self.begin(*order, again.number, again.amount.0);
                }
            }
            Entry::ChargedBack { order, amount, .. } => {
                self.order(*order).charged_back += amount.0;
            }
            _ => {}
        }
    }

    /// Unknown is not failed: while a charge may still be captured there is no other one (INV-4).
    fn charge(&mut self, order: u32, attempt: u16) {
        let of = self.order(order);
        assert_eq!(of.charging, 0, "order {order} is charged twice at a time");
        of.charging = attempt;
    }

    fn charged(&mut self, order: u32, attempt: u16) {
        let of = self.order(order);
        if of.charging == attempt {
            of.charging = 0;
        }
    }

    /// A hold ends once (INV-3).
    fn expire(&mut self, order: u32) {
        let of = self.order(order);
        assert!(of.holds(), "order {order} ends twice: {of:?}");
        of.expired = true;
    }

    /// An order is paid once, and only while its units are its own or are taken again (INV-3).
    fn keep(&mut self, order: u32, fate: Fate) {
        let of = self.order(order);
        let again = fate == Fate::KeptAgain;
        let fits = !of.kept && !of.cancelled && of.expired == again;
        assert!(fits, "order {order} is paid out of turn: {of:?}");
        of.kept = true;
    }
}

/// The name of a rare thing that an entry says, if it says one.
pub(crate) fn mark(entry: &Entry, before: &Count) -> Option<&'static str> {
    Some(match entry {
        Entry::Captured { order, fate, .. } => match fate {
            Fate::Kept => "paid in time",
            Fate::KeptAgain => "paid late, and the cup was free",
            Fate::Deposit | Fate::DepositAgain => "a deposit",
            Fate::GoesBack { .. } if before.of(*order).kept => "a second capture",
            Fate::GoesBack { .. } if before.of(*order).expired => "paid late, and the cup was gone",
            Fate::GoesBack { .. } => "paid and given up",
        },
        Entry::ChargeUnknown { .. } => "a charge of unknown outcome",
        Entry::RefundFailed { again: Some(_), .. } => "a refund that is tried again",
        Entry::ChargedBack { order, amount, .. } if before.of(*order).left() < amount.0 => {
            "a chargeback of money that goes back already"
        }
        Entry::RefundBegun { refund, .. } if before.of(refund.order).charged_back > 0 => {
            "a refund after a chargeback"
        }
        _ => return None,
    })
}
