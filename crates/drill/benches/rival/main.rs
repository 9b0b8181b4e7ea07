//! Tidegate against the textbook: axum, a Redis script and PostgreSQL, on the same cores with the same client.
//!
//! Every order is a new buyer's with a new key, and every order is accepted: what is counted is orders that stand in the
//! record. Runs of the sides alternate, each on fresh directories, and the median of each side is told.
#![expect(
    clippy::print_stdout,
    reason = "the figures go to standard output, where the dispatcher reads them"
)]

#[path = "../stand/process.rs"]
mod process;
#[path = "../stand/tidegate.rs"]
mod tidegate;

mod engines;
mod load;
mod service;

use engines::{Engines, Safety};
use load::{Course, Load};
use process::{Process, free_address, processor_time, resident_bytes};
use serde::Serialize;
use std::io::{Error, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidegate::Tidegate;
use tokio::process::Command;

const RUNS: usize = 3;
const CONNECTIONS: [u32; 2] = [64, 256];
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(6);
/// Asks this program to be the rival's process.
const SERVE: &str = "--serve-rival";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    match &arguments[..] {
        [flag, address, sockets, ..] if flag == SERVE => {
            let address = address.parse().map_err(Error::other)?;
            runtime.block_on(service::serve(address, Path::new(sockets), tidegate::STOCK))
        }
        // Whoever only wants to know that it builds gives no flag.
        [] => Ok(()),
        _ => runtime.block_on(measure()),
    }
}

/// One side of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    RivalDurable,
    RivalRelaxed,
    Tidegate,
    TidegateNoop,
}

const SIDES: [Side; 4] = [
    Side::RivalDurable,
    Side::Tidegate,
    Side::RivalRelaxed,
    Side::TidegateNoop,
];

