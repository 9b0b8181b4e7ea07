//! A shop and a bank, each a process of its own; and the bank's settlement file against the shop's journals.

use crate::process::{Server, ask, run, tidegate};
use crate::server::{key, sale};
use serde_json::Value as Json;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

/// A sandbox that listens; killed when it is dropped.
struct Bank {
    child: Child,
    provider: String,
    operators: String,
}

impl Bank {
    fn start(dir: &Path, words: &[&str]) -> Self {
        let mut all = vec![
            "sandbox-psp",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ];
        all.extend(words);
        let mut child = tidegate(dir, &all).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |what: &str| {
            let line = lines.next().unwrap().unwrap();
            line.strip_prefix(what).unwrap().to_owned()
        };
        Self {
            provider: address("provider "),
            operators: address("operators http://"),
            child,
        }
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        // Both fail when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Buys three cups and begins to pay; the order's path.
fn buy(server: &Server, bearer: &str, sale: &str, cart: &str) -> String {
    let cart_key = format!("Idempotency-Key: {cart}");
    let body = format!(
        r#"{{"sale_id": "{sale}", "buyer": "ann", "lines": [{{"sku": "CUP", "quantity": 3}}]}}"#
    );
    let (status, order) = ask(
        &server.public,
        "POST /v1/orders",
        &[bearer, &cart_key],
        &body,
    );
    assert_eq!(status, 201, "{order}");
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    let pay_key = format!("Idempotency-Key: pay-{cart}");
    let (status, paying) = ask(
        &server.public,
        &format!("POST {path}/pay"),
        &[bearer, &pay_key],
        "",
    );
    assert!(status < 300, "{paying}");
    path
}

/// Asks until the payment stands so.
fn until(server: &Server, bearer: &str, path: &str, state: &str) {
    for _ in 0..100_000 {
        let (_, order) = ask(&server.public, &format!("GET {path}"), &[bearer], "");
        if order["payment"]["state"] == state {
            return;
        }
    }
    panic!("{path} never was {state}");
}

#[test]
fn a_shop_pays_at_a_bank_of_its_own_process_and_their_books_agree() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("day.toml"),
        "[[charge]]\nnth = 2\ndoes = \"declined\"\n",
    )
    .unwrap();
    let bank = Bank::start(dir.path(), &["--script", "day.toml"]);
    let bearer = key(dir.path());
    let url = format!("provider.url={}", bank.provider);
    let server = Server::start(dir.path(), &["--data", "data", "--set", &url]);
    let sale = sale(&server, &bearer);
    let paid = buy(&server, &bearer, &sale, "first");
    until(&server, &bearer, &paid, "captured");
    let declined = buy(&server, &bearer, &sale, "second");
    until(&server, &bearer, &declined, "failed");

    let (status, settlement) = ask(&bank.operators, "GET /settlement.csv", &[], "");
    let text = settlement.as_str().unwrap();
    assert_eq!((status, text.lines().count()), (200, 2), "{text}");
    std::fs::write(dir.path().join("day.csv"), text).unwrap();
    // Beside the live server, and without its lock.
    let fine = run(
        dir.path(),
        &["reconcile", "day.csv", "--data", "data", "--json"],
    );
    let report: Json = serde_json::from_str(&fine.out).unwrap();
    assert_eq!(
        (fine.code, report["matched"].as_u64()),
        (0, Some(1)),
        "{}",
        fine.out
    );

    let wrong = text.replace(",3750,", ",3751,");
    std::fs::write(dir.path().join("wrong.csv"), wrong).unwrap();
    let found = run(dir.path(), &["reconcile", "wrong.csv", "--data", "data"]);
    assert_eq!(found.code, 1, "{}", found.err);
    assert!(found.out.contains("line 2: pay_"), "{}", found.out);
}

#[test]
fn what_cannot_be_reconciled_or_played_is_a_command_that_cannot_be_done() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("other.csv"), "a,b\n1,2\n").unwrap();
    std::fs::write(
        dir.path().join("bad.toml"),
        "[[charge]]\nnth = 0\ndoes = \"done\"\n",
    )
    .unwrap();
    key(dir.path());
    for words in [
        &["reconcile", "missing.csv", "--data", "data"][..],
        &["reconcile", "other.csv", "--data", "data"],
        &["reconcile", "other.csv", "--data", "nowhere"],
        &["sandbox-psp", "--script", "bad.toml"],
        &["sandbox-psp", "--set", "wishes=1"],
        &["sandbox-psp", "--set", "decline_per_mille=1001"],
        &["sandbox-psp", "--callbacks", "http://127.0.0.1:1/x"],
    ] {
        let ended = run(dir.path(), words);
        assert_eq!(ended.code, 2, "{words:?}: {}", ended.err);
        assert!(ended.err.contains("mend: "), "{words:?}: {}", ended.err);
    }
}
