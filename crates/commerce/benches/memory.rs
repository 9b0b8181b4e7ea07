//! Bytes of heap for an open and a settled order of one line, for a further key and for a buyer; at three sizes, and at
//! the worst moment between 100,000 and 1,000,000, which is right after a table has grown.
//!
//! `cargo bench -p tidegate-commerce --bench memory -- --json`; one JSON object of figures on standard output.
#![expect(
    clippy::print_stdout,
    reason = "the figures go to standard output, where the dispatcher reads them"
)]
#![allow(clippy::unwrap_used)]

#[path = "stampede/mod.rs"]
mod stampede;

use std::alloc::System;

use stampede::{ORDERS, captured, opened, pay, place};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tidegate_commerce::{Action, Actor, Book, Command, Time};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Sizes at which every figure is taken, in orders.
const SIZES: [u32; 3] = [100_000, 500_000, ORDERS];
/// The worst moment is looked for every so many orders.
const STEP: u32 = 1_000;

/// What an order is given before it is weighed.
#[derive(Clone, Copy)]
enum Kind {
    /// Held and unpaid; it names nobody and binds one key.
    Open,
    /// Paid elsewhere when it was placed: settled with one key.
    Settled,
    /// Placed, charged and captured: settled with two keys.
    Charged,
    /// Held, its charge under way: two keys and an open effect.
    Charging,
    /// As open, each by a buyer of its own.
    Named,
}

/// Bytes of heap for each order, every [`STEP`] orders from the smallest size to the largest.
struct Curve(Vec<f64>);

fn main() {
    let [open, settled, charged, charging, named] = [
        Kind::Open,
        Kind::Settled,
        Kind::Charged,
        Kind::Charging,
        Kind::Named,
    ]
    .map(Curve::of);
    let figures = [
        ("open_order", &open),
        ("settled_order", &settled),
        ("further_key", &charged.above(&settled)),
        ("buyer", &named.above(&open)),
        ("charge_under_way_with_its_key", &charging.above(&open)),
    ];
    let figures = figures.map(|(name, curve)| {
        let json = curve.json();
        eprintln!("{name:<30} {json}");
        format!("\"{name}_bytes\": {json}")
    });
    println!("{{\"bench\": \"memory\", {}}}", figures.join(", "));
}

impl Curve {
    fn of(kind: Kind) -> Self {
        let before = live();
        let mut book = opened(ORDERS);
        let mut points = Vec::with_capacity((ORDERS / STEP) as usize);
        let before = before + points.capacity() * size_of::<f64>();
        for order in 0..ORDERS {
            bring(&mut book, kind, order);
            if order + 1 >= SIZES[0] && (order + 1) % STEP == 0 {
                let bytes = u32::try_from(live() - before).unwrap();
                points.push(f64::from(bytes) / f64::from(order + 1));
            }
        }
        Self(points)
    }

    fn above(&self, other: &Self) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        Self(pairs.map(|(more, less)| more - less).collect())
    }

    fn json(&self) -> String {
        let sizes = SIZES.map(|size| {
            let at = self.0[((size - SIZES[0]) / STEP) as usize];
            format!("\"at_{size}\": {at:.1}")
        });
        let (orders, worst) = (SIZES[0]..)
            .step_by(STEP as usize)
            .zip(&self.0)
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .unwrap();
        format!(
            "{{{}, \"worst\": {worst:.1}, \"worst_at\": {orders}}}",
            sizes.join(", ")
        )
    }
}

/// Bytes of heap in use.
fn live() -> usize {
    let heap = HEAP.stats();
    heap.bytes_allocated - heap.bytes_deallocated
}

/// Places an order and brings it where its kind belongs.
fn bring(book: &mut Book, kind: Kind, number: u32) {
    let mut order = place(number);
    if let Action::Place(place) = &mut order.action {
        match kind {
            Kind::Named => place.buyer = Some(format!("buyer-{number:08}").into()),
            Kind::Settled => (place.buyer, place.paid) = (None, Some("till".into())),
            Kind::Open | Kind::Charged | Kind::Charging => place.buyer = None,
        }
    }
    order.actor = Actor::Merchant("shop".into());
    execute(book, &order);
    if let Kind::Charged | Kind::Charging = kind {
        execute(book, &pay(number));
    }
    if let Kind::Charged = kind {
        execute(book, &captured(number));
    }
}

fn execute(book: &mut Book, command: &Command) {
    let outcome = book.execute(Time(2_000), command, &mut Vec::new());
    outcome.unwrap().decision.unwrap();
}
