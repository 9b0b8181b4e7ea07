//! Published keys (RFC 7517), and signatures made with them.

use super::FetchError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;
use std::time::Duration;

/// Bytes of a key set, at most.
pub(super) const KEY_SET_MAX: usize = 256 * 1024;
/// Keys of one set that are looked at.
const KEYS_MAX: usize = 64;

/// How a token of an issuer may be signed. That it is not one of these is the answer to `none` and to HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    pub(crate) fn find(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A key set as it is published. What is not known is left out, as the standard wants it.
#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct PublishedKey {
    kty: Box<str>,
    #[serde(default)]
    kid: Option<Box<str>>,
    #[serde(default, rename = "use")]
    used_for: Option<Box<str>>,
    #[serde(default)]
    key_ops: Option<Vec<Box<str>>>,
    #[serde(default)]
    alg: Option<Box<str>>,
    #[serde(default)]
    crv: Option<Box<str>>,
    #[serde(default)]
    n: Option<Box<str>>,
    #[serde(default)]
    e: Option<Box<str>>,
    #[serde(default)]
    x: Option<Box<str>>,
    #[serde(default)]
    y: Option<Box<str>>,
}

/// One key, for one algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Debug, Clone)]
struct Named {
    kid: Option<Box<str>>,
    key: Key,
}

/// The keys of an issuer.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<Named>,
    /// Counts the sets of this issuer, from 0 for none yet.
    pub(super) generation: u64,
    /// When it was fetched.
    pub(super) fetched: Duration,
}

impl KeySet {
    pub(super) fn read(
        bytes: &[u8],
        generation: u64,
        fetched: Duration,
    ) -> Result<Self, FetchError> {
        if bytes.len() > KEY_SET_MAX {
            return Err(FetchError::TooLarge);
        }
        let published: Published = serde_json::from_slice(bytes)
            .map_err(|error| FetchError::Refused(format!("it is no key set: {error}")))?;
        let keys = published.keys.into_iter().take(KEYS_MAX);
        let keys: Vec<Named> = keys
            .filter_map(|key| read_key(serde_json::from_value(key).ok()?))
            .collect();
        if keys.is_empty() {
            return Err(FetchError::Refused(
                "it has no key that can be used here".into(),
            ));
        }
        Ok(Self {
            keys,
            generation,
            fetched,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether there is a key of this name; without a name any will do.
    pub(super) fn has(&self, kid: Option<&str>) -> bool {
        match kid {
            Some(kid) => self.keys.iter().any(|key| key.kid.as_deref() == Some(kid)),
            None => !self.is_empty(),
        }
    }

    /// Whether a key of this name and for this algorithm made the signature.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> bool {
        self.keys
            .iter()
            .filter(|named| kid.is_none_or(|kid| named.kid.as_deref() == Some(kid)))
            .any(|named| named.key.verify(algorithm, signed, signature))
    }
}

impl Key {
    /// The algorithm is the key's own; a token that names another is not looked at with it.
    fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::Rsa { n, e }, Algorithm::Rs256) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
                .is_ok(),
            (Self::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(signed, signature)
                    .is_ok()
            }
            (Self::Ed25519(point), Algorithm::EdDsa) => UnparsedPublicKey::new(&ED25519, point)
                .verify(signed, signature)
                .is_ok(),
            _ => false,
        }
    }
}

/// A key that is meant for signatures and of a kind that is known here.
fn read_key(key: PublishedKey) -> Option<Named> {
    let for_signing = key.used_for.as_deref().is_none_or(|used| used == "sig");
    let ops = key.key_ops.as_deref();
    let may_verify = ops.is_none_or(|ops| ops.iter().any(|op| &**op == "verify"));
    if !for_signing || !may_verify {
        return None;
    }
    let part = |part: &Option<Box<str>>| URL_SAFE_NO_PAD.decode(part.as_deref()?).ok();
    let (found, alg) = match (&*key.kty, key.crv.as_deref()) {
        ("RSA", _) => {
            let n = without_zeros(part(&key.n)?);
            let e = without_zeros(part(&key.e)?);
            (Key::Rsa { n, e }, "RS256")
        }
        ("EC", Some("P-256")) => {
            let (x, y) = (part(&key.x)?, part(&key.y)?);
            if x.len() != 32 || y.len() != 32 {
                return None;
            }
            (Key::P256([&[4][..], &x, &y].concat()), "ES256")
        }
        ("OKP", Some("Ed25519")) => {
            let x = part(&key.x)?;
            if x.len() != 32 {
                return None;
            }
            (Key::Ed25519(x), "EdDSA")
        }
        _ => return None,
    };
    if key.alg.as_deref().is_some_and(|named| named != alg) {
        return None;
    }
    let kid = key.kid.filter(|kid| kid.len() <= 256);
    Some(Named { kid, key: found })
}

/// Some publish a sign byte in front, which the standard forbids and ring refuses.
fn without_zeros(bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes[zeros..].to_vec()
}
