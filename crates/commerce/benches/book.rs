//! The pure book on one core: orders a second with idempotency, a limit for each buyer, hold and order; what refusals
//! and repeats cost; and how fast a journal's records are written and read back.
//!
//! `cargo bench -p tidegate-commerce --bench book -- --json`; one JSON object of figures on standard output.
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement asks the clock itself"
)]
#![expect(
    clippy::print_stdout,
    reason = "the figures go to standard output, where the dispatcher reads them"
)]
#![allow(clippy::unwrap_used)]

#[path = "stampede/mod.rs"]
mod stampede;

use std::time::{Duration, Instant};

use stampede::{ORDERS, opened};
use tidegate_commerce::record::{self, Records};
use tidegate_commerce::{Book, Command, Entry, Time};

/// Each figure is the median of so many runs.
const RUNS: usize = 5;
/// A desk hands its entries to the journal in batches; so does this.
const BATCH: usize = 1_000;
const NOW: Time = Time(2_000);

/// All commands, made beforehand.
struct Stampede {
    places: Vec<Command>,
    /// For each order, the intent to charge and the report of its capture.
    payments: Vec<Command>,
}

fn main() {
    let payments = (0..ORDERS).flat_map(|order| [stampede::pay(order), stampede::captured(order)]);
    let stampede = Stampede {
        places: (0..ORDERS).map(stampede::place).collect(),
        payments: payments.collect(),
    };
    let mut rates: Vec<(&str, f64)> = vec![
        ("orders_per_second", rate(|| place(&stampede))),
        ("refusals_per_second", rate(|| refuse(&stampede))),
        ("repeats_per_second", rate(|| repeat(&stampede))),
        ("payments_per_second", rate(|| pay(&stampede))),
    ];
    let (payloads, entries) = journalled(&stampede);
    rates.push(("encoded_per_second", rate(|| encode(&entries))));
    drop(entries);
    rates.push(("recovered_per_second", rate(|| recover(&payloads))));
    let bytes: usize = payloads.iter().map(Vec::len).sum();
    let book = placed(&stampede);
    rates.push(("snapshot_written_per_second", rate(|| write(&book))));
    let snapshot = book.to_snapshot().unwrap();
    drop(book);
    rates.push(("snapshot_read_per_second", rate(|| read(&snapshot))));
    for (name, rate) in &rates {
        eprintln!("{name:<30} {rate:>12.0}");
    }
    let figures: Vec<String> = rates
        .iter()
        .map(|(name, rate)| format!("\"{name}\": {rate:.0}"))
        .collect();
    println!(
        "{{\"bench\": \"book\", \"orders\": {ORDERS}, {}, \"journal_bytes_per_order\": {}, \"snapshot_bytes_per_order\": {}}}",
        figures.join(", "),
        bytes / ORDERS as usize,
        snapshot.len() / ORDERS as usize,
    );
}

/// Orders a second, where one call of `run` handles all of them and says how long it took.
fn rate(run: impl Fn() -> Duration) -> f64 {
    let mut times: Vec<Duration> = (0..RUNS).map(|_| run()).collect();
    times.sort();
    f64::from(ORDERS) / times[RUNS / 2].as_secs_f64()
}

/// Executes commands in batches and drops the entries, which a desk would hand to its journal.
fn execute(book: &mut Book, commands: &[Command]) -> Duration {
    let mut entries = Vec::with_capacity(2 * BATCH);
    let start = Instant::now();
    for batch in commands.chunks(BATCH) {
        for command in batch {
            let outcome = book.execute(NOW, command, &mut entries);
            std::hint::black_box(outcome.unwrap().decision.is_ok());
        }
        entries.clear();
    }
    start.elapsed()
}

fn placed(stampede: &Stampede) -> Book {
    let mut book = opened(ORDERS);
    execute(&mut book, &stampede.places);
    assert_eq!(book.tally().held, ORDERS);
    book
}

fn place(stampede: &Stampede) -> Duration {
    execute(&mut opened(ORDERS), &stampede.places)
}

fn refuse(stampede: &Stampede) -> Duration {
    // A tenth of the stock: nine of ten are too late, and all of them are measured.
    let mut book = opened(ORDERS / 10);
    let (early, late) = stampede.places.split_at(ORDERS as usize / 10);
    execute(&mut book, early);
    let time = execute(&mut book, late);
    assert_eq!(book.tally().placed, ORDERS / 10);
    time * 10 / 9
}

fn repeat(stampede: &Stampede) -> Duration {
    let mut book = placed(stampede);
    let time = execute(&mut book, &stampede.places);
    assert_eq!(book.tally().placed, ORDERS);
    time
}

fn pay(stampede: &Stampede) -> Duration {
    let mut book = placed(stampede);
    let time = execute(&mut book, &stampede.payments);
    assert_eq!(book.tally().paid, ORDERS);
    time
}

/// The journal of all orders: its batches, and their entries.
fn journalled(stampede: &Stampede) -> (Vec<Vec<u8>>, Vec<Entry>) {
    let mut entries = Vec::new();
    let mut book = Book::new();
    for command in stampede::opening(ORDERS).iter().chain(&stampede.places) {
        book.execute(NOW, command, &mut entries).unwrap();
    }
    let batch = |batch: &[Entry]| {
        let mut payload = Vec::new();
        for entry in batch {
            record::put(entry, &mut payload).unwrap();
        }
        payload
    };
    (entries.chunks(BATCH).map(batch).collect(), entries)
}

fn encode(entries: &[Entry]) -> Duration {
    let mut payload = Vec::new();
    let start = Instant::now();
    for batch in entries.chunks(BATCH) {
        payload.clear();
        for entry in batch {
            record::put(entry, &mut payload).unwrap();
        }
        std::hint::black_box(&payload);
    }
    start.elapsed()
}

fn recover(payloads: &[Vec<u8>]) -> Duration {
    let start = Instant::now();
    let mut book = Book::new();
    for payload in payloads {
        let mut records = Records::new(payload);
        while let Some(entry) = records.read::<Entry>().unwrap() {
            book.apply(NOW, &entry).unwrap();
        }
    }
    let time = start.elapsed();
    assert_eq!(book.tally().held, ORDERS);
    time
}

fn write(book: &Book) -> Duration {
    let start = Instant::now();
    std::hint::black_box(book.to_snapshot().unwrap());
    start.elapsed()
}

fn read(snapshot: &[u8]) -> Duration {
    let start = Instant::now();
    let book = Book::from_snapshot(snapshot).unwrap();
    let time = start.elapsed();
    assert_eq!(book.tally().held, ORDERS);
    time
}
