//! Heads of answers, and bodies in chunks.

use super::ClientError;

/// Headers that one answer may have.
const HEADERS_MAX: usize = 64;

/// An answer; its body lies in the buffer of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// HTTP status.
    pub status: u16,
    /// The server says that the request's key was known and nothing was done again.
    pub repeated: bool,
    /// Seconds to wait before the next try.
    pub retry_after_s: Option<u32>,
    /// The receipt: `<sale> <position>`.
    pub position: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

impl Reply<'_> {
    /// Whether the status is a 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..300)
    }
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
}

/// A parsed head. Places are offsets into the buffer, so that it can grow while the body arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) status: u16,
    pub(super) framing: Framing,
    pub(super) repeated: bool,
    pub(super) retry_after_s: Option<u32>,
    pub(super) position: Option<(usize, usize)>,
    pub(super) closes: bool,
}

/// The head at the start of `bytes`, or `None` while it is incomplete.
pub(super) fn parse_head(bytes: &[u8]) -> Result<Option<Head>, ClientError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ClientError::Malformed("not an HTTP/1.1 head")),
    };
    let status = response
        .code
        .ok_or(ClientError::Malformed("no status code"))?;
    let mut head = Head {
        length,
        status,
        framing: Framing::Length(0),
        repeated: false,
        retry_after_s: None,
        position: None,
        closes: false,
    };
    for header in response.headers.iter() {
        head.take(header, bytes.as_ptr() as usize)?;
    }
    Ok(Some(head))
}

impl Head {
    fn take(&mut self, header: &httparse::Header<'_>, start: usize) -> Result<(), ClientError> {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            let length = number(header.value).ok_or(ClientError::Malformed("content-length"))?;
            self.framing = Framing::Length(length);
        } else if is("transfer-encoding") {
            self.framing = Framing::Chunked;
        } else if is("idempotency-replayed") {
            self.repeated = header.value.eq_ignore_ascii_case(b"true");
        } else if is("retry-after") {
            self.retry_after_s = number(header.value).and_then(|s| u32::try_from(s).ok());
        } else if is("tidegate-position") {
            let from = header.value.as_ptr() as usize - start;
            self.position = Some((from, from + header.value.len()));
        } else if is("connection") {
            self.closes = header.value.eq_ignore_ascii_case(b"close");
        }
        Ok(())
    }
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// Takes complete chunks off the front of `bytes` into `body`. Says how many bytes it took and whether the last chunk
/// was among them. Trailers are not supported: no server of ours sends them.
pub(super) fn take_chunks(bytes: &[u8], body: &mut Vec<u8>) -> Result<(usize, bool), ClientError> {
    let mut taken = 0;
    loop {
        let (head, size) = match httparse::parse_chunk_size(&bytes[taken..]) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok((taken, false)),
            Err(_) => return Err(ClientError::Malformed("chunk size")),
        };
        let size = usize::try_from(size).map_err(|_| ClientError::TooLarge("chunk"))?;
        let from = taken + head;
        let Some(end) = from.checked_add(size).and_then(|end| end.checked_add(2)) else {
            return Err(ClientError::TooLarge("chunk"));
        };
        if bytes.len() < end {
            return Ok((taken, false));
        }
        if &bytes[end - 2..end] != b"\r\n" {
            return Err(ClientError::Malformed("end of chunk"));
        }
        body.extend_from_slice(&bytes[from..end - 2]);
        taken = end;
        if size == 0 {
            return Ok((taken, true));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_what_the_drill_needs() {
        let bytes = b"HTTP/1.1 503 Busy\r\nContent-Length: 12\r\nRetry-After: 3\r\n\
            Idempotency-Replayed: true\r\nTidegate-Position: sale_00001 7-ab\r\nConnection: close\r\n\r\n";
        let head = parse_head(bytes).unwrap().unwrap();
        assert_eq!(
            (head.status, head.length, head.framing),
            (503, bytes.len(), Framing::Length(12))
        );
        assert!(head.repeated && head.closes && head.retry_after_s == Some(3));
        let (from, to) = head.position.unwrap();
        assert_eq!(&bytes[from..to], b"sale_00001 7-ab");
    }

    #[test]
    fn every_cut_of_a_head_waits_for_more() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        for end in 0..bytes.len() {
            assert_eq!(parse_head(&bytes[..end]).unwrap(), None, "{end}");
        }
        assert!(parse_head(b"SSH-2.0-OpenSSH\r\n").is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n").is_err());
    }

    #[test]
    fn chunks_come_whole_whatever_the_cuts() {
        let bytes = b"4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\nNEXT";
        for cut in 0..=bytes.len() {
            let mut body = Vec::new();
            let (taken, done) = take_chunks(&bytes[..cut], &mut body).unwrap();
            let (more, done_later) = take_chunks(&bytes[taken..], &mut body).unwrap_or((0, done));
            assert!(done || done_later, "{cut}");
            assert_eq!(body, b"Wikipedia", "{cut}");
            assert!(done || &bytes[taken + more..] == b"NEXT");
        }
        assert!(take_chunks(b"4\r\nWikiXX", &mut Vec::new()).is_err());
        assert!(take_chunks(b"zz\r\n", &mut Vec::new()).is_err());
        assert!(take_chunks(b"ffffffffffffffff\r\nx", &mut Vec::new()).is_err());
    }
}
