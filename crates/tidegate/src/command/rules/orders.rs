//! Orders from a file, one on each line.

use crate::failure::Failure;
use api::Code;
use commerce::rules::{Counters, OrderGround, PastGround};
use commerce::{Facts, SaleState, Time};
use serde::Deserialize;
use shop::risk::PastOrder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Bytes of one line, at most.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// An order as a line says it; what is left out is empty, zero, or not known. The names are those of rules.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Line {
    id: Option<Box<str>>,
    now: u64,
    buyer: Buyer,
    order: Order,
    sale: Sale,
    counters: Counts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Buyer {
    name: Option<Box<str>>,
    level: u32,
    points: i64,
    region: Option<Box<str>>,
    tags: Vec<Box<str>>,
    new_customer: bool,
    device: Option<Box<str>>,
    address: Option<Box<str>>,
    units: u64,
    lapses: Option<u32>,
    orders: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Order {
    units: u64,
    total_minor: i64,
    lines: u32,
    team: bool,
    opens: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sale {
    title: Box<str>,
    state: Option<State>,
    sold: u64,
    available: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Draft,
    Scheduled,
    Open,
    Paused,
    Closed,
    Retired,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Counts {
    buyer: u64,
    device: u64,
    address: u64,
}

/// Reads all orders of a file.
///
/// # Errors
/// `TG-4007`: it cannot be read. `TG-4004`: a line is no order, with its number.
pub(super) fn read(path: &Path, each: &mut dyn FnMut(&PastOrder)) -> Result<(), Failure> {
    let cannot = |error| {
        let what = format!("cannot read {}: {error}", path.display());
        Failure::new(Code::MissingFile, what, "give the path of a file of orders")
    };
    let mut file = BufReader::new(File::open(path).map_err(cannot)?);
    let mut bytes = Vec::new();
    for number in 1_u64.. {
        bytes.clear();
        let mut bounded = (&mut file).take(LINE_BYTES_MAX + 1);
        if bounded.read_until(b'\n', &mut bytes).map_err(cannot)? == 0 {
            break;
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let order = order(&bytes, number).map_err(|error| {
            let what = format!("{}, line {number}: {error}", path.display());
            let mend = "write one JSON object on each line, with the names that rules use";
            Failure::new(Code::BadConfiguration, what, mend)
        })?;
        each(&order);
    }
    Ok(())
}

fn order(bytes: &[u8], number: u64) -> Result<PastOrder, String> {
    if bytes.len() as u64 > LINE_BYTES_MAX {
        return Err(format!("a line has at most {LINE_BYTES_MAX} bytes"));
    }
    let line: Line = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let facts = Facts {
        tags: line.buyer.tags,
        level: line.buyer.level,
        points: line.buyer.points,
        region: line.buyer.region,
        new_customer: line.buyer.new_customer,
        device: line.buyer.device,
        address: line.buyer.address,
    };
    facts.check()?;
    Ok(PastOrder {
        on_record: true,
        id: line.id.unwrap_or_else(|| format!("line {number}").into()),
        at: Time(line.now),
        buyer: line.buyer.name,
        facts,
        past: PastGround {
            units: line.buyer.units,
            lapses: line.buyer.lapses,
            orders: line.buyer.orders,
        },
        order: OrderGround {
            units: line.order.units,
            total_minor: line.order.total_minor,
            lines: line.order.lines,
            team: line.order.team,
            opens: line.order.opens,
        },
        title: line.sale.title,
        state: line.sale.state.map_or(SaleState::Open, SaleState::from),
        sold: line.sale.sold,
        available: line.sale.available,
        counters: Counters {
            buyer: line.counters.buyer,
            device: line.counters.device,
            address: line.counters.address,
        },
    })
}

impl From<State> for SaleState {
    fn from(state: State) -> Self {
        match state {
            State::Draft => Self::Draft,
            State::Scheduled => Self::Scheduled,
            State::Open => Self::Open,
            State::Paused => Self::Paused,
            State::Closed => Self::Closed,
            State::Retired => Self::Retired,
        }
    }
}
