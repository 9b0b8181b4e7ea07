//! Whose signatures are believed: WeChat Pay's public key, or its platform certificates by their serial numbers.
//!
//! Platform certificates change. A serial number that is not known yet is looked for once in a while: the list of
//! certificates is encrypted with the APIv3 key and signed by one of the certificates in it, and both have to fit
//! before any of them is believed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::Time;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use serde::Deserialize;
use webpki::ring::RSA_PKCS1_2048_8192_SHA256;
use webpki::{EndEntityCert, RawPublicKeyEntity};

use super::settings::Settings;
use crate::provider::Hidden;
use crate::provider::stripe::SettingsFault;

/// Bytes of the APIv3 key.
pub(super) const API_KEY_BYTES: usize = 32;
/// What the names of public keys begin with.
const PUBLIC_KEY: &str = "PUB_KEY_ID_";
/// The least time between two looks for certificates: whoever forges serial numbers causes no more calls than this.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Certificates that are kept, at most.
const KEPT_MAX: usize = 64;

/// Something encrypted with the APIv3 key.
#[derive(Debug, Deserialize)]
pub(super) struct Sealed {
    pub(super) algorithm: String,
    pub(super) nonce: String,
    #[serde(default)]
    pub(super) associated_data: String,
    pub(super) ciphertext: String,
}

/// The list of platform certificates.
#[derive(Debug, Deserialize)]
pub(super) struct List {
    data: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    serial_no: String,
    expire_time: String,
    encrypt_certificate: Sealed,
}

