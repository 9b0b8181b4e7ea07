//! Desk and journal: orders a second with every batch synced, and the latency of callers against the disk's own sync.
//!
//! `cargo bench -p tidegate-shop --bench desk -- --json [--orders N] [--callers N]`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use commerce::{Action, Actor, Ask, Command, Effect, Limits, Place as Placing, Plan, SkuPlan, Turn, Window};
use ledger::{Currency, UnitPrice, Units};
use storage::journal::JournalSettings;
use telemetry::Telemetry;
use tidegate_shop::desk::{Desk, DeskHandle, Durability, Effects, Equipment, Settings};
use tidegate_shop::open::{Place, doors};
use world::disk::Access;
use world::{Clock, Disk, OsDisk, SystemClock, SystemEntropy};

struct Nobody;
impl Effects for Nobody {
    fn offer(&self, _sale: u32, effects: &mut Vec<Effect>) {
        effects.clear();
    }
}
impl Durability for Nobody {
    fn publish(&self, _sequence: u64, _time_ms: u64) {}
}

fn main() {
    let orders = argument("--orders").unwrap_or(2_000_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let dir = std::env::current_dir().unwrap().join("target").join("bench-desk");
    let mut runs: Vec<f64> = (0..3).map(|_| runtime.block_on(throughput(&dir, orders))).collect();
    runs.sort_by(f64::total_cmp);
    let sync = fdatasync_us(&dir);
    let table: Vec<_> = [1, 10, 100, 1000].into_iter().map(|callers| runtime.block_on(latency(&dir, callers))).collect();
    let report = serde_json::json!({
        "bench": "desk", "orders": orders, "orders_per_second": runs[1].round(), "runs": runs,
        "fdatasync_median_us": sync, "latency": table,
    });
    println!("{report}");
    let _ = std::fs::remove_dir_all(&dir);
}

fn argument(name: &str) -> Option<u64> {
    let all: Vec<String> = std::env::args().collect();
    all.iter().position(|word| word == name).and_then(|at| all.get(at + 1)).and_then(|word| word.parse().ok())
}

async fn open(dir: &Path, stock: u32) -> (DeskHandle, tokio::task::JoinHandle<()>) {
    let _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir_all(dir).unwrap();
    let (disk, clock, entropy): (Arc<dyn Disk>, Arc<dyn Clock>, Arc<dyn world::Entropy>) =
        (Arc::new(OsDisk), Arc::new(SystemClock::new()), Arc::new(SystemEntropy));
    let place = Place { dir: PathBuf::from(dir), doors: doors(&disk, &clock, &entropy) };
    let (opened, _) = place.open(JournalSettings::default()).unwrap();
    let equipment = Equipment {
        clock,
        entropy,
        seen: None,
        effects: Arc::new(Nobody),
        durability: Arc::new(Nobody),
        telemetry: Telemetry::new(),
    };
    let (desk, handle) = Desk::new(1, opened, Settings::default(), equipment);
    let running = tokio::spawn(desk.run());
    let plan = Plan {
        title: "bench".into(),
        currency: Currency::new("EUR").unwrap(),
        hold_ms: 900_000,
        window: Window::default(),
        limits: Limits { per_order: Some(Units(10)), per_buyer: Some(Units(10)) },
        rules: Vec::new(),
        skus: vec![SkuPlan {
            sku: "cup".into(),
            title: "Cup".into(),
            price: UnitPrice(125_000),
            limits: Limits::default(),
            stock: Units(stock),
        }],
    };
    let merchant = |key: &str, action| Command { actor: Actor::Merchant("shop".into()), key: Some(key.into()), action };
    let create = Action::Create { secret: [7; 16], plan: Box::new(plan) };
    handle.submit(vec![merchant("create", create), merchant("open", Action::Turn(Turn::Open))], |_, _| ()).await.unwrap();
    (handle, running)
}

fn order(n: u64) -> Command {
    let buyer: Arc<str> = format!("buyer-{n}").into();
    let lines = vec![Ask { sku: "cup".into(), units: 1, price: None }];
    let place = Placing { buyer: Some(buyer.clone()), tags: Arc::from([]), lines, paid: None };
    Command { actor: Actor::Buyer(buyer), key: Some("k".into()), action: Action::Place(place) }
}

async fn throughput(dir: &Path, orders: u64) -> f64 {
    let (desk, running) = open(dir, u32::MAX).await;
    let next = Arc::new(AtomicU64::new(0));
    let clock = SystemClock::new();
    let callers: Vec<_> = (0..16)
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
    let rate = orders as f64 / clock.monotonic().as_secs_f64();
    desk.close();
    running.await.unwrap();
    rate
}

async fn latency(dir: &Path, callers: u64) -> serde_json::Value {
    let (desk, running) = open(dir, u32::MAX).await;
    let each = (20_000 / callers).clamp(50, 2_000);
    let clock = Arc::new(SystemClock::new());
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (desk, clock) = (desk.clone(), clock.clone());
            tokio::spawn(async move {
                let mut took = Vec::new();
                for n in 0..each {
                    let begun = clock.monotonic();
                    desk.submit(vec![order(caller * each + n)], |_, done| done).await.unwrap();
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
    desk.close();
    running.await.unwrap();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].round();
    serde_json::json!({"callers": callers, "p50_us": at(0.5), "p99_us": at(0.99), "orders_per_second": (took.len() as f64 / seconds).round()})
}

/// Median of overwriting 4 KiB of a prefilled file and syncing it.
fn fdatasync_us(dir: &Path) -> f64 {
    std::fs::create_dir_all(dir).unwrap();
    let file = OsDisk.open(&dir.join("probe"), Access::OpenOrCreate).unwrap();
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
