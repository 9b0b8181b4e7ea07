//! Who may come in, and what for.

use crate::client::{Answer, Client, bearer, merchant, page, request};
use crate::shop::{MERCHANT, READER};
use crate::world_of_tests::{CALLBACK_SECRET, Open, run, settings, token_secret};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tidegate_edge::{Claims, Settings, mint};

const ORDER: &str = r#"{"sale_id":"sale_00001","lines":[{"sku":"CUP","quantity":1}]}"#;

async fn with(open: &Open, token: &str, method: &str, path: &str, body: &str) -> Answer {
    let (name, token) = bearer(token);
    let headers = [(name, token.as_str()), ("idempotency-key", "k1")];
    Client::connect(open.public)
        .await
        .ask(request(method, path, &headers, body))
        .await
}

#[test]
fn nobody_comes_in_without_credentials() {
    run(async {
        let open = Open::start(settings());
        for path in [
            "/v1/sales",
            "/v1/orders",
            "/v1/keys",
            "/v1/sales/sale_00001/live",
        ] {
            let answer = page(open.public, path).await;
            assert_eq!(answer.problem(), (401, "TG-1101".to_owned()), "{path}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        for token in ["", "tgk_00000000001_wrong", "nonsense", "a.b.c"] {
            let answer = with(&open, token, "GET", "/v1/sales", "").await;
            assert_eq!(answer.problem(), (401, "TG-1101".to_owned()), "{token}");
        }
    });
}

#[test]
fn a_revoked_key_is_over_at_once() {
    run(async {
        let open = Open::start(settings());
        assert_eq!(
            merchant(open.public, "GET", "/v1/sales", "").await.status,
            200
        );
        assert_eq!(
            merchant(open.public, "DELETE", "/v1/keys/key_00000000001", "")
                .await
                .status,
            200
        );
        assert_eq!(
            merchant(open.public, "GET", "/v1/sales", "")
                .await
                .problem(),
            (401, "TG-1101".to_owned())
        );
    });
}

#[test]
fn a_scope_that_is_missing_is_named() {
    run(async {
        let open = Open::start(settings());
        assert_eq!(
            with(&open, READER, "GET", "/v1/sales", "").await.status,
            200
        );
        let answer = with(&open, READER, "POST", "/v1/sales/sale_00001/open", "{}").await;
        assert_eq!(answer.problem(), (403, "TG-1102".to_owned()));
        assert_eq!(answer.json()["scope"], "sales:write");
        let priced = ORDER.replace("\"quantity\":1", "\"quantity\":1,\"price\":\"0\"");
        let answer = with(&open, READER, "POST", "/v1/orders", &priced).await;
        assert_eq!(answer.json()["scope"], "orders:price");
        let paid = ORDER.replace("]}", "],\"paid\":{\"reference\":\"till 4\"}}");
        let answer = with(&open, READER, "POST", "/v1/orders", &paid).await;
        assert_eq!(answer.json()["scope"], "orders:paid");
    });
}

#[test]
fn a_key_gives_no_more_than_it_has() {
    run(async {
        let open = Open::start(settings());
        let body = r#"{"name":"till","account":"acme","scopes":["orders:write"]}"#;
        let answer = merchant(open.public, "POST", "/v1/keys", body).await;
        assert_eq!(
            (answer.status, answer.json()["secret"].as_str()),
            (201, Some("tgk_00000000003_new"))
        );
        assert_eq!(
            with(&open, READER, "POST", "/v1/keys", body)
                .await
                .problem(),
            (403, "TG-1102".to_owned())
        );
    });
}

#[test]
fn buyers_come_with_tokens_of_either_secret() {
    run(async {
        let open = Open::start(settings());
        for secret in ["old", "new"] {
            let token = open.token(secret, "ann");
            assert_eq!(
                with(&open, &token, "GET", "/v1/sales/sale_00001", "")
                    .await
                    .status,
                200
            );
        }
        let rotated = Open::start(Settings {
            token_secrets: vec![token_secret("new")],
            ..settings()
        });
        let token = rotated.token("old", "ann");
        let answer = with(&rotated, &token, "GET", "/v1/sales/sale_00001", "").await;
        assert_eq!(answer.problem(), (401, "TG-1104".to_owned()));
    });
}

#[test]
fn bad_tokens_are_refused_each_with_its_reason() {
    run(async {
        let open = Open::start(settings());
        let old = Claims {
            sub: "ann".into(),
            exp: open.now_s(),
            nbf: None,
            tags: Arc::new([]),
        };
        let expired = mint(&token_secret("new"), &old).unwrap();
        let good = open.token("new", "ann");
        let (signed, _) = good.rsplit_once('.').unwrap();
        let forged = format!("{signed}.{}", "A".repeat(43));
        let (_, claims) = signed.split_once('.').unwrap();
        let none = format!("eyJhbGciOiJub25lIn0.{claims}.");
        for (token, code) in [(expired, "TG-1103"), (forged, "TG-1104"), (none, "TG-1101")] {
            let answer = with(&open, &token, "POST", "/v1/orders", ORDER).await;
            assert_eq!(answer.problem(), (401, code.to_owned()));
        }
    });
}

#[test]
fn a_buyer_is_whom_the_token_names_and_nobody_else() {
    run(async {
        let open = Open::start(settings());
        let (ann, bob) = (open.token("new", "ann"), open.token("new", "bob"));
        assert_eq!(
            with(&open, &ann, "POST", "/v1/orders", ORDER).await.json()["buyer"],
            "ann"
        );
        assert_eq!(
            with(&open, &bob, "POST", "/v1/orders", ORDER).await.status,
            201,
            "the same key of another buyer"
        );
        let list = with(&open, &bob, "GET", "/v1/orders", "").await.json();
        assert_eq!(list["orders"].as_array().unwrap().len(), 1);
        assert_eq!(list["orders"][0]["buyer"], "bob");
        let other = with(&open, &bob, "GET", "/v1/orders?buyer=ann", "").await;
        assert_eq!(other.problem(), (403, "TG-1102".to_owned()));
        for more in ["\"buyer\":\"ann\"", "\"tags\":[\"vip\"]"] {
            let body = ORDER.replace("]}", &format!("],{more}}}"));
            assert_eq!(
                with(&open, &bob, "POST", "/v1/orders", &body)
                    .await
                    .problem(),
                (403, "TG-1102".to_owned())
            );
        }
        for path in [
            "/v1/orders/ord_00000000001/ship",
            "/v1/orders/ord_00000000001/refunds",
            "/v1/orders:batch",
        ] {
            assert_eq!(
                with(&open, &bob, "POST", path, "{}").await.problem(),
                (403, "TG-1102".to_owned()),
                "{path}"
            );
        }
    });
}

#[test]
fn the_stream_takes_its_token_from_the_query_and_other_routes_do_not() {
    run(async {
        let open = Open::start(settings());
        let token = open.token("new", "ann");
        let mut client = Client::connect(open.public).await;
        client.send(format!("GET /v1/sales/sale_00001/live?access_token={token} HTTP/1.1\r\nhost: d\r\nconnection: close\r\n\r\n")).await;
        let stream = client.rest().await;
        assert!(
            stream.contains("content-type: text/event-stream")
                && stream.matches("event: tick").count() == 3
        );
        assert!(stream.contains("\"orders_per_s\":1234"));
        let answer = page(open.public, &format!("/v1/sales?access_token={token}")).await;
        assert_eq!(answer.status, 401);
    });
}

async fn callback(open: &Open, at: u64, secret: &str, signed: &str, sent: &str) -> Answer {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let code = mac
        .chain_update(format!("{at}.{signed}"))
        .finalize()
        .into_bytes();
    let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    let signature = format!("t={at},v1={hex}");
    let headers = [("tidegate-signature", signature.as_str())];
    Client::connect(open.public)
        .await
        .ask(request(
            "POST",
            "/v1/providers/sandbox/callbacks",
            &headers,
            sent,
        ))
        .await
}

#[test]
fn a_callback_counts_only_with_a_fresh_signature_over_its_body() {
    run(async {
        let open = Open::start(settings());
        let body = r#"{"payment":"pay_00000000001001","outcome":"captured","amount_minor":1250,"currency":"GBP"}"#;
        let now = open.now_s();
        assert_eq!(
            callback(&open, now, CALLBACK_SECRET, body, body)
                .await
                .status,
            200
        );
        let other = body.replace("1250", "1251");
        for answer in [
            callback(&open, now, CALLBACK_SECRET, body, &other).await,
            callback(
                &open,
                now,
                "another secret that is long enough too",
                body,
                body,
            )
            .await,
            callback(&open, now - 301, CALLBACK_SECRET, body, body).await,
            callback(&open, now + 302, CALLBACK_SECRET, body, body).await,
            merchant(open.public, "POST", "/v1/providers/sandbox/callbacks", body).await,
        ] {
            assert_eq!(answer.problem(), (401, "TG-1104".to_owned()));
        }
        assert_eq!(open.shop.reports.load(Ordering::SeqCst), 1);
        assert_eq!(
            callback(&open, now, CALLBACK_SECRET, "{}", "{}")
                .await
                .problem()
                .1,
            "TG-1002"
        );
    });
}

#[test]
fn the_noop_route_authenticates_and_is_there_for_benches_only() {
    run(async {
        let open = Open::start(settings());
        assert_eq!(
            with(&open, MERCHANT, "POST", "/v1/noop", ORDER)
                .await
                .status,
            200
        );
        assert_eq!(page(open.public, "/v1/noop").await.status, 401);
        let usual = Open::start(Settings {
            bench: false,
            ..settings()
        });
        assert_eq!(
            with(&usual, MERCHANT, "POST", "/v1/noop", ORDER)
                .await
                .problem(),
            (404, "TG-1010".to_owned())
        );
    });
}
