//! Takes a sample every quarter of a second, for the plots and for who watches.

use super::Tools;
use super::door::{Door, body};
use super::tally::{Latency, Sample, Stock, read};
use crate::client::{Patience, Pool, Request};
use crate::watch::Watcher;
use api::SaleId;
use api::sale::Sale;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use world::Clock;

/// Time between two samples.
const EVERY: Duration = Duration::from_millis(250);

/// Samples so far.
pub(super) struct Sampler {
    door: Arc<Door>,
    /// A connection of its own: the plots must not wait in line with the crowd.
    pool: Pool,
    path: String,
    bearer: Arc<str>,
    seen: [u64; 3],
    pub(super) samples: Vec<Sample>,
}

impl Sampler {
    /// Nothing sampled yet.
    pub(super) fn new(door: &Arc<Door>, sale: SaleId, tools: &Tools) -> Self {
        let patience = Patience {
            connect: EVERY,
            answer: Duration::from_secs(1),
            ..Patience::default()
        };
        Self {
            pool: Pool::new(tools.public, 1, patience, Arc::clone(&door.clock)),
            door: Arc::clone(door),
            path: format!("/v1/sales/{sale}"),
            bearer: Arc::clone(&tools.merchant_key),
            seen: [0; 3],
            samples: Vec::new(),
        }
    }

    /// Samples until it is dropped.
    pub(super) async fn run(&mut self, watcher: &dyn Watcher, buyers: u32) -> Infallible {
        let started = self.door.clock.monotonic();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let stock = self.stock().await;
            let tally = &self.door.tally;
            let refused = read(&tally.refused_sold_out)
                + read(&tally.refused_limit)
                + read(&tally.refused_otherwise);
            let now = [read(&tally.requests), read(&tally.accepted), refused];
            let [requests, accepted, refused] =
                [0, 1, 2].map(|nth: usize| now[nth] - self.seen[nth]);
            self.seen = now;
            let latency = if requests > 0 {
                tally.lately()
            } else {
                Latency::default()
            };
            let at = self.door.clock.monotonic().saturating_sub(started);
            let before = self.samples.last().map_or(Duration::ZERO, |last| last.at);
            self.samples.push(Sample {
                at,
                lasted: at.saturating_sub(before),
                requests,
                accepted,
                refused,
                latency,
                stock,
            });
            watcher.progress(read(&tally.gone), buyers.into());
        }
    }

    async fn stock(&self) -> Option<Stock> {
        let request = Request::get(&self.path, &self.bearer);
        let answer = match self.pool.ask(&request).await {
            Ok(answer) => answer,
            // The connection may be one from before the last death; a second try has a new one.
            Err(_) => self.pool.ask(&request).await.ok()?,
        };
        let sale: Sale = body(&answer)?;
        let sum = |count: fn(&api::sale::Sku) -> u64| sale.skus.iter().map(count).sum();
        Some(Stock {
            available: sum(|sku| sku.available_count),
            held: sum(|sku| sku.held_count),
            sold: sum(|sku| sku.sold_count),
        })
    }
}
