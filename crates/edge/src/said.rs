//! Answers on their way out.

use crate::trace;
use api::service::Answer;
use api::{Position, Problem, SaleId};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use telemetry::RequestContext;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const POSITION: HeaderName = HeaderName::from_static("tidegate-position");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What a handler says.
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) content_type: HeaderValue,
    pub(crate) body: Body,
    pub(crate) position: Option<(SaleId, Position)>,
    pub(crate) repeated: bool,
    /// One more header, where a page needs one.
    pub(crate) extra: Option<(HeaderName, HeaderValue)>,
}

impl Said {
    /// An answer with a body of some type.
    pub(crate) fn page(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: HeaderValue::from_static(content_type),
            body: Body::from(body.into()),
            position: None,
            repeated: false,
            extra: None,
        }
    }

    /// A value as JSON.
    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Self, Problem> {
        let mut body = Vec::with_capacity(512);
        serde_json::to_writer(&mut body, value).map_err(|_| {
            Problem::because(api::Code::Internal, "the answer cannot be written as JSON")
        })?;
        Ok(Self {
            status,
            content_type: JSON,
            ..Self::page("", body)
        })
    }

    /// An answer of the shop: `fresh` when it was done now, 200 when it repeats what was done before.
    pub(crate) fn answer<T: Serialize>(
        fresh: StatusCode,
        answer: &Answer<T>,
    ) -> Result<Self, Problem> {
        let status = if answer.repeated {
            StatusCode::OK
        } else {
            fresh
        };
        let said = Self::json(status, &answer.body)?;
        Ok(Self {
            position: answer.position,
            repeated: answer.repeated,
            ..said
        })
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.extra = Some((name, value));
        self
    }
}

/// The whole answer.
pub(crate) fn respond(said: Said, context: &RequestContext) -> Response<Body> {
    let mut response = Response::new(said.body);
    *response.status_mut() = said.status;
    let headers = response.headers_mut();
    headers.reserve(6);
    headers.insert(header::CONTENT_TYPE, said.content_type);
    if let Some((sale, position)) = said.position
        && let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(format!("{sale} {position}")))
    {
        headers.insert(POSITION, value);
    }
    if said.repeated {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    if let Some((name, value)) = said.extra {
        headers.insert(name, value);
    }
    trace_headers(headers, context);
    response
}

/// The whole answer that tells a problem.
pub(crate) fn refuse(problem: &Problem, context: &RequestContext) -> Response<Body> {
    let mut response = Response::new(Body::from(problem.document(&context.request_id)));
    *response.status_mut() =
        StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.reserve(6);
    headers.insert(header::CONTENT_TYPE, PROBLEM);
    if let Some(seconds) = problem.retry_after_s() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.status() == 401 {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    trace_headers(headers, context);
    response
}

fn trace_headers(headers: &mut http::HeaderMap, context: &RequestContext) {
    let (request_id, traceparent) = trace::headers(context);
    if let Some(value) = request_id {
        headers.insert(REQUEST_ID, value);
    }
    if let Some(value) = traceparent {
        headers.insert(TRACEPARENT, value);
    }
}
