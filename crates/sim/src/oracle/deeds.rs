//! What clients asked for and what they heard, read from their calls: one deed for each key.

use api::line::Ticket;
use api::order::{Order, OrderPage};
use api::refund::Refund;
use api::sale::Sale;
use api::stock::Inventory;
use api::team::{Team, TeamPage};
use api::{OrderId, Position, SaleId, TicketId};
use serde_json::Value;

use super::answer::{heard, many, shown};
use crate::record::{Call, Who};

/// What a deed is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    Create,
    Alter,
    Open,
    Pause,
    Close,
    Retire,
    AddStock,
    WriteOff,
    Place,
    Pay,
    Cancel,
    Refund,
    Ship,
    Deliver,
    Chargeback,
    MakeKey,
    AlterOffer,
    Wait,
    LeaveLine,
    /// A look at something, or a call that this room knows nothing of.
    Read,
}

/// A body that was shown.
#[derive(Debug)]
pub(super) enum Shown {
    Order(Box<Order>),
    Refund(Refund),
    Sale(Box<Sale>),
    Page(OrderPage),
    Inventory(Inventory),
    Team(Box<Team>),
    Teams(TeamPage),
    Ticket(Ticket),
    /// One order of many that were placed together: only its name and price.
    Slim {
        order: OrderId,
        total: Option<i64>,
    },
    /// An API key, by its name.
    Key(String),
    /// Nothing that a book could be held against.
    Nothing,
    /// A yes that cannot be read.
    Garbled(String),
}

/// What was heard.
#[derive(Debug)]
pub(super) enum Heard {
    Yes {
        repeated: bool,
        at: Option<(SaleId, Position)>,
        shown: Shown,
    },
    /// A definite refusal.
    No { code: String, left: Option<i64> },
    /// Nothing, or an answer that leaves it open.
    Unknown,
}

/// One thing that one client wanted.
#[derive(Debug)]
pub(super) struct Deed<'a> {
    pub(super) call: &'a Call,
    pub(super) act: Act,
    pub(super) sale: Option<u32>,
    pub(super) order: Option<OrderId>,
    pub(super) key: Option<String>,
    pub(super) asked: Value,
    pub(super) heard: Heard,
}

impl Deed<'_> {
    /// A name for a finding.
    pub(super) fn name(&self) -> String {
        let who = match &self.call.who {
            Who::Merchant => "the merchant",
            Who::Buyer(name) => name,
            Who::Anybody => "somebody",
        };
        let key = self.key.as_deref().unwrap_or("none");
        let at = self.call.asked_at.as_millis();
        format!(
            "client {} ({who}), {} {}, key {key}, at {at} ms",
            self.call.client, self.call.method, self.call.path
        )
    }
}

/// All deeds, in the order in which they were sent.
pub(super) fn read(calls: &[Call]) -> Vec<Deed<'_>> {
    let mut deeds = Vec::with_capacity(calls.len());
    for call in calls {
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        if call.method == "POST" && path == "/v1/orders:batch" {
            many(call, &mut deeds);
        } else {
            deeds.push(one(call, path, query));
        }
    }
    deeds
}

fn one<'a>(call: &'a Call, path: &str, query: &str) -> Deed<'a> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (act, sale, order) = subject(call.method, &parts);
    let mut asked = match call.body.is_empty() {
        true => Value::Null,
        false => serde_json::from_str(&call.body).unwrap_or(Value::Null),
    };
    let in_query = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("idemp_key="));
    let in_body = asked.get("idempotency_key").and_then(Value::as_str);
    let key = call
        .key
        .as_deref()
        .or(in_body)
        .or(in_query)
        .map(ToOwned::to_owned);
    let sale = sale.or_else(|| sale_in(&asked));
    tidy(&mut asked);
    let heard = heard(&call.outcome, |said| shown(act, &parts, &said.body));
    Deed {
        call,
        act,
        sale,
        order,
        key,
        asked,
        heard,
    }
}

fn subject(method: &str, parts: &[&str]) -> (Act, Option<u32>, Option<OrderId>) {
    let sale = |id: &str| id.parse::<SaleId>().ok().map(SaleId::get);
    let order = |id: &str| id.parse::<OrderId>().ok();
    let of_order = |act, id: &str| {
        let order = order(id);
        (act, order.map(|order| order.sale().get()), order)
    };
    match (method, parts) {
        ("POST", ["v1", "sales"]) => (Act::Create, None, None),
        ("PATCH", ["v1", "sales", id]) => (Act::Alter, sale(id), None),
        ("POST", ["v1", "sales", id, "open"]) => (Act::Open, sale(id), None),
        ("POST", ["v1", "sales", id, "pause"]) => (Act::Pause, sale(id), None),
        ("POST", ["v1", "sales", id, "close"]) => (Act::Close, sale(id), None),
        ("POST", ["v1", "sales", id, "retire"]) => (Act::Retire, sale(id), None),
        ("POST", ["v1", "sales", id, "stock"]) => (Act::AddStock, sale(id), None),
        ("POST", ["v1", "sales", id, "write-offs"]) => (Act::WriteOff, sale(id), None),
        ("POST", ["v1", "orders"]) => (Act::Place, None, None),
        ("POST", ["v1", "orders", id, "pay"]) => of_order(Act::Pay, id),
        ("POST", ["v1", "orders", id, "cancel"]) => of_order(Act::Cancel, id),
        ("POST", ["v1", "orders", id, "refunds"]) => of_order(Act::Refund, id),
        ("POST", ["v1", "orders", id, "ship"]) => of_order(Act::Ship, id),
        ("POST", ["v1", "orders", id, "deliver"]) => of_order(Act::Deliver, id),
        ("POST", ["v1", "orders", id, "chargebacks"]) => of_order(Act::Chargeback, id),
        ("PUT", ["v1", "sales", id, "offer"]) => (Act::AlterOffer, sale(id), None),
        ("POST", ["v1", "sales", id, "line"]) => (Act::Wait, sale(id), None),
        ("DELETE", ["v1", "tickets", id]) => {
            let ticket = id.parse::<TicketId>().ok();
            (
                Act::LeaveLine,
                ticket.map(|ticket| ticket.sale().get()),
                None,
            )
        }
        ("POST", ["v1", "keys"]) => (Act::MakeKey, None, None),
        ("GET", ["v1", "orders", id]) => of_order(Act::Read, id),
        _ => (Act::Read, None, None),
    }
}

pub(super) fn sale_in(asked: &Value) -> Option<u32> {
    let id = asked.get("sale_id")?.as_str()?;
    Some(id.parse::<SaleId>().ok()?.get())
}

/// Takes out what is no part of a request's meaning: its key, its buyer's tags, and fields that say nothing.
pub(super) fn tidy(asked: &mut Value) {
    if let Value::Object(fields) = asked {
        fields.remove("idempotency_key");
        fields.remove("tags");
        fields.retain(|_, value| !matches!(value, Value::Null | Value::Bool(false)));
        if fields.is_empty() {
            *asked = Value::Null;
        }
    }
}
