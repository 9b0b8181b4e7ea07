//! Desk and journal: orders a second with every batch synced, and the latency of callers against the disk's own sync.
//!
//! `cargo bench -p tidegate-shop --bench desk -- --json [--orders N] [--callers N]`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    missing_docs
)]

mod stand;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stand::{fresh, order};
use tidegate_shop::projector::ProjectorHandle;
use world::disk::Access;
use world::{Clock, Disk, OsDisk, SystemClock};

/// Callers that each wait for an answer to 1,000 orders before they send the next.
const CALLERS: u64 = 16;
/// Runs; the middle one is told.
const RUNS: usize = 3;

fn main() {
    let orders = argument("--orders").unwrap_or(2_000_000);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let dir = std::env::current_dir()
        .unwrap()
        .join("target")
        .join("bench-desk");
    let mut runs: Vec<Run> = (0..RUNS)
        .map(|_| runtime.block_on(throughput(&dir, orders)))
        .collect();
    runs.sort_by(|a, b| a.orders_per_second.total_cmp(&b.orders_per_second));
    let middle = &runs[RUNS / 2];
    let all: Vec<f64> = runs
        .iter()
        .map(|run| run.orders_per_second.round())
        .collect();
    let sync = fdatasync_us(&dir);
    let table: Vec<_> = [1, 10, 100, 1000]
        .into_iter()
        .map(|callers| runtime.block_on(latency(&dir, callers)))
        .collect();
    let report = serde_json::json!({
        "bench": "desk",
        "orders": orders,
        "orders_per_second": middle.orders_per_second.round(),
        "runs": all,
        "rss_mb_after": middle.rss_mb,
        "projected_per_second_meanwhile": middle.projected_meanwhile.round(),
        "projector_catch_up_s": middle.catch_up_s,
        "fdatasync_median_us": sync,
        "latency": table,
    });
    println!("{report}");
    let _ = std::fs::remove_dir_all(&dir);
}

fn argument(name: &str) -> Option<u64> {
    let all: Vec<String> = std::env::args().collect();
    all.iter()
        .position(|word| word == name)
        .and_then(|at| all.get(at + 1))
        .and_then(|word| word.parse().ok())
}

/// One run: orders a second, and how the projector kept up.
struct Run {
    orders_per_second: f64,
    projected_meanwhile: f64,
    catch_up_s: f64,
    rss_mb: f64,
}

async fn throughput(dir: &Path, orders: u64) -> Run {
    let (shop, desk) = fresh(dir).await;
    let next = Arc::new(AtomicU64::new(0));
    let clock = SystemClock::new();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (desk, next) = (desk.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let from = next.fetch_add(1_000, Ordering::Relaxed);
                    if from >= orders {
                        break;
                    }
                    let commands = (from..from + 1_000).map(order).collect();
                    let done = desk.submit(commands, |_, done| done).await.unwrap();
                    assert!(done.value.iter().all(|done| done.decision.is_ok()));
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let took = clock.monotonic().as_secs_f64();
    let projector = shop.handle().projector().clone();
    let seen = projected(&projector);
    let rss_mb = rss_mb();
    while projector.lag().behind_batches > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let caught_up = clock.monotonic().as_secs_f64();
    shop.stop().await;
    Run {
        orders_per_second: orders as f64 / took,
        projected_meanwhile: seen as f64 / took,
        catch_up_s: caught_up - took,
        rss_mb,
    }
}

/// Orders in the read models.
fn projected(projector: &ProjectorHandle) -> u64 {
    projector
        .models()
        .view()
        .unwrap()
        .sale(1)
        .unwrap()
        .map_or(0, |sale| sale.orders_placed)
}

fn rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let kb = line.and_then(|line| line.split_ascii_whitespace().nth(1)?.parse::<f64>().ok());
    (kb.unwrap_or(0.0) / 1024.0).round()
}

async fn latency(dir: &Path, callers: u64) -> serde_json::Value {
    let (shop, desk) = fresh(dir).await;
    let each = (20_000 / callers).clamp(50, 2_000);
    let clock = Arc::new(SystemClock::new());
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (desk, clock) = (desk.clone(), clock.clone());
            tokio::spawn(async move {
                let mut took = Vec::new();
                for n in 0..each {
                    let begun = clock.monotonic();
                    desk.submit(vec![order(caller * each + n)], |_, done| done)
                        .await
                        .unwrap();
                    took.push((clock.monotonic() - begun).as_secs_f64() * 1e6);
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.unwrap());
    }
    let seconds = clock.monotonic().as_secs_f64();
    took.sort_by(f64::total_cmp);
    shop.stop().await;
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].round();
    serde_json::json!({"callers": callers, "p50_us": at(50), "p99_us": at(99), "orders_per_second": (took.len() as f64 / seconds).round()})
}

/// Median of overwriting 4 KiB of a prefilled file and syncing it.
fn fdatasync_us(dir: &Path) -> f64 {
    std::fs::create_dir_all(dir).unwrap();
    let file = OsDisk
        .open(&dir.join("probe"), Access::OpenOrCreate)
        .unwrap();
    file.write_at(0, &vec![0; 4 << 20]).unwrap();
    file.sync_all().unwrap();
    let clock = SystemClock::new();
    let mut took: Vec<f64> = (0..1_000)
        .map(|n| {
            let begun = clock.monotonic();
            file.write_at(n * 4096, &[1; 4096]).unwrap();
            file.sync_data().unwrap();
            (clock.monotonic() - begun).as_secs_f64() * 1e6
        })
        .collect();
    took.sort_by(f64::total_cmp);
    took[500].round()
}
