//! Sign-in of a device over the wire, from its code to an order.

use crate::client::{Answer, Client, bearer, page, request};
use crate::world_of_tests::{Open, run, settings};
use serde_json::{Value, json};
use tidegate_edge::{DeviceSettings, Settings};

async fn post(open: &Open, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut client = Client::connect(open.public).await;
    client.ask(request("POST", path, headers, body)).await
}

async fn code(open: &Open) -> Value {
    let answer = post(open, "/v1/device/code", &[], r#"{"client_id":"kiosk 7"}"#).await;
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (200, Some("no-store"))
    );
    answer.json()
}

async fn poll(open: &Open, code: &Value) -> Answer {
    let body = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": code["device_code"],
    });
    post(open, "/v1/device/token", &[], &body.to_string()).await
}

async fn approve(open: &Open, token: &str, body: &Value) -> Answer {
    let (name, token) = bearer(token);
    post(
        open,
        "/v1/device/approve",
        &[(name, &token)],
        &body.to_string(),
    )
    .await
}

#[test]
fn a_device_is_signed_in_by_scanning_and_one_press() {
    run(async {
        let open = Open::start(settings());
        let code = code(&open).await;
        let user_code = code["user_code"].as_str().unwrap();
        let complete = code["verification_uri_complete"].as_str().unwrap();
        assert!(
            complete.starts_with("http://") && complete.ends_with(user_code),
            "{complete}"
        );
        let pending = poll(&open, &code).await;
        assert_eq!(pending.status, 400);
        assert_eq!(pending.json()["error"], "authorization_pending");
        let soon = poll(&open, &code).await;
        assert_eq!(soon.json()["error"], "slow_down");
        let ann = open.token("new", "ann");
        let decided = approve(&open, &ann, &json!({ "user_code": user_code })).await;
        assert_eq!(
            decided.json(),
            json!({ "decision": "approve", "client_id": "kiosk 7" })
        );
    });
}

#[test]
fn an_approved_device_buys_for_its_buyer() {
    run(async {
        let quick = DeviceSettings {
            interval_s: 1,
            ..DeviceSettings::default()
        };
        let open = Open::start(Settings {
            device: quick,
            ..settings()
        });
        let code = code(&open).await;
        let ann = open.token("new", "ann");
        let decided = approve(&open, &ann, &json!({ "user_code": code["user_code"] })).await;
        assert_eq!(decided.status, 200);
        let token = poll(&open, &code).await.json();
        assert_eq!(
            (&token["token_type"], &token["expires_in"]),
            (&json!("Bearer"), &json!(43_200))
        );
        let (name, device) = bearer(token["access_token"].as_str().unwrap());
        let order = r#"{"sale_id":"sale_00001","lines":[{"sku":"CUP","quantity":1}]}"#;
        let headers = [(name, device.as_str()), ("idempotency-key", "d1")];
        let placed = post(&open, "/v1/orders", &headers, order).await;
        assert_eq!(
            (placed.status, &placed.json()["buyer"]),
            (201, &json!("ann"))
        );
        let again = poll(&open, &code).await;
        assert_eq!(
            again.json()["error"],
            "expired_token",
            "a code gives one token"
        );
    });
}

#[test]
fn a_form_is_taken_as_the_standard_sends_it() {
    run(async {
        let open = Open::start(settings());
        let form = ("content-type", "application/x-www-form-urlencoded");
        let mut client = Client::connect(open.public).await;
        let send = |path: &str, body: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nhost: door\r\n{}: {}\r\ncontent-length: {}\r\n\r\n{body}",
                form.0,
                form.1,
                body.len()
            )
        };
        let code = client
            .ask(send("/v1/device/code", "client_id=kiosk+7"))
            .await
            .json();
        let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
        let body = format!(
            "grant_type={grant}&device_code={}",
            code["device_code"].as_str().unwrap()
        );
        let pending = client.ask(send("/v1/device/token", &body)).await;
        assert_eq!(pending.json(), json!({ "error": "authorization_pending" }));
        let broken = client
            .ask(send("/v1/device/token", "device_code=%zz&\u{e9}"))
            .await;
        assert_eq!(broken.status, 400, "{broken:?}");
    });
}

