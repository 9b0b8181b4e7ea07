//! What a verified token says, and the buyer that it makes.

use super::settings::{Issuer, Pseudonym};
use crate::token::refused;
use api::limits::{BUYER_MAX, TAG_MAX, TAGS_MAX};
use api::service::Caller;
use api::{Code, Problem};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The claims of a verified token.
pub(super) struct Claims {
    subject: Box<str>,
    tags: Vec<Box<str>>,
    pub(super) expires_s: u64,
    not_before_s: u64,
}

impl Claims {
    pub(super) fn read(claims: &[u8], issuer: &Issuer) -> Result<Self, Problem> {
        let claims: Map<String, Value> = serde_json::from_slice(claims)
            .map_err(|_| refused("the claims of the token cannot be read"))?;
        if !audience(&claims).any(|audience| audience == issuer.audience) {
            return Err(refused("the token is meant for somebody else"));
        }
        let subject = claims.get("sub").and_then(Value::as_str);
        let subject = subject
            .filter(|subject| !subject.is_empty() && subject.len() <= 255)
            .ok_or_else(|| refused("the claim sub must have 1 to 255 bytes"))?;
        let expires_s = seconds(&claims, "exp")?
            .ok_or_else(|| refused("the token says not when it is over (exp)"))?;
        let begins = seconds(&claims, "nbf")?.max(seconds(&claims, "iat")?);
        Ok(Self {
            subject: subject.into(),
            tags: tags(&claims, issuer)?,
            expires_s,
            not_before_s: begins.unwrap_or_default(),
        })
    }

    pub(super) fn in_time(&self, now_s: u64, leeway_s: u64) -> Result<(), Problem> {
        let over = |detail: &'static str| Err(Problem::because(Code::TokenExpired, detail));
        if self.expires_s.saturating_add(leeway_s) <= now_s {
            return over("the token has expired");
        }
        if self.not_before_s > now_s.saturating_add(leeway_s) {
            return over("the token is not valid yet");
        }
        Ok(())
    }

    pub(super) fn caller(self, issuer: &Issuer) -> Result<Caller, Problem> {
        let id = match issuer.pseudonym {
            Pseudonym::Hashed => format!("{}{}", issuer.prefix, digest(issuer, &self.subject)),
            Pseudonym::Plain => format!("{}{}", issuer.prefix, self.subject),
        };
        if id.len() > BUYER_MAX || id.chars().any(char::is_control) {
            return Err(refused(
                "the subject of the token does not fit into a pseudonym",
            ));
        }
        Ok(Caller::Buyer {
            id: id.into(),
            tags: Arc::from(self.tags),
        })
    }
}

/// 132 bits are enough that no two subjects meet, and short enough to read.
fn digest(issuer: &Issuer, subject: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(issuer.issuer.as_bytes());
    hasher.update([0]);
    hasher.update(subject.as_bytes());
    let mut text = URL_SAFE_NO_PAD.encode(hasher.finalize());
    text.truncate(22);
    text
}

/// `aud` is one text or a list of them.
fn audience(claims: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let named = claims.get("aud");
    let list = named.and_then(Value::as_array).into_iter().flatten();
    named.into_iter().chain(list).filter_map(Value::as_str)
}

/// A time in whole or broken seconds.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, Problem> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let whole = value.as_u64().or_else(|| {
        let seconds = value.as_f64()?;
        // Above this a float has no whole seconds any more.
        let fits = (0.0..=9_007_199_254_740_992.0).contains(&seconds);
        fits.then(|| format!("{:.0}", seconds.floor()).parse().ok())?
    });
    whole
        .map(Some)
        .ok_or_else(|| refused(format!("the claim {name} is no time")))
}

/// The buyer's tags: those that are listed, and those that other claims become.
fn tags(claims: &Map<String, Value>, issuer: &Issuer) -> Result<Vec<Box<str>>, Problem> {
    let mut tags: Vec<Box<str>> = Vec::new();
    let listed = claims.get(&issuer.tags_claim).and_then(Value::as_array);
    for tag in listed.into_iter().flatten() {
        let tag = tag.as_str();
        tags.push(
            tag.ok_or_else(|| refused("a tag of the token is no text"))?
                .into(),
        );
    }
    for (name, claim) in [
        ("level", &issuer.level_claim),
        ("points", &issuer.points_claim),
        ("region", &issuer.region_claim),
    ] {
        match claims.get(claim) {
            Some(Value::String(text)) => tags.push(format!("{name}:{text}").into()),
            Some(Value::Number(number)) => tags.push(format!("{name}:{number}").into()),
            _ => {}
        }
    }
    if claims.get(&issuer.new_customer_claim) == Some(&Value::Bool(true)) {
        tags.push("new_customer".into());
    }
    tags.sort_unstable();
    tags.dedup();
    let fits =
        |tag: &str| !tag.is_empty() && tag.len() <= TAG_MAX && !tag.chars().any(char::is_control);
    if tags.len() > TAGS_MAX || !tags.iter().all(|tag| fits(tag)) {
        return Err(refused(
            "the token's tags, level, points and region must be at most 16 texts of 1 to 32 bytes",
        ));
    }
    Ok(tags)
}
