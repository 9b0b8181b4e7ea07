//! Key sets and tokens of issuers that went wrong: refused, or what they say.

use super::tests::{NOW_S, Stand, ed25519_jwk, signed};
use super::*;
use std::path::Path;
use world::mangle::Corpus;

fn corpus(format: &str) -> Corpus {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    Corpus::read(dir.join(format)).unwrap()
}

#[test]
fn key_sets() {
    let words = [
        "\"kty\":",
        "\"kid\":\"r\"",
        "\"use\":\"enc\"",
        "null",
        "[]",
        "{}",
        "AA",
        "\"alg\":",
    ];
    let corpus = corpus("key-sets").with_words(&words);
    let text = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    for trial in corpus.trials(3_000) {
        let Ok(keys) = KeySet::read(&trial, 1, Duration::ZERO) else {
            assert!(!trial.is_whole());
            continue;
        };
        assert!(keys.has(None));
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            // A broken point or modulus verifies nothing, and brings nobody to fall.
            assert!(!keys.verify(algorithm, None, text, &[0; 64]));
        }
    }
}

#[tokio::test]
async fn issuer_claims() {
    let words = [
        "\"exp\":",
        "\"aud\":\"tidegate\"",
        "\"sub\":\"bob\"",
        "1e400",
        "-1",
        "null",
        "[]",
        "\"nbf\":9e99",
    ];
    let corpus = corpus("issuer-claims").with_words(&words);
    let stand = Stand::new();
    stand.published.set(&[ed25519_jwk("d", 1)]);
    for trial in corpus.trials(1_500) {
        let token = signed("EdDSA", "d", &trial, 1);
        let taken = stand.identity.verify(&token).await.is_ok();
        assert!(taken || !trial.is_whole());
        if taken {
            let claims: serde_json::Value = serde_json::from_slice(&trial).unwrap();
            let over = claims["exp"].as_f64().unwrap() + 30.0;
            assert!(over > NOW_S as f64 && claims["sub"].is_string(), "{claims}");
        }
        // The signature of other claims, and that of another key, fit none.
        let (signed_text, _) = token.rsplit_once('.').unwrap();
        let other = signed("EdDSA", "d", b"{}", 1);
        let (_, signature) = other.rsplit_once('.').unwrap();
        let forged = format!("{signed_text}.{signature}");
        assert!(trial[..] == b"{}"[..] || stand.identity.verify(&forged).await.is_err());
        assert!(
            stand
                .identity
                .verify(&signed("EdDSA", "d", &trial, 2))
                .await
                .is_err()
        );
    }
}
