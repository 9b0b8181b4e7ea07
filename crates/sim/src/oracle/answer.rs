//! What an answer says: yes, no, or nothing that could be relied upon.

use api::order::BatchResults;
use api::{Position, SaleId};
use serde_json::Value;

use super::deeds::{Act, Deed, Heard, Shown, sale_in, tidy};
use crate::record::{Call, Outcome, Said};

pub(super) fn heard(outcome: &Outcome, shown: impl Fn(&Said) -> Shown) -> Heard {
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

pub(super) fn shown(act: Act, parts: &[&str], body: &str) -> Shown {
    let read = match (act, parts) {
        (Act::Refund, _) => serde_json::from_str(body).map(Shown::Refund),
        (Act::MakeKey, _) => serde_json::from_str::<Value>(body).map(|key| {
            let id = key.get("id").and_then(Value::as_str);
            Shown::Key(id.unwrap_or_default().to_owned())
        }),
        (Act::Read, ["v1", "orders", _]) => serde_json::from_str(body).map(Shown::Order),
        (Act::Read, ["v1", "orders"]) => serde_json::from_str(body).map(Shown::Page),
        (Act::Read, ["v1", "inventory", _]) => serde_json::from_str(body).map(Shown::Inventory),
        (Act::Wait | Act::LeaveLine, _) | (Act::Read, ["v1", "tickets", _]) => {
            serde_json::from_str(body).map(Shown::Ticket)
        }
        (Act::Read, ["v1", "teams", _]) => serde_json::from_str(body).map(Shown::Team),
        (Act::Read, ["v1", "sales", _, "teams"]) => serde_json::from_str(body).map(Shown::Teams),
        (Act::Read, ["v1", "sales", _]) => serde_json::from_str(body).map(Shown::Sale),
        (Act::Read, _) => return Shown::Nothing,
        (_, ["v1", "sales", ..]) => serde_json::from_str(body).map(Shown::Sale),
        _ => serde_json::from_str(body).map(Shown::Order),
    };
    read.unwrap_or_else(|error| Shown::Garbled(error.to_string()))
}

/// Orders that are placed together: each is a deed of its own.
pub(super) fn many<'a>(call: &'a Call, deeds: &mut Vec<Deed<'a>>) {
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
