//! Calls to Stripe's API: forms out, JSON back, with the version pinned that the code was written for.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde::de::DeserializeOwned;

use super::wire::{Failure, Intent, Page, Refund};
use crate::provider::client::Answered;
use crate::provider::outward::Outward;
use crate::provider::{Hidden, ProviderError};

/// The version of the API whose answers are read here.
const VERSION: &str = "2024-06-20";

/// The line to Stripe.
pub(super) struct Calls {
    pub(super) way: Outward,
    pub(super) key: Option<Hidden>,
}

/// An answer that decides something: success, or a card that was refused.
pub(super) struct Made {
    status: StatusCode,
    body: Bytes,
    /// It is the answer of an earlier request under the same idempotency key, as it was then.
    pub(super) replayed: bool,
}

impl Made {
    /// Why a card was refused, when that is what the answer says.
    pub(super) fn card_error(&self) -> Option<Failure> {
        (self.status == StatusCode::PAYMENT_REQUIRED).then(|| failure(&self.body))
    }

    /// The object of the answer.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        if !self.status.is_success() {
            return Err(ProviderError::Refused(self.status.as_u16()));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| ProviderError::Nonsense(error.to_string()))
    }
}

impl Calls {
    pub(super) async fn get(&self, path: &str) -> Result<Made, ProviderError> {
        self.send(Method::GET, path, String::new(), None).await
    }

    /// Posts a form; the same name never does it twice.
    pub(super) async fn post(
        &self,
        path: &str,
        form: &[(&str, String)],
        name: &str,
    ) -> Result<Made, ProviderError> {
        let form = encode(form)?;
        self.send(Method::POST, path, form, Some(name)).await
    }

    /// Intents that a search shows, which may be minutes behind.
    pub(super) async fn search(&self, query: &str) -> Result<Vec<Intent>, ProviderError> {
        let query = encode(&[("query", query.to_owned()), ("limit", "100".to_owned())])?;
        let path = format!("/v1/payment_intents/search?{query}");
        let page: Page<Intent> = self.get(&path).await?.read()?;
        page.whole()
    }

    /// The refunds of an intent, the newest first.
    pub(super) async fn refunds(&self, intent: &str) -> Result<Vec<Refund>, ProviderError> {
        let path = format!("/v1/refunds?payment_intent={intent}&limit=100");
        let page: Page<Refund> = self.get(&path).await?.read()?;
        page.whole()
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        form: String,
        name: Option<&str>,
    ) -> Result<Made, ProviderError> {
        let key = self.key.as_ref().map(Hidden::text).unwrap_or_default();
        let mut bearer = HeaderValue::try_from(format!("Bearer {key}"))
            .map_err(|_| ProviderError::Unavailable(401))?;
        bearer.set_sensitive(true);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.way.url))
            .header(AUTHORIZATION, bearer)
            .header("stripe-version", VERSION);
        if let Some(name) = name {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            request = request.header(CONTENT_TYPE, form);
            request = request.header("idempotency-key", name);
        }
        let answered = self.way.client.call(request.body(Full::from(form))).await?;
        judge(answered)
    }
}

fn encode(form: &[(&str, String)]) -> Result<String, ProviderError> {
    serde_urlencoded::to_string(form).map_err(|error| ProviderError::Nonsense(error.to_string()))
}

fn failure(body: &[u8]) -> Failure {
    #[derive(serde::Deserialize)]
    struct Whole {
        error: Failure,
    }
    serde_json::from_slice(body).map_or_else(|_| Failure::default(), |whole: Whole| whole.error)
}

/// What decides comes back as an answer; whatever may pass, and whatever leaves open what was done, is an error.
fn judge(answered: Answered) -> Result<Made, ProviderError> {
    let status = answered.status;
    let made = Made {
        replayed: answered
            .headers
            .get("idempotent-replayed")
            .is_some_and(|value| value.as_bytes() == b"true"),
        body: answered.body,
        status,
    };
    match status {
        StatusCode::OK | StatusCode::PAYMENT_REQUIRED => Ok(made),
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => match &*failure(&made.body).kind {
            // The key was used with another body: something exists under it, and only a question tells what.
            "idempotency_error" => Err(ProviderError::Unavailable(409)),
            "invalid_request_error" | "card_error" => Err(ProviderError::Refused(status.as_u16())),
            // Not Stripe's own words: a proxy, or a page of somebody else.
            _ => Err(ProviderError::Unavailable(status.as_u16())),
        },
        _ => Err(ProviderError::Unavailable(status.as_u16())),
    }
}
