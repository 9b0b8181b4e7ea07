//! The simulation's own speed: simulated orders a wall second of one core, at the desk and through HTTP.
//!
//! `cargo bench -p tidegate-sim --bench sim -- --json [--orders N] [--guests N]`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    missing_docs
)]

use std::time::Duration;

use tidegate_sim::chance::Chance;
use tidegate_sim::desk::{self, DeskSize};
use tidegate_sim::disk::FaultPlan;
use tidegate_sim::life::live_for;
use tidegate_sim::network::Way;
use tidegate_sim::plan::{Guest, Habit, LifePlan, SalePlan};
use tidegate_sim::record::{Evidence, Outcome};
use world::{Clock, SystemClock};

/// Runs; the middle one is told.
const RUNS: u64 = 3;
/// The scheduler's steps for one guest, at most.
const STEPS_MAX: u64 = 1_000_000_000;

fn main() {
    let orders = argument("--orders").unwrap_or(400_000);
    let guests = argument("--guests").unwrap_or(3_000);
    let mut desks: Vec<Run> = (1..=RUNS).map(|seed| at_the_desk(seed, orders)).collect();
    let mut doors: Vec<Run> = (1..=RUNS).map(|seed| through_http(seed, guests)).collect();
    let report = serde_json::json!({
        "bench": "sim",
        "desk": told(&mut desks),
        "http": told(&mut doors),
    });
    println!("{report}");
}

fn argument(name: &str) -> Option<u32> {
    let all: Vec<String> = std::env::args().collect();
    all.iter()
        .position(|word| word == name)
        .and_then(|at| all.get(at + 1))
        .and_then(|word| word.parse().ok())
}

/// One life, measured.
struct Run {
    accepted: u64,
    refused: u64,
    /// Requests of any kind that were answered.
    answers: u64,
    steps: u64,
    virtual_s: f64,
    wall_s: f64,
}

impl Run {
    /// Orders decided a wall second: accepted and refused, repeats left out.
    fn pace(&self) -> f64 {
        (self.accepted + self.refused) as f64 / self.wall_s
    }
}

fn told(runs: &mut [Run]) -> serde_json::Value {
    runs.sort_by(|a, b| a.pace().total_cmp(&b.pace()));
    let all: Vec<f64> = runs.iter().map(|run| run.pace().round()).collect();
    let middle = &runs[runs.len() / 2];
    serde_json::json!({
        "orders_per_second": middle.pace().round(),
        "runs": all,
        "accepted": middle.accepted,
        "refused": middle.refused,
        "answers": middle.answers,
        "steps": middle.steps,
        "virtual_s": middle.virtual_s.round(),
        "wall_s": (middle.wall_s * 100.0).round() / 100.0,
    })
}

fn at_the_desk(seed: u64, orders: u32) -> Run {
    let clock = SystemClock::new();
    let lived = desk::live(seed, DeskSize::long(orders));
    let wall_s = clock.monotonic().as_secs_f64();
    assert!(lived.findings.is_empty(), "{:?}", lived.findings);
    eprintln!(
        "desk: {} orders in {wall_s:.2} s, {} steps",
        lived.orders, lived.steps
    );
    Run {
        accepted: lived.orders,
        refused: lived.orders_refused,
        answers: lived.accepted + lived.repeated + lived.orders_refused,
        steps: lived.steps,
        virtual_s: lived.lasted.as_secs_f64(),
        wall_s,
    }
}

fn through_http(seed: u64, guests: u32) -> Run {
    let clock = SystemClock::new();
    let lived = live_for(&crowded(seed, guests), STEPS_MAX).unwrap();
    let wall_s = clock.monotonic().as_secs_f64();
    assert!(lived.findings.is_empty(), "{:?}", lived.findings);
    let (accepted, refused, answers) = orders(&lived.evidence);
    eprintln!(
        "http: {accepted} orders in {wall_s:.2} s, {} steps",
        lived.steps
    );
    Run {
        accepted,
        refused,
        answers,
        steps: lived.steps,
        virtual_s: lived.lasted.as_secs_f64(),
        wall_s,
    }
}

/// A big sale on a calm day: everybody orders and pays, one in four with a double click.
fn crowded(seed: u64, guests: u32) -> LifePlan {
    let mut chance = Chance::of(seed, "bench");
    let mut guests: Vec<Guest> = (0..guests)
        .map(|nth| Guest {
            // Numbers of double clickers leave room for their twins.
            number: 100 + nth,
            at: Duration::from_millis(chance.below(60_000)),
            sale: 0,
            habit: match chance.hits(250) {
                true => Habit::DoubleClick,
                false => Habit::Plain,
            },
        })
        .collect();
    guests.sort_by_key(|guest| guest.at);
    LifePlan {
        seed,
        shop: shop::Settings::default(),
        bank: shop::provider::sandbox::Settings::default(),
        bank_clock_ms: 0,
        way: Way::default(),
        disk: FaultPlan::default(),
        sales: vec![SalePlan {
            stock: vec![1_000_000; 3],
            prices: vec!["12.50", "9.99", "3.3333"],
            hold_ms: 900_000,
            first_sku_per_buyer: None,
            offer: None,
            closes: None,
            units_per_buyer: None,
        }],
        guests,
        incidents: Vec::new(),
    }
}

/// Orders placed and refused, and all answers: from what clients saw.
fn orders(evidence: &Evidence) -> (u64, u64, u64) {
    let (mut accepted, mut refused, mut answers) = (0, 0, 0);
    for call in &evidence.calls {
        let Outcome::Said(said) = &call.outcome else {
            continue;
        };
        answers += 1;
        if call.method == "POST" && call.path == "/v1/orders" && !said.repeated {
            accepted += u64::from(said.is_yes());
            refused += u64::from(!said.is_yes());
        }
    }
    (accepted, refused, answers)
}
