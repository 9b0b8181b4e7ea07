//! Checks of what the types of a body cannot say. All faults are collected, so that one answer names them all.

use crate::code::Code;
use crate::limits::{AMOUNT_MAX, KEY_MAX};
use crate::price::PriceText;
use crate::problem::{FieldError, Problem};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// Faults that one answer names at most.
const FAULTS_MAX: usize = 100;

/// A body or a query that can be checked.
pub trait Check {
    /// Adds every fault to the list.
    fn check(&self, faults: &mut Faults);

    /// The same, made a problem when there is any fault.
    ///
    /// # Errors
    /// `TG-1009` when a list has too many items, else `TG-1002`, with all faults.
    fn checked(&self) -> Result<(), Problem> {
        let mut faults = Faults::default();
        self.check(&mut faults);
        faults.into_result()
    }
}

/// A body that may carry its idempotency key as a field.
pub trait Keyed {
    /// Takes the key out of the body.
    fn take_key(&mut self) -> Option<Box<str>>;
}

/// Faults found so far.
#[derive(Debug, Default)]
pub struct Faults {
    errors: Vec<FieldError>,
    too_many: bool,
}

impl Faults {
    /// Adds a fault; the path of the field is only made here, so that good bodies never pay for it.
    pub fn add(&mut self, field: impl fmt::Display, detail: impl Into<Cow<'static, str>>) {
        if self.errors.len() < FAULTS_MAX {
            self.errors.push(FieldError {
                field: field.to_string().into(),
                detail: detail.into(),
            });
        }
    }

    /// Adds a fault when a list is longer than it may be.
    pub fn at_most(&mut self, field: impl fmt::Display, length: usize, most: usize) {
        if length > most {
            self.too_many = true;
            self.add(
                field,
                format!("has {length} items, at most {most} are allowed"),
            );
        }
    }

    /// Adds a fault unless a text has 1 to `most` bytes and no control characters.
    pub fn text(&mut self, field: impl fmt::Display, text: &str, most: usize) {
        if text.is_empty() || text.len() > most {
            self.add(
                field,
                format!("must have 1 to {most} bytes, has {}", text.len()),
            );
        } else if text.chars().any(char::is_control) {
            self.add(field, "must not have control characters");
        }
    }

    /// The same for a text that may be missing.
    pub fn maybe_text(&mut self, field: impl fmt::Display, text: Option<&str>, most: usize) {
        if let Some(text) = text {
            self.text(field, text, most);
        }
    }

    /// Adds a fault unless a number lies within bounds.
    pub fn between(&mut self, field: impl fmt::Display, number: u64, least: u64, most: u64) {
        if !(least..=most).contains(&number) {
            self.add(
                field,
                format!("must be a whole number from {least} to {most}"),
            );
        }
    }

    /// Adds a fault for a text that was no price.
    pub fn price(&mut self, field: impl fmt::Display, price: Option<PriceText>) {
        if let Some(error) = price.and_then(PriceText::fault) {
            self.add(field, error.to_string());
        }
    }

    /// The end of a check.
    ///
    /// # Errors
    /// The problem that names all faults, when there is any.
    pub fn into_result(self) -> Result<(), Problem> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let code = if self.too_many {
            Code::TooManyItems
        } else {
            Code::InvalidFields
        };
        let detail = match self.errors.len() {
            1 => format!("{}: {}", self.errors[0].field, self.errors[0].detail),
            count => format!("{count} fields are invalid"),
        };
        Err(Problem::because(code, detail).with_errors(self.errors))
    }
}

/// Whether a text is an idempotency key: 1 to 128 visible ASCII bytes.
#[must_use]
pub fn is_key(text: &[u8]) -> bool {
    (1..=KEY_MAX).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic)
}

/// Reads any whole number; what is negative or too large for the field becomes its maximum, which every check refuses.
/// So a bad count is one fault among the others and not the end of reading.
pub(crate) fn lenient_u32<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    deserializer
        .deserialize_any(WholeNumber)
        .map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// As [`lenient_u32`], for fields that may be null or missing.
pub(crate) fn lenient_maybe_u32<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    deserializer
        .deserialize_option(Maybe)
        .map(|number| number.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
}

/// As [`lenient_u32`], for wide fields.
pub(crate) fn lenient_u64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    deserializer.deserialize_any(WholeNumber)
}

/// As [`lenient_u64`], for fields that may be null or missing.
pub(crate) fn lenient_maybe_u64<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    deserializer.deserialize_option(Maybe)
}

struct WholeNumber;

impl serde::de::Visitor<'_> for WholeNumber {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<u64, E> {
        Ok(u64::try_from(number).unwrap_or(u64::MAX))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<u64, E> {
        // JSON numbers above 64 bits arrive here too; they are whole, only far too large.
        if number.abs() >= 9e15 && number.fract() <= 0.0 {
            return Ok(u64::MAX);
        }
        Err(E::invalid_type(serde::de::Unexpected::Float(number), &self))
    }
}

struct Maybe;

impl<'de> serde::de::Visitor<'de> for Maybe {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number or null")
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<u64>, D::Error> {
        lenient_u64(deserializer).map(Some)
    }
}

/// A body of steps that need no data. It may be left out, be `{}`, or carry the idempotency key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, serde::Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {
    /// The idempotency key, when it is not in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Box<str>>,
}

impl Check for Nothing {
    fn check(&self, _faults: &mut Faults) {}
}

/// Adds a fault unless an amount is positive and within [`AMOUNT_MAX`].
pub(crate) fn amount(faults: &mut Faults, field: &'static str, amount_minor: u64) {
    faults.between(field, amount_minor, 1, AMOUNT_MAX);
}

/// Bodies with an `idempotency_key` field give it away the same way.
macro_rules! keyed {
    ($($body:ty),*) => {$(
        impl crate::check::Keyed for $body {
            fn take_key(&mut self) -> Option<Box<str>> {
                self.idempotency_key.take()
            }
        }
    )*};
}
pub(crate) use keyed;

keyed!(Nothing);
