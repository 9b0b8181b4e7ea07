//! Typed identifiers. As text they carry a prefix and fixed-width base62 digits, so they sort like their numbers.

use crate::limits::REQUEST_ID_MAX;
use std::fmt;
use std::str::FromStr;
use stdx::base62;

/// Bits of an order id that count the orders of its sale; the bits above them name the sale.
pub const ORDER_NUMBER_BITS: u32 = 39;

/// A text that is no identifier of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an identifier like `{like}`")]
pub struct IdError {
    like: &'static str,
}

/// A sale: a number below 2^24, as text `sale_` and 5 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SaleId(u32);

impl SaleId {
    /// The highest number that a sale may have.
    pub const MAX: u32 = (1 << 24) - 1;

    /// `None` above [`SaleId::MAX`].
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number <= Self::MAX {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number of the sale.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// An order: the sale above, its number in the sale in the lower 39 bits; as text `ord_` and 11 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(u64);

impl OrderId {
    /// The highest number that an order may have in its sale.
    pub const NUMBER_MAX: u64 = (1 << ORDER_NUMBER_BITS) - 1;

    /// `None` when the number does not fit into 39 bits.
    #[must_use]
    pub const fn new(sale: SaleId, number: u64) -> Option<Self> {
        if number > Self::NUMBER_MAX {
            return None;
        }
        Some(Self(((sale.0 as u64) << ORDER_NUMBER_BITS) | number))
    }

    /// `None` when the value is no order id (above 63 bits).
    #[must_use]
    pub const fn from_u64(value: u64) -> Option<Self> {
        if value >> 63 == 0 {
            Some(Self(value))
        } else {
            None
        }
    }

    /// All 63 bits.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sale that the order belongs to.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "63 - 39 bits are left")]
    pub const fn sale(self) -> SaleId {
        SaleId((self.0 >> ORDER_NUMBER_BITS) as u32)
    }

    /// The number of the order in its sale.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0 & Self::NUMBER_MAX
    }
}

/// One attempt to charge an order: `pay_`, the order's 11 digits, 3 digits of the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentId {
    /// The order that is charged.
    pub order: OrderId,
    /// Number of the attempt.
    pub attempt: u16,
}

/// One refund of an order: `ref_`, the order's 11 digits, 3 digits of its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefundId {
    /// The order that is refunded.
    pub order: OrderId,
    /// Number of the refund in its order.
    pub number: u16,
}

/// A team of a group buy: like an order, the sale above, its number in the sale in the lower 39 bits; as text `team_` and
/// 11 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TeamId(OrderId);

/// A place in a waiting line: like an order; as text `tic_` and 11 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketId(OrderId);

/// What is numbered in its sale like an order has the same shape behind another prefix.
macro_rules! numbered_like_orders {
    ($($id:ident $prefix:literal like $like:literal;)*) => {$(
        impl $id {
            /// `None` when the number does not fit into 39 bits.
            #[must_use]
            pub const fn new(sale: SaleId, number: u64) -> Option<Self> {
                match OrderId::new(sale, number) {
                    Some(inner) => Some(Self(inner)),
                    None => None,
                }
            }

            /// The sale that it belongs to.
            #[must_use]
            pub const fn sale(self) -> SaleId {
                self.0.sale()
            }

            /// Its number in its sale.
            #[must_use]
            pub const fn number(self) -> u64 {
                self.0.number()
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_digits::<11>(f, $prefix, self.0.0)
            }
        }

        impl FromStr for $id {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let value = digits(text, $prefix, 11).and_then(base62::decode);
                let inner = value.and_then(OrderId::from_u64);
                inner.map(Self).ok_or(IdError { like: $like })
            }
        }
    )*};
}

numbered_like_orders! {
    TeamId "team_" like "team_0000aB3xK9m";
    TicketId "tic_" like "tic_0000aB3xK9m";
}

/// An API key (not its secret): `key_` and 11 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u64);

