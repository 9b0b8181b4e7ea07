//! A bounded set of connections that many buyers share.

use super::{ClientError, Connection, Patience, Reply, Request};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use world::{Clock, SystemClock};

/// An answer that outlives its connection.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The key was known; nothing was done again.
    pub repeated: bool,
    /// Seconds to wait before the next try.
    pub retry_after_s: Option<u32>,
    /// The receipt: `<sale> <position>`.
    pub position: Option<Box<str>>,
    /// The body.
    pub body: Vec<u8>,
    /// Time on the wire: from sending the request to the last byte of the answer.
    pub took: Duration,
}

impl Answer {
    fn new(reply: &Reply<'_>, took: Duration) -> Self {
        Self {
            status: reply.status,
            repeated: reply.repeated,
            retry_after_s: reply.retry_after_s,
            position: reply.position.map(Into::into),
            body: reply.body.to_vec(),
            took,
        }
    }

    /// Whether the status is a 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..300)
    }
}

/// At most so many connections to one server; who finds none free waits.
#[derive(Debug)]
pub struct Pool {
    address: SocketAddr,
    patience: Patience,
    clock: Arc<SystemClock>,
    seats: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    /// A pool of `connections` (at least one), none of them open yet.
    #[must_use]
    pub fn new(
        address: SocketAddr,
        connections: usize,
        patience: Patience,
        clock: Arc<SystemClock>,
    ) -> Self {
        Self {
            address,
            patience,
            clock,
            seats: Semaphore::new(connections.max(1)),
            idle: Mutex::new(Vec::with_capacity(connections)),
        }
    }

    /// Sends one request on a free connection and waits for its answer.
    ///
    /// # Errors
    /// There is no whole answer. The connection is not used again.
    pub async fn ask(&self, request: &Request<'_>) -> Result<Answer, ClientError> {
        let _seat = self
            .seats
            .acquire()
            .await
            .map_err(|_| ClientError::Closed)?;
        let mut connection = self.take().await?;
        let started = self.clock.monotonic();
        let reply = connection.ask(request).await?;
        let answer = Answer::new(&reply, self.clock.monotonic().saturating_sub(started));
        if connection.is_open() {
            self.idle().push(connection);
        }
        Ok(answer)
    }

    /// Sends one request and hangs up without waiting for the answer, like a phone that goes into a tunnel.
    ///
    /// # Errors
    /// It could not be sent.
    pub async fn send_and_hang_up(&self, request: &Request<'_>) -> Result<(), ClientError> {
        let _seat = self
            .seats
            .acquire()
            .await
            .map_err(|_| ClientError::Closed)?;
        let mut connection = self.take().await?;
        connection.push(request);
        connection.flush().await
    }

    async fn take(&self) -> Result<Connection, ClientError> {
        let idle = self.idle().pop();
        match idle {
            Some(connection) => Ok(connection),
            None => Connection::open(self.address, self.patience).await,
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
