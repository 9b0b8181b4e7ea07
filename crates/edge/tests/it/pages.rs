//! Pages for people and for operators.

use crate::client::{Client, merchant, page};
use crate::world_of_tests::{Open, run, settings};
use std::sync::atomic::Ordering;

#[test]
fn the_description_is_the_one_that_is_checked_in() {
    let checked_in = include_str!("../../../../docs/openapi.json");
    let mend = "mend: cargo run -p tidegate-edge --example openapi > docs/openapi.json";
    assert!(
        tidegate_edge::openapi() == checked_in,
        "docs/openapi.json is not what the code says; {mend}"
    );
    run(async {
        let open = Open::start(settings());
        assert_eq!(page(open.public, "/openapi.json").await.text(), checked_in);
    });
}

#[test]
fn every_problem_leads_to_its_help_page() {
    run(async {
        let open = Open::start(settings());
        let problem = merchant(open.public, "GET", "/v1/sales/sale_00002", "")
            .await
            .json();
        let help = page(open.public, problem["type"].as_str().unwrap()).await;
        assert_eq!(
            help.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert!(help.text().contains("<h1>TG-2001 Sale not found</h1>"));
        assert_eq!(page(open.public, "/errors/TG-9999").await.status, 404);
        assert_eq!(page(open.public, "/errors/%ff").await.status, 404);
    });
}

#[test]
fn operators_see_life_and_readiness_with_reasons() {
    run(async {
        let open = Open::start(settings());
        assert_eq!(page(open.admin, "/livez").await.status, 200);
        assert_eq!(page(open.admin, "/readyz").await.status, 200);
        open.shop.ready.store(false, Ordering::SeqCst);
        let answer = page(open.admin, "/readyz").await;
        assert_eq!(
            (answer.status, answer.json()["reasons"][0].as_str()),
            (503, Some("the disk is full"))
        );
        assert_eq!(
            page(open.public, "/metrics").await.status,
            404,
            "not on the public port"
        );
        let health = page(open.public, "/health").await.json();
        assert_eq!(health["status"], "ok");
        assert!(health["timestamp"].as_u64().unwrap().abs_diff(open.now_s()) < 60);
    });
}

#[test]
fn the_demo_page_speaks_two_languages_and_allows_only_its_own_script() {
    run(async {
        let open = Open::start(settings());
        let english = page(open.public, "/").await;
        assert_eq!(english.status, 200);
        let policy = english.header("content-security-policy").unwrap();
        let nonce = policy
            .split("nonce-")
            .nth(1)
            .unwrap()
            .split('\'')
            .next()
            .unwrap();
        assert!(
            english
                .text()
                .contains(&format!("<script nonce=\"{nonce}\">"))
        );
        assert!(english.text().contains("Buy one") && english.text().contains("Midnight cups"));
        let head = "GET / HTTP/1.1\r\nhost: d\r\naccept-language: zh-CN,zh;q=0.9\r\n\r\n";
        let chinese = Client::connect(open.public).await.ask(head).await.text();
        assert!(chinese.contains("买一件") && chinese.contains("lang=\"zh-CN\""));
        assert!(
            page(open.public, "/?lang=zh")
                .await
                .text()
                .contains("放入一千名买家")
        );
    });
}

#[test]
fn the_crowd_buys_and_the_shelf_is_filled_again() {
    run(async {
        let open = Open::start(settings());
        assert_eq!(
            merchant(open.public, "POST", "/demo/crowd", "{}")
                .await
                .status,
            202
        );
        let second = merchant(open.public, "POST", "/demo/crowd", "{}").await;
        assert_eq!(second.problem(), (429, "TG-3005".to_owned()));
        assert_eq!(
            merchant(open.public, "POST", "/demo/refill", "{}")
                .await
                .status,
            200
        );
        let sale = merchant(open.public, "GET", "/v1/sales/sale_00001", "")
            .await
            .json();
        assert_eq!(sale["skus"][0]["stocked_count"], 900);
    });
}
