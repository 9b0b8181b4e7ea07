//! Closed-loop load: every connection sends, waits for the answer, sends again. All sides are loaded with this.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tidegate_drill::client::{Connection, Patience, Request};
use tokio::task::JoinSet;
use world::{Clock, SystemClock};

/// Longest latency that is told apart, microseconds.
const LONGEST_US: u64 = 60_000_000;

/// What is sent.
#[derive(Clone)]
pub(crate) struct Course {
    pub(crate) address: SocketAddr,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) bearer: Option<Arc<str>>,
    /// Text before the buyer's name in the body, and behind it; no body when missing.
    pub(crate) body: Option<(Arc<str>, Arc<str>)>,
    /// The status of success.
    pub(crate) expects: u16,
    pub(crate) connections: u32,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// What came back.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Load {
    pub(crate) accepted: u64,
    pub(crate) other: u64,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

struct Seen {
    accepted: u64,
    other: u64,
    times: Histogram<u64>,
}

impl Seen {
    fn new() -> Result<Self> {
        Ok(Self {
            accepted: 0,
            other: 0,
            times: Histogram::new_with_bounds(1, LONGEST_US, 3).map_err(Error::other)?,
        })
    }
}

/// Runs the course.
pub(crate) async fn run(course: &Course) -> Result<Load> {
    let clock = Arc::new(SystemClock::new());
    let mut all = JoinSet::new();
    for number in 0..course.connections {
        all.spawn(one(course.clone(), number, Arc::clone(&clock)));
    }
    let mut sum = Seen::new()?;
    while let Some(seen) = all.join_next().await {
        let seen = seen.map_err(Error::other)??;
        sum.accepted += seen.accepted;
        sum.other += seen.other;
        sum.times.add(&seen.times).map_err(Error::other)?;
    }
    let ms = |us: u64| Duration::from_micros(us).as_secs_f64() * 1000.0;
    Ok(Load {
        accepted: sum.accepted,
        other: sum.other,
        per_second: super::per_second(sum.accepted, course.measured),
        p50_ms: ms(sum.times.value_at_quantile(0.5)),
        p99_ms: ms(sum.times.value_at_quantile(0.99)),
        max_ms: ms(sum.times.max()),
    })
}

async fn one(course: Course, number: u32, clock: Arc<SystemClock>) -> Result<Seen> {
    let mut connection = Connection::open(course.address, Patience::default())
        .await
        .map_err(Error::other)?;
    let mut seen = Seen::new()?;
    let from = course.warm_up;
    let until = from + course.measured;
    let (mut nth, mut key, mut body) = (0_u64, String::new(), Vec::new());
    loop {
        nth += 1;
        write_order(&course, number, nth, &mut key, &mut body);
        let request = Request {
            method: course.method,
            path: course.path,
            bearer: course.bearer.as_deref(),
            key: course.body.is_some().then_some(&key),
            body: course.body.is_some().then_some(&body),
        };
        let sent = clock.monotonic();
        let status = connection.ask(&request).await.map_err(Error::other)?.status;
        let now = clock.monotonic();
        if now >= until {
            return Ok(seen);
        }
        // What was sent in the warm-up and answered after it is left out, too.
        if sent < from {
            continue;
        }
        if status == course.expects {
            seen.accepted += 1;
        } else {
            seen.other += 1;
        }
        let took = u64::try_from((now - sent).as_micros()).unwrap_or(LONGEST_US);
        seen.times.saturating_record(took.max(1));
    }
}

/// A new buyer with a new key for each order.
fn write_order(course: &Course, number: u32, nth: u64, key: &mut String, body: &mut Vec<u8>) {
    use std::fmt::Write;
    let Some((before, behind)) = &course.body else {
        return;
    };
    key.clear();
    let _ = write!(key, "b{number}-{nth}");
    body.clear();
    for part in [before.as_bytes(), key.as_bytes(), behind.as_bytes()] {
        body.extend_from_slice(part);
    }
}
