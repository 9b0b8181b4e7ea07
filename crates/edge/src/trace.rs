//! Which request this is and which trace it belongs to, taken over from the client where it says so.

use crate::ids::Ids;
use api::RequestId;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use telemetry::RequestContext;
use telemetry::context::TraceParent;

/// Reads `traceparent`, `X-Request-Id` and `X-Trace-Id`; what is missing or not well-formed is made.
pub(crate) fn context(headers: &HeaderMap, ids: &Ids, now_ms: u64) -> RequestContext {
    let text = |name: &'static str| headers.get(name).and_then(|value| value.to_str().ok());
    let parent = text("traceparent").and_then(TraceParent::parse);
    let trace = text("x-trace-id");
    let request_id = text("x-request-id").and_then(RequestId::new);
    let request_id = request_id.or_else(|| {
        trace
            .filter(|trace| hex(trace).is_none())
            .and_then(RequestId::new)
    });
    RequestContext {
        request_id: request_id.unwrap_or_else(|| ids.request(now_ms)),
        trace_id: parent
            .map(|parent| parent.trace_id)
            .or_else(|| trace.and_then(hex))
            .unwrap_or_else(|| ids.trace()),
        span_id: ids.span(),
        parent_id: parent.map_or(0, |parent| parent.parent_id),
        sampled: parent.is_some_and(|parent| parent.sampled),
    }
}

/// A trace id of 32 hexadecimal digits, or a UUID.
fn hex(text: &str) -> Option<u128> {
    let digits: String = text.chars().filter(|char| *char != '-').collect();
    let plain = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain
        .then(|| u128::from_str_radix(&digits, 16).ok())
        .flatten()
        .filter(|id| *id != 0)
}

/// The headers `x-request-id` and `traceparent` of the answer, in one allocation.
pub(crate) fn headers(context: &RequestContext) -> (Option<HeaderValue>, Option<HeaderValue>) {
    let request_id = context.request_id.as_str().as_bytes();
    let mut text = Vec::with_capacity(request_id.len() + 55);
    text.extend_from_slice(request_id);
    text.extend_from_slice(b"00-");
    push_hex(&mut text, &context.trace_id.to_be_bytes());
    text.push(b'-');
    push_hex(&mut text, &context.span_id.to_be_bytes());
    text.extend_from_slice(if context.sampled { b"-01" } else { b"-00" });
    let text = Bytes::from(text);
    let value = |bytes: Bytes| HeaderValue::from_maybe_shared(bytes).ok();
    (
        value(text.slice(..request_id.len())),
        value(text.slice(request_id.len()..)),
    )
}

fn push_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use world::SeededEntropy;

    fn read(pairs: &[(&'static str, &str)]) -> RequestContext {
        let headers = pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        context(
            &headers,
            &Ids::new(1, &SeededEntropy::new(1)),
            1_800_000_000_000,
        )
    }

    #[test]
    fn the_trace_of_the_caller_goes_on() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = read(&[("traceparent", parent), ("x-request-id", "shop-17")]);
        assert_eq!(context.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(
            (context.parent_id, context.sampled),
            (0x00f0_67aa_0ba9_02b7, true)
        );
        let (id, told) = headers(&context);
        assert_eq!(id.unwrap(), "shop-17");
        assert_eq!(
            told.unwrap().to_str().unwrap(),
            context.traceparent().to_string()
        );
    }

    #[test]
    fn a_trace_id_may_be_a_uuid_or_a_name() {
        let uuid = read(&[("x-trace-id", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736")]);
        assert_eq!(uuid.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        let name = read(&[("x-trace-id", "order-flow-7")]);
        assert_eq!(name.request_id.as_str(), "order-flow-7");
    }

    #[test]
    fn what_is_missing_or_harmful_is_made_new() {
        let context = read(&[("x-request-id", "a b\"c"), ("traceparent", "nonsense")]);
        assert_eq!(context.request_id.as_str().len(), 11);
        assert!(context.trace_id != 0 && context.span_id != 0);
    }
}
