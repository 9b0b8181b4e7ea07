//! Keyed hashing: digests of idempotency keys, fingerprints of bodies, places in tables.
//!
//! `SipHash` keyed with the sale's secret: nobody outside can make two keys collide, and the same book gives the same
//! digests on every machine.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher13x128};

/// The secret of a sale, made at its creation and journalled with it.
pub type Secret = [u8; 16];

/// A 128-bit digest of a scope and a key.
pub(crate) fn digest(secret: &Secret, scope: (u8, &str), key: &str) -> [u8; 16] {
    let mut hasher = SipHasher13x128::new_with_key(secret);
    hasher.write(&[scope.0]);
    hasher.write(scope.1.as_bytes());
    hasher.write(&[0xFF]);
    hasher.write(key.as_bytes());
    hasher.finish128().as_bytes()
}

/// A 64-bit hash of one name, for the tables of SKUs and buyers.
pub(crate) fn place(secret: &Secret, name: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_key(secret);
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// Collects the content of a command into a fingerprint. Every field is fed with its length or a fixed width, so that
/// no two different bodies feed the same bytes.
pub(crate) struct Fingerprint(SipHasher13);

impl Fingerprint {
    pub(crate) fn new(secret: &Secret) -> Self {
        Self(SipHasher13::new_with_key(secret))
    }

    pub(crate) fn number(&mut self, n: u64) {
        self.0.write(&n.to_le_bytes());
    }

    /// The same as each number by itself, in one step.
    pub(crate) fn numbers<const N: usize>(&mut self, numbers: [u64; N]) {
        self.0.write(numbers.map(u64::to_le_bytes).as_flattened());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.write(text.as_bytes());
    }

    pub(crate) fn maybe_text(&mut self, text: Option<&str>) {
        self.number(u64::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    pub(crate) fn maybe_amount(&mut self, amount: Option<i64>) {
        self.number(u64::from(amount.is_some()));
        self.number(amount.unwrap_or_default().cast_unsigned());
    }

    /// Feeds a value as its record in the journal: that format stays the same from version to version, so the repeat
    /// of an old command still looks the same.
    pub(crate) fn record(&mut self, kind: u64, value: &impl serde::Serialize) {
        self.number(kind);
        // Every command encodes; one that did not would share the fingerprint of its kind and be told so.
        let bytes = postcard::to_allocvec(value).unwrap_or_default();
        self.0.write(&bytes);
    }

    pub(crate) fn finish(self) -> u64 {
        self.0.finish()
    }
}
