//! How a buyer wants to hear of things: what the vault says of it, asked anew for each letter and never kept.

use api::people::{Channel, PersonData};

use super::settings::{ChannelName, Locale};
use crate::people::{Keeper, PeopleError};

/// How one buyer wants to hear of things. The default is the shop's own way, for whoever said nothing.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Wish {
    /// In which language; `None` for the shop's.
    pub(super) locale: Option<Locale>,
    /// By which way.
    pub(super) way: Way,
    /// The address for mail, if one is known.
    pub(super) mail: Option<String>,
}

/// By which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Way {
    /// The shop's.
    #[default]
    Shops,
    /// This one, or the shop's where this one is not configured.
    Over(ChannelName),
    /// By none: the buyer is left alone.
    Silent,
}

impl Wish {
    /// What the vault says of a buyer. Nobody there, and no vault, mean that nothing was said.
    ///
    /// # Errors
    /// [`PeopleError`]: the vault cannot be asked now; then nobody knows whether the buyer wants to be left alone.
    pub(super) async fn of(people: &Keeper, buyer: &str) -> Result<Self, PeopleError> {
        match people.get(buyer).await {
            Ok(kept) => Ok(Self::read(&kept.data)),
            Err(PeopleError::Nobody | PeopleError::NoVault) => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    fn read(data: &PersonData) -> Self {
        Self {
            locale: data.locale.as_deref().and_then(language),
            way: match data.channel {
                None => Way::Shops,
                Some(Channel::None) => Way::Silent,
                Some(Channel::Email) => Way::Over(ChannelName::Mail),
                // Short messages are sent by the merchant's program, which knows the number.
                Some(Channel::Sms | Channel::Webhook) => Way::Over(ChannelName::Webhook),
            },
            mail: data.email.as_deref().map(Into::into),
        }
    }
}

/// The language of a tag like `zh` or `en-GB`, if we speak it.
fn language(tag: &str) -> Option<Locale> {
    let first = tag.split(['-', '_']).next()?;
    let mut known = Locale::ALL.iter();
    known
        .find(|locale| first.eq_ignore_ascii_case(locale.name()))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_said_is_a_wish_and_what_was_not_said_is_the_shop_s() {
        let said = |channel, locale: &str| {
            let data = PersonData {
                channel,
                locale: Some(locale.into()),
                ..PersonData::default()
            };
            let wish = Wish::read(&data);
            (wish.way, wish.locale)
        };
        let mail = Way::Over(ChannelName::Mail);
        assert_eq!(
            said(Some(Channel::Email), "en-GB"),
            (mail, Some(Locale::En))
        );
        assert_eq!(
            said(Some(Channel::None), "ZH_hk"),
            (Way::Silent, Some(Locale::Zh))
        );
        assert_eq!(said(None, "fr"), (Way::Shops, None));
        let message = Way::Over(ChannelName::Webhook);
        assert_eq!(said(Some(Channel::Sms), "english"), (message, None));
    }
}
