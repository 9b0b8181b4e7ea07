//! Sign-in of a device by a code that a signed-in buyer approves elsewhere (RFC 8628).

use crate::check::{Check, Faults};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Letters of user codes: no vowels, so that no words appear, and nothing that looks like a digit.
pub const USER_CODE_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a user code.
pub const USER_CODE_LENGTH: usize = 8;
/// The grant type of `POST /v1/device/token`.
pub const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Body of `POST /v1/device/code`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskDevice {
    /// A name of the device for people, 1 to 64 bytes without control and writing-direction characters; whoever approves sees
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Box<str>>,
    /// Accepted, and of no meaning: a device acts for its buyer as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Box<str>>,
}

impl Check for AskDevice {
    fn check(&self, faults: &mut Faults) {
        faults.maybe_text("client_id", self.client_id.as_deref(), 64);
        // Such a name could be shown as another one than it is.
        let turns = |char| matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if self
            .client_id
            .as_deref()
            .is_some_and(|name| name.contains(turns))
        {
            faults.add("client_id", "must not have invisible characters");
        }
        faults.maybe_text("scope", self.scope.as_deref(), 256);
    }
}

/// Answer of `POST /v1/device/code`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceCode {
    /// What the device polls with. It never leaves the device.
    pub device_code: Box<str>,
    /// What a person may type, like `BCDF-GHJK`.
    pub user_code: Box<str>,
    /// Where it is typed.
    pub verification_uri: Box<str>,
    /// The same with the code in it: what the QR code says.
    pub verification_uri_complete: Box<str>,
    /// The QR code, as SVG.
    pub qr_uri: Box<str>,
    /// A page with the QR code and the code in big letters, in Chinese and English.
    pub show_uri: Box<str>,
    /// How long the codes are good, s.
    pub expires_in: u64,
    /// Seconds between two polls, at least.
    pub interval: u64,
}

impl std::fmt::Debug for DeviceCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceCode")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// What a buyer says to a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It may act for the buyer.
    #[default]
    Approve,
    /// It may not.
    Deny,
}

/// Body of `POST /v1/device/approve`, by a buyer's token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveDevice {
    /// The code that the device shows; case, spaces and dashes do not count.
    pub user_code: Box<str>,
    /// What the buyer decides; approval when missing.
    #[serde(default)]
    pub decision: Decision,
}

impl Check for ApproveDevice {
    fn check(&self, faults: &mut Faults) {
        check_code(faults, &self.user_code);
    }
}

fn check_code(faults: &mut Faults, code: &str) {
    if plain_code(code).is_none() {
        faults.add("user_code", "must be 8 letters like BCDF-GHJK");
    }
}

/// Body of `POST /v1/device/look`, by a buyer's token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookAtDevice {
    /// The code that the device shows; case, spaces and dashes do not count.
    pub user_code: Box<str>,
}

impl Check for LookAtDevice {
    fn check(&self, faults: &mut Faults) {
        check_code(faults, &self.user_code);
    }
}

/// Answer of `POST /v1/device/look`: a device that waits for a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingDevice {
    /// The name that the device gave itself, if it gave one: it proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Box<str>>,
}

/// Answer of `POST /v1/device/approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovedDevice {
    /// What was decided.
    pub decision: Decision,
    /// The device's name, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Box<str>>,
}

/// Body of `POST /v1/device/token`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PollDevice {
    /// `urn:ietf:params:oauth:grant-type:device_code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_type: Option<Box<str>>,
    /// What `POST /v1/device/code` gave.
    pub device_code: Box<str>,
    /// Accepted, and not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Box<str>>,
}

impl std::fmt::Debug for PollDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PollDevice(***)")
    }
}

impl Check for PollDevice {
    fn check(&self, faults: &mut Faults) {
        faults.text("device_code", &self.device_code, 128);
        if self
            .grant_type
            .as_deref()
            .is_some_and(|grant| grant != DEVICE_GRANT)
        {
            faults.add("grant_type", format!("must be {DEVICE_GRANT}"));
        }
    }
}

/// Answer of `POST /v1/device/token` once the buyer has approved.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceToken {
    /// A buyer token.
    pub access_token: Box<str>,
    /// `Bearer`.
    pub token_type: Box<str>,
    /// How long it is good, s.
    pub expires_in: u64,
}

impl std::fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceToken")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// The letters of a user code as it may have been typed; `None` if it is none.
#[must_use]
pub fn plain_code(typed: &str) -> Option<[u8; USER_CODE_LENGTH]> {
    if typed.len() > 32 {
        return None;
    }
    let mut letters = typed
        .bytes()
        .filter(|byte| !matches!(byte, b'-' | b' '))
        .map(|byte| byte.to_ascii_uppercase());
    let mut code = [0; USER_CODE_LENGTH];
    for place in &mut code {
        *place = letters
            .next()
            .filter(|letter| USER_CODE_LETTERS.contains(letter))?;
    }
    letters.next().is_none().then_some(code)
}

/// A user code as people read it: two groups of four.
#[must_use]
pub fn shown_code(code: &[u8; USER_CODE_LENGTH]) -> String {
    let letters: String = code.iter().copied().map(char::from).collect();
    let (first, last) = letters.split_at(USER_CODE_LENGTH / 2);
    format!("{first}-{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_may_be_typed_and_nothing_else_is() {
        let code = plain_code("bcdf ghjk");
        assert_eq!(code, plain_code("BCDF-GHJK"));
        assert_eq!(
            code.map(|code| shown_code(&code)).as_deref(),
            Some("BCDF-GHJK")
        );
        for typed in [
            "",
            "BCDF-GHJ",
            "BCDF-GHJKL",
            "ACDF-GHJK",
            "BCDF-GHJ0",
            "ÄCDF-GHJK",
        ] {
            assert_eq!(plain_code(typed), None, "{typed}");
        }
    }
}
