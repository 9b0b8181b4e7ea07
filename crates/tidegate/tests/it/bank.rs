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
    /// Where it says that its ledger is.
    ledger: String,
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
            ledger: address("ledger "),
            child,
        }
    }
}

impl Bank {
    /// Its provider's door, as an address.
    fn door(&self) -> &str {
        self.provider.strip_prefix("http://").unwrap()
    }

    /// Ends it like a lost power supply.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
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

/// A charge of 12.50 and what the bank says of it.
fn charge(bank: &Bank, nth: u16, amount: i64) -> (u16, Json) {
    let body = format!(
        r#"{{"key": "pay_0000000000100{nth}", "order": "ord_00000000001", "amount_minor": {amount}, "currency": "EUR"}}"#
    );
    ask(bank.door(), "POST /charges", &[], &body)
}

fn refund(bank: &Bank, nth: u16, amount: i64) -> (u16, Json) {
    let body = format!(
        r#"{{"key": "ref_0000000000100{nth}", "charge": "pay_00000000001001", "amount_minor": {amount}, "currency": "EUR"}}"#
    );
    ask(bank.door(), "POST /refunds", &[], &body)
}

/// What was answered is there after `kill -9`, twice over, also when the file's last line is torn; the same key still
/// moves money once, and what went back stays gone.
#[test]
fn a_bank_with_a_file_knows_after_a_kill_what_it_answered_before() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bank.ledger");
    let words = ["--data", "bank.ledger", "--script", "day.toml"];
    let script = "[[charge]]\nnth = 2\ndoes = \"declined\"\n";
    std::fs::write(dir.path().join("day.toml"), script).unwrap();
    let bank = Bank::start(dir.path(), &words);
    assert_eq!(bank.ledger, "in bank.ledger");
    assert_eq!(charge(&bank, 1, 1_250).1["outcome"], "captured");
    assert_eq!(charge(&bank, 2, 700).1["outcome"], "declined");
    assert_eq!(refund(&bank, 1, 1_000).1["outcome"], "refunded");
    let (_, before) = ask(&bank.operators, "GET /ledger", &[], "");
    bank.kill();

    let mut torn = std::fs::read(&file).unwrap();
    torn.extend(b"0123456789abcdef {\"charge\":[{\"key\":\"pay_");
    std::fs::write(&file, torn).unwrap();
    let bank = Bank::start(dir.path(), &words);
    let (_, after) = ask(&bank.operators, "GET /ledger", &[], "");
    assert_eq!(after, before);
    let (status, known) = ask(bank.door(), "GET /charges/pay_00000000001002", &[], "");
    assert_eq!((status, &known["outcome"]), (200, &Json::from("declined")));
    assert_eq!(charge(&bank, 1, 1_250).1["outcome"], "captured");
    assert_eq!(
        charge(&bank, 1, 1_251).0,
        422,
        "the key stands for another sum"
    );
    assert_eq!(
        refund(&bank, 2, 251).1["outcome"],
        "declined",
        "250 are left"
    );
    assert_eq!(charge(&bank, 3, 5).1["outcome"], "captured");
    bank.kill();

    let bank = Bank::start(dir.path(), &words);
    let (_, ledger) = ask(&bank.operators, "GET /ledger", &[], "");
    let count = |what: &str| ledger[what].as_array().unwrap().len();
    assert_eq!((count("charges"), count("refunds")), (3, 2));
    let second = run(
        dir.path(),
        &[
            "sandbox-psp",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--data",
            "bank.ledger",
        ],
    );
    assert_eq!(second.code, 2, "{}", second.err);
    assert!(second.err.contains("in use"), "{}", second.err);
}

#[test]
fn a_bank_without_a_file_says_that_it_forgets_and_does() {
    let dir = tempfile::tempdir().unwrap();
    let bank = Bank::start(dir.path(), &[]);
    assert!(bank.ledger.contains("in memory"), "{}", bank.ledger);
    assert_eq!(charge(&bank, 1, 1_250).1["outcome"], "captured");
    bank.kill();
    let bank = Bank::start(dir.path(), &[]);
    let (status, _) = ask(bank.door(), "GET /charges/pay_00000000001001", &[], "");
    assert_eq!(status, 404);
}

#[test]
fn a_bank_does_not_touch_a_file_that_is_none_of_its_ledgers() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("letters.txt");
    std::fs::write(&file, "dear bank\n").unwrap();
    let ended = run(
        dir.path(),
        &[
            "sandbox-psp",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--data",
            "letters.txt",
        ],
    );
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(
        ended.err.contains("TG-") && ended.err.contains("mend: "),
        "{}",
        ended.err
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "dear bank\n");
}
