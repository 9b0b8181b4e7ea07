//! Buyer tokens: JWT signed with HS256, with rotation of secrets and a cache of what was verified.
//!
//! Written out because the crates for it bring RSA, elliptic curves and PEM along, and because the one algorithm is the
//! point: a token cannot choose another.

use crate::secret::Secret;
use crate::settings::TokenSecret;
use api::limits::{BUYER_MAX, TAG_MAX, TAGS_MAX};
use api::service::Caller;
use api::{Code, Problem};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;
use std::sync::Arc;
use world::Entropy;

/// Longest token, bytes.
const TOKEN_MAX: usize = 4_096;
/// Tokens that are remembered as verified.
const CACHED_MAX: u64 = 100_000;
/// How far a token may come from the future, s: clocks of two machines differ.
const SKEW_S: u64 = 5;

#[derive(Deserialize)]
struct Header<'a> {
    alg: &'a str,
    kid: Option<&'a str>,
}

/// What a token says. Other claims are not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The buyer's pseudonym, 1 to 64 bytes.
    pub sub: Arc<str>,
    /// Unix time at which the token is over, s.
    pub exp: u64,
    /// Unix time before which it is not valid, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// The buyer's tags, at most 16 of at most 32 bytes.
    #[serde(default)]
    pub tags: Arc<[Box<str>]>,
}

struct Key {
    id: Box<str>,
    /// The signature with the secret already in it; cloned for each use.
    mac: Hmac<Sha256>,
}

/// Verifies tokens.
pub(crate) struct Tokens {
    keys: Vec<Key>,
    verified: Cache<u128, Arc<Claims>>,
    seed: (u64, u64),
}

impl Tokens {
    pub(crate) fn new(secrets: &[TokenSecret], entropy: &dyn Entropy) -> Self {
        let mut seed = [0; 16];
        entropy.fill(&mut seed);
        let seed = u128::from_le_bytes(seed);
        let half = |part: u128| u64::try_from(part & u128::from(u64::MAX)).unwrap_or_default();
        let key = |secret: &TokenSecret| {
            Some(Key {
                id: secret.id.as_str().into(),
                mac: mac(&secret.secret)?,
            })
        };
        Self {
            keys: secrets.iter().filter_map(key).collect(),
            verified: Cache::new(CACHED_MAX),
            seed: (half(seed), half(seed >> 64)),
        }
    }

    /// Whose token it is, at Unix time `now_s`.
    pub(crate) fn verify(&self, token: &str, now_s: u64) -> Result<Caller, Problem> {
        if token.len() > TOKEN_MAX {
            return Err(refused("the token is too long"));
        }
        let print = self.print(token);
        let claims = match self.verified.get(&print) {
            Some(claims) => claims,
            None => {
                let claims = Arc::new(self.read(token)?);
                self.verified.insert(print, Arc::clone(&claims));
                claims
            }
        };
        if claims.exp <= now_s {
            self.verified.invalidate(&print);
            return Err(Problem::because(
                Code::TokenExpired,
                "the token has expired",
            ));
        }
        if claims.nbf.is_some_and(|begin| begin > now_s + SKEW_S) {
            return Err(Problem::because(
                Code::TokenExpired,
                "the token is not valid yet",
            ));
        }
        Ok(Caller::Buyer {
            id: Arc::clone(&claims.sub),
            tags: Arc::clone(&claims.tags),
        })
    }

    /// A keyed 128-bit fingerprint. Its key is random and never leaves the process, so nobody can make a token that
    /// meets the fingerprint of another.
    fn print(&self, token: &str) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.seed.0, self.seed.1);
        hasher.write(token.as_bytes());
        hasher.finish128().as_u128()
    }

    /// Checks the signature first, and only then reads what was signed.
    fn read(&self, token: &str) -> Result<Claims, Problem> {
        let malformed = || refused("the token is not a signed JWT");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| malformed())?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
        let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| malformed())?;
        if header.alg != "HS256" {
            return Err(refused("the token is not signed with HS256"));
        }
        let fits = self.signed(header.kid, signed.as_bytes(), &signature);
        if !fits && !stdx::mutants::is("token-signature-not-compared") {
            return Err(Problem::because(
                Code::BadSignature,
                "the signature of the token does not fit",
            ));
        }
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| malformed())?;
        let claims: Claims = serde_json::from_slice(&claims)
            .map_err(|error| refused(format!("the claims of the token cannot be read: {error}")))?;
        checked(claims)
    }

    /// The secret that `kid` names must fit; without a name any may.
    fn signed(&self, kid: Option<&str>, signed: &[u8], signature: &[u8]) -> bool {
        let fits = |key: &&Key| {
            key.mac
                .clone()
                .chain_update(signed)
                .verify_slice(signature)
                .is_ok()
        };
        self.keys
            .iter()
            .filter(|key| kid.is_none_or(|kid| *key.id == *kid))
            .any(|key| fits(&key))
    }
}

fn mac(secret: &Secret) -> Option<Hmac<Sha256>> {
    Hmac::<Sha256>::new_from_slice(secret.bytes()).ok()
}

pub(crate) fn refused(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::because(Code::NotAuthenticated, detail)
}

fn checked(claims: Claims) -> Result<Claims, Problem> {
    let fits = |text: &str, most: usize| {
        !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control)
    };
    if !fits(&claims.sub, BUYER_MAX) {
        return Err(refused("the claim sub must have 1 to 64 bytes"));
    }
    if claims.tags.len() > TAGS_MAX || !claims.tags.iter().all(|tag| fits(tag, TAG_MAX)) {
        return Err(refused(
            "the claim tags must be at most 16 texts of 1 to 32 bytes",
        ));
    }
    Ok(claims)
}

