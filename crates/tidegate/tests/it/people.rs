//! Personal data, the audit and exports from the command line.

use crate::process::{Ended, Server, ask, run};
use serde_json::Value as Json;
use std::path::Path;

const SECRET: &str = "a master secret of more than 32 bytes";
const CONFIGURATION: &str = "
data = 'data'
[[shop.vault.secrets]]
id = 'm1'
secret_file = 'master'
";

/// A directory with a configuration and a key that may do everything.
pub(crate) fn house(dir: &Path) -> String {
    std::fs::write(dir.join("master"), SECRET).unwrap();
    std::fs::write(dir.join("t.toml"), CONFIGURATION).unwrap();
    let words = [
        "keys",
        "create",
        "--name",
        "till",
        "--account",
        "shop",
        "--role",
        "owner",
        "--json",
        "--config",
        "t.toml",
    ];
    let made: Json = serde_json::from_str(&fine(dir, &words).out).unwrap();
    format!("Authorization: Bearer {}", made["secret"].as_str().unwrap())
}

fn fine(dir: &Path, words: &[&str]) -> Ended {
    let ended = run(dir, words);
    assert_eq!(ended.code, 0, "{words:?}: {}", ended.err);
    ended
}

pub(crate) fn serve(dir: &Path) -> Server {
    Server::start(dir, &["--config", "t.toml"])
}

pub(crate) fn stop(server: Server) {
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
}

pub(crate) fn change(server: &Server, what: &str, bearer: &str, key: &str, body: &str) -> Json {
    let key = format!("Idempotency-Key: {key}");
    let (status, answer) = ask(&server.public, what, &[bearer, &key], body);
    assert!(status < 300, "{what}: {status} {answer}");
    answer
}

#[test]
fn what_a_path_says_of_a_person_or_a_device_stays_out_of_the_logs() {
    let dir = tempfile::tempdir().unwrap();
    let bearer = house(dir.path());
    let words = ["--config", "t.toml", "--set", "log.level=debug"];
    let mut server = Server::start(dir.path(), &words);
    change(
        &server,
        "PUT /v1/people/ann",
        &bearer,
        "p1",
        r#"{"name":"Ann"}"#,
    );
    assert_eq!(server.told("request served")["path"], "/v1/people/{buyer}");
    assert_eq!(server.told("audit")["path"], "/v1/people/{buyer}");
    ask(&server.public, "GET /device/BCDF-NONE/qr.svg", &[], "");
    assert_eq!(
        server.told("request served")["path"],
        "/device/{code}/qr.svg"
    );
    stop(server);
}

#[test]
fn a_person_is_exported_erased_and_stays_erased_over_an_older_backup() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let bearer = house(dir);
    let server = serve(dir);
    for who in ["ann", "bob"] {
        let path = format!("PUT /v1/people/{who}");
        change(
            &server,
            &path,
            &bearer,
            who,
            r#"{"name":"Some Body","locale":"zh"}"#,
        );
    }
    let backup: Json = serde_json::from_str(
        &fine(
            dir,
            &["backup", "--data", "data", "--to", "older", "--json"],
        )
        .out,
    )
    .unwrap();
    assert_eq!(backup["vault"], true, "{backup}");
    stop(server);
    let shown: Json = serde_json::from_str(
        &fine(
            dir,
            &["vault", "export", "--buyer", "ann", "--config", "t.toml"],
        )
        .out,
    )
    .unwrap();
    assert_eq!(shown["data"]["name"], "Some Body", "{shown}");
    let erased = fine(
        dir,
        &["vault", "erase", "--buyer", "ann", "--config", "t.toml"],
    );
    assert!(
        erased.out.contains("\"found\": 1") || erased.out.contains("\"found\":1"),
        "{}",
        erased.out
    );
    let gone = run(
        dir,
        &["vault", "export", "--buyer", "ann", "--config", "t.toml"],
    );
    assert!(
        gone.code == 2 && gone.err.contains("TG-2401"),
        "{}",
        gone.err
    );
    let list = fine(dir, &["vault", "erased", "--config", "t.toml"]).out;
    std::fs::write(dir.join("erased.txt"), &list).unwrap();
    // The backup is older than the erasure and brings the person back, until the list is gone through.
    fine(dir, &["restore", "--from", "older", "--data", "restored"]);
    let restored = ["--config", "t.toml", "--set", "data=restored"];
    let with = |words: &[&str]| run(dir, &[words, &restored].concat());
    let back = with(&["vault", "export", "--buyer", "ann"]);
    assert_eq!(back.code, 0, "{}", back.err);
    let again = with(&["vault", "erase", "--list", "erased.txt"]);
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(with(&["vault", "export", "--buyer", "ann"]).code, 2);
    assert_eq!(with(&["vault", "export", "--buyer", "bob"]).code, 0);
}

