//! The sandbox's own ledger: what it was asked, by key, and what became of it.

use std::collections::BTreeMap;
use std::time::Duration;

use api::provider::{
    ChargeOutcome, ChargeReply, ChargeRequest, ProviderCharge, ProviderRefund, RefundOutcome,
    RefundReply, RefundRequest,
};
use api::{PaymentId, RefundId};

use super::UnknownCharge;
use super::fate::Fate;

/// Why a request is not taken into the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The key stands for another body, or the body makes no sense.
    Body,
    /// The ledger is full.
    Full,
}

/// A request taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// For the first time.
    First,
    /// Again; this is the number of earlier calls.
    Again(u32),
}

/// A charge or refund with its end.
#[derive(Debug, Clone)]
struct Record<Q, O> {
    request: Q,
    fate: Fate<O>,
    calls: u32,
}

/// A charge, and how much of it went back or is going back.
#[derive(Debug, Clone)]
struct Charge {
    record: Record<ChargeRequest, ChargeOutcome>,
    refunded_minor: i64,
}

/// Both books.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    charges: BTreeMap<PaymentId, Charge>,
    refunds: BTreeMap<RefundId, Record<RefundRequest, RefundOutcome>>,
}

impl Ledger {
    fn has_room(&self, most: usize) -> bool {
        self.charges.len() + self.refunds.len() < most
    }

    /// Takes a charge in; `fate` says what becomes of a new one, which is the nth.
    pub(super) fn charge(
        &mut self,
        request: &ChargeRequest,
        most: usize,
        fate: impl FnOnce(usize) -> Fate<ChargeOutcome>,
    ) -> Result<Taken, Refused> {
        if let Some(charge) = self.charges.get_mut(&request.key) {
            return again(&mut charge.record, request);
        }
        if request.amount_minor < 0 || request.key.order != request.order {
            return Err(Refused::Body);
        }
        if !self.has_room(most) {
            return Err(Refused::Full);
        }
        let record = begin(request.clone(), fate(self.charges.len() + 1));
        let charge = Charge {
            record,
            refunded_minor: 0,
        };
        self.charges.insert(request.key, charge);
        Ok(Taken::First)
    }

    /// Takes a refund in. What the charge does not cover is declined, whatever chance would say.
    pub(super) fn refund(
        &mut self,
        request: &RefundRequest,
        most: usize,
        unknown: UnknownCharge,
        fate: impl FnOnce(usize) -> Fate<RefundOutcome>,
    ) -> Result<Taken, Refused> {
        if let Some(record) = self.refunds.get_mut(&request.key) {
            return again(record, request);
        }
        if request.amount_minor < 0 || request.key.order != request.charge.order {
            return Err(Refused::Body);
        }
        if !self.has_room(most) {
            return Err(Refused::Full);
        }
        let mut fate = fate(self.refunds.len() + 1);
        match self.charges.get_mut(&request.charge) {
            Some(charge) => charge.give_back(request, &mut fate),
            None if unknown == UnknownCharge::Decline => fate.end = RefundOutcome::Declined,
            None => {}
        }
        let record = begin(request.clone(), fate);
        self.refunds.insert(request.key, record);
        Ok(Taken::First)
    }

    /// Puts a charge back that was taken in before a start.
    pub(super) fn put_charge(&mut self, request: ChargeRequest, fate: Fate<ChargeOutcome>) {
        let charge = Charge {
            record: begin(request.clone(), fate),
            refunded_minor: 0,
        };
        self.charges.insert(request.key, charge);
    }

    /// Puts a refund back that was taken in before a start, with the end that it had then.
    pub(super) fn put_refund(&mut self, request: RefundRequest, fate: Fate<RefundOutcome>) {
        let charge = self.charges.get_mut(&request.charge);
        if let Some(charge) = charge.filter(|_| fate.end == RefundOutcome::Refunded) {
            charge.refunded_minor = charge.refunded_minor.saturating_add(request.amount_minor);
        }
        self.refunds
            .insert(request.key, begin(request.clone(), fate));
    }

    /// A charge's fate.
    pub(super) fn charge_fate(&self, key: PaymentId) -> Option<Fate<ChargeOutcome>> {
        Some(self.charges.get(&key)?.record.fate)
    }

    /// A refund's fate, with what its charge has to say.
    pub(super) fn refund_fate(&self, key: RefundId) -> Option<Fate<RefundOutcome>> {
        Some(self.refunds.get(&key)?.fate)
    }

