//! One connection and its two buffers.

use super::reply::{Framing, Head, parse_head, take_chunks};
use super::{ClientError, Patience, Reply, Request};
use std::io::Write;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A keep-alive connection. After any error it is spent: drop it and open another.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    host: Box<str>,
    patience: Patience,
    output: Vec<u8>,
    input: Vec<u8>,
    /// Bytes of `input` that the last answer took.
    spent: usize,
    chunked_body: Vec<u8>,
    closing: bool,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens, or does not answer in time.
    pub async fn open(address: SocketAddr, patience: Patience) -> Result<Self, ClientError> {
        let stream = timeout(patience.connect, TcpStream::connect(address))
            .await
            .map_err(|_| ClientError::Connect(std::io::ErrorKind::TimedOut.into()))?
            .map_err(ClientError::Connect)?;
        // A request is one write; waiting for more bytes to fill a packet only adds latency.
        stream.set_nodelay(true).map_err(ClientError::Connect)?;
        Ok(Self {
            stream,
            host: address.to_string().into(),
            patience,
            output: Vec::with_capacity(1024),
            input: Vec::with_capacity(8 * 1024),
            spent: 0,
            chunked_body: Vec::new(),
            closing: false,
        })
    }

    /// Whether another request may be sent on this connection.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !self.closing
    }

    /// Sends one request and waits for its answer.
    ///
    /// # Errors
    /// There is no whole answer; what became of the request is unknown.
    pub async fn ask(&mut self, request: &Request<'_>) -> Result<Reply<'_>, ClientError> {
        self.push(request);
        self.flush().await?;
        self.next_reply().await
    }

    /// Puts a request into the output buffer. Several may follow one another before a flush; their answers come in
    /// the same order.
    pub fn push(&mut self, request: &Request<'_>) {
        let method = if request.method.is_empty() {
            "GET"
        } else {
            request.method
        };
        let out = &mut self.output;
        for part in [
            method,
            " ",
            request.path,
            " HTTP/1.1\r\nhost: ",
            &self.host,
            "\r\n",
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        if let Some(bearer) = request.bearer {
            push_header(out, "authorization: Bearer ", bearer);
        }
        if let Some(key) = request.key {
            push_header(out, "idempotency-key: ", key);
        }
        let Some(body) = request.body else {
            out.extend_from_slice(b"\r\n");
            return;
        };
        push_header(out, "content-type: ", "application/json");
        out.extend_from_slice(b"content-length: ");
        let mut digits = [0_u8; 20];
        let mut rest = &mut digits[..];
        // Twenty digits hold every 64-bit number.
        let _ = write!(rest, "{}", body.len());
        let used = 20 - rest.len();
        out.extend_from_slice(&digits[..used]);
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(body);
    }

    /// Sends what was pushed.
    ///
    /// # Errors
    /// The connection broke or the server does not read.
    pub async fn flush(&mut self) -> Result<(), ClientError> {
        timeout(self.patience.answer, self.stream.write_all(&self.output))
            .await
            .map_err(|_| ClientError::TimedOut)?
            .map_err(ClientError::Lost)?;
        self.output.clear();
        Ok(())
    }

    /// The next answer.
    ///
    /// # Errors
    /// There is none, or it is not whole.
    pub async fn next_reply(&mut self) -> Result<Reply<'_>, ClientError> {
        timeout(self.patience.answer, self.read_reply())
            .await
            .map_err(|_| ClientError::TimedOut)?
    }

    async fn read_reply(&mut self) -> Result<Reply<'_>, ClientError> {
        self.input.drain(..self.spent);
        self.spent = 0;
        let head = self.read_head().await?;
        self.closing = head.closes;
        let length = match head.framing {
            Framing::Length(length) => self.read_sized(head.length, length).await?,
            Framing::Chunked => self.read_chunked(head.length).await?,
        };
        Ok(self.reply(&head, length))
    }

    async fn read_head(&mut self) -> Result<Head, ClientError> {
        loop {
            if let Some(head) = parse_head(&self.input)? {
                // An interim answer (100 to 199) announces the real one.
                if !(100..200).contains(&head.status) {
                    return Ok(head);
                }
                self.input.drain(..head.length);
                continue;
            }
            if self.input.len() > self.patience.head_bytes_max {
                return Err(ClientError::TooLarge("head"));
            }
            self.read_more().await?;
        }
    }

    async fn read_sized(&mut self, head: usize, length: usize) -> Result<usize, ClientError> {
        if length > self.patience.body_bytes_max {
            return Err(ClientError::TooLarge("body"));
        }
        self.input.reserve(head + length);
        while self.input.len() < head + length {
            self.read_more().await?;
        }
        self.spent = head + length;
        Ok(length)
    }

    async fn read_chunked(&mut self, head: usize) -> Result<usize, ClientError> {
        self.chunked_body.clear();
        self.spent = head;
        loop {
            let unread = &self.input[self.spent..];
            let (taken, done) = take_chunks(unread, &mut self.chunked_body)?;
            self.spent += taken;
            if self.chunked_body.len() + unread.len() > self.patience.body_bytes_max {
                return Err(ClientError::TooLarge("body"));
            }
            if done {
                return Ok(self.chunked_body.len());
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> Result<(), ClientError> {
        match self.stream.read_buf(&mut self.input).await {
            Ok(0) => Err(ClientError::Closed),
            Ok(_) => Ok(()),
            Err(error) => Err(ClientError::Lost(error)),
        }
    }

    fn reply(&self, head: &Head, length: usize) -> Reply<'_> {
        let body = match head.framing {
            Framing::Length(_) => &self.input[head.length..head.length + length],
            Framing::Chunked => &self.chunked_body[..],
        };
        let position = head
            .position
            .and_then(|(from, to)| std::str::from_utf8(&self.input[from..to]).ok());
        Reply {
            status: head.status,
            repeated: head.repeated,
            retry_after_s: head.retry_after_s,
            position,
            body,
        }
    }
}

fn push_header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}
