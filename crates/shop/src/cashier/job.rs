//! One effect on its way: what it is called at the provider, and what is to be done with it next.

use api::provider::{ChargeRequest, RefundRequest};
use api::{Currency, OrderId, PaymentId, RefundId, SaleId};
use commerce::command::{ChargeOutcome, RefundOutcome};
use commerce::{Effect, EffectKind, Report};

/// What an effect is known by here. The provider's key is made of the same parts, so one name is one key for ever.
pub(super) type Name = (u32, u32, EffectKind);

/// The next thing to do.
#[derive(Debug, Clone)]
pub(super) enum Next {
    /// Ask the provider to act.
    Act,
    /// Ask what became of it, and to act only when the provider never heard of it.
    Ask,
    /// The provider refused the request: ask what it holds under that key, and give up when that is nothing.
    AskRefused,
    /// The outcome is known: bring it to the desk.
    Tell(Report),
}

/// How an effect came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From a desk, just after it was recorded.
    Fresh,
    /// Found in a book: left over from an earlier run, or left behind by a full queue.
    Found,
    /// Found in a book by the regular search, although its time should long have been over.
    Overdue,
}

/// The provider's key of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// Of a charge.
    Payment(PaymentId),
    /// Of a refund, and of the charge that it gives back.
    Refund(RefundId, PaymentId),
}

impl Key {
    /// The key of this effect; `None` when its numbers do not fit into one.
    pub(super) fn of(sale: u32, effect: &Effect) -> Option<Self> {
        let order = OrderId::new(SaleId::new(sale)?, u64::from(effect.order))?;
        Some(match effect.kind {
            EffectKind::Charge { attempt } => Self::Payment(PaymentId { order, attempt }),
            EffectKind::Refund { number, charge } => {
                let attempt = charge;
                Self::Refund(RefundId { order, number }, PaymentId { order, attempt })
            }
        })
    }

    /// The kind of effect, as operators see it.
    pub(super) fn kind(&self) -> telemetry::EffectKind {
        match self {
            Self::Payment(_) => telemetry::EffectKind::Charge,
            Self::Refund(..) => telemetry::EffectKind::Refund,
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Payment(payment) => payment.fmt(f),
            Self::Refund(refund, _) => refund.fmt(f),
        }
    }
}

/// An effect on its way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) sale: u32,
    pub(super) effect: Effect,
    pub(super) key: Key,
    pub(super) currency: Currency,
    pub(super) next: Next,
    pub(super) origin: Origin,
    /// Calls in a row that brought no outcome.
    pub(super) failures: u32,
    /// Reports in a row that the desk did not take.
    pub(super) refusals: u32,
    /// The desk knows already that the outcome is unknown.
    pub(super) unknown_told: bool,
    /// The next call was paid for with a token of the retry budget.
    pub(super) paid: bool,
    /// Its first call has earned its share of a retry; one that is held earns it once.
    pub(super) counted: bool,
}

impl Job {
    /// `None` when the effect's numbers or its currency cannot be said to a provider.
    pub(super) fn new(sale: u32, effect: Effect, origin: Origin) -> Option<Self> {
        Some(Self {
            sale,
            effect,
            key: Key::of(sale, &effect)?,
            currency: effect.currency.code().parse().ok()?,
            next: match origin {
                Origin::Fresh => Next::Act,
                // Whoever was there before may have asked the provider already.
                Origin::Found | Origin::Overdue => Next::Ask,
            },
            origin,
            failures: 0,
            refusals: 0,
            unknown_told: false,
            paid: false,
            counted: false,
        })
    }

    pub(super) fn name(&self) -> Name {
        (self.sale, self.effect.order, self.effect.kind)
    }

    /// Whether its first call waited for its time.
    pub(super) fn waited(&self) -> bool {
        self.calls() && self.effect.not_before > self.effect.since
    }

    /// Whether the next step calls the provider.
    pub(super) fn calls(&self) -> bool {
        !matches!(self.next, Next::Tell(_))
    }

    /// Whether the next step is the very first call for this effect; every later one has to be paid for.
    pub(super) fn is_first_call(&self) -> bool {
        self.origin == Origin::Fresh && self.failures == 0
    }

    /// How a charge is asked for.
    pub(super) fn charge(&self, key: PaymentId) -> ChargeRequest {
        ChargeRequest {
            key,
            order: key.order,
            amount_minor: self.effect.amount.0 + i64::from(stdx::mutants::is("charge-sent-over")),
            currency: self.currency,
        }
    }

    /// How a refund is asked for.
    pub(super) fn refund(&self, key: RefundId, charge: PaymentId) -> RefundRequest {
        RefundRequest {
            key,
            charge,
            amount_minor: self.effect.amount.0 - i64::from(stdx::mutants::is("refund-sent-short")),
            currency: self.currency,
        }
    }

    /// The report that the provider will have nothing of it.
    pub(super) fn failed(&self) -> Report {
        let order = self.effect.order;
        match self.effect.kind {
            EffectKind::Charge { attempt } => Report::Charge {
                order,
                attempt,
                outcome: ChargeOutcome::Failed,
            },
            EffectKind::Refund { number, .. } => Report::Refund {
                order,
                number,
                outcome: RefundOutcome::Failed,
            },
        }
    }

    /// The report that nobody knows; refunds have none, they stay pending.
    pub(super) fn unknown(&self) -> Option<Report> {
        let EffectKind::Charge { attempt } = self.effect.kind else {
            return None;
        };
        Some(Report::Charge {
            order: self.effect.order,
            attempt,
            outcome: ChargeOutcome::Unknown,
        })
    }
}
