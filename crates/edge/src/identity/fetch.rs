//! Getting a small document from elsewhere.

use super::jwk::KEY_SET_MAX;
use bytes::{Bytes, BytesMut};
use http::Request;
use http::header::{ACCEPT, HOST};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use world::{Network, Tasks};

/// Why a document could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address is none that can be reached this way.
    #[error("the address cannot be reached this way")]
    Address,
    /// The other side cannot be reached.
    #[error("nobody answers there")]
    Unreachable,
    /// It took too long.
    #[error("it takes too long")]
    TooSlow,
    /// It is larger than it may be.
    #[error("it is too large")]
    TooLarge,
    /// It was refused, or is not what was asked for.
    #[error("{0}")]
    Refused(String),
}

impl FetchError {
    /// What the caller can do.
    #[must_use]
    pub const fn kind(&self) -> world::ErrorKind {
        match self {
            Self::Address | Self::TooLarge => world::ErrorKind::Fix,
            Self::Unreachable | Self::TooSlow | Self::Refused(_) => world::ErrorKind::Wait,
        }
    }
}

/// A document on its way.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Bytes, FetchError>> + Send + 'a>>;

/// Gets small documents. The composition root gives one that knows files and TLS.
pub trait Fetch: Send + Sync {
    /// The document at this address, 256 KiB at most. The caller gives up after five seconds.
    fn fetch(&self, url: &str) -> Fetching<'_>;
}

/// Gets documents over plain HTTP, from loopback or a network that is trusted. TLS is not spoken here: an `https://`
/// address is refused, never fetched in the clear.
#[derive(Debug, Clone)]
pub struct PlainFetch {
    network: Arc<dyn Network>,
    tasks: Tasks,
}

impl PlainFetch {
    /// Over this network, beside these tasks.
    #[must_use]
    pub fn new(network: Arc<dyn Network>, tasks: Tasks) -> Self {
        Self { network, tasks }
    }

    async fn get(&self, url: http::Uri) -> Result<Bytes, FetchError> {
        let host = url.host().ok_or(FetchError::Address)?;
        if url.scheme_str() != Some("http") {
            return Err(FetchError::Address);
        }
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_u16().unwrap_or(80);
        let gone = |_| FetchError::Unreachable;
        let stream = self.network.connect(name, port).await.map_err(gone)?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|_| FetchError::Unreachable)?;
        let connection = self.tasks.spawn(connection);
        let path = url
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        let request = Request::get(path)
            .header(HOST, format!("{host}:{port}"))
            .header(ACCEPT, "application/json")
            .body(Empty::<Bytes>::new())
            .map_err(|_| FetchError::Address)?;
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|_| FetchError::Unreachable)?;
        if !answer.status().is_success() {
            return Err(FetchError::Refused(format!("answered {}", answer.status())));
        }
        let body = collect(answer.into_body()).await;
        connection.abort();
        body
    }
}

async fn collect(mut body: hyper::body::Incoming) -> Result<Bytes, FetchError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| FetchError::Unreachable)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > KEY_SET_MAX {
            return Err(FetchError::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

impl Fetch for PlainFetch {
    fn fetch(&self, url: &str) -> Fetching<'_> {
        let url = url.parse();
        Box::pin(async move { self.get(url.map_err(|_| FetchError::Address)?).await })
    }
}
