//! Bad bodies: each has a clear answer, and none reaches the shop.

use crate::client::{Client, bearer, merchant, request};
use crate::shop::MERCHANT;
use crate::world_of_tests::{Open, run, settings};

const GOOD: &str = r#"{"sale_id":"sale_00001","lines":[{"sku":"CUP","quantity":1}]}"#;

fn problem(body: &'static str) -> (u16, String, Vec<String>) {
    let mut told = (0, String::new(), Vec::new());
    run(async {
        let open = Open::start(settings());
        let answer = merchant(open.public, "POST", "/v1/orders", body).await;
        let (status, code) = answer.problem();
        let json = answer.json();
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        let fields = errors
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect();
        told = (status, code, fields);
    });
    told
}

fn fields(body: &'static str) -> Vec<String> {
    let (status, code, fields) = problem(body);
    assert_eq!((status, code.as_str()), (400, "TG-1002"), "{body}");
    fields
}

#[test]
fn a_good_body_is_an_order_with_a_receipt() {
    run(async {
        let open = Open::start(settings());
        let answer = merchant(open.public, "POST", "/v1/orders", GOOD).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.json()["total_minor"], 1_250);
        assert_eq!(
            answer.header("tidegate-position"),
            Some("sale_00001 42-07070707070707070707070707070707")
        );
        assert!(
            answer.header("traceparent").is_some()
                && answer.header("idempotency-replayed").is_none()
        );
        let again = merchant(open.public, "POST", "/v1/orders", GOOD).await;
        assert_eq!(
            (again.status, again.header("idempotency-replayed")),
            (200, Some("true"))
        );
        assert_eq!(again.body, answer.body);
    });
}

#[test]
fn malformed_json_says_where() {
    for body in ["{", "{]", "nonsense", "{\"sale_id\":", "\u{1}", "[1,2"] {
        let (status, code, _) = problem(body);
        assert_eq!((status, code.as_str()), (400, "TG-1001"), "{body}");
    }
}

