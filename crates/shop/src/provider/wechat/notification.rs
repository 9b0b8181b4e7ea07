//! WeChat's notifications: whose they are, what they hold, and what they say.

use api::provider::{Knock, ProviderReport, RefundOutcome, ReportedCharge, ReportedRefund};
use serde::Deserialize;

use super::Inner;
use super::calls::Seal;
use super::certificates::Sealed;
use super::wire::{Refund, RefundState, TradeState, Transaction};
use crate::provider::{KnockError, ProviderError};

/// A notification, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Notification {
    event_type: String,
    resource: Sealed,
}

impl Inner {
    /// Proves, opens and reads a notification.
    pub(super) async fn read(&self, knock: Knock) -> Result<Option<ProviderReport>, KnockError> {
        let header = |name| {
            let missing =
                "expected the headers `Wechatpay-Serial`, `-Timestamp`, `-Nonce` and `-Signature`";
            knock.header(name).ok_or(KnockError::Forged(missing))
        };
        let seal = Seal {
            serial: header("wechatpay-serial")?,
            timestamp: header("wechatpay-timestamp")?,
            nonce: header("wechatpay-nonce")?,
            signature: header("wechatpay-signature")?,
        };
        self.calls.check(&seal, &knock.body).await?;
        let notification: Notification =
            serde_json::from_slice(&knock.body).map_err(|error| mismatch(&error))?;
        let opened = self.calls.platform.open(&notification.resource);
        let opened = opened.ok_or_else(|| {
            KnockError::Mismatch("the APIv3 key does not open what it holds".to_owned())
        })?;
        let signed = signed(seal.timestamp, seal.nonce, &knock);
        if self.taken.knows(&signed, self.clock.monotonic()) {
            return Err(KnockError::Replayed);
        }
        match notification.event_type.split_once('.') {
            Some(("TRANSACTION", _)) => self.paid(&opened),
            Some(("REFUND", _)) => self.given_back(&opened),
            _ => Ok(None),
        }
    }

    /// This notification, which was proven and read, is on record.
    pub(super) fn booked(&self, knock: &Knock) {
        let header = |name| knock.header(name);
        let (time, nonce) = (header("wechatpay-timestamp"), header("wechatpay-nonce"));
        if let (Some(time), Some(nonce)) = (time, nonce) {
            let signed = signed(time, nonce, knock);
            self.taken.remember(&signed, self.clock.monotonic());
        }
    }

    fn paid(&self, opened: &[u8]) -> Result<Option<ProviderReport>, KnockError> {
        let transaction: Transaction =
            serde_json::from_slice(opened).map_err(|error| mismatch(&error))?;
        if !transaction.is_ours(&self.settings) {
            return Err(other_merchant());
        }
        let Some(key) = self.ours(&transaction.out_trade_no) else {
            return Ok(None);
        };
        let outcome = match transaction.state() {
            TradeState::Paid => transaction.captured().map_err(mean)?,
            TradeState::Closed => ReportedCharge::Failed,
            TradeState::Buyer | TradeState::Bank => return Ok(None),
        };
        self.waiting.settled(key);
        Ok(Some(ProviderReport::Charge(key, outcome)))
    }

    fn given_back(&self, opened: &[u8]) -> Result<Option<ProviderReport>, KnockError> {
        let refund: Refund = serde_json::from_slice(opened).map_err(|error| mismatch(&error))?;
        if refund.mchid.as_deref() != Some(&*self.settings.mchid) {
            return Err(other_merchant());
        }
        let Some(key) = self.ours(&refund.out_refund_no) else {
            return Ok(None);
        };
        let outcome = match refund.state() {
            RefundState::Known(RefundOutcome::Refunded) => {
                let amount = u64::try_from(refund.amount.refund);
                ReportedRefund::Refunded(amount.map_err(|error| mismatch(&error))?)
            }
            RefundState::Known(RefundOutcome::Declined) => ReportedRefund::Failed,
            // Nothing is decided; the reconciler asks, and tells operators of one that needs a person.
            RefundState::Known(RefundOutcome::Pending) | RefundState::Abnormal => return Ok(None),
        };
        Ok(Some(ProviderReport::Refund(key, outcome)))
    }

    /// The key behind a number of ours; other programs of the merchant have numbers of their own.
    fn ours<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        name.strip_prefix(&*self.settings.house)?.parse().ok()
    }
}

fn signed(time: &str, nonce: &str, knock: &Knock) -> Vec<u8> {
    let head = format!("{time}\n{nonce}\n").into_bytes();
    [&*head, &knock.body].concat()
}

fn other_merchant() -> KnockError {
    KnockError::Mismatch("it is for another merchant or application".to_owned())
}

fn mean(error: ProviderError) -> KnockError {
    KnockError::Mismatch(error.to_string())
}

fn mismatch(error: &dyn std::error::Error) -> KnockError {
    KnockError::Mismatch(format!(
        "it is none of the documented notifications: {error}"
    ))
}
