//! What the buyer's page needs to finish a payment that waits for the buyer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the value of an action is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// The client secret of a Stripe payment intent, for Stripe's own form in the page.
    StripeClientSecret,
    /// The text of a QR code that the buyer scans with WeChat.
    WechatCodeUrl,
    /// The parameters of `WeixinJSBridge.invoke("getBrandWCPayRequest", …)`, as a JSON object in text.
    WechatJsapi,
    /// The address of a page of the provider to send the buyer to.
    Redirect,
}

/// Bytes of an action's value, at most.
pub const ACTION_BYTES_MAX: usize = 2 * 1024;

/// What the buyer's page needs to finish a payment that waits for the buyer. Only shown with the order itself: whoever
/// has it can pay, and see what is paid.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentAction {
    /// What the value is for.
    #[serde(rename = "type")]
    pub kind: ActionKind,
    /// The value, at most 2 KiB.
    pub value: Box<str>,
}

impl PaymentAction {
    /// `None` for a value of more than [`ACTION_BYTES_MAX`].
    #[must_use]
    pub fn new(kind: ActionKind, value: impl Into<Box<str>>) -> Option<Self> {
        let value = value.into();
        (value.len() <= ACTION_BYTES_MAX).then_some(Self { kind, value })
    }
}

impl std::fmt::Debug for PaymentAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Whoever reads the log is not the buyer.
        f.debug_struct("PaymentAction")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_bounded_and_its_value_is_not_in_the_log() {
        let longest = "x".repeat(ACTION_BYTES_MAX);
        let action = PaymentAction::new(ActionKind::WechatCodeUrl, &*longest).unwrap();
        assert!(!format!("{action:?}").contains('x'), "{action:?}");
        let text = serde_json::to_string(&action).unwrap();
        assert!(text.starts_with(r#"{"type":"wechat_code_url","value":"xx"#));
        assert_eq!(
            PaymentAction::new(ActionKind::Redirect, longest + "x"),
            None
        );
    }
}
