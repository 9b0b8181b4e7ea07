//! What a real server tells buyers, and whom it leaves alone.

use crate::mailbox::{Mailbox, Manner};
use crate::people::{change, house, serve, stop};
use crate::process::{Server, ask, run};
use crate::server::sale;
use serde_json::Value as Json;
use std::io::Write;
use std::path::Path;
use world::{Clock, SystemClock};

/// A house that tells by a file where a buyer said nothing, and has a mail server that wants a login.
fn telling(dir: &Path, mailbox: &Mailbox) -> String {
    let bearer = house(dir);
    std::fs::write(dir.join("word"), "open sesame\n").unwrap();
    let mut file = std::fs::File::options()
        .append(true)
        .open(dir.join("t.toml"))
        .unwrap();
    let port = mailbox.port;
    write!(
        file,
        "[shop.notices]\nchannel = 'file'\nfile = 'told.jsonl'\nmail_host = '127.0.0.1'\nmail_port = {port}\n\
         mail_tls = 'off'\nmail_from = 'Shop <shop@example.org>'\nmail_user = 'shop'\nmail_secret_file = 'word'\n"
    )
    .unwrap();
    bearer
}

fn person(server: &Server, bearer: &str, who: &str, says: &str) {
    let path = format!("PUT /v1/people/{who}");
    change(server, &path, bearer, &format!("person-{who}"), says);
}

/// An order of one cup, paid at the till.
fn paid(server: &Server, bearer: &str, sale: &str, buyer: &str) -> String {
    let body = format!(
        r#"{{"sale_id":"{sale}","buyer":"{buyer}","paid":{{"reference":"till"}},"lines":[{{"sku":"CUP","quantity":1}}]}}"#
    );
    let order = change(server, "POST /v1/orders", bearer, buyer, &body);
    order["id"].as_str().unwrap().to_owned()
}

fn told(dir: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(dir.join("told.jsonl")).unwrap_or_default();
    // What is being written has no end yet.
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    whole
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Waits until so many were told by the file.
fn told_of(dir: &Path, many: usize) -> Vec<Json> {
    let since = SystemClock::new();
    while told(dir).len() < many {
        // Not a bar but an end, where otherwise there would be none.
        assert!(since.monotonic().as_secs() < 120, "{:?}", told(dir));
        std::thread::yield_now();
    }
    told(dir)
}

#[test]
fn mail_goes_out_of_the_vault() {
    let mailbox = Mailbox::new(Manner::Takes);
    let dir = tempfile::tempdir().unwrap();
    let bearer = telling(dir.path(), &mailbox);
    let server = serve(dir.path());
    let ann = r#"{"email":"ann@example.org","locale":"en-GB","channel":"email"}"#;
    person(&server, &bearer, "ann", ann);
    let sale = sale(&server, &bearer);
    let order = paid(&server, &bearer, &sale, "ann");
    let mail = mailbox.next();
    // In base64: nothing, the name, the password, each begun by a zero.
    assert!(
        mail.contains("AUTH PLAIN AHNob3AAb3BlbiBzZXNhbWU="),
        "{mail}"
    );
    assert!(mail.contains("RCPT TO:<ann@example.org>"), "{mail}");
    assert!(
        mail.contains(&format!("Subject: Order {order} is paid")),
        "{mail}"
    );
    // Who is not in the vault hears of it as the shop tells everybody.
    paid(&server, &bearer, &sale, "bob");
    assert_eq!(told_of(dir.path(), 1)[0]["buyer"], "bob");
    stop(server);
    let shown = run(dir.path(), &["config", "show", "--config", "t.toml"]);
    assert!(
        shown.out.contains("mail_user") && !shown.out.contains("sesame"),
        "{}",
        shown.out
    );
}

#[test]
fn who_said_none_is_left_alone() {
    let mailbox = Mailbox::new(Manner::Takes);
    let dir = tempfile::tempdir().unwrap();
    let bearer = telling(dir.path(), &mailbox);
    let server = serve(dir.path());
    person(
        &server,
        &bearer,
        "ann",
        r#"{"email":"ann@example.org","channel":"none"}"#,
    );
    // Only how to speak to him is known, so he is told as everybody is.
    person(&server, &bearer, "bob", r#"{"locale":"zh"}"#);
    let sale = sale(&server, &bearer);
    paid(&server, &bearer, &sale, "ann");
    paid(&server, &bearer, &sale, "bob");
    told_of(dir.path(), 1);
    stop(server);
    let told = told(dir.path());
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0]["buyer"], &told[0]["locale"]),
        (&"bob".into(), &"zh".into())
    );
}

#[test]
fn no_address_of_a_buyer_is_in_the_log_or_shown_with_the_dead() {
    let mailbox = Mailbox::new(Manner::Refuses);
    let dir = tempfile::tempdir().unwrap();
    let bearer = telling(dir.path(), &mailbox);
    let mut server = serve(dir.path());
    let ann = r#"{"email":"ann@example.org","channel":"email"}"#;
    person(&server, &bearer, "ann", ann);
    let sale = sale(&server, &bearer);
    paid(&server, &bearer, &sale, "ann");
    let line = server.told("a notice was given up: tidegate notices dead");
    assert_eq!(line["reason"], "the mail server said 550");
    assert!(!line.to_string().contains("example.org"), "{line}");
    let (_, dead) = ask(&server.public, "GET /v1/notices/dead", &[&bearer], "");
    assert_eq!(dead["notices"][0]["reason"], "the mail server said 550");
    assert!(!dead.to_string().contains("example.org"), "{dead}");
    stop(server);
}

#[test]
fn a_restored_shop_tells_nobody_again_what_was_told() {
    let mailbox = Mailbox::new(Manner::Takes);
    let dir = tempfile::tempdir().unwrap();
    let bearer = telling(dir.path(), &mailbox);
    let server = serve(dir.path());
    let sale = sale(&server, &bearer);
    paid(&server, &bearer, &sale, "ann");
    told_of(dir.path(), 1);
    // What was told is kept when the server is asked to stop, at the latest.
    stop(server);
    for words in [
        &["backup", "--data", "data", "--to", "backup"][..],
        &["restore", "--from", "backup", "--data", "restored"],
    ] {
        let ended = run(dir.path(), words);
        assert_eq!(ended.code, 0, "{words:?}: {}", ended.err);
    }
    let words = ["--config", "t.toml", "--set", "data=restored"];
    let server = Server::start(dir.path(), &words);
    paid(&server, &bearer, &sale, "bob");
    told_of(dir.path(), 2);
    stop(server);
    let buyers: Vec<Json> = told(dir.path())
        .iter()
        .map(|line| line["buyer"].clone())
        .collect();
    assert_eq!(buyers, ["ann", "bob"]);
}
