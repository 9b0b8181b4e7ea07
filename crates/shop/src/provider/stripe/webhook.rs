//! Stripe's webhooks: whose they are, and what they say.
//!
//! The header is `Stripe-Signature: t=<unix s>,v1=<hex hmac-sha256 of "t.body">`, with one `v1` more while the signing
//! secret is being rolled. Other schemes in it are for tests and are not looked at.

use api::provider::{
    DisputeMove, Knock, ProviderReport, ReportedCharge, ReportedDispute, ReportedRefund,
};
use api::{Currency, PaymentId};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::Sha256;

use super::Inner;
use super::wire::{self, Dispute, Intent, Refund};
use crate::provider::{Hidden, KnockError, ProviderError};

/// Signatures of one header that are looked at.
const SIGNATURES_MAX: usize = 8;

/// An event, as far as it matters here.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    livemode: bool,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: &'a RawValue,
}

impl Inner {
    /// Proves and reads a webhook.
    pub(super) async fn read(&self, knock: &Knock) -> Result<Option<ProviderReport>, KnockError> {
        let signed_s = self.signed_at(knock)?;
        KnockError::check_time(signed_s, self.clock.wall_ms())?;
        let event: Event<'_> =
            serde_json::from_slice(&knock.body).map_err(|error| mismatch(&error))?;
        if event.livemode != self.settings.is_live() {
            let detail = "a webhook of live mode and a key of test mode, or the other way round";
            return Err(KnockError::Mismatch(detail.to_owned()));
        }
        let now = self.clock.monotonic();
        if self.taken.knows(&signed(signed_s, knock), now) {
            return Err(KnockError::Replayed);
        }
        self.report(&event.kind, event.data.object).await
    }

    /// This webhook is on record.
    pub(super) fn booked(&self, knock: &Knock) {
        if let Ok(signed_s) = self.signed_at(knock) {
            let now = self.clock.monotonic();
            self.taken.remember(&signed(signed_s, knock), now);
        }
    }

    fn signed_at(&self, knock: &Knock) -> Result<u64, KnockError> {
        let secret = self.settings.webhook_secret.as_ref();
        let secret = secret.map(Hidden::text).unwrap_or_default();
        let header = knock.header("stripe-signature").unwrap_or_default();
        signed_at(header, &knock.body, secret)
    }

    /// What an event says about a book. Whatever is not listed is a step on the way, or about something else.
    async fn report(
        &self,
        kind: &str,
        object: &RawValue,
    ) -> Result<Option<ProviderReport>, KnockError> {
        match kind {
            "payment_intent.succeeded" | "payment_intent.canceled" => {
                let intent: Intent = read(object)?;
                let Some(key) = wire::payment_of(&intent.metadata, &self.settings.house) else {
                    return Ok(None);
                };
                let now = self.clock.monotonic();
                self.waiting.note(key, now, None, Some(&intent.id));
                self.waiting.settled(key);
                charge(kind, key, &intent).map(Some)
            }
            "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
                let refund: Refund = read(object)?;
                refunded(&refund, &self.settings.house)
            }
            "charge.dispute.funds_withdrawn"
            | "charge.dispute.funds_reinstated"
            | "charge.dispute.closed" => self.disputed(kind, read(object)?).await,
            _ => Ok(None),
        }
    }

    /// What a dispute did with money. One that was opened, or is an inquiry, has moved none.
    async fn disputed(
        &self,
        kind: &str,
        dispute: Dispute,
    ) -> Result<Option<ProviderReport>, KnockError> {
        let moved = match (kind, &*dispute.status) {
            // Whatever the state is by now: what an event says of money counts.
            ("charge.dispute.funds_withdrawn", _) | ("charge.dispute.closed", "lost") => {
                DisputeMove::Withdrawn
            }
            ("charge.dispute.funds_reinstated", _) | ("charge.dispute.closed", "won") => {
                DisputeMove::Reinstated
            }
            _ => return Ok(None),
        };
        // Whatever is ours has an intent.
        let Some(intent) = &dispute.payment_intent else {
            return Ok(None);
        };
        let intent = self.intent(intent).await.map_err(|error| match error {
            ProviderError::Refused(_) => {
                KnockError::Mismatch("it disputes an intent that is none".into())
            }
            // Whose it is cannot be said now; Stripe brings it again.
            other => KnockError::Later(other.to_string()),
        })?;
        let Some(key) = wire::payment_of(&intent.metadata, &self.settings.house) else {
            return Ok(None);
        };
        let reference = wire::checked_id(&dispute.id).map_err(|error| mismatch(&error))?;
        let amount = u64::try_from(dispute.amount).map_err(|error| mismatch(&error))?;
        let dispute = ReportedDispute {
            reference: reference.into(),
            moved,
            amount_minor: amount,
            currency: currency(dispute.currency())?,
        };
        Ok(Some(ProviderReport::Dispute(key, dispute)))
    }
}

