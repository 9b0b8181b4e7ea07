//! How the client's pool reaches others: over the network and beside the tasks that it is given.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Executor, Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use world::network::Stream;
use world::{Network, Tasks};

use super::tls::Tls;

/// What calls to the outside go over.
#[derive(Debug, Clone)]
pub struct Line {
    /// The way to others.
    pub network: Arc<dyn Network>,
    /// Who carries connections and waits.
    pub tasks: Tasks,
}

/// Makes connections for the pool.
#[derive(Debug, Clone)]
pub(super) struct Dial {
    pub(super) network: Arc<dyn Network>,
    /// Without it a URL with `https` cannot be called.
    pub(super) tls: Option<Tls>,
}

impl tower::Service<Uri> for Dial {
    type Response = Wire;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // An IPv6 address stands in brackets in a URL, and without them everywhere else.
        let host = uri.host().unwrap_or_default();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let plain = uri.scheme_str() != Some("https");
        let port = uri.port_u16().unwrap_or(if plain { 80 } else { 443 });
        let connecting = self.network.connect(&host, port);
        let tls = self.tls.clone();
        Box::pin(async move {
            let stream = connecting.await?;
            if plain {
                return Ok(Wire(TokioIo::new(stream)));
            }
            let tls = tls.ok_or_else(|| io::Error::other("this client speaks no TLS"))?;
            Ok(Wire(TokioIo::new(tls.wrap(&host, stream).await?)))
        })
    }
}

/// Runs the pool's connections beside everything else.
#[derive(Debug, Clone)]
pub(super) struct Beside(pub(super) Tasks);

impl<F> Executor<F> for Beside
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, work: F) {
        drop(self.0.spawn(work));
    }
}

/// A connection of the pool.
pub(super) struct Wire(TokioIo<Stream>);

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, parts)
    }
}
