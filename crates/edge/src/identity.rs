//! Buyers that somebody else signs in: tokens of OpenID Connect issuers, checked against their published keys.
//!
//! ```text
//!   token ─▶ header: alg, kid ─▶ issuer by `iss` ─▶ key by kid ─▶ signature ─▶ times, audience ─▶ buyer
//!                                                   │ unknown: one refresh a minute at most
//!                                                   └ KeySet ◀── Fetch ◀── jwks of the issuer, beside the requests
//! ```
//!
//! Why not a crate for JWT: what is refused is the point. The algorithm of a key is fixed by the key, `none` and HMAC
//! never reach a published key, and a token chooses nothing but which of the issuer's own keys is tried.
//!
//! Invariant: nothing that a token says is believed before its signature fits, except which issuer's keys to try.

mod claims;
mod fetch;
mod jwk;
mod known;
mod settings;

use crate::token::refused;
use api::service::Caller;
use api::{Code, Problem};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claims::Claims;
use moka::sync::Cache;
use serde::Deserialize;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;
use world::{Clock, Entropy, Tasks};

pub use bytes::Bytes;
pub use fetch::{Fetch, FetchError, Fetching, PlainFetch};
use jwk::{Algorithm, KeySet};
use known::{Around, Known};
pub use settings::{Issuer, Pseudonym, Settings};

/// Longest token of an issuer, bytes; they carry more than ours do.
const TOKEN_MAX: usize = 8_192;
/// Tokens that are remembered as verified.
const CACHED_MAX: u64 = 100_000;
#[derive(Deserialize)]
struct Header {
    alg: Box<str>,
    #[serde(default)]
    kid: Option<Box<str>>,
    /// Extensions that must be understood; none are.
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// The part of the claims that chooses the issuer.
#[derive(Deserialize)]
struct Unverified {
    iss: Box<str>,
}

/// A buyer as a verified token names it, and until when.
struct Verified {
    caller: Caller,
    issuer: usize,
    /// Generation of the key set that it was verified with: a withdrawn key takes its tokens along.
    generation: u64,
    expires_s: u64,
}

/// Verifies tokens of the issuers in the settings.
pub(crate) struct Identity {
    issuers: Vec<Arc<Known>>,
    leeway_s: u64,
    keys_fresh: Duration,
    verified: Cache<u128, Arc<Verified>>,
    seed: [u8; 16],
    around: Around,
}

/// The algorithm that a token names, if it is a token at all; nothing of it is verified.
fn algorithm(token: &str) -> Option<Algorithm> {
    let (header, _) = token.split_once('.')?;
    if header.len() > 1_024 {
        return None;
    }
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    Algorithm::find(&header.alg)
}

impl Identity {
    pub(crate) fn new(
        settings: &Settings,
        fetch: Arc<dyn Fetch>,
        clock: Arc<dyn Clock>,
        tasks: Tasks,
        entropy: &dyn Entropy,
    ) -> Self {
        let mut seed = [0; 16];
        entropy.fill(&mut seed);
        let known = |issuer: &Issuer| Arc::new(Known::new(issuer));
        Self {
            issuers: settings.issuers.iter().map(known).collect(),
            leeway_s: settings.leeway_s,
            keys_fresh: Duration::from_millis(settings.keys_fresh_ms),
            verified: Cache::new(CACHED_MAX),
            seed,
            around: Around {
                fetch,
                clock,
                tasks,
            },
        }
    }

    /// Whether a token is one that issuers make: there are issuers, and the algorithm is one of theirs.
    pub(crate) fn knows(&self, token: &str) -> bool {
        !self.issuers.is_empty() && algorithm(token).is_some()
    }

    /// Whose token it is, now.
    pub(crate) async fn verify(&self, token: &str) -> Result<Caller, Problem> {
        if token.len() > TOKEN_MAX {
            return Err(refused("the token is too long"));
        }
        let print = self.print(token);
        let now_s = self.around.clock.wall_ms() / 1_000;
        if let Some(found) = self.verified.get(&print)
            && self.still_counts(found.issuer, found.generation)
        {
            if found.expires_s.saturating_add(self.leeway_s) > now_s {
                return Ok(found.caller.clone());
            }
            self.verified.invalidate(&print);
        }
        let verified = self.read(token, now_s).await?;
        let caller = verified.caller.clone();
        self.verified.insert(print, Arc::new(verified));
        Ok(caller)
    }