fn currency(named: Option<Currency>) -> Result<Currency, KnockError> {
    named.ok_or_else(|| KnockError::Mismatch("it names a currency that is none".into()))
}

/// What was signed, not how the header is written: a space more would make another text of it.
fn signed(signed_s: u64, knock: &Knock) -> Vec<u8> {
    [&signed_s.to_be_bytes(), &*knock.body].concat()
}

fn charge(kind: &str, key: PaymentId, intent: &Intent) -> Result<ProviderReport, KnockError> {
    if kind == "payment_intent.canceled" {
        return Ok(ProviderReport::Charge(key, ReportedCharge::Failed));
    }
    let amount = u64::try_from(intent.received());
    let amount = amount.map_err(|error| mismatch(&error))?;
    let captured = ReportedCharge::Captured(amount, currency(intent.currency())?);
    Ok(ProviderReport::Charge(key, captured))
}

fn refunded(refund: &Refund, house: &str) -> Result<Option<ProviderReport>, KnockError> {
    let Some(key) = wire::refund_of(&refund.metadata, house) else {
        return Ok(None);
    };
    let outcome = match &*refund.status {
        "succeeded" => {
            let amount = u64::try_from(refund.amount);
            ReportedRefund::Refunded(amount.map_err(|error| mismatch(&error))?)
        }
        "failed" | "canceled" => ReportedRefund::Failed,
        _ => return Ok(None),
    };
    Ok(Some(ProviderReport::Refund(key, outcome)))
}

fn read<T: serde::de::DeserializeOwned>(object: &RawValue) -> Result<T, KnockError> {
    serde_json::from_str(object.get()).map_err(|error| mismatch(&error))
}

fn mismatch(error: &dyn std::error::Error) -> KnockError {
    KnockError::Mismatch(format!("it is none of the documented events: {error}"))
}

/// When whoever knows the secret signed these bytes, in seconds since 1970.
fn signed_at(header: &str, body: &[u8], secret: &str) -> Result<u64, KnockError> {
    let parts = || {
        header
            .split(',')
            .filter_map(|part| part.trim().split_once('='))
    };
    let time = parts().find(|(name, _)| *name == "t").map(|(_, time)| time);
    let time = time.ok_or(KnockError::Forged(
        "expected a header `Stripe-Signature: t=…,v1=…`",
    ))?;
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map_err(|_| KnockError::Forged("the secret cannot be used"))?
        .chain_update(time)
        .chain_update(".")
        .chain_update(body);
    let signatures = parts().filter(|(name, _)| *name == "v1");
    // Each comparison takes the same time, wherever the first difference is.
    let fits = signatures.take(SIGNATURES_MAX).any(|(_, signature)| {
        unhex(signature).is_some_and(|bytes| mac.clone().verify_slice(&bytes).is_ok())
    });
    if !fits {
        return Err(KnockError::Forged("the signature does not fit the body"));
    }
    time.parse()
        .map_err(|_| KnockError::Forged("the time of the signature is no number"))
}

/// Bytes from hexadecimal digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1"}"#;
    const SECRET: &str = "whsec_0123456789abcdef";

    #[test]
    fn the_signature_is_the_one_that_other_tools_compute() {
        // printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_0123456789abcdef
        let v1 = "dea1657bd5053cb0f8a75ebf0bd3d22e0cdeb79563b44db6b88864e522fb8bc4";
        let header = format!("t=1700000000,v1={v1},v0=00");
        assert_eq!(signed_at(&header, BODY, SECRET), Ok(1_700_000_000));
        let rolled = format!("t=1700000000,v1={},v1={v1}", "0".repeat(64));
        assert_eq!(signed_at(&rolled, BODY, SECRET), Ok(1_700_000_000));
        for wrong in [
            String::new(),
            "t=1700000000".to_owned(),
            format!("t=1700000001,v1={v1}"),
            format!("t=1700000000,v1={}", &v1[..62]),
            format!("t=1700000000,v1={v1}0"),
            format!("t=1700000000,v0={v1}"),
            format!("v1={v1}"),
        ] {
            assert!(signed_at(&wrong, BODY, SECRET).is_err(), "{wrong}");
        }
        assert!(signed_at(&header, b"{}", SECRET).is_err());
        assert!(signed_at(&header, BODY, "whsec_other").is_err());
    }

    /// Test case 2 of RFC 4231, whose key is short and whose data hold no dot: the code under the header.
    #[test]
    fn the_code_is_that_of_the_standard() {
        let mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        let code = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let mac = mac.chain_update(b"what do ya want for nothing?");
        assert!(mac.verify_slice(&unhex(code).unwrap()).is_ok());
    }
}
