//! The network of this machine: TCP.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::{Accepting, Connecting, Listener, Network, Stream};

/// Connections that the kernel keeps for a moment in which nobody accepts.
const BACKLOG: i32 = 4_096;

/// TCP, on the tokio runtime around each call.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsNetwork;

impl Network for OsNetwork {
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Box::new(OsListener(TcpListener::from_std(socket.into())?)))
    }

    fn connect(&self, host: &str, port: u16) -> Connecting {
        let host = host.to_owned();
        Box::pin(async move { Ok(at_once(TcpStream::connect((host, port)).await?)) })
    }
}

#[derive(Debug)]
struct OsListener(TcpListener);

impl Listener for OsListener {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn accept(&mut self) -> Accepting<'_> {
        Box::pin(async move {
            let (stream, from) = self.0.accept().await?;
            Ok((at_once(stream), from))
        })
    }
}

/// Answers are small and wanted now.
fn at_once(stream: TcpStream) -> Stream {
    // Where it cannot be set, what is written is merely late.
    let _ = stream.set_nodelay(true);
    Box::new(stream)
}