/// Digits after a prefix; `None` for a foreign prefix or another width.
fn digits<'a>(text: &'a str, prefix: &str, width: usize) -> Option<&'a [u8]> {
    let digits = text.strip_prefix(prefix)?.as_bytes();
    (digits.len() == width).then_some(digits)
}

/// Prefix (4 or 5 bytes) and digits in one buffer on the stack.
fn write_digits<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    prefix: &str,
    value: u64,
) -> fmt::Result {
    let digits = base62::encode::<N>(value).ok_or(fmt::Error)?;
    f.write_str(prefix)?;
    f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
}

impl fmt::Display for SaleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits::<5>(f, "sale_", u64::from(self.0))
    }
}

impl FromStr for SaleId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let number = digits(text, "sale_", 5).and_then(base62::decode);
        number
            .and_then(|number| Self::new(u32::try_from(number).ok()?))
            .ok_or(IdError { like: "sale_00001" })
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits::<11>(f, "ord_", self.0)
    }
}

impl FromStr for OrderId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let value = digits(text, "ord_", 11).and_then(base62::decode);
        value.and_then(Self::from_u64).ok_or(IdError {
            like: "ord_0000aB3xK9m",
        })
    }
}

/// An order and a small number behind it, as payments and refunds have it.
fn order_and_number(text: &str, prefix: &str) -> Option<(OrderId, u16)> {
    let (order, number) = digits(text, prefix, 14)?.split_at(11);
    let order = OrderId::from_u64(base62::decode(order)?)?;
    Some((order, u16::try_from(base62::decode(number)?).ok()?))
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits::<11>(f, "pay_", self.order.0)?;
        write_digits::<3>(f, "", u64::from(self.attempt))
    }
}

impl FromStr for PaymentId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let parts = order_and_number(text, "pay_").ok_or(IdError {
            like: "pay_0000aB3xK9m001",
        })?;
        Ok(Self {
            order: parts.0,
            attempt: parts.1,
        })
    }
}

impl fmt::Display for RefundId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits::<11>(f, "ref_", self.order.0)?;
        write_digits::<3>(f, "", u64::from(self.number))
    }
}

impl FromStr for RefundId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let parts = order_and_number(text, "ref_").ok_or(IdError {
            like: "ref_0000aB3xK9m001",
        })?;
        Ok(Self {
            order: parts.0,
            number: parts.1,
        })
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits::<11>(f, "key_", self.0)
    }
}

impl FromStr for KeyId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let value = digits(text, "key_", 11).and_then(base62::decode);
        value.map(Self).ok_or(IdError {
            like: "key_0A1b2C3d4E5",
        })
    }
}

/// Identifiers and the like travel as text in every format; the texts after the type describe it to OpenAPI.
macro_rules! as_text {
    ($($text:ty: $about:literal, like $like:literal;)*) => {$(
        impl serde::Serialize for $text {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $text {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(crate::id::FromText(std::marker::PhantomData))
            }
        }

        impl utoipa::PartialSchema for $text {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                crate::id::text_schema($about, $like)
            }
        }

        impl utoipa::ToSchema for $text {}
    )*};
}
pub(crate) use as_text;

/// The OpenAPI description of a text.
pub(crate) fn text_schema(
    about: &str,
    like: &str,
) -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::Type::String)
        .description(Some(about))
        .examples([like])
        .into()
}

as_text! {
    SaleId: "A sale.", like "sale_00001";
    OrderId: "An order; sorts by sale and number.", like "ord_0000aB3xK9m";
    PaymentId: "One attempt to charge an order.", like "pay_0000aB3xK9m001";
    RefundId: "One refund of an order.", like "ref_0000aB3xK9m001";
    TeamId: "A team; sorts by sale and number.", like "team_0000aB3xK9m";
    TicketId: "A place in a waiting line; sorts by sale and number.", like "tic_0000aB3xK9m";
    KeyId: "An API key, not its secret.", like "key_0A1b2C3d4E5";
}

