//! The limits of the shop's options, as their comments state them.

use super::Fault;

/// An option below a group of the shop: its name, its value, the least and the most that is allowed.
type Limit = (&'static str, u64, u64, u64);

const KIB: u64 = 1024;
const GIB: u64 = KIB * KIB * KIB;

/// Everything of the shop that is out of its limits.
pub(super) fn faults(shop: &shop::Settings) -> Vec<Fault> {
    let groups = [
        ("shop.desk", desk(&shop.desk)),
        ("shop.projector", projector(&shop.projector)),
        ("shop.sales", sales(&shop.sales)),
    ];
    let limits = groups
        .iter()
        .flat_map(|(group, limits)| limits.iter().map(move |limit| (group, limit)));
    let outside = limits.filter(|(_, (_, value, least, most))| !(least..=most).contains(&value));
    let fault = |(group, (name, value, least, most)): (&&str, &Limit)| {
        let detail = format!("is {value}, must be from {least} to {most}");
        Fault::new(format!("{group}.{name}"), detail)
    };
    outside.map(fault).collect()
}

/// Everything that is wrong with what the shop does outside.
pub(super) fn outside(shop: &shop::Settings) -> Vec<Fault> {
    let fulfilment = shop.fulfilment.faults().into_iter();
    let fulfilment = fulfilment.map(|fault| ("fulfilment", fault.option, fault.why));
    let delivery = shop.delivery.faults().into_iter();
    let delivery = delivery.map(|(option, why)| ("delivery", option, why));
    let notices = shop.notices.faults().into_iter();
    let notices = notices.map(|(option, why)| ("notices", option, why));
    let all = fulfilment.chain(delivery).chain(notices);
    all.map(|(group, option, why)| Fault::new(format!("shop.{group}.{option}"), why))
        .collect()
}

fn desk(desk: &shop::desk::Settings) -> Vec<Limit> {
    vec![
        (
            "queue_commands_max",
            desk.queue_commands_max as u64,
            1,
            1_000_000,
        ),
        (
            "batch_commands_max",
            desk.batch_commands_max as u64,
            1,
            65_536,
        ),
        ("sweep_holds_max", desk.sweep_holds_max as u64, 1, 65_536),
        ("snapshot_entries", desk.snapshot_entries, 1_000, u64::MAX),
        ("snapshot_idle_ms", desk.snapshot_idle_ms, 1, 86_400_000),
        ("resume_ms", desk.resume_ms, 1, 30_000),
    ]
}

fn projector(projector: &shop::projector::Settings) -> Vec<Limit> {
    vec![
        (
            "transaction_rows_max",
            projector.transaction_rows_max as u64,
            100,
            200_000,
        ),
        ("gather_ms", projector.gather_ms, 1, 10_000),
        ("cache_kib", projector.cache_kib.into(), 256, 1_048_576),
        ("readers_max", projector.readers_max as u64, 1, 64),
        ("niceness", projector.niceness.into(), 0, 19),
        ("stop_ms_max", projector.stop_ms_max, 0, 60_000),
    ]
}

fn sales(sales: &shop::SalesSettings) -> Vec<Limit> {
    vec![
        (
            "segment_bytes_first",
            sales.segment_bytes_first,
            64 * KIB,
            GIB,
        ),
        (
            "segment_bytes_max",
            sales.segment_bytes_max,
            sales.segment_bytes_first,
            GIB,
        ),
        ("watchers_max", sales.watchers_max as u64, 1, 100_000),
    ]
}
