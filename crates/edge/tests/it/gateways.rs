//! The doors at which real providers knock: what is handed on, and how they are answered.

use crate::client::{Answer, Client, request};
use crate::world_of_tests::{Open, run, settings};
use api::provider::Gateway;

const STRIPE: &str = "/v1/providers/stripe/callback";
const WECHAT: &str = "/v1/providers/wechat/callback";

async fn knock(open: &Open, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut client = Client::connect(open.public).await;
    client.ask(request("POST", path, headers, body)).await
}

#[test]
fn what_knocks_is_handed_on_byte_for_byte_with_its_signing_headers_only() {
    run(async {
        let open = Open::start(settings());
        let body = "{ \"a\" : \"支付\" }\n";
        let headers = [("Stripe-Signature", "t=1,v1=00"), ("Cookie", "secret")];
        let answer = knock(&open, STRIPE, &headers, body).await;
        assert_eq!((answer.status, answer.text()), (200, "{}".to_owned()));
        let headers = [("Wechatpay-Nonce", "n"), ("Wechatpay-Serial", "s")];
        let answer = knock(&open, WECHAT, &headers, body).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json(), serde_json::json!({ "code": "SUCCESS" }));
        let knocks = open.shop.knocks.lock().unwrap();
        assert_eq!(knocks[0].gateway, Gateway::Stripe);
        assert_eq!(knocks[0].headers.len(), 1);
        assert_eq!(knocks[0].header("stripe-signature"), Some("t=1,v1=00"));
        assert_eq!(knocks[1].gateway, Gateway::Wechat);
        assert_eq!(knocks[1].header("wechatpay-serial"), Some("s"));
        assert!(knocks.iter().all(|knock| *knock.body == *body.as_bytes()));
    });
}

/// WeChat reads `code`, and takes anything but `SUCCESS` for a failure; Stripe reads the status.
#[test]
fn a_refusal_is_a_failure_in_the_words_of_both() {
    run(async {
        let open = Open::start(settings());
        for path in [STRIPE, WECHAT] {
            let answer = knock(&open, path, &[], "").await;
            assert_eq!(answer.problem(), (401, "TG-1104".to_owned()));
            assert_eq!(answer.json()["code"], "TG-1104");
        }
    });
}

#[test]
fn more_than_64_kib_are_not_read() {
    run(async {
        let open = Open::start(settings());
        let large = "x".repeat(64 * 1024 + 1);
        let answer = knock(&open, STRIPE, &[], &large).await;
        assert_eq!(answer.problem(), (413, "TG-1005".to_owned()));
        assert!(open.shop.knocks.lock().unwrap().is_empty());
        let answer = knock(&open, WECHAT, &[], &large[1..]).await;
        assert_eq!(answer.status, 200);
    });
}
