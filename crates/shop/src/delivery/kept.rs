//! Words of carriers that nobody knew: kept in the house journal, and heard once the table has them.
//!
//! A table is read at the start, so a word that was unknown to one process may be known to the next. What a word asks for
//! is bound to its order and step, so that hearing it again changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use api::sending::CarrierWord;
use api::{Code, OrderId, Problem};
use serde::{Deserialize, Serialize};
use telemetry::fact::CarrierUnknown;
use tokio::sync::watch;
use world::Tasks;

use super::Delivery;
use crate::service::house_problem;

/// How the house journal names who said it.
pub(crate) const SOURCE: &str = "carrier";

/// A word as it is kept. The carrier's name of the message is left out: each message would be another word.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    carrier: Box<str>,
    order_id: OrderId,
    code: Box<str>,
}

impl Delivery {
    /// Keeps a word that stands in no table, once, and says so to people and to the carrier.
    pub(super) async fn keep(&self, carrier: &str, word: &CarrierWord) -> Problem {
        let order = word.order_id.to_string();
        self.telemetry.tell(&CarrierUnknown {
            carrier,
            code: &word.code,
            order: &order,
        });
        let kept = Kept {
            carrier: carrier.into(),
            order_id: word.order_id,
            code: word.code.clone(),
        };
        let Ok(text) = serde_json::to_string(&kept) else {
            return Problem::new(Code::Internal);
        };
        let house = self.registry.house();
        let known = |text: &str| {
            let book = house.book();
            let mut kept = book.unmatched_newest();
            kept.any(|kept| *kept.source == *SOURCE && *kept.report == *text)
        };
        if !known(&text)
            && let Err(error) = house.unmatched(SOURCE, &text).await
        {
            return house_problem(&error);
        }
        let detail = format!("{carrier}'s code {} stands in no table", word.code);
        Problem::because(Code::CarrierCode, detail)
    }

    /// Whether an earlier process kept anything.
    pub(crate) fn has_kept(&self) -> bool {
        let book = self.registry.house().book();
        book.unmatched_newest().any(|kept| *kept.source == *SOURCE)
    }

    /// Hears what an earlier process kept and this one's table has; what cannot be heard now is tried again.
    pub(crate) async fn hear_kept(
        self,
        every: Duration,
        tasks: Tasks,
        mut stopping: watch::Receiver<bool>,
    ) {
        let mut over = BTreeSet::new();
        loop {
            let left = tokio::select! {
                // What is cut off in the middle is done again by the next process.
                biased;
                _ = stopping.wait_for(|stop| *stop) => return,
                left = self.hear_once(&mut over) => left,
            };
            let stopped = stopping.wait_for(|stop| *stop);
            if left == 0 || tasks.timeout(every, stopped).await.is_some() {
                return;
            }
        }
    }

    /// Hears each kept word that is not over; how many have to be heard again.
    async fn hear_once(&self, over: &mut BTreeSet<u64>) -> u64 {
        let book = self.registry.house().book();
        let mut left = 0;
        for kept in book
            .unmatched_newest()
            .filter(|kept| *kept.source == *SOURCE)
        {
            let Ok(word) = serde_json::from_str::<Kept>(&kept.report) else {
                continue;
            };
            if over.contains(&kept.number) || self.table.find(&word.carrier, &word.code).is_none() {
                continue;
            }
            let again = CarrierWord {
                event: "kept".into(),
                order_id: word.order_id,
                code: word.code,
            };
            match self.hear(&word.carrier, &again).await {
                Ok(()) => drop(over.insert(kept.number)),
                Err(problem) if problem.code() == Code::OrderNotFound => {
                    over.insert(kept.number);
                }
                // Its order is not paid yet, or its desk is busy.
                Err(_) => left += 1,
            }
        }
        left
    }
}
