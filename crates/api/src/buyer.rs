//! What a merchant tells of a buyer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::check::Faults;
use crate::limits::{ADDRESS_MAX, DEVICE_MAX, LEVEL_MAX, POINTS_MAX, REGION_MAX};

/// What a merchant knows of a buyer beside the tags: the ground for rules. What is left out is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BuyerFacts {
    /// The level in the merchant's programme, 0 to 1,000.
    pub level: u32,
    /// Points in the merchant's programme, up to a million million either way.
    pub points: i64,
    /// Where the buyer is, in the merchant's words, 1 to 64 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Box<str>>,
    /// The merchant never sold to this buyer before.
    pub new_customer: bool,
    /// The pseudonym of the buyer's device, 1 to 64 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Box<str>>,
    /// The buyer's IP address, 1 to 45 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Box<str>>,
}

impl BuyerFacts {
    /// Checks the facts, where there are some.
    pub(crate) fn check_maybe(
        facts: Option<&Self>,
        faults: &mut Faults,
        path: impl std::fmt::Display,
    ) {
        let Some(facts) = facts else { return };
        let level = facts.level.into();
        faults.between(format_args!("{path}facts.level"), level, 0, LEVEL_MAX);
        let points = facts.points.unsigned_abs();
        faults.between(format_args!("{path}facts.points"), points, 0, POINTS_MAX);
        let texts = [
            ("region", &facts.region, REGION_MAX),
            ("device", &facts.device, DEVICE_MAX),
        ];
        for (field, text, most) in texts {
            faults.maybe_text(format_args!("{path}facts.{field}"), text.as_deref(), most);
        }
        let Some(address) = &facts.address else {
            return;
        };
        if address.len() > ADDRESS_MAX || address.parse::<std::net::IpAddr>().is_err() {
            faults.add(format_args!("{path}facts.address"), "must be an IP address");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> String {
        let facts: BuyerFacts = serde_json::from_str(json).expect("facts");
        let mut faults = Faults::default();
        BuyerFacts::check_maybe(Some(&facts), &mut faults, "");
        faults.into_result().map_or_else(
            |problem| serde_json::to_string(&problem).expect("a body"),
            |()| "fine".into(),
        )
    }

    #[test]
    fn facts_of_a_buyer_are_bounded_and_all_faults_are_told_at_once() {
        assert_eq!(said("{}"), "fine");
        let fine =
            r#"{"level":1000,"points":-1000000000000,"region":"sh","device":"d","address":"::1"}"#;
        assert_eq!(said(fine), "fine");
        let bad = said(r#"{"level":1001,"points":1000000000001,"region":"","address":"here"}"#);
        for field in ["level", "points", "region", "address"] {
            assert!(bad.contains(&format!("facts.{field}")), "{field}: {bad}");
        }
        assert!(serde_json::from_str::<BuyerFacts>(r#"{"lvl":1}"#).is_err());
    }
}
