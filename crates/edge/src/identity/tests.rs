//! Tokens of issuers: which are taken, which are not, and when keys are fetched.

use super::*;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use world::{ManualClock, SeededEntropy};

pub(super) const ISSUER: &str = "https://issuer.test";
pub(super) const NOW_S: u64 = 1_800_000_000;
const RSA: &[u8] = include_bytes!("../../tests/keys/issuer-rsa.pk8");
const P256: &[u8] = include_bytes!("../../tests/keys/issuer-p256.pk8");

/// An issuer's published document, which may change or be gone.
#[derive(Default)]
pub(super) struct Published {
    document: std::sync::Mutex<Option<Value>>,
    fetched: AtomicUsize,
    hangs: AtomicBool,
}

impl Published {
    pub(super) fn set(&self, keys: &[Value]) {
        *self.document.lock().unwrap() = Some(json!({ "keys": keys }));
    }

    fn gone(&self) {
        *self.document.lock().unwrap() = None;
    }

    fn count(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }
}

impl Fetch for Published {
    fn fetch(&self, _url: &str) -> Fetching<'_> {
        self.fetched.fetch_add(1, Ordering::SeqCst);
        let document = self.document.lock().unwrap().clone();
        if self.hangs.load(Ordering::SeqCst) {
            return Box::pin(std::future::pending());
        }
        Box::pin(async move {
            let document = document.ok_or(FetchError::Unreachable)?;
            Ok(Bytes::from(document.to_string()))
        })
    }
}

pub(super) struct Stand {
    pub(super) identity: Identity,
    pub(super) published: Arc<Published>,
    clock: Arc<ManualClock>,
}

impl Stand {
    pub(super) fn new() -> Self {
        let issuer: Issuer = serde_json::from_value(json!({
            "issuer": ISSUER, "jwks": "http://issuer.test/keys", "audience": "tidegate",
        }))
        .unwrap();
        Self::with(issuer)
    }

    fn with(issuer: Issuer) -> Self {
        let settings = Settings {
            issuers: vec![issuer],
            ..Settings::default()
        };
        let mut faults = Vec::new();
        settings.faults(&mut faults);
        assert_eq!(faults, Vec::<String>::new());
        let published = Arc::new(Published::default());
        let clock = Arc::new(ManualClock::new(NOW_S * 1_000));
        let identity = Identity::new(
            &settings,
            published.clone(),
            clock.clone(),
            Tasks::of_the_machine(),
            &SeededEntropy::new(1),
        );
        Self {
            identity,
            published,
            clock,
        }
    }

    async fn code(&self, token: &str) -> Option<Code> {
        let outcome = self.identity.verify(token).await;
        // A fetch that began beside it gets its turn.
        one_turn().await;
        outcome.err().map(|problem| problem.code())
    }

    /// The same, but not for longer than this.
    async fn code_within(&self, patience: Duration, token: &str) -> Option<Option<Code>> {
        let tasks = Tasks::of_the_machine();
        tasks.timeout(patience, self.code(token)).await
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// Lets what runs beside have its turn.
async fn one_turn() {
    let mut turned = false;
    let turn = |context: &mut Context<'_>| {
        if std::mem::replace(&mut turned, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    };
    std::future::poll_fn(turn).await;
}

fn part(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn ed25519(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

pub(super) fn ed25519_jwk(kid: &str, seed: u8) -> Value {
    let x = part(ed25519(seed).public_key().as_ref());
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x })
}

fn p256() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, P256, &random).unwrap()
}

fn p256_jwk(kid: &str) -> Value {
    let point = p256().public_key().as_ref().to_vec();
    json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": part(&point[1..33]), "y": part(&point[33..]) })
}

fn rsa() -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(RSA).unwrap()
}

fn rsa_jwk(kid: &str) -> Value {
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(rsa().public());
    json!({ "kty": "RSA", "kid": kid, "use": "sig", "n": part(&public.n), "e": part(&public.e) })
}

pub(super) fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": "tidegate", "sub": "ann", "exp": NOW_S + 60 })
}

fn unsigned(header: &Value, claims: &[u8]) -> String {
    format!("{}.{}", part(header.to_string().as_bytes()), part(claims))
}

