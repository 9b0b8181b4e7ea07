//! Sign-in of devices: codes, decisions, tokens, and the pages for people.

use crate::asked::Asked;
use crate::device::{Poll, answer};
use crate::door::Door;
use crate::endpoint::Making;
use crate::pages;
use crate::pages::words::Language;
use crate::said::Said;
use crate::token::{Claims, mint};
use api::check::Check;
use api::device::{
    ApproveDevice, AskDevice, DeviceToken, LookAtDevice, PollDevice, plain_code, shown_code,
};
use api::{Code, Problem};
use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use http::{HeaderValue, StatusCode};
use serde::de::DeserializeOwned;
use std::sync::Arc;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const FORM: &str = "application/x-www-form-urlencoded";

pub(super) fn code(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        signs(door)?;
        let body: AskDevice = body(&asked)?;
        let rooms = &door.rooms;
        let now = rooms.clock.monotonic();
        let fresh = door
            .devices
            .ask(body.client_id, asked.client, now, &*rooms.entropy)?;
        let settings = &door.settings.device;
        let answer = answer(&fresh, &base(door, &asked), settings);
        Ok(Said::json(StatusCode::OK, &answer)?.with(CACHE_CONTROL, NO_STORE))
    })
}

pub(super) fn look(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let body: LookAtDevice = body(&asked)?;
        let now = door.rooms.clock.monotonic();
        let waiting = door.devices.look(asked.caller()?, &body.user_code, now)?;
        Ok(Said::json(StatusCode::OK, &waiting)?.with(CACHE_CONTROL, NO_STORE))
    })
}

pub(super) fn approve(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let body: ApproveDevice = body(&asked)?;
        let now = door.rooms.clock.monotonic();
        let decided = door
            .devices
            .decide(asked.caller()?, &body.user_code, body.decision, now)?;
        Said::json(StatusCode::OK, &decided)
    })
}

/// Tokens and refusals in the form of the standard, so that its clients understand both.
pub(super) fn token(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let body: PollDevice = body(&asked)?;
        let now = door.rooms.clock.monotonic();
        let said = match door.devices.poll(&body.device_code, now) {
            Ok(granted) => {
                let expires_in = door.settings.device.token_s;
                let claims = Claims {
                    sub: granted.buyer,
                    exp: door.rooms.clock.wall_ms() / 1_000 + expires_in,
                    nbf: None,
                    tags: granted.tags,
                };
                let secret = signs(door)?;
                let token = mint(secret, &claims).map_err(|_| Problem::new(Code::Internal))?;
                let token = DeviceToken {
                    access_token: token.into(),
                    token_type: "Bearer".into(),
                    expires_in,
                };
                Said::json(StatusCode::OK, &token)?
            }
            Err(poll) => Said::json(StatusCode::BAD_REQUEST, &refused(poll))?,
        };
        Ok(said.with(CACHE_CONTROL, NO_STORE))
    })
}

fn refused(poll: Poll) -> serde_json::Value {
    serde_json::json!({ "error": poll.error() })
}

pub(super) fn page(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        // A code that is none is left out, and typed instead.
        let code = asked.place.as_deref().and_then(plain_code);
        let code = code.map(|code| shown_code(&code));
        let nonce = format!("{:032x}", door.ids.trace());
        let page = pages::device::approve(code.as_deref(), language(&asked), &nonce);
        html(page, &nonce)
    })
}

pub(super) fn show(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let code = code_of(&asked)?;
        let link = format!("{}/device/{code}", base(door, &asked));
        let nonce = format!("{:032x}", door.ids.trace());
        let page = pages::device::show(&code, &link, &nonce)?;
        html(page, &nonce)
    })
}

pub(super) fn qr(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let code = code_of(&asked)?;
        let link = format!("{}/device/{code}", base(door, &asked));
        Ok(Said::page("image/svg+xml", pages::device::qr(&link)?))
    })
}

/// A picture is made of any code that could be one; whether a device waits under it is nobody's business.
fn code_of(asked: &Asked) -> Result<String, Problem> {
    let code = asked.place.as_deref().and_then(plain_code);
    let code = code.ok_or_else(|| Problem::because(Code::NoRoute, "this is no device code"))?;
    Ok(shown_code(&code))
}

/// The secret that signs what devices get.
fn signs(door: &Door) -> Result<&crate::settings::TokenSecret, Problem> {
    door.settings.token_secrets.first().ok_or_else(|| {
        Problem::because(
            Code::NoRoute,
            "devices cannot sign in here: there is no secret that could sign their tokens",
        )
    })
}

fn body<B: DeserializeOwned + Check>(asked: &Asked) -> Result<B, Problem> {
    let form = asked
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim().to_ascii_lowercase().starts_with(FORM));
    let body: B = if form { asked.form()? } else { asked.json()? };
    body.checked()?;
    Ok(body)
}

/// What addresses begin with: what the settings say, or else the host that was asked.
fn base(door: &Door, asked: &Asked) -> String {
    if let Some(url) = &door.settings.device.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let host = asked.headers.get(HOST).and_then(|host| host.to_str().ok());
    let good = |host: &&str| {
        let letters = host.bytes();
        let mut letters =
            letters.map(|byte| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte));
        !host.is_empty() && host.len() <= 255 && letters.all(|good| good)
    };
    let host = host.filter(good).map(str::to_owned);
    format!(
        "http://{}",
        host.unwrap_or_else(|| door.settings.listen.to_string())
    )
}

fn language(asked: &Asked) -> Language {
    let accepted = asked
        .headers
        .get(ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    Language::choose(asked.query_value("lang"), accepted)
}

fn html(page: String, nonce: &str) -> Result<Said, Problem> {
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::try_from(policy).map_err(|_| Problem::new(Code::Internal))?;
    Ok(Said::page("text/html; charset=utf-8", page).with(CONTENT_SECURITY_POLICY, policy))
}
