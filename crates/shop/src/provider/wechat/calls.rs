//! Calls to WeChat's API: signed requests out, and answers back that count only with the platform's signature.

use std::sync::Arc;

use api::Time;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use world::Clock;

use super::certificates::{List, Platform, signed_text};
use super::sign::Signer;
use crate::provider::client::Answered;
use crate::provider::outward::Outward;
use crate::provider::replay::TOLERANCE_S;
use crate::provider::{KnockError, ProviderError};

/// The line to WeChat.
pub(super) struct Calls {
    pub(super) way: Outward,
    pub(super) signer: Signer,
    pub(super) platform: Platform,
    pub(super) clock: Arc<dyn Clock>,
}

/// An answer that is proven and decides something.
pub(super) enum Decided {
    /// It was done.
    Yes(Answer),
    /// It was not.
    No(Failure),
}

/// A proven answer.
pub(super) struct Answer(Bytes);

impl Answer {
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        serde_json::from_slice(&self.0).map_err(|error| ProviderError::Nonsense(error.to_string()))
    }
}

/// Why WeChat did not do it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Failure {
    #[serde(default)]
    code: String,
    #[serde(skip)]
    pub(super) status: u16,
}

impl Failure {
    /// There is an order of this number already, and it is past the point where it could be asked for again.
    pub(super) fn means_there_is_one(&self) -> bool {
        matches!(
            &*self.code,
            "ORDERPAID" | "ORDER_PAID" | "ORDER_CLOSED" | "ORDERCLOSED" | "OUT_TRADE_NO_USED"
        )
    }

    /// There is nothing of this number.
    pub(super) fn is_nothing(&self) -> bool {
        self.status == 404
            && matches!(
                &*self.code,
                "ORDER_NOT_EXIST" | "ORDERNOTEXIST" | "RESOURCE_NOT_EXISTS"
            )
    }

    /// What that means for the request: wrong for ever, or to be asked again.
    pub(super) fn error(&self) -> ProviderError {
        match self.status {
            400 | 404 => ProviderError::Refused(self.status),
            status => ProviderError::Unavailable(status),
        }
    }
}

/// The platform's headers of an answer or a notification.
pub(super) struct Seal<'a> {
    pub(super) serial: &'a str,
    pub(super) timestamp: &'a str,
    pub(super) nonce: &'a str,
    pub(super) signature: &'a str,
}

impl<'a> Seal<'a> {
    fn of(headers: &'a HeaderMap) -> Option<Self> {
        let value = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Some(Self {
            serial: value("wechatpay-serial")?,
            timestamp: value("wechatpay-timestamp")?,
            nonce: value("wechatpay-nonce")?,
            signature: value("wechatpay-signature")?,
        })
    }

    /// When it was sealed, in seconds since 1970.
    pub(super) fn signed_s(&self) -> Option<u64> {
        self.timestamp.parse().ok()
    }
}