pub(super) fn signed(alg: &str, kid: &str, claims: &[u8], seed: u8) -> String {
    let text = unsigned(&json!({ "alg": alg, "kid": kid }), claims);
    let random = SystemRandom::new();
    let signature = match alg {
        "RS256" => {
            let key = rsa();
            let mut signature = vec![0; key.public().modulus_len()];
            key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
                .unwrap();
            signature
        }
        "ES256" => p256()
            .sign(&random, text.as_bytes())
            .unwrap()
            .as_ref()
            .to_vec(),
        _ => ed25519(seed).sign(text.as_bytes()).as_ref().to_vec(),
    };
    format!("{text}.{}", part(&signature))
}

fn token(alg: &str, kid: &str, claims: &Value) -> String {
    signed(alg, kid, claims.to_string().as_bytes(), 1)
}

fn merged(mut claims: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

#[tokio::test]
async fn the_three_algorithms_are_taken_and_name_the_same_buyer() {
    let stand = Stand::new();
    stand
        .published
        .set(&[rsa_jwk("r"), p256_jwk("e"), ed25519_jwk("d", 1)]);
    let mut buyers = std::collections::BTreeSet::new();
    for (alg, kid) in [("RS256", "r"), ("ES256", "e"), ("EdDSA", "d")] {
        let token = token(alg, kid, &claims());
        for _ in 0..2 {
            let Ok(Caller::Buyer { id, .. }) = stand.identity.verify(&token).await else {
                panic!("{alg} is refused");
            };
            assert!(id.starts_with("oidc-") && !id.contains("ann"), "{id}");
            buyers.insert(id);
        }
    }
    assert_eq!((buyers.len(), stand.published.count()), (1, 1));
}

#[test]
fn the_tokens_of_the_standards_are_verified() {
    // RFC 7515, A.2 and A.3, and RFC 8037, A.4, with their own keys.
    let keys = include_bytes!("../../tests/corpus/key-sets/three");
    let keys = KeySet::read(keys, 1, Duration::ZERO).unwrap();
    let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let known = [
        (
            Algorithm::Rs256,
            format!("eyJhbGciOiJSUzI1NiJ9.{payload}"),
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            Algorithm::Es256,
            format!("eyJhbGciOiJFUzI1NiJ9.{payload}"),
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            Algorithm::EdDsa,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ];
    for (algorithm, text, signature) in known {
        let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(
            keys.verify(algorithm, None, text.as_bytes(), &signature),
            "{algorithm:?}"
        );
        signature[7] ^= 1;
        assert!(
            !keys.verify(algorithm, None, text.as_bytes(), &signature),
            "{algorithm:?}"
        );
    }
}

#[tokio::test]
async fn no_algorithm_is_confused_with_another() {
    let stand = Stand::new();
    stand.published.set(&[rsa_jwk("r"), ed25519_jwk("d", 1)]);
    let claims = claims().to_string();
    for alg in [
        "none", "None", "HS256", "HS512", "RS512", "PS256", "ES384", "",
    ] {
        let text = unsigned(&json!({ "alg": alg, "kid": "r" }), claims.as_bytes());
        assert!(!stand.identity.knows(&format!("{text}.")), "{alg}");
        assert_eq!(
            stand.code(&format!("{text}.")).await,
            Some(Code::NotAuthenticated)
        );
    }
    // An Ed25519 signature under the name of the RSA key, and under the algorithm of another.
    let crossed = signed("EdDSA", "r", claims.as_bytes(), 1);
    assert_eq!(stand.code(&crossed).await, Some(Code::BadSignature));
    let text = unsigned(&json!({ "alg": "RS256", "kid": "d" }), claims.as_bytes());
    let forged = format!("{text}.{}", part(ed25519(1).sign(text.as_bytes()).as_ref()));
    assert_eq!(stand.code(&forged).await, Some(Code::BadSignature));
    let critical = json!({ "alg": "EdDSA", "kid": "d", "crit": ["x"] });
    let text = unsigned(&critical, claims.as_bytes());
    let critical = format!("{text}.{}", part(ed25519(1).sign(text.as_bytes()).as_ref()));
    assert_eq!(stand.code(&critical).await, Some(Code::NotAuthenticated));
}

#[tokio::test]
async fn times_audience_and_issuer_are_held_against_the_settings() {
    let stand = Stand::new();
    stand.published.set(&[ed25519_jwk("d", 1)]);
    let outcomes = [
        (json!({}), None),
        (json!({ "exp": NOW_S - 29 }), None),
        (json!({ "exp": NOW_S - 30 }), Some(Code::TokenExpired)),
        (json!({ "nbf": NOW_S + 30 }), None),
        (json!({ "nbf": NOW_S + 31 }), Some(Code::TokenExpired)),
        (json!({ "iat": NOW_S + 31 }), Some(Code::TokenExpired)),
        (json!({ "exp": null }), Some(Code::NotAuthenticated)),
        (json!({ "exp": "later" }), Some(Code::NotAuthenticated)),
        (json!({ "aud": ["x", "tidegate"] }), None),
        (json!({ "aud": "tide" }), Some(Code::NotAuthenticated)),
        (json!({ "aud": [] }), Some(Code::NotAuthenticated)),
        (
            json!({ "iss": "https://other.test" }),
            Some(Code::NotAuthenticated),
        ),
        (json!({ "sub": "" }), Some(Code::NotAuthenticated)),
        (json!({ "sub": 7 }), Some(Code::NotAuthenticated)),
    ];
    for (more, code) in outcomes {
        let token = token("EdDSA", "d", &merged(claims(), &more));
        assert_eq!(stand.code(&token).await, code, "{more}");
    }
}

#[tokio::test]
async fn a_token_is_over_also_from_the_cache() {
    let stand = Stand::new();
    stand.published.set(&[ed25519_jwk("d", 1)]);
    let token = token("EdDSA", "d", &claims());
    assert_eq!(stand.code(&token).await, None);
    stand.pass(89);
    assert_eq!(stand.code(&token).await, None, "within the leeway");
    stand.pass(1);
    assert_eq!(stand.code(&token).await, Some(Code::TokenExpired));
}

#[tokio::test]
async fn claims_become_tags_and_a_plain_subject_stays_readable() {
    let issuer = json!({
        "issuer": ISSUER, "jwks": "file:///keys", "audience": "tidegate", "prefix": "a:",
        "pseudonym": "plain", "level_claim": "rank",
    });
    let stand = Stand::with(serde_json::from_value(issuer).unwrap());
    stand.published.set(&[ed25519_jwk("d", 1)]);
    let more = json!({ "tags": ["vip", "vip"], "rank": 3, "points": -5, "region": "eu", "new_customer": true });
    let good = token("EdDSA", "d", &merged(claims(), &more));
    let Ok(Caller::Buyer { id, tags }) = stand.identity.verify(&good).await else {
        panic!("refused");
    };
    let tags: Vec<&str> = tags.iter().map(|tag| &**tag).collect();
    assert_eq!(
        (&*id, tags),
        (
            "a:ann",
            vec!["level:3", "new_customer", "points:-5", "region:eu", "vip"]
        )
    );
    for more in [
        json!({ "sub": "x".repeat(63) }),
        json!({ "tags": vec!["t"; 17].iter().enumerate().map(|(n, t)| format!("{t}{n}")).collect::<Vec<_>>() }),
        json!({ "region": "r".repeat(32) }),
        json!({ "tags": [7] }),
    ] {
        let token = token("EdDSA", "d", &merged(claims(), &more));
        assert_eq!(
            stand.code(&token).await,
            Some(Code::NotAuthenticated),
            "{more}"
        );
    }
}

#[tokio::test]
async fn a_new_key_is_found_by_one_refresh_a_minute_and_an_old_one_goes() {
    let stand = Stand::new();
    stand.published.set(&[ed25519_jwk("old", 1)]);
    let old = token(
        "EdDSA",
        "old",
        &merged(claims(), &json!({ "exp": NOW_S + 5_000 })),
    );
    let new = signed("EdDSA", "new", claims().to_string().as_bytes(), 2);
    assert_eq!(stand.code(&old).await, None);
    stand.published.set(&[ed25519_jwk("new", 2)]);
    for guess in 0..20 {
        let unknown = signed(
            "EdDSA",
            &format!("k{guess}"),
            claims().to_string().as_bytes(),
            2,
        );
        assert_eq!(stand.code(&unknown).await, Some(Code::BadSignature));
    }
    assert_eq!(
        stand.code(&new).await,
        Some(Code::BadSignature),
        "fetched a moment ago"
    );
    assert_eq!(stand.published.count(), 1);
    stand.pass(60);
    assert_eq!((stand.code(&new).await, stand.published.count()), (None, 2));
    assert_eq!(
        stand.code(&old).await,
        Some(Code::BadSignature),
        "also from the cache"
    );
}

#[tokio::test]
async fn an_issuer_that_is_down_locks_nobody_out_at_once() {
    let stand = Stand::new();
    let token = token(
        "EdDSA",
        "d",
        &merged(claims(), &json!({ "exp": NOW_S + 50_000 })),
    );
    assert_eq!(stand.code(&token).await, Some(Code::Busy), "no keys yet");
    stand.published.set(&[ed25519_jwk("d", 1)]);
    assert_eq!(
        stand.code(&token).await,
        Some(Code::Busy),
        "tried a moment ago"
    );
    stand.pass(5);
    assert_eq!(stand.code(&token).await, None);
    stand.published.gone();
    stand.pass(2_000);
    for _ in 0..5 {
        assert_eq!(
            stand.code(&token).await,
            None,
            "old keys are better than none"
        );
    }
    assert_eq!(stand.published.count(), 3);
    stand.pass(500);
    assert_eq!(
        stand.code(&token).await,
        Some(Code::Busy),
        "but not for ever"
    );
    stand.published.set(&[ed25519_jwk("d", 1)]);
    stand.pass(5);
    assert_eq!(stand.code(&token).await, None);
}

/// An hour's token of this key.
fn lasting(kid: &str, seed: u8) -> String {
    let claims = merged(claims(), &json!({ "exp": NOW_S + 3_600 }));
    signed("EdDSA", kid, claims.to_string().as_bytes(), seed)
}

// Others: python-jose and many gateways fetch keys in the way of the request, so that one slow issuer stops all sign-ins.
#[tokio::test(start_paused = true)]
async fn an_issuer_that_hangs_locks_nobody_out() {
    let stand = Stand::new();
    stand.published.set(&[ed25519_jwk("d", 1)]);
    let claims = merged(claims(), &json!({ "exp": NOW_S + 4_000 }));
    let (cached, other) = (lasting("d", 1), token("EdDSA", "d", &claims));
    assert_eq!(stand.code(&cached).await, None);
    stand.published.hangs.store(true, Ordering::SeqCst);
    stand.pass(700);
    for token in [&cached, &other, &cached, &other] {
        let outcome = stand.code_within(Duration::from_millis(1), token).await;
        assert_eq!(outcome, Some(None), "at once, by the keys that are there");
    }
    assert_eq!(stand.published.count(), 2, "one fetch is under way");
}

#[tokio::test(start_paused = true)]
async fn who_needs_a_key_that_is_not_there_waits_for_one_fetch_and_no_longer() {
    let stand = Stand::new();
    stand.published.set(&[ed25519_jwk("d", 1)]);
    assert_eq!(stand.code(&lasting("d", 1)).await, None);
    stand.published.hangs.store(true, Ordering::SeqCst);
    stand.pass(100);
    let (one, two) = (lasting("new", 2), lasting("newer", 2));
    let patience = Duration::from_secs(6);
    let waited = tokio::join!(
        stand.code_within(patience, &one),
        stand.code_within(patience, &two),
    );
    let busy = Some(Code::Busy);
    assert_eq!(waited, (Some(busy), Some(busy)), "not known to be wrong");
    assert_eq!(stand.published.count(), 2);
    // The pause counts from the end of the fetch, so an issuer that hangs is not asked without an end.
    stand.pass(4);
    assert_eq!((stand.code(&one).await, stand.published.count()), (busy, 2));
    stand.pass(1);
    stand.published.hangs.store(false, Ordering::SeqCst);
    stand
        .published
        .set(&[ed25519_jwk("d", 1), ed25519_jwk("new", 2)]);
    assert_eq!((stand.code(&one).await, stand.published.count()), (None, 3));
}

#[test]
fn keys_that_are_none_of_ours_are_left_out() {
    let read = |key: Value| {
        let document = json!({ "keys": [key, ed25519_jwk("d", 1)] }).to_string();
        let keys = KeySet::read(document.as_bytes(), 1, Duration::ZERO).unwrap();
        assert!(keys.has(Some("d")));
        keys.has(Some("x"))
    };
    assert!(read(ed25519_jwk("x", 2)));
    for more in [
        json!({ "use": "enc" }),
        json!({ "key_ops": ["sign"] }),
        json!({ "alg": "RS256" }),
        json!({ "crv": "Ed448" }),
        json!({ "kty": "oct" }),
        json!({ "x": "AAAA" }),
    ] {
        assert!(!read(merged(ed25519_jwk("x", 2), &more)), "{more}");
    }
    assert!(!read(json!("no key at all")));
    let only = json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }).to_string();
    assert!(KeySet::read(only.as_bytes(), 1, Duration::ZERO).is_err());
    let large = vec![b' '; jwk::KEY_SET_MAX + 1];
    assert_eq!(
        KeySet::read(&large, 1, Duration::ZERO).unwrap_err(),
        FetchError::TooLarge
    );
}
