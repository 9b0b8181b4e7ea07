//! Backup and restore with the real binary: taken while it sells, after `kill -9`, to the end and to an earlier point.

use crate::process::{Server, ask, run};
use serde_json::Value as Json;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use storage::journal::{Doors, JournalSettings, Log, recover};
use world::journal::NewBatch;
use world::{Disk, OsDisk, SystemClock, SystemEntropy};

/// A backup that version 1 made: two API keys, two sales, orders in several states.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/backup-1");

/// Runs a command that has to work, and reads its JSON.
fn done(dir: &Path, words: &[&str]) -> Json {
    let ended = run(dir, words);
    assert_eq!(ended.code, 0, "{words:?}: {}{}", ended.err, ended.out);
    serde_json::from_str(&ended.out).unwrap()
}

fn key(dir: &Path) -> String {
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
    let made = done(dir, &words);
    format!("Authorization: Bearer {}", made["secret"].as_str().unwrap())
}

fn open_sale(server: &Server, bearer: &str) -> String {
    let body = r#"{"name": "Cups", "currency": "EUR", "skus": [{"sku": "CUP", "price": "12.50", "stock": 100000}]}"#;
    let create = "POST /v1/sales";
    let (status, sale) = ask(
        &server.public,
        create,
        &[bearer, "Idempotency-Key: s"],
        body,
    );
    assert_eq!(status, 201, "{sale}");
    let id = sale["id"].as_str().unwrap().to_owned();
    let open = format!("POST /v1/sales/{id}/open");
    let opened = ask(&server.public, &open, &[bearer, "Idempotency-Key: o"], "");
    assert_eq!(opened.0, 200, "{}", opened.1);
    id
}

/// Places the order of this number: its answer.
fn place(address: &str, bearer: &str, sale: &str, number: u32) -> Json {
    let body = format!(
        r#"{{"sale_id": "{sale}", "buyer": "b{number}", "lines": [{{"sku": "CUP", "quantity": 1}}]}}"#
    );
    let key = format!("Idempotency-Key: cart-{number}");
    let (status, order) = ask(address, "POST /v1/orders", &[bearer, &key], &body);
    assert_eq!(status, 201, "{order}");
    order
}

/// A sale's report of a verification that has to be fine.
fn verified(dir: &Path, data: &str) -> Json {
    let report = done(dir, &["verify", "--data", data, "--json"]);
    assert_eq!(report["verdict"], "ok", "{report}");
    report["sales"][0].clone()
}

/// What a shop's clients remember of it.
struct Memory {
    bearer: String,
    /// Orders that were acknowledged before the backup began.
    orders: Vec<Json>,
    /// Where the sale stood behind the twentieth of them.
    receipt: Json,
}

/// Sells all the time, backs up in the middle, kills the server.
fn sell_back_up_and_kill(dir: &Path) -> Memory {
    let bearer = key(dir);
    let server = Server::start(dir, &["--data", "data"]);
    let sale = open_sale(&server, &bearer);
    let sell = |numbers: std::ops::Range<u32>| {
        let placed = numbers.map(|number| place(&server.public, &bearer, &sale, number));
        placed.collect::<Vec<Json>>()
    };
    let mut orders = sell(0..20);
    let show = format!("GET /v1/sales/{sale}");
    let receipt = ask(&server.public, &show, &[&bearer], "").1["position"].clone();
    orders.extend(sell(20..60));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let seller = scope.spawn(|| {
            let numbers = (60..).take_while(|_| !over.load(Ordering::Relaxed));
            let placed = numbers.map(|number| place(&server.public, &bearer, &sale, number));
            placed.collect::<Vec<_>>()
        });
        let backup = ["backup", "--data", "data", "--to", "backup", "--json"];
        let first = done(dir, &backup);
        assert_eq!(first["bytes_kept"], 0, "{first}");
        let second = done(dir, &backup);
        over.store(true, Ordering::Relaxed);
        let sold = seller.join().unwrap();
        assert!(!sold.is_empty(), "it sold while it was backed up");
        let batch = |report: &Json| sequence(&report["sales"][0]["position"]);
        assert!(batch(&second) >= batch(&first), "{second}");
    });
    server.signal("KILL");
    assert_eq!(server.wait(), None);
    Memory {
        bearer,
        orders,
        receipt,
    }
}

/// Number of the batch in a position.
fn sequence(position: &Json) -> u64 {
    let text = position.as_str().unwrap();
    text.split('-').next().unwrap().parse().unwrap()
}

#[test]
fn a_backup_taken_while_selling_has_every_order_acknowledged_before_and_goes_back_to_any_point() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let Memory {
        bearer,
        orders,
        receipt,
    } = sell_back_up_and_kill(dir);
    done(dir, &["restore", "--from", "backup", "--check", "--json"]);
    done(
        dir,
        &["restore", "--from", "backup", "--data", "all", "--json"],
    );
    let whole = verified(dir, "all");
    let server = Server::start(dir, &["--data", "all"]);
    for order in &orders {
        let show = format!("GET /v1/orders/{}", order["id"].as_str().unwrap());
        assert_eq!(
            ask(&server.public, &show, &[&bearer], ""),
            (200, order.clone())
        );
    }
    drop(server);
    to_a_position(dir, &receipt, &whole);
    to_a_time(dir, &orders[39]);
}