#[test]
fn wrong_types_and_unknown_fields_are_named() {
    assert_eq!(fields(r#"{"sale_id":1,"lines":[]}"#), ["sale_id"]);
    assert_eq!(fields(r#"{"sale_id":"sale_00001","lines":{}}"#), ["lines"]);
    assert_eq!(
        fields(r#"{"sale_id":"sale_00001","lines":[{"sku":"CUP","quantity":"1"}]}"#),
        ["lines[0].quantity"]
    );
    assert_eq!(
        fields(r#"{"sale_id":"sale_00001","lines":[{"sku":"CUP","quantity":1.5}]}"#),
        ["lines[0].quantity"]
    );
    assert_eq!(
        fields(r#"{"sale_id":"sale_00001","lines":[],"coupon":"X"}"#),
        ["coupon"]
    );
    assert_eq!(fields(r#"{"sale_id":"sale_00001"}"#), [""]);
    assert_eq!(fields(""), [""]);
    assert_eq!(fields(r#"["sale_00001",[]]"#), [""]);
}

#[test]
fn negative_and_overflowing_quantities_are_refused_together() {
    let body = r#"{"sale_id":"sale_00001","lines":[{"sku":"CUP","quantity":-1},{"sku":"CUP","quantity":4294967297},
        {"sku":"CUP","quantity":18446744073709551616},{"sku":"CUP","quantity":1,"price":"1.23456"}]}"#;
    assert_eq!(
        fields(body),
        [
            "lines[0].quantity",
            "lines[1].quantity",
            "lines[2].quantity",
            "lines[3].price"
        ]
    );
}

#[test]
fn a_wrong_currency_is_refused() {
    run(async {
        let open = Open::start(settings());
        let body = r#"{"name":"S","currency":"pounds","skus":[]}"#;
        let answer = merchant(open.public, "POST", "/v1/sales", body).await;
        assert_eq!(answer.problem(), (400, "TG-1002".to_owned()));
        assert_eq!(answer.json()["errors"][0]["field"], "currency");
    });
}

#[test]
fn deep_nesting_is_refused_before_it_hurts() {
    run(async {
        let open = Open::start(settings());
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let body = format!(r#"{{"sale_id":"sale_00001","lines":{deep}}}"#);
        let answer = merchant(open.public, "POST", "/v1/orders", &body).await;
        assert_eq!(answer.status, 400);
        let body = format!(r#"{{"sale_id":"sale_00001","lines":[],"x":{deep}}}"#);
        assert_eq!(
            merchant(open.public, "POST", "/v1/orders", &body)
                .await
                .status,
            400
        );
    });
}

#[test]
fn ten_megabytes_are_too_many() {
    run(async {
        let open = Open::start(settings());
        let body = " ".repeat(10 * 1024 * 1024);
        let answer = merchant(open.public, "POST", "/v1/orders", &body).await;
        assert_eq!(answer.problem(), (413, "TG-1005".to_owned()));
        assert_eq!(answer.json()["limit"], 1024 * 1024);
        assert_eq!(answer.header("connection"), Some("close"));
    });
}

#[test]
fn a_client_that_asks_first_is_told_before_it_sends() {
    run(async {
        let open = Open::start(settings());
        let (name, token) = bearer(MERCHANT);
        let head = format!(
            "POST /v1/orders HTTP/1.1\r\nhost: door\r\n{name}: {token}\r\nidempotency-key: k\r\n\
             content-length: 10485760\r\nexpect: 100-continue\r\n\r\n"
        );
        let answer = Client::connect(open.public).await.ask(head).await;
        assert_eq!(answer.problem(), (413, "TG-1005".to_owned()));
    });
}

#[test]
fn only_json_is_read() {
    run(async {
        let open = Open::start(settings());
        let (name, token) = bearer(MERCHANT);
        let form = ("content-type", "application/x-www-form-urlencoded");
        let headers = [(name, token.as_str()), form, ("idempotency-key", "k1")];
        let answer = Client::connect(open.public)
            .await
            .ask(request("POST", "/v1/orders", &headers, GOOD))
            .await;
        assert_eq!(answer.problem(), (415, "TG-1008".to_owned()));
    });
}

#[test]
fn too_many_lines_have_a_code_of_their_own() {
    run(async {
        let open = Open::start(settings());
        let lines = vec![r#"{"sku":"CUP","quantity":1}"#; 2_001].join(",");
        let body = format!(r#"{{"sale_id":"sale_00001","lines":[{lines}]}}"#);
        let answer = merchant(open.public, "POST", "/v1/orders", &body).await;
        assert_eq!(answer.problem(), (400, "TG-1009".to_owned()));
    });
}

#[test]
fn a_batch_is_answered_order_by_order() {
    run(async {
        let open = Open::start(settings());
        let order = r#"{"idempotency_key":"a","sale_id":"sale_00001","lines":[{"sku":"CUP","quantity":1}]}"#;
        let body = format!(r#"{{"orders":[{order},{order}]}}"#);
        let answer = merchant(open.public, "POST", "/v1/orders:batch", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["results"][1]["code"], "TG-2102");
    });
}

#[test]
fn the_key_may_stand_in_three_places_and_must_agree() {
    run(async {
        let open = Open::start(settings());
        let (name, token) = bearer(MERCHANT);
        let keyed = format!(
            "{}}}]{}",
            GOOD.split_once("}]").unwrap().0,
            ",\"idempotency_key\":\"a\"}"
        );
        let ask = async |path: &str, headers: &[(&str, &str)], body: &str| {
            let headers: Vec<(&str, &str)> = headers
                .iter()
                .copied()
                .chain([(name, token.as_str())])
                .collect();
            Client::connect(open.public)
                .await
                .ask(request("POST", path, &headers, body))
                .await
        };
        assert_eq!(
            ask("/v1/orders", &[], GOOD).await.problem(),
            (400, "TG-1003".to_owned())
        );
        assert_eq!(
            ask("/v1/orders", &[("x-idempotency-key", "a")], GOOD)
                .await
                .status,
            201
        );
        let repeated = ask("/v1/orders", &[], &keyed).await;
        assert_eq!(repeated.status, 200, "the key is no part of what is bought");
        let other = keyed.replace("\"quantity\":1", "\"quantity\":2");
        let reused = ask("/v1/orders", &[], &other).await;
        assert_eq!(reused.problem(), (422, "TG-2105".to_owned()));
        assert_eq!(ask("/v1/orders?idemp_key=b", &[], GOOD).await.status, 201);
        assert_eq!(
            ask("/v1/orders?idemp_key=b", &[("idempotency-key", "b")], GOOD)
                .await
                .status,
            200
        );
        for headers in [
            &[("idempotency-key", "a"), ("x-idempotency-key", "b")][..],
            &[("idempotency-key", "a"), ("idempotency-key", "b")],
            &[("idempotency-key", "a b")],
            &[("idempotency-key", "")],
        ] {
            assert_eq!(
                ask("/v1/orders", headers, GOOD).await.problem(),
                (400, "TG-1004".to_owned()),
                "{headers:?}"
            );
        }
        let contradiction = ask("/v1/orders", &[("idempotency-key", "b")], &keyed).await;
        assert_eq!(contradiction.problem(), (400, "TG-1004".to_owned()));
    });
}

#[test]
fn a_sku_that_the_sale_does_not_have_is_a_fault_of_the_order() {
    run(async {
        let open = Open::start(settings());
        let body = GOOD.replace("CUP", "CUPP");
        let answer = merchant(open.public, "POST", "/v1/orders", &body).await;
        assert_eq!(answer.problem(), (422, "TG-2003".to_owned()));
    });
}
