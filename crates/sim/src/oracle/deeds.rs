//! What clients asked for and what they heard, read from their calls: one deed for each key.

use api::order::{BatchResults, Order, OrderPage};
use api::refund::Refund;
use api::sale::Sale;
use api::stock::Inventory;
use api::{OrderId, Position, SaleId};
use serde_json::Value;

use crate::record::{Call, Outcome, Said, Who};

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
        ("POST", ["v1", "keys"]) => (Act::MakeKey, None, None),
        ("GET", ["v1", "orders", id]) => of_order(Act::Read, id),
        _ => (Act::Read, None, None),
    }
}

fn sale_in(asked: &Value) -> Option<u32> {
    let id = asked.get("sale_id")?.as_str()?;
    Some(id.parse::<SaleId>().ok()?.get())
}

/// Takes out what is no part of a request's meaning: its key, its buyer's tags, and fields that say nothing.
fn tidy(asked: &mut Value) {
    if let Value::Object(fields) = asked {
        fields.remove("idempotency_key");
        fields.remove("tags");
        fields.retain(|_, value| !matches!(value, Value::Null | Value::Bool(false)));
        if fields.is_empty() {
            *asked = Value::Null;
        }
    }
}

fn heard(outcome: &Outcome, shown: impl Fn(&Said) -> Shown) -> Heard {
    let Outcome::Said(said) = outcome else {
        return Heard::Unknown;
    };
    match said.status {
        200..300 => Heard::Yes {
            repeated: said.repeated,
            at: said.position,
            shown: shown(said),
        },
        // Too slow, too many and everything from 500 on may have been done, or may be done yet.
        408 | 429 | 500.. => Heard::Unknown,
        _ => {
            let body: Value = serde_json::from_str(&said.body).unwrap_or(Value::Null);
            let code = body
                .get("code")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            Heard::No {
                code,
                left: body.get("units_left").and_then(Value::as_i64),
            }
        }
    }
}

fn shown(act: Act, parts: &[&str], body: &str) -> Shown {
    let read = match (act, parts) {
        (Act::Refund, _) => serde_json::from_str(body).map(Shown::Refund),
        (Act::MakeKey, _) => serde_json::from_str::<Value>(body).map(|key| {
            let id = key.get("id").and_then(Value::as_str);
            Shown::Key(id.unwrap_or_default().to_owned())
        }),
        (Act::Read, ["v1", "orders", _]) => serde_json::from_str(body).map(Shown::Order),
        (Act::Read, ["v1", "orders"]) => serde_json::from_str(body).map(Shown::Page),
        (Act::Read, ["v1", "inventory", _]) => serde_json::from_str(body).map(Shown::Inventory),
        (Act::Read, ["v1", "sales", _]) => serde_json::from_str(body).map(Shown::Sale),
        (Act::Read, _) => return Shown::Nothing,
        (_, ["v1", "sales", ..]) => serde_json::from_str(body).map(Shown::Sale),
        _ => serde_json::from_str(body).map(Shown::Order),
    };
    read.unwrap_or_else(|error| Shown::Garbled(error.to_string()))
}

/// Orders that are placed together: each is a deed of its own.
fn many<'a>(call: &'a Call, deeds: &mut Vec<Deed<'a>>) {
    let asked: Value = serde_json::from_str(&call.body).unwrap_or(Value::Null);
    let orders = asked
        .get("orders")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let results = match &call.outcome {
        Outcome::Said(said) if said.is_yes() => {
            serde_json::from_str::<BatchResults>(&said.body).ok()
        }
        _ => None,
    };
    for (place, mut asked) in orders.into_iter().enumerate() {
        let sale = sale_in(&asked);
        let key = asked
            .get("idempotency_key")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned);
        tidy(&mut asked);
        let whole = || {
            heard(&call.outcome, |_| {
                Shown::Garbled("results that do not fit".into())
            })
        };
        let heard = results
            .as_ref()
            .map_or_else(whole, |results| one_of(results, place, sale));
        deeds.push(Deed {
            call,
            act: Act::Place,
            sale,
            order: None,
            key,
            asked,
            heard,
        });
    }
}

fn one_of(results: &BatchResults, place: usize, sale: Option<u32>) -> Heard {
    let Some(result) = results.results.get(place) else {
        return Heard::Unknown;
    };
    let at = results
        .positions
        .iter()
        .find(|at| Some(at.sale_id.get()) == sale);
    match (result.status, result.id) {
        (200..300, Some(order)) => Heard::Yes {
            repeated: result.repeated,
            at: at.map(|at| (at.sale_id, at.position)),
            shown: Shown::Slim {
                order,
                total: result.total_minor,
            },
        },
        (408 | 429 | 500.., _) => Heard::Unknown,
        _ => Heard::No {
            code: result.code.as_deref().unwrap_or_default().to_owned(),
            left: result.units_left.map(i64::from),
        },
    }
}

/// Every receipt that an answer showed: positions of the record itself, and of what the read models had seen of it.
pub(super) fn receipts(deed: &Deed<'_>) -> Vec<(SaleId, Position)> {
    let Heard::Yes { at, shown, .. } = &deed.heard else {
        return Vec::new();
    };
    let mut receipts: Vec<_> = at.iter().copied().collect();
    match shown {
        Shown::Inventory(stock) => {
            receipts.extend(stock.sales.iter().map(|sale| (sale.sale_id, sale.position)));
        }
        Shown::Sale(sale) => receipts.push((sale.id, sale.position)),
        Shown::Page(page) => {
            let seen = page.read_model.positions.iter();
            receipts.extend(seen.map(|at| (at.sale_id, at.position)));
        }
        _ => {}
    }
    receipts
}
