//! What Tidegate and a payment provider say to each other.
//!
//! Tidegate asks with its own identifiers as idempotency keys: `POST {url}/charges`, `POST {url}/refunds`; and looks up
//! with `GET {url}/charges/{key}` and `GET {url}/refunds/{key}` (404: never heard of it). The provider reports with
//! signed callbacks, as often as it likes.

use crate::check::{Check, Faults, lenient_u64};
use crate::currency::Currency;
use crate::id::{OrderId, PaymentId, RefundId};
use crate::limits::AMOUNT_MAX;
use crate::order::PaymentAction;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Header of a callback's signature: `t=<unix s>,v1=<hex hmac-sha256 of "t.body">`.
pub const SIGNATURE_HEADER: &str = "tidegate-signature";

/// Body of `POST {url}/charges`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChargeRequest {
    /// The idempotency key.
    pub key: PaymentId,
    /// The order that is charged.
    pub order: OrderId,
    /// How much, minor units.
    pub amount_minor: i64,
    /// Of which currency.
    pub currency: Currency,
}

/// What a provider says about a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeOutcome {
    /// The money was captured.
    Captured,
    /// The buyer's bank said no.
    Declined,
    /// Not decided yet; a callback follows.
    Pending,
}

/// Answer of `POST {url}/charges` and `GET {url}/charges/{key}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeReply {
    /// The idempotency key.
    pub key: PaymentId,
    /// What became of it.
    pub outcome: ChargeOutcome,
    /// How much, minor units.
    pub amount_minor: i64,
    /// Of which currency.
    pub currency: Currency,
    /// What the buyer's page needs to finish a charge that is pending; a status question says it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<PaymentAction>,
}

/// Body of `POST {url}/refunds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundRequest {
    /// The idempotency key.
    pub key: RefundId,
    /// The charge that is refunded.
    pub charge: PaymentId,
    /// How much, minor units.
    pub amount_minor: i64,
    /// Of which currency.
    pub currency: Currency,
}

/// What a provider says about a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundOutcome {
    /// The money went back.
    Refunded,
    /// It cannot be refunded.
    Declined,
    /// Not decided yet; a callback follows.
    Pending,
}

/// Answer of `POST {url}/refunds` and `GET {url}/refunds/{key}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundReply {
    /// The idempotency key.
    pub key: RefundId,
    /// What became of it.
    pub outcome: RefundOutcome,
    /// How much, minor units.
    pub amount_minor: i64,
}

/// What a callback says happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallbackOutcome {
    /// A charge was captured.
    Captured,
    /// A charge or refund failed.
    Failed,
    /// The provider cannot tell yet.
    Unknown,
    /// A refund went back.
    Refunded,
}

/// Body of `POST /v1/providers/sandbox/callbacks`: about a payment or a refund, never both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    /// The payment that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentId>,
    /// The refund that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundId>,
    /// What happened.
    pub outcome: CallbackOutcome,
    /// How much, minor units.
    #[serde(deserialize_with = "lenient_u64")]
    #[schema(value_type = u64)]
    pub amount_minor: u64,
    /// Of which currency; needed for payments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
}

impl Check for Callback {
    fn check(&self, faults: &mut Faults) {
        faults.between("amount_minor", self.amount_minor, 0, AMOUNT_MAX);
        if self.payment.is_some() == self.refund.is_some() {
            faults.add("payment", "give either payment or refund");
        } else if self.report().is_none() {
            faults.add("outcome", "payments are captured, failed or unknown and name their currency; refunds are refunded or failed");
        }
    }
}

/// What became of a charge, as reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportedCharge {
    /// So much of this currency was captured, minor units.
    Captured(u64, Currency),
    /// Nothing was captured.
    Failed,
    /// Nobody knows yet.
    Unknown,
}

/// What became of a refund, as reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportedRefund {
    /// So much went back, minor units.
    Refunded(u64),
    /// Nothing went back.
    Failed,
}

/// What became of money that a buyer's bank disputes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisputeMove {
    /// It was taken from the account.
    Withdrawn,
    /// It was given back to the account.
    Reinstated,
}

/// A dispute of a charge whose money moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedDispute {
    /// The provider's name of the dispute, 1 to 128 bytes without spaces; each books once.
    pub reference: Box<str>,
    /// How the money moved.
    pub moved: DisputeMove,
    /// Money, minor units; it may be a part of the charge, or more than it.
    pub amount_minor: u64,
    /// Of which currency.
    pub currency: Currency,
}

