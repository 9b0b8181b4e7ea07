//! A small HTTP client: JSON out, a bounded answer back, under a deadline, over kept connections.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as Pool;
use world::Tasks;

use super::ProviderError;
use super::dial::{Beside, Dial, Line};
use super::tls::Tls;

/// Bytes of an answer, at most.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
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

/// Reads the URL of a provider that is far away: TLS, or this machine itself.
pub(super) fn secure_base(url: &str) -> Result<String, UrlError> {
    let wrong = || UrlError {
        url: url.to_owned(),
    };
    let text = url.trim_end_matches('/');
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let host = uri.host().unwrap_or_default();
    let safe = match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_loopback(host),
        _ => false,
    };
    let whole = uri.query().is_none() && uri.path() == "/";
    (safe && whole).then(|| text.to_owned()).ok_or_else(wrong)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address: Result<std::net::IpAddr, _> = bare.parse();
    bare == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
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
        Self::over(line, None, deadline)
    }

    /// The same, which also speaks TLS where the URL says so.
    pub(super) fn secure(line: &Line, tls: Tls, deadline: Duration) -> Self {
        Self::over(line, Some(tls), deadline)
    }

    fn over(line: &Line, tls: Option<Tls>, deadline: Duration) -> Self {
        let network = line.network.clone();
        let pool = Pool::builder(Beside(line.tasks.clone()))
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(Dial { network, tls });
        Self {
            pool,
            tasks: line.tasks.clone(),
            deadline,
        }
    }

    /// Asks.
    pub(crate) async fn get(&self, url: &str) -> Result<(StatusCode, Bytes), ProviderError> {
        let request = Request::builder().method(Method::GET).uri(url);
        let answered = self.call(request.body(Full::default())).await?;
        Ok((answered.status, answered.body))
    }

    /// Sends JSON.
    pub(super) async fn post(
        &self,
        url: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), ProviderError> {
        self.send(url, body, std::iter::empty()).await
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
        let answered = self.call(request.body(Full::from(body))).await?;
        Ok((answered.status, answered.body))
    }

    /// Sends a request and gives the whole answer, whatever its status.
    pub(super) async fn call(
        &self,
        request: Result<Request<Full<Bytes>>, http::Error>,
    ) -> Result<Answered, ProviderError> {
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
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| ProviderError::Lost(error.to_string()))?;
            Ok(Answered {
                status: head.status,
                headers: head.headers,
                body: body.to_bytes(),
            })
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

    #[test]
    fn a_provider_far_away_is_reached_over_tls_or_not_at_all() {
        for good in [
            "https://api.stripe.com",
            "https://api.mch.weixin.qq.com/",
            "http://127.0.0.1:8090",
            "http://[::1]:8090",
            "http://localhost:8090",
        ] {
            assert!(secure_base(good).is_ok(), "{good}");
        }
        for wrong in [
            "http://api.stripe.com",
            "http://127.0.0.1.evil.example",
            "https://",
            "https://api.stripe.com/v2",
            "ftp://127.0.0.1",
            "",
        ] {
            assert!(secure_base(wrong).is_err(), "{wrong}");
        }
    }
}
