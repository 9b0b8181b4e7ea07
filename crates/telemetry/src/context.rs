//! The request that is being worked on: its id and its trace (W3C Trace Context).
//!
//! The context is set around every poll of a request's future, so each line that is logged inside carries it. That
//! costs a copy of some hundred bytes, where a span would cost allocations for every request.

use api::RequestId;
use std::cell::Cell;
use std::fmt;

thread_local! {
    static CURRENT: Cell<Option<RequestContext>> = const { Cell::new(None) };
}

/// Which request, and which trace it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestContext {
    /// The name of the request in logs and answers.
    pub request_id: RequestId,
    /// The trace, the same through all services; never zero.
    pub trace_id: u128,
    /// This service's part of the trace; never zero.
    pub span_id: u64,
    /// The caller's part, 0 when it named none.
    pub parent_id: u64,
    /// The caller asked that the trace be kept.
    pub sampled: bool,
}

impl RequestContext {
    /// The context of the request that this thread is working on.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.get()
    }

    /// Runs a closure inside this context.
    pub fn enter<T>(self, work: impl FnOnce() -> T) -> T {
        let _left = Restore(CURRENT.replace(Some(self)));
        work()
    }

    /// The header `traceparent` for this service's part of the trace.
    #[must_use]
    pub fn traceparent(&self) -> TraceParent {
        TraceParent {
            trace_id: self.trace_id,
            parent_id: self.span_id,
            sampled: self.sampled,
        }
    }
}

/// Puts the context of before back, also when the work panics.
struct Restore(Option<RequestContext>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// The header `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; never zero.
    pub trace_id: u128,
    /// The caller's part of it; never zero.
    pub parent_id: u64,
    /// The trace is to be kept.
    pub sampled: bool,
}

impl TraceParent {
    /// Reads version 00, and the same fields of later versions. `None` for what the standard calls invalid.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let shape = bytes.len() >= 55 && bytes[2] == b'-' && bytes[35] == b'-' && bytes[52] == b'-';
        if !shape || !text.is_ascii() || &text[..2] == "ff" {
            return None;
        }
        if bytes.len() > 55 && (&text[..2] == "00" || bytes[55] != b'-') {
            return None;
        }
        hex(&text[..2])?;
        let trace_id = hex(&text[3..35])?;
        let parent_id = u64::try_from(hex(&text[36..52])?).ok()?;
        let flags = hex(&text[53..55])?;
        (trace_id != 0 && parent_id != 0).then_some(Self {
            trace_id,
            parent_id,
            sampled: flags & 1 == 1,
        })
    }
}

/// Lower-case hexadecimal digits only, as the standard has it.
fn hex(text: &str) -> Option<u128> {
    let strict = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    strict
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id,
            self.parent_id,
            u8::from(self.sampled)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_standard_comes_back() {
        let parent = TraceParent::parse(EXAMPLE).unwrap();
        assert!(parent.sampled);
        assert_eq!(parent.to_string(), EXAMPLE);
        assert!(
            TraceParent::parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later")
                .is_some()
        );
    }

    #[test]
    fn what_the_standard_calls_invalid_is_not_taken_over() {
        for text in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00-4bf92f3577b34da6a3ce929d0e0e47é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_context_is_there_inside_and_gone_outside() {
        let context = RequestContext {
            request_id: RequestId::from_u64(5),
            trace_id: 1,
            span_id: 2,
            parent_id: 0,
            sampled: false,
        };
        assert_eq!(RequestContext::current(), None);
        context.enter(|| assert_eq!(RequestContext::current(), Some(context)));
        assert_eq!(RequestContext::current(), None);
    }
}
