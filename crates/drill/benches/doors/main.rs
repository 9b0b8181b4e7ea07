//! Orders a second through the doors: `POST /v1/orders:batch`, 1,000 orders a request, every batch on disk.
//!
//! Each run has a fresh server and places half a million open orders, so that its memory can be held against what others
//! need. The projector runs behind all the time; how long it takes to catch up is told too.
#![expect(
    clippy::print_stdout,
    reason = "the figures go to standard output, where the dispatcher reads them"
)]

#[path = "../stand/process.rs"]
mod process;
#[path = "../stand/tidegate.rs"]
mod tidegate;

use api::order::OrderPage;
use hdrhistogram::Histogram;
use process::{own_processor_time, processor_time, resident_bytes};
use serde::Serialize;
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tidegate::{SKU, Tidegate};
use tidegate_drill::client::{Connection, Patience, Request};
use tokio::task::JoinSet;
use world::{Clock, SystemClock};

const RUNS: usize = 3;
/// Clients that send one batch after another.
const CLIENTS: [u64; 4] = [1, 2, 4, 8];
const BATCH: u64 = 1_000;
const ORDERS: u64 = 500_000;
const WARM_UP_ORDERS: u64 = 16_000;
/// How an accepted order looks in the answer.
const ACCEPTED: &str = r#""status":201"#;
const CATCH_UP_MAX: Duration = Duration::from_secs(120);