/// Reads any text form without an allocation.
pub(crate) struct FromText<T>(pub(crate) std::marker::PhantomData<T>);

impl<T> serde::de::Visitor<'_> for FromText<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// The name of one request in logs and answers: taken over from the client, or made by the door. Held in place, so
/// that passing it on costs no allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    length: u8,
    bytes: [u8; REQUEST_ID_MAX],
}

impl RequestId {
    /// `None` unless the text has 1 to 63 letters, digits, or any of `-_.:`.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        if text.is_empty() || text.len() > REQUEST_ID_MAX || !text.as_bytes().iter().all(harmless) {
            return None;
        }
        let mut bytes = [0; REQUEST_ID_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self {
            length: u8::try_from(text.len()).ok()?,
            bytes,
        })
    }

    /// A request id from a number of the door's own maker, 11 digits.
    #[must_use]
    pub fn from_u64(number: u64) -> Self {
        let mut bytes = [b'0'; REQUEST_ID_MAX];
        let digits: [u8; 11] = base62::encode(number).unwrap_or([b'0'; 11]);
        bytes[..11].copy_from_slice(&digits);
        Self { length: 11, bytes }
    }

    /// The text, always ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_come_back_from_their_text() {
        let sale = SaleId::new(SaleId::MAX).unwrap();
        let order = OrderId::new(sale, OrderId::NUMBER_MAX).unwrap();
        assert_eq!(order.get(), (1 << 63) - 1);
        assert_eq!((order.sale(), order.number()), (sale, OrderId::NUMBER_MAX));
        assert_eq!(sale.to_string().parse(), Ok(sale));
        assert_eq!(order.to_string().parse(), Ok(order));
        let payment = PaymentId {
            order,
            attempt: u16::MAX,
        };
        assert_eq!(payment.to_string().parse(), Ok(payment));
        let refund = RefundId { order, number: 7 };
        assert_eq!(refund.to_string().parse(), Ok(refund));
        let key = KeyId(u64::MAX);
        assert_eq!(key.to_string().parse(), Ok(key));
        let team = TeamId::new(sale, 12).unwrap();
        assert_eq!((team.sale(), team.number()), (sale, 12));
        assert_eq!(team.to_string().parse(), Ok(team));
        let ticket = TicketId::new(sale, 12).unwrap();
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
        assert!(ticket.to_string().parse::<OrderId>().is_err());
    }

    #[test]
    fn only_the_one_text_form_is_read() {
        for text in [
            "",
            "sale_",
            "sale_1",
            "sale_000001",
            "ord_00001",
            "sale_zzzzz",
            "sale_00 01",
            "SALE_00001",
        ] {
            assert!(text.parse::<SaleId>().is_err(), "{text}");
        }
        assert!("ord_zzzzzzzzzzz".parse::<OrderId>().is_err());
        assert!("pay_00000000001zzz".parse::<PaymentId>().is_err());
        assert!("pay_é0000000001zz".parse::<PaymentId>().is_err());
    }

    #[test]
    fn json_carries_text() {
        let order = OrderId::new(SaleId::new(1).unwrap(), 5).unwrap();
        let json = serde_json::to_string(&order).unwrap();
        assert_eq!(json, format!("\"{order}\""));
        assert_eq!(serde_json::from_str::<OrderId>(&json).unwrap(), order);
        assert!(serde_json::from_str::<OrderId>("5").is_err());
    }

    #[test]
    fn request_ids_carry_nothing_that_a_log_could_choke_on() {
        assert_eq!(RequestId::new("a-b_c.1").unwrap().as_str(), "a-b_c.1");
        for text in ["", "a b", "a\"b", "a\nb", "ä", &"x".repeat(64)] {
            assert!(RequestId::new(text).is_none(), "{text:?}");
        }
        assert_eq!(RequestId::from_u64(62).as_str(), "00000000010");
    }
}
