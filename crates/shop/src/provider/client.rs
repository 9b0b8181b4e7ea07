//! A small HTTP client: JSON out, a bounded answer back, under a deadline, over kept connections.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as Pool;
use world::Tasks;

use super::ProviderError;
use super::dial::{Beside, Dial, Line};

/// Bytes of an answer, at most.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Idle connections that are kept, at most.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// A URL that cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a URL like `http://127.0.0.1:8090`, got `{url}`")]
pub struct UrlError {
    /// What was given.
    pub url: String,
}

/// Reads a URL without query or fragment; a slash at its end does not count.
pub(crate) fn base(url: &str) -> Result<String, UrlError> {
    let wrong = || UrlError {
        url: url.to_owned(),
    };
    let text = url.trim_end_matches('/');
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let plain = uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty());
    if plain && uri.query().is_none() {
        Ok(text.to_owned())
    } else {
        Err(wrong())
    }
}

/// The client; cheap to clone, clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pool: Pool<Dial, Full<Bytes>>,
    tasks: Tasks,
    deadline: Duration,
}

impl Client {
    /// A client whose calls end within the deadline.
    pub(crate) fn new(line: &Line, deadline: Duration) -> Self {
        let pool = Pool::builder(Beside(line.tasks.clone()))
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(Dial(line.network.clone()));
        Self {
            pool,
            tasks: line.tasks.clone(),
            deadline,
        }
    }

    /// Asks.
    pub(crate) async fn get(&self, url: &str) -> Result<(StatusCode, Bytes), ProviderError> {
        let request = Request::builder().method(Method::GET).uri(url);
        self.call(request.body(Full::default())).await
    }

    /// Sends JSON, with one more header if there is one.
    pub(super) async fn post(
        &self,
        url: &str,
        body: Vec<u8>,
        extra: Option<(HeaderName, HeaderValue)>,
    ) -> Result<(StatusCode, Bytes), ProviderError> {
        self.send(url, body, extra.into_iter()).await
    }

    /// Sends JSON, with more headers.
    pub(crate) async fn send(
        &self,
        url: &str,
        body: Vec<u8>,
        extra: impl Iterator<Item = (HeaderName, HeaderValue)>,
    ) -> Result<(StatusCode, Bytes), ProviderError> {
        let json = HeaderValue::from_static("application/json");
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(CONTENT_TYPE, json);
        for (name, value) in extra {
            request = request.header(name, value);
        }
        self.call(request.body(Full::from(body))).await
    }

    async fn call(
        &self,
        request: Result<Request<Full<Bytes>>, http::Error>,
    ) -> Result<(StatusCode, Bytes), ProviderError> {
        let request = request.map_err(|error| ProviderError::Nonsense(error.to_string()))?;
        let exchange = async {
            let answer =
                self.pool
                    .request(request)
                    .await
                    .map_err(|error| match error.is_connect() {
                        true => ProviderError::Unreachable(chain(&error)),
                        false => ProviderError::Lost(chain(&error)),
                    })?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await;
            let body = body.map_err(|error| ProviderError::Lost(error.to_string()))?;
            Ok((status, body.to_bytes()))
        };
        let answered = self.tasks.timeout(self.deadline, exchange).await;
        answered.unwrap_or(Err(ProviderError::Timeout))
    }
}

/// An error with its causes: the outermost alone says "client error".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_urls_are_taken() {
        assert_eq!(
            base("http://127.0.0.1:8090/").as_deref(),
            Ok("http://127.0.0.1:8090")
        );
        assert_eq!(
            base("http://pay.shop/v1").as_deref(),
            Ok("http://pay.shop/v1")
        );
        for wrong in [
            "",
            "127.0.0.1:1",
            "https://pay.shop",
            "/charges",
            "http://pay.shop/?a=1",
            "http://",
        ] {
            assert!(base(wrong).is_err(), "{wrong}");
        }
    }
}
