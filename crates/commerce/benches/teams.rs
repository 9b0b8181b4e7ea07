//! What a seat costs: orders of teams against plain orders, each placed, paid and captured, in the same run.
//!
//! The bar: a team's command costs no more than a plain order's plus 20 %. Each entry is encoded for the journal, as the
//! desk does before it answers; opening the team, its completion and the settlement that the desk's tick brings are
//! counted in.
//!
//! `cargo bench -p tidegate-commerce --bench teams -- --json`; one JSON object of figures on standard output.
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement asks the clock itself"
)]
#![expect(
    clippy::print_stdout,
    reason = "the figures go to standard output, where the dispatcher reads them"
)]
#![allow(clippy::unwrap_used)]
#![allow(
    dead_code,
    reason = "the stampede is shared with benches that use all of it"
)]

#[path = "stampede/mod.rs"]
mod stampede;

use std::time::{Duration, Instant};

use tidegate_commerce::offer::{AfterFinish, Alone, GroupRule, Leave, Offer, Pays};
use tidegate_commerce::{Action, Book, Command, DealAsk, TeamAsk, Time, record};

/// Each figure is the median of so many runs, plain orders and both kinds of teams in turn.
const RUNS: usize = 7;
const ORDERS: u32 = 200_000;
/// A desk hands its entries to the journal in batches and ticks before each; so does this.
const BATCH: usize = 1_000;
const NOW: Time = Time(2_000);
/// Seats of the teams that are measured.
const SIZES: [u32; 3] = [2, 5, 1_000];

fn main() {
    let plain: Vec<Command> = (0..ORDERS).map(stampede::place).collect();
    let payments: Vec<Command> = (0..ORDERS)
        .flat_map(|order| [stampede::pay(order), stampede::captured(order)])
        .collect();
    let teams = SIZES.map(|size| (0..ORDERS).map(|n| seat(n, size)).collect::<Vec<_>>());
    let mut times: Vec<[f64; 4]> = Vec::new();
    for _ in 0..RUNS {
        let mut run = [0.0; 4];
        run[0] = sell(stampede::opened(ORDERS), &plain, &payments).as_secs_f64();
        for ((time, size), places) in run[1..].iter_mut().zip(SIZES).zip(&teams) {
            *time = sell(offered(size), places, &payments).as_secs_f64();
        }
        times.push(run);
    }
    let plain = median(times.iter().map(|run| run[0]));
    eprintln!("{:<30} {:>12.0}", "plain orders a second", rate(plain));
    let mut figures = vec![format!("\"plain_orders_per_second\": {:.0}", rate(plain))];
    for (at, size) in SIZES.into_iter().enumerate() {
        let time = median(times.iter().map(|run| run[at + 1]));
        // The two of one run share its weather.
        let ratio = median(times.iter().map(|run| run[at + 1] / run[0]));
        eprintln!(
            "teams of {size:<21} {:>12.0}   {ratio:.2} times",
            rate(time)
        );
        figures.push(format!(
            "\"teams_of_{size}_orders_per_second\": {:.0}, \"teams_of_{size}_ratio\": {ratio:.3}",
            rate(time)
        ));
    }
    println!(
        "{{\"bench\": \"teams\", \"orders\": {ORDERS}, {}}}",
        figures.join(", ")
    );
}

fn rate(seconds: f64) -> f64 {
    f64::from(ORDERS) / seconds
}

fn median(times: impl Iterator<Item = f64>) -> f64 {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}

/// Places, begins to charge and captures all orders, as a desk would.
fn sell(mut book: Book, places: &[Command], payments: &[Command]) -> Duration {
    let mut entries = Vec::with_capacity(4 * BATCH);
    let mut bytes = Vec::with_capacity(1 << 20);
    let start = Instant::now();
    for batch in places.chunks(BATCH).chain(payments.chunks(BATCH)) {
        book.tick(NOW, BATCH, &mut entries).unwrap();
        for command in batch {
            let outcome = book.execute(NOW, command, &mut entries);
            std::hint::black_box(outcome.unwrap().decision.is_ok());
        }
        for entry in entries.drain(..) {
            record::put(&entry, &mut bytes).unwrap();
        }
        std::hint::black_box(bytes.len());
        bytes.clear();
    }
    let time = start.elapsed();
    assert_eq!(book.tally().paid, ORDERS);
    let open = book.team_counts().1;
    assert_eq!(open, 0, "every team is full");
    time
}

/// A sale whose SKUs are sold to teams of so many.
fn offered(size: u32) -> Book {
    let mut book = Book::new();
    for command in stampede::opening(ORDERS) {
        let Command { actor, key, action } = command;
        let action = match action {
            Action::Create { secret, plan } => {
                let groups = plan.skus.iter().map(|sku| group(&sku.sku, size));
                let offer = Offer {
                    groups: groups.collect(),
                    ..Offer::default()
                };
                let offer = Box::new(offer);
                Action::CreateWith {
                    secret,
                    plan,
                    offer,
                }
            }
            other => other,
        };
        let command = Command { actor, key, action };
        let outcome = book.execute(Time(1_000), &command, &mut Vec::new());
        outcome.unwrap().decision.unwrap();
    }
    book
}

fn group(sku: &str, size: u32) -> GroupRule {
    let size = u16::try_from(size).unwrap();
    GroupRule {
        sku: sku.into(),
        size,
        least: size,
        lifetime_ms: 86_400_000,
        stretch_ms: 0,
        tiers: Vec::new(),
        pays: Pays::Reached,
        seats_per_buyer: 2,
        teams_per_buyer: None,
        open_to: Vec::new(),
        join_to: Vec::new(),
        leader: None,
        leave: Leave::Free,
        after: AfterFinish::Merchant,
        fill: 0,
        alone: Alone::Sold,
        prizes: None,
    }
}

/// The order with this number, in the team that its number says; the first one of a team opens it.
fn seat(n: u32, size: u32) -> Command {
    let mut command = stampede::place(n);
    let team = n / size;
    let ask = match n % size {
        0 => TeamAsk::Open { commit: None },
        _ => TeamAsk::Join { team },
    };
    if let Action::Place(place) = &mut command.action {
        place.lines[0].sku = stampede::code(team).into();
        place.deal = Some(Box::new(DealAsk {
            team: Some(ask),
            ..DealAsk::default()
        }));
    }
    command
}