/// One run of one side.
#[derive(Debug, Clone, Serialize)]
struct Run {
    side: Side,
    connections: u32,
    #[serde(flatten)]
    load: Load,
    /// Processor time for each accepted order, by process, microseconds.
    cpu_us: Vec<(&'static str, f64)>,
    /// Memory of all processes of the side in the end, bytes.
    resident_bytes: u64,
}

#[derive(Serialize)]
struct Comparison {
    connections: u32,
    tidegate_per_second: f64,
    rival_durable_per_second: f64,
    rival_relaxed_per_second: f64,
    noop_per_second: f64,
    times_rival_durable: f64,
    times_rival_relaxed: f64,
    share_of_noop: f64,
    tidegate_p99_ms: f64,
    rival_durable_p99_ms: f64,
    rival_relaxed_p99_ms: f64,
}

async fn measure() -> Result<()> {
    let mut runs = Vec::new();
    for connections in CONNECTIONS {
        for nth in 1..=RUNS {
            for side in SIDES {
                let run = run(side, connections).await?;
                eprintln!(
                    "{connections} connections, run {nth}, {side:?}: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms, {} not accepted, cpu {:?}",
                    run.load.per_second,
                    run.load.p50_ms,
                    run.load.p99_ms,
                    run.load.other,
                    run.cpu_us
                );
                runs.push(run);
            }
        }
    }
    let comparisons = CONNECTIONS.map(|connections| compare(connections, &runs));
    for found in &comparisons {
        eprintln!(
            "{} connections: {:.1} times the durable rival (bar: 10), {:.1} times the relaxed one (bar: 4), {:.0} % of the no-op route (bar: 80)",
            found.connections,
            found.times_rival_durable,
            found.times_rival_relaxed,
            found.share_of_noop * 100.0
        );
    }
    let figures = serde_json::json!({
        "warm_up_s": WARM_UP.as_secs(),
        "measured_s": MEASURED.as_secs(),
        "runs_each": RUNS,
        "comparisons": comparisons,
        "runs": runs,
    });
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

async fn run(side: Side, connections: u32) -> Result<Run> {
    match side {
        Side::RivalDurable => run_rival(side, Safety::Durable, connections).await,
        Side::RivalRelaxed => run_rival(side, Safety::Relaxed, connections).await,
        Side::Tidegate | Side::TidegateNoop => run_tidegate(side, connections).await,
    }
}

async fn run_rival(side: Side, safety: Safety, connections: u32) -> Result<Run> {
    let engines = Engines::start(safety).await?;
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([SERVE, &address.to_string()])
        .arg(&engines.sockets);
    let log = engines.sockets.join("rival.log");
    let mut service = Process::start(&mut command, &log, rustix::process::Signal::TERM)?;
    tidegate::wait_for(address, &mut service).await?;
    let before = format!(r#"{{"sku":"{}","quantity":1,"buyer":""#, tidegate::SKU);
    let course = Course {
        address,
        method: "POST",
        path: "/orders",
        bearer: None,
        body: Some((before.into(), r#""}"#.into())),
        expects: 201,
        connections,
        warm_up: WARM_UP,
        measured: MEASURED,
    };
    let watched = [
        ("service", service.id()),
        ("redis", engines.redis.id()),
        ("postgres", engines.postgres.id()),
        ("client", std::process::id()),
    ];
    let run = watch(side, &course, &watched).await?;
    service.stop().await?;
    engines.stop().await?;
    Ok(run)
}

async fn run_tidegate(side: Side, connections: u32) -> Result<Run> {
    let server = Tidegate::start().await?;
    let noop = side == Side::TidegateNoop;
    let before = format!(
        r#"{{"sale_id":"{}","lines":[{{"sku":"{}","quantity":1}}],"buyer":""#,
        server.sale.id,
        tidegate::SKU
    );
    let course = Course {
        address: server.address,
        method: if noop { "GET" } else { "POST" },
        path: if noop { "/v1/noop" } else { "/v1/orders" },
        bearer: Some(server.key.as_str().into()),
        body: (!noop).then(|| (Arc::from(before), Arc::from(r#""}"#))),
        expects: if noop { 200 } else { 201 },
        connections,
        warm_up: WARM_UP,
        measured: MEASURED,
    };
    let watched = [
        ("tidegate", server.process.id()),
        ("client", std::process::id()),
    ];
    let run = watch(side, &course, &watched).await?;
    server.process.stop().await?;
    Ok(run)
}

/// Runs the load and watches what it costs. The processor time of the warm-up is spread over the measured orders by its
/// share of the whole time.
async fn watch(side: Side, course: &Course, watched: &[(&'static str, u32)]) -> Result<Run> {
    let own = std::process::id();
    // The rival's service is a child of this very process; it is counted by itself and not with the client.
    let others: Vec<u32> = watched
        .iter()
        .map(|(_, pid)| *pid)
        .filter(|pid| *pid != own)
        .collect();
    let times = || -> Vec<Duration> {
        let of_others: Duration = others.iter().map(|pid| processor_time(*pid)).sum();
        let time = |pid: u32| match pid == own {
            true => processor_time(pid).saturating_sub(of_others),
            false => processor_time(pid),
        };
        watched.iter().map(|(_, pid)| time(*pid)).collect()
    };
    let before = times();
    let load = load::run(course).await?;
    let after = times();
    let share = MEASURED.as_secs_f64() / (WARM_UP + MEASURED).as_secs_f64();
    let names = watched.iter().zip(before.iter().zip(&after));
    Ok(Run {
        side,
        connections: course.connections,
        cpu_us: names
            .map(|((name, _), (before, after))| {
                let used = after.saturating_sub(*before).as_secs_f64() * share;
                (
                    *name,
                    (used * 1e7 / to_f64(load.accepted.max(1))).round() / 10.0,
                )
            })
            .collect(),
        resident_bytes: others.iter().map(|pid| resident_bytes(*pid)).sum(),
        load,
    })
}

fn compare(connections: u32, runs: &[Run]) -> Comparison {
    let of = |side, figure: fn(&Load) -> f64| {
        let same = runs
            .iter()
            .filter(|run| run.side == side && run.connections == connections);
        median(same.map(|run| figure(&run.load)).collect())
    };
    let rate = |side| of(side, |load| load.per_second);
    let slow = |side| of(side, |load| load.p99_ms);
    let (own, noop) = (rate(Side::Tidegate), rate(Side::TidegateNoop));
    let (durable, relaxed) = (rate(Side::RivalDurable), rate(Side::RivalRelaxed));
    Comparison {
        connections,
        tidegate_per_second: own,
        rival_durable_per_second: durable,
        rival_relaxed_per_second: relaxed,
        noop_per_second: noop,
        times_rival_durable: own / durable,
        times_rival_relaxed: own / relaxed,
        share_of_noop: own / noop,
        tidegate_p99_ms: slow(Side::Tidegate),
        rival_durable_p99_ms: slow(Side::RivalDurable),
        rival_relaxed_p99_ms: slow(Side::RivalRelaxed),
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

fn per_second(count: u64, time: Duration) -> f64 {
    (to_f64(count) / time.as_secs_f64()).round()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a bench are far below 2^52"
)]
fn to_f64(count: u64) -> f64 {
    count as f64
}
