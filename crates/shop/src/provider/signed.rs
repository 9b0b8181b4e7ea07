//! Signed JSON to one address: callbacks to a door, letters to a merchant, questions to a participant.

use std::sync::Arc;
use std::time::Duration;

use api::provider::SIGNATURE_HEADER;
use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use serde::Serialize;
use world::Clock;

use super::ProviderError;
use super::client::{Client, UrlError, base};
use super::dial::Line;
use super::signature::Secret;

/// The header of a key under which the receiver does a thing once.
const KEY_HEADER: &str = "idempotency-key";

/// Sends signed JSON to one address; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    url: String,
    secret: Secret,
    clock: Arc<dyn Clock>,
    client: Client,
}

impl Signed {
    /// To this URL, the whole of it; each exchange ends within `timeout`.
    ///
    /// # Errors
    /// [`UrlError`] when the URL is none that can be called.
    pub(crate) fn new(
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

    /// Sends a body, signed at this moment, under a key if it has one; gives the answer whatever its status.
    ///
    /// # Errors
    /// [`ProviderError::Nonsense`] when it can never be sent; any other when nobody knows whether it came.
    pub(crate) async fn send(
        &self,
        body: &impl Serialize,
        key: Option<&str>,
    ) -> Result<(StatusCode, Bytes), ProviderError> {
        let body = serde_json::to_vec(body).map_err(|error| never(&error))?;
        let signature = self.secret.sign(self.clock.wall_ms() / 1_000, &body);
        let mut headers = vec![header(SIGNATURE_HEADER, &signature)?];
        if let Some(key) = key {
            headers.push(header(KEY_HEADER, key)?);
        }
        self.client.send(&self.url, body, headers.into_iter()).await
    }
}

fn header(name: &'static str, value: &str) -> Result<(HeaderName, HeaderValue), ProviderError> {
    let value = HeaderValue::from_str(value).map_err(|error| never(&error))?;
    Ok((HeaderName::from_static(name), value))
}

fn never(error: &dyn std::error::Error) -> ProviderError {
    ProviderError::Nonsense(error.to_string())
}
