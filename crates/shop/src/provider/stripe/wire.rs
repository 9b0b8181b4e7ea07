//! Stripe's objects, as far as they matter here, and the forms that are sent.

use std::collections::BTreeMap;
use std::fmt;

use api::provider::{ChargeOutcome, ChargeReply, ChargeRequest, RefundReply, RefundRequest};
use api::{Currency, PaymentId, RefundId};
use serde::Deserialize;

use super::refund_outcome;
use super::settings::Settings;
use crate::provider::ProviderError;

/// Names and values that we put at an object.
type Metadata = BTreeMap<String, String>;

/// A page of a list or a search.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    data: Vec<T>,
    #[serde(default)]
    has_more: bool,
}

impl<T> Page<T> {
    /// All there is. Of a list that goes on nobody may say that something is not in it.
    pub(super) fn whole(self) -> Result<Vec<T>, ProviderError> {
        if self.has_more {
            return Err(nonsense("a list that is longer than anything of ours"));
        }
        Ok(self.data)
    }
}

/// What went wrong, in Stripe's words.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Failure {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    /// The intent whose card was refused.
    #[serde(default)]
    pub(super) payment_intent: Option<Box<Intent>>,
}

/// A payment intent.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    amount: i64,
    #[serde(default)]
    amount_received: i64,
    currency: String,
    status: String,
    #[serde(default)]
    pub(super) client_secret: Option<String>,
    pub(super) created: u64,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

/// Where an intent stands, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntentState {
    /// It is over; nobody can pay it any more.
    Cancelled,
    /// The buyer has to do something; true when a payment method is missing or was refused.
    Buyer(bool),
    /// A bank, or Stripe, has to do something.
    Bank,
    /// The money is there.
    Captured,
}

impl IntentState {
    /// Of several intents the one nearest to money counts.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Cancelled => 0,
            Self::Buyer(_) => 1,
            Self::Bank => 2,
            Self::Captured => 3,
        }
    }
}

impl Intent {
    pub(super) fn state(&self) -> IntentState {
        match &*self.status {
            "succeeded" => IntentState::Captured,
            "canceled" => IntentState::Cancelled,
            "requires_payment_method" => IntentState::Buyer(true),
            "requires_confirmation" | "requires_action" => IntentState::Buyer(false),
            // `processing`, `requires_capture`, and what later versions may add: not over, and not the buyer's turn.
            _ => IntentState::Bank,
        }
    }

    /// The intent, when it is the one of this key and house.
    pub(super) fn owned(self, key: PaymentId, house: &str) -> Result<Self, ProviderError> {
        if payment_of(&self.metadata, house) == Some(key) {
            return Ok(self);
        }
        Err(nonsense("another intent than the one asked about"))
    }

    /// The currency, as we write it.
    pub(super) fn currency(&self) -> Option<Currency> {
        read_currency(&self.currency)
    }

    /// What was captured.
    pub(super) fn received(&self) -> i64 {
        self.amount_received
    }

    pub(super) fn reply(
        &self,
        key: PaymentId,
        outcome: ChargeOutcome,
    ) -> Result<ChargeReply, ProviderError> {
        let amount_minor = match outcome {
            ChargeOutcome::Captured => self.amount_received,
            ChargeOutcome::Declined | ChargeOutcome::Pending => self.amount,
        };
        let currency = self.currency();
        Ok(ChargeReply {
            key,
            outcome,
            amount_minor,
            currency: currency.ok_or_else(|| nonsense("a currency that is none"))?,
            action: None,
        })
    }
}

/// A refund.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) status: String,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

impl Refund {
    pub(super) fn is(&self, key: RefundId, house: &str) -> bool {
        refund_of(&self.metadata, house) == Some(key)
    }

    pub(super) fn reply(&self, key: RefundId, house: &str) -> Result<RefundReply, ProviderError> {
        if !self.is(key, house) {
            return Err(nonsense("another refund than the one asked about"));
        }
        Ok(RefundReply {
            key,
            outcome: refund_outcome(&self.status)?,
            amount_minor: self.amount,
        })
    }
}

/// A dispute.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) amount: i64,
    currency: String,
    pub(super) status: String,
    /// The intent whose money is disputed.
    #[serde(default)]
    pub(super) payment_intent: Option<String>,
}

