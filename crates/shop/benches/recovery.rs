//! How long a start takes with a million journalled orders: from the journal alone, and from a snapshot.
//!
//! `cargo bench -p tidegate-shop --bench recovery -- --json`
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod stand;

use std::path::Path;

use stand::{fresh, open, order};
use world::{Clock, SystemClock};

const ORDERS: u64 = 1_000_000;
const RUNS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let dir = std::env::current_dir()
        .unwrap()
        .join("target")
        .join("bench-recovery");
    runtime.block_on(fill(&dir));
    let snapshot = runtime.block_on(starts(&dir, false));
    let journal = runtime.block_on(starts(&dir, true));
    let _ = std::fs::remove_dir_all(&dir);
    let empty: Vec<f64> = (0..RUNS)
        .map(|_| {
            let _ = std::fs::remove_dir_all(&dir);
            runtime.block_on(start(&dir, 0))
        })
        .collect();
    let _ = std::fs::remove_dir_all(&dir);
    let report = serde_json::json!({
        "bench": "recovery",
        "orders": ORDERS,
        "journal_s": middle(journal),
        "snapshot_s": middle(snapshot),
        "empty_s": middle(empty),
    });
    println!("{report}");
}

fn middle(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs[RUNS / 2]
}

async fn fill(dir: &Path) {
    let (shop, desk) = fresh(dir).await;
    for from in (0..ORDERS).step_by(1_000) {
        let commands = (from..from + 1_000).map(order).collect();
        desk.submit(commands, |_, _| ()).await.unwrap();
    }
    drop(desk);
    shop.stop().await;
}

async fn starts(dir: &Path, journal_alone: bool) -> Vec<f64> {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        if journal_alone {
            forget_snapshots(dir);
        }
        runs.push(start(dir, ORDERS).await);
    }
    runs
}

/// Opens the shop, makes sure that it has what it should, and gives the seconds that opening took.
async fn start(dir: &Path, orders: u64) -> f64 {
    let clock = SystemClock::new();
    let shop = open(dir).await;
    let took = clock.monotonic().as_secs_f64();
    if orders > 0 {
        let desk = shop.handle().registry().desk(1).await.unwrap();
        let placed = desk.ask(|book| book.tally().placed).await.unwrap().value;
        assert_eq!(u64::from(placed), orders);
    }
    shop.stop().await;
    took
}

fn forget_snapshots(dir: &Path) {
    for file in std::fs::read_dir(dir.join("sales").join("00000001")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "snap") {
            std::fs::remove_file(path).unwrap();
        }
    }
}
