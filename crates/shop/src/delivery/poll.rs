//! Asking a carrier that does not call back.

use std::time::Duration;

use api::OrderId;
use api::sending::CarrierWord;
use commerce::saga::Mark;
use commerce::{Book, OrderStatus};
use http::StatusCode;
use serde::Deserialize;
use tokio::sync::watch;
use world::Tasks;

use super::Delivery;
use crate::provider::Line;
use crate::provider::client::{Client, UrlError, base};
use crate::wire;

/// Parcels asked about in one round of one sale, at most; the next round goes on behind them.
const PARCELS_MOST: usize = 100;
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(3);

/// Asks a carrier about parcels that are on their way.
pub(crate) struct Poller {
    carrier: String,
    url: String,
    every: Duration,
    client: Client,
    tasks: Tasks,
    delivery: Delivery,
    /// Where the next round of a sale begins.
    next: std::collections::BTreeMap<u32, u32>,
}

/// What a carrier knows of a parcel, oldest first.
#[derive(Debug, Deserialize)]
struct Known {
    events: Vec<Said>,
}

#[derive(Debug, Deserialize)]
struct Said {
    event: Box<str>,
    code: Box<str>,
}

impl Poller {
    /// A poller, if one is configured.
    ///
    /// # Errors
    /// [`UrlError`] when the URL is none that can be called.
    pub(crate) fn new(
        settings: &super::Settings,
        line: &Line,
        delivery: &Delivery,
    ) -> Result<Option<Self>, UrlError> {
        let (Some(carrier), Some(url)) = (&settings.poll_carrier, &settings.poll_url) else {
            return Ok(None);
        };
        Ok(Some(Self {
            carrier: carrier.clone(),
            url: base(url)?,
            every: Duration::from_secs(settings.poll_s),
            client: Client::new(line, ANSWER),
            tasks: line.tasks.clone(),
            delivery: delivery.clone(),
            next: std::collections::BTreeMap::new(),
        }))
    }

    /// Asks until the shop stops.
    pub(crate) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            let wait = self.tasks.sleep(self.every);
            let stopped = async {
                // A sender that is gone means the same as its message.
                let _ = stopping.wait_for(|stop| *stop).await;
            };
            tokio::select! {
                biased;
                () = stopped => return,
                () = self.round(wait) => {}
            }
        }
    }

    /// Waits, and asks about everything once.
    async fn round(&mut self, wait: world::tasks::Sleep) {
        wait.await;
        for desk in self.delivery.registry().desks() {
            let sale = desk.sale();
            let from = self.next.get(&sale).copied().unwrap_or(0);
            let seen = desk.ask(move |book| under_way(book, sale, from));
            let Some(Ok(seen)) = self.tasks.timeout(ANSWER, seen).await else {
                continue;
            };
            let (parcels, next) = seen.value;
            self.next.insert(sale, next);
            for order in parcels {
                self.ask(order).await;
            }
        }
    }

    async fn ask(&self, order_id: OrderId) {
        let answered = self.client.get(&format!("{}/{order_id}", self.url)).await;
        let Ok((StatusCode::OK, body)) = answered else {
            return;
        };
        let Ok(known) = serde_json::from_slice::<Known>(&body) else {
            return;
        };
        for Said { event, code } in known.events {
            let word = CarrierWord {
                event,
                order_id,
                code,
            };
            // What was not taken has been said, and is asked about again.
            let _ = self.delivery.hear(&self.carrier, &word).await;
        }
    }
}

/// Parcels that a carrier has and whose buyers do not, from a saga on; and where the next round begins.
fn under_way(book: &Book, sale: u32, from: u32) -> (Vec<OrderId>, u32) {
    let moving = |order: u32| {
        let status = book.order(order).map(|order| order.status());
        matches!(status, Some(OrderStatus::Paid | OrderStatus::Shipped))
    };
    let booked = |found: &commerce::book::SagaRef<'_>| {
        let done = |(_, plan, mark): (u8, &commerce::saga::StepPlan, Mark)| {
            plan.name == "carrier" && mark == Mark::Done
        };
        found.saga.steps().any(done) && moving(found.saga.order)
    };
    let parcels: Vec<_> = book
        .sagas_from(from)
        .filter(booked)
        .take(PARCELS_MOST)
        .collect();
    let next = match parcels.last() {
        Some(last) if parcels.len() == PARCELS_MOST => last.number + 1,
        _ => 0,
    };
    let orders = parcels.iter().map(|found| found.saga.order);
    (
        orders.map(|order| wire::order_id(sale, order)).collect(),
        next,
    )
}