impl Calls {
    pub(super) async fn get(&self, path: &str) -> Result<Decided, ProviderError> {
        self.ask(Method::GET, path, "").await
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Result<Decided, ProviderError> {
        self.ask(Method::POST, path, body).await
    }

    async fn ask(&self, method: Method, path: &str, body: &str) -> Result<Decided, ProviderError> {
        let answered = self.send(method, path, body).await?;
        let status = answered.status;
        let decides = status.is_success()
            || matches!(
                status,
                StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND
            );
        if !decides {
            return Err(self.not_now(&answered));
        }
        self.prove(&answered).await?;
        if status.is_success() {
            return Ok(Decided::Yes(Answer(answered.body)));
        }
        let failure: Failure = serde_json::from_slice(&answered.body).unwrap_or_default();
        let status = status.as_u16();
        Ok(Decided::No(Failure { status, ..failure }))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: &str,
    ) -> Result<Answered, ProviderError> {
        let now_s = self.clock.wall_ms() / 1_000;
        let signed = self
            .signer
            .authorization(method.as_str(), path, now_s, body)?;
        let json = HeaderValue::from_static("application/json");
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.way.url))
            .header(AUTHORIZATION, signed)
            .header(ACCEPT, json.clone())
            .header(CONTENT_TYPE, json)
            .header(USER_AGENT, "tidegate");
        if let Some(id) = &self.platform.public_key_id {
            request = request.header("wechatpay-serial", id);
        }
        self.way
            .client
            .call(request.body(Full::from(body.to_owned())))
            .await
    }

    /// Why there is no answer. A signature that was not taken may only be one with a wrong time.
    fn not_now(&self, answered: &Answered) -> ProviderError {
        let status = answered.status.as_u16();
        if let (401, Some(theirs)) = (status, date(&answered.headers)) {
            let apart = theirs.abs_diff(self.clock.wall_ms() / 1_000);
            if apart > TOLERANCE_S {
                return ProviderError::Skewed(apart);
            }
        }
        ProviderError::Unavailable(status)
    }

    /// Whether the platform wrote this answer, and just now.
    async fn prove(&self, answered: &Answered) -> Result<(), ProviderError> {
        let seal = Seal::of(&answered.headers);
        let seal = seal.ok_or_else(|| nonsense("an answer without a signature"))?;
        match self.check(&seal, &answered.body).await {
            Ok(()) => Ok(()),
            Err(KnockError::Time(apart)) => Err(ProviderError::Skewed(apart.unsigned_abs())),
            Err(KnockError::Later(why)) => Err(ProviderError::Lost(why)),
            Err(error) => Err(nonsense(&error.to_string())),
        }
    }

    /// Checks a seal over a body: whose it is, then its time.
    pub(super) async fn check(&self, seal: &Seal<'_>, body: &[u8]) -> Result<(), KnockError> {
        let text = signed_text(seal.timestamp, seal.nonce, body);
        let signature = STANDARD.decode(seal.signature).unwrap_or_default();
        let now_ms = self.clock.wall_ms();
        let mut found = self.platform.find(seal.serial, now_ms);
        if found.is_none() && Platform::may_be_listed(seal.serial) {
            self.look(seal.serial).await?;
            found = self.platform.find(seal.serial, now_ms);
        }
        let found = found.ok_or(KnockError::Forged(
            "the signature names a certificate or key that is not the platform's",
        ))?;
        if !found.fits(&text, &signature) {
            return Err(KnockError::Forged("the signature does not fit the body"));
        }
        let signed_s = seal.signed_s();
        let signed_s = signed_s.ok_or(KnockError::Forged("the signed time is no number"))?;
        KnockError::check_time(signed_s, now_ms)
    }

    /// Fetches the platform's certificates, unless somebody just did.
    async fn look(&self, serial: &str) -> Result<(), KnockError> {
        let mut looked = self.platform.looked.lock().await;
        let now = self.clock.monotonic();
        let known = self.platform.find(serial, self.clock.wall_ms()).is_some();
        if known || !Platform::may_look(*looked, now) {
            return Ok(());
        }
        *looked = Some(now);
        let fetched = self.fetch().await;
        if fetched.is_err() {
            // What was not seen is looked for again at the next need.
            *looked = None;
        }
        fetched.map_err(|error| {
            KnockError::Later(format!(
                "the platform's certificates cannot be had: {error}"
            ))
        })
    }

    async fn fetch(&self) -> Result<(), ProviderError> {
        let answered = self.send(Method::GET, "/v3/certificates", "").await?;
        if !answered.status.is_success() {
            return Err(self.not_now(&answered));
        }
        let list: List = serde_json::from_slice(&answered.body)
            .map_err(|error| ProviderError::Nonsense(error.to_string()))?;
        let opened = self.platform.opened(list);
        let opened =
            opened.ok_or_else(|| nonsense("certificates that the APIv3 key does not open"))?;
        let seal = Seal::of(&answered.headers);
        let seal = seal.ok_or_else(|| nonsense("a list without a signature"))?;
        let text = signed_text(seal.timestamp, seal.nonce, &answered.body);
        let signature = STANDARD.decode(seal.signature).unwrap_or_default();
        let now_ms = self.clock.wall_ms();
        let known = self.platform.find(seal.serial, now_ms);
        let signer = known.or_else(|| opened.get(seal.serial).cloned());
        if !signer.is_some_and(|signer| signer.fits(&text, &signature)) {
            return Err(nonsense("a list of certificates that none of them signed"));
        }
        self.platform.believe(opened, now_ms);
        Ok(())
    }
}

/// The time of an answer by its header `Date`, in seconds since 1970: `Tue, 15 Nov 1994 08:12:31 GMT`.
fn date(headers: &HeaderMap) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let text = headers.get(DATE)?.to_str().ok()?;
    let mut words = text.split_once(", ")?.1.split(' ');
    let (day, month, year, clock) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.find(month).filter(|at| at % 3 == 0)? / 3 + 1;
    let time: Time = format!("{year}-{month:02}-{day:0>2}T{clock}Z")
        .parse()
        .ok()?;
    Some(time.ms() / 1_000)
}

fn nonsense(what: &str) -> ProviderError {
    ProviderError::Nonsense(what.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read_and_anything_else_is_none() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, HeaderValue::from_str(text).unwrap());
            date(&headers)
        };
        assert_eq!(of("Tue, 15 Nov 1994 08:12:31 GMT"), Some(784_887_151));
        for wrong in [
            "",
            "now",
            "Tue, 15 Foo 1994 08:12:31 GMT",
            "Tue, 15 anF 1994 08:12:31 GMT",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
