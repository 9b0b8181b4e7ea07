//! How a request is refused: a problem document (RFC 9457) with a stable code.

use crate::code::{Again, Code};
use crate::id::RequestId;
use crate::time::Time;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use utoipa::ToSchema;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Path of the field in the body, like `lines[3].quantity`; empty for the body itself.
    pub field: Cow<'static, str>,
    /// What is wrong, and what is allowed.
    pub detail: Cow<'static, str>,
}

/// A fact that comes with a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Datum {
    /// A count or an amount.
    Number(i64),
    /// A name, a state, an identifier.
    Text(Cow<'static, str>),
    /// A point in time.
    Time(Time),
}

impl From<i64> for Datum {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Datum {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Datum {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<&'static str> for Datum {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Datum {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<Box<str>> for Datum {
    fn from(text: Box<str>) -> Self {
        Self::Text(Cow::Owned(text.into()))
    }
}

impl From<Time> for Datum {
    fn from(time: Time) -> Self {
        Self::Time(time)
    }
}

/// A refusal or a failure, ready to be told. Small to move: what only some problems have is behind one pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    code: Code,
    status: u16,
    detail: Cow<'static, str>,
    retry_after_s: Option<u32>,
    errors: Vec<FieldError>,
    data: Vec<(&'static str, Datum)>,
}

impl Problem {
    /// A problem that says no more than its code.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self::because(code, code.title())
    }

    /// A problem with a sentence about this very case.
    #[must_use]
    pub fn because(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            code,
            status: code.status(),
            detail: detail.into(),
            retry_after_s: None,
            errors: Vec::new(),
            data: Vec::new(),
        }))
    }

    /// The same with one more fact. The name becomes a member of the document.
    #[must_use]
    pub fn with(mut self, name: &'static str, datum: impl Into<Datum>) -> Self {
        self.0.data.push((name, datum.into()));
        self
    }

    /// The same with another status than the code's own.
    #[must_use]
    pub fn at_status(mut self, status: u16) -> Self {
        self.0.status = status;
        self
    }

    /// The same with a time to wait, in seconds, before the next try.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// The same with what is wrong with single fields.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// A problem with one field.
    #[must_use]
    pub fn of_field(
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let detail = detail.into();
        Self::because(Code::InvalidFields, "the request has an invalid field").with_errors(vec![
            FieldError {
                field: field.into(),
                detail,
            },
        ])
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// The sentence about this very case.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What is wrong with single fields.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// The fact of this name.
    #[must_use]
    pub fn datum(&self, name: &str) -> Option<&Datum> {
        self.0
            .data
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, datum)| datum)
    }

    /// Seconds to wait before the next try: what was said, or 1 for the codes that ask for patience.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u32> {
        let patient = matches!(self.0.status, 429 | 503);
        self.0.retry_after_s.or_else(|| patient.then_some(1))
    }

    /// The document for the request `instance`.
    ///
    /// # Panics
    /// Never: every member can be written as JSON.
    #[must_use]
    pub fn document(&self, instance: &RequestId) -> Vec<u8> {
        let mut json = Vec::with_capacity(320);
        if serde_json::to_writer(
            &mut json,
            &Document {
                problem: self,
                instance: Some(instance),
            },
        )
        .is_err()
        {
            json.clear();
        }
        json
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.code.as_str(), self.0.detail)?;
        self.0
            .errors
            .iter()
            .try_for_each(|error| write!(f, "; {}: {}", error.field, error.detail))
    }
}

impl std::error::Error for Problem {}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Document {
            problem: self,
            instance: None,
        }
        .serialize(serializer)
    }
}

struct Document<'a> {
    problem: &'a Problem,
    instance: Option<&'a RequestId>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = &self.problem.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", parts.code.page())?;
        map.serialize_entry("title", parts.code.title())?;
        map.serialize_entry("status", &parts.status)?;
        map.serialize_entry("detail", &parts.detail)?;
        map.serialize_entry("code", parts.code.as_str())?;
        if let Some(instance) = self.instance {
            map.serialize_entry("instance", instance.as_str())?;
        }
        map.serialize_entry("retryable", &(parts.code.again() == Again::Later))?;
        if !parts.errors.is_empty() {
            map.serialize_entry("errors", &parts.errors)?;
        }
        for (name, datum) in &parts.data {
            map.serialize_entry(name, datum)?;
        }
        map.end()
    }
}

/// The problem document as it stands in the OpenAPI description; further members depend on the code.
#[derive(Debug, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemSchema {
    /// Address of the help page, like `/errors/TG-2102`.
    pub r#type: String,
    /// The same for every occurrence of the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A sentence about this very case.
    pub detail: String,
    /// The stable code.
    #[schema(example = "TG-2102")]
    pub code: String,
    /// The request id.
    pub instance: String,
    /// Whether the same request, with the same key, may succeed later.
    pub retryable: bool,
    /// What is wrong with single fields.
    pub errors: Option<Vec<FieldError>>,
    /// Units that could still be had (sold out, write-off).
    pub units_left: Option<u64>,
    /// The limit that was reached.
    pub limit: Option<u64>,
    /// What was used of it before.
    pub limit_used: Option<u64>,
    /// When the sale opens.
    pub opens_at: Option<Time>,
    /// The state that stands in the way.
    pub state: Option<String>,
    /// The SKU that it is about.
    pub sku: Option<String>,
    /// The rule that does not admit the buyer.
    pub rule: Option<u64>,
    /// What is left to refund, minor units.
    pub left_minor: Option<i64>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_when_and_how_much() {
        let problem = Problem::because(Code::SoldOut, "only 1 unit of CUP is left")
            .with("sku", "CUP")
            .with("units_left", 1_u32);
        let json: serde_json::Value =
            serde_json::from_slice(&problem.document(&RequestId::new("r1").unwrap())).unwrap();
        let expected = serde_json::json!({
            "type": "/errors/TG-2102", "title": "Sold out", "status": 409, "detail": "only 1 unit of CUP is left",
            "code": "TG-2102", "instance": "r1", "retryable": false, "sku": "CUP", "units_left": 1,
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn busy_always_says_when_to_come_back() {
        assert_eq!(Problem::new(Code::Busy).retry_after_s(), Some(1));
        assert_eq!(
            Problem::new(Code::Busy).retry_after(7).retry_after_s(),
            Some(7)
        );
        assert_eq!(Problem::new(Code::SoldOut).retry_after_s(), None);
    }

    #[test]
    fn a_problem_is_one_pointer_wide() {
        assert_eq!(size_of::<Problem>(), size_of::<usize>());
    }
}