#[test]
fn a_buyer_is_told_what_the_device_calls_itself_before_deciding() {
    run(async {
        let open = Open::start(settings());
        let code = code(&open).await;
        let body = json!({ "user_code": code["user_code"] }).to_string();
        let ann = open.token("new", "ann");
        for (token, status) in [(&*ann, 200), (crate::shop::MERCHANT, 403)] {
            let (name, token) = bearer(token);
            let looked = post(&open, "/v1/device/look", &[(name, &token)], &body).await;
            assert_eq!(looked.status, status);
            assert_eq!(looked.text().contains("kiosk 7"), status == 200);
        }
        let stranger = post(&open, "/v1/device/look", &[], &body).await;
        assert_eq!(
            stranger.status, 401,
            "codes are not tried out without a token"
        );
        let user_code = code["user_code"].as_str().unwrap();
        let page = page(open.public, &format!("/device/{user_code}"))
            .await
            .text();
        assert!(page.contains(r#"id="device""#) && page.contains("/v1/device/look"));
        assert!(!page.contains("kiosk 7"), "the page itself tells nobody");
        for name in ["", "a\u{202e}b", "a\u{200b}b", "a\u{7}b", &"x".repeat(65)] {
            let body = json!({ "client_id": name }).to_string();
            let refused = post(&open, "/v1/device/code", &[], &body).await;
            assert_eq!(refused.problem(), (400, "TG-1002".to_owned()), "{name:?}");
        }
    });
}

#[test]
fn only_buyers_approve_and_guessing_ends_after_five() {
    run(async {
        let open = Open::start(settings());
        let wrong = json!({ "user_code": "BBBB-BBBB" });
        let merchant = approve(&open, crate::shop::MERCHANT, &wrong).await;
        assert_eq!(merchant.problem(), (403, "TG-1102".to_owned()));
        let eve = open.token("new", "eve");
        for _ in 0..5 {
            let answer = approve(&open, &eve, &wrong).await;
            assert_eq!(answer.problem(), (404, "TG-2403".to_owned()));
        }
        let code = code(&open).await;
        let stopped = approve(&open, &eve, &json!({ "user_code": code["user_code"] })).await;
        assert_eq!(stopped.problem(), (429, "TG-3005".to_owned()));
        assert!(stopped.header("retry-after").is_some());
    });
}

#[test]
fn the_pages_speak_both_languages_and_hold_no_foreign_text() {
    run(async {
        let open = Open::start(settings());
        let show = page(open.public, "/device/BCDF-GHJK/show").await;
        let text = show.text();
        assert!(text.contains("<svg role=\"img\"") && text.contains("BCDF-GHJK"));
        assert!(text.contains("扫一扫登录") && text.contains("Scan to sign in"));
        assert!(
            show.header("content-security-policy")
                .unwrap()
                .contains("default-src 'none'")
        );
        let chinese = page(open.public, "/device/bcdfghjk?lang=zh").await.text();
        assert!(chinese.contains("是，登录") && chinese.contains("BCDF-GHJK"));
        let typed = page(open.public, "/device").await.text();
        assert!(typed.contains("Type the code"));
        let evil = page(open.public, "/device/%3Cscript%3Ealert(1)")
            .await
            .text();
        assert!(!evil.contains("alert(1)") && evil.contains("Type the code"));
        let qr = page(open.public, "/device/BCDF-GHJK/qr.svg").await;
        assert_eq!(qr.header("content-type"), Some("image/svg+xml"));
        assert_eq!(
            page(open.public, "/device/nonsense/qr.svg").await.status,
            404
        );
    });
}

#[test]
fn without_a_secret_to_sign_with_no_device_gets_a_code() {
    run(async {
        let open = Open::start(Settings {
            token_secrets: Vec::new(),
            ..settings()
        });
        let answer = post(&open, "/v1/device/code", &[], "{}").await;
        assert_eq!(answer.problem(), (404, "TG-1010".to_owned()));
    });
}
