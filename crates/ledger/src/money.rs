//! Money: integers of minor units, prices with up to four decimals, one rounding a line.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount in minor units (cents, pence, yen).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Minor(pub i64);

impl Minor {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum, unless it overflows.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, unless it overflows.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Whether the amount is above zero.
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Digits after the point that a unit price may have.
pub const PRICE_DECIMALS: u32 = 4;

/// The price of one unit in ten-thousandths of the major unit: `12.50` is 125,000, in every currency.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnitPrice(pub i64);

impl UnitPrice {
    /// The greatest price: a hundred million major units.
    pub const MOST: Self = Self(1_000_000_000_000);

    /// The price of so many units in minor units, rounded once, half to even.
    ///
    /// `None` when the amount does not fit.
    pub fn times(self, units: u32, currency: Currency) -> Option<Minor> {
        if units > 1 && stdx::mutants::is("price-rounded-per-unit") {
            return self
                .times(1, currency)
                .map(|one| Minor(one.0 * i64::from(units)));
        }
        let fine = i128::from(self.0) * i128::from(units);
        let step = 10_i128.pow(PRICE_DECIMALS - currency.exponent());
        let (whole, rest) = (fine.div_euclid(step), fine.rem_euclid(step));
        let up = match (rest * 2).cmp(&step) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal if stdx::mutants::is("half-is-rounded-up") => 1,
            std::cmp::Ordering::Equal => whole.rem_euclid(2),
            std::cmp::Ordering::Greater => 1,
        };
        i64::try_from(whole + up).ok().map(Minor)
    }
}

/// An ISO 4217 currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Currency([u8; 3]);

/// Currencies whose minor unit is not a hundredth (ISO 4217, table A.1 of 2024).
const OTHER_EXPONENTS: &[(&str, u32)] = &[
    ("BHD", 3),
    ("BIF", 0),
    ("CLF", 4),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("UYW", 4),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

/// The other active currencies, all with hundredths.
const HUNDREDTHS: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD \
    CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG \
    HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK \
    MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS \
    SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG";

impl Currency {
    /// Reads a three-letter code. `None` for what is no active ISO 4217 currency.
    pub fn new(code: &str) -> Option<Self> {
        let bytes: [u8; 3] = code.as_bytes().try_into().ok()?;
        let known = OTHER_EXPONENTS.iter().any(|(other, _)| *other == code)
            || HUNDREDTHS
                .split_ascii_whitespace()
                .any(|other| other == code);
        known.then_some(Self(bytes))
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Digits after the point of an amount in this currency.
    pub fn exponent(self) -> u32 {
        OTHER_EXPONENTS
            .iter()
            .find(|(code, _)| code.as_bytes() == self.0)
            .map_or(2, |(_, exponent)| *exponent)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::new(code).expect("known")
    }

    #[test]
    fn a_line_is_rounded_once_and_half_to_even() {
        let gbp = currency("GBP");
        // 0.005 a unit: one unit is half a penny, three are one and a half.
        assert_eq!(UnitPrice(50).times(1, gbp), Some(Minor(0)));
        assert_eq!(UnitPrice(50).times(3, gbp), Some(Minor(2)));
        assert_eq!(UnitPrice(50).times(5, gbp), Some(Minor(2)));
        assert_eq!(UnitPrice(51).times(1, gbp), Some(Minor(1)));
        assert_eq!(
            UnitPrice(10).times(1000, gbp),
            Some(Minor(100)),
            "rounding a unit first would give nothing"
        );
    }

    #[test]
    fn each_currency_has_its_own_minor_unit() {
        assert_eq!(
            UnitPrice(125_000).times(2, currency("EUR")),
            Some(Minor(2500))
        );
        assert_eq!(
            UnitPrice(125_000).times(2, currency("JPY")),
            Some(Minor(25))
        );
        assert_eq!(
            UnitPrice(125_000).times(2, currency("KWD")),
            Some(Minor(25_000))
        );
        assert_eq!(
            UnitPrice(125_001).times(1, currency("CLF")),
            Some(Minor(125_001))
        );
    }

    #[test]
    fn an_amount_that_does_not_fit_is_refused() {
        assert_eq!(UnitPrice(i64::MAX).times(u32::MAX, currency("CLF")), None);
        assert!(UnitPrice::MOST.times(1_000_000, currency("CLF")).is_some());
    }

    #[test]
    fn only_iso_codes_are_currencies() {
        for bad in ["", "EU", "eur", "EURO", "XXX", "ABC", "€"] {
            assert_eq!(Currency::new(bad), None, "{bad}");
        }
    }
}
