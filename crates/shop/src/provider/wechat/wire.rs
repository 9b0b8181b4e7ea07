//! WeChat's objects, as far as they matter here, and the bodies that are sent. Amounts are in fen.

use api::PaymentId;
use api::provider::{
    ChargeOutcome, ChargeReply, ChargeRequest, RefundOutcome, RefundRequest, ReportedCharge,
};
use serde::{Deserialize, Serialize};

use super::settings::{Settings, Way};
use crate::provider::ProviderError;

/// The one currency of mainland merchants.
pub(super) const CURRENCY: &str = "CNY";
/// Where refunds are.
pub(super) const REFUNDS: &str = "/v3/refund/domestic/refunds";

#[derive(Serialize)]
struct Paid<'a> {
    total: i64,
    currency: &'a str,
}

#[derive(Serialize)]
struct Payer<'a> {
    openid: &'a str,
}

#[derive(Serialize)]
struct PrepayBody<'a> {
    appid: &'a str,
    mchid: &'a str,
    description: &'a str,
    out_trade_no: String,
    notify_url: &'a str,
    amount: Paid<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer: Option<Payer<'a>>,
}

/// The body that asks for an order. It holds nothing that could differ between two tries, since WeChat compares them.
pub(super) fn prepay(
    request: &ChargeRequest,
    out_trade_no: String,
    payer: Option<&str>,
    settings: &Settings,
) -> Result<String, ProviderError> {
    json(&PrepayBody {
        appid: &settings.appid,
        mchid: &settings.mchid,
        description: &settings.description,
        out_trade_no,
        notify_url: &settings.notify_url,
        amount: Paid {
            total: request.amount_minor,
            currency: CURRENCY,
        },
        payer: payer
            .filter(|_| settings.way == Way::Jsapi)
            .map(|openid| Payer { openid }),
    })
}

/// The body that closes an order.
#[derive(Serialize)]
pub(super) struct Close<'a> {
    pub(super) mchid: &'a str,
}

#[derive(Serialize)]
struct Back<'a> {
    refund: i64,
    total: i64,
    currency: &'a str,
}

#[derive(Serialize)]
struct RefundBody<'a> {
    out_trade_no: String,
    out_refund_no: String,
    notify_url: &'a str,
    amount: Back<'a>,
}

/// The body that gives money back.
pub(super) fn refund(
    request: &RefundRequest,
    names: (String, String),
    total: i64,
    settings: &Settings,
) -> Result<String, ProviderError> {
    json(&RefundBody {
        out_trade_no: names.0,
        out_refund_no: names.1,
        notify_url: &settings.notify_url,
        amount: Back {
            refund: request.amount_minor,
            total,
            currency: CURRENCY,
        },
    })
}

pub(super) fn json(body: &impl Serialize) -> Result<String, ProviderError> {
    serde_json::to_string(body).map_err(|error| ProviderError::Nonsense(error.to_string()))
}

/// What an order gives for the buyer's page.
#[derive(Debug, Deserialize)]
pub(super) struct Prepay {
    pub(super) code_url: Option<String>,
    pub(super) prepay_id: Option<String>,
}

/// An order, in an answer or a notification.
#[derive(Debug, Deserialize)]
pub(super) struct Transaction {
    #[serde(default)]
    appid: String,
    mchid: String,
    pub(super) out_trade_no: String,
    trade_state: String,
    /// Missing while nobody has paid.
    amount: Option<Total>,
}

#[derive(Debug, Deserialize)]
struct Total {
    total: Option<i64>,
    currency: Option<String>,
}

/// Where an order stands, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TradeState {
    /// The money is there, whatever was given back since.
    Paid,
    /// It is over; nobody can pay it any more.
    Closed,
    /// The buyer has to do something.
    Buyer,
    /// The buyer's bank has to do something.
    Bank,
}

impl Transaction {
    pub(super) fn state(&self) -> TradeState {
        match &*self.trade_state {
            "SUCCESS" | "REFUND" => TradeState::Paid,
            "CLOSED" | "REVOKED" => TradeState::Closed,
            "NOTPAY" | "PAYERROR" => TradeState::Buyer,
            // `USERPAYING`, `ACCEPT`, and what later versions may add: not over, and not to be closed.
            _ => TradeState::Bank,
        }
    }

