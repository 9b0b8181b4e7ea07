//! The socket under a connection: tells when a head begins and when a client does not read, and puts a problem document where the HTTP library would
//! answer a head that it cannot read with a bare status.

use crate::ids::Ids;
use crate::phase::{Backlog, Phase};
use api::{Code, Problem, RequestId};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use telemetry::Telemetry;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use world::network::Stream;
use world::{Clock, Tasks};

/// What a socket needs besides its stream.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: Tasks,
    pub(crate) ids: Arc<Ids>,
    pub(crate) telemetry: Telemetry,
    pub(crate) phase: Arc<Phase>,
    pub(crate) backlog: Arc<Backlog>,
}

/// A stream as the HTTP library sees it.
pub(crate) struct Socket {
    stream: Stream,
    around: Surroundings,
    /// A document that is being written instead of a bare answer, and how much of it is.
    instead: Option<(Vec<u8>, usize)>,
}

impl Socket {
    pub(crate) const fn new(stream: Stream, around: Surroundings) -> Self {
        Self {
            stream,
            around,
            instead: None,
        }
    }

    /// The stream and what surrounded it.
    pub(crate) fn into_parts(self) -> (Stream, Surroundings) {
        (self.stream, self.around)
    }

    fn poll_out(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.instead.is_none() && is_bare(bytes) {
            let document = unreadable(status(bytes), &self.around);
            self.instead = Some((document, 0));
        }
        if self.instead.is_some() {
            ready!(self.poll_instead(context))?;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_instead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((document, written)) = &mut self.instead {
            if *written == document.len() {
                self.instead = None;
                break;
            }
            let more =
                ready!(Pin::new(&mut self.stream).poll_write(context, &document[*written..]))?;
            *written += more;
            if more == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            let clock = &self.around.clock;
            self.around.phase.bytes(|| clock.monotonic());
        }
        Poll::Ready(Ok(()))
    }
}

/// Vectored writes stay off: head and body of an answer then leave in one piece.
impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.poll_out(context, bytes);
        let (clock, backlog) = (&self.around.clock, &self.around.backlog);
        match written {
            Poll::Pending => backlog.waits(clock.monotonic()),
            Poll::Ready(Ok(taken)) => backlog.took(taken, || clock.monotonic()),
            Poll::Ready(Err(_)) => {}
        }
        written
    }

    /// The library flushes once all that it has is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.around.backlog.is_over();
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Every answer of the door's own has a request id; only the library's answers to unreadable heads have none.
fn is_bare(bytes: &[u8]) -> bool {
    bytes.len() < 256
        && bytes.starts_with(b"HTTP/1.1 4")
        && bytes.ends_with(b"\r\n\r\n")
        && !bytes.windows(12).any(|window| window == b"x-request-id")
}

fn status(bytes: &[u8]) -> u16 {
    let digits = bytes
        .get(9..12)
        .and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(400)
}

fn unreadable(status: u16, around: &Surroundings) -> Vec<u8> {
    let problem = match status {
        431 => Problem::because(
            Code::HeadersTooLarge,
            "the head of the request has too many headers or bytes",
        ),
        414 => Problem::because(
            Code::HeadersTooLarge,
            "the address of the request is too long",
        )
        .at_status(414),
        _ => Problem::because(Code::MalformedJson, "the request is no HTTP/1.1").at_status(400),
    };
    whole_answer(&problem, around)
}

/// A whole answer that ends its connection, for where no request could be read.
pub(crate) fn whole_answer(problem: &Problem, around: &Surroundings) -> Vec<u8> {
    around.telemetry.meters().count_problem(problem.code());
    let request_id = around.ids.request(around.clock.wall_ms());
    write_answer(problem, &request_id)
}

fn write_answer(problem: &Problem, request_id: &RequestId) -> Vec<u8> {
    let body = problem.document(request_id);
    let status =
        http::StatusCode::from_u16(problem.status()).unwrap_or(http::StatusCode::BAD_REQUEST);
    let retry = problem
        .retry_after_s()
        .map(|seconds| format!("retry-after: {seconds}\r\n"))
        .unwrap_or_default();
    let mut answer = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n{retry}x-request-id: {request_id}\r\nconnection: close\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        body.len(),
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer
}
