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
use process::{Process, free_address, own_processor_time, processor_time, resident_bytes};
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
/// Connections from the rival to PostgreSQL that are tried before it counts; the best is taken, for each safety and each
/// number of clients.
const POOLS: [usize; 4] = [8, 16, 32, 64];
/// A trial is shorter than a run.
const TRIAL: Duration = Duration::from_secs(3);
/// Asks this program to be the rival's process.
const SERVE: &str = "--serve-rival";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    match &arguments[..] {
        [flag, address, sockets, pool] if flag == SERVE => {
            let address = address.parse().map_err(Error::other)?;
            let pool = pool.parse().map_err(Error::other)?;
            runtime.block_on(service::serve(address, Path::new(sockets), pool))
        }
        // Measuring starts this program again: with a wrong word it must end and never measure in its turn.
        [flag, ..] if flag == SERVE => Err(Error::other("the rival takes address, sockets, pool")),
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
    /// Memory of the side in the end, bytes; of PostgreSQL only its first process.
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
        let tuned = Tuned {
            durable: best_pool(Safety::Durable, connections).await?,
            relaxed: best_pool(Safety::Relaxed, connections).await?,
        };
        eprintln!("{connections} connections: the rival's best pools are {tuned:?}");
        for nth in 1..=RUNS {
            for side in SIDES {
                let run = run(side, connections, tuned).await?;
                eprintln!("{connections} connections, run {nth}, {}", told(&run));
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

fn told(run: &Run) -> String {
    let load = &run.load;
    format!(
        "{:?}: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms, {} not accepted, {:.0} MB, cpu {:?}",
        run.side,
        load.per_second,
        load.p50_ms,
        load.p99_ms,
        load.other,
        to_f64(run.resident_bytes) / 1e6,
        run.cpu_us
    )
}

/// The pools with which the rival is fastest.
#[derive(Debug, Clone, Copy)]
struct Tuned {
    durable: usize,
    relaxed: usize,
}

async fn best_pool(safety: Safety, connections: u32) -> Result<usize> {
    let mut best = (0.0, POOLS[0]);
    for pool in POOLS {
        let run = run_rival(safety, pool, connections, TRIAL).await?;
        if run.load.per_second > best.0 {
            best = (run.load.per_second, pool);
        }
    }
    Ok(best.1)
}

async fn run(side: Side, connections: u32, tuned: Tuned) -> Result<Run> {
    match side {
        Side::RivalDurable => {
            run_rival(Safety::Durable, tuned.durable, connections, MEASURED).await
        }
        Side::RivalRelaxed => {
            run_rival(Safety::Relaxed, tuned.relaxed, connections, MEASURED).await
        }
        Side::Tidegate | Side::TidegateNoop => run_tidegate(side, connections).await,
    }
}

async fn run_rival(
    safety: Safety,
    pool: usize,
    connections: u32,
    measured: Duration,
) -> Result<Run> {
    let side = match safety {
        Safety::Durable => Side::RivalDurable,
        Safety::Relaxed => Side::RivalRelaxed,
    };
    let engines = Engines::start(safety).await?;
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args([SERVE, &address.to_string()]);
    command.arg(&engines.sockets).arg(pool.to_string());
    let log = engines.sockets.join("rival.log");
    let mut service = Process::start(&mut command, &log, rustix::process::Signal::TERM)?;
    tidegate::wait_for(address, &mut service)
        .await
        .map_err(|error| tidegate::told(&log, &error))?;
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
        measured,
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

/// Runs the load and watches what it costs. Of the processor time the measured part is told, by its share of the time.
async fn watch(side: Side, course: &Course, watched: &[(&'static str, u32)]) -> Result<Run> {
    let own = std::process::id();
    let times = || -> Vec<Duration> {
        // The servers are children of this very process; each is counted by itself.
        let of = |pid: u32| {
            if pid == own {
                own_processor_time(pid)
            } else {
                processor_time(pid)
            }
        };
        watched.iter().map(|(_, pid)| of(*pid)).collect()
    };
    let before = times();
    let load = load::run(course).await?;
    let after = times();
    let share = course.measured.as_secs_f64() / (course.warm_up + course.measured).as_secs_f64();
    let names = watched.iter().zip(before.iter().zip(&after));
    let servers = watched.iter().filter(|(_, pid)| *pid != own);
    Ok(Run {
        side,
        connections: course.connections,
        cpu_us: names
            .map(|((name, _), (before, after))| {
                let used = after.saturating_sub(*before).as_secs_f64() * share;
                let each = used * 1e6 / to_f64(load.accepted.max(1));
                (*name, (each * 10.0).round() / 10.0)
            })
            .collect(),
        resident_bytes: servers.map(|(_, pid)| resident_bytes(*pid)).sum(),
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