#[test]
fn going_back_behind_an_erasure_does_not_bring_the_person_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let bearer = house(dir);
    let server = serve(dir);
    change(
        &server,
        "PUT /v1/people/ann",
        &bearer,
        "p",
        r#"{"name":"Ann"}"#,
    );
    let acts = ask(
        &server.public,
        "GET /v1/audit?what=person.put",
        &[&bearer],
        "",
    )
    .1;
    let point = acts["acts"][0]["at"].as_str().unwrap().to_owned();
    stop(server);
    // A vault of before the erasure beside a journal of after it: what a careless copy makes.
    std::fs::copy(dir.join("data/vault.db"), dir.join("before.db")).unwrap();
    fine(
        dir,
        &["vault", "erase", "--buyer", "ann", "--config", "t.toml"],
    );
    fine(dir, &["backup", "--data", "data", "--to", "newer"]);
    std::fs::copy(dir.join("before.db"), dir.join("newer/vault.db")).unwrap();
    fine(
        dir,
        &[
            "restore",
            "--from",
            "newer",
            "--data",
            "back",
            "--to-time",
            &point,
        ],
    );
    let words = [
        "vault",
        "export",
        "--buyer",
        "ann",
        "--config",
        "t.toml",
        "--set",
        "data=back",
    ];
    assert!(run(dir, &words).err.contains("TG-2401"));
}

#[test]
fn a_wrong_master_key_is_said_and_a_rotation_lets_the_old_one_go() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let bearer = house(dir);
    let server = serve(dir);
    change(
        &server,
        "PUT /v1/people/ann",
        &bearer,
        "p",
        r#"{"name":"Ann"}"#,
    );
    stop(server);
    let wrong = CONFIGURATION.replace("'master'", "'other'");
    std::fs::write(dir.join("other"), "another master secret of over 32 bytes").unwrap();
    std::fs::write(dir.join("wrong.toml"), &wrong).unwrap();
    let refused = run(dir, &["vault", "rotate", "--config", "wrong.toml"]);
    assert!(
        refused.code == 2 && refused.err.contains("TG-4401") && refused.err.contains("m1"),
        "{}",
        refused.err
    );
    let both = wrong.replace("'m1'", "'m2'") + &CONFIGURATION.replace("data = 'data'", "");
    std::fs::write(dir.join("both.toml"), both).unwrap();
    let turned: Json = serde_json::from_str(
        &fine(dir, &["vault", "rotate", "--json", "--config", "both.toml"]).out,
    )
    .unwrap();
    assert_eq!(
        (&turned["wrapped_anew"], &turned["records"]),
        (&1.into(), &1.into())
    );
    std::fs::write(dir.join("new.toml"), wrong.replace("'m1'", "'m2'")).unwrap();
    fine(
        dir,
        &["vault", "export", "--buyer", "ann", "--config", "new.toml"],
    );
    let old = run(
        dir,
        &["vault", "export", "--buyer", "ann", "--config", "t.toml"],
    );
    assert!(
        old.err.contains("TG-4401") && old.err.contains("m2"),
        "{}",
        old.err
    );
}

