//! Callbacks of the payment provider: signed, timed, and safe to receive twice.

use crate::asked::Asked;
use crate::door::Door;
use crate::endpoint::Making;
use crate::said::Said;
use crate::secret::Secret;
use api::check::Check;
use api::provider::{Callback, Gateway, Knock, SIGNATURE_HEADER};
use api::service::Call;
use api::{Code, Problem};
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use sha2::Sha256;
use std::sync::Arc;

/// Headers whose names begin so are what a real provider signs with.
const SIGNING: [&str; 2] = ["stripe-", "wechatpay-"];

/// Largest body of a real provider's callback, bytes.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// A webhook of Stripe, which looks at the status only.
pub(super) fn stripe(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        knock(door, asked, Gateway::Stripe).await?;
        Said::json(StatusCode::OK, &serde_json::json!({}))
    })
}

/// A notification of WeChat Pay, which looks at the status and wants this word; any other code means a failure to it,
/// and the codes of problems are such.
pub(super) fn wechat(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        knock(door, asked, Gateway::Wechat).await?;
        Said::json(StatusCode::OK, &serde_json::json!({ "code": "SUCCESS" }))
    })
}

/// Hands on what knocked, byte for byte: the provider behind the door proves it.
async fn knock(door: &Door, asked: Asked, gateway: Gateway) -> Result<(), Problem> {
    let signing = |name: &str| SIGNING.iter().any(|prefix| name.starts_with(prefix));
    let headers = asked.headers.iter();
    let headers = headers.filter(|(name, _)| signing(name.as_str()));
    let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        Some((name.as_str().into(), value.to_str().ok()?.into()))
    };
    let knock = Knock {
        gateway,
        headers: headers.filter_map(text).collect(),
        body: asked.body.as_ref().into(),
    };
    let call = Call {
        caller: asked.caller()?.clone(),
        key: None,
        request_id: asked.context.request_id,
        address: Some(asked.client),
    };
    door.rooms.orders.knock(call, knock).await.map(drop)
}

/// How old a signature may be, or how far from the future, s.
const SIGNATURE_AGE_S: u64 = 300;

pub(super) fn callback(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        signed(door, &asked, door.settings.callback_secret.as_ref())?;
        let body: Callback = asked.json()?;
        body.checked()?;
        let report = body
            .report()
            .ok_or_else(|| Problem::new(Code::InvalidFields))?;
        let call = Call {
            caller: asked.caller()?.clone(),
            key: None,
            request_id: asked.context.request_id,
            address: Some(asked.client),
        };
        let answer = door.rooms.orders.report(call, report).await?;
        let said = Said::json(StatusCode::OK, &serde_json::json!({}))?;
        Ok(Said {
            position: answer.position,
            repeated: answer.repeated,
            ..said
        })
    })
}

/// Whether whoever knows the secret wrote this body, not long ago.
pub(super) fn signed(door: &Door, asked: &Asked, secret: Option<&Secret>) -> Result<(), Problem> {
    let bad = |detail: &'static str| Problem::because(Code::BadSignature, detail);
    let header = asked
        .headers
        .get(SIGNATURE_HEADER)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let part = |name: &str| {
        header
            .split(',')
            .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let (Some(time), Some(signature)) = (part("t"), part("v1")) else {
        return Err(bad("expected a header `Tidegate-Signature: t=…,v1=…`"));
    };
    let at: u64 = time
        .parse()
        .map_err(|_| bad("the time of the signature is no number"))?;
    let secret = secret.ok_or_else(|| bad("no secret for callbacks is configured"))?;
    let mac = Hmac::<Sha256>::new_from_slice(secret.bytes())
        .map_err(|_| bad("the secret cannot be used"))?;
    let mac = mac
        .chain_update(time)
        .chain_update(".")
        .chain_update(&asked.body);
    let fits = mac.verify_slice(&unhex(signature)).is_ok();
    if !fits && !stdx::mutants::is("callback-signature-unchecked") {
        return Err(bad("the signature does not fit the body"));
    }
    if at.abs_diff(door.rooms.clock.wall_ms() / 1_000) > SIGNATURE_AGE_S {
        return Err(bad("the signature is too old"));
    }
    Ok(())
}

/// Bytes from hexadecimal digits; empty when it is none, which fits no signature.
fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let pairs = text.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?));
    bytes.collect::<Option<Vec<u8>>>().unwrap_or_default()
}
