//! Carriers: what they say, in their own words, and what it means here.
//!
//! ```text
//!   callback, signed ─┐
//!                     ├─▶ table (carrier, code → meaning) ──▶ Ship, Deliver ──▶ desk
//!   polling ──────────┘            └── not in the table: an alarm; it is kept, and heard once the table has it
//! ```
//!
//! The table is data: whoever knows the carriers keeps it, and a word that is not in it is never guessed. A word may come
//! twice, late, or before the one that should precede it; each has an answer.

mod kept;
mod poll;
mod table;

use std::sync::Arc;

use api::sending::CarrierWord;
use api::{Code, OrderId, Problem};
use commerce::{Action, Actor, Command, OrderStatus, Refusal};
use serde::{Deserialize, Serialize};
use telemetry::Telemetry;
use telemetry::fact::{CarrierMoved, ReconcileGap};

use crate::registry::Registry;
use crate::wire;

pub(crate) use kept::SOURCE as KEPT;
pub(crate) use poll::Poller;
pub use table::{Meaning, Table, TableError};

/// Settings of delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What carriers' codes mean: lines of carrier, code and `shipped`, `delivered` or `moving` (known, and nothing
    /// changes). A code in no line raises an alarm and waits. Limit: 10,000 lines.
    pub codes: Vec<String>,
    /// The carrier that is asked, by its name in `codes`; needed with `poll_url`.
    pub poll_carrier: Option<String>,
    /// Where it is asked about a parcel: `GET` below this URL, with the order's id at its end. Default not set: carriers
    /// call back.
    pub poll_url: Option<String>,
    /// How often it is asked, in seconds. Limit: 1 to 86,400.
    pub poll_s: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            codes: vec!["sf SF001 shipped".into(), "zto ZTO200 delivered".into()],
            poll_carrier: None,
            poll_url: None,
            poll_s: 300,
        }
    }
}

impl Settings {
    /// Everything that is wrong, as option and reason.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if let Err(error) = Table::read(&self.codes) {
            faults.push(("codes", error.to_string()));
        }
        if self.poll_url.is_some() != self.poll_carrier.is_some() {
            faults.push((
                "poll_carrier",
                "is needed with poll_url, and only then".into(),
            ));
        }
        let url = self.poll_url.as_deref();
        if let Some(Err(error)) = url.map(crate::provider::http::check_url) {
            faults.push(("poll_url", error.to_string()));
        }
        if !(1..=86_400).contains(&self.poll_s) {
            faults.push(("poll_s", "must be from 1 to 86400".into()));
        }
        faults
    }
}

/// Hears carriers; cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    table: Arc<Table>,
    registry: Arc<Registry>,
    telemetry: Telemetry,
}

impl Delivery {
    pub(crate) fn new(table: Table, registry: Arc<Registry>, telemetry: Telemetry) -> Self {
        Self {
            table: Arc::new(table),
            registry,
            telemetry,
        }
    }

    /// Takes a carrier's word; it may have come before.
    ///
    /// # Errors
    /// `TG-3021` for a code in no table, which is kept in the house journal then, `TG-2002` for an order that is not here, `TG-2106` for one that is not paid.
    pub async fn hear(&self, carrier: &str, word: &CarrierWord) -> Result<(), Problem> {
        let Some(meaning) = self.table.find(carrier, &word.code) else {
            return Err(self.keep(carrier, word).await);
        };
        let steps = match meaning {
            Meaning::Moving => return Ok(()),
            Meaning::Shipped => &[Step::Ship][..],
            // What arrived has left, whether or not that was said.
            Meaning::Delivered => &[Step::Ship, Step::Deliver],
        };
        self.move_order(word.order_id, steps).await?;
        self.telemetry.tell(&CarrierMoved {
            carrier,
            code: &word.code,
            sale: word.order_id.sale(),
        });
        Ok(())
    }

    async fn move_order(&self, id: OrderId, steps: &[Step]) -> Result<(), Problem> {
        let order = u32::try_from(id.number()).map_err(|_| Problem::new(Code::OrderNotFound))?;
        let desk = self.registry.desk(id.sale().get()).await;
        let desk = desk.map_err(|problem| match problem.code() {
            Code::SaleNotFound => Problem::new(Code::OrderNotFound),
            _ => problem,
        })?;
        let commands = steps.iter().map(|step| step.command(order)).collect();
        let done = desk.submit(commands, |_, _| ()).await;
        let done = done.map_err(|error| wire::desk_problem(&error))?;
        match done.value.into_iter().last().map(|done| done.decision) {
            None | Some(Ok(())) => Ok(()),
            Some(Err(refusal)) => self.answer(id, &refusal),
        }
    }

    /// The order has moved on already, or may not move: each has an answer.
    fn answer(&self, id: OrderId, refusal: &Refusal) -> Result<(), Problem> {
        let Refusal::OrderState { state } = refusal else {
            return Err(wire::problem(id.sale().get(), refusal));
        };
        match state {
            OrderStatus::Shipped | OrderStatus::Delivered => Ok(()),
            // Money that is not there yet may come; the carrier says it again.
            OrderStatus::Held
            | OrderStatus::Deposited
            | OrderStatus::Paying
            | OrderStatus::Paid => Err(wire::problem(id.sale().get(), refusal)),
            OrderStatus::Cancelled | OrderStatus::Expired | OrderStatus::Refunded => {
                let detail = format!("a carrier has a parcel of {id}, which is {state:?}");
                self.telemetry.tell(&ReconcileGap { detail: &detail });
                Ok(())
            }
        }
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }
}

/// What a word asks of the book.
#[derive(Debug, Clone, Copy)]
enum Step {
    Ship,
    Deliver,
}

impl Step {
    /// The key names the step and not the message, so that the step is done once whoever says it how often.
    fn command(self, order: u32) -> Command {
        let (key, action) = match self {
            Self::Ship => (format!("carrier_ship_{order}"), Action::Ship { order }),
            Self::Deliver => (
                format!("carrier_deliver_{order}"),
                Action::Deliver { order },
            ),
        };
        Command {
            actor: Actor::House,
            key: Some(key.into()),
            action,
        }
    }
}