    /// The order, when it is the one of this number and of this merchant.
    pub(super) fn owned(self, name: &str, settings: &Settings) -> Result<Self, ProviderError> {
        if self.out_trade_no != name {
            return Err(nonsense("another order than the one asked about"));
        }
        match self.is_ours(settings) {
            true => Ok(self),
            false => Err(nonsense("an order of another merchant or application")),
        }
    }

    /// Whether it is of this merchant and application.
    pub(super) fn is_ours(&self, settings: &Settings) -> bool {
        let appid = self.appid == settings.appid;
        // Only what was paid has to say for which application.
        self.mchid == settings.mchid
            && (appid || (self.appid.is_empty() && self.state() != TradeState::Paid))
    }

    /// What was paid.
    pub(super) fn total(&self) -> Result<i64, ProviderError> {
        let total = self.amount.as_ref().and_then(|amount| amount.total);
        let yuan = self.amount.as_ref().is_some_and(Total::is_yuan);
        total
            .filter(|_| yuan)
            .ok_or_else(|| nonsense("an order without an amount in CNY"))
    }

    /// What was captured, as reported.
    pub(super) fn captured(&self) -> Result<ReportedCharge, ProviderError> {
        let amount = u64::try_from(self.total()?);
        let currency = CURRENCY.parse();
        match (amount, currency) {
            (Ok(amount), Ok(currency)) => Ok(ReportedCharge::Captured(amount, currency)),
            _ => Err(nonsense("an amount below nothing")),
        }
    }

    pub(super) fn reply(&self, key: PaymentId) -> Result<ChargeReply, ProviderError> {
        let outcome = match self.state() {
            TradeState::Paid => ChargeOutcome::Captured,
            TradeState::Closed => ChargeOutcome::Declined,
            TradeState::Buyer | TradeState::Bank => ChargeOutcome::Pending,
        };
        let amount_minor = match outcome {
            ChargeOutcome::Captured => self.total()?,
            // Nobody has paid, and the order need not say how much it was to be.
            ChargeOutcome::Declined | ChargeOutcome::Pending => self.total().unwrap_or_default(),
        };
        let currency = CURRENCY.parse();
        Ok(ChargeReply {
            key,
            outcome,
            amount_minor,
            currency: currency.map_err(|_| nonsense("a currency that is none"))?,
            action: None,
        })
    }
}

impl Total {
    fn is_yuan(&self) -> bool {
        // The documents let it be left out for the default.
        self.currency.as_deref().unwrap_or(CURRENCY) == CURRENCY
    }
}

/// The answer to a charge that is what was asked for.
pub(super) fn reply(request: &ChargeRequest, outcome: ChargeOutcome) -> ChargeReply {
    ChargeReply {
        key: request.key,
        outcome,
        amount_minor: request.amount_minor,
        currency: request.currency,
        action: None,
    }
}

/// A refund.
#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    pub(super) out_refund_no: String,
    /// In an answer.
    status: Option<String>,
    /// In a notification.
    refund_status: Option<String>,
    /// In a notification.
    pub(super) mchid: Option<String>,
    pub(super) amount: RefundAmount,
}

#[derive(Debug, Deserialize)]
pub(super) struct RefundAmount {
    pub(super) refund: i64,
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefundState {
    /// As any refund may.
    Known(RefundOutcome),
    /// Where only a person can go on.
    Abnormal,
}

impl Refund {
    pub(super) fn state(&self) -> RefundState {
        let status = self.status.as_deref().or(self.refund_status.as_deref());
        match status {
            Some("SUCCESS") => RefundState::Known(RefundOutcome::Refunded),
            Some("CLOSED") => RefundState::Known(RefundOutcome::Declined),
            Some("ABNORMAL") => RefundState::Abnormal,
            _ => RefundState::Known(RefundOutcome::Pending),
        }
    }
}

fn nonsense(what: &str) -> ProviderError {
    ProviderError::Nonsense(what.to_owned())
}
