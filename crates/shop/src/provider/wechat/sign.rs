//! The merchant's signature, over requests and over what the page hands to WeChat: SHA-256 with RSA, PKCS #1 v1.5.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use world::Entropy;

use super::settings::Settings;
use crate::provider::stripe::SettingsFault;
use crate::provider::{Hidden, ProviderError};

/// Signs in the merchant's name.
pub(super) struct Signer {
    key: RsaKeyPair,
    mchid: String,
    serial: String,
    entropy: Arc<dyn Entropy>,
}

/// The key in a PEM text, if it is one.
pub(super) fn key_pair(pem: &Hidden) -> Option<RsaKeyPair> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.text().as_bytes()).ok()?;
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()
}

impl Signer {
    pub(super) fn new(
        settings: &Settings,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, SettingsFault> {
        let key = settings.key_secret.as_ref().and_then(key_pair);
        Ok(Self {
            key: key.ok_or_else(|| SettingsFault::new("key_secret", "is no private key"))?,
            mchid: settings.mchid.clone(),
            serial: settings.certificate_serial.clone(),
            entropy,
        })
    }

    /// The value of `Authorization` for a request.
    pub(super) fn authorization(
        &self,
        method: &str,
        target: &str,
        now_s: u64,
        body: &str,
    ) -> Result<String, ProviderError> {
        let nonce = self.nonce();
        let signature = self.sign(&request_text(method, target, now_s, &nonce, body))?;
        let (mchid, serial) = (&self.mchid, &self.serial);
        Ok(format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{mchid}\",nonce_str=\"{nonce}\",signature=\"{signature}\",\
             timestamp=\"{now_s}\",serial_no=\"{serial}\""
        ))
    }

    /// What a page inside WeChat hands over to have an order paid.
    pub(super) fn page(
        &self,
        appid: &str,
        prepay: &str,
        now_s: u64,
    ) -> Result<String, ProviderError> {
        let (nonce, package) = (self.nonce(), format!("prepay_id={prepay}"));
        let signature = self.sign(&format!("{appid}\n{now_s}\n{nonce}\n{package}\n"))?;
        let page = serde_json::json!({
            "appId": appid,
            "timeStamp": now_s.to_string(),
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": signature,
        });
        Ok(page.to_string())
    }

    fn sign(&self, text: &str) -> Result<String, ProviderError> {
        let mut signature = vec![0; self.key.public().modulus_len()];
        // The randomness only hides the key from a stopwatch; the signature is the same with any.
        let blinding = SystemRandom::new();
        let signed = self.key.sign(
            &RSA_PKCS1_SHA256,
            &blinding,
            text.as_bytes(),
            &mut signature,
        );
        signed.map_err(|_| ProviderError::Nonsense("the merchant's key signs nothing".into()))?;
        Ok(STANDARD.encode(signature))
    }

    /// 32 characters that nobody can guess.
    fn nonce(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02X}")).collect()
    }
}

/// What is signed of a request: five lines, each with its end.
fn request_text(method: &str, target: &str, now_s: u64, nonce: &str, body: &str) -> String {
    format!("{method}\n{target}\n{now_s}\n{nonce}\n{body}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of WeChat's page on signatures.
    #[test]
    fn the_text_to_sign_is_that_of_the_documents() {
        let text = request_text(
            "GET",
            "/v3/certificates",
            1_554_208_460,
            "593BEC0C930BF1AFEB40B4A08C8FB242",
            "",
        );
        assert_eq!(
            text,
            "GET\n/v3/certificates\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n"
        );
    }

    /// Made for that text with the same key by `openssl dgst -sha256 -sign`, and by another implementation of APIv3.
    #[test]
    fn the_signature_is_the_one_that_other_tools_make() {
        let settings = Settings {
            key_secret: Some(Hidden::new(include_str!(
                "../../../tests/keys/merchant.pem"
            ))),
            ..Settings::default()
        };
        let entropy = Arc::new(world::SeededEntropy::new(1));
        let signer = Signer::new(&settings, entropy).expect("a key");
        let text = "GET\n/v3/certificates\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n";
        let expected = "nFLvd7gxZIonJdqviu7N/r189CNULJjGaYlHp6mOuF7UTJ5CKJDcp7weIw50uMCXEcchFAk1pshiL5qgQ8m1g4eDQGB48u+o\
             /eJ/tUH22YGfhMs5uaO7ACa293BjVL54BwmXlo9sG3XSJn7ga4pHHzwU7YjdBUPhuip0BnoAx9iJuQlAd0ivao5wJooq0WRZ\
             gHdHVNp+MzsSEXybpoGIhUMA3I4PaUFfZsfDBlObWKnaT+HQW5MkbpKGL6YgfRUrdtJMzT8dEzq1IStoqhPisRSozVIrTy7G\
             E0WuqjezpsNBq3u8vlUa5f98kEVfxLC3Ob7MQBMYM/xZlhoINY8gGQ==";
        assert_eq!(signer.sign(text).as_deref(), Ok(expected));
    }
}
