//! A request as handlers see it: read, bounded, and with its caller known.

use api::check::{Check, Keyed, is_key};
use api::service::{Call, Caller};
use api::{Code, Problem};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::net::IpAddr;
use std::str::FromStr;
use telemetry::RequestContext;

/// A request.
pub(crate) struct Asked {
    pub(crate) context: RequestContext,
    pub(crate) client: IpAddr,
    pub(crate) headers: HeaderMap,
    /// What stood in the place of the template's `{…}`; routes have one at most.
    pub(crate) place: Option<Box<str>>,
    pub(crate) query: Option<Box<str>>,
    pub(crate) body: Bytes,
    pub(crate) caller: Option<Caller>,
}

impl Asked {
    /// Who asks, for routes that need to know.
    pub(crate) fn caller(&self) -> Result<&Caller, Problem> {
        self.caller
            .as_ref()
            .ok_or_else(|| Problem::new(Code::NotAuthenticated))
    }

    /// What stood in the place of `{…}`, as an identifier; another text names nothing that exists.
    pub(crate) fn id<T: FromStr>(&self, otherwise: Code) -> Result<T, Problem> {
        let text = self.place.as_deref().unwrap_or_default();
        text.parse()
            .map_err(|_| Problem::because(otherwise, format!("there is no {}", printable(text))))
    }

    /// A call that changes nothing.
    pub(crate) fn look(&self) -> Result<Call, Problem> {
        Ok(Call {
            caller: self.caller()?.clone(),
            key: None,
            request_id: self.context.request_id,
            address: Some(self.client),
        })
    }

    /// A call that changes something, with its checked body and its idempotency key.
    pub(crate) fn change<B: DeserializeOwned + Check + Keyed>(&self) -> Result<(Call, B), Problem> {
        let mut body: B = self.json()?;
        let key = self.key(body.take_key())?.ok_or_else(|| {
            Problem::because(
                Code::KeyMissing,
                "send an `Idempotency-Key` header, so that a repeat is recognised",
            )
        })?;
        body.checked()?;
        let call = Call {
            caller: self.caller()?.clone(),
            key: Some(key),
            request_id: self.context.request_id,
            address: Some(self.client),
        };
        Ok((call, body))
    }

    /// The body as JSON. An empty body reads as `{}`.
    pub(crate) fn json<B: DeserializeOwned>(&self) -> Result<B, Problem> {
        if self.body.is_empty() {
            return read_json(b"{}");
        }
        self.content_type()?;
        read_json(&self.body)
    }

    /// The query as its filters.
    pub(crate) fn filters<Q: DeserializeOwned + Check>(&self) -> Result<Q, Problem> {
        let query: Q = self.query()?;
        query.checked()?;
        Ok(query)
    }

    /// The query as a struct.
    pub(crate) fn query<Q: DeserializeOwned>(&self) -> Result<Q, Problem> {
        let query = axum::extract::Query::<Q>::try_from_uri(&self.uri());
        query.map(|query| query.0).map_err(|error| {
            Problem::because(
                Code::InvalidFields,
                format!("the query cannot be read: {}", source(&error)),
            )
        })
    }

    /// The body as a form.
    pub(crate) fn form<B: DeserializeOwned>(&self) -> Result<B, Problem> {
        let wrong = |detail: String| Problem::because(Code::InvalidFields, detail);
        let text = std::str::from_utf8(&self.body)
            .map_err(|_| wrong("the form is no UTF-8".to_owned()))?;
        let uri = format!("/?{text}").parse();
        let uri = uri.map_err(|_| wrong("the form cannot be read".to_owned()))?;
        let form = axum::extract::Query::<B>::try_from_uri(&uri);
        form.map(|form| form.0)
            .map_err(|error| wrong(format!("the form cannot be read: {}", source(&error))))
    }

    fn uri(&self) -> http::Uri {
        let text = format!("/?{}", self.query.as_deref().unwrap_or_default());
        text.parse().unwrap_or_default()
    }

    /// A value of the query as it stands there, without decoding: good for tokens and keys.
    pub(crate) fn query_value(&self, name: &str) -> Option<&str> {
        let pairs = self.query.as_deref()?.split('&');
        pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// The idempotency key, from wherever it stands; all places that name one must agree.
    pub(crate) fn key(&self, in_body: Option<Box<str>>) -> Result<Option<Box<str>>, Problem> {
        let invalid = |detail: &'static str| Problem::because(Code::KeyInvalid, detail);
        let mut found: Option<&[u8]> = in_body.as_deref().map(str::as_bytes);
        let headers = ["idempotency-key", "x-idempotency-key"].into_iter();
        let in_headers = headers
            .flat_map(|name| self.headers.get_all(name))
            .map(http::HeaderValue::as_bytes);
        for key in in_headers.chain(self.query_value("idemp_key").map(str::as_bytes)) {
            let other = found.is_some_and(|other| other != key);
            if other && !stdx::mutants::is("two-keys-one-taken") {
                return Err(invalid("the request names two different idempotency keys"));
            }
            found = Some(key);
        }
        let Some(key) = found else { return Ok(None) };
        if !is_key(key) {
            return Err(invalid(
                "an idempotency key is 1 to 128 visible ASCII bytes",
            ));
        }
        Ok(std::str::from_utf8(key).ok().map(Into::into))
    }

    fn content_type(&self) -> Result<(), Problem> {
        let Some(value) = self.headers.get(CONTENT_TYPE) else {
            return Ok(());
        };
        let text = value.to_str().unwrap_or_default();
        let essence = text.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") || essence.ends_with("+json") {
            return Ok(());
        }
        Err(Problem::because(
            Code::MediaType,
            "send the body as `Content-Type: application/json`",
        ))
    }
}

/// Reads a JSON object. The fast way first; only when it fails is the body read again to find where.
pub(crate) fn read_json<B: DeserializeOwned>(body: &[u8]) -> Result<B, Problem> {
    // The reader would take a list for an object, field by field in their order, and so hide a mistake.
    if body.trim_ascii_start().first() == Some(&b'[') {
        let list = serde_json::from_slice::<IgnoredAny>(body);
        let problem = |_| Problem::of_field("", "the body must be an object");
        return Err(list.map_or_else(|error| malformed(&error), problem));
    }
    serde_json::from_slice(body).map_err(|error| {
        if error.classify() != serde_json::error::Category::Data {
            return malformed(&error);
        }
        let mut again = serde_json::Deserializer::from_slice(body);
        let path = match serde_path_to_error::deserialize::<_, B>(&mut again) {
            Err(error) => error.path().to_string(),
            Ok(_) => String::new(),
        };
        let path = if path == "." { String::new() } else { path };
        Problem::of_field(path, error.to_string())
    })
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::because(Code::MalformedJson, format!("the body is no JSON: {error}"))
}

/// The innermost cause, which names the field.
fn source(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), source)
}

/// A client's text in a sentence of ours: short, and without control characters.
fn printable(text: &str) -> String {
    text.chars()
        .take(64)
        .map(|char| if char.is_control() { '?' } else { char })
        .collect()
}
