//! The network: streams of bytes to others, which may be slow, cut, or go nowhere.
//!
//! Servers and clients do their input and output through [`Network`], so that a simulation can delay, cut and divide
//! it. What lies above (HTTP, limits, deadlines) is the same code in both.

mod os;

pub use os::OsNetwork;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes both ways, in order, until either end closes or the network breaks.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A connection to somebody.
pub type Stream = Box<dyn ByteStream>;

/// A connection in the making.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

/// Somebody who calls, and where from.
pub type Accepting<'a> =
    Pin<Box<dyn Future<Output = io::Result<(Stream, SocketAddr)>> + Send + 'a>>;

/// The way to others.
pub trait Network: Send + Sync + fmt::Debug {
    /// Takes an address and lets others connect to it; port 0 takes a free one.
    ///
    /// # Errors
    /// What the operating system says: the address is taken, is none of this machine, or is not allowed.
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>>;

    /// Connects to a port of a host, which is a name or an address. Small writes go out at once.
    fn connect(&self, host: &str, port: u16) -> Connecting;
}

/// An address that others connect to; it is free again once this is dropped.
pub trait Listener: Send + fmt::Debug {
    /// Where it is.
    ///
    /// # Errors
    /// What the operating system says.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The next who connects. Small writes to it go out at once.
    ///
    /// The future may be dropped without losing anybody. It fails with what the operating system says: mostly that
    /// the caller has gone again or that files ran out, which passes.
    fn accept(&mut self) -> Accepting<'_>;
}