    /// A keyed fingerprint, as of our own tokens.
    fn print(&self, token: &str) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.seed);
        hasher.write(token.as_bytes());
        hasher.finish128().as_u128()
    }

    async fn read(&self, token: &str, now_s: u64) -> Result<Verified, Problem> {
        let malformed = || refused("the token is not a signed JWT");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed());
        let (header, claims) = (decode(header)?, decode(claims)?);
        let signature = decode(signature)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| malformed())?;
        if header.crit.is_some() {
            return Err(refused(
                "the token needs extensions that are not known here",
            ));
        }
        let algorithm = Algorithm::find(&header.alg).ok_or_else(malformed)?;
        let unverified: Unverified =
            serde_json::from_slice(&claims).map_err(|_| refused("the token names no issuer"))?;
        let place = self.issuer(&unverified.iss)?;
        let kid = header.kid.as_deref();
        let keys = self.keys_for(place, kid).await?;
        if !keys.verify(algorithm, kid, signed.as_bytes(), &signature) {
            return Err(Problem::because(
                Code::BadSignature,
                "the signature of the token does not fit",
            ));
        }
        let claims = Claims::read(&claims, &self.issuers[place].settings)?;
        claims.in_time(now_s, self.leeway_s)?;
        Ok(Verified {
            expires_s: claims.expires_s,
            caller: claims.caller(&self.issuers[place].settings)?,
            issuer: place,
            generation: keys.generation,
        })
    }

    fn issuer(&self, named: &str) -> Result<usize, Problem> {
        let found = self
            .issuers
            .iter()
            .position(|known| known.settings.issuer == named);
        found.ok_or_else(|| refused("the issuer of the token is not known here"))
    }

    /// The issuer's keys. Those that are merely old are given while others are fetched beside; only who asks for a key that
    /// is not there, or has only keys that no longer count, waits for the fetch.
    async fn keys_for(&self, place: usize, kid: Option<&str>) -> Result<Arc<KeySet>, Problem> {
        let known = &self.issuers[place];
        let keys = known.keys();
        if keys.has(kid) && self.age(&keys) < self.keys_fresh {
            return Ok(keys);
        }
        known.refresh(&self.around);
        if keys.has(kid) && self.keys_count(&keys) {
            return Ok(keys);
        }
        known.settled().await;
        let keys = known.keys();
        match known.failure() {
            // A key that could not be asked after is not known to be a wrong one.
            Some(error) if !keys.has(kid) || !self.keys_count(&keys) => Err(unreachable(&error)),
            None if !self.keys_count(&keys) => Err(unreachable(&FetchError::Refused(
                "it was tried a moment ago".into(),
            ))),
            _ => Ok(keys),
        }
    }

    fn age(&self, keys: &KeySet) -> Duration {
        self.around.clock.monotonic().saturating_sub(keys.fetched)
    }

    /// Whether there are keys, less than four times as old as they should be.
    fn keys_count(&self, keys: &KeySet) -> bool {
        !keys.is_empty() && self.age(keys) < self.keys_fresh * 4
    }

    /// Whether what was verified with this generation of an issuer's keys is still so. Keys that are merely old are fetched
    /// again beside the caller.
    fn still_counts(&self, place: usize, generation: u64) -> bool {
        let known = &self.issuers[place];
        let keys = known.keys();
        if keys.generation != generation || !self.keys_count(&keys) {
            return false;
        }
        if self.age(&keys) >= self.keys_fresh {
            known.refresh(&self.around);
        }
        true
    }
}

fn unreachable(error: &FetchError) -> Problem {
    Problem::because(
        Code::Busy,
        format!("the issuer's keys cannot be had: {error}"),
    )
    .retry_after(5)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