/// Makes a token; for demos, rehearsals and tests. Shops make their own, with any JWT library.
///
/// # Errors
/// The claims cannot be written as JSON.
pub fn mint(secret: &TokenSecret, claims: &Claims) -> Result<String, serde_json::Error> {
    let header = serde_json::json!({ "alg": "HS256", "typ": "JWT", "kid": secret.id });
    let header = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
    let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims)?);
    let signed = format!("{header}.{claims}");
    let signature =
        mac(&secret.secret).map(|mac| mac.chain_update(&signed).finalize().into_bytes());
    Ok(format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode(signature.unwrap_or_default())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use world::SeededEntropy;

    const NOW: u64 = 1_800_000_000;

    fn secret(id: &str) -> TokenSecret {
        TokenSecret {
            id: id.to_owned(),
            secret: Secret::new(format!("{id}: a secret of more than 32 bytes")),
        }
    }

    fn tokens(ids: &[&str]) -> Tokens {
        let secrets: Vec<TokenSecret> = ids.iter().map(|id| secret(id)).collect();
        Tokens::new(&secrets, &SeededEntropy::new(7))
    }

    fn claims() -> Claims {
        Claims {
            sub: "ann".into(),
            exp: NOW + 60,
            nbf: None,
            tags: Arc::new(["vip".into()]),
        }
    }

    fn code(outcome: Result<Caller, Problem>) -> Option<Code> {
        outcome.err().map(|problem| problem.code())
    }

    #[test]
    fn the_token_of_the_standard_is_read() {
        // RFC 7515, appendix A.1, with its own key; `sub` is missing there, so only the signature is looked at.
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = URL_SAFE_NO_PAD
            .decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
            .unwrap();
        let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        assert!(mac.chain_update(signed).verify_slice(&signature).is_ok());
    }

    #[test]
    fn a_good_token_names_its_buyer_twice_from_cache() {
        let tokens = tokens(&["a"]);
        let token = mint(&secret("a"), &claims()).unwrap();
        for _ in 0..2 {
            let caller = tokens.verify(&token, NOW).unwrap();
            assert!(
                matches!(caller, Caller::Buyer { id, tags } if &*id == "ann" && &*tags[0] == "vip")
            );
        }
    }

    #[test]
    fn a_token_is_over_in_its_last_second_also_from_cache() {
        let tokens = tokens(&["a"]);
        let token = mint(&secret("a"), &claims()).unwrap();
        assert!(tokens.verify(&token, NOW + 59).is_ok());
        assert_eq!(
            code(tokens.verify(&token, NOW + 60)),
            Some(Code::TokenExpired)
        );
        let later = mint(
            &secret("a"),
            &Claims {
                nbf: Some(NOW + 30),
                ..claims()
            },
        )
        .unwrap();
        assert_eq!(code(tokens.verify(&later, NOW)), Some(Code::TokenExpired));
        assert!(tokens.verify(&later, NOW + 30).is_ok());
    }

    #[test]
    fn old_and_new_secret_are_both_good_until_the_old_one_goes() {
        let old = mint(&secret("2025"), &claims()).unwrap();
        let new = mint(&secret("2026"), &claims()).unwrap();
        let both = tokens(&["2025", "2026"]);
        assert!(both.verify(&old, NOW).is_ok() && both.verify(&new, NOW).is_ok());
        let after = tokens(&["2026"]);
        assert_eq!(code(after.verify(&old, NOW)), Some(Code::BadSignature));
    }

    #[test]
    fn no_other_algorithm_is_taken() {
        let tokens = tokens(&["a"]);
        let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims()).unwrap());
        for alg in ["none", "None", "HS384", "RS256", ""] {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}"}}"#));
            for signature in ["", "AAAA"] {
                let token = format!("{header}.{claims}.{signature}");
                assert_eq!(
                    code(tokens.verify(&token, NOW)),
                    Some(Code::NotAuthenticated),
                    "{alg}"
                );
            }
        }
    }

    #[test]
    fn claims_have_limits() {
        let tokens = tokens(&["a"]);
        let bad = [
            Claims {
                sub: "".into(),
                ..claims()
            },
            Claims {
                sub: "x".repeat(65).into(),
                ..claims()
            },
            Claims {
                tags: vec!["t".into(); 17].into(),
                ..claims()
            },
            Claims {
                tags: Arc::new(["t".repeat(33).into()]),
                ..claims()
            },
        ];
        for claims in bad {
            let token = mint(&secret("a"), &claims).unwrap();
            assert_eq!(
                code(tokens.verify(&token, NOW)),
                Some(Code::NotAuthenticated)
            );
        }
    }

    proptest! {
        #[test]
        fn a_token_with_any_changed_byte_is_refused(place in 0_usize..150, byte in 33_u8..127) {
            let tokens = tokens(&["a"]);
            let mut token = mint(&secret("a"), &claims()).unwrap().into_bytes();
            let place = place % token.len();
            prop_assume!(token[place] != byte);
            token[place] = byte;
            let token = String::from_utf8(token).unwrap();
            prop_assert!(tokens.verify(&token, NOW).is_err());
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,200}") {
            prop_assert!(tokens(&["a"]).verify(&text, NOW).is_err());
        }
    }
}
