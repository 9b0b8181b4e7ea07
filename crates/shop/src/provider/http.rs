//! A provider at a URL: `POST /charges`, `POST /refunds`, `GET /charges/{key}`, `GET /refunds/{key}`.

use std::sync::Arc;
use std::time::Duration;

use api::order::{ACTION_BYTES_MAX, PaymentAction};
use api::provider::{ChargeOutcome, ChargeReply, ChargeRequest, RefundReply, RefundRequest};
use api::{PaymentId, RefundId};
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client::{Client, base};
use super::dial::Line;
use super::waiting::Waiting;
use super::{Asked, Provider, ProviderError};

pub use super::client::UrlError;

/// Whether a URL can be called.
///
/// # Errors
/// [`UrlError`] when it cannot.
pub fn check_url(url: &str) -> Result<(), UrlError> {
    base(url).map(|_| ())
}

/// Calls a provider over HTTP/1.1, on kept connections. Plain HTTP: the way to a provider outside goes through a
/// proxy of its own that speaks TLS.
#[derive(Debug, Clone)]
pub struct HttpProvider {
    url: String,
    client: Client,
    waiting: Arc<Waiting>,
}

impl HttpProvider {
    /// A provider at this URL whose answers come within `timeout`.
    ///
    /// # Errors
    /// [`UrlError`] when the URL is none that can be called.
    pub fn new(url: &str, line: &Line, timeout: Duration) -> Result<Self, UrlError> {
        Ok(Self {
            url: base(url)?,
            client: Client::new(line, timeout),
            waiting: Arc::default(),
        })
    }

    /// Keeps what the buyer's page needs for as long as the charge waits for the buyer.
    fn noted(&self, key: PaymentId, mut reply: ChargeReply) -> ChargeReply {
        let action = reply.action.take();
        if reply.key != key {
            // An answer about something else says nothing, and the cashier hears so.
            return reply;
        }
        if reply.outcome != ChargeOutcome::Pending {
            self.waiting.settled(key);
        } else if let Some(action) = action
            && action.value.len() <= ACTION_BYTES_MAX
        {
            // Nothing here depends on how long it has been known.
            self.waiting.note(key, Duration::ZERO, Some(action), None);
        }
        reply
    }

    async fn act<Q: Serialize, A: DeserializeOwned>(
        &self,
        what: &str,
        request: &Q,
    ) -> Result<A, ProviderError> {
        let body = serde_json::to_vec(request);
        let body = body.map_err(|error| ProviderError::Nonsense(error.to_string()))?;
        let (status, body) = self
            .client
            .post(&format!("{}/{what}", self.url), body)
            .await?;
        read(status, &body)
    }

    async fn status<A: DeserializeOwned>(&self, what: &str) -> Result<Option<A>, ProviderError> {
        match self.client.get(&format!("{}/{what}", self.url)).await? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, body) => read(status, &body).map(Some),
        }
    }
}

/// Only what a provider says about the request itself is a refusal; everything else may pass, and nobody knows what
/// happened until it has been asked.
fn read<A: DeserializeOwned>(status: StatusCode, body: &Bytes) -> Result<A, ProviderError> {
    match status {
        StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED => {
            serde_json::from_slice(body).map_err(|error| ProviderError::Nonsense(error.to_string()))
        }
        StatusCode::BAD_REQUEST
        | StatusCode::PAYMENT_REQUIRED
        | StatusCode::UNPROCESSABLE_ENTITY => Err(ProviderError::Refused(status.as_u16())),
        _ => Err(ProviderError::Unavailable(status.as_u16())),
    }
}

impl Provider for HttpProvider {
    fn charge(&self, request: ChargeRequest) -> Asked<'_, ChargeReply> {
        Box::pin(async move {
            let reply = self.act("charges", &request).await?;
            Ok(self.noted(request.key, reply))
        })
    }

    fn refund(&self, request: RefundRequest) -> Asked<'_, RefundReply> {
        Box::pin(async move { self.act("refunds", &request).await })
    }

    fn charge_status(&self, key: PaymentId) -> Asked<'_, Option<ChargeReply>> {
        Box::pin(async move {
            let reply: Option<ChargeReply> = self.status(&format!("charges/{key}")).await?;
            Ok(reply.map(|reply| self.noted(key, reply)))
        })
    }

    fn refund_status(&self, key: RefundId) -> Asked<'_, Option<RefundReply>> {
        Box::pin(async move { self.status(&format!("refunds/{key}")).await })
    }

    fn action(&self, key: PaymentId) -> Option<PaymentAction> {
        self.waiting.find(key)?.action
    }
}
