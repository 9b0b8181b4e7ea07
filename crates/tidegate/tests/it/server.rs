//! A server from its start to its end: who may have the directory, what survives SIGKILL, how it stops.

use crate::process::{Server, ask, run};
use serde_json::Value as Json;
use std::path::Path;

/// Makes a merchant's key in a directory that no server has.
pub(crate) fn key(dir: &Path) -> String {
    let words = [
        "keys",
        "create",
        "--name",
        "till",
        "--account",
        "shop",
        "--data",
        "data",
        "--json",
    ];
    let ended = run(dir, &words);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let made: Json = serde_json::from_str(&ended.out).unwrap();
    format!("Authorization: Bearer {}", made["secret"].as_str().unwrap())
}

pub(crate) fn sale(server: &Server, bearer: &str) -> String {
    let body = r#"{"name": "Cups", "currency": "EUR", "skus": [{"sku": "CUP", "price": "12.50", "stock": 10}]}"#;
    let (status, sale) = ask(
        &server.public,
        "POST /v1/sales",
        &[bearer, "Idempotency-Key: sale"],
        body,
    );
    assert_eq!(status, 201, "{sale}");
    let id = sale["id"].as_str().unwrap().to_owned();
    let open = format!("POST /v1/sales/{id}/open");
    assert_eq!(
        ask(
            &server.public,
            &open,
            &[bearer, "Idempotency-Key: open"],
            ""
        )
        .0,
        200
    );
    id
}

fn place(server: &Server, bearer: &str, sale: &str) -> (u16, Json) {
    let body = format!(
        r#"{{"sale_id": "{sale}", "buyer": "ann", "lines": [{{"sku": "CUP", "quantity": 3}}]}}"#
    );
    ask(
        &server.public,
        "POST /v1/orders",
        &[bearer, "Idempotency-Key: cart"],
        &body,
    )
}

#[test]
fn an_order_that_was_answered_survives_sigkill() {
    let dir = tempfile::tempdir().unwrap();
    let bearer = key(dir.path());
    let server = Server::start(dir.path(), &["--data", "data"]);
    let sale = sale(&server, &bearer);
    let (status, order) = place(&server, &bearer, &sale);
    assert_eq!(
        (status, order["state"].as_str()),
        (201, Some("held")),
        "{order}"
    );
    server.signal("KILL");
    assert_eq!(server.wait(), None);

    let server = Server::start(dir.path(), &["--data", "data"]);
    let again = ask(
        &server.public,
        &format!("GET /v1/orders/{}", order["id"].as_str().unwrap()),
        &[&bearer],
        "",
    );
    assert_eq!(again, (200, order.clone()));
    assert_eq!(
        place(&server, &bearer, &sale),
        (200, order),
        "the same key, the same order"
    );
    let (_, sale) = ask(
        &server.public,
        &format!("GET /v1/sales/{sale}"),
        &[&bearer],
        "",
    );
    assert_eq!(
        (
            &sale["skus"][0]["available_count"],
            &sale["skus"][0]["held_count"]
        ),
        (&7.into(), &3.into())
    );
}

#[test]
fn sigterm_drains_and_ends_with_zero() {
    let dir = tempfile::tempdir().unwrap();
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(dir.path(), &["--data", "data"]);
        assert_eq!(ask(&server.admin, "GET /livez", &[], "").0, 200);
        server.signal(signal);
        assert_eq!(server.told("stopping")["reason"], format!("SIG{signal}"));
        assert_eq!(server.wait(), Some(0));
    }
}

#[test]
fn two_servers_one_directory_the_second_is_told_who_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Server::start(dir.path(), &["--data", "data"]);
    for words in [
        &["serve", "--data", "data", "--listen", "127.0.0.1:0"][..],
        &["keys", "list", "--data", "data"],
    ] {
        let second = run(dir.path(), words);
        assert_eq!(second.code, 2);
        assert!(
            second.err.contains("error[TG-4001]") && second.err.contains("in use by process"),
            "{}",
            second.err
        );
    }
}

#[test]
fn a_directory_that_cannot_be_written_says_so() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody, root neither, may make a directory there.
    let ended = run(
        dir.path(),
        &[
            "serve",
            "--data",
            "/sys/kernel/tidegate",
            "--listen",
            "127.0.0.1:0",
        ],
    );
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("error[TG-4005]"), "{}", ended.err);
}

#[test]
fn a_directory_with_other_things_in_it_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("thesis.txt"), "x").unwrap();
    let ended = run(dir.path(), &["serve", "--data", "."]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("thesis.txt"), "{}", ended.err);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn an_address_that_is_taken_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = run(
        dir.path(),
        &["serve", "--data", "data", "--listen", &address],
    );
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains(&address) && ended.err.contains("port 0 takes a free one"),
        "{}",
        ended.err
    );
}

#[test]
fn the_start_says_what_it_runs_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["--data", "data"]);
    let told = |message: &str| {
        server
            .before
            .iter()
            .find(|line| line["message"] == message)
            .unwrap()
    };
    let started = told("starting");
    assert_eq!(started["data"], "data");
    assert!(started["cores"].as_u64().unwrap() >= 1 && started["threads"].as_u64().unwrap() >= 1);
    assert_eq!(
        (&told("recovered")["sales"], &told("recovered")["batches"]),
        (&0.into(), &0.into())
    );
}

#[test]
fn the_demo_is_open_at_once_and_on_loopback_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(dir.path(), &["--demo", "--data", "data"]);
    assert_eq!(ask(&server.public, "GET /", &[], "").0, 200);
    let token = format!("Authorization: Bearer {}", server.said("TOKEN="));
    let body = r#"{"sale_id": "sale_00001", "lines": [{"sku": "CUP-BLUE", "quantity": 1}]}"#;
    let (status, order) = ask(
        &server.public,
        "POST /v1/orders",
        &[&token, "Idempotency-Key: cart"],
        body,
    );
    assert_eq!(
        (status, order["buyer"].as_str()),
        (201, Some("demo-buyer")),
        "{order}"
    );
    let ended = run(
        dir.path(),
        &[
            "serve",
            "--demo",
            "--data",
            "other",
            "--listen",
            "0.0.0.0:0",
        ],
    );
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("loopback only"), "{}", ended.err);
}

#[test]
fn sighup_changes_the_log_level_and_keeps_what_is_not_valid_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("[log]\nlevel = 'info'\n");
    let mut server = Server::start(dir.path(), &["--data", "data", "--config", "t.toml"]);
    assert_eq!(server.before[0]["config"], "defaults, t.toml, flags");

    write("[log]\nlevel = 'loud'\n[edge]\nbody_ms = 0\n");
    server.signal("HUP");
    let refused = server.told("the new configuration is not valid; the old one stays");
    let reason = refused["reason"].as_str().unwrap();
    assert!(
        reason.contains("log.level: ") && reason.contains("edge.body_ms: "),
        "{reason}"
    );

    write("[log]\nlevel = 'warn'\n[edge]\nbody_ms = 1000\n");
    server.signal("HUP");
    assert_eq!(
        server.told("setting changed; it waits for the next start")["option"],
        "edge.body_ms"
    );
    let changed = server.told("setting changed");
    assert_eq!(
        (&changed["option"], &changed["value"]),
        (&"log.level".into(), &"\"warn\"".into())
    );
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
}