    /// What is known of a charge at this time.
    pub(super) fn charge_reply(&self, key: PaymentId, now: Duration) -> Option<ChargeReply> {
        let charge = self.charges.get(&key)?;
        Some(ChargeReply {
            key,
            outcome: charge.outcome(now),
            amount_minor: charge.record.request.amount_minor,
            currency: charge.record.request.currency,
            action: None,
        })
    }

    /// What is known of a refund at this time.
    pub(super) fn refund_reply(&self, key: RefundId, now: Duration) -> Option<RefundReply> {
        let record = self.refunds.get(&key)?;
        Some(RefundReply {
            key,
            outcome: refund_outcome(record, now),
            amount_minor: record.request.amount_minor,
        })
    }

    /// Whether anything changes after this time.
    pub(super) fn changes_after(&self, now: Duration) -> bool {
        let charges = self
            .charges
            .values()
            .map(|charge| charge.record.fate.last_change());
        let refunds = self
            .refunds
            .values()
            .map(|record| record.fate.last_change());
        charges.chain(refunds).any(|last| last > now)
    }

    /// Charges that change after this time, with their fates.
    pub(super) fn open_charges(&self, now: Duration) -> Vec<(ChargeRequest, Fate<ChargeOutcome>)> {
        let records = self.charges.values().map(|charge| &charge.record);
        open(records, now)
    }

    /// Refunds that change after this time, with their fates.
    pub(super) fn open_refunds(&self, now: Duration) -> Vec<(RefundRequest, Fate<RefundOutcome>)> {
        open(self.refunds.values(), now)
    }

    /// How often each charge was asked for.
    pub(super) fn charge_calls(&self) -> Vec<(PaymentId, u32)> {
        let charges = self.charges.iter();
        charges
            .map(|(key, charge)| (*key, charge.record.calls))
            .collect()
    }

    /// Every charge at this time.
    pub(super) fn charges(&self, now: Duration) -> Vec<ProviderCharge> {
        let charges = self.charges.values().map(|charge| ProviderCharge {
            request: charge.record.request.clone(),
            outcome: charge.outcome(now),
        });
        charges.collect()
    }

    /// Every refund at this time.
    pub(super) fn refunds(&self, now: Duration) -> Vec<ProviderRefund> {
        let refunds = self.refunds.values().map(|record| ProviderRefund {
            request: record.request.clone(),
            outcome: refund_outcome(record, now),
        });
        refunds.collect()
    }
}

impl Charge {
    fn outcome(&self, now: Duration) -> ChargeOutcome {
        self.record.fate.at(now).unwrap_or(ChargeOutcome::Pending)
    }

    /// Takes a refund's money off what is left of the charge, or declines it.
    fn give_back(&mut self, request: &RefundRequest, fate: &mut Fate<RefundOutcome>) {
        let asked = &self.record.request;
        let sum = self.refunded_minor.saturating_add(request.amount_minor);
        let at = fate.decided.max(self.record.fate.decided);
        let is_captured = self.record.fate.at(at) == Some(ChargeOutcome::Captured);
        let covered =
            is_captured && asked.currency == request.currency && sum <= asked.amount_minor;
        match (covered, fate.end) {
            (false, _) => fate.end = RefundOutcome::Declined,
            (true, RefundOutcome::Refunded) => self.refunded_minor = sum,
            (true, _) => {}
        }
    }
}

fn refund_outcome(record: &Record<RefundRequest, RefundOutcome>, now: Duration) -> RefundOutcome {
    record.fate.at(now).unwrap_or(RefundOutcome::Pending)
}

fn open<'a, Q: Clone + 'a, O: Copy + 'a>(
    records: impl Iterator<Item = &'a Record<Q, O>>,
    now: Duration,
) -> Vec<(Q, Fate<O>)> {
    records
        .filter(|record| record.fate.last_change() > now)
        .map(|record| (record.request.clone(), record.fate))
        .collect()
}

fn begin<Q, O>(request: Q, fate: Fate<O>) -> Record<Q, O> {
    let calls = 1;
    Record {
        request,
        fate,
        calls,
    }
}

fn again<Q: PartialEq, O>(record: &mut Record<Q, O>, request: &Q) -> Result<Taken, Refused> {
    if record.request != *request {
        return Err(Refused::Body);
    }
    let earlier = record.calls;
    record.calls = record.calls.saturating_add(1);
    Ok(Taken::Again(earlier))
}