/// Says whether a signature is by one key.
#[derive(Debug)]
pub(super) enum Verifier {
    /// A certificate that is good until then, in milliseconds since 1970.
    Certificate(CertificateDer<'static>, u64),
    /// A bare public key.
    PublicKey(SubjectPublicKeyInfoDer<'static>),
}

impl Verifier {
    /// The key in a PEM text, if it is one.
    pub(super) fn of_public_key(pem: &str) -> Option<Self> {
        let key = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
        RawPublicKeyEntity::try_from(&key).ok()?;
        Some(Self::PublicKey(key))
    }

    fn of_certificate(pem: &[u8], until_ms: u64) -> Option<Self> {
        let certificate = CertificateDer::from_pem_slice(pem).ok()?;
        EndEntityCert::try_from(&certificate).ok()?;
        Some(Self::Certificate(certificate, until_ms))
    }

    fn is_over(&self, now_ms: u64) -> bool {
        matches!(self, Self::Certificate(_, until_ms) if *until_ms <= now_ms)
    }

    /// Whether this key signed the text.
    pub(super) fn fits(&self, text: &[u8], signature: &[u8]) -> bool {
        let how = RSA_PKCS1_2048_8192_SHA256;
        match self {
            Self::Certificate(der, _) => EndEntityCert::try_from(der)
                .is_ok_and(|found| found.verify_signature(how, text, signature).is_ok()),
            Self::PublicKey(der) => RawPublicKeyEntity::try_from(der)
                .is_ok_and(|found| found.verify_signature(how, text, signature).is_ok()),
        }
    }
}

/// What the platform's signatures are checked with.
pub(super) struct Platform {
    api_key: LessSafeKey,
    pub(super) public_key_id: Option<String>,
    known: Mutex<BTreeMap<Box<str>, Arc<Verifier>>>,
    /// When certificates were last looked for. One looks at a time, and the others wait for what it finds.
    pub(super) looked: tokio::sync::Mutex<Option<Duration>>,
}

impl Platform {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsFault> {
        let key = settings.api_v3_secret.as_ref().map(Hidden::text);
        let key = UnboundKey::new(&AES_256_GCM, key.unwrap_or_default().as_bytes());
        let key = key.map_err(|_| SettingsFault::new("api_v3_secret", "must have 32 bytes"))?;
        let mut known = BTreeMap::new();
        if let (Some(id), Some(pem)) = (&settings.public_key_id, &settings.public_key) {
            let verifier = Verifier::of_public_key(pem)
                .ok_or_else(|| SettingsFault::new("public_key", "is no public key"))?;
            known.insert(id.as_str().into(), Arc::new(verifier));
        }
        Ok(Self {
            api_key: LessSafeKey::new(key),
            public_key_id: settings.public_key_id.clone(),
            known: Mutex::new(known),
            looked: tokio::sync::Mutex::default(),
        })
    }

    /// The verifier of this serial number, while it is good.
    pub(super) fn find(&self, serial: &str, now_ms: u64) -> Option<Arc<Verifier>> {
        let found = self.known().get(serial).cloned()?;
        (!found.is_over(now_ms)).then_some(found)
    }

    /// Whether a look at the list could bring this serial number.
    pub(super) fn may_be_listed(serial: &str) -> bool {
        !serial.is_empty() && serial.len() <= 64 && !serial.starts_with(PUBLIC_KEY)
    }

    /// Whether it is time for another look.
    pub(super) fn may_look(last: Option<Duration>, now: Duration) -> bool {
        last.is_none_or(|last| now >= last + LOOK_AGAIN)
    }

    /// The certificates of a list, opened; nothing is believed yet.
    pub(super) fn opened(&self, list: List) -> Option<BTreeMap<Box<str>, Arc<Verifier>>> {
        let mut found = BTreeMap::new();
        for listed in list.data.into_iter().take(KEPT_MAX) {
            let pem = self.open(&listed.encrypt_certificate)?;
            let until: Time = listed.expire_time.parse().ok()?;
            let verifier = Verifier::of_certificate(&pem, until.ms())?;
            found.insert(listed.serial_no.into(), Arc::new(verifier));
        }
        Some(found)
    }

    /// Believes these certificates from now on, and forgets those that are over.
    pub(super) fn believe(&self, found: BTreeMap<Box<str>, Arc<Verifier>>, now_ms: u64) {
        let mut known = self.known();
        known.extend(found);
        known.retain(|_, verifier| !verifier.is_over(now_ms));
    }

    /// Opens what was encrypted with the APIv3 key; `None` when it was not, or was changed or cut since.
    pub(super) fn open(&self, sealed: &Sealed) -> Option<Vec<u8>> {
        if sealed.algorithm != "AEAD_AES_256_GCM" {
            return None;
        }
        let nonce: [u8; NONCE_LEN] = sealed.nonce.as_bytes().try_into().ok()?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let mut text = STANDARD.decode(&sealed.ciphertext).ok()?;
        let data = Aad::from(sealed.associated_data.as_bytes());
        let opened = self.api_key.open_in_place(nonce, data, &mut text).ok()?;
        let length = opened.len();
        text.truncate(length);
        Some(text)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Arc<Verifier>>> {
        // Nothing in there panics half-way through a change.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the platform signs of an answer or a notification: three lines, each with its end.
pub(super) fn signed_text(timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{timestamp}\n{nonce}\n").into_bytes();
    text.extend_from_slice(body);
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sealed by another implementation of AES-256-GCM and opened by one of APIv3.
    #[test]
    fn what_others_seal_is_opened_and_nothing_that_was_changed() {
        let settings = Settings {
            api_v3_secret: Some(Hidden::new("0123456789abcdefghijklmnopqrstuv")),
            ..Settings::default()
        };
        let platform = Platform::new(&settings).expect("a key");
        let sealed = |ciphertext: &str, data: &str, algorithm: &str| Sealed {
            algorithm: algorithm.into(),
            nonce: "fdasflkja484".into(),
            associated_data: data.into(),
            ciphertext: ciphertext.into(),
        };
        let (good, how) = (
            "kdUy8AAEd+F97t+v/8pygRztbX8tWsNKK0TNuAi+F58K/7pDIuA=",
            "AEAD_AES_256_GCM",
        );
        let opened = platform.open(&sealed(good, "transaction", how));
        assert_eq!(opened.as_deref(), Some(&br#"{"mchid":"1900009191"}"#[..]));
        for wrong in [
            sealed(good, "certificate", how),
            sealed(good, "transaction", "AEAD_SM4_GCM"),
            sealed(&good[4..], "transaction", how),
            sealed(&good.to_lowercase(), "transaction", how),
            sealed("", "transaction", how),
            sealed("%", "transaction", how),
        ] {
            assert_eq!(platform.open(&wrong), None, "{wrong:?}");
        }
    }
}
