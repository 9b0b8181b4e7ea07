//! The proof from outside: a drill with a kill, a replay done twice, a verification that finds one changed byte.

use crate::process::run;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

/// Seven rows: two orders, a return, a write-off, and what cannot be booked.
const HISTORY: &str = "\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HEART HOLDER,6,2010-12-01 08:26:00,2.55,17850,United Kingdom
536365,71053,WHITE LANTERN,8,2010-12-01 08:26:00,3.39,17850,United Kingdom
536366,71053,WHITE LANTERN,2,2010-12-01 08:28:00,3.39,13047,United Kingdom
C536379,85123A,WHITE HEART HOLDER,-1,2010-12-01 09:41:00,2.55,17850,United Kingdom
536589,71053,,-1,2010-12-01 16:50:00,0.0,,United Kingdom
A563185,B,Adjust bad debt,1,2011-08-12 14:50:00,11062.06,,United Kingdom
";

const REPLAY_KEYS: [&str; 13] = [
    "rows",
    "orders",
    "refused_sold_out",
    "units_sold",
    "units_returned",
    "units_written_off",
    "gross_minor",
    "refunded_minor",
    "unmatched_returns",
    "rejected_rows",
    "elapsed_s",
    "orders_per_second",
    "verdict",
];

const DRILL_KEYS: [&str; 26] = [
    "buyers",
    "stock",
    "requests",
    "accepted",
    "sold",
    "refused_sold_out",
    "refused_limit",
    "repeated_answers",
    "expired",
    "refunded",
    "oversold",
    "lost",
    "doubled",
    "requests_per_second",
    "p50_ms",
    "p99_ms",
    "kills",
    "recovery_ms_max",
    "storm",
    "teams_complete",
    "teams_refunded",
    "money_in_minor",
    "money_out_minor",
    "money_open_minor",
    "unsettled",
    "verdict",
];

fn report(text: &str, keys: &[&str]) -> Json {
    let report: Json = serde_json::from_str(text).unwrap();
    let mut found: Vec<&str> = report
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut expected = keys.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    report
}

fn replay(dir: &Path) -> Json {
    std::fs::write(dir.join("orders.csv"), HISTORY).unwrap();
    let ended = run(
        dir,
        &[
            "replay",
            "orders.csv",
            "--stock-share",
            "1.5",
            "--data",
            "data",
            "--json",
        ],
    );
    assert_eq!(ended.code, 0, "{}{}", ended.err, ended.out);
    report(&ended.out, &REPLAY_KEYS)
}

#[test]
fn a_replay_books_every_row_and_a_second_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let first = replay(dir.path());
    for (name, value) in [
        ("rows", 6),
        ("orders", 2),
        ("units_sold", 16),
        ("units_returned", 1),
        ("units_written_off", 1),
        ("gross_minor", 4_920),
        ("refunded_minor", 255),
        ("rejected_rows", 1),
    ] {
        assert_eq!(first[name], value, "{name} of {first}");
    }
    let verified = run(dir.path(), &["verify", "--data", "data", "--json"]);
    let before: Json = serde_json::from_str(&verified.out).unwrap();
    let second = replay(dir.path());
    for name in REPLAY_KEYS
        .iter()
        .filter(|name| !name.ends_with("_s") && !name.contains("second"))
    {
        assert_eq!(first[*name], second[*name], "{name}");
    }
    let verified = run(dir.path(), &["verify", "--data", "data", "--json"]);
    let after: Json = serde_json::from_str(&verified.out).unwrap();
    assert_eq!(
        (&before["verdict"], &after["verdict"]),
        (&"ok".into(), &"ok".into())
    );
    assert_eq!(before["sales"], after["sales"]);
}

#[test]
fn a_replay_says_what_is_wrong_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.csv"), "InvoiceNo,Quantity\n1,2\n").unwrap();
    for (file, code) in [("none.csv", "TG-4007"), ("a.csv", "TG-4004")] {
        let ended = run(dir.path(), &["replay", file]);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""));
        assert!(ended.err.contains(code), "{}", ended.err);
    }
}

#[test]
fn a_drill_with_a_kill_in_it_ends_ok_and_leaves_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let words = [
        "drill",
        "--buyers",
        "300",
        "--stock",
        "40",
        "--connections",
        "16",
        "--kill",
        "1",
    ];
    let mut all = words.to_vec();
    all.extend(["--json", "--report", "drill.html"]);
    let ended = run(dir.path(), &all);
    assert_eq!(ended.code, 0, "{}{}", ended.err, ended.out);
    let figures = report(&ended.out, &DRILL_KEYS);
    assert_eq!(
        (&figures["verdict"], &figures["kills"]),
        (&"ok".into(), &1.into())
    );
    let page = std::fs::read_to_string(dir.path().join("drill.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<svg"));
}

#[test]
fn a_drill_out_of_its_limits_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &["drill", "--buyers", "0"]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(
        ended.err.contains("buyers must be from 1 to 1000000"),
        "{}",
        ended.err
    );
}

#[test]
fn a_changed_byte_is_found_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    replay(dir.path());
    let journal = segment(&dir.path().join("data/sales/00000001"));
    let mut bytes = std::fs::read(&journal).unwrap();
    let place = bytes.windows(5).position(|five| five == b"85123").unwrap();
    bytes[place] ^= 1;
    std::fs::write(&journal, bytes).unwrap();
    let ended = run(dir.path(), &["verify", "--data", "data", "--json"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    let found: Json = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(found["verdict"], "finding");
    assert_eq!(found["findings"][0]["kind"], "damage", "{found}");
    let offset = found["findings"][0]["offset"].as_u64().unwrap();
    assert!(
        offset <= place as u64,
        "{offset} is behind the changed byte {place}"
    );
    let free = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let words = [&["serve", "--data", "data"][..], &free].concat();
    let started = run(dir.path(), &words);
    assert_eq!(started.code, 1);
    assert!(started.err.contains("error[TG-4002]"), "{}", started.err);
}

/// The first segment of a journal.
fn segment(dir: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "journal"));
    files.sort();
    files.remove(0)
}

#[test]
fn verify_needs_a_data_directory_and_readable_receipts() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &["verify", "--data", "none"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("error[TG-4007]"), "{}", ended.err);
    let ended = run(dir.path(), &["verify", "--receipt", "sale_00001"]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains("a receipt is a sale and a position"),
        "{}",
        ended.err
    );
}

#[test]
fn a_forged_receipt_is_a_finding() {
    let dir = tempfile::tempdir().unwrap();
    replay(dir.path());
    let forged = "sale_00001 2-00000000000000000000000000000000";
    let ended = run(
        dir.path(),
        &["verify", "--data", "data", "--receipt", forged],
    );
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(
        ended.out.contains("INV-7") && ended.out.contains("finding"),
        "{}",
        ended.out
    );
}
