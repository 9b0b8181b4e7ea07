//! Commands in the data directory of a server that is stopped: they do what they were asked to, and nothing that the
//! stopped server had begun goes on.

use crate::process::{Ended, Server, ask, run};
use crate::server::{key, sale};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// Every journal of a data directory, byte by byte, but for the house's.
fn sales(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.join("sales")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                found.insert(path.clone(), std::fs::read(path).unwrap());
            }
        }
    }
    assert!(!found.is_empty(), "a shop has sales");
    found
}

fn fine(dir: &Path, words: &[&str]) -> Ended {
    let ended = run(dir, words);
    assert_eq!(ended.code, 0, "{words:?}: {}", ended.err);
    ended
}

/// An address at which nobody answers.
fn nobody() -> String {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("provider.url=http://{}", taken.local_addr().unwrap())
}

fn state(server: &Server, bearer: &str, path: &str) -> String {
    let (status, order) = ask(&server.public, &format!("GET {path}"), &[bearer], "");
    assert_eq!(status, 200, "{order}");
    order["state"].as_str().unwrap().to_owned()
}

/// A stopped shop with an order whose charge nobody has answered yet: the key, the sale, and the order's path.
fn stopped(dir: &Path, provider: &str) -> (String, String, String) {
    let bearer = key(dir);
    let server = Server::start(dir, &["--data", "data", "--set", provider]);
    let sale = sale(&server, &bearer);
    let body = format!(
        r#"{{"sale_id": "{sale}", "buyer": "ann", "lines": [{{"sku": "CUP", "quantity": 3}}]}}"#
    );
    let keyed = [&*bearer, "Idempotency-Key: cart"];
    let (status, order) = ask(&server.public, "POST /v1/orders", &keyed, &body);
    assert_eq!(status, 201, "{order}");
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    let keyed = [&*bearer, "Idempotency-Key: pay"];
    let (status, paying) = ask(&server.public, &format!("POST {path}/pay"), &keyed, "");
    assert!(status < 300, "{paying}");
    assert_eq!(state(&server, &bearer, &path), "paying");
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    (bearer, sale, path)
}

#[test]
fn an_order_that_is_being_paid_is_still_being_paid_after_every_command_offline() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let provider = nobody();
    let (bearer, sale, path) = stopped(dir, &provider);
    let before = sales(&dir.join("data"));
    // None of them names the provider, as nobody does who only wants to look.
    let csv = fine(
        dir,
        &["export", "orders", "--sale", &sale, "--data", "data"],
    );
    assert!(csv.out.contains(",paying,"), "{}", csv.out);
    let acts = fine(dir, &["audit", "list", "--data", "data"]);
    assert!(acts.out.contains("sale.open"), "{}", acts.out);
    fine(dir, &["keys", "list", "--data", "data"]);
    key(dir);
    assert_eq!(sales(&dir.join("data")), before, "a journal went on");

    let server = Server::start(dir, &["--data", "data", "--set", &provider]);
    assert_eq!(state(&server, &bearer, &path), "paying");
}

#[test]
fn a_replay_into_a_shop_leaves_its_other_sales_alone() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    stopped(dir, &nobody());
    let before = sales(&dir.join("data"));
    let history = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
        536365,85123A,HOLDER,6,12/1/2010 8:26,2.55,17850,United Kingdom\n";
    std::fs::write(dir.join("orders.csv"), history).unwrap();
    fine(dir, &["replay", "orders.csv", "--data", "data", "--json"]);
    let after = sales(&dir.join("data"));
    for (path, bytes) in before {
        assert_eq!(after.get(&path), Some(&bytes), "{}", path.display());
    }
}

#[test]
fn orders_of_a_killed_server_are_exported_whole() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_, sale, _) = stopped(dir, &nobody());
    // What the server had not got to when it was killed, or all of it when somebody threw the lists away.
    for name in ["models.sqlite", "models.sqlite-wal", "models.sqlite-shm"] {
        let gone = std::fs::remove_file(dir.join("data").join(name));
        assert!(gone.is_ok() || name != "models.sqlite");
    }
    let export = ["export", "orders", "--sale", &sale, "--data", "data"];
    let csv = fine(dir, &export).out;
    assert_eq!(csv.lines().count(), 2, "{csv}");
}

#[test]
fn erasing_the_people_of_a_restored_shop_calls_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    stopped(dir, &nobody());
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    outside.set_nonblocking(true).unwrap();
    let address: SocketAddr = outside.local_addr().unwrap();
    let secret = "0123456789abcdef0123456789abcdef";
    std::fs::write(dir.join("master"), secret).unwrap();
    let configuration = format!(
        "data = 'data'\n\
         [provider]\nurl = 'http://{address}'\n\
         [shop.fulfilment]\nkind = 'fulfilment'\ncarrier_url = 'http://{address}'\nsecret_file = 'master'\n\
         [[shop.vault.secrets]]\nid = 'm1'\nsecret_file = 'master'\n"
    );
    std::fs::write(dir.join("t.toml"), configuration).unwrap();
    std::fs::write(dir.join("erased.txt"), format!("{}\n", "0a".repeat(32))).unwrap();
    let before = sales(&dir.join("data"));
    fine(
        dir,
        &[
            "vault",
            "erase",
            "--list",
            "erased.txt",
            "--config",
            "t.toml",
        ],
    );
    assert_eq!(sales(&dir.join("data")), before, "a journal went on");
    let called = outside.accept().map(|(_, from)| from);
    assert!(called.is_err(), "somebody was called: {called:?}");
}
