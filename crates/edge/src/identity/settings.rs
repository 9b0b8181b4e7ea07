//! Settings of outside issuers.

use serde::{Deserialize, Serialize};

/// Issuers, at most.
const ISSUERS_MAX: usize = 8;

/// How a subject of an issuer becomes a buyer's pseudonym.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pseudonym {
    /// The prefix and a digest of issuer and subject: the subject itself never reaches a journal.
    #[default]
    Hashed,
    /// The prefix and the subject as it is, for subjects that say nothing about a person; 64 bytes together at most.
    Plain,
}

/// Settings of outside issuers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Issuers of buyers' tokens (OpenID Connect; RS256, ES256, EdDSA), each `{issuer, jwks, audience}` and, where they
    /// differ, `prefix`, `pseudonym`, `tags_claim`, `level_claim`, `points_claim`, `region_claim`, `new_customer_claim`; at most 8. Default none.
    pub issuers: Vec<Issuer>,
    /// How far clocks may differ when `exp`, `nbf` and `iat` are held against ours, s. Limit: 0 to 300. Default 30.
    pub leeway_s: u64,
    /// How long fetched keys count before they are fetched again, ms. Limit: 60,000 to 86,400,000. Default 600,000;
    /// while an issuer cannot be reached they count four times as long.
    pub keys_fresh_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            leeway_s: 30,
            keys_fresh_ms: 600_000,
        }
    }
}

/// One issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// What its tokens carry as `iss`.
    pub issuer: String,
    /// Where its keys are: an `https://` address, an `http://` one on loopback or a network that is trusted, or a file as
    /// `file:///…`.
    pub jwks: String,
    /// What its tokens for us carry as `aud`.
    pub audience: String,
    /// What its buyers' pseudonyms begin with, 1 to 16 bytes; different for each issuer. Default `oidc-`.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// How a subject becomes a pseudonym.
    #[serde(default)]
    pub pseudonym: Pseudonym,
    /// The claim that lists a buyer's tags. Default `tags`.
    #[serde(default = "tags_claim")]
    pub tags_claim: String,
    /// A claim that becomes the tag `level:…`. Default `level`.
    #[serde(default = "level_claim")]
    pub level_claim: String,
    /// A claim that becomes the tag `points:…`. Default `points`.
    #[serde(default = "points_claim")]
    pub points_claim: String,
    /// A claim that becomes the tag `region:…`. Default `region`.
    #[serde(default = "region_claim")]
    pub region_claim: String,
    /// A claim that, when true, becomes the tag `new_customer`. Default `new_customer`.
    #[serde(default = "new_customer_claim")]
    pub new_customer_claim: String,
}

fn prefix() -> String {
    "oidc-".to_owned()
}

fn tags_claim() -> String {
    "tags".to_owned()
}

fn level_claim() -> String {
    "level".to_owned()
}

fn points_claim() -> String {
    "points".to_owned()
}

fn region_claim() -> String {
    "region".to_owned()
}

fn new_customer_claim() -> String {
    "new_customer".to_owned()
}

impl Settings {
    /// Everything that is wrong, each with its option's name in front.
    pub(crate) fn faults(&self, faults: &mut Vec<String>) {
        if self.issuers.len() > ISSUERS_MAX {
            faults.push(format!(
                "identity.issuers: at most {ISSUERS_MAX} may be given"
            ));
        }
        if self.leeway_s > 300 {
            faults.push("identity.leeway_s: must be from 0 to 300".to_owned());
        }
        if !(60_000..=86_400_000).contains(&self.keys_fresh_ms) {
            faults.push("identity.keys_fresh_ms: must be from 60000 to 86400000".to_owned());
        }
        for (place, issuer) in self.issuers.iter().enumerate() {
            let mut fault = |name: &str, what: &str| {
                faults.push(format!("identity.issuers[{place}].{name}: {what}"));
            };
            if issuer.issuer.is_empty() || issuer.audience.is_empty() {
                fault("issuer", "and audience must not be empty");
            }
            let known = ["https://", "http://", "file:///"];
            if !known.iter().any(|scheme| issuer.jwks.starts_with(scheme)) {
                fault("jwks", "must begin with https://, http:// or file:///");
            }
            if issuer.prefix.is_empty()
                || issuer.prefix.len() > 16
                || issuer.prefix.chars().any(char::is_control)
            {
                fault("prefix", "must have 1 to 16 bytes");
            }
            let earlier = &self.issuers[..place];
            if earlier.iter().any(|other| other.issuer == issuer.issuer) {
                fault("issuer", "is given twice");
            }
            if earlier.iter().any(|other| {
                other.prefix.starts_with(&issuer.prefix) || issuer.prefix.starts_with(&other.prefix)
            }) {
                fault(
                    "prefix",
                    "must not be the begin of another issuer's, or the other way round",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(issuers: &[(&str, &str, &str)]) -> Vec<String> {
        let issuer = |(issuer, jwks, prefix): &(&str, &str, &str)| {
            let given = serde_json::json!({
                "issuer": issuer, "jwks": jwks, "audience": "shop", "prefix": prefix,
            });
            serde_json::from_value(given).unwrap()
        };
        let settings = Settings {
            issuers: issuers.iter().map(issuer).collect(),
            ..Settings::default()
        };
        let mut faults = Vec::new();
        settings.faults(&mut faults);
        faults
    }

    #[test]
    fn issuers_that_could_be_taken_for_one_another_are_refused() {
        let (web, file) = ("http://127.0.0.1:9100/keys", "file:///etc/keys");
        assert_eq!(faults(&[("a", web, "a-"), ("b", file, "b-")]).len(), 0);
        assert_eq!(
            faults(&[("a", web, "a-"), ("b", web, "a-b")]).len(),
            1,
            "one buyer, two issuers"
        );
        assert_eq!(faults(&[("a", web, "a-"), ("a", web, "b-")]).len(), 1);
        assert_eq!(
            faults(&[("a", "https://id.test/keys", "a-")]).len(),
            0,
            "TLS is spoken"
        );
        assert_eq!(
            faults(&[("a", "ftp://id.test/keys", "a-")]).len(),
            1,
            "nobody fetches from there"
        );
        assert_eq!(faults(&[("", web, "")]).len(), 2);
    }
}
