//! A lean HTTP/1.1 client: keep-alive, reused buffers, optional pipelining, and nothing else.
//!
//! Why not a library: the drill, the replay and the benches share two cores with the server that they load. A client
//! that costs as much as the server would measure itself, and every side of a comparison must pay the same for it.

mod connection;
mod pool;
mod reply;

pub use connection::Connection;
pub use pool::{Answer, Pool};
pub use reply::Reply;

use std::time::Duration;

/// One request. Everything is borrowed: the connection copies it into its own buffer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// Method; `GET` when empty.
    pub method: &'a str,
    /// Path with its query, beginning with `/`.
    pub path: &'a str,
    /// What follows `Authorization: Bearer `.
    pub bearer: Option<&'a str>,
    /// The idempotency key.
    pub key: Option<&'a str>,
    /// A JSON body.
    pub body: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// A request that only reads.
    #[must_use]
    pub const fn get(path: &'a str, bearer: &'a str) -> Self {
        Self {
            method: "GET",
            path,
            bearer: Some(bearer),
            key: None,
            body: None,
        }
    }

    /// A request that changes something, under its idempotency key.
    #[must_use]
    pub const fn post(path: &'a str, bearer: &'a str, key: &'a str, body: &'a [u8]) -> Self {
        Self {
            method: "POST",
            path,
            bearer: Some(bearer),
            key: Some(key),
            body: Some(body),
        }
    }
}

/// How long a client waits, and how much it takes.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// From the first byte of a request to the last byte of its answer.
    pub answer: Duration,
    /// Longest head of an answer, bytes.
    pub head_bytes_max: usize,
    /// Longest body of an answer, bytes.
    pub body_bytes_max: usize,
}

impl Default for Patience {
    /// 2 s to connect, 30 s to answer, 32 KiB of head, 64 MiB of body.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            answer: Duration::from_secs(30),
            head_bytes_max: 32 * 1024,
            body_bytes_max: 64 * 1024 * 1024,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens: the request was not sent.
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    /// The connection broke while the request was sent or its answer awaited: what became of it is unknown.
    #[error("connection lost")]
    Lost(#[source] std::io::Error),
    /// The server closed the connection before its answer was complete: what became of the request is unknown.
    #[error("connection closed before the answer was complete")]
    Closed,
    /// No answer in time: what became of the request is unknown.
    #[error("no answer in time")]
    TimedOut,
    /// The answer is no HTTP/1.1.
    #[error("malformed answer: {0}")]
    Malformed(&'static str),
    /// The answer is larger than the client takes.
    #[error("answer too large: {0}")]
    TooLarge(&'static str),
}