/// Takes the sale back to the receipt of its twentieth order.
fn to_a_position(dir: &Path, receipt: &Json, whole: &Json) {
    let words = [
        "restore",
        "--from",
        "backup",
        "--data",
        "rewound",
        "--sale",
        "sale_00001",
        "--to-position",
        receipt.as_str().unwrap(),
        "--json",
    ];
    let report = done(dir, &words);
    let sale = &report["sales"][0];
    assert_eq!((&sale["position"], &report["cut"]), (receipt, &true.into()));
    let back = verified(dir, "rewound");
    assert_eq!(
        (&back["position"], &back["orders"]["placed"]),
        (receipt, &20.into())
    );
    let left_out = sale["left_out"]["orders_placed"].as_u64().unwrap();
    assert_eq!(left_out + 20, whole["orders"]["placed"].as_u64().unwrap());
}

/// Takes everything back to the moment of the fortieth order.
fn to_a_time(dir: &Path, order: &Json) {
    let moment = order["placed_at"].as_str().unwrap();
    let words = [
        "restore",
        "--from",
        "backup",
        "--data",
        "earlier",
        "--to-time",
        moment,
    ];
    let ended = run(dir, &words);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        ended
            .out
            .contains("do not sell on in a sale that went back"),
        "{}",
        ended.out
    );
    let sale = verified(dir, "earlier");
    let placed = sale["orders"]["placed"].as_u64().unwrap();
    assert!((40..60).contains(&placed), "{sale}");
    drop(Server::start(dir, &["--data", "earlier"]));
}

#[test]
fn a_backup_of_version_1_is_restored_and_served_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    done(
        dir,
        &["restore", "--from", GOLDEN, "--data", "data", "--json"],
    );
    let report = done(dir, &["verify", "--data", "data", "--json"]);
    assert_eq!(report["verdict"], "ok", "{report}");
    let facts = [
        &report["house"]["keys"],
        &report["house"]["sales"],
        &report["sales"][0]["orders"]["placed"],
        &report["sales"][1]["orders"]["placed"],
    ];
    assert_eq!(
        facts,
        [&Json::from(2), &2.into(), &6.into(), &1.into()],
        "{report}"
    );
    drop(Server::start(dir, &["--data", "data"]));
}

#[test]
fn what_a_later_version_wrote_is_refused_by_its_code() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for words in [
        ["restore", "--from", GOLDEN, "--data", "data", "--json"],
        ["backup", "--data", "data", "--to", "backup", "--json"],
    ] {
        done(dir, &words);
    }
    std::fs::write(dir.join("data/format"), "tidegate data 2\n").unwrap();
    for words in [
        &["serve", "--data", "data", "--listen", "127.0.0.1:0"][..],
        &["verify", "--data", "data"],
        &["backup", "--data", "data", "--to", "other"],
        &["rebuild", "--data", "data"],
    ] {
        let ended = run(dir, words);
        assert_eq!(ended.code, 2, "{words:?}");
        let named = ended.err.contains("error[TG-4006]") && ended.err.contains("version 2");
        assert!(named, "{words:?}: {}", ended.err);
    }
}

/// Appends a record that only a later version can read to the house journal.
fn append_a_later_record(house: &Path) {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let recovery = recover::<Infallible>(&disk, house, None, &mut |_| Ok(())).unwrap();
    let doors = Doors {
        disk,
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(SystemEntropy),
    };
    let mut log = Log::open(recovery, doors, JournalSettings::default()).unwrap();
    let batch = NewBatch {
        time_ms: 4_000_000_000_000,
        entries: 1,
        // Length, version, and what only that version knows.
        payload: vec![2, 0, 0, 0, 2, 0],
    };
    log.append(log.position().sequence, &batch).unwrap();
}

#[test]
fn a_record_that_a_later_version_wrote_is_refused_and_not_called_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    key(dir);
    append_a_later_record(&dir.join("data/house"));
    for words in [
        &["serve", "--data", "data", "--listen", "127.0.0.1:0"][..],
        &["keys", "list", "--data", "data"],
    ] {
        let ended = run(dir, words);
        assert_eq!(ended.code, 2, "{}", ended.err);
        let named = ended.err.contains("error[TG-4006]") && ended.err.contains("version 2");
        assert!(named, "{}", ended.err);
    }
}

#[test]
fn a_restore_says_what_is_wrong_with_its_command() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::create_dir(dir.join("begun")).unwrap();
    std::fs::write(dir.join("begun/tidegate-backup"), "").unwrap();
    std::fs::create_dir(dir.join("used")).unwrap();
    std::fs::write(dir.join("used/thesis.txt"), "").unwrap();
    let sale = ["--sale", "sale_00001", "--to-position"];
    for (words, told) in [
        (&["--from", "none", "--data", "data"][..], "error[TG-4007]"),
        (&["--from", "begun", "--data", "data"], "error[TG-4008]"),
        (&["--from", GOLDEN, "--data", "used"], "thesis.txt"),
        (
            &[&["--from", GOLDEN, "--data", "data"], &sale[..], &["9999"]].concat(),
            "error[TG-4009]",
        ),
        (
            &[
                "--from",
                GOLDEN,
                "--data",
                "data",
                "--to-time",
                "1999-01-01T00:00:00Z",
            ],
            "error[TG-4009]",
        ),
        (
            &["--from", GOLDEN, "--data", "data", "--sale", "sale_00001"],
            "--to-position",
        ),
        (&["--from", GOLDEN], "--data"),
    ] {
        let ended = run(dir, &[&["restore"], words].concat());
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{words:?}");
        assert!(ended.err.contains(told), "{words:?}: {}", ended.err);
        assert!(!dir.join("data").exists(), "{words:?}");
    }
    let ended = run(dir, &["backup", "--data", "none", "--to", "backup"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("error[TG-4007]"), "{}", ended.err);
}