/// A sale with 450 orders of one cup each, by as many buyers.
fn sold(server: &Server, bearer: &str) -> String {
    let sale =
        r#"{"name":"Cups","currency":"EUR","skus":[{"sku":"=CUP","price":"1.50","stock":1000}]}"#;
    let made = change(server, "POST /v1/sales", bearer, "c", sale);
    let sale = made["id"].as_str().unwrap().to_owned();
    let open = format!("POST /v1/sales/{sale}/open");
    change(server, &open, bearer, "o", "{}");
    let order = |number: u32| {
        format!(
            r#"{{"idempotency_key":"k{number}","sale_id":"{sale}","buyer":"b{number}","lines":[{{"sku":"=CUP","quantity":1}}]}}"#
        )
    };
    let orders: Vec<String> = (0..450).map(order).collect();
    let batch = format!(r#"{{"orders":[{}]}}"#, orders.join(","));
    change(server, "POST /v1/orders:batch", bearer, "b", &batch);
    sale
}

/// A command at a running server, with the key in the file `key`.
fn online(dir: &Path, server: &Server, words: &[&str]) -> String {
    let url = format!("http://{}", server.public);
    fine(
        dir,
        &[words, &["--url", &url, "--key-file", "key"]].concat(),
    )
    .out
}

#[test]
fn orders_of_many_pages_are_exported_whole_here_and_over_http() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let bearer = house(dir);
    std::fs::write(
        dir.join("key"),
        bearer.trim_start_matches("Authorization: Bearer "),
    )
    .unwrap();
    let server = serve(dir);
    let sale = sold(&server, &bearer);
    let export = ["export", "orders", "--sale", &sale, "--format"];
    // The read model follows; a restart waits for it.
    stop(server);
    let offline = [&export[..], &["csv", "--config", "t.toml"]].concat();
    let csv = fine(dir, &offline).out;
    assert_eq!(csv.lines().count(), 451);
    assert!(
        !csv.contains(",=CUP") && csv.contains("'=CUP"),
        "no formula"
    );
    let server = serve(dir);
    let lines = online(dir, &server, &[&export[..], &["jsonl"]].concat());
    let buyer = |line: &str| serde_json::from_str::<Json>(line).unwrap()["buyer"].to_string();
    let buyers: std::collections::BTreeSet<String> = lines.lines().map(buyer).collect();
    assert_eq!((lines.lines().count(), buyers.len()), (450, 450));
    let streamed = ask(
        &server.public,
        &format!("GET /v1/sales/{sale}/orders.csv"),
        &[&bearer],
        "",
    );
    let text = streamed.1.as_str().unwrap().to_owned();
    assert_eq!(text.matches(&format!(",{sale},")).count(), 450);
    stop(server);
}

#[test]
fn the_audit_names_who_opened_the_sale_and_who_made_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let bearer = house(dir);
    std::fs::write(
        dir.join("key"),
        bearer.trim_start_matches("Authorization: Bearer "),
    )
    .unwrap();
    let server = serve(dir);
    sold(&server, &bearer);
    let acts = online(dir, &server, &["audit", "list", "--what", "sale"]);
    assert!(
        acts.contains("sale.create") && acts.contains("sale.open"),
        "{acts}"
    );
    assert!(acts.lines().all(|line| line.contains("  key_")), "{acts}");
    stop(server);
    let acts = fine(dir, &["audit", "list", "--data", "data", "--json"]).out;
    let read = |line: &str| serde_json::from_str::<Json>(line).unwrap();
    let made = |act: Json| act["what"] == "key.create" && act["who"] == "house";
    assert!(acts.lines().map(read).any(made), "{acts}");
    assert!(
        !acts.contains(SECRET),
        "settings are on record, secrets are not"
    );
}