impl Dispute {
    /// The currency, as we write it.
    pub(super) fn currency(&self) -> Option<Currency> {
        read_currency(&self.currency)
    }
}

fn read_currency(text: &str) -> Option<Currency> {
    text.to_ascii_uppercase().parse().ok()
}

/// The payment that an object is of, when it is this house's.
pub(super) fn payment_of(metadata: &Metadata, house: &str) -> Option<PaymentId> {
    owned(metadata, house)?
        .get("tidegate_payment")?
        .parse()
        .ok()
}

/// The refund that an object is of, when it is this house's.
pub(super) fn refund_of(metadata: &Metadata, house: &str) -> Option<RefundId> {
    owned(metadata, house)?.get("tidegate_refund")?.parse().ok()
}

fn owned<'a>(metadata: &'a Metadata, house: &str) -> Option<&'a Metadata> {
    (metadata.get("tidegate_house")? == house).then_some(metadata)
}

/// Whether Stripe means the same by this amount as we do. Its smallest unit is that of ISO 4217, but for three
/// currencies; and where there are three decimals the last one has to be zero.
pub(super) fn can_be_said(currency: Currency, amount_minor: i64) -> bool {
    match currency.code() {
        "ISK" | "UGX" | "MGA" => false,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => amount_minor % 10 == 0,
        _ => true,
    }
}

/// The form that makes an intent. It holds nothing that could differ between two tries, since Stripe compares them.
pub(super) fn charge_form(
    request: &ChargeRequest,
    settings: &Settings,
) -> Vec<(&'static str, String)> {
    let mut form = vec![
        ("amount", request.amount_minor.to_string()),
        ("currency", request.currency.code().to_ascii_lowercase()),
        ("automatic_payment_methods[enabled]", "true".to_owned()),
        ("metadata[tidegate_house]", settings.house.clone()),
        ("metadata[tidegate_order]", request.order.to_string()),
        ("metadata[tidegate_payment]", request.key.to_string()),
    ];
    if let Some(method) = &settings.confirm_with {
        let never = "never".to_owned();
        form.push(("automatic_payment_methods[allow_redirects]", never));
        form.push(("confirm", "true".to_owned()));
        form.push(("payment_method", method.clone()));
    }
    form
}

/// The form that gives money back.
pub(super) fn refund_form(
    request: &RefundRequest,
    intent: &str,
    house: &str,
) -> Vec<(&'static str, String)> {
    vec![
        ("payment_intent", intent.to_owned()),
        ("amount", request.amount_minor.to_string()),
        ("metadata[tidegate_house]", house.to_owned()),
        ("metadata[tidegate_refund]", request.key.to_string()),
    ]
}

/// A question in Stripe's language of searches. Keys and names of houses hold nothing that ends a quotation.
pub(super) fn search(field: &str, key: impl fmt::Display, house: &str) -> String {
    format!("metadata['{field}']:'{key}' AND metadata['tidegate_house']:'{house}'")
}

/// A name that Stripe gave, fit to stand in a path.
pub(super) fn checked_id(id: &str) -> Result<&str, ProviderError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if id.is_empty() || id.len() > 255 || !id.bytes().all(plain) {
        return Err(nonsense("a name that is none"));
    }
    Ok(id)
}

fn nonsense(what: &str) -> ProviderError {
    ProviderError::Nonsense(what.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn amounts_that_stripe_reads_otherwise_are_not_sent() {
        let can = |code: &str, amount| can_be_said(code.parse().unwrap(), amount);
        assert!(can("EUR", 1_251) && can("JPY", 7) && can("KWD", 1_250));
        assert!(!can("ISK", 100) && !can("UGX", 100) && !can("MGA", 100) && !can("KWD", 1_251));
    }

    #[test]
    fn a_name_that_would_lead_elsewhere_is_refused() {
        assert_eq!(checked_id("pi_3Nx"), Ok("pi_3Nx"));
        for id in ["", "pi_1/cancel", "pi_1?x=1", "..", "pi 1", "pï"] {
            assert!(checked_id(id).is_err(), "{id}");
        }
    }
}
