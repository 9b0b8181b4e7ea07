//! Personal data, the audit, exports and outside issuers, over the wire.

use crate::client::{Client, bearer, merchant, page, request};
use crate::shop::{MERCHANT, READER};
use crate::world_of_tests::{Open, run, settings};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tidegate_edge::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[test]
fn personal_data_are_kept_shown_and_erased_and_never_cached() {
    run(async {
        let open = Open::start(settings());
        let body = r#"{"name":"Ann Example","locale":"zh"}"#;
        let kept = merchant(open.public, "PUT", "/v1/people/ann", body).await;
        assert_eq!(
            (kept.status, kept.header("cache-control")),
            (200, Some("no-store"))
        );
        let shown = merchant(open.public, "GET", "/v1/people/ann", "").await;
        assert_eq!(shown.json()["data"]["name"], "Ann Example");
        let erased = merchant(open.public, "DELETE", "/v1/people/ann", "").await;
        assert_eq!(erased.json()["found"], true);
        let gone = merchant(open.public, "GET", "/v1/people/ann", "").await;
        assert_eq!(gone.problem(), (404, "TG-2401".to_owned()));
        let wrong = r#"{"channel":"email","nickname":"A"}"#;
        let wrong = merchant(open.public, "PUT", "/v1/people/ann", wrong).await;
        assert_eq!(wrong.problem(), (400, "TG-1002".to_owned()));
        let (name, key) = bearer(READER);
        let narrow = request("GET", "/v1/people/ann", &[(name, &key)], "");
        let narrow = Client::connect(open.public).await.ask(narrow).await;
        assert_eq!(narrow.problem(), (403, "TG-1102".to_owned()));
        assert_eq!(page(open.public, "/v1/people/ann").await.status, 401);
    });
}

#[test]
fn the_audit_is_for_its_scope_only() {
    run(async {
        let open = Open::start(settings());
        let page = merchant(open.public, "GET", "/v1/audit?what=sale&limit=10", "").await;
        assert_eq!((page.status, page.json()), (200, json!({ "acts": [] })));
        let wrong = merchant(open.public, "GET", "/v1/audit?limit=1000", "").await;
        assert_eq!(wrong.problem(), (400, "TG-1002".to_owned()));
        let (name, token) = bearer(&open.token("new", "ann"));
        let buyer = request("GET", "/v1/audit", &[(name, &token)], "");
        let buyer = Client::connect(open.public).await.ask(buyer).await;
        assert_eq!(buyer.problem(), (403, "TG-1102".to_owned()));
    });
}

#[test]
fn orders_go_out_as_csv_and_json_lines() {
    run(async {
        let open = Open::start(settings());
        let order = r#"{"sale_id":"sale_00001","lines":[{"sku":"CUP","quantity":1}]}"#;
        let placed = merchant(open.public, "POST", "/v1/orders", order).await;
        assert_eq!(placed.status, 201);
        let placed = placed.json();
        // The files are streamed, so they come in chunks until the connection closes.
        let whole = async |ending: &str| {
            let (name, key) = bearer(MERCHANT);
            let path = format!("/v1/sales/sale_00001/orders.{ending}");
            let headers = [(name, key.as_str()), ("connection", "close")];
            let mut client = Client::connect(open.public).await;
            client.send(request("GET", &path, &headers, "")).await;
            client.rest().await
        };
        let csv = whole("csv").await;
        assert!(
            csv.contains("content-type: text/csv; charset=utf-8"),
            "{csv}"
        );
        assert!(csv.contains("filename=\"sale_00001-orders.csv\""), "{csv}");
        let rows: Vec<&str> = csv
            .lines()
            .skip_while(|line| !line.starts_with("order_id,"))
            .collect();
        let head = format!("{},sale_00001,", placed["id"].as_str().unwrap());
        assert!(rows[1].starts_with(&head), "{csv}");
        assert!(csv.ends_with("0\r\n\r\n"), "the last chunk: {csv}");
        let lines = whole("jsonl").await;
        let order = lines.lines().find(|line| line.starts_with('{')).unwrap();
        let order: Value = serde_json::from_str(order).unwrap();
        assert_eq!(order["sale_id"], "sale_00001");
        let nothing = merchant(open.public, "GET", "/v1/sales/sale_00009/orders.csv", "").await;
        assert_eq!(nothing.problem(), (404, "TG-2001".to_owned()));
    });
}

/// Publishes a key set on a free port of loopback.
async fn publish(keys: Value) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let body = keys.to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 1_024];
            let _ = stream.read(&mut asked).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    address
}

#[test]
fn a_buyer_of_an_outside_issuer_comes_in_by_its_published_key() {
    run(async {
        let key = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
        let x = URL_SAFE_NO_PAD.encode(key.public_key());
        let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x }] });
        let address = publish(set).await;
        let identity = json!({ "issuers": [{
            "issuer": "https://issuer.test", "jwks": format!("http://{address}/keys"), "audience": "shop",
        }] });
        let open = Open::start(Settings {
            identity: serde_json::from_value(identity).unwrap(),
            ..settings()
        });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({
            "iss": "https://issuer.test", "aud": "shop", "sub": "ann", "exp": open.now_s() + 60,
        });
        let text = format!(
            "{}.{}",
            part(json!({ "alg": "EdDSA", "kid": "k" })),
            part(claims)
        );
        let good = format!(
            "{text}.{}",
            URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()))
        );
        let ask = async |token: &str| {
            let (name, token) = bearer(token);
            let request = request("GET", "/v1/orders", &[(name, &token)], "");
            Client::connect(open.public).await.ask(request).await.status
        };
        assert_eq!(ask(&good).await, 200);
        assert_eq!(ask(&good).await, 200, "from the cache");
        assert_eq!(ask(&format!("{text}.")).await, 401);
        let ours = open.token("new", "bob");
        assert_eq!(ask(&ours).await, 200, "our own tokens are still taken");
    });
}
