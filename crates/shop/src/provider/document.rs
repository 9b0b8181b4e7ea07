//! Small documents of others over TLS, like the published keys of an issuer: the same client, deadline, limits and
//! authorities as a provider is called with.

use std::time::Duration;

use bytes::Bytes;

use super::ProviderError;
use super::client::Client;
use super::dial::Line;
use super::tls::Tls;

/// Gets documents of at most 256 KiB; cheap to clone. A redirect is not followed: whom to believe is configured.
#[derive(Debug, Clone)]
pub struct Documents(Client);

impl Documents {
    /// Over this line, believing whom `tls` believes; a whole document comes within `deadline`.
    #[must_use]
    pub fn new(line: &Line, tls: Tls, deadline: Duration) -> Self {
        Self(Client::secure(line, tls, deadline))
    }

    /// The document at this `https://` or `http://` address.
    ///
    /// # Errors
    /// [`ProviderError`] when nobody who is believed answers in time, or with another status than a success.
    pub async fn get(&self, url: &str) -> Result<Bytes, ProviderError> {
        let (status, body) = self.0.get(url).await?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(ProviderError::Unavailable(status.as_u16()))
        }
    }
}