/// A report of a payment provider; safe to receive twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderReport {
    /// About a charge.
    Charge(PaymentId, ReportedCharge),
    /// About a refund.
    Refund(RefundId, ReportedRefund),
    /// About a dispute of a charge.
    Dispute(PaymentId, ReportedDispute),
}

impl ProviderReport {
    /// The order that it is about.
    #[must_use]
    pub const fn order(&self) -> OrderId {
        match self {
            Self::Charge(payment, _) | Self::Dispute(payment, _) => payment.order,
            Self::Refund(refund, _) => refund.order,
        }
    }
}

impl Callback {
    /// The report that this body makes; `None` when its fields do not fit together.
    #[must_use]
    pub fn report(&self) -> Option<ProviderReport> {
        match (self.payment, self.refund) {
            (Some(payment), None) => Some(ProviderReport::Charge(payment, self.charge()?)),
            (None, Some(refund)) => Some(ProviderReport::Refund(refund, self.refunded()?)),
            _ => None,
        }
    }

    fn charge(&self) -> Option<ReportedCharge> {
        match self.outcome {
            CallbackOutcome::Captured => {
                Some(ReportedCharge::Captured(self.amount_minor, self.currency?))
            }
            CallbackOutcome::Failed => Some(ReportedCharge::Failed),
            CallbackOutcome::Unknown => Some(ReportedCharge::Unknown),
            CallbackOutcome::Refunded => None,
        }
    }

    fn refunded(&self) -> Option<ReportedRefund> {
        match self.outcome {
            CallbackOutcome::Refunded => Some(ReportedRefund::Refunded(self.amount_minor)),
            CallbackOutcome::Failed => Some(ReportedRefund::Failed),
            CallbackOutcome::Captured | CallbackOutcome::Unknown => None,
        }
    }
}

/// In whose name somebody knocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gateway {
    /// Stripe: a webhook.
    Stripe,
    /// WeChat Pay: a notification of APIv3.
    Wechat,
}

/// A message that knocks at the public door in the name of a provider, as it came: nothing of it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knock {
    /// In whose name.
    pub gateway: Gateway,
    /// Its headers, names in small letters.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// Its bytes.
    pub body: Box<[u8]>,
}

impl Knock {
    /// The value of a header, when there is exactly one: of two nobody can say which one was signed.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(other, _)| **other == *name);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value)
    }
}

/// A charge in a provider's own ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderCharge {
    /// What was asked.
    pub request: ChargeRequest,
    /// What became of it.
    pub outcome: ChargeOutcome,
}

/// A refund in a provider's own ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRefund {
    /// What was asked.
    pub request: RefundRequest,
    /// What became of it.
    pub outcome: RefundOutcome,
}

/// A provider's own ledger, to hold the books against.
pub trait ProviderLedger: Send + Sync {
    /// Every charge that it knows of, each key once.
    fn charges(&self) -> Vec<ProviderCharge>;
    /// Every refund that it knows of, each key once.
    fn refunds(&self) -> Vec<ProviderRefund>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_about_one_thing_and_its_outcome_fits() {
        let good = r#"{"payment":"pay_00000000001001","outcome":"captured","amount_minor":5,"currency":"GBP"}"#;
        let callback: Callback = serde_json::from_str(good).unwrap();
        assert_eq!(callback.checked(), Ok(()));
        assert!(matches!(
            callback.report(),
            Some(ProviderReport::Charge(_, ReportedCharge::Captured(5, _)))
        ));
        for bad in [
            r#"{"outcome":"captured","amount_minor":5,"currency":"GBP"}"#,
            r#"{"payment":"pay_00000000001001","outcome":"captured","amount_minor":5}"#,
            r#"{"payment":"pay_00000000001001","outcome":"refunded","amount_minor":5}"#,
            r#"{"refund":"ref_00000000001001","outcome":"captured","amount_minor":5}"#,
            r#"{"refund":"ref_00000000001001","outcome":"failed","amount_minor":-5}"#,
        ] {
            let callback: Callback = serde_json::from_str(bad).unwrap();
            assert!(callback.checked().is_err(), "{bad}");
        }
    }
}
