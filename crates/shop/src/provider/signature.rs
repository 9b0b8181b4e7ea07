//! The signature of a callback: whoever knows the secret wrote these bytes, at this time.

use std::fmt::{self, Write};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a secret, at least: as many as the hash gives.
pub const SECRET_BYTES_LEAST: usize = 32;

/// What a provider and Tidegate share to sign callbacks. Never shown in logs.
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

impl Secret {
    /// `None` for fewer bytes than [`SECRET_BYTES_LEAST`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < SECRET_BYTES_LEAST {
            return None;
        }
        Hmac::new_from_slice(bytes).ok().map(Self)
    }

    /// The value of [`api::provider::SIGNATURE_HEADER`] for a body that is sent at this time, in seconds since 1970.
    #[must_use]
    pub fn sign(&self, unix_s: u64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(unix_s.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        let mut header = format!("t={unix_s},v1=");
        for byte in mac.finalize().into_bytes() {
            // Writing into a string does not fail.
            let _written = write!(header, "{byte:02x}");
        }
        header
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_other_tools_compute() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let secret = Secret::new(b"0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(
            secret.sign(1_700_000_000, br#"{"a":1}"#),
            "t=1700000000,v1=f05f2539e3ae1c49aec5f8cfdad75ef6b06480b133973ffbb7ec9e18827af177"
        );
    }

    #[test]
    fn a_short_secret_is_none_and_no_secret_is_shown() {
        assert!(Secret::new(b"short").is_none());
        let secret = Secret::new(b"0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret");
    }
}
