//! How WeChat Pay is reached and used.

use serde::{Deserialize, Serialize};

use super::certificates::{API_KEY_BYTES, Verifier};
use super::sign::key_pair;
use crate::provider::Hidden;
use crate::provider::client::secure_base;
use crate::provider::stripe::SettingsFault;

/// How the buyer comes to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The page shows a QR code that the buyer scans.
    #[default]
    Native,
    /// The page runs inside WeChat; the buyer's pseudonym in the order is the `openid`.
    Jsapi,
}

impl Way {
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Native => "/v3/pay/transactions/native",
            Self::Jsapi => "/v3/pay/transactions/jsapi",
        }
    }
}

/// How WeChat Pay is reached and used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address of the API. Default `https://api.mch.weixin.qq.com`; plain HTTP only on this machine.
    pub url: String,
    /// The application, `wx…`. Needed.
    pub appid: String,
    /// The merchant's number. Needed.
    pub mchid: String,
    /// Serial number of the merchant's API certificate, 40 hexadecimal digits. Needed.
    pub certificate_serial: String,
    /// The merchant's private key, PEM (PKCS #8), as in `apiclient_key.pem`. Needed.
    pub key_secret: Option<Hidden>,
    /// The APIv3 key, 32 bytes. Needed.
    pub api_v3_secret: Option<Hidden>,
    /// Name of WeChat Pay's public key, `PUB_KEY_ID_…`, for merchants that have one. Default not set: platform
    /// certificates, fetched when they are needed.
    pub public_key_id: Option<String>,
    /// WeChat Pay's public key of that name, PEM.
    pub public_key: Option<String>,
    /// Where WeChat brings its notifications: the public address of `/v1/providers/wechat/callback`. Needed.
    pub notify_url: String,
    /// How the buyer comes to pay: `native` (a QR code) or `jsapi` (inside WeChat).
    pub way: Way,
    /// What the buyer sees as bought, 1 to 42 characters. Default `Order`.
    pub description: String,
    /// Put before all numbers of orders, so that two houses of one merchant share none; at most 12 small letters, digits
    /// and `-`; never changes while anything is open. Default empty.
    pub house: String,
    /// How long a buyer may take to pay, in seconds; an order that is older is closed when it is next asked about.
    /// Limit: 60 to 7,200.
    pub pay_within_s: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "https://api.mch.weixin.qq.com".to_owned(),
            appid: String::new(),
            mchid: String::new(),
            certificate_serial: String::new(),
            key_secret: None,
            api_v3_secret: None,
            public_key_id: None,
            public_key: None,
            notify_url: String::new(),
            way: Way::Native,
            description: "Order".to_owned(),
            house: String::new(),
            pay_within_s: 1_800,
        }
    }
}

impl Settings {
    /// Everything that is wrong when WeChat Pay is the provider.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingsFault> {
        let mut faults = self.account_faults();
        let mut fault = |option, detail: &str| faults.push(SettingsFault::new(option, detail));
        if secure_base(&self.url).is_err() {
            fault(
                "url",
                "must be `https://` and a host, or plain HTTP on this machine",
            );
        }
        if !is_public(&self.notify_url) {
            fault(
                "notify_url",
                "must be `https://`, a host and a path, without a query",
            );
        }
        if !(1..=42).contains(&self.description.chars().count()) {
            fault("description", "must have 1 to 42 characters");
        }
        if !crate::provider::stripe::is_house(&self.house, 0, 12) {
            fault(
                "house",
                "must have at most 12 small letters, digits and `-`",
            );
        }
        if !(60..=7_200).contains(&self.pay_within_s) {
            fault("pay_within_s", "must be from 60 to 7200");
        }
        faults
    }

    fn account_faults(&self) -> Vec<SettingsFault> {
        let mut faults = Vec::new();
        let mut fault = |option, detail: &str| faults.push(SettingsFault::new(option, detail));
        let plain = |text: &str, least: usize, most: usize| {
            (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        if !plain(&self.appid, 8, 32) {
            fault("appid", "must be the name of an application, `wx…`");
        }
        if !plain(&self.mchid, 8, 32) || !self.mchid.bytes().all(|byte| byte.is_ascii_digit()) {
            fault("mchid", "must be the merchant's number, 8 to 32 digits");
        }
        let serial = &self.certificate_serial;
        if !plain(serial, 8, 40) || !serial.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            fault(
                "certificate_serial",
                "must be a serial number, up to 40 hexadecimal digits",
            );
        }
        if self.key_secret.as_ref().and_then(key_pair).is_none() {
            fault(
                "key_secret",
                "must be an RSA key of 2048 bits or more, PEM, `BEGIN PRIVATE KEY`",
            );
        }
        let key = self.api_v3_secret.as_ref().map(|key| key.text().len());
        if key != Some(API_KEY_BYTES) {
            fault("api_v3_secret", "must have 32 bytes");
        }
        match (&self.public_key_id, &self.public_key) {
            (None, None) => {}
            (Some(id), Some(key)) if id.starts_with("PUB_KEY_ID_") => {
                if Verifier::of_public_key(key).is_none() {
                    fault(
                        "public_key",
                        "must be an RSA public key, PEM, `BEGIN PUBLIC KEY`",
                    );
                }
            }
            _ => fault(
                "public_key_id",
                "must be `PUB_KEY_ID_…`, and given together with public_key",
            ),
        }
        faults
    }
}

/// An address that WeChat takes for notifications.
fn is_public(url: &str) -> bool {
    let uri: Result<http::Uri, _> = url.parse();
    uri.is_ok_and(|uri| {
        uri.scheme_str() == Some("https") && uri.query().is_none() && url.len() <= 255
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_told_at_once() {
        let faults = Settings::default().faults();
        let options: Vec<_> = faults.iter().map(|fault| fault.option).collect();
        assert_eq!(
            options,
            [
                "appid",
                "mchid",
                "certificate_serial",
                "key_secret",
                "api_v3_secret",
                "notify_url"
            ]
        );
    }
}
