//! Personal data on the wire. They are kept in the vault, never in a journal.

use crate::check::{Check, Faults, keyed};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// Longest name, address line or e-mail address, bytes.
pub const PERSON_TEXT_MAX: usize = 320;
/// Longest telephone number, bytes.
pub const PHONE_MAX: usize = 32;
/// Lines of an address.
pub const ADDRESS_LINES_MAX: usize = 8;

/// By which way somebody wants to hear from the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Not at all.
    None,
    /// By e-mail.
    Email,
    /// By short message to the telephone.
    Sms,
    /// By the merchant's own program.
    Webhook,
}

/// What is kept about a person; body of `PUT /v1/people/{buyer}`. What is missing is not kept.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonData {
    /// The name, 1 to 320 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// The telephone number, 1 to 32 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Box<str>>,
    /// The e-mail address, 3 to 320 bytes with an `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Box<str>>,
    /// The postal address, at most 8 lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub address: Vec<Box<str>>,
    /// The language of notices, like `zh` or `en-GB`, at most 16 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Box<str>>,
    /// By which way notices go; what is left out is the shop's own way, and `none` means: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The idempotency key, when it is not in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Box<str>>,
}

keyed!(PersonData);

impl fmt::Debug for PersonData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Logs and panics must not hold what only the vault may.
        f.write_str("PersonData(***)")
    }
}

impl Check for PersonData {
    fn check(&self, faults: &mut Faults) {
        faults.maybe_text("name", self.name.as_deref(), PERSON_TEXT_MAX);
        faults.maybe_text("phone", self.phone.as_deref(), PHONE_MAX);
        faults.maybe_text("email", self.email.as_deref(), PERSON_TEXT_MAX);
        let at = |email: &str| {
            email
                .split_once('@')
                .is_some_and(|(who, at)| !who.is_empty() && !at.is_empty())
        };
        if self.email.as_deref().is_some_and(|email| !at(email)) {
            faults.add("email", "must have something on both sides of an @");
        }
        faults.at_most("address", self.address.len(), ADDRESS_LINES_MAX);
        for (place, line) in self.address.iter().enumerate().take(ADDRESS_LINES_MAX) {
            faults.text(format_args!("address[{place}]"), line, PERSON_TEXT_MAX);
        }
        faults.maybe_text("locale", self.locale.as_deref(), 16);
        let missing = match self.channel {
            Some(Channel::Email) => self.email.is_none().then_some("email"),
            Some(Channel::Sms) => self.phone.is_none().then_some("phone"),
            None | Some(Channel::None | Channel::Webhook) => None,
        };
        if let Some(missing) = missing {
            faults.add("channel", format!("needs the field {missing}"));
        }
    }
}

impl PersonData {
    /// Names of what is kept, without what it says.
    #[must_use]
    pub fn fields(&self) -> Vec<&'static str> {
        let kept = [
            ("name", self.name.is_some()),
            ("phone", self.phone.is_some()),
            ("email", self.email.is_some()),
            ("address", !self.address.is_empty()),
            ("locale", self.locale.is_some()),
            ("channel", self.channel.is_some()),
        ];
        kept.into_iter()
            .filter_map(|(name, kept)| kept.then_some(name))
            .collect()
    }
}

/// Answer of `GET` and `PUT /v1/people/{buyer}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// The buyer's pseudonym, which journals hold.
    pub buyer: Box<str>,
    /// When the data were kept.
    pub kept_at: Time,
    /// The data.
    pub data: PersonData,
}

/// Answer of `DELETE /v1/people/{buyer}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Erased {
    /// When the erasure went on record.
    pub erased_at: Time,
    /// Whether there was anything to erase in the vault.
    pub found: bool,
    /// What remains, in words: the journals hold orders under a pseudonym that leads nowhere any more.
    pub remains: Box<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(data: &PersonData) -> usize {
        let mut faults = Faults::default();
        data.check(&mut faults);
        faults
            .into_result()
            .err()
            .map_or(0, |problem| problem.errors().len())
    }

    #[test]
    fn a_channel_needs_its_address_and_an_address_its_form() {
        let mut data = PersonData {
            channel: Some(Channel::Email),
            ..PersonData::default()
        };
        assert_eq!(faults(&data), 1);
        data.email = Some("ann".into());
        assert_eq!(faults(&data), 1);
        data.email = Some("ann@example.test".into());
        assert_eq!(faults(&data), 0);
        data.address = vec!["line".into(); 9];
        assert_eq!(faults(&data), 1);
    }

    #[test]
    fn personal_data_do_not_show_themselves() {
        let data = PersonData {
            name: Some("Ann Example".into()),
            ..PersonData::default()
        };
        assert!(!format!("{data:?}").contains("Ann"));
        assert_eq!(data.fields(), ["name"]);
    }
}
