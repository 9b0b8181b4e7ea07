//! API keys from the command line: the first one offline, the others at a running server.

use crate::process::{Ended, Server, ask, ended, run, tidegate};
use serde_json::Value as Json;
use std::path::Path;

fn create(dir: &Path, more: &[&str]) -> Json {
    let mut words = vec![
        "keys",
        "create",
        "--name",
        "till",
        "--account",
        "shop",
        "--json",
    ];
    words.extend(more);
    let ended = run(dir, &words);
    assert_eq!(ended.code, 0, "{}", ended.err);
    serde_json::from_str(&ended.out).unwrap()
}

fn online(dir: &Path, server: &Server, secret: &str, words: &[&str]) -> Ended {
    let url = format!("http://{}", server.public);
    let mut command = tidegate(dir, words);
    command
        .args(["--url", &url])
        .env("TIDEGATE_API_KEY", secret);
    ended(&command.output().unwrap())
}

#[test]
fn a_key_made_offline_opens_the_door_until_it_is_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let key = create(dir.path(), &["--data", "data"]);
    let (id, secret) = (key["id"].as_str().unwrap(), key["secret"].as_str().unwrap());
    let bearer = format!("Authorization: Bearer {secret}");
    let server = Server::start(dir.path(), &["--data", "data"]);
    assert_eq!(ask(&server.public, "GET /v1/keys", &[&bearer], "").0, 200);

    let listed = online(dir.path(), &server, secret, &["keys", "list"]);
    assert!(
        listed.out.contains(id) && !listed.out.contains(secret),
        "{}",
        listed.out
    );
    let revoked = online(dir.path(), &server, secret, &["keys", "revoke", id]);
    assert!(
        revoked.out.contains("revoked"),
        "{}{}",
        revoked.out,
        revoked.err
    );
    assert_eq!(ask(&server.public, "GET /v1/keys", &[&bearer], "").0, 401);
    let refused = online(dir.path(), &server, secret, &["keys", "list"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("error[TG-1101]"), "{}", refused.err);
}

#[test]
fn a_key_without_scopes_may_do_everything_but_touch_personal_data() {
    let dir = tempfile::tempdir().unwrap();
    let key = create(dir.path(), &["--data", "data"]);
    let scopes = key["scopes"].to_string();
    assert!(scopes.contains("keys:write") && scopes.contains("audit:read"));
    assert!(!scopes.contains("people:"), "{scopes}");
    let owner = create(dir.path(), &["--data", "data", "--role", "owner"]);
    assert!(owner["scopes"].to_string().contains("people:write"));
    let words = [
        "keys",
        "create",
        "--name",
        "n",
        "--account",
        "shop",
        "--data",
        "data",
    ];
    let told = run(dir.path(), &words);
    assert!(told.out.contains("no personal data"), "{}", told.out);
}

#[test]
fn offline_all_keys_are_listed_and_any_is_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let key = create(
        dir.path(),
        &["--data", "data", "--scopes", "orders:read,orders:write"],
    );
    assert_eq!(
        key["scopes"],
        serde_json::json!(["orders:write", "orders:read"])
    );
    let id = key["id"].as_str().unwrap();
    let revoked = run(dir.path(), &["keys", "revoke", id, "--data", "data"]);
    assert_eq!(revoked.code, 0, "{}", revoked.err);
    let listed = run(dir.path(), &["keys", "list", "--data", "data"]);
    assert!(
        listed.out.contains(id) && listed.out.contains("revoked"),
        "{}",
        listed.out
    );
    let unknown = run(
        dir.path(),
        &["keys", "revoke", "key_00000000007", "--data", "data"],
    );
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("error[TG-2004]"), "{}", unknown.err);
}

#[test]
fn a_scope_that_does_not_exist_is_a_usage_error() {
    let dir = tempfile::tempdir().unwrap();
    let words = [
        "keys",
        "create",
        "--name",
        "x",
        "--account",
        "y",
        "--scopes",
        "root",
    ];
    let ended = run(dir.path(), &words);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("unknown scope `root`"), "{}", ended.err);
}

#[test]
fn a_server_that_is_not_there_and_an_address_that_is_none_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, "tgk_x").unwrap();
    for (url, said) in [
        ("http://127.0.0.1:1", "no server answers"),
        ("ftp://x", "is no address of a server"),
    ] {
        let words = [
            "keys",
            "list",
            "--url",
            url,
            "--key-file",
            key.to_str().unwrap(),
        ];
        let ended = run(dir.path(), &words);
        assert_eq!(ended.code, 2);
        assert!(ended.err.contains(said), "{}", ended.err);
    }
    let ended = run(dir.path(), &["keys", "list", "--url", "http://127.0.0.1:1"]);
    assert!(ended.err.contains("TIDEGATE_API_KEY"), "{}", ended.err);
}
