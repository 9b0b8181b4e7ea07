//! Callbacks over HTTP: what a provider outside sends to the public door, signed.

use std::sync::Arc;
use std::time::Duration;

use api::provider::{Callback, SIGNATURE_HEADER};
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use world::Clock;

use super::client::{Client, UrlError, base};
use super::dial::Line;
use super::signature::Secret;
use super::{CallbackSink, Delivered, DeliveryError};

/// Brings callbacks to a URL, each with its signature.
#[derive(Debug, Clone)]
pub struct HttpCallbacks {
    url: String,
    secret: Secret,
    clock: Arc<dyn Clock>,
    client: Client,
}

impl HttpCallbacks {
    /// Callbacks to this URL, the whole of it; each delivery ends within `timeout`.
    ///
    /// # Errors
    /// [`UrlError`] when the URL is none that can be called.
    pub fn new(
        url: &str,
        secret: Secret,
        clock: Arc<dyn Clock>,
        line: &Line,
        timeout: Duration,
    ) -> Result<Self, UrlError> {
        Ok(Self {
            url: base(url)?,
            secret,
            clock,
            client: Client::new(line, timeout),
        })
    }

    async fn send(&self, callback: &Callback) -> Result<(), DeliveryError> {
        let refused = |what: String| DeliveryError::Refused(what);
        let body = serde_json::to_vec(callback).map_err(|error| refused(error.to_string()))?;
        let signature = self.secret.sign(self.clock.wall_ms() / 1_000, &body);
        let signature = HeaderValue::from_str(&signature);
        let signature = signature.map_err(|error| refused(error.to_string()))?;
        let header = (HeaderName::from_static(SIGNATURE_HEADER), signature);
        match self.client.post(&self.url, body, Some(header)).await {
            Ok((status, _)) if status.is_success() => Ok(()),
            Ok((status, _)) if is_final(status) => Err(refused(format!("status {status}"))),
            Ok((status, _)) => Err(DeliveryError::Later(format!("status {status}"))),
            Err(error) => Err(DeliveryError::Later(error.to_string())),
        }
    }
}

/// The door understood the callback and will never take it.
fn is_final(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY
    )
}

impl CallbackSink for HttpCallbacks {
    fn deliver(&self, callback: Callback) -> Delivered<'_> {
        Box::pin(async move { self.send(&callback).await })
    }
}