fn main() -> Result<()> {
    // Whoever only wants to know that it builds gives no flag.
    if std::env::args().len() < 2 {
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(measure())
}

#[derive(Debug, Serialize)]
struct Run {
    clients: u64,
    orders: u64,
    orders_per_second: f64,
    batch_p50_ms: f64,
    batch_p99_ms: f64,
    server_cpu_us_per_order: f64,
    client_cpu_us_per_order: f64,
    /// Memory of the server with all these orders open, before the projector has caught up.
    resident_bytes: u64,
    projector_caught_up_s: f64,
    projector_orders_per_second: f64,
}

async fn measure() -> Result<()> {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        for clients in CLIENTS {
            let run = one_run(clients).await?;
            eprintln!(
                "{clients} clients: {:.0} orders/s, batch p50 {:.1} ms, p99 {:.1} ms, {:.0} MB, projector {:.0}/s, caught up after {:.1} s",
                run.orders_per_second,
                run.batch_p50_ms,
                run.batch_p99_ms,
                to_f64(run.resident_bytes) / 1e6,
                run.projector_orders_per_second,
                run.projector_caught_up_s
            );
            runs.push(run);
        }
    }
    let medians = CLIENTS.map(|clients| {
        let same = runs.iter().filter(|run| run.clients == clients);
        (
            clients,
            median(same.map(|run| run.orders_per_second).collect()),
        )
    });
    let best = medians.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    eprintln!("best median: {best:.0} orders/s (bar: 275000)");
    let figures = serde_json::json!({
        "orders_per_request": BATCH,
        "best_median_orders_per_second": best,
        "median_orders_per_second_by_clients": medians,
        "runs": runs,
    });
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

async fn one_run(clients: u64) -> Result<Run> {
    let server = Tidegate::start().await?;
    let clock = Arc::new(SystemClock::new());
    let key: Arc<str> = server.key.as_str().into();
    let sale = server.sale.id.to_string();
    let crowd = Crowd {
        address: server.address,
        key: Arc::clone(&key),
        clock: Arc::clone(&clock),
        sale: sale.as_str().into(),
        clients,
    };
    crowd.place("w", WARM_UP_ORDERS).await?;
    let pid = server.process.id();
    let cpu = || (processor_time(pid), own_processor_time(std::process::id()));
    let (before, started) = (cpu(), clock.monotonic());
    let times = crowd.place("m", ORDERS).await?;
    let took = clock.monotonic() - started;
    let after = cpu();
    let resident = resident_bytes(pid);
    caught_up(&server, &clock).await?;
    let behind = clock.monotonic() - started;
    let server_cpu = after.0.saturating_sub(before.0);
    let client_cpu = after.1.saturating_sub(before.1);
    server.process.stop().await?;
    let ms = |us: u64| Duration::from_micros(us).as_secs_f64() * 1000.0;
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / to_f64(ORDERS);
    Ok(Run {
        clients,
        orders: ORDERS,
        orders_per_second: (to_f64(ORDERS) / took.as_secs_f64()).round(),
        batch_p50_ms: ms(times.value_at_quantile(0.5)),
        batch_p99_ms: ms(times.value_at_quantile(0.99)),
        server_cpu_us_per_order: each(server_cpu),
        client_cpu_us_per_order: each(client_cpu),
        resident_bytes: resident,
        projector_caught_up_s: (behind.saturating_sub(took)).as_secs_f64(),
        projector_orders_per_second: (to_f64(ORDERS) / behind.as_secs_f64()).round(),
    })
}

/// Clients that place orders together.
struct Crowd {
    address: SocketAddr,
    key: Arc<str>,
    clock: Arc<SystemClock>,
    sale: Arc<str>,
    clients: u64,
}

impl Crowd {
    /// Places so many orders, all of which must be accepted. Gives the times of the batches.
    async fn place(&self, name: &'static str, orders: u64) -> Result<Histogram<u64>> {
        let mut all = JoinSet::new();
        for client in 0..self.clients {
            let batches = (client..orders / BATCH)
                .step_by(usize::try_from(self.clients).map_err(Error::other)?);
            all.spawn(client_of(
                self.address,
                Arc::clone(&self.key),
                Arc::clone(&self.clock),
                Arc::clone(&self.sale),
                name,
                batches.collect(),
            ));
        }
        let mut times = Histogram::new(3).map_err(Error::other)?;
        while let Some(seen) = all.join_next().await {
            times
                .add(&seen.map_err(Error::other)??)
                .map_err(Error::other)?;
        }
        Ok(times)
    }
}

async fn client_of(
    address: SocketAddr,
    key: Arc<str>,
    clock: Arc<SystemClock>,
    sale: Arc<str>,
    name: &'static str,
    batches: Vec<u64>,
) -> Result<Histogram<u64>> {
    let mut connection = Connection::open(address, Patience::default())
        .await
        .map_err(Error::other)?;
    let mut times = Histogram::new(3).map_err(Error::other)?;
    let mut body = Vec::new();
    for batch in batches {
        write_batch(&mut body, &sale, name, batch)?;
        let batch_key = format!("{name}{batch}");
        let sent = clock.monotonic();
        let request = Request::post("/v1/orders:batch", &key, &batch_key, &body);
        let reply = connection.ask(&request).await.map_err(Error::other)?;
        let said = std::str::from_utf8(reply.body).map_err(Error::other)?;
        let accepted = said.matches(ACCEPTED).count();
        if accepted as u64 != BATCH {
            let start: String = said.chars().take(300).collect();
            return Err(Error::other(format!(
                "{accepted} of {BATCH} orders accepted: {} {start}",
                reply.status
            )));
        }
        let took = u64::try_from((clock.monotonic() - sent).as_micros()).unwrap_or(u64::MAX);
        times.record(took).map_err(Error::other)?;
    }
    Ok(times)
}

/// New buyers with new keys, one unit each.
fn write_batch(body: &mut Vec<u8>, sale: &str, name: &str, batch: u64) -> Result<()> {
    use std::io::Write;
    body.clear();
    body.extend_from_slice(br#"{"orders":["#);
    for nth in 0..BATCH {
        let comma = if nth == 0 { "" } else { "," };
        write!(
            body,
            r#"{comma}{{"idempotency_key":"{name}{batch}-{nth}","sale_id":"{sale}","lines":[{{"sku":"{SKU}","quantity":1}}],"buyer":"{name}{batch}-{nth}"}}"#
        )?;
    }
    body.extend_from_slice(b"]}");
    Ok(())
}

/// Waits until the read model has everything.
async fn caught_up(server: &Tidegate, clock: &SystemClock) -> Result<()> {
    let mut connection = Connection::open(server.address, Patience::default())
        .await
        .map_err(Error::other)?;
    let path = format!("/v1/orders?sale_id={}&limit=1", server.sale.id);
    let until = clock.monotonic() + CATCH_UP_MAX;
    loop {
        let request = Request::get(&path, &server.key);
        let page: OrderPage = tidegate::ask(&mut connection, &request).await?;
        if page.read_model.behind_batches == 0 {
            return Ok(());
        }
        if clock.monotonic() >= until {
            return Err(Error::other("the projector does not catch up"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a bench are far below 2^52"
)]
fn to_f64(count: u64) -> f64 {
    count as f64
}
