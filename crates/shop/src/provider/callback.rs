//! Callbacks over HTTP: what a provider outside sends to the public door, signed.

use std::sync::Arc;
use std::time::Duration;

use api::provider::Callback;
use http::StatusCode;
use world::Clock;

use super::client::UrlError;
use super::dial::Line;
use super::signature::Secret;
use super::signed::Signed;
use super::{CallbackSink, Delivered, DeliveryError, ProviderError};

/// Brings callbacks to a URL, each with its signature.
#[derive(Debug, Clone)]
pub struct HttpCallbacks(Signed);

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
        Signed::new(url, secret, clock, line, timeout).map(Self)
    }

    async fn send(&self, callback: &Callback) -> Result<(), DeliveryError> {
        let refused = |what: String| DeliveryError::Refused(what);
        match self.0.send(callback, None).await {
            Ok((status, _)) if status.is_success() => Ok(()),
            Ok((status, _)) if is_final(status) => Err(refused(format!("status {status}"))),
            Ok((status, _)) => Err(DeliveryError::Later(format!("status {status}"))),
            Err(ProviderError::Nonsense(why)) => Err(refused(why)),
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
